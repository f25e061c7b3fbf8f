/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUDIT_TREE_H
#define SERVER_CORE_AUDIT_TREE_H
/*
 * audit_tree - the Merkle tree of the audit log, in tiles of 256 hashes.
 *
 * Level n holds the roots of 256^n leaves.  Level 0 is the column leaf of the records,
 * every other level is rows of audit_tile.  In memory is the last, incomplete tile of
 * each level, which is also what the frontier is made of: opening a log of any length
 * reads at most 255 records and seven tiles.
 */
#include <stdbool.h>
#include <stdint.h>

#include "merkle.h"

struct db;

#define TILE        256u
#define TILE_BITS   8u
#define TREE_LEVELS 8u

struct audit_level {
	unsigned n; /* hashes of the incomplete tile, 0 … 255 */
	bool dirty;
	unsigned char hash[TILE][32];
};

struct audit_tree {
	struct merkle_frontier frontier;
	struct audit_level level[TREE_LEVELS];
};

/** audit_tree_push(t, db, leaf, e): append a leaf; writes the tiles of level 1 and up
 * that it completes. */
int audit_tree_push(struct audit_tree *t, struct db *db, const unsigned char leaf[32],
                    struct err *e) MUST_CHECK;
/** audit_tree_store(t, db, e): write the incomplete tiles of level 1 and up that changed.
 */
int audit_tree_store(struct audit_tree *t, struct db *db, struct err *e) MUST_CHECK;
/** audit_tree_load(t, db, size, e): read the incomplete tiles of level 1 and up.
 * ERR_INTEGRITY names what is missing. */
int audit_tree_load(struct audit_tree *t, struct db *db, uint64_t size, struct err *e)
	MUST_CHECK;
/** audit_tree_ready(t, size): derive the frontier, once the caller has filled level 0. */
void audit_tree_ready(struct audit_tree *t, uint64_t size);

/* Hashes of the stored tree for lib/merkle, with the tile that was read last. */
struct audit_hashes {
	struct merkle_reader reader; /* hand this to merkle_*() */
	const struct audit_tree *tree;
	struct db *db;
	unsigned level;
	uint64_t tile;
	bool cached;
	unsigned char hash[TILE][32];
};

/** audit_hashes_init(h, t, db): ${t} and ${db} are borrowed; ${h} may not move
 * afterwards. */
void audit_hashes_init(struct audit_hashes *h, const struct audit_tree *t, struct db *db);

#endif
