/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_login - getting a token by any method, and keeping it in ~/.vault-token. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "file.h"
#include "out.h"

static int token_path(char out[PATH_MAX], struct err *e)
{
	const char *home = getenv("HOME");

	if (home == NULL || snprintf(out, PATH_MAX, "%s/.vault-token", home) >= PATH_MAX)
		return err_set(e, ERR_IO,
		               "HOME is not set: the token has no place to be kept");
	return ERR_OK;
}

/* The token itself is not shown, in whatever format. */
static int keep(struct cli *c, const char *token, json_t *doc, const char *part,
                const char *hide, struct err *e)
{
	char path[PATH_MAX];
	int rc = token_path(path, e);

	if (rc != ERR_OK ||
	    (rc = file_write_path(path, token, strlen(token), 0600, e)) != ERR_OK)
		return rc;
	json_object_del(json_object_get(doc, part), hide);
	if (c->format == CLI_JSON)
		out_json(c, doc);
	else
		out_pairs(json_object_get(doc, part), NULL);
	say("The token is kept in ~/.vault-token.");
	return ERR_OK;
}

static int by_token(struct cli *c, struct err *e)
{
	json_t *doc = NULL;
	char *token = NULL;
	int rc = cli_prompt("Token", &token, e);

	if (rc != ERR_OK)
		return rc;
	cli_wipe(c->token);
	c->token = token;
	if ((rc = cli_call(c, "GET", "auth/token/lookup-self", NULL, &doc, e)) == ERR_OK)
		rc = keep(c, token, doc, "data", "id", e);
	json_decref(doc);
	return rc;
}

/* The reply of a login: its token is kept. */
static int log_in(struct cli *c, const char *template, json_t *body, struct err *e)
{
	char path[4096];
	const char *token;
	json_t *doc = NULL;
	int rc = call_path(c, template, path, sizeof(path), e);

	cli_wipe(c->token); /* a login needs none */
	c->token = NULL;
	if (rc == ERR_OK && (rc = cli_ask(c, "POST", path, body, &doc, e)) == ERR_OK) {
		token = json_string_value(
			json_object_get(json_object_get(doc, "auth"), "client_token"));
		if (c->wrap_ttl != NULL)
			call_show(c, doc, PRINT_DATA);
		else if (token == NULL)
			rc = err_set(e, ERR_INTERNAL, "the server sent no token");
		else if ((c->token = strdup(token)) == NULL)
			rc = err_set(e, ERR_NOMEM, "out of memory");
		else
			rc = keep(c, c->token, doc, "auth", "client_token", e);
	}
	json_decref(doc);
	json_decref(body);
	return rc;
}

static int need(struct cli *c, const char *flag, const char *method, struct err *e)
{
	return cli_flag(c, flag) != NULL
	               ? ERR_OK
	               : err_set(e, ERR_USAGE, "--method %s needs --%s", method, flag);
}

static int by_userpass(struct cli *c, struct err *e)
{
	char *password = NULL;
	json_t *body;
	int rc = need(c, "user", "userpass", e);

	if (rc != ERR_OK || (rc = cli_prompt("Password", &password, e)) != ERR_OK)
		return rc;
	body = json_pack("{s:s}", "password", password);
	cli_wipe(password);
	if (body == NULL)
		return err_set(e, ERR_INVALID, "the password is not UTF-8 text");
	return log_in(c, "auth/{mount=userpass}/login/{user}", body, e);
}

static int by_approle(struct cli *c, struct err *e)
{
	char *secret = NULL;
	json_t *body;
	int rc = need(c, "role-id", "approle", e);

	if (rc != ERR_OK || (rc = cli_prompt("Secret id", &secret, e)) != ERR_OK)
		return rc;
	body = json_pack("{s:s,s:s}", "role_id", cli_flag(c, "role-id"), "secret_id",
	                 secret);
	cli_wipe(secret);
	if (body == NULL)
		return err_set(e, ERR_INVALID, "the secret id is not UTF-8 text");
	return log_in(c, "auth/{mount=approle}/login", body, e);
}

static int by_cert(struct cli *c, struct err *e)
{
	const char *role = cli_flag(c, "role");

	if (c->client_cert == NULL)
		return err_set(e, ERR_USAGE,
		               "--method cert needs --client-cert and --client-key");
	return log_in(c, "auth/{mount=cert}/login",
	              role != NULL ? json_pack("{s:s}", "name", role) : json_object(), e);
}

static int login(struct cli *c, struct err *e)
{
	static const struct {
		const char *name;
		int (*fn)(struct cli *c, struct err *e);
	} methods[] = {
		{"token",     by_token   },
		{ "userpass", by_userpass},
		{ "approle",  by_approle },
		{ "cert",     by_cert    },
	};
	const char *method = cli_flag(c, "method");

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, method != NULL ? method : "token") == 0)
			return methods[i].fn(c, e);
	return err_set(e, ERR_USAGE,
	               "--method: '%.40s' is none of token, userpass, approle, cert",
	               method);
}

static int logout(struct cli *c, struct err *e)
{
	char path[PATH_MAX];
	int rc = call_run(c, "POST", "auth/token/revoke-self", NULL, PRINT_NONE, e);

	if (rc == ERR_OK && (rc = token_path(path, e)) == ERR_OK && unlink(path) != 0 &&
	    errno != ENOENT)
		rc = err_sys(e, ERR_IO, errno, "%.120s", path);
	return rc;
}

/* clang-format off */
static const struct flag login_flags[] = {
	{ "method",  FLAG_STRING, "METHOD", "token (the default), userpass, approle or cert" },
	{ "mount",   FLAG_STRING, "PATH",   "where the method is (its name if absent)" },
	{ "user",    FLAG_STRING, "NAME",   "of userpass" },
	{ "role-id", FLAG_STRING, "ID",     "of approle" },
	{ "role",    FLAG_STRING, "NAME",   "of cert: this role alone" },
	{ 0 },
};
static const struct command rows[] = {
	{ "login",  NULL, login,  0, 0, login_flags, "", "get a token and keep it in ~/.vault-token",
	  "Token, password or secret id are read from the terminal without echo, or from standard\n"
	  "input." },
	{ "logout", NULL, logout, 0, 0, NULL,        "", "revoke the kept token and forget it", NULL },
};
/* clang-format on */

const struct command_set commands_login = { rows, ARRAY_LEN(rows) };
