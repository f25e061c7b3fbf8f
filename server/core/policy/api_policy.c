/* SPDX-License-Identifier: Apache-2.0 */
/* api_policy - policies over the API: sys/policies/acl, and the older sys/policy. */
#include <string.h>

#include "arena.h"
#include "path.h"
#include "policy_impl.h"
#include "policy_text.h"
#include "route.h"
#include "vault/limits.h"

/* The name in the path, folded; the client is told if it was not written that way. */
static int take_name(struct req *r, const char **out)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "policy name", &r->e);

	if (rc != ERR_OK)
		return rc;
	if ((*out = arena_str(r->a, name)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	req_note_str(r, "policy", name);
	return ERR_OK;
}

static void warn_folded(struct req *r, const char *name)
{
	if (strcmp(name, r->param[0].text) != 0)
		reply_warning(r, "policy name was converted to %s", name);
}

static int h_list(struct req *r)
{
	value_set(reply_data(r), "keys", policies_names(r->core, r->a));
	return ERR_OK;
}

static int h_list_legacy(struct req *r)
{
	struct value *out = reply_data(r), *names = policies_names(r->core, r->a);

	value_set(out, "keys", names);
	value_set(out, "policies", value_copy(r->a, names));
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int reply_policy(struct req *r, const char *member, bool inject)
{
	const char *name = "", *text = "";
	struct value *out;
	int rc = take_name(r, &name);

	if (rc != ERR_OK)
		return rc;
	rc = policies_text(r->core, r->a, name, &text, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	out = reply_data(r);
	value_set_str(r->a, out, "name", name);
	value_set_str(r->a, out, member, text);
	if (inject)
		value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int h_read(struct req *r)
{
	return reply_policy(r, "policy", false);
}

static int h_read_legacy(struct req *r)
{
	return reply_policy(r, "rules", true);
}

/* The text itself, or base64 of it. */
static int take_text(struct req *r, const char **text, size_t *n)
{
	const char *given = NULL;
	bool present;
	int rc = req_str(r, "policy", &given, &present);

	if (rc == ERR_OK && (!present || given[0] == '\0'))
		rc = req_str(r, "rules", &given, &present);
	if (rc != ERR_OK)
		return rc;
	if (!present || given[0] == '\0')
		return req_fail(r, ERR_INVALID,
		                "'policy' parameter not supplied or empty");
	if ((rc = policy_text_plain(r, given, text, n)) != ERR_OK)
		return rc;
	return *text != NULL ? ERR_OK
	                     : req_fail(r, ERR_INVALID,
	                                "failed to parse policy: not UTF-8 text");
}

static int h_write(struct req *r)
{
	const char *name = "", *text = "";
	size_t n = 0;
	int rc = take_name(r, &name);

	if (rc != ERR_OK)
		return rc;
	if (strcmp(name, "root") == 0 || strcmp(name, POLICY_WRAPPING) == 0)
		return req_fail(r, ERR_INVALID, "cannot update \"%s\" policy", name);
	if ((rc = take_text(r, &text, &n)) != ERR_OK ||
	    (rc = policies_put(r->core, r->a, name, text, n, &r->e)) != ERR_OK)
		return rc;
	warn_folded(r, name);
	return ERR_OK;
}

static int h_delete(struct req *r)
{
	const char *name = "";
	int rc = take_name(r, &name);

	if (rc != ERR_OK)
		return rc;
	if (strcmp(name, "default") == 0)
		return req_fail(r, ERR_INVALID, "cannot delete default policy");
	if (strcmp(name, "root") == 0 || strcmp(name, POLICY_WRAPPING) == 0)
		return req_fail(r, ERR_INVALID, "cannot delete \"%s\" policy", name);
	return policies_delete(r->core, r->a, name, &r->e);
}

/* clang-format off */
static const struct field write_fields[] = {
	{ "policy", "string", "the policy's text, or base64 of it" },
	{ "rules", "string", "old name of policy" },
	{ "name", "string", "ignored: the path names the policy" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_LIST, "policies/acl", 0, NULL, h_list, NULL, "list policies" },
	{ "system", M_GET, "policies/acl/:name", 0, NULL, h_read, NULL, "read a policy" },
	{ "system", M_POST, "policies/acl/:name", 0, write_fields, h_write, NULL,
	  "write a policy" },
	{ "system", M_DELETE, "policies/acl/:name", 0, NULL, h_delete, NULL,
	  "delete a policy" },
	{ "system", M_GET | M_LIST, "policy", 0, NULL, h_list_legacy, NULL,
	  "list policies (old form)" },
	{ "system", M_GET, "policy/:name", 0, NULL, h_read_legacy, NULL,
	  "read a policy (old form)" },
	{ "system", M_POST, "policy/:name", 0, write_fields, h_write, NULL,
	  "write a policy (old form)" },
	{ "system", M_DELETE, "policy/:name", 0, NULL, h_delete, NULL,
	  "delete a policy (old form)" },
};
/* clang-format on */

const struct route_table routes_policy = { rows, ARRAY_LEN(rows) };
