/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <stdio.h>
#include <string.h>

static bool has_versions(const json_t *data)
{
	const char *v = json_string_value(
		json_object_get(json_object_get(data, "options"), "version"));

	return v != NULL && strcmp(v, "2") == 0;
}

int place_find(struct cli *c, const char *full, struct place *p, struct err *e)
{
	char path[PLACE_PATH];
	const char *found;
	json_t *doc = NULL;
	size_t n;
	int rc;

	while (*full == '/')
		full++;
	if ((rc = cli_path("sys/internal/ui/mounts/", full, path, sizeof(path), e)) !=
	            ERR_OK ||
	    (rc = cli_call(c, "GET", path, NULL, &doc, e)) != ERR_OK) {
		json_decref(doc);
		return rc;
	}
	found = json_string_value(json_object_get(json_object_get(doc, "data"), "path"));
	n = found != NULL ? strlen(found) : 0;
	if (n == 0 || n >= sizeof(p->mount) ||
	    strncmp(full, found, n > 0 ? n - 1 : 0) != 0) {
		json_decref(doc);
		return err_set(e, ERR_INTERNAL,
		               "the server did not say which mount serves the path");
	}
	memcpy(p->mount, found, n + 1);
	p->rest = strlen(full) >= n ? full + n : "";
	p->versions = has_versions(json_object_get(doc, "data"));
	json_decref(doc);
	return ERR_OK;
}

int place_path(const struct place *p, const char *kind, char out[PLACE_PATH],
               struct err *e)
{
	char prefix[1200];

	snprintf(prefix, sizeof(prefix), "%s%s%s", p->mount, p->versions ? kind : "",
	         p->versions ? "/" : "");
	return cli_path(prefix, p->rest, out, PLACE_PATH, e);
}
