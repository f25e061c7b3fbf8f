/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MOUNTS_H
#define SERVER_CORE_MOUNTS_H
/*
 * mounts - what is served where: secret engines at "kv/", auth methods at "auth/NAME/".
 *
 * All mounts are mirrored in memory, in order of path, from unseal to seal; while sealed
 * only the built-in ones are known.  No mount's path is a prefix of another's.  What an
 * engine stores hangs on the id of its mount, never on the path: a mount can be moved,
 * and a name can be used again while the data of its last holder are still destroyed.
 *
 * A struct mount never changes: a change puts another one in its place.  One that was
 * replaced or removed lives until the replies of the batch are out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"

#define MOUNT_ID               16u
#define MOUNT_PATH_MAX         256u /* "team/kv/", with "auth/" of an auth method */
#define MOUNT_DESCRIPTION_MAX  1024u
#define MOUNT_TTL_SYSTEM_MS    (2764800ll * 1000) /* default and maximum */
#define MOUNT_LOCKOUT_ATTEMPTS 5                  /* failed logins, unless tuned */
#define MOUNT_LOCKOUT_MS       (15ll * 60 * 1000)

/* An object as value_pack() writes it; value_encoded() puts it into a reply. */
struct mount_packed {
	const unsigned char *p;
	size_t n; /* 0: there is none */
};

/* user_lockout_config of a method with user names. */
struct mount_lockout {
	bool set; /* it was tuned: shown; the numbers below hold either way */
	bool disabled;
	int64_t attempts;    /* failed logins that lock a name */
	int64_t duration_ms; /* how long it stays locked */
	int64_t reset_ms;    /* how long failed logins are remembered */
};

struct mount_config {
	int64_t default_ttl_ms, max_ttl_ms; /* 0: the system's */
	bool force_no_cache;
	const char *listing; /* listing_visibility: "", "hidden", "unauth" */
	const char
		*token_type; /* of an auth method: "default-service", "service", …; "" */
	struct mount_lockout lockout;
	struct mount_packed
		lists; /* {audit_non_hmac_request_keys: [...], …}, those set */
};

struct mount {
	unsigned char id[MOUNT_ID];
	const char *path;   /* "secret/", "auth/approle/" */
	const char *type;   /* on the wire: "kv", "system", "approle" … */
	const char *engine; /* what rows of the route table name: "kv" (version 2), "kv1",
	                       "cubbyhole", "token", "host", "approle", "system" … */
	int kv_version;     /* 0: not KV */
	bool upgrading;     /* its KV version 1 entries become version 2 right now */
	bool local, seal_wrap, external_entropy; /* shown as they were given */
	const char *accessor, *uuid, *description;
	struct mount_packed options; /* object of strings */
	struct mount_config config;
};

/** mounts_load(c, e), mounts_free(c): the mirror, at unseal and seal. */
int mounts_load(struct core *c, struct err *e) MUST_CHECK;
void mounts_free(struct core *c);
/** mounts_create_kv(c, path, e): a KV version 2 mount, for a new vault. */
int mounts_create_kv(struct core *c, const char *path, struct err *e) MUST_CHECK;

/** mounts_match(c, path, rest): the mount that serves ${path}; *rest is what follows its
 * path.  NULL if none.  Works while sealed for the built-in ones. */
const struct mount *mounts_match(struct core *c, const char *path, const char **rest);
/** mounts_at(c, path): the mount whose path is exactly ${path}, or NULL. */
const struct mount *mounts_at(struct core *c, const char *path);
/** mounts_by_id(c, id): NULL if it is gone (or the vault is sealed). */
const struct mount *mounts_by_id(const struct core *c, const unsigned char id[MOUNT_ID]);
/** mounts_each(c, fn, ctx): all, in order of path. */
void mounts_each(struct core *c, void (*fn)(void *ctx, const struct mount *m), void *ctx);
/** mounts_unsealed_ms(c): boot clock when the vault was unsealed, 0 while sealed. */
int64_t mounts_unsealed_ms(const struct core *c);

/** mount_is_auth(m): is it an auth method ("auth/…")? */
bool mount_is_auth(const struct mount *m);
/** mount_built_in(m): one that is always there: cannot be unmounted or moved. */
bool mount_built_in(const struct mount *m);
/** mount_default_ttl(m), mount_max_ttl(m): milliseconds that hold: its own, or the
 * system's. */
int64_t mount_default_ttl(const struct mount *m);
int64_t mount_max_ttl(const struct mount *m);

#endif
