/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_target - systems whose credentials are rotated.  The credential of their
 * administrator comes from a file, standard input or the terminal, never from argv. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "fields.h"
#include "out.h"
#include "vault/limits.h"

#define PATH_CAP 4096
#define CALL_MS  (LIMIT_STEP_MS + 20000L) /* its rotator is asked twice meanwhile */

/* {username, password}: the password by the file, or asked for. */
static int user_and_password(struct cli *c, const char *user, json_t *admin,
                             struct err *e)
{
	const char *file = cli_flag(c, "admin-password");

	json_object_set_new(admin, "username", json_string(user));
	return fields_member(admin, "password", file, e);
}

static int take_admin(struct cli *c, json_t *body, struct err *e)
{
	const char *user = cli_flag(c, "admin-user"), *file = cli_flag(c, "admin");
	json_t *admin;
	int rc;

	if (user == NULL && cli_flag(c, "admin-password") != NULL)
		return err_set(e, ERR_USAGE, "--admin-password needs --admin-user");
	if (user == NULL && file == NULL)
		return ERR_OK;
	if (user != NULL && file != NULL)
		return err_set(e, ERR_USAGE, "--admin or --admin-user, not both");
	admin = json_object();
	rc = file != NULL ? fields_document(file, &admin, e)
	                  : user_and_password(c, user, admin, e);
	if (rc == ERR_OK)
		json_object_set(body, "admin", admin);
	json_decref(admin);
	return rc;
}

/* --config FILE, then KEY=VALUE over it. */
static int take_config(struct cli *c, json_t *body, struct err *e)
{
	const char *file = cli_flag(c, "config");
	json_t *config = json_object();
	int rc = ERR_OK;

	if (file != NULL)
		rc = fields_document(file, &config, e);
	for (int i = 1; i < c->args && rc == ERR_OK; i++)
		rc = fields_setting(config, c->arg[i], e);
	if (rc == ERR_OK && (file != NULL || c->args > 1))
		json_object_set(body, "config", config);
	json_decref(config);
	return rc;
}

static int ask(struct cli *c, const char *template, json_t *body, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	int rc = call_path(c, template, path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call_timeout(c, "POST", path, body, CALL_MS, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON && doc != NULL)
		out_json(c, doc);
	json_decref(doc);
	return rc;
}

static int set(struct cli *c, struct err *e)
{
	json_t *body = call_body(c, "{admin}{admin-user}{admin-password}{config}"
	                            "{no-verify}");
	int rc;

	if (cli_flag(c, "no-verify") != NULL)
		json_object_set_new(body, "verify", json_false());
	if ((rc = take_admin(c, body, e)) == ERR_OK &&
	    (rc = take_config(c, body, e)) == ERR_OK && json_object_size(body) == 0)
		rc = err_set(e, ERR_USAGE,
		             "nothing to set: see 'vaultctl help target set'");
	if (rc == ERR_OK)
		rc = ask(c, "sys/rotation/targets/{1}", body, e);
	json_decref(body);
	return rc;
}

static int check(struct cli *c, struct err *e)
{
	int rc = ask(c, "sys/rotation/targets/{1}/check", NULL, e);

	if (rc == ERR_OK && c->format == CLI_TABLE)
		puts("The target answers, and its administrator can log in.");
	return rc;
}

static int simple(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct call_row calls[] = {
		{ "show",   "GET",    "sys/rotation/targets/{1}", PRINT_DATA, false, NULL },
		{ "delete", "DELETE", "sys/rotation/targets/{1}", PRINT_NONE, false, "Forget this target?" },
	};
	/* clang-format on */

	return call_table(c, calls, ARRAY_LEN(calls), e);
}

static int list(struct cli *c, struct err *e)
{
	static const struct column columns[] = {
		{"NAME",     "name"   },
                { "ROTATOR", "rotator"}
	};
	json_t *doc = NULL, *rows;
	int rc = cli_call(c, "LIST", "sys/rotation/targets", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		rows = out_rows(doc, "name");
		out_table(rows, columns, ARRAY_LEN(columns));
		json_decref(rows);
	}
	json_decref(doc);
	return rc;
}

/* clang-format off */
static const struct flag set_flags[] = {
	{ "rotator",          FLAG_STRING, "NAME", "program that reaches it: see 'vaultctl rotator list'" },
	{ "config",           FLAG_STRING, "FILE|-", "JSON object: where it is" },
	{ "admin-user",       FLAG_STRING, "NAME", "its administrator; the password is asked for" },
	{ "admin-password",   FLAG_STRING, "FILE|-", "the password from there" },
	{ "admin",            FLAG_STRING, "FILE|-", "or the whole credential, a JSON object of texts" },
	{ "admin-path",       FLAG_STRING, "PATH", "or the secret that holds it; '' is none" },
	{ "timeout",          FLAG_STRING, "DURATION", "of one call (20s)" },
	{ "at-once",          FLAG_STRING, "N", "rotations that may run at the same time (1)" },
	{ "allowed-paths",    FLAG_STRING, "GLOB,…", "secrets that may name it (all)" },
	{ "allowed-accounts", FLAG_STRING, "GLOB,…", "accounts that may be rotated (all)" },
	{ "no-verify",        FLAG_BOOL,   NULL, "do not log in as its administrator first" },
	{ 0 },
};
static const struct flag yes_flags[] = {
	{ "yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0 },
};
static const char set_details[] =
	"What is not named stays as it is; --config and KEY=VALUE together are the whole of the\n"
	"configuration.  Passwords are never taken from the command line.\n"
	"\n"
	"  vaultctl target set pg --rotator postgres host=db.example port=5432 database=app \\\n"
	"      sslmode=verify-full --admin-user vault --admin-password /run/secrets/pg-admin";

static const struct command rows[] = {
	{ "target", "set",    set,    1, -1, set_flags, "NAME [KEY=VALUE …]",
	  "a system whose credentials are rotated", set_details },
	{ "target", "show",   simple, 1, 1,  NULL,      "NAME", "where it is, and what its rotator can do", NULL },
	{ "target", "list",   list,   0, 0,  NULL,      "",     "systems whose credentials are rotated", NULL },
	{ "target", "check",  check,  1, 1,  NULL,      "NAME", "log in as its administrator", NULL },
	{ "target", "delete", simple, 1, 1,  yes_flags, "NAME", "forget it", NULL },
};
/* clang-format on */

const struct command_set commands_target = { rows, ARRAY_LEN(rows) };
