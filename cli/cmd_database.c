/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_database - the database secrets engine: connections, accounts for a while, and
 * accounts that are there. */
#include <string.h>

#include "call.h"
#include "fields.h"
#include "out.h"
#include "vault/limits.h"

#define PATH_CAP 4096
#define CALL_MS  120000L /* a database is asked meanwhile */

/* clang-format off */
static const struct call_row calls[] = {
	{ "configs",       "LIST",   "{mount=database}/config",              PRINT_KEYS, false, NULL },
	{ "config",        "GET",    "{mount=database}/config/{1}",          PRINT_DATA, false, NULL },
	{ "config-delete", "DELETE", "{mount=database}/config/{1}",          PRINT_NONE, false,
	  "Forget this connection?  Roles that name it stop working." },
	{ "reset",         "POST",   "{mount=database}/reset/{1}",           PRINT_NONE, false, NULL },
	{ "roles",         "LIST",   "{mount=database}/roles",               PRINT_KEYS, false, NULL },
	{ "role",          "GET",    "{mount=database}/roles/{1}",           PRINT_DATA, false, NULL },
	{ "role-write",    "POST",   "{mount=database}/roles/{1}",           PRINT_NONE, true,  NULL },
	{ "role-delete",   "DELETE", "{mount=database}/roles/{1}",           PRINT_NONE, false,
	  "Forget this role?" },
	{ "static-roles",  "LIST",   "{mount=database}/static-roles",        PRINT_KEYS, false, NULL },
	{ "static-role",   "GET",    "{mount=database}/static-roles/{1}",    PRINT_DATA, false, NULL },
	{ "static-role-delete", "DELETE", "{mount=database}/static-roles/{1}", PRINT_NONE, false,
	  "Forget this static role?  The account keeps the password it has." },
};
/* clang-format on */

static int simple(struct cli *c, struct err *e)
{
	return call_table(c, calls, ARRAY_LEN(calls), e);
}

/* A request that waits for a database. */
static int ask(struct cli *c, const char *template, json_t *body, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	int rc = call_path(c, template, path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call_timeout(c, "POST", path, body, CALL_MS, &doc, e);
	if (rc == ERR_OK)
		call_show(c, doc, PRINT_NONE);
	json_decref(doc);
	return rc;
}

/* The password comes from a file, standard input or the terminal, never from argv. */
static int config_write(struct cli *c, struct err *e)
{
	static const char template[] = "{mount=database}/config/{1}";
	json_t *body = call_body(c, "{mount}{password}{no-verify}");
	const char *file = cli_flag(c, "password");
	int rc = ERR_OK;

	if (cli_flag(c, "no-verify") != NULL)
		json_object_set_new(body, "verify_connection", json_false());
	if (file != NULL || cli_flag(c, "username") != NULL)
		rc = fields_member(body, "password", file, e);
	for (int i = 1; i < c->args && rc == ERR_OK; i++)
		rc = fields_setting(body, c->arg[i], e);
	if (rc == ERR_OK)
		rc = ask(c, template, body, e);
	json_decref(body);
	return rc;
}

static int static_write(struct cli *c, struct err *e)
{
	json_t *body = call_body(c, "{mount}");
	int rc = ask(c, "{mount=database}/static-roles/{1}", body, e);

	json_decref(body);
	return rc;
}

static int rotate(struct cli *c, struct err *e)
{
	return ask(c, "{mount=database}/rotate-role/{1}", NULL, e);
}

static int rotate_root(struct cli *c, struct err *e)
{
	int rc = cli_confirm(c,
	                     "Change the administrator's password to one that nobody is "
	                     "shown?",
	                     cli_flag(c, "yes") != NULL, e);

	return rc == ERR_OK ? ask(c, "{mount=database}/rotate-root/{1}", NULL, e) : rc;
}

/* A credential.  One that was just made is shown: it is shown once. */
static int show_creds(struct cli *c, const char *template, bool hide, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL, *data;
	int rc = call_path(c, template, path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_ask(c, "GET", path, NULL, &doc, e);
	data = json_object_get(doc, "data");
	if (rc == ERR_OK && c->format != CLI_JSON && json_is_object(data) && hide &&
	    out_masked(c)) {
		json_object_set_new(data, "password", json_string("(hidden)"));
		say("The password is hidden on a terminal: add --reveal.");
	}
	if (rc == ERR_OK)
		call_show(c, doc, PRINT_DATA);
	json_decref(doc);
	return rc;
}

static int creds(struct cli *c, struct err *e)
{
	return show_creds(c, "{mount=database}/creds/{1}", false, e);
}

static int static_creds(struct cli *c, struct err *e)
{
	return show_creds(c, "{mount=database}/static-creds/{1}", true, e);
}

/* clang-format off */
#define MOUNT { "mount", FLAG_STRING, "PATH", "where the engine is (database)" }

static const struct flag mount_flags[] = { MOUNT, { 0 } };
static const struct flag yes_flags[] = { MOUNT, { "yes", FLAG_BOOL, NULL, "do not ask" }, { 0 } };
static const struct flag creds_flags[] = { MOUNT, { 0 } };
static const struct flag config_flags[] = {
	MOUNT,
	{ "plugin-name",     FLAG_STRING, "NAME", "postgresql-database-plugin, mysql-…, redis-…" },
	{ "connection-url",  FLAG_STRING, "URL", "where it is, with {{username}} and {{password}} in it" },
	{ "allowed-roles",   FLAG_STRING, "GLOB,…", "roles that may use it" },
	{ "username",        FLAG_STRING, "NAME", "its administrator; the password is asked for" },
	{ "password",        FLAG_STRING, "FILE|-", "the password from there" },
	{ "password-policy", FLAG_STRING, "NAME", "password policy of what is generated" },
	{ "root-rotation-statements", FLAG_STRING, "TEXT", "how the administrator's password is changed" },
	{ "no-verify",       FLAG_BOOL,   NULL, "do not log in first" },
	{ 0 },
};
static const struct flag role_flags[] = {
	MOUNT,
	{ "db-name",               FLAG_STRING, "NAME", "name of the connection" },
	{ "creation-statements",   FLAG_STRING, "TEXT", "how an account is made" },
	{ "revocation-statements", FLAG_STRING, "TEXT", "how it is removed" },
	{ "renew-statements",      FLAG_STRING, "TEXT", "how it lives on" },
	{ "default-ttl",           FLAG_STRING, "DURATION", "lifetime of an account" },
	{ "max-ttl",               FLAG_STRING, "DURATION", "with all renewals" },
	{ 0 },
};
static const struct flag static_flags[] = {
	MOUNT,
	{ "db-name",             FLAG_STRING, "NAME", "name of the connection" },
	{ "username",            FLAG_STRING, "NAME", "the account, which is there already" },
	{ "rotation-period",     FLAG_STRING, "DURATION", "how often its password is changed" },
	{ "rotation-schedule",   FLAG_STRING, "CRON", "or when: five fields, UTC" },
	{ "rotation-window",     FLAG_STRING, "DURATION", "how long after that time it may begin" },
	{ "rotation-statements", FLAG_STRING, "TEXT", "how its password is changed" },
	{ 0 },
};
static const char config_details[] =
	"KEY=VALUE are further settings of the connection.  The password is never taken from\n"
	"the command line.\n"
	"\n"
	"  vaultctl database config-write pg --plugin-name postgresql-database-plugin \\\n"
	"      --connection-url 'postgresql://{{username}}:{{password}}@db.example:5432/app' \\\n"
	"      --allowed-roles '*' --username vault --password /run/secrets/pg-admin";

static const struct command rows[] = {
	{ "database", "configs",       simple,       0, 0,  mount_flags,  "",     "connections to databases", NULL },
	{ "database", "config",        simple,       1, 1,  mount_flags,  "NAME", "one of them", NULL },
	{ "database", "config-write",  config_write, 1, -1, config_flags, "NAME [KEY=VALUE …]",
	  "connect to a database", config_details },
	{ "database", "config-delete", simple,       1, 1,  yes_flags,    "NAME", "forget a connection", NULL },
	{ "database", "reset",         simple,       1, 1,  mount_flags,  "NAME", "connect anew", NULL },
	{ "database", "rotate-root",   rotate_root,  1, 1,  yes_flags,    "NAME",
	  "change the administrator's password to one that nobody is shown", NULL },
	{ "database", "roles",         simple,       0, 0,  mount_flags,  "",     "roles that make accounts", NULL },
	{ "database", "role",          simple,       1, 1,  mount_flags,  "NAME", "one of them", NULL },
	{ "database", "role-write",    simple,       1, 1,  role_flags,   "NAME", "say how accounts are made", NULL },
	{ "database", "role-delete",   simple,       1, 1,  yes_flags,    "NAME", "forget a role", NULL },
	{ "database", "creds",         creds,        1, 1,  creds_flags,  "ROLE",
	  "make an account, for as long as its lease lives", NULL },
	{ "database", "static-roles",  simple,       0, 0,  mount_flags,  "",     "roles for accounts that are there", NULL },
	{ "database", "static-role",   simple,       1, 1,  mount_flags,  "NAME", "one of them", NULL },
	{ "database", "static-role-write",  static_write, 1, 1, static_flags, "NAME",
	  "take an account over: its password is changed at once", NULL },
	{ "database", "static-role-delete", simple,  1, 1,  yes_flags,    "NAME", "give an account back", NULL },
	{ "database", "static-creds",  static_creds, 1, 1,  creds_flags,  "ROLE", "credential of a static role", NULL },
	{ "database", "rotate",        rotate,       1, 1,  mount_flags,  "ROLE", "change the password of a static role now", NULL },
};
/* clang-format on */

const struct command_set commands_database = { rows, ARRAY_LEN(rows) };
