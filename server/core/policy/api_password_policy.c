/* SPDX-License-Identifier: Apache-2.0 */
/* api_password_policy - sys/policies/password: what generated passwords look like. */
#include <string.h>

#include "arena.h"
#include "listing.h"
#include "password_policy.h"
#include "path.h"
#include "policy_text.h"
#include "route.h"

static int take_name(struct req *r, const char **out)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "policy name", &r->e);

	if (rc != ERR_OK)
		return rc;
	if ((*out = arena_str(r->a, name)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	req_note_str(r, "password_policy", name);
	return ERR_OK;
}

static int h_list(struct req *r)
{
	static const struct listing_of of = { .kind = KIND_PASSWORD_POLICY,
		                              .member = "name" };

	return listing_reply(r, &of);
}

/* Vault says in words that there is none. */
static int absent(struct req *r)
{
	reply_errors(r, 404, "policy does not exist", NULL);
	return ERR_OK;
}

static int h_read(struct req *r)
{
	const char *name = "", *text = "";
	int rc = take_name(r, &name);

	if (rc != ERR_OK)
		return rc;
	rc = password_policy_text(r->core, r->a, name, &text, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? absent(r) : rc;
	value_set_str(r->a, reply_data(r), "policy", text);
	return ERR_OK;
}

static int h_write(struct req *r)
{
	const char *name = "", *given = NULL, *text = "";
	bool present;
	size_t n = 0;
	int rc = take_name(r, &name);

	if (rc != ERR_OK || (rc = req_str(r, "policy", &given, &present)) != ERR_OK)
		return rc;
	if (!present || given[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing policy");
	if ((rc = policy_text_plain(r, given, &text, &n)) != ERR_OK)
		return rc;
	if (text == NULL)
		return req_fail(r, ERR_INVALID,
		                "invalid password policy: not UTF-8 text");
	return password_policy_put(r->core, r->a, name, text, n, &r->e);
}

static int h_delete(struct req *r)
{
	const char *name = "";
	int rc = take_name(r, &name);

	return rc == ERR_OK ? password_policy_delete(r->core, r->a, name, &r->e) : rc;
}

static int h_generate(struct req *r)
{
	const char *name = "", *password = "";
	int rc = take_name(r, &name);

	if (rc != ERR_OK)
		return rc;
	rc = password_policy_generate(r->core, r->a, name, &password, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? absent(r) : rc;
	value_set_str(r->a, reply_data(r), "password", password);
	return ERR_OK;
}

/* clang-format off */
static const struct field write_fields[] = {
	{ "policy", "string", "the policy's text, HCL or JSON, or base64 of it" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_LIST, "policies/password", 0, NULL, h_list, NULL,
	  "list password policies" },
	{ "system", M_GET, "policies/password/:name", 0, NULL, h_read, NULL,
	  "read a password policy" },
	{ "system", M_POST, "policies/password/:name", 0, write_fields, h_write, NULL,
	  "write a password policy" },
	{ "system", M_DELETE, "policies/password/:name", 0, NULL, h_delete, NULL,
	  "delete a password policy" },
	{ "system", M_GET, "policies/password/:name/generate", 0, NULL, h_generate, NULL,
	  "generate a password" },
};
/* clang-format on */

const struct route_table routes_password_policy = { rows, ARRAY_LEN(rows) };
