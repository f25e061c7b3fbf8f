/* SPDX-License-Identifier: Apache-2.0 */
/* api_token_role - auth/token/roles. */
#include <string.h>

#include "arena.h"
#include "listing.h"
#include "route.h"
#include "text.h"
#include "token_policies.h"
#include "token_role.h"
#include "vault/limits.h"

static const struct token_param_alias old_names[] = {
	{"token_period",            "period"          },
	{ "token_explicit_max_ttl", "explicit_max_ttl"},
	{ "token_bound_cidrs",      "bound_cidrs"     },
	{ NULL,		     NULL              },
};

static struct value *body_of(struct arena *a, const struct token_role *t)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "name", t->name);
	value_set(b, "allowed_policies", value_copy(a, t->allowed));
	value_set(b, "disallowed_policies", value_copy(a, t->disallowed));
	value_set(b, "allowed_policies_glob", value_copy(a, t->allowed_glob));
	value_set(b, "disallowed_policies_glob", value_copy(a, t->disallowed_glob));
	value_set(b, "allowed_entity_aliases", value_copy(a, t->aliases));
	value_set_str(a, b, "path_suffix", t->path_suffix);
	value_set_bool(a, b, "orphan", t->orphan);
	value_set_bool(a, b, "renewable", t->renewable);
	return b;
}

static int h_read(struct req *r)
{
	struct token_role t;
	struct value *out;
	const char *name = "";
	int rc = token_role_name(r, 0, &name);

	if (rc != ERR_OK)
		return rc;
	rc = token_role_load(r->core, r->a, name, &t, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	out = body_of(r->a, &t);
	value_set_int(r->a, out, "period", t.params.period_ms / 1000);
	value_set_int(r->a, out, "explicit_max_ttl", t.params.explicit_max_ttl_ms / 1000);
	value_set_int(r->a, out, "token_period", t.params.period_ms / 1000);
	value_set_int(r->a, out, "token_explicit_max_ttl",
	              t.params.explicit_max_ttl_ms / 1000);
	value_set_int(r->a, out, "token_num_uses", t.params.num_uses);
	value_set(out, "token_bound_cidrs", value_copy(r->a, t.params.bound_cidrs));
	value_set_bool(r->a, out, "token_no_default_policy", t.params.no_default_policy);
	value_set_bool(r->a, out, "token_strictly_bind_ip", t.params.strictly_bind_ip);
	value_set_str(r->a, out, "token_type", token_type_name(t.params.type));
	value_set(reply_envelope(r), "data", out);
	return ERR_OK;
}

static int take_policies(struct req *r, const char *field, const struct value **out)
{
	struct value *given = NULL, *list;
	bool present;
	int rc = req_strings(r, field, &given, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if ((rc = token_policies_canonical(r, given, &list)) != ERR_OK)
		return rc;
	if ((list = token_policies_sorted(r->a, list)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	*out = list;
	return ERR_OK;
}

/* Texts of bounded length and number, compared in lower case. */
static int take_texts(struct req *r, const char *field, const struct value **out)
{
	struct value *given = NULL, *list = value_array(r->a);
	bool present;
	int rc = req_strings(r, field, &given, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (given->len > LIMIT_POLICIES_PER_TOKEN)
		return req_fail(r, ERR_INVALID, "%s: at most %u", field,
		                LIMIT_POLICIES_PER_TOKEN);
	for (const struct value *v = given->first; v != NULL; v = v->next) {
		char *s = arena_dup(r->a, v->text, v->len);

		if (v->len == 0 || v->len > LIMIT_NAME ||
		    !text_printable(v->text, v->len))
			return req_fail(r, ERR_INVALID,
			                "%s: printable text of at most %u bytes", field,
			                LIMIT_NAME);
		for (size_t i = 0; s != NULL && i < v->len; i++)
			if (s[i] >= 'A' && s[i] <= 'Z')
				s[i] = (char)(s[i] + ('a' - 'A'));
		value_add(list, value_strn(r->a, s, v->len));
	}
	*out = list;
	return ERR_OK;
}

static bool suffix_ok(const char *s)
{
	size_t n = strlen(s);

	if (n > LIMIT_NAME)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool word = text_base62_ok(s + i, 1) || s[i] == '_';

		if (!word && ((s[i] != '-' && s[i] != '.') || i == 0 || i == n - 1))
			return false;
	}
	return true;
}

static int take_suffix(struct req *r, struct token_role *t)
{
	bool present;
	int rc = req_str(r, "path_suffix", &t->path_suffix, &present);

	if (rc == ERR_OK && !suffix_ok(t->path_suffix))
		return req_fail(
			r, ERR_INVALID,
			"given role path suffix contains invalid characters; must "
			"match ^\\w(([\\w-.]+)?\\w)?$");
	return rc;
}

static int take_params(struct req *r, struct token_role *t)
{
	struct token_params *p = &t->params;
	int rc = token_params_take(r, old_names, p);

	if (rc != ERR_OK)
		return rc;
	/* A role of tokens has no say in these. */
	p->ttl_ms = p->max_ttl_ms = 0;
	p->policies = value_array(r->a);
	if (p->type == TOKEN_BATCH && p->explicit_max_ttl_ms > 0)
		return req_fail(r, ERR_INVALID,
		                "'token_type' cannot be 'batch' when role is set to "
		                "generate tokens with an explicit max TTL");
	if (p->type == TOKEN_DEFAULT)
		p->type = TOKEN_DEFAULT_SERVICE;
	return ERR_OK;
}

static int h_write(struct req *r)
{
	struct token_role t;
	const char *name = "";
	bool present;
	int rc = token_role_name(r, 0, &name);

	if (rc != ERR_OK)
		return rc;
	rc = token_role_load(r->core, r->a, name, &t, &r->e);
	if ((rc != ERR_OK && rc != ERR_NOENT) ||
	    (rc = take_policies(r, "allowed_policies", &t.allowed)) != ERR_OK ||
	    (rc = take_policies(r, "disallowed_policies", &t.disallowed)) != ERR_OK ||
	    (rc = take_texts(r, "allowed_policies_glob", &t.allowed_glob)) != ERR_OK ||
	    (rc = take_texts(r, "disallowed_policies_glob", &t.disallowed_glob)) !=
	            ERR_OK ||
	    (rc = take_texts(r, "allowed_entity_aliases", &t.aliases)) != ERR_OK ||
	    (rc = take_suffix(r, &t)) != ERR_OK ||
	    (rc = req_bool(r, "orphan", &t.orphan, &present)) != ERR_OK ||
	    (rc = req_bool(r, "renewable", &t.renewable, &present)) != ERR_OK ||
	    (rc = take_params(r, &t)) != ERR_OK)
		return rc;
	t.o.body = body_of(r->a, &t);
	token_params_save(r->a, &t.params, t.o.body);
	return store_put(r->core, &t.o, &r->e);
}

static int exists(struct req *r, bool *out)
{
	struct token_role t;
	const char *name = "";
	int rc = token_role_name(r, 0, &name);

	if (rc != ERR_OK)
		return rc;
	rc = token_role_load(r->core, r->a, name, &t, &r->e);
	*out = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int h_delete(struct req *r)
{
	struct token_role t;
	const char *name = "";
	int rc = token_role_name(r, 0, &name);

	if (rc != ERR_OK)
		return rc;
	rc = token_role_load(r->core, r->a, name, &t, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK ? store_delete(r->core, &t.o, &r->e) : rc;
}

static int h_list(struct req *r)
{
	static const struct listing_of roles = {
		.kind = KIND_TOKEN_ROLE,
		.member = "name",
	};

	return listing_reply(r, &roles);
}

/* clang-format off */
static const struct field role_fields[] = {
	{ "allowed_policies", "strings", "policies that its tokens may have" },
	{ "disallowed_policies", "strings", "policies that they may not have" },
	{ "allowed_policies_glob", "strings", "the same with '*' for any text" },
	{ "disallowed_policies_glob", "strings", "the same with '*' for any text" },
	{ "allowed_entity_aliases", "strings", "aliases that may be asked for" },
	{ "orphan", "bool", "its tokens have no parent" },
	{ "renewable", "bool", "may its tokens be renewed? (default true)" },
	{ "path_suffix", "string", "added to the path of its tokens, for revocation" },
	{ "token_period", "duration", "lifetime that each renewal restores" },
	{ "token_explicit_max_ttl", "duration", "lifetime that no renewal passes" },
	{ "token_num_uses", "int", "how many requests a token is good for; 0: any number" },
	{ "token_bound_cidrs", "strings", "where a token may be used" },
	{ "token_no_default_policy", "bool", "leave the default policy out" },
	{ "token_strictly_bind_ip", "bool", "only where it was asked for from" },
	{ "token_type", "string",
	  "\"default-service\", \"default-batch\", \"service\" or \"batch\"" },
	{ "period", "duration", "old name of token_period" },
	{ "explicit_max_ttl", "duration", "old name of token_explicit_max_ttl" },
	{ "bound_cidrs", "strings", "old name of token_bound_cidrs" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "token", M_LIST, "roles", 0, NULL, h_list, NULL, "list token roles" },
	{ "token", M_GET, "roles/:name", 0, NULL, h_read, NULL, "read a token role" },
	{ "token", M_POST, "roles/:name", 0, role_fields, h_write, exists,
	  "create or change a token role" },
	{ "token", M_DELETE, "roles/:name", 0, NULL, h_delete, NULL,
	  "delete a token role" },
};
/* clang-format on */

const struct route_table routes_token_role = { rows, ARRAY_LEN(rows) };
