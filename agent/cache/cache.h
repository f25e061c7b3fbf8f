/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CACHE_CACHE_H
#define AGENT_CACHE_CACHE_H
/*
 * cache - the last known good values, sealed on disk, for a boot without the vault.
 *
 *   <state_dir>/cache/<digest of host and path>     one secret each
 *   <state_dir>/cache/index                         when the vault was last heard
 *   = magic || u64 version || nonce || XChaCha20-Poly1305(key, body; host id, version,
 * name)
 *
 * The key is derived from the host's box key, so the files say nothing without the
 * identity, and nothing to another host.  Each file is replaced as a whole and synced.
 *
 * What a file says is taken only if it is not older than what the floor (floor.h)
 * remembers of the secret, and the vault has not taken it away since: an older copy that
 * somebody puts back is refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/floor.h"
#include "agent/identity.h"
#include "arena.h"
#include "err.h"
#include "value.h"

#define CACHE_DIR "cache"

struct cache;

/* A secret as it was delivered. */
struct cache_record {
	const char *lease_id;
	int64_t version, rev;
	int64_t expires;              /* of the lease, wall clock; 0: it does not end */
	const struct value *data;     /* object of fields */
	const struct value *metadata; /* for templates, or NULL */
};

/* What holds for all of them. */
struct cache_index {
	int64_t heard; /* when the vault last said a word, wall clock */
	const struct value
		*names; /* object: what templates call secrets, and their paths */
};

/** cache_open(state_dir, id, out, e): makes the directory if it is missing.  ${state_dir}
 * and ${id} are borrowed. */
int cache_open(const char *state_dir, const struct identity *id, struct cache **out,
               struct err *e) MUST_CHECK;
/** cache_close(c): NULL is allowed. */
void cache_close(struct cache *c);

/** cache_put(c, path, r, e): replace what is kept of a secret. */
int cache_put(struct cache *c, const char *path, const struct cache_record *r,
              struct err *e) MUST_CHECK;

/** cache_keep_good(c, path): what is kept is good, as far as is known: it outlives the
 * next cache_put() until cache_verdict(). */
void cache_keep_good(struct cache *c, const char *path);
/** cache_verdict(c, path, good): the newest was found ${good}; otherwise what was kept as
 * good takes its place. */
void cache_verdict(struct cache *c, const char *path, bool good);

/** cache_version(c, path): the version that seems to be kept, not verified; 0: none. */
int64_t cache_version(const struct cache *c, const char *path);

/**
 * cache_get(c, a, path, low, out, e): what is kept, in ${a}.  ${low} is what the floor
 * says of the secret, NULL if it knows nothing.  ERR_NOENT: nothing is kept;
 * ERR_INTEGRITY: damaged, of another host, older than what was delivered, or taken away.
 */
int cache_get(const struct cache *c, struct arena *a, const char *path,
              const struct floor_lease *low, struct cache_record *out, struct err *e)
	MUST_CHECK;

/** cache_put_index(c, i, e), cache_get_index(c, a, out, e): as above. */
int cache_put_index(struct cache *c, const struct cache_index *i, struct err *e)
	MUST_CHECK;
int cache_get_index(const struct cache *c, struct arena *a, struct cache_index *out,
                    struct err *e) MUST_CHECK;

/** cache_drop(c, path): keep nothing of a secret. */
void cache_drop(struct cache *c, const char *path);

/** cache_sweep(c, wanted, ctx, n): remove what is not of the paths wanted(ctx, i), i < n
 * (NULL: not wanted either). */
void cache_sweep(struct cache *c, const char *(*wanted)(void *ctx, size_t i), void *ctx,
                 size_t n);

/** cache_wipe(state_dir): remove all of it: after a new join, or on the vault's order. */
void cache_wipe(const char *state_dir);

/** cache_reseal(c, path, e): seal again with the newest key what an older one sealed;
 * ERR_OK if there is nothing.  NULL for ${path} is the index. */
int cache_reseal(struct cache *c, const char *path, struct err *e) MUST_CHECK;

#endif
