/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "fields.h"
#include "out.h"
#include "place.h"

#define PATH_CAP PLACE_PATH

/* <mount><kind>/<rest>, encoded; without versions there is only one kind of thing, and
 * ${versions} is NULL for a request that makes no sense then. */
static int api_path(struct cli *c, const char *kind, bool *versions, char out[PATH_CAP],
                    struct err *e)
{
	struct place p;
	int rc = place_find(c, c->arg[0], &p, e);

	if (rc != ERR_OK)
		return rc;
	if (!p.versions && versions == NULL)
		return err_set(e, ERR_INVALID, "%.100s keeps no versions (KV version 1)",
		               p.mount);
	if (versions != NULL)
		*versions = p.versions;
	return place_path(&p, kind, out, e);
}

static int print_field(const json_t *data, const char *field, struct err *e)
{
	const json_t *v = json_object_get(data, field);

	if (v == NULL)
		return err_set(e, ERR_NOENT, "the secret has no field '%.80s'", field);
	out_field(v);
	return ERR_OK;
}

static int print_secret(struct cli *c, json_t *doc, bool versions, struct err *e)
{
	json_t *outer = json_object_get(doc, "data"),
	       *data = versions ? json_object_get(outer, "data") : outer;
	const char *field = cli_flag(c, "field");

	if (json_is_object(json_object_get(doc, "wrap_info"))) {
		call_show(c, doc, PRINT_DATA);
		return ERR_OK;
	}
	if (field != NULL)
		return print_field(data, field, e);
	if (out_masked(c))
		out_mask(data);
	if (c->format == CLI_JSON) {
		out_json(c, doc);
		return ERR_OK;
	}
	if (versions) {
		out_pairs(json_object_get(outer, "metadata"), NULL);
		puts("");
	}
	out_pairs(data, NULL);
	if (out_masked(c))
		say("Values are hidden on a terminal: add --reveal, or --field NAME.");
	return ERR_OK;
}

static int get(struct cli *c, struct err *e)
{
	const char *version = cli_flag(c, "version");
	char path[PATH_CAP];
	json_t *doc = NULL;
	bool versions = true;
	size_t n;
	int rc = api_path(c, "data", version == NULL ? &versions : NULL, path, e);

	if (rc != ERR_OK)
		return rc;
	n = strlen(path);
	if (version != NULL && strspn(version, "0123456789") == strlen(version))
		snprintf(path + n, sizeof(path) - n, "?version=%.20s", version);
	else if (version != NULL)
		return err_set(e, ERR_USAGE, "--version: '%.20s' is no number", version);
	rc = cli_ask(c, "GET", path, NULL, &doc, e);
	if (rc == ERR_OK)
		rc = print_secret(c, doc, versions, e);
	else if (rc == ERR_NOENT && json_object_get(doc, "data") != NULL)
		rc = err_set(e, ERR_NOENT, "this version was deleted or destroyed");
	json_decref(doc);
	return rc;
}

static int put(struct cli *c, struct err *e)
{
	const char *cas = cli_flag(c, "cas");
	json_t *data = json_object(), *body = json_object(), *doc = NULL;
	char path[PATH_CAP];
	bool versions = true;
	int rc;

	if ((rc = fields_collect(c, 1, false, &data, e)) == ERR_OK &&
	    (rc = api_path(c, "data", cas == NULL ? &versions : NULL, path, e)) ==
	            ERR_OK) {
		json_object_set(body, "data", data);
		if (cas != NULL)
			json_object_set_new(body, "options",
			                    json_pack("{s:s}", "cas", cas));
		rc = cli_ask(c, "POST", path, versions ? body : data, &doc, e);
	}
	if (rc == ERR_OK)
		call_show(c, doc, PRINT_DATA);
	json_decref(data);
	json_decref(body);
	json_decref(doc);
	return rc;
}

/* "list", or "scan": all that is below. */
static int list(struct cli *c, struct err *e)
{
	bool scan = strcmp(c->command->verb, "scan") == 0;
	char path[PATH_CAP];
	json_t *doc = NULL;
	bool versions;
	int rc = api_path(c, "metadata", &versions, path, e);

	if (rc == ERR_OK &&
	    (rc = cli_ask(c, scan ? "SCAN" : "LIST", path, NULL, &doc, e)) == ERR_OK)
		call_show(c, doc, PRINT_KEYS);
	json_decref(doc);
	return rc;
}

static int versions_call(struct cli *c, const char *kind, struct err *e)
{
	json_t *body = json_object(), *versions = json_array(), *doc = NULL;
	char path[PATH_CAP];
	int rc = ERR_OK;

	for (int i = 1; i < c->args && rc == ERR_OK; i++) {
		if (strspn(c->arg[i], "0123456789") != strlen(c->arg[i]) ||
		    c->arg[i][0] == '\0')
			rc = err_set(e, ERR_USAGE, "'%.20s' is no version number",
			             c->arg[i]);
		json_array_append_new(versions, json_string(c->arg[i]));
	}
	json_object_set_new(body, "versions", versions);
	if (rc == ERR_OK && (rc = api_path(c, kind, NULL, path, e)) == ERR_OK)
		rc = cli_call(c, "POST", path, body, &doc, e);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int plain_call(struct cli *c, const char *method, const char *kind, bool print,
                      struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	bool versions;
	int rc = api_path(c, kind, print ? NULL : &versions, path, e);

	if (rc == ERR_OK)
		rc = cli_ask(c, method, path, NULL, &doc, e);
	if (rc == ERR_OK)
		call_show(c, doc, print ? PRINT_DATA : PRINT_NONE);
	json_decref(doc);
	return rc;
}

static int delete_version(struct cli *c, struct err *e)
{
	return c->args > 1 ? versions_call(c, "delete", e)
	                   : plain_call(c, "DELETE", "data", false, e);
}

static int undelete(struct cli *c, struct err *e)
{
	return versions_call(c, "undelete", e);
}

static int destroy(struct cli *c, struct err *e)
{
	int rc = cli_confirm(c, "Destroy these versions for ever?",
	                     cli_flag(c, "yes") != NULL, e);

	return rc == ERR_OK ? versions_call(c, "destroy", e) : rc;
}

static int metadata(struct cli *c, struct err *e)
{
	return plain_call(c, "GET", "metadata", true, e);
}

static int purge(struct cli *c, struct err *e)
{
	int rc = cli_confirm(c, "Remove the secret with all its versions?",
	                     cli_flag(c, "yes") != NULL, e);

	return rc == ERR_OK ? plain_call(c, "DELETE", "metadata", false, e) : rc;
}

static const struct flag get_flags[] = {
	{"version", FLAG_STRING, "N", "this version instead of the current one" },
	{ "field",      FLAG_STRING, "NAME", "print the value of one field and nothing else" },
	{ 0       },
};
static const struct flag put_flags[] = {
	{"cas", FLAG_STRING, "N",
         "only if N is the current version (0: must not exist)" },
	{ 0 },
};
static const struct flag yes_flags[] = {
	{"yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0},
};
static const char put_details[] = FIELDS_DETAILS
	"Values are never taken from the command line, where every process could read them.";

static const struct command rows[] = {
	{"kv",  "get",      get,            1, 1,  get_flags, "PATH",                             "print a secret",                  NULL       },
	{ "kv", "put",      put,            2, -1, put_flags, "PATH NAME[=@FILE|=-] …|@FILE|-",
         "write a new version",												      put_details},
	{ "kv", "scan",     list,           1, 1,  NULL,      "FOLDER",                           "names in a folder and all below",
         NULL																   },
	{ "kv", "list",     list,           1, 1,  NULL,      "FOLDER",                           "names in a folder",               NULL       },
	{ "kv", "delete",   delete_version, 1, -1, NULL,      "PATH [VERSION …]",
         "hide the current version, or the given ones",									      NULL       },
	{ "kv", "undelete", undelete,       2, -1, NULL,      "PATH VERSION …",
         "bring versions back",												      NULL       },
	{ "kv", "destroy",  destroy,        2, -1, yes_flags, "PATH VERSION …",
         "erase versions for ever",												  NULL       },
	{ "kv", "metadata", metadata,       1, 1,  NULL,      "PATH",                             "versions of a secret",            NULL       },
	{ "kv", "purge",    purge,          1, 1,  yes_flags, "PATH",
         "remove a secret with all versions",											NULL       },
};

const struct command_set commands_kv = { rows, ARRAY_LEN(rows) };
