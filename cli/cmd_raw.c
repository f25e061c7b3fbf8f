/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_raw - any path of the API, and wrapped replies. */
#include <string.h>

#include "call.h"
#include "fields.h"
#include "out.h"

/* One field of data, or of data.data where KV version 2 keeps it. */
static int show_field(const json_t *doc, const char *field, struct err *e)
{
	const json_t *data = json_object_get(doc, "data");
	const json_t *v = json_object_get(data, field);

	if (v == NULL)
		v = json_object_get(json_object_get(data, "data"), field);
	if (v == NULL)
		v = json_object_get(json_object_get(doc, "auth"), field);
	if (v == NULL)
		return err_set(e, ERR_NOENT, "the reply has no field '%.80s'", field);
	out_field(v);
	return ERR_OK;
}

/* What was read may be secret: hidden on a terminal. */
static int show(struct cli *c, json_t *doc, struct err *e)
{
	const char *field = cli_flag(c, "field");

	if (field != NULL)
		return show_field(doc, field, e);
	if (out_masked(c) && json_is_object(json_object_get(doc, "data"))) {
		out_mask(json_object_get(doc, "data"));
		say("Values are hidden on a terminal: add --reveal, or --field NAME.");
	}
	call_show(c, doc, PRINT_DATA);
	return ERR_OK;
}

static int ask(struct cli *c, const char *method, json_t *body, struct err *e)
{
	char path[4096];
	json_t *doc = NULL;
	int rc = call_path(c, "{1}", path, sizeof(path), e);

	if (rc == ERR_OK && (rc = cli_ask(c, method, path, body, &doc, e)) == ERR_OK)
		rc = doc != NULL ? show(c, doc, e) : ERR_OK;
	json_decref(doc);
	return rc;
}

static int read_path(struct cli *c, struct err *e)
{
	return ask(c, "GET", NULL, e);
}

static int list_path(struct cli *c, struct err *e)
{
	const char *method = strcmp(c->command->noun, "scan") == 0 ? "SCAN" : "LIST";

	return call_run(c, method, "{1}", NULL, PRINT_KEYS, e);
}

static int send_fields(struct cli *c, const char *method, struct err *e)
{
	json_t *body = json_object();
	int rc = fields_collect(c, 1, true, &body, e);

	if (rc == ERR_OK)
		rc = ask(c, method, body, e);
	json_decref(body);
	return rc;
}

static int write_path(struct cli *c, struct err *e)
{
	return send_fields(c, "POST", e);
}

static int patch_path(struct cli *c, struct err *e)
{
	return send_fields(c, "PATCH", e);
}

static int delete_path(struct cli *c, struct err *e)
{
	int rc = cli_confirm(c, "Delete what is at this path?",
	                     cli_flag(c, "yes") != NULL, e);

	return rc == ERR_OK ? call_run(c, "DELETE", "{1}", NULL, PRINT_DATA, e) : rc;
}

static int wrap(struct cli *c, struct err *e)
{
	json_t *body = json_object();
	int rc = fields_collect(c, 0, true, &body, e);

	if (c->wrap_ttl == NULL)
		c->wrap_ttl = "5m";
	if (rc == ERR_OK)
		rc = call_run(c, "POST", "sys/wrapping/wrap", body, PRINT_DATA, e);
	json_decref(body);
	return rc;
}

/* The wrapping token is a secret as well: asked for, never an argument. */
static int with_wrapping_token(struct cli *c, const char *path, bool secret,
                               struct err *e)
{
	json_t *body, *doc = NULL;
	char *token = NULL;
	int rc = cli_prompt("Wrapping token", &token, e);

	if (rc != ERR_OK)
		return rc;
	body = json_pack("{s:s}", "token", token);
	cli_wipe(token);
	if (body == NULL)
		return err_set(e, ERR_INVALID, "the token is not UTF-8 text");
	rc = cli_call(c, "POST", path, body, &doc, e);
	if (rc == ERR_OK && secret)
		rc = show(c, doc, e);
	else if (rc == ERR_OK)
		call_show(c, doc, PRINT_DATA);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int unwrap(struct cli *c, struct err *e)
{
	return with_wrapping_token(c, "sys/wrapping/unwrap", true, e);
}

static int wrap_lookup(struct cli *c, struct err *e)
{
	return with_wrapping_token(c, "sys/wrapping/lookup", false, e);
}

static const struct flag field_flags[] = {
	{"field", FLAG_STRING, "NAME", "print the value of one field and nothing else" },
	{ 0},
};
static const struct flag yes_flags[] = {
	{"yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0},
};
static const char write_details[] = FIELDS_DETAILS
	"NAME:=VALUE  a setting that is no secret (JSON if it is JSON, else text)";

/* clang-format off */
static const struct command rows[] = {
	{ "read",   NULL, read_path,   1, 1,  field_flags, "PATH", "read any path of the API", NULL },
	{ "write",  NULL, write_path,  1, -1, field_flags, "PATH [NAME[=@FILE|=-|:=VALUE] …|@FILE|-]",
	  "write to any path of the API", write_details },
	{ "patch",  NULL, patch_path,  2, -1, field_flags, "PATH NAME[=@FILE|=-|:=VALUE] …|@FILE|-",
	  "change some members of what is there", write_details },
	{ "list",   NULL, list_path,   1, 1,  NULL,        "PATH", "list any path of the API", NULL },
	{ "scan",   NULL, list_path,   1, 1,  NULL,        "PATH", "list a path with all that is below", NULL },
	{ "delete", NULL, delete_path, 1, 1,  yes_flags,   "PATH", "delete any path of the API", NULL },
	{ "wrap",   NULL, wrap,        1, -1, NULL,        "NAME[=@FILE|=-|:=VALUE] …|@FILE|-",
	  "keep data behind a token that is good once", write_details },
	{ "wrap", "lookup", wrap_lookup, 0, 0, NULL,       "",
	  "what a wrapping token was made for, without using it up", NULL },
	{ "unwrap", NULL, unwrap,      0, 0,  field_flags, "",     "fetch what a wrapping token is for",
	  "The token is read from the terminal without echo, or from standard input." },
};
/* clang-format on */

const struct command_set commands_raw = { rows, ARRAY_LEN(rows) };
