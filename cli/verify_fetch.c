/* SPDX-License-Identifier: Apache-2.0 */
#include "verify_fetch.h"

#include <errno.h>
#include <string.h>

#include "out.h"

#define PAGE   500
#define ORIGIN "vaultd/audit/"

static int put_line(FILE *f, const json_t *v, struct err *e)
{
	if (out_line(f, v) != 0)
		return err_sys(e, ERR_IO, errno, "writing the export");
	return ERR_OK;
}

static int put_own(FILE *f, json_t *v, struct err *e)
{
	int rc = v != NULL ? put_line(f, v, e) : err_set(e, ERR_NOMEM, "out of memory");

	json_decref(v);
	return rc;
}

/* The vault's id, out of the name of its key. */
static const char *vault_id(const char *key, char out[33])
{
	size_t n = strlen(ORIGIN);

	out[0] = '\0';
	if (strncmp(key, ORIGIN, n) == 0 && strcspn(key + n, "+") == 32)
		snprintf(out, 33, "%s", key + n);
	return out;
}

/* One page; *from moves behind what was written. */
static int put_page(struct cli *c, FILE *f, long long *from, long long size,
                    struct err *e)
{
	json_t *doc = NULL, *entries, *entry;
	char path[128];
	size_t i;
	int rc;

	snprintf(path, sizeof(path), "sys/audit-log/export?from=%lld&limit=%lld", *from,
	         size - *from < PAGE ? size - *from : (long long)PAGE);
	if ((rc = cli_call(c, "GET", path, NULL, &doc, e)) == ERR_OK) {
		entries = json_object_get(json_object_get(doc, "data"), "entries");
		if (json_array_size(entries) == 0)
			rc = err_set(e, ERR_VERIFY, "the server has no record %lld",
			             *from);
		json_array_foreach(entries, i, entry)
		{
			if (rc != ERR_OK || *from == size)
				break;
			rc = put_line(f, entry, e);
			*from += 1;
		}
	}
	json_decref(doc);
	return rc;
}

static int put_all(struct cli *c, FILE *f, const json_t *head, long long *count,
                   struct err *e)
{
	const char *note = json_string_value(json_object_get(head, "checkpoint"));
	const char *key = json_string_value(json_object_get(head, "public_key"));
	long long size = json_integer_value(json_object_get(head, "size"));
	char id[33];
	int rc;

	*count = 0;
	if (note == NULL || key == NULL)
		return err_set(e, ERR_INVALID, "the server's answer has no checkpoint");
	rc = put_own(f,
	             json_pack("{s:s, s:s, s:s}", "format", "vaultd-audit-export-1",
	                       "vault_id", vault_id(key, id), "public_key", key),
	             e);
	while (rc == ERR_OK && *count < size) {
		rc = put_page(c, f, count, size, e);
		if (c->err_tty)
			fprintf(stderr, "\r%lld of %lld records ", *count, size);
	}
	if (c->err_tty)
		fprintf(stderr, "\r\033[K");
	if (rc == ERR_OK)
		rc = put_own(f, json_pack("{s:s}", "checkpoint", note), e);
	if (rc == ERR_OK && fflush(f) != 0)
		rc = err_sys(e, ERR_IO, errno, "writing the export");
	return rc;
}

int verify_fetch(struct cli *c, FILE *f, long long *count, struct err *e)
{
	json_t *doc = NULL;
	int rc = cli_call(c, "GET", "sys/audit-log/checkpoint", NULL, &doc, e);

	if (rc == ERR_OK)
		rc = put_all(c, f, json_object_get(doc, "data"), count, e);
	json_decref(doc);
	return rc;
}
