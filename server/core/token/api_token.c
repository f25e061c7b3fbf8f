/* SPDX-License-Identifier: Apache-2.0 */
/* api_token - auth/token: the tokens' own life, in Vault's shapes. */
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "listing.h"
#include "route.h"
#include "token_create.h"
#include "token_role.h"
#include "vault/limits.h"

static int h_create(struct req *r)
{
	return token_create_request(r, NULL, false);
}

static int h_create_orphan(struct req *r)
{
	return token_create_request(r, NULL, true);
}

static int h_create_role(struct req *r)
{
	const char *role = "";
	int rc = token_role_name(r, 0, &role);

	return rc == ERR_OK ? token_create_request(r, role, false) : rc;
}

static void set_time(struct arena *a, struct value *o, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	value_set_str(a, o, key, arena_str(a, text));
}

/* By the wall clock, which the token has too, unless that was set meanwhile: of two
 * clocks read one after the other the sum is not the same each time. */
static int64_t expire_time(const struct core *c, const struct store_object *o)
{
	int64_t at = c->now_ms + token_left_ms(c, o);

	return at - o->due < 1000 && o->due - at < 1000 ? o->due : at;
}

static void reply_lookup(struct req *r, const struct store_object *o, const char *id)
{
	const struct value *b = o->body, *meta = value_get(b, "meta");
	struct value *out = reply_data(r);
	int64_t created = value_int_or(b, "created", 0),
		uses = value_int_or(b, "uses", 0);
	int64_t renewed = value_int_or(b, "renewed", 0),
		period = value_int_or(b, "period", 0);

	value_set_str(r->a, out, "accessor", value_cstr_or(r->a, b, "accessor", ""));
	value_set_int(r->a, out, "creation_time", created / 1000);
	value_set_int(r->a, out, "creation_ttl", value_int_or(b, "ttl", 0) / 1000);
	value_set_str(r->a, out, "display_name",
	              value_cstr_or(r->a, b, "display_name", ""));
	value_set_str(r->a, out, "entity_id", "");
	if (o->due != 0)
		set_time(r->a, out, "expire_time", expire_time(r->core, o));
	else
		value_set(out, "expire_time", value_null(r->a));
	value_set_int(r->a, out, "explicit_max_ttl",
	              value_int_or(b, "explicit_max", 0) / 1000);
	value_set_str(r->a, out, "id", id);
	set_time(r->a, out, "issue_time", created);
	if (renewed != 0) {
		set_time(r->a, out, "last_renewal", renewed);
		value_set_int(r->a, out, "last_renewal_time", renewed / 1000);
	}
	value_set(out, "meta", meta != NULL ? value_copy(r->a, meta) : value_null(r->a));
	value_set_int(r->a, out, "num_uses", uses > 0 ? uses : 0);
	value_set_bool(r->a, out, "orphan", value_bool_or(b, "orphan", false));
	value_set_str(r->a, out, "path", value_cstr_or(r->a, b, "path", ""));
	if (period != 0)
		value_set_int(r->a, out, "period", period / 1000);
	value_set(out, "policies", value_copy(r->a, value_get(b, "policies")));
	value_set_bool(r->a, out, "renewable", value_bool_or(b, "renewable", false));
	value_set_int(r->a, out, "ttl", (token_left_ms(r->core, o) + 500) / 1000);
	if (token_is_batch(o))
		value_set_str(r->a, out, "type", "batch");
	else
		value_set_str(r->a, out, "type", "service");
	if (value_get(b, "role") != NULL)
		value_set(out, "role", value_copy(r->a, value_get(b, "role")));
	if (value_get(b, "cidrs") != NULL)
		value_set(out, "bound_cidrs", value_copy(r->a, value_get(b, "cidrs")));
}

static void note_token(struct req *r, const struct store_object *o)
{
	req_note_str(r, "accessor", value_cstr_or(r->a, o->body, "accessor", ""));
}

/* The token that a field names; NULL if the field is absent. */
static int named_token(struct req *r, const char **text, struct store_object *o)
{
	bool present;
	int rc = req_str(r, "token", text, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || (*text)[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing token");
	rc = token_find(r->core, r->a, *text, o, &r->e);
	if (rc == ERR_OK)
		note_token(r, o);
	return rc;
}

static int named_accessor(struct req *r, struct store_object *o)
{
	const char *accessor = NULL;
	bool present;
	int rc = req_str(r, "accessor", &accessor, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || accessor[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing accessor");
	rc = token_find_accessor(r->core, r->a, accessor, o, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "invalid accessor");
	if (rc == ERR_OK)
		note_token(r, o);
	return rc;
}

static int h_lookup(struct req *r)
{
	const char *text = "";
	struct store_object o = { 0 };
	int rc = named_token(r, &text, &o);

	if (rc == ERR_NOENT)
		return req_fail(r, ERR_DENIED, "bad token");
	if (rc == ERR_OK)
		reply_lookup(r, &o, text);
	return rc;
}

/* Of a token that is spent with this request, too. */
static int own_token(struct req *r, struct store_object *o)
{
	return r->id.batch ? token_find(r->core, r->a, r->token, o, &r->e)
	                   : token_load(r->core, r->a, r->id.token_id, o, &r->e);
}

static int h_lookup_self(struct req *r)
{
	struct store_object o = { 0 };
	int rc = own_token(r, &o);

	if (rc == ERR_OK)
		reply_lookup(r, &o, r->token);
	return rc;
}

static int h_lookup_accessor(struct req *r)
{
	struct store_object o = { 0 };
	int rc = named_accessor(r, &o);

	if (rc == ERR_OK)
		reply_lookup(r, &o, "");
	return rc;
}

static int h_renew(struct req *r)
{
	const char *text = "";
	struct store_object o = { 0 };
	int rc = named_token(r, &text, &o);

	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "token not found");
	return rc == ERR_OK ? token_renew_request(r, &o, text) : rc;
}

static int h_renew_self(struct req *r)
{
	struct store_object o = { 0 };
	int rc = own_token(r, &o);

	return rc == ERR_OK ? token_renew_request(r, &o, r->token) : rc;
}

static int h_renew_accessor(struct req *r)
{
	struct store_object o = { 0 };
	int rc = named_accessor(r, &o);

	return rc == ERR_OK ? token_renew_request(r, &o, "") : rc;
}

static int h_revoke(struct req *r)
{
	const char *text = "";
	struct store_object o = { 0 };
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	rc = named_token(r, &text, &o);
	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK ? token_revoke_request(r, &o, false) : rc;
}

static int h_revoke_self(struct req *r)
{
	struct store_object o = { 0 };
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	rc = own_token(r, &o);
	return rc == ERR_OK ? token_revoke_request(r, &o, false) : rc;
}

static int h_revoke_accessor(struct req *r)
{
	struct store_object o = { 0 };
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	rc = named_accessor(r, &o);
	return rc == ERR_OK ? token_revoke_request(r, &o, false) : rc;
}

static int h_revoke_orphan(struct req *r)
{
	const char *text = "";
	struct store_object o = { 0 };
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	rc = named_token(r, &text, &o);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "token to revoke not found");
	return rc == ERR_OK ? token_revoke_request(r, &o, true) : rc;
}

static int h_accessors(struct req *r)
{
	static const struct listing_of accessors = {
		.kind = KIND_TOKEN,
		.member = "accessor",
		.shown = token_alive,
	};

	return listing_reply(r, &accessors);
}

/* There is nothing to repair: what expires is removed by the timer, and a revocation that
 * was cut short goes on by itself. */
static int h_tidy(struct req *r)
{
	(void)r;
	return ERR_OK;
}

/* clang-format off */
static const struct field create_fields[] = {
	{ "id", "string", "a given token instead of a random one (sudo)" },
	{ "policies", "strings", "policies; absent: the caller's" },
	{ "meta", "object", "map of strings, shown in look-ups" },
	{ "no_parent", "bool", "make an orphan (sudo)" },
	{ "no_default_policy", "bool", "leave the default policy out" },
	{ "renewable", "bool", "may it be renewed? (default true)" },
	{ "ttl", "duration", "lifetime" },
	{ "lease", "duration", "old name of ttl" },
	{ "type", "string", "\"service\" (default) or \"batch\"" },
	{ "explicit_max_ttl", "duration", "lifetime that no renewal passes" },
	{ "display_name", "string", "name for people" },
	{ "num_uses", "int", "how many requests it is good for; 0: any number" },
	{ "period", "duration", "lifetime that each renewal restores (sudo)" },
	{ "entity_alias", "string", "only with a role that allows it; names no entity" },
	{ NULL, NULL, NULL },
};
static const struct field token_field[] = {
	{ "token", "string", "the token" },
	{ NULL, NULL, NULL },
};
static const struct field accessor_field[] = {
	{ "accessor", "string", "the token's accessor" },
	{ NULL, NULL, NULL },
};
static const struct field renew_fields[] = {
	{ "token", "string", "the token" },
	{ "increment", "duration", "lifetime from now on" },
	{ NULL, NULL, NULL },
};
static const struct field renew_self_fields[] = {
	{ "increment", "duration", "lifetime from now on" },
	{ "token", "string", "ignored" },
	{ NULL, NULL, NULL },
};
static const struct field renew_accessor_fields[] = {
	{ "accessor", "string", "the token's accessor" },
	{ "increment", "duration", "lifetime from now on" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "token", M_POST, "create", 0, create_fields, h_create, NULL, "create a token" },
	{ "token", M_POST, "create-orphan", 0, create_fields, h_create_orphan, NULL,
	  "create a token without a parent" },
	{ "token", M_POST, "create/:role", 0, create_fields, h_create_role, NULL,
	  "create a token by the rules of a role" },
	{ "token", M_GET | M_POST, "lookup", 0, token_field, h_lookup, NULL,
	  "look a token up" },
	{ "token", M_GET | M_POST, "lookup-self", 0, token_field, h_lookup_self, NULL,
	  "look the own token up" },
	{ "token", M_POST, "lookup-accessor", 0, accessor_field, h_lookup_accessor, NULL,
	  "look a token up by its accessor" },
	{ "token", M_POST, "renew", 0, renew_fields, h_renew, NULL, "renew a token" },
	{ "token", M_POST, "renew-self", 0, renew_self_fields, h_renew_self, NULL,
	  "renew the own token" },
	{ "token", M_POST, "renew-accessor", 0, renew_accessor_fields, h_renew_accessor,
	  NULL, "renew a token by its accessor" },
	{ "token", M_POST, "revoke", 0, token_field, h_revoke, NULL,
	  "revoke a token and its descendants" },
	{ "token", M_POST, "revoke-self", 0, token_field, h_revoke_self, NULL,
	  "revoke the own token and its descendants" },
	{ "token", M_POST, "revoke-accessor", 0, accessor_field, h_revoke_accessor, NULL,
	  "revoke a token by its accessor" },
	{ "token", M_POST, "revoke-orphan", R_SUDO, token_field, h_revoke_orphan, NULL,
	  "revoke a token, its children become orphans" },
	{ "token", M_LIST, "accessors", R_SUDO, NULL, h_accessors, NULL,
	  "list the accessors of all tokens" },
	{ "token", M_POST, "tidy", 0, NULL, h_tidy, NULL, "remove what is left over" },
};
/* clang-format on */

const struct route_table routes_token = { rows, ARRAY_LEN(rows) };
