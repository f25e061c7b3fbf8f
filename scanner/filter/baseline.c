/* SPDX-License-Identifier: Apache-2.0 */
#include "baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "rng.h"
#include "scanner/whole_file.h"
#include "text.h"

#define LABEL     8u /* bytes that tell one key from another */
#define PATH_MOST 16384u
#define VERSION   1
#define KEY_TEXT  (2 * BASELINE_KEY)

struct entry {
	unsigned char fingerprint[FINDING_FINGERPRINT];
	char *rule, *path;
};

/* Sorted in full when it is looked in or written. */
struct baseline {
	unsigned char key[BASELINE_KEY];
	struct entry *at;
	size_t n, room, sorted;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

/* --- the key ------------------------------------------------------------------------ */

static int make_key(const char *path, struct err *e)
{
	unsigned char key[BASELINE_KEY];
	char text[KEY_TEXT + 2];
	int rc;

	rng_bytes(key, sizeof(key));
	text_hex(key, sizeof(key), text);
	text[KEY_TEXT] = '\n';
	rc = file_write_path(path, text, KEY_TEXT + 1, 0600, e);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(text, sizeof(text));
	return rc;
}

static int read_key(const char *path, unsigned char key[BASELINE_KEY], struct err *e)
{
	char text[KEY_TEXT + 2] = "";
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int rc = file_check_private(path, e);

	if (rc != ERR_OK)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "%s", path);
	n = read(fd, text, sizeof(text));
	if (n > 0 && text[n - 1] == '\n')
		n--;
	rc = n == (ssize_t)KEY_TEXT &&
	                     text_unhex(text, KEY_TEXT, key, BASELINE_KEY) == BASELINE_KEY
	             ? ERR_OK
	             : err_set(e, ERR_INVALID, "%s: no key of a baseline", path);
	sodium_memzero(text, sizeof(text));
	return rc;
}

/* What the key is used for are keys of their own. */
static void derive(const struct baseline *b, const char *what, unsigned char *out,
                   size_t n)
{
	crypto_generichash(out, n, (const unsigned char *)what, strlen(what), b->key,
	                   sizeof(b->key));
}

static void label_of(const struct baseline *b, char out[2 * LABEL + 1])
{
	unsigned char h[16];

	derive(b, "vaultctl scan: which key", h, sizeof(h));
	text_hex(h, LABEL, out);
}

void baseline_scan_key(const struct baseline *b, unsigned char out[BASELINE_KEY])
{
	derive(b, "vaultctl scan: fingerprints", out, BASELINE_KEY);
}

int baseline_new(const char *key_path, bool make, struct baseline **out, struct err *e)
{
	struct baseline *b;
	int rc = ERR_OK;

	if (make && access(key_path, F_OK) != 0 && errno == ENOENT)
		rc = make_key(key_path, e);
	if (rc != ERR_OK)
		return rc;
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return no_memory(e);
	if ((rc = read_key(key_path, b->key, e)) != ERR_OK) {
		baseline_free(b);
		return rc;
	}
	*out = b;
	return ERR_OK;
}

void baseline_free(struct baseline *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->n; i++) {
		free(b->at[i].rule);
		free(b->at[i].path);
	}
	free(b->at);
	sodium_memzero(b->key, sizeof(b->key));
	free(b);
}

/* --- entries ------------------------------------------------------------------------ */

static int by_entry(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int c = strcmp(a->path, b->path);

	if (c == 0)
		c = strcmp(a->rule, b->rule);
	return c != 0 ? c : memcmp(a->fingerprint, b->fingerprint, FINDING_FINGERPRINT);
}

int baseline_add(struct baseline *b, const char *rule, const char *path,
                 const unsigned char fingerprint[FINDING_FINGERPRINT], struct err *e)
{
	struct entry one, *more;

	if (b->n == BASELINE_ENTRIES)
		return err_set(e, ERR_TOO_BIG, "more than %u findings", BASELINE_ENTRIES);
	if (b->n == b->room) {
		more = realloc(b->at, (2 * b->room + 64) * sizeof(*more));
		if (more == NULL)
			return no_memory(e);
		b->at = more;
		b->room = 2 * b->room + 64;
	}
	one.rule = strdup(rule);
	one.path = strdup(path);
	memcpy(one.fingerprint, fingerprint, FINDING_FINGERPRINT);
	if (one.rule == NULL || one.path == NULL) {
		free(one.rule);
		free(one.path);
		return no_memory(e);
	}
	b->at[b->n++] = one;
	return ERR_OK;
}

static void sort(struct baseline *b)
{
	if (b->sorted != b->n && b->n > 0)
		qsort(b->at, b->n, sizeof(*b->at), by_entry);
	b->sorted = b->n;
}

bool baseline_has(const struct baseline *b, const char *rule, const char *path,
                  const unsigned char fingerprint[FINDING_FINGERPRINT])
{
	struct entry one;

	if (b->n == 0)
		return false;
	one.rule = (char *)rule;
	one.path = (char *)path;
	memcpy(one.fingerprint, fingerprint, FINDING_FINGERPRINT);
	/* Reading sorts it. */
	return bsearch(&one, b->at, b->sorted, sizeof(one), by_entry) != NULL;
}

/* --- the file ----------------------------------------------------------------------- */

static int take(struct baseline *b, const char *name, size_t nth, json_t *o,
                struct err *e)
{
	unsigned char fingerprint[FINDING_FINGERPRINT];
	const char *rule = NULL, *path = NULL, *hex = NULL;

	if (json_unpack(o, "{s:s, s:s, s:s !}", "rule", &rule, "file", &path,
	                "fingerprint", &hex) != 0 ||
	    strlen(rule) > 64 || strlen(path) > PATH_MOST ||
	    strlen(hex) != 2 * sizeof(fingerprint) ||
	    text_unhex(hex, strlen(hex), fingerprint, sizeof(fingerprint)) < 0)
		return err_set(e, ERR_INVALID, "%s: finding %zu is not one", name,
		               nth + 1);
	return baseline_add(b, rule, path, fingerprint, e);
}

static int take_all(struct baseline *b, const char *name, json_t *doc, struct err *e)
{
	json_t *list = NULL, *one;
	const char *label = NULL;
	char ours[2 * LABEL + 1];
	int version = 0, rc;
	size_t i;

	if (json_unpack(doc, "{s:i, s:s, s:o !}", "version", &version, "key", &label,
	                "findings", &list) != 0 ||
	    version != VERSION || !json_is_array(list))
		return err_set(e, ERR_INVALID, "%s: no baseline of version %d", name,
		               VERSION);
	label_of(b, ours);
	if (strcmp(label, ours) != 0)
		return err_set(e, ERR_INVALID, "%s was made with another key", name);
	json_array_foreach(list, i,
	                   one) if ((rc = take(b, name, i, one, e)) != ERR_OK) return rc;
	sort(b);
	return ERR_OK;
}

int baseline_parse(struct baseline *b, const char *name, const char *text, size_t n,
                   struct err *e)
{
	json_error_t why;
	json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	int rc;

	if (doc == NULL)
		return err_set(e, ERR_INVALID, "%s:%d:%d: %.100s", name, why.line,
		               why.column, why.text);
	rc = take_all(b, name, doc, e);
	json_decref(doc);
	return rc;
}

int baseline_read(struct baseline *b, const char *path, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	int rc = whole_file(path, BASELINE_FILE_MAX, &text, &n, e);

	if (rc == ERR_OK)
		rc = baseline_parse(b, path, text, n, e);
	free(text);
	return rc;
}

static json_t *entry_json(const struct entry *one)
{
	char hex[2 * FINDING_FINGERPRINT + 1];

	text_hex(one->fingerprint, FINDING_FINGERPRINT, hex);
	return json_pack("{s:s, s:s, s:s}", "rule", one->rule, "file", one->path,
	                 "fingerprint", hex);
}

int baseline_write(struct baseline *b, const char *path, struct err *e)
{
	json_t *list = json_array(), *doc;
	char label[2 * LABEL + 1], *text;
	json_free_t release;
	int rc;

	sort(b);
	for (size_t i = 0; i < b->n; i++)
		if (i == 0 || by_entry(&b->at[i - 1], &b->at[i]) != 0)
			json_array_append_new(list, entry_json(&b->at[i]));
	label_of(b, label);
	doc = json_pack("{s:i, s:s, s:o}", "version", VERSION, "key", label, "findings",
	                list);
	text = doc != NULL ? json_dumps(doc, JSON_INDENT(1) | JSON_PRESERVE_ORDER |
	                                             JSON_ENSURE_ASCII)
	                   : NULL;
	json_decref(doc);
	if (text == NULL)
		return no_memory(e);
	rc = file_write_path(path, text, strlen(text), 0600, e);
	json_get_alloc_funcs(NULL, &release);
	release(text);
	return rc;
}
