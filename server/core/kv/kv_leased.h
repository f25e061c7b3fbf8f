/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KV_LEASED_H
#define SERVER_CORE_KV_LEASED_H
/*
 * kv_leased - the values that leases are on: secrets with versions (KV version 2,
 * databases), and entries of KV version 1.
 *
 * The version of an entry is how often it was written.  It begins anew, as that of a
 * secret does, when what was there before was deleted for good.
 */
#include "mounts.h"
#include "req.h"

struct kv_leased {
	unsigned char id[32]; /* by which leases know it */
	const char *path;     /* full: "secret/app/db" */
	int64_t version;
	struct value *data;
	struct value *metadata; /* what a read shows beside the data; NULL: nothing */
};

/** kv_leased_on(m, rest): is ${rest} of the mount (may be NULL) such a value, or the
 * beginning of one? */
bool kv_leased_on(const struct mount *m, const char *rest);
/** kv_leased_id(c, path, id, e): by which leases know what is, or may be, at the full
 * ${path}.  ERR_INVALID: nothing can be leased there. */
int kv_leased_id(struct core *c, const char *path, unsigned char id[32], struct err *e)
	MUST_CHECK;
/** kv_leased_find(c, a, path, out, e): what is there now.  ERR_INVALID, ERR_NOENT. */
int kv_leased_find(struct core *c, struct arena *a, const char *path,
                   struct kv_leased *out, struct err *e) MUST_CHECK;
/** kv_leased_open(c, a, id, out, e): the same by its id. */
int kv_leased_open(struct core *c, struct arena *a, const unsigned char id[32],
                   struct kv_leased *out, struct err *e) MUST_CHECK;
/** kv_leased_version(c, a, id, version, data, e): what one version holds or held;
 * ERR_NOENT: it is gone, or there are no versions. */
int kv_leased_version(struct core *c, struct arena *a, const unsigned char id[32],
                      int64_t version, struct value **data, struct err *e) MUST_CHECK;

#endif
