/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "numbers.h"
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

static int token_create(struct cli *c, struct err *e)
{
	static const char template[] = "auth/token/create";
	json_t *body = call_body(c, template), *v;
	int rc;

	/* The names that people type, and those of the API. */
	if ((v = json_object_get(body, "policy")) != NULL) {
		json_object_set(body, "policies", v);
		json_object_del(body, "policy");
	}
	if ((v = json_object_get(body, "use_limit")) != NULL) {
		json_object_set(body, "num_uses", v);
		json_object_del(body, "use_limit");
	}
	json_object_del(body, "orphan");
	json_object_del(body, "role");
	if (cli_flag(c, "not-renewable") != NULL) {
		json_object_del(body, "not_renewable");
		json_object_set_new(body, "renewable", json_false());
	}
	if ((v = json_object_get(body, "meta")) != NULL)
		json_object_set_new(body, "meta",
		                    numbers_load(json_string_value(v),
		                                 json_string_length(v), 0, NULL));
	if (cli_flag(c, "role") != NULL && cli_flag(c, "orphan") != NULL)
		rc = err_set(e, ERR_USAGE, "--role and --orphan exclude each other");
	else
		rc = call_run(c, "POST",
		              cli_flag(c, "role") != NULL     ? "auth/token/create/{role}"
		              : cli_flag(c, "orphan") != NULL ? "auth/token/create-orphan"
		                                              : template,
		              body, PRINT_DATA, e);
	json_decref(body);
	return rc;
}

static const struct call_row role_calls[] = {
	{"list",    "LIST",   "auth/token/roles",     PRINT_KEYS, false, NULL},
	{ "read",   "GET",    "auth/token/roles/{1}", PRINT_DATA, false, NULL},
	{ "write",  "POST",   "auth/token/roles/{1}", PRINT_NONE, true,  NULL},
	{ "delete", "DELETE", "auth/token/roles/{1}", PRINT_NONE, false,
         "Delete this role?"						 },
};

static int role_call(struct cli *c, struct err *e)
{
	return call_table(c, role_calls, ARRAY_LEN(role_calls), e);
}

static int token_list(struct cli *c, struct err *e)
{
	return call_run(c, "LIST", "auth/token/accessors", NULL, PRINT_KEYS, e);
}

/* What the own token, or that of an accessor, may do on a path. */
static int token_capabilities(struct cli *c, struct err *e)
{
	const char *accessor = cli_flag(c, "accessor");
	json_t *body = json_object(), *doc = NULL;
	int rc;

	json_object_set_new(body, "paths", json_array());
	for (int i = 0; i < c->args; i++)
		json_array_append_new(json_object_get(body, "paths"),
		                      json_string(c->arg[i]));
	if (accessor != NULL)
		json_object_set_new(body, "accessor", json_string(accessor));
	rc = cli_call(c, "POST",
	              accessor != NULL ? "sys/capabilities-accessor"
	                               : "sys/capabilities-self",
	              body, &doc, e);
	json_object_del(json_object_get(doc, "data"), "capabilities");
	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, json_object_get(doc, "data"));
	} else if (rc == ERR_OK) {
		out_pairs(json_object_get(doc, "data"), NULL);
	}
	json_decref(body);
	json_decref(doc);
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

/* clang-format off */
static const struct flag create_flags[] = {
	{ "policy",            FLAG_STRING, "A,B",      "policies of the token (the caller's own if absent)" },
	{ "ttl",               FLAG_STRING, "DURATION", "time to live" },
	{ "explicit-max-ttl",  FLAG_STRING, "DURATION", "end that no renewal passes" },
	{ "period",            FLAG_STRING, "DURATION", "make it periodic" },
	{ "use-limit",         FLAG_STRING, "N",        "number of uses" },
	{ "display-name",      FLAG_STRING, "NAME",     "name in the audit log" },
	{ "type",              FLAG_STRING, "TYPE",     "service (the default) or batch" },
	{ "meta",              FLAG_STRING, "JSON",     "object of strings, kept with the token" },
	{ "role",              FLAG_STRING, "NAME",     "by the rules of a token role" },
	{ "no-default-policy", FLAG_BOOL,   NULL,       "leave the default policy out" },
	{ "not-renewable",     FLAG_BOOL,   NULL,       "it ends when its time is over" },
	{ "orphan",            FLAG_BOOL,   NULL,       "outlive the token that creates it" },
	{ 0 },
};
static const struct flag role_flags[] = {
	{ "allowed-policies",         FLAG_STRING, "A,B",      "what tokens of the role may have" },
	{ "disallowed-policies",      FLAG_STRING, "A,B",      "what they may not have" },
	{ "allowed-policies-glob",    FLAG_STRING, "A,B",      "the same by glob" },
	{ "disallowed-policies-glob", FLAG_STRING, "A,B",      "the same by glob" },
	{ "orphan",                   FLAG_BOOL,   NULL,       "tokens outlive who makes them" },
	{ "renewable",                FLAG_STRING, "BOOL",     "may tokens be renewed (true)" },
	{ "path-suffix",              FLAG_STRING, "TEXT",     "end of the tokens' path" },
	{ "token-period",             FLAG_STRING, "DURATION", "periodic tokens" },
	{ "token-explicit-max-ttl",   FLAG_STRING, "DURATION", "end that no renewal passes" },
	{ "token-num-uses",           FLAG_STRING, "N",        "uses of a token" },
	{ "token-bound-cidrs",        FLAG_STRING, "A,B",      "where a token may be used" },
	{ "token-type",               FLAG_STRING, "TYPE",     "service or batch" },
	{ "token-no-default-policy",  FLAG_BOOL,   NULL,       "leave the default policy out" },
	{ 0 },
};
static const struct flag yes_flags[] = { { "yes", FLAG_BOOL, NULL, "do not ask" }, { 0 } };
static const struct flag capability_flags[] = {
	{ "accessor", FLAG_STRING, "ACCESSOR", "of this token instead of the own one" },
	{ 0 },
};
/* clang-format on */
static const struct flag renew_flags[] = {
	{"increment", FLAG_STRING, "DURATION", "new time to live" },
	{ 0},
};
static const struct flag revoke_flags[] = {
	{"self", FLAG_BOOL, NULL, "revoke the token that is used for this call" },
	{ 0 },
};

/* clang-format off */
static const struct command rows[] = {
	{ "token",      "create",       token_create,       0, 0,  create_flags,     "",           "make a token", NULL },
	{ "token",      "lookup",       token_lookup,       0, 1,  NULL,             "[ACCESSOR]",
	  "what a token may, and until when", NULL },
	{ "token",      "renew",        token_renew,        0, 1,  renew_flags,      "[ACCESSOR]", "extend a token", NULL },
	{ "token",      "revoke",       token_revoke,       0, 1,  revoke_flags,     "[ACCESSOR]",
	  "end a token and all it created", NULL },
	{ "token",      "list",         token_list,         0, 0,  NULL,             "",           "accessors of all tokens", NULL },
	{ "token",      "capabilities", token_capabilities, 1, -1, capability_flags, "PATH …",
	  "what a token may do on a path", NULL },
	{ "token-role", "list",         role_call,          0, 0,  NULL,             "",           "token roles", NULL },
	{ "token-role", "read",         role_call,          1, 1,  NULL,             "NAME",       "rules of a token role", NULL },
	{ "token-role", "write",        role_call,          1, 1,  role_flags,       "NAME",
	  "create or change a token role", NULL },
	{ "token-role", "delete",       role_call,          1, 1,  yes_flags,        "NAME",       "remove a token role", NULL },
};
/* clang-format on */

const struct command_set commands_token = { rows, ARRAY_LEN(rows) };
