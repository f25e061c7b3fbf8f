/* SPDX-License-Identifier: Apache-2.0 */
#include "token_params.h"

#include <string.h>

#include "arena.h"
#include "cidr.h"
#include "token_policies.h"
#include "vault/limits.h"

static const char *const type_names[] = {
	[TOKEN_DEFAULT] = "default",
	[TOKEN_SERVICE] = "service",
	[TOKEN_BATCH] = "batch",
	[TOKEN_DEFAULT_SERVICE] = "default-service",
	[TOKEN_DEFAULT_BATCH] = "default-batch",
};

const char *token_type_name(enum token_type type)
{
	return type_names[type];
}

static bool same_type(const char *s, const char *name)
{
	for (; *name != '\0'; s++, name++)
		if (*s != *name && !(*s == '_' && *name == '-'))
			return false;
	return *s == '\0';
}

int token_type_parse(const char *s, enum token_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (same_type(s, type_names[i]) || (i == 0 && s[0] == '\0')) {
			*out = (enum token_type)i;
			return 0;
		}
	return -1;
}

void token_params_init(struct arena *a, struct token_params *p)
{
	memset(p, 0, sizeof(*p));
	p->policies = value_array(a);
	p->bound_cidrs = value_array(a);
}

/* The lifetimes and counts: one row each. */
static const struct number {
	const char *name;
	size_t at;
	bool duration;
} numbers[] = {
	{"token_ttl",               offsetof(struct token_params, ttl_ms),              true },
	{ "token_max_ttl",          offsetof(struct token_params, max_ttl_ms),          true },
	{ "token_explicit_max_ttl", offsetof(struct token_params, explicit_max_ttl_ms),
         true										},
	{ "token_period",           offsetof(struct token_params, period_ms),           true },
	{ "token_num_uses",         offsetof(struct token_params, num_uses),            false},
};

static int64_t *number_in(struct token_params *p, const struct number *n)
{
	return (int64_t *)(void *)((char *)p + n->at);
}

static int64_t number_of(const struct token_params *p, const struct number *n)
{
	return *(const int64_t *)(const void *)((const char *)p + n->at);
}

static const struct value *list_or_empty(struct arena *a, const struct value *v)
{
	return v != NULL && v->type == V_ARRAY ? v : value_array(a);
}

void token_params_load(struct arena *a, const struct value *body, struct token_params *p)
{
	const char *type = value_cstr_or(a, body, "token_type", "");

	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*number_in(p, &numbers[i]) = value_int_or(body, numbers[i].name, 0);
	p->policies = list_or_empty(a, value_get(body, "token_policies"));
	p->bound_cidrs = list_or_empty(a, value_get(body, "token_bound_cidrs"));
	p->no_default_policy = value_bool_or(body, "token_no_default_policy", false);
	p->strictly_bind_ip = value_bool_or(body, "token_strictly_bind_ip", false);
	if (token_type_parse(type, &p->type) != 0)
		p->type = TOKEN_DEFAULT;
}

void token_params_save(struct arena *a, const struct token_params *p, struct value *body)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		value_set_int(a, body, numbers[i].name, number_of(p, &numbers[i]));
	value_set(body, "token_policies", value_copy(a, p->policies));
	value_set(body, "token_bound_cidrs", value_copy(a, p->bound_cidrs));
	value_set_bool(a, body, "token_no_default_policy", p->no_default_policy);
	value_set_bool(a, body, "token_strictly_bind_ip", p->strictly_bind_ip);
	value_set_str(a, body, "token_type", token_type_name(p->type));
}

void token_params_reply(struct arena *a, const struct token_params *p, struct value *out)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		value_set_int(a, out, numbers[i].name,
		              number_of(p, &numbers[i]) /
		                      (numbers[i].duration ? 1000 : 1));
	value_set(out, "token_policies", value_copy(a, p->policies));
	value_set(out, "token_bound_cidrs", value_copy(a, p->bound_cidrs));
	value_set_bool(a, out, "token_no_default_policy", p->no_default_policy);
	value_set_bool(a, out, "token_strictly_bind_ip", p->strictly_bind_ip);
	value_set_str(a, out, "token_type", token_type_name(p->type));
}

/* What the request calls a parameter: its name, or an old one. */
static const char *spelt(struct req *r, const struct token_param_alias *aliases,
                         const char *name)
{
	if (value_get(r->body, name) != NULL || aliases == NULL)
		return name;
	for (const struct token_param_alias *x = aliases; x->name != NULL; x++)
		if (strcmp(x->name, name) == 0 && value_get(r->body, x->old) != NULL)
			return x->old;
	return name;
}

static int take_numbers(struct req *r, const struct token_param_alias *aliases,
                        struct token_params *p)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct number *n = &numbers[i];
		const char *field = spelt(r, aliases, n->name);
		int64_t *at = number_in(p, n);
		bool present;
		int rc = n->duration ? req_duration(r, field, at, &present)
		                     : req_int(r, field, at, &present);

		if (rc != ERR_OK)
			return rc;
		if (*at < 0)
			return req_fail(r, ERR_INVALID, "'%s' cannot be negative",
			                n->name);
		if (n->duration) /* whole seconds, as they are read back */
			*at -= *at % 1000;
	}
	return ERR_OK;
}

static int take_policies(struct req *r, const struct token_param_alias *aliases,
                         struct token_params *p)
{
	struct value *given = NULL, *list;
	bool present;
	int rc = req_strings(r, spelt(r, aliases, "token_policies"), &given, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if ((rc = token_policies_canonical(r, given, &list)) != ERR_OK)
		return rc;
	if ((list = token_policies_sorted(r->a, list)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	p->policies = list;
	return ERR_OK;
}

static int take_type(struct req *r, struct token_params *p)
{
	const char *type = "";
	bool present;
	int rc = req_str(r, "token_type", &type, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (token_type_parse(type, &p->type) != 0)
		return req_fail(r, ERR_INVALID, "invalid 'token_type' value \"%.100s\"",
		                type);
	return ERR_OK;
}

/* Of a block of one address, the address: what Vault shows of token_bound_cidrs. */
static struct value *shortened(struct req *r, const struct value *cidrs)
{
	struct value *out = value_array(r->a);

	for (const struct value *v = cidrs->first; v != NULL; v = v->next) {
		struct cidr c;
		const char *slash = memchr(v->text, '/', v->len);
		bool one = slash != NULL && cidr_parse(v->text, v->len, &c) == 0 &&
		           c.bits == (c.v6 ? 128u : 32u);

		value_add(out, value_strdup(r->a, v->text,
		                            one ? (size_t)(slash - v->text) : v->len));
	}
	return out;
}

static int take_cidrs(struct req *r, const struct token_param_alias *aliases,
                      struct token_params *p)
{
	struct value *list = NULL;
	bool present;
	int rc = token_take_cidrs(r, spelt(r, aliases, "token_bound_cidrs"), &list,
	                          &present);

	if (rc == ERR_OK && list != NULL)
		p->bound_cidrs = shortened(r, list);
	return rc;
}

int token_params_check(struct req *r, const struct token_params *p)
{
	bool batch = p->type == TOKEN_BATCH || p->type == TOKEN_DEFAULT_BATCH;

	if (p->max_ttl_ms > 0 && p->ttl_ms > p->max_ttl_ms)
		return req_fail(r, ERR_INVALID,
		                "'token_ttl' cannot be greater than 'token_max_ttl'");
	if (batch && p->period_ms > 0)
		return req_fail(r, ERR_INVALID,
		                "'token_type' cannot be 'batch' or 'default_batch' when "
		                "set to generate periodic tokens");
	if (batch && p->num_uses > 0)
		return req_fail(r, ERR_INVALID,
		                "'token_type' cannot be 'batch' or 'default_batch' when "
		                "set to generate tokens with limited use count");
	if (p->strictly_bind_ip && p->bound_cidrs->len > 0)
		return req_fail(r, ERR_INVALID,
		                "'token_strictly_bind_ip' cannot be set together with "
		                "'token_bound_cidrs'");
	return ERR_OK;
}

int token_params_take(struct req *r, const struct token_param_alias *aliases,
                      struct token_params *p)
{
	bool present;
	int rc;

	if ((rc = take_numbers(r, aliases, p)) != ERR_OK ||
	    (rc = take_policies(r, aliases, p)) != ERR_OK ||
	    (rc = take_cidrs(r, aliases, p)) != ERR_OK ||
	    (rc = req_bool(r, "token_no_default_policy", &p->no_default_policy,
	                   &present)) != ERR_OK ||
	    (rc = req_bool(r, "token_strictly_bind_ip", &p->strictly_bind_ip,
	                   &present)) != ERR_OK ||
	    (rc = take_type(r, p)) != ERR_OK)
		return rc;
	return token_params_check(r, p);
}

int token_take_cidrs(struct req *r, const char *field, struct value **out, bool *present)
{
	struct value *given = NULL, *list = value_array(r->a);
	int rc = req_strings(r, field, &given, present);

	if (rc != ERR_OK || !*present)
		return rc;
	if (given->len > LIMIT_BOUND_CIDRS)
		return req_fail(r, ERR_INVALID, "%s: at most %u blocks", field,
		                LIMIT_BOUND_CIDRS);
	for (const struct value *v = given->first; v != NULL; v = v->next) {
		struct cidr c;

		if (cidr_parse(v->text, v->len, &c) != 0)
			return req_fail(r, ERR_INVALID,
			                "%s: not an address or a block of addresses",
			                field);
		value_add(list, value_strdup(r->a, v->text, v->len));
	}
	*out = list;
	return ERR_OK;
}

static bool in_one_of(const struct cidr *c, const struct value *cidrs)
{
	for (const struct value *v = cidrs->first; v != NULL; v = v->next) {
		struct cidr outer;

		if (cidr_parse(v->text, v->len, &outer) == 0 && cidr_contains(&outer, c))
			return true;
	}
	return false;
}

bool token_cidrs_admit(const struct value *cidrs, const char *remote)
{
	struct cidr c;

	if (cidrs == NULL || cidrs->len == 0)
		return true;
	return cidr_parse(remote, strlen(remote), &c) == 0 && in_one_of(&c, cidrs);
}

bool token_cidrs_within(const struct value *inner, const struct value *outer)
{
	if (outer == NULL || outer->len == 0)
		return true;
	for (const struct value *v = inner->first; v != NULL; v = v->next) {
		struct cidr c;

		if (cidr_parse(v->text, v->len, &c) != 0 || !in_one_of(&c, outer))
			return false;
	}
	return true;
}

/* Adds the blocks of ${from} that lie in one of ${other}. */
static void add_inner(struct arena *a, struct value *out, const struct value *from,
                      const struct value *other)
{
	for (const struct value *v = from->first; v != NULL; v = v->next) {
		struct cidr c;

		if (cidr_parse(v->text, v->len, &c) == 0 && in_one_of(&c, other))
			value_add(out, value_copy(a, v));
	}
}

bool token_cidrs_common(struct arena *a, const struct value *x, const struct value *y,
                        const struct value **out)
{
	struct value *both;

	if (x == NULL || x->len == 0 || y == NULL || y->len == 0) {
		*out = x != NULL && x->len > 0 ? x : y;
		return true;
	}
	if (token_cidrs_within(x, y)) {
		*out = x;
		return true;
	}
	both = value_array(a);
	add_inner(a, both, x, y);
	add_inner(a, both, y, x);
	if (both == NULL || both->len == 0)
		return false;
	*out = both;
	return true;
}
