/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LEAK_H
#define SERVER_CORE_LEAK_H
/*
 * leak - packs, by which a scanner recognises the vault's values without being told them
 * (lib/leaktag.h, docs/leak-packs.md).
 *
 * A pack has a random name of 16 bytes; its key is derived from that name, so that the
 * pages of a pack are asked for one by one and nothing is kept.  An entry's id is the
 * place of its value, sealed: only core reads it, when somebody asks what was found.
 */
#include "core.h"
#include "leaktag.h"
#include "req.h"
#include "store.h"

#define LEAK_PACK_ID  16u
#define LEAK_PACK_TTL (24ll * 3600 * 1000) /* how long a scanner takes one for good */

/* Where a value is: the n-th text in what a version holds. */
struct leak_place {
	enum store_kind kind; /* KIND_SECRET or KIND_ENTRY */
	unsigned char row[32];
	int64_t version;
	unsigned leaf;
};

/** leak_pack_key(c, pack, out): what a pack of that name carries as its key. */
void leak_pack_key(struct core *c, const unsigned char pack[LEAK_PACK_ID],
                   unsigned char out[LEAK_KEY_BYTES]);
/** leak_id_seal(c, p, out), leak_id_open(c, id, out): the latter -1 for what core has not
 * sealed. */
void leak_id_seal(struct core *c, const struct leak_place *p, unsigned char id[LEAK_ID]);
int leak_id_open(struct core *c, const unsigned char id[LEAK_ID], struct leak_place *out);

/* Texts in what a version holds, in the order in which they are written. */
struct leak_leaf {
	const char *text; /* without white space at its end */
	size_t n;
	unsigned index;
};
/** leak_leaves(data, fn, ctx): each text of ${data}; fn() returns ERR_OK to go on. */
typedef int (*leak_leaf_fn)(void *ctx, const struct leak_leaf *l);
int leak_leaves(const struct value *data, leak_leaf_fn fn, void *ctx);
/** leak_leaf_name(a, data, index): "db.password", how a reader finds that text; NULL if
 * there is none. */
char *leak_leaf_name(struct arena *a, const struct value *data, unsigned index);
/** leak_is_public(p, n): certificates and public keys, which are no secrets. */
bool leak_is_public(const char *p, size_t n);

#endif
