/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TARGET_H
#define SERVER_CORE_TARGET_H
/*
 * target - a system whose credentials are rotated: which rotator reaches it, how, and
 * with whose rights.
 *
 * KIND_TARGET: id = blind("target", owner, name), parent = owner: 16 zero bytes for the
 * targets of sys/rotation/targets, else the id of a database mount, whose configurations
 * are targets with settings of their own in ${extra}.
 *
 * The administrator's credential is either part of the target, or a secret in the vault
 * (admin_secret), read when a step needs it, so that it can be rotated like any other.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "step.h"
#include "store.h"

#define TARGET_OWNER      16u
#define TARGET_NAME_MAX   128u
#define TARGET_FAILS      3                  /* failed logins … */
#define TARGET_FAILS_MS   (10ll * 60 * 1000) /* … in this time; then it is left alone */
#define TARGET_TIMEOUT_MS 20000
#define TARGET_AT_ONCE    1 /* rotations, unless configured */
#define TARGET_CONFIG_MAX 65536u

struct target {
	struct store_object o; /* version 0: not stored */
	const char *name;
	const char *rotator;
	const struct value *config; /* object, for the rotator; never NULL */
	const struct value *admin;  /* object of strings, or NULL */
	unsigned char admin_secret[32];
	bool has_admin_secret;
	int64_t timeout_ms;           /* of one call */
	int64_t at_once;              /* rotations that may run at the same time */
	const struct value *describe; /* what the rotator says of itself, or NULL */
	const struct value *extra;    /* the owner's own settings, or NULL */
	int64_t fails[TARGET_FAILS];  /* when logins failed, newest last; 0: none */
	bool archived;                /* removed, kept for what still hangs on it */
};

extern const unsigned char target_sys_owner[TARGET_OWNER];

/** target_id(c, owner, name, out): its id. */
void target_id(struct core *c, const unsigned char owner[TARGET_OWNER], const char *name,
               unsigned char out[32]);
/** target_read(a, o, out, e), target_load(c, a, id, out, e): ERR_NOENT, ERR_INTEGRITY.
 * target_find(c, a, owner, name, out, e): the same by name; with ERR_NOENT ${out} is
 * filled so that target_save() makes it. */
int target_read(struct arena *a, const struct store_object *o, struct target *out,
                struct err *e) MUST_CHECK;
int target_load(struct core *c, struct arena *a, const unsigned char id[32],
                struct target *out, struct err *e) MUST_CHECK;
int target_find(struct core *c, struct arena *a, const unsigned char owner[TARGET_OWNER],
                const char *name, struct target *out, struct err *e) MUST_CHECK;
int target_save(struct core *c, struct arena *a, struct target *t, struct err *e)
	MUST_CHECK;

/** target_admin(c, a, t, out, e): the credential of its administrator: an object of
 * strings, or V_NULL if it has none.  ERR_INVALID: the secret that should hold it is
 * gone. */
int target_admin(struct core *c, struct arena *a, const struct target *t,
                 struct value **out, struct err *e) MUST_CHECK;

/** target_spares_admin(c, a, t, accounts, secret, e): ERR_INVALID if the administrator is
 * one of ${accounts} (may be NULL), and logs in with another credential than that of
 * ${secret}: it would be locked out by the first rotation. */
int target_spares_admin(struct core *c, struct arena *a, const struct target *t,
                        const struct value *accounts, const unsigned char secret[32],
                        struct err *e) MUST_CHECK;

/** target_failed(c, t): a login failed: count it (target_save() follows).
 * target_wait_ms(c, t): how long it has to be left alone, so that nobody is locked out;
 * 0: not at all. */
void target_failed(const struct core *c, struct target *t);
int64_t target_wait_ms(const struct core *c, const struct target *t);

/** target_request(a, t, op): the beginning of a request to its rotator: {v, op, config},
 * with ${overlay} (may be NULL) laid over the target's configuration. */
struct value *target_request(struct arena *a, const struct target *t, const char *op,
                             const struct value *overlay);

/* A connection URL without what nobody may read back. */
struct target_url {
	const char *url;             /* with Vault's placeholders in their place */
	const char *user, *password; /* what was there; NULL: none, or a placeholder */
};
/** target_url_take(a, url, out, e): ERR_INVALID if a password stands where it cannot be
 * taken out. */
int target_url_take(struct arena *a, const char *url, struct target_url *out,
                    struct err *e) MUST_CHECK;

/** target_allows(t, strategy): does its rotator say that it can do that?  True while it
 * has not been asked. */
bool target_allows(const struct target *t, const char *strategy);
/** target_can(t, op): has its rotator this operation? */
bool target_can(const struct target *t, const char *op);
/** target_permits(a, t, path, accounts, e): may the secret at ${path} name it for these
 * accounts (array, or NULL: none)?  ERR_DENIED.  Its owner decides for a database's. */
int target_permits(struct arena *a, const struct target *t, const char *path,
                   const struct value *accounts, struct err *e) MUST_CHECK;
/** target_in_use(c, a, id, used, e): does a rotation rule name it? */
int target_in_use(struct core *c, struct arena *a, const unsigned char id[32], bool *used,
                  struct err *e) MUST_CHECK;

#endif
