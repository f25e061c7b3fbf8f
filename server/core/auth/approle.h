/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_APPROLE_H
#define SERVER_CORE_APPROLE_H
/*
 * approle - roles for machines, and their secret ids, below the HTTP shape.
 *
 * KIND_APPROLE: id = blind("approle", mount id, name), parent = mount id, tag =
 * blind("approle-role-id", mount id, role id).  Body: {name, role_id, family (32 random
 * bytes), bind_secret_id, cidrs, num_uses, ttl (ms), local, old_policies, old_period} and
 * the token parameters.
 *
 * KIND_SECRET_ID: id = hash of the secret id keyed with the token pepper and bound to the
 * family, parent = the family of its role, tag = blind("secret-id-accessor", family,
 * accessor), due = when it expires.  Body: {accessor, role, mount, created, updated, ttl
 * (ms), uses (0: any number), boot_due, meta, cidrs, token_cidrs}.  A role that is
 * deleted takes its family with it: one of the same name has none of its secret ids.
 */
#include "login.h"
#include "mounts.h"
#include "store.h"
#include "token_params.h"

#define APPROLE_FAMILY 32u

struct approle {
	struct store_object o; /* version 0: not stored yet */
	const char *name, *role_id;
	unsigned char family[APPROLE_FAMILY];
	bool bind_secret_id, local;
	const struct value *cidrs;     /* where logins may come from; array, never NULL */
	int64_t num_uses, ttl_ms;      /* of its secret ids; 0: any number, for ever */
	bool old_policies, old_period; /* given by their old names: read back so, too */
	struct token_params params;
};

/* --- approle.c --- */

/** approle_load(c, a, m, name, out, e): ERR_NOENT leaves a new role in ${out}. */
int approle_load(struct core *c, struct arena *a, const struct mount *m, const char *name,
                 struct approle *out, struct err *e) MUST_CHECK;
/** approle_by_role_id(c, a, m, role_id, out, e): ERR_NOENT. */
int approle_by_role_id(struct core *c, struct arena *a, const struct mount *m,
                       const char *role_id, struct approle *out, struct err *e)
	MUST_CHECK;
/** approle_save(c, a, m, p, e): ERR_INVALID if another role has its role id. */
int approle_save(struct core *c, struct arena *a, const struct mount *m,
                 struct approle *p, struct err *e) MUST_CHECK;
/** approle_delete(c, a, p, e): with its secret ids: none of them is good for anything
 * from then on; if they are many, a job removes them. */
int approle_delete(struct core *c, struct arena *a, const struct approle *p,
                   struct err *e) MUST_CHECK;
/** approle_family(o, out): of a stored role; for who destroys its mount. */
int approle_family(const struct store_object *o, unsigned char out[APPROLE_FAMILY],
                   struct err *e) MUST_CHECK;
/** approle_named(r, out): the role that the path names; ERR_NOENT "role … does not
 * exist". */
int approle_named(struct req *r, struct approle *out) MUST_CHECK;
/** approle_renew(r, m, p): a login_renew_fn: the role must be there. */
int approle_renew(struct req *r, const struct login_memory *m, struct token_params *p)
	MUST_CHECK;

/* --- approle_secret.c --- */

struct approle_secret {
	struct store_object o;
	const char *accessor;
	int64_t created_ms, updated_ms, ttl_ms, uses;
	const struct value *meta;                /* object, never NULL */
	const struct value *cidrs, *token_cidrs; /* arrays, never NULL */
};

/** approle_secret_new(c, a, m, role, text, s, e): store ${s}; accessor and times are set
 * here.  ERR_INVALID if there is such a secret id. */
int approle_secret_new(struct core *c, struct arena *a, const struct mount *m,
                       const struct approle *role, const char *text,
                       struct approle_secret *s, struct err *e) MUST_CHECK;
/** approle_secret_find(c, a, role, text, out, e): if it is alive; ERR_NOENT. */
int approle_secret_find(struct core *c, struct arena *a, const struct approle *role,
                        const char *text, struct approle_secret *out, struct err *e)
	MUST_CHECK;
/** approle_secret_by_accessor(…): the same by its accessor. */
int approle_secret_by_accessor(struct core *c, struct arena *a,
                               const struct approle *role, const char *accessor,
                               struct approle_secret *out, struct err *e) MUST_CHECK;
/** approle_secret_alive(c, o): has it not expired? */
bool approle_secret_alive(const struct core *c, const struct store_object *o);
/** approle_secret_use(c, a, s, e): one login less; the last one deletes it. */
int approle_secret_use(struct core *c, struct arena *a, struct approle_secret *s,
                       struct err *e) MUST_CHECK;
/** approle_secrets_drop(c, family, limit, done, e): delete up to ${limit} secret ids. */
int approle_secrets_drop(struct core *c, const unsigned char family[APPROLE_FAMILY],
                         int limit, bool *done, struct err *e) MUST_CHECK;
/** approle_expire_due(c, a, limit, e): called by the timer; a record for each. */
int approle_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
	MUST_CHECK;

/* --- api_approle_secret.c, api_approle_login.c: handlers of the table in api_approle.c
 */

int approle_h_secret_new(struct req *r) MUST_CHECK;
int approle_h_secret_custom(struct req *r) MUST_CHECK;
int approle_h_secret_list(struct req *r) MUST_CHECK;
int approle_h_secret_lookup(struct req *r) MUST_CHECK;
int approle_h_secret_destroy(struct req *r) MUST_CHECK;
int approle_h_accessor_lookup(struct req *r) MUST_CHECK;
int approle_h_accessor_destroy(struct req *r) MUST_CHECK;
int approle_h_login(struct req *r) MUST_CHECK;

/* --- approle_meta.c --- */

/** approle_metadata(a, v, out, e): an object of strings, given as one or as the JSON text
 * of one; ERR_INVALID. */
int approle_metadata(struct arena *a, const struct value *v, struct value **out,
                     struct err *e) MUST_CHECK;

#endif
