/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ENTRY_H
#define SERVER_CORE_ENTRY_H
/*
 * entry - unversioned values under a path: KV version 1, and cubbyholes.
 *
 * KIND_ENTRY: id = blind("entry", space, path), parent = blind("dir", space, folder);
 * folders are those of kv_impl.h.  Body:
 *
 *   p   path within the space     m   the space (16 bytes)
 *   n   how often it was written  u   last written (ms)
 *   t   how often readers should look again (ms), from its member "ttl" or "lease"
 *
 * The value is a payload of its own, bound to n and u: listing a folder opens the names
 * in it and never a value, and a value that was replaced or deleted loses its data key.
 */
#include <stdbool.h>
#include <stdint.h>

#include "kv_impl.h"

struct entry {
	struct store_object o;
	const unsigned char *space; /* KV_SPACE bytes, borrowed */
	const char *path;
	int64_t writes, updated_ms;
	int64_t ttl_ms; /* what its member "ttl" or "lease" says; 0: nothing */
};

/** entry_id(c, space, path, out): that an entry at ${path} has. */
void entry_id(struct core *c, const unsigned char space[KV_SPACE], const char *path,
              unsigned char out[32]);
/** entry_open(c, a, space, path, out, e): ERR_NOENT if there is none. */
int entry_open(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
               const char *path, struct entry *out, struct err *e) MUST_CHECK;
/** entry_read(o, out, e): the same of a row that is open already. */
int entry_read(struct arena *a, const struct store_object *o, struct entry *out,
               struct err *e) MUST_CHECK;
/** entry_value(c, a, en, out, n, e): the encoded value. */
int entry_value(struct core *c, struct arena *a, const struct entry *en,
                unsigned char **out, size_t *n, struct err *e) MUST_CHECK;
/** entry_write(c, a, space, path, data, e): make or replace it, and tell holders of
 * leases; ERR_TOO_BIG. */
int entry_write(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                const char *path, const struct value *data, struct err *e) MUST_CHECK;
/** entry_delete(c, a, en, e): with its folders, if they are empty now; holders of leases
 * are told. */
int entry_delete(struct core *c, struct arena *a, struct entry *en, struct err *e)
	MUST_CHECK;
/** entry_erase(c, en, e): value and row, but not its folders: for who removes all. */
int entry_erase(struct core *c, const struct entry *en, struct err *e) MUST_CHECK;

#endif
