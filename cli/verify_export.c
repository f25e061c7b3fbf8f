/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_export - records out of an export: JSON lines, first a header, then one line per
 * record, last the signed head.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "verify.h"

#define FORMAT         "vaultd-audit-export-1"
#define LINE_MAX_BYTES ((size_t)32 * 1024 * 1024)
#define TAIL           ((long)128 * 1024) /* the last line is within this much of the end */

struct vexport {
	FILE *f;
	char *line;
	size_t cap;
	json_t *last; /* the line with the head */
	bool head_given;
	unsigned char hash[2][32], salt[16];
	unsigned char *bytes[2]; /* envelope, record */
	size_t room[2];
};

static void close_export(void *ctx)
{
	struct vexport *x = ctx;

	if (x->f != NULL)
		fclose(x->f);
	json_decref(x->last);
	free(x->line);
	free(x->bytes[0]);
	free(x->bytes[1]);
	free(x);
}

/* VERIFY_DAMAGED: a line that is no JSON object. */
static enum verify_next next_line(struct vexport *x, json_t **out, struct err *e)
{
	ssize_t n = getline(&x->line, &x->cap, x->f);

	if (n < 0 && !feof(x->f)) {
		(void)err_sys(e, ERR_IO, errno, "reading the export");
		return VERIFY_FAILED;
	}
	if (n < 0)
		return VERIFY_END;
	*out = (size_t)n > LINE_MAX_BYTES
	               ? NULL
	               : json_loadb(x->line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*out) ? VERIFY_ITEM : VERIFY_DAMAGED;
}

static int read_header(struct vexport *x, const char *path, struct err *e)
{
	json_t *doc = NULL;
	enum verify_next next = next_line(x, &doc, e);
	const char *format = json_string_value(json_object_get(doc, "format"));
	bool ok = next == VERIFY_ITEM && format != NULL && strcmp(format, FORMAT) == 0;

	json_decref(doc);
	return ok ? ERR_OK
	          : err_set(e, ERR_INVALID, "%.150s is no export of an audit log", path);
}

/* The last line, when it is what an export ends with. */
static json_t *read_tail(FILE *f)
{
	static char buf[TAIL + 1];
	size_t n;
	char *p;

	if (fseek(f, -TAIL, SEEK_END) != 0 && fseek(f, 0, SEEK_SET) != 0)
		return NULL;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	buf[n] = '\0';
	p = memrchr(buf, '\n', n);
	p = p != NULL ? p + 1 : buf;
	return json_loads(p, JSON_REJECT_DUPLICATES, NULL);
}

static enum verify_next next_head(void *ctx, struct verify_head *out, struct err *e)
{
	struct vexport *x = ctx;
	const char *note = json_string_value(json_object_get(x->last, "checkpoint"));

	(void)e;
	if (x->head_given)
		return VERIFY_END;
	x->head_given = true;
	if (note == NULL)
		return VERIFY_DAMAGED;
	/* An empty log has no head. */
	if (*note == '\0')
		return VERIFY_END;
	out->note = note;
	out->n = strlen(note);
	return VERIFY_ITEM;
}

static bool take_fixed(const json_t *doc, const char *name, unsigned char *out, size_t n)
{
	const json_t *v = json_object_get(doc, name);

	return json_is_string(v) &&
	       text_unbase64(json_string_value(v), json_string_length(v), out, n) ==
	               (long)n;
}

static bool take_bytes(struct vexport *x, int at, const json_t *doc, const char *name,
                       size_t *n)
{
	const json_t *v = json_object_get(doc, name);
	size_t need = json_string_length(v);
	long len;

	if (!json_is_string(v))
		return false;
	if (need > x->room[at]) {
		unsigned char *p = realloc(x->bytes[at], need);

		if (p == NULL)
			return false;
		x->bytes[at] = p;
		x->room[at] = need;
	}
	len = text_unbase64(json_string_value(v), need, x->bytes[at], x->room[at]);
	*n = len > 0 ? (size_t)len : 0;
	return len > 0;
}

static bool take_record(struct vexport *x, const json_t *doc, struct verify_record *out)
{
	const json_t *index = json_object_get(doc, "index");

	memset(out, 0, sizeof(*out));
	if (!json_is_integer(index) || !take_fixed(doc, "commit", x->hash[0], 32) ||
	    !take_fixed(doc, "leaf", x->hash[1], 32) ||
	    !take_fixed(doc, "salt", x->salt, 16) ||
	    !take_bytes(x, 0, doc, "envelope", &out->envelope_len) ||
	    !take_bytes(x, 1, doc, "record", &out->record_len))
		return false;
	out->index = (uint64_t)json_integer_value(index);
	out->digest = x->hash[0];
	out->leaf = x->hash[1];
	out->salt = x->salt;
	out->envelope = x->bytes[0];
	out->record = x->bytes[1];
	return true;
}

static enum verify_next next_record(void *ctx, struct verify_record *out, struct err *e)
{
	struct vexport *x = ctx;
	json_t *doc = NULL;
	enum verify_next next = next_line(x, &doc, e);

	if (next == VERIFY_ITEM && json_object_get(doc, "checkpoint") != NULL &&
	    json_equal(doc, x->last))
		next = VERIFY_END;
	if (next == VERIFY_ITEM && !take_record(x, doc, out))
		next = VERIFY_DAMAGED;
	json_decref(doc);
	return next;
}

int verify_open_export(const char *path, struct verify_source *src, struct err *e)
{
	struct vexport *x = calloc(1, sizeof(*x));
	int rc;

	if (x == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	x->f = fopen(path, "re");
	if (x->f == NULL) {
		rc = err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%.150s",
		             path);
		close_export(x);
		return rc;
	}
	x->last = read_tail(x->f);
	if (fseek(x->f, 0, SEEK_SET) != 0)
		rc = err_sys(e, ERR_IO, errno, "%.150s", path);
	else
		rc = read_header(x, path, e);
	if (rc != ERR_OK) {
		close_export(x);
		return rc;
	}
	*src = (struct verify_source){ next_head, next_record, close_export, x };
	return ERR_OK;
}
