/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_user - who may log in how: users with passwords, AppRoles, certificates and those
 * that are revoked. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "out.h"
#include "text.h"

/* clang-format off */
#define MOUNT_FLAG(method) \
	{ "mount", FLAG_STRING, "PATH", "where the method is (" method ")" }
#define TOKEN_FLAGS \
	{ "token-policies",          FLAG_STRING, "A,B",      "policies of the tokens" }, \
	{ "token-ttl",               FLAG_STRING, "DURATION", "time to live of a token" }, \
	{ "token-max-ttl",           FLAG_STRING, "DURATION", "end that no renewal passes" }, \
	{ "token-explicit-max-ttl",  FLAG_STRING, "DURATION", "the same, fixed at login" }, \
	{ "token-period",            FLAG_STRING, "DURATION", "periodic tokens" }, \
	{ "token-num-uses",          FLAG_STRING, "N",        "uses of a token (0: any number)" }, \
	{ "token-bound-cidrs",       FLAG_STRING, "A,B",      "where a token may be used" }, \
	{ "token-type",              FLAG_STRING, "TYPE",     "service or batch" }, \
	{ "token-no-default-policy", FLAG_BOOL,   NULL,       "leave the default policy out" }
/* clang-format on */

static const struct call_row user_calls[] = {
	{"list",    "LIST",   "auth/{mount=userpass}/users",     PRINT_KEYS, false, NULL},
	{ "read",   "GET",    "auth/{mount=userpass}/users/{1}", PRINT_DATA, false, NULL},
	{ "delete", "DELETE", "auth/{mount=userpass}/users/{1}", PRINT_NONE, false,
         "Delete this user?"							    },
};
static const struct call_row approle_calls[] = {
	{"list",        "LIST",   "auth/{mount=approle}/role",               PRINT_KEYS, false, NULL},
	{ "read",       "GET",    "auth/{mount=approle}/role/{1}",           PRINT_DATA, false, NULL},
	{ "write",      "POST",   "auth/{mount=approle}/role/{1}",           PRINT_NONE, true,  NULL},
	{ "delete",     "DELETE", "auth/{mount=approle}/role/{1}",           PRINT_NONE, false,
         "Delete this role and all its secret ids?"                                                 },
	{ "role-id",    "GET",    "auth/{mount=approle}/role/{1}/role-id",   PRINT_DATA, false,
         NULL										       },
	{ "secret-id",  "POST",   "auth/{mount=approle}/role/{1}/secret-id", PRINT_DATA,
         true,										  NULL},
	{ "secret-ids", "LIST",   "auth/{mount=approle}/role/{1}/secret-id", PRINT_KEYS,
         false,										 NULL},
};
static const struct call_row cert_calls[] = {
	{"list",    "LIST",   "auth/{mount=cert}/certs",     PRINT_KEYS, false, NULL},
	{ "read",   "GET",    "auth/{mount=cert}/certs/{1}", PRINT_DATA, false, NULL},
	{ "delete", "DELETE", "auth/{mount=cert}/certs/{1}", PRINT_NONE, false,
         "Delete this certificate role?"					    },
};

static const struct call_row crl_calls[] = {
	{"list",    "LIST",   "auth/{mount=cert}/crls",     PRINT_KEYS, false, NULL},
	{ "read",   "GET",    "auth/{mount=cert}/crls/{1}", PRINT_DATA, false, NULL},
	{ "delete", "DELETE", "auth/{mount=cert}/crls/{1}", PRINT_NONE, false,
         "Let in again whom this revocation list names?"                           },
};

static int user_call(struct cli *c, struct err *e)
{
	return call_table(c, user_calls, ARRAY_LEN(user_calls), e);
}

static int approle_call(struct cli *c, struct err *e)
{
	return call_table(c, approle_calls, ARRAY_LEN(approle_calls), e);
}

static int cert_call(struct cli *c, struct err *e)
{
	return call_table(c, cert_calls, ARRAY_LEN(cert_calls), e);
}

static int crl_call(struct cli *c, struct err *e)
{
	return call_table(c, crl_calls, ARRAY_LEN(crl_calls), e);
}

/* Adds "password", asked for, to ${body}, and sends it. */
static int send_password(struct cli *c, const char *template, json_t *body, bool ask,
                         struct err *e)
{
	char *password = NULL;
	int rc = ask ? cli_prompt("Password", &password, e) : ERR_OK;

	if (rc == ERR_OK && ask &&
	    json_object_set_new(body, "password", json_string(password)) != 0)
		rc = err_set(e, ERR_INVALID, "the password is not UTF-8 text");
	cli_wipe(password);
	if (rc == ERR_OK)
		rc = call_run(c, "POST", template, body, PRINT_NONE, e);
	json_decref(body);
	return rc;
}

static int user_write(struct cli *c, struct err *e)
{
	static const char template[] = "auth/{mount=userpass}/users/{1}";
	json_t *body = call_body(c, template);

	json_object_del(body, "keep_password");
	return send_password(c, template, body, cli_flag(c, "keep-password") == NULL, e);
}

static int user_password(struct cli *c, struct err *e)
{
	return send_password(c, "auth/{mount=userpass}/users/{1}/password", json_object(),
	                     true, e);
}

/* The accessor of a method, as sys/auth shows it. */
static int find_accessor(struct cli *c, const char *mount, char out[64], struct err *e)
{
	char key[300];
	const char *accessor;
	json_t *doc = NULL;
	int rc = cli_call(c, "GET", "sys/auth", NULL, &doc, e);

	if (rc == ERR_OK) {
		snprintf(key, sizeof(key), "%.290s/", mount);
		accessor = json_string_value(json_object_get(
			json_object_get(json_object_get(doc, "data"), key), "accessor"));
		if (accessor == NULL)
			rc = err_set(e, ERR_NOENT, "no auth method at %.200s/", mount);
		else
			snprintf(out, 64, "%s", accessor);
	}
	json_decref(doc);
	return rc;
}

static int user_unlock(struct cli *c, struct err *e)
{
	const char *mount = cli_flag(c, "mount");
	char accessor[64], template[128];
	int rc = find_accessor(c, mount != NULL ? mount : "userpass", accessor, e);

	if (rc != ERR_OK)
		return rc;
	snprintf(template, sizeof(template), "sys/locked-users/%s/unlock/{1}", accessor);
	return call_run(c, "POST", template, NULL, PRINT_NONE, e);
}

static int user_locked(struct cli *c, struct err *e)
{
	json_t *doc = NULL, *space, *method, *name;
	size_t i, k, n;
	int rc = cli_call(c, "GET", "sys/locked-users", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, json_object_get(doc, "data"));
	} else if (rc == ERR_OK) {
		json_array_foreach(
			json_object_get(json_object_get(doc, "data"), "by_namespace"), i,
			space) json_array_foreach(json_object_get(space,
		                                                  "mount_accessors"),
		                                  k, method)
			json_array_foreach(json_object_get(method, "alias_identifiers"),
		                           n, name) out_text(json_string_value(name));
	}
	json_decref(doc);
	return rc;
}

/* An accessor ends a secret id without anybody knowing the secret id. */
static int approle_revoke(struct cli *c, struct err *e)
{
	json_t *body = json_pack("{s:s}", "secret_id_accessor", c->arg[1]);
	int rc = call_run(c, "POST",
	                  "auth/{mount=approle}/role/{1}/secret-id-accessor/destroy",
	                  body, PRINT_NONE, e);

	json_decref(body);
	return rc;
}

static int cert_write(struct cli *c, struct err *e)
{
	static const char template[] = "auth/{mount=cert}/certs/{1}";
	json_t *body = call_body(c, template);
	char *pem = NULL;
	size_t n;
	int rc = cli_read(c->arg[1], &pem, &n, e);

	if (rc == ERR_OK &&
	    json_object_set_new(body, "certificate", json_stringn(pem, n)) != 0)
		rc = err_set(e, ERR_INVALID, "%.80s is no PEM text", c->arg[1]);
	cli_wipe(pem);
	if (rc == ERR_OK)
		rc = call_run(c, "POST", template, body, PRINT_NONE, e);
	json_decref(body);
	return rc;
}

/* Authorities publish the DER: it is sent in base64; PEM as it is. */
static json_t *crl_text(const char *p, size_t n)
{
	json_t *text;
	char *base64;

	if (memmem(p, n, "-----BEGIN ", strlen("-----BEGIN ")) != NULL)
		return json_stringn(p, n);
	if ((base64 = malloc(TEXT_BASE64_LEN(n) + 1)) == NULL)
		return NULL;
	text = json_stringn(base64, text_base64(p, n, base64));
	free(base64);
	return text;
}

static int crl_write(struct cli *c, struct err *e)
{
	static const char template[] = "auth/{mount=cert}/crls/{1}";
	json_t *body = call_body(c, template);
	char *list = NULL;
	size_t n;
	int rc = cli_read(c->arg[1], &list, &n, e);

	if (rc == ERR_OK && json_object_set_new(body, "crl", crl_text(list, n)) != 0)
		rc = err_set(e, ERR_INVALID, "%.80s is no revocation list", c->arg[1]);
	cli_wipe(list);
	if (rc == ERR_OK)
		rc = call_run(c, "POST", template, body, PRINT_NONE, e);
	json_decref(body);
	return rc;
}

/* clang-format off */
static const struct flag user_flags[] = {
	MOUNT_FLAG("userpass"),
	{ "keep-password", FLAG_BOOL, NULL, "change other settings only" },
	TOKEN_FLAGS,
	{ 0 },
};
static const struct flag user_mount[] = { MOUNT_FLAG("userpass"), { "yes", FLAG_BOOL, NULL, "do not ask" }, { 0 } };
static const struct flag approle_flags[] = {
	MOUNT_FLAG("approle"),
	{ "bind-secret-id",        FLAG_STRING, "BOOL",     "is a secret id needed (true)" },
	{ "secret-id-bound-cidrs", FLAG_STRING, "A,B",      "where secret ids may be used" },
	{ "secret-id-num-uses",    FLAG_STRING, "N",        "logins per secret id (0: any number)" },
	{ "secret-id-ttl",         FLAG_STRING, "DURATION", "time to live of a secret id" },
	TOKEN_FLAGS,
	{ 0 },
};
static const struct flag approle_mount[] = { MOUNT_FLAG("approle"), { "yes", FLAG_BOOL, NULL, "do not ask" }, { 0 } };
static const struct flag secret_id_flags[] = {
	MOUNT_FLAG("approle"),
	{ "ttl",               FLAG_STRING, "DURATION", "time to live" },
	{ "num-uses",          FLAG_STRING, "N",        "how many logins" },
	{ "cidr-list",         FLAG_STRING, "A,B",      "where it may be used" },
	{ "token-bound-cidrs", FLAG_STRING, "A,B",      "where its tokens may be used" },
	{ "metadata",          FLAG_STRING, "JSON",     "object of strings, kept with its tokens" },
	{ 0 },
};
static const struct flag cert_flags[] = {
	MOUNT_FLAG("cert"),
	{ "allowed-common-names",        FLAG_STRING, "A,B",      "globs" },
	{ "allowed-dns-sans",            FLAG_STRING, "A,B",      "globs" },
	{ "allowed-email-sans",          FLAG_STRING, "A,B",      "globs" },
	{ "allowed-uri-sans",            FLAG_STRING, "A,B",      "globs" },
	{ "allowed-organizational-units",FLAG_STRING, "A,B",      "globs" },
	{ "display-name",                FLAG_STRING, "NAME",     "of the tokens" },
	TOKEN_FLAGS,
	{ 0 },
};
static const struct flag cert_mount[] = { MOUNT_FLAG("cert"), { "yes", FLAG_BOOL, NULL, "do not ask" }, { 0 } };

static const char password_details[] =
	"The password is read from the terminal without echo, or as one line from standard input.";

static const char crl_details[] =
	"The file is PEM or DER.  If no role trusts the certificate of who has signed the list, put that into the file, PEM, too.";

static const struct command rows[] = {
	{ "user",    "list",       user_call,      0, 0, user_mount,      "",              "users with passwords", NULL },
	{ "user",    "read",       user_call,      1, 1, user_mount,      "NAME",          "settings of a user", NULL },
	{ "user",    "write",      user_write,     1, 1, user_flags,      "NAME",          "create or change a user",
	  password_details },
	{ "user",    "password",   user_password,  1, 1, user_mount,      "NAME",          "set a user's password",
	  password_details },
	{ "user",    "delete",     user_call,      1, 1, user_mount,      "NAME",          "remove a user", NULL },
	{ "user",    "locked",     user_locked,    0, 0, NULL,            "",
	  "names that too many failed logins have locked", NULL },
	{ "user",    "unlock",     user_unlock,    1, 1, user_mount,      "NAME",          "let a locked name in again", NULL },
	{ "approle", "list",       approle_call,   0, 0, approle_mount,   "",              "AppRoles", NULL },
	{ "approle", "read",       approle_call,   1, 1, approle_mount,   "NAME",          "settings of an AppRole", NULL },
	{ "approle", "write",      approle_call,   1, 1, approle_flags,   "NAME",          "create or change an AppRole", NULL },
	{ "approle", "delete",     approle_call,   1, 1, approle_mount,   "NAME",          "remove an AppRole", NULL },
	{ "approle", "role-id",    approle_call,   1, 1, approle_mount,   "NAME",          "the role id to log in with", NULL },
	{ "approle", "secret-id",  approle_call,   1, 1, secret_id_flags, "NAME",
	  "make a secret id (add --wrap-ttl to hand it on)", NULL },
	{ "approle", "secret-ids", approle_call,   1, 1, approle_mount,   "NAME",          "accessors of its secret ids", NULL },
	{ "approle", "revoke",     approle_revoke, 2, 2, approle_mount,   "NAME ACCESSOR", "end a secret id", NULL },
	{ "cert",    "list",       cert_call,      0, 0, cert_mount,      "",              "certificate roles", NULL },
	{ "cert",    "read",       cert_call,      1, 1, cert_mount,      "NAME",          "settings of a certificate role", NULL },
	{ "cert",    "write",      cert_write,     2, 2, cert_flags,      "NAME PEM-FILE",
	  "trust a CA, or one certificate", NULL },
	{ "cert",    "delete",     cert_call,      1, 1, cert_mount,      "NAME",          "remove a certificate role", NULL },
	{ "crl",     "list",       crl_call,       0, 0, cert_mount,      "",              "revocation lists", NULL },
	{ "crl",     "read",       crl_call,       1, 1, cert_mount,      "NAME",          "whom a revocation list names", NULL },
	{ "crl",     "write",      crl_write,      2, 2, cert_mount,      "NAME FILE",
	  "refuse the certificates that a list revokes", crl_details },
	{ "crl",     "delete",     crl_call,       1, 1, cert_mount,      "NAME",          "remove a revocation list", NULL },
};
/* clang-format on */

const struct command_set commands_user = { rows, ARRAY_LEN(rows) };
