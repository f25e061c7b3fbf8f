/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "out.h"

static const char *const shown[] = { "display_name", "accessor",       "policies",
	                             "ttl",          "expire_time",    "renewable",
	                             "orphan",       "num_uses",       "path",
	                             "issue_time",   "type",           "token_policies",
	                             "client_token", "lease_duration", NULL };

static void print(struct cli *c, const json_t *doc, const char *member)
{
	json_t *part = json_object_get(doc, member);

	if (c->format == CLI_JSON)
		out_json(c, doc);
	else
		out_pairs(part, shown);
}

static int call_print(struct cli *c, const char *method, const char *path, json_t *body,
                      const char *member, struct err *e)
{
	json_t *doc;
	int rc = cli_call(c, method, path, body, &doc, e);

	if (rc == ERR_OK && member != NULL)
		print(c, doc, member);
	json_decref(doc);
	return rc;
}

static int token_path(char out[PATH_MAX], struct err *e)
{
	const char *home = getenv("HOME");

	if (home == NULL || snprintf(out, PATH_MAX, "%s/.vault-token", home) >= PATH_MAX)
		return err_set(e, ERR_IO,
		               "HOME is not set: the token has no place to be kept");
	return ERR_OK;
}

static int login(struct cli *c, struct err *e)
{
	char path[PATH_MAX];
	json_t *doc = NULL;
	char *token = NULL;
	int rc;

	if ((rc = cli_prompt("Token", &token, e)) != ERR_OK)
		return rc;
	cli_wipe(c->token);
	c->token = token;
	if ((rc = cli_call(c, "GET", "auth/token/lookup-self", NULL, &doc, e)) ==
	            ERR_OK &&
	    (rc = token_path(path, e)) == ERR_OK &&
	    (rc = file_write_path(path, token, strlen(token), 0600, e)) == ERR_OK) {
		/* The token itself is not shown, in whatever format. */
		json_object_del(json_object_get(doc, "data"), "id");
		print(c, doc, "data");
		say("The token is kept in ~/.vault-token.");
	}
	json_decref(doc);
	return rc;
}

static int logout(struct cli *c, struct err *e)
{
	char path[PATH_MAX];
	int rc = call_print(c, "POST", "auth/token/revoke-self", NULL, NULL, e);

	if (rc == ERR_OK && (rc = token_path(path, e)) == ERR_OK && unlink(path) != 0 &&
	    errno != ENOENT)
		rc = err_sys(e, ERR_IO, errno, "%.120s", path);
	return rc;
}

static json_t *comma_list(const char *s)
{
	json_t *list = json_array();

	while (*s != '\0') {
		size_t n = strcspn(s, ",");

		if (n > 0)
			json_array_append_new(list, json_stringn(s, n));
		s += n + (s[n] == ',');
	}
	return list;
}

static int token_create(struct cli *c, struct err *e)
{
	static const char *const fields[] = { "ttl", "explicit-max-ttl", "period",
		                              "display-name" };
	static const char *const names[] = { "ttl", "explicit_max_ttl", "period",
		                             "display_name" };
	json_t *body = json_object();
	const char *v;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if ((v = cli_flag(c, fields[i])) != NULL)
			json_object_set_new(body, names[i], json_string(v));
	if ((v = cli_flag(c, "policy")) != NULL)
		json_object_set_new(body, "policies", comma_list(v));
	if ((v = cli_flag(c, "use-limit")) != NULL)
		json_object_set_new(body, "num_uses", json_string(v));
	rc = call_print(c, "POST",
	                cli_flag(c, "orphan") != NULL ? "auth/token/create-orphan"
	                                              : "auth/token/create",
	                body, "auth", e);
	json_decref(body);
	return rc;
}

static int with_accessor(struct cli *c, const char *path, const char *member,
                         struct err *e)
{
	json_t *body = json_pack("{s:s}", "accessor", c->arg[0]);
	int rc = call_print(c, "POST", path, body, member, e);

	json_decref(body);
	return rc;
}

static int token_lookup(struct cli *c, struct err *e)
{
	if (c->args == 0)
		return call_print(c, "GET", "auth/token/lookup-self", NULL, "data", e);
	return with_accessor(c, "auth/token/lookup-accessor", "data", e);
}

static int token_renew(struct cli *c, struct err *e)
{
	const char *v = cli_flag(c, "increment");
	json_t *body = json_object();
	int rc;

	if (v != NULL)
		json_object_set_new(body, "increment", json_string(v));
	if (c->args > 0)
		json_object_set_new(body, "accessor", json_string(c->arg[0]));
	rc = call_print(c, "POST",
	                c->args > 0 ? "auth/token/renew-accessor"
	                            : "auth/token/renew-self",
	                body, "auth", e);
	json_decref(body);
	return rc;
}

static int token_revoke(struct cli *c, struct err *e)
{
	if (c->args == 0 && cli_flag(c, "self") == NULL)
		return err_set(e, ERR_USAGE, "name an accessor, or give --self");
	if (c->args == 0)
		return call_print(c, "POST", "auth/token/revoke-self", NULL, NULL, e);
	return with_accessor(c, "auth/token/revoke-accessor", NULL, e);
}

static const struct flag create_flags[] = {
	{"policy",            FLAG_STRING, "A,B",
         "policies of the token (the caller's own if absent)" },
	{ "ttl",              FLAG_STRING, "DURATION", "time to live" },
	{ "explicit-max-ttl",                  FLAG_STRING, "DURATION", "end that no renewal passes" },
	{ "period",FLAG_STRING, "DURATION", "make it periodic" },
	{ "use-limit",     FLAG_STRING, "N", "number of uses" },
	{ "display-name", FLAG_STRING, "NAME", "name in the audit log" },
	{ "orphan",         FLAG_BOOL, NULL, "outlive the token that creates it" },
	{ 0		 },
};
static const struct flag renew_flags[] = {
	{"increment", FLAG_STRING, "DURATION", "new time to live" },
	{ 0},
};
static const struct flag revoke_flags[] = {
	{"self", FLAG_BOOL, NULL, "revoke the token that is used for this call" },
	{ 0 },
};

static const struct command rows[] = {
	{"login",   NULL,     login,        0, 0, NULL,         "",
         "check a token and keep it in ~/.vault-token",	                                                      "The token is read from the terminal without echo, or from standard input."},
	{ "logout", NULL,     logout,       0, 0, NULL,         "",           "revoke the kept token and forget it",
         NULL																						   },
	{ "token",  "create", token_create, 0, 0, create_flags, "",           "make a token",                        NULL                                                                       },
	{ "token",  "lookup", token_lookup, 0, 1, NULL,         "[ACCESSOR]",
         "what a token may, and until when",									 NULL								       },
	{ "token",  "renew",  token_renew,  0, 1, renew_flags,  "[ACCESSOR]",
         "extend a token",											   NULL								       },
	{ "token",  "revoke", token_revoke, 0, 1, revoke_flags, "[ACCESSOR]",
         "end a token and all it created",									   NULL								       },
};

const struct command_set commands_token = { rows, ARRAY_LEN(rows) };
