/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_PARAMS_H
#define SERVER_CORE_TOKEN_PARAMS_H
/*
 * token_params - what the roles and users of login methods say about the tokens that
 * logins get: the "token_*" parameters, the same for every method.
 *
 * A role loads them from its stored body, merges what a request brings, and saves them
 * again: token_params_load(), token_params_take(), token_params_save().
 */
#include "req.h"

enum token_type {
	TOKEN_DEFAULT, /* what the mount says */
	TOKEN_SERVICE,
	TOKEN_BATCH,
	TOKEN_DEFAULT_SERVICE,
	TOKEN_DEFAULT_BATCH,
};

struct token_params {
	int64_t ttl_ms, max_ttl_ms, explicit_max_ttl_ms, period_ms; /* 0: not set */
	int64_t num_uses;                                           /* 0: any number */
	const struct value *policies;    /* array of strings, sorted; never NULL */
	const struct value *bound_cidrs; /* array of strings; never NULL */
	bool no_default_policy, strictly_bind_ip;
	enum token_type type;
};

/* An old name of a parameter; the new one wins where both are given. */
struct token_param_alias {
	const char *name; /* "token_ttl" */
	const char *old;  /* "ttl"; a table ends with NULL */
};

/** token_params_init(a, p): nothing is set. */
void token_params_init(struct arena *a, struct token_params *p);
/** token_params_load(a, body, p): as token_params_save() stored them; what is absent is
 * not set.  The lists are borrowed from ${body}. */
void token_params_load(struct arena *a, const struct value *body, struct token_params *p);
/** token_params_take(r, aliases, p): merge the fields of the request into ${p}; a field
 * that is absent changes nothing.  ERR_INVALID with Vault's texts; ${p} may be half
 * changed then.  ${aliases} may be NULL. */
int token_params_take(struct req *r, const struct token_param_alias *aliases,
                      struct token_params *p) MUST_CHECK;
/** token_params_check(r, p): do they go together?  token_params_take() asks this itself;
 * for a handler that changes single members. */
int token_params_check(struct req *r, const struct token_params *p) MUST_CHECK;
/** token_params_save(a, p, body): the members for the stored body of a role. */
void token_params_save(struct arena *a, const struct token_params *p, struct value *body);
/** token_params_reply(a, p, out): all of them as a client reads them: exact types, lists
 * never null. */
void token_params_reply(struct arena *a, const struct token_params *p, struct value *out);

/** token_type_name(type): "default", "service", "batch", "default-service",
 * "default-batch". */
const char *token_type_name(enum token_type type);
/** token_type_parse(s, out): also with '_' for '-', and "" for the default; 0 or -1. */
int token_type_parse(const char *s, enum token_type *out);
/** token_take_cidrs(r, field, out): a list of addresses and blocks, checked and as
 * written. *present false: not in the request. */
int token_take_cidrs(struct req *r, const char *field, struct value **out, bool *present)
	MUST_CHECK;
/** token_cidrs_admit(cidrs, remote): is ${remote} in one of the blocks, or the list empty
 * or NULL? */
bool token_cidrs_admit(const struct value *cidrs, const char *remote);
/** token_cidrs_within(inner, outer): is each block of ${inner} inside one of ${outer}, or
 * is ${outer} empty or NULL? */
bool token_cidrs_within(const struct value *inner, const struct value *outer);

/** token_cidrs_common(a, x, y, out): what both lists admit, an empty one admitting all:
 * of two blocks one lies in the other, or they have nothing in common.  False: nothing at
 * all is, *out is not set. */
bool token_cidrs_common(struct arena *a, const struct value *x, const struct value *y,
                        const struct value **out);

/* Rows for the field table of a route. */
/* clang-format off */
#define TOKEN_PARAM_FIELDS \
	{ "token_ttl", "duration", "lifetime of a token" }, \
	{ "token_max_ttl", "duration", "lifetime that no renewal passes" }, \
	{ "token_explicit_max_ttl", "duration", \
	  "the same, fixed when the token is made" }, \
	{ "token_period", "duration", "lifetime that each renewal restores" }, \
	{ "token_num_uses", "int", "how many requests a token is good for; 0: any number" }, \
	{ "token_policies", "strings", "policies of a token" }, \
	{ "token_bound_cidrs", "strings", "where a token may be used" }, \
	{ "token_no_default_policy", "bool", "leave the default policy out" }, \
	{ "token_strictly_bind_ip", "bool", "only where the login came from" }, \
	{ "token_type", "string", \
	  "\"default\", \"service\", \"batch\", \"default-service\" or \"default-batch\"" }
/* clang-format on */

#endif
