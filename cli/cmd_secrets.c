/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_secrets - what is mounted where: secret engines and auth methods. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "out.h"

static json_t *mount_rows(const json_t *mounts)
{
	json_t *rows = json_array(), *v;
	const char *path;

	json_object_foreach((json_t *)mounts, path, v)
	{
		json_t *row = json_object();
		const json_t *version = json_object_get(json_object_get(v, "options"),
		                                        "version");

		json_object_set_new(row, "path", json_string(path));
		json_object_set(row, "type", json_object_get(v, "type"));
		if (version != NULL)
			json_object_set(row, "version", (json_t *)version);
		json_object_set(row, "accessor", json_object_get(v, "accessor"));
		json_object_set(row, "description", json_object_get(v, "description"));
		json_array_append_new(rows, row);
	}
	return rows;
}

static int list(struct cli *c, const char *path, struct err *e)
{
	static const struct column columns[] = {
		{"PATH",         "path"       },
		{ "TYPE",        "type"       },
		{ "VERSION",     "version"    },
		{ "ACCESSOR",    "accessor"   },
		{ "DESCRIPTION", "description"},
	};
	json_t *doc = NULL, *rows;
	int rc = cli_call(c, "GET", path, NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, json_object_get(doc, "data"));
	} else if (rc == ERR_OK) {
		rows = mount_rows(json_object_get(doc, "data"));
		out_table(rows, columns, ARRAY_LEN(columns));
		json_decref(rows);
	}
	json_decref(doc);
	return rc;
}

static int list_secrets(struct cli *c, struct err *e)
{
	return list(c, "sys/mounts", e);
}

static int list_auth(struct cli *c, struct err *e)
{
	return list(c, "sys/auth", e);
}

/* Flags that belong into "config" or "options" of a new mount. */
static void move_member(json_t *body, const char *name, const char *into)
{
	json_t *v = json_object_get(body, name), *object = json_object_get(body, into);

	if (v == NULL)
		return;
	if (object == NULL) {
		object = json_object();
		json_object_set_new(body, into, object);
	}
	json_object_set(object, name, v);
	json_object_del(body, name);
}

static int enable(struct cli *c, const char *kind, struct err *e)
{
	static const char *const config[] = { "default_lease_ttl", "max_lease_ttl",
		                              "listing_visibility", "token_type" };
	const char *path = cli_flag(c, "path");
	json_t *body = call_body(c, "{path}");
	char template[1200];
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(config); i++)
		move_member(body, config[i], "config");
	move_member(body, "version", "options");
	json_object_set_new(body, "type", json_string(c->arg[0]));
	snprintf(template, sizeof(template), "%s/%s", kind,
	         path != NULL ? "{path}" : "{1}");
	rc = call_run(c, "POST", template, body, PRINT_NONE, e);
	json_decref(body);
	if (rc == ERR_OK)
		say("Enabled %s at %s/.", c->arg[0], path != NULL ? path : c->arg[0]);
	return rc;
}

static int enable_secrets(struct cli *c, struct err *e)
{
	return enable(c, "sys/mounts", e);
}

static int enable_auth(struct cli *c, struct err *e)
{
	return enable(c, "sys/auth", e);
}

static int disable(struct cli *c, const char *template, const char *question,
                   struct err *e)
{
	int rc = cli_confirm(c, question, cli_flag(c, "yes") != NULL, e);

	return rc == ERR_OK ? call_run(c, "DELETE", template, NULL, PRINT_NONE, e) : rc;
}

static int disable_secrets(struct cli *c, struct err *e)
{
	return disable(c, "sys/mounts/{1}",
	               "Disable this engine and destroy its secrets?", e);
}

static int disable_auth(struct cli *c, struct err *e)
{
	return disable(c, "sys/auth/{1}",
	               "Disable this method and revoke all tokens that it gave?", e);
}

/* Without a flag: show. */
static int tune(struct cli *c, const char *template, struct err *e)
{
	json_t *body = call_body(c, template);
	bool change = json_object_size(body) > 0;
	int rc;

	move_member(body, "version", "options");
	rc = call_run(c, change ? "POST" : "GET", template, change ? body : NULL,
	              PRINT_DATA, e);
	json_decref(body);
	return rc;
}

static int tune_secrets(struct cli *c, struct err *e)
{
	return tune(c, "sys/mounts/{1}/tune", e);
}

static int tune_auth(struct cli *c, struct err *e)
{
	return tune(c, "sys/auth/{1}/tune", e);
}

static int move_mount(struct cli *c, struct err *e)
{
	json_t *body = json_pack("{s:s,s:s}", "from", c->arg[0], "to", c->arg[1]);
	int rc = call_run(c, "POST", "sys/remount", body, PRINT_NONE, e);

	json_decref(body);
	return rc;
}

static const struct flag enable_flags[] = {
	{"path",        FLAG_STRING, "PATH", "where (the type's name if absent)" },
	{ "description",       FLAG_STRING, "TEXT", "for people" },
	{ "version",            FLAG_STRING, "1|2", "of KV" },
	{ "default-lease-ttl",FLAG_STRING, "DURATION", "for leases and tokens" },
	{ "max-lease-ttl", FLAG_STRING, "DURATION", "that no renewal passes" },
	{ "listing-visibility",    FLAG_STRING, "unauth", "shown to those without a token" },
	{ "token-type",        FLAG_STRING, "TYPE", "of what logins give" },
	{ "local",            FLAG_BOOL, NULL, "kept for compatibility" },
	{ 0      },
};
static const struct flag tune_flags[] = {
	{"description",        FLAG_STRING, "TEXT", "for people" },
	{ "version",              FLAG_STRING, "2", "upgrade KV" },
	{ "default-lease-ttl",                   FLAG_STRING, "DURATION", "for leases and tokens" },
	{ "max-lease-ttl",FLAG_STRING, "DURATION", "that no renewal passes" },
	{ "listing-visibility",        FLAG_STRING, "unauth", "shown to those without a token" },
	{ "token-type", FLAG_STRING, "TYPE", "of what logins give" },
	{ 0         },
};
static const struct flag yes_flags[] = {
	{"yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0},
};

/* clang-format off */
static const struct command rows[] = {
	{ "secrets", "list",    list_secrets,    0, 0, NULL,         "",        "secret engines", NULL },
	{ "secrets", "enable",  enable_secrets,  1, 1, enable_flags, "TYPE",    "mount a secret engine", NULL },
	{ "secrets", "disable", disable_secrets, 1, 1, yes_flags,    "PATH",
	  "unmount a secret engine and destroy what it holds", NULL },
	{ "secrets", "tune",    tune_secrets,    1, 1, tune_flags,   "PATH",
	  "show or change the settings of a secret engine", NULL },
	{ "secrets", "move",    move_mount,      2, 2, NULL,         "FROM TO", "move a secret engine", NULL },
	{ "auth",    "list",    list_auth,       0, 0, NULL,         "",        "auth methods", NULL },
	{ "auth",    "enable",  enable_auth,     1, 1, enable_flags, "TYPE",    "mount an auth method", NULL },
	{ "auth",    "disable", disable_auth,    1, 1, yes_flags,    "PATH",
	  "unmount an auth method and revoke its tokens", NULL },
	{ "auth",    "tune",    tune_auth,       1, 1, tune_flags,   "PATH",
	  "show or change the settings of an auth method", NULL },
};
/* clang-format on */

const struct command_set commands_secrets = { rows, ARRAY_LEN(rows) };
