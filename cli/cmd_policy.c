/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "out.h"

#define PATH_CAP 2048

static const struct call_row password_calls[] = {
	{"list",      "LIST",   "sys/policies/password",              PRINT_KEYS, false, NULL},
	{ "delete",   "DELETE", "sys/policies/password/{1}",          PRINT_NONE, false, NULL},
	{ "generate", "GET",    "sys/policies/password/{1}/generate", PRINT_DATA, false,
         NULL										},
};

static int password_call(struct cli *c, struct err *e)
{
	return call_table(c, password_calls, ARRAY_LEN(password_calls), e);
}

/* "policy" and "password-policy" are read and written alike. */
static int policy_path(struct cli *c, char path[PATH_CAP], struct err *e)
{
	bool password = strcmp(c->command->noun, "password-policy") == 0;

	return cli_path(password ? "sys/policies/password/" : "sys/policies/acl/",
	                c->arg[0], path, PATH_CAP, e);
}

static int list(struct cli *c, struct err *e)
{
	json_t *doc, *v;
	size_t i;
	int rc = cli_call(c, "LIST", "sys/policies/acl", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		json_array_foreach(json_object_get(json_object_get(doc, "data"), "keys"),
		                   i, v) out_text(json_string_value(v));
	json_decref(doc);
	return rc;
}

static int read_policy(struct cli *c, struct err *e)
{
	char path[PATH_CAP];
	const char *text;
	json_t *doc = NULL;
	int rc = policy_path(c, path, e);

	if (rc == ERR_OK && (rc = cli_call(c, "GET", path, NULL, &doc, e)) == ERR_OK) {
		text = json_string_value(
			json_object_get(json_object_get(doc, "data"), "policy"));
		if (c->format == CLI_JSON)
			out_json(c, doc);
		else if (text != NULL)
			printf("%s%s", text,
			       text[0] != '\0' && text[strlen(text) - 1] == '\n' ? ""
			                                                         : "\n");
	}
	json_decref(doc);
	return rc;
}

static int write_policy(struct cli *c, struct err *e)
{
	char path[PATH_CAP], *text = NULL;
	json_t *body = NULL, *doc = NULL;
	size_t n;
	int rc;

	if ((rc = policy_path(c, path, e)) != ERR_OK ||
	    (rc = cli_read(c->args > 1 ? c->arg[1] : "-", &text, &n, e)) != ERR_OK)
		return rc;
	body = json_pack("{s:s%}", "policy", text, n);
	if (body == NULL)
		rc = err_set(e, ERR_INVALID, "the policy is not UTF-8 text");
	else
		rc = cli_call(c, "POST", path, body, &doc, e);
	cli_wipe(text);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int delete_policy(struct cli *c, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	int rc = policy_path(c, path, e);

	if (rc == ERR_OK)
		rc = cli_call(c, "DELETE", path, NULL, &doc, e);
	json_decref(doc);
	return rc;
}

static const struct command rows[] = {
	{"policy",           "list",     list,          0, 0, NULL, "",              "names of all policies", NULL},
	{ "policy",          "read",     read_policy,   1, 1, NULL, "NAME",          "text of a policy",      NULL},
	{ "policy",          "write",    write_policy,  1, 2, NULL, "NAME [FILE|-]",
         "store a policy from a file or standard input",                                                      NULL},
	{ "policy",          "delete",   delete_policy, 1, 1, NULL, "NAME",          "remove a policy",
         NULL												     },
	{ "password-policy", "list",     password_call, 0, 0, NULL, "",
         "names of all password policies",								    NULL},
	{ "password-policy", "read",     read_policy,   1, 1, NULL, "NAME",
         "text of a password policy",									 NULL},
	{ "password-policy", "write",    write_policy,  1, 2, NULL, "NAME [FILE|-]",
         "store a password policy from a file or standard input",                                             NULL},
	{ "password-policy", "delete",   password_call, 1, 1, NULL, "NAME",
         "remove a password policy",									  NULL},
	{ "password-policy", "generate", password_call, 1, 1, NULL, "NAME",
         "make a password by a policy",								       NULL},
};

const struct command_set commands_policy = { rows, ARRAY_LEN(rows) };
