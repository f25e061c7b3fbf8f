/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_tree.h"

#include <string.h>

#include "db.h"

/* Number of the incomplete tile of a level. */
static uint64_t last_tile(uint64_t size, unsigned level)
{
	unsigned bits = TILE_BITS * (level + 1);

	return bits < 64 ? size >> bits : 0;
}

static int tile_put(struct db *db, unsigned level, uint64_t tile,
                    const struct audit_level *l, struct err *e)
{
	struct stmt *st = db_stmt(db, STMT_TILE_PUT);

	db_bind_int(st, 1, level);
	db_bind_int(st, 2, (int64_t)tile);
	db_bind_blob(st, 3, l->hash, (size_t)l->n * MERKLE_HASH);
	return db_run(st, e);
}

/* Append to a level; a tile that becomes complete is written and makes room. */
static int level_push(struct audit_tree *t, struct db *db, unsigned level,
                      const unsigned char hash[32], struct err *e)
{
	struct audit_level *l = &t->level[level];
	int rc = ERR_OK;

	memcpy(l->hash[l->n++], hash, MERKLE_HASH);
	l->dirty = true;
	if (l->n < TILE)
		return ERR_OK;
	if (level > 0)
		rc = tile_put(db, level, last_tile(t->frontier.size, level) - 1, l, e);
	l->n = 0;
	l->dirty = false;
	return rc;
}

int audit_tree_push(struct audit_tree *t, struct db *db, const unsigned char leaf[32],
                    struct err *e)
{
	unsigned char made[MERKLE_LEVELS][MERKLE_HASH];
	unsigned top = merkle_push(&t->frontier, leaf, made);
	int rc;

	for (unsigned level = 0; level < TREE_LEVELS && level * TILE_BITS <= top; level++)
		if ((rc = level_push(t, db, level, made[level * TILE_BITS], e)) != ERR_OK)
			return rc;
	return ERR_OK;
}

int audit_tree_store(struct audit_tree *t, struct db *db, struct err *e)
{
	int rc;

	for (unsigned level = 1; level < TREE_LEVELS; level++) {
		struct audit_level *l = &t->level[level];

		if (!l->dirty)
			continue;
		if ((rc = tile_put(db, level, last_tile(t->frontier.size, level), l,
		                   e)) != ERR_OK)
			return rc;
		l->dirty = false;
	}
	return ERR_OK;
}

static int tile_get(struct db *db, unsigned level, uint64_t tile, unsigned want,
                    unsigned char (*out)[32], struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_TILE_GET);
	const void *p;
	bool row;
	size_t n;
	int rc;

	db_bind_int(st, 1, level);
	db_bind_int(st, 2, (int64_t)tile);
	if ((rc = db_step(st, &row, e)) != ERR_OK)
		return rc;
	p = row ? db_blob(st, 0, &n) : NULL;
	if (p == NULL || n < (size_t)want * MERKLE_HASH || n > (size_t)TILE * MERKLE_HASH)
		return err_set(e, ERR_INTEGRITY,
		               "audit log: tile %llu of level %u is missing or damaged",
		               (unsigned long long)tile, level);
	memcpy(out, p, (size_t)want * MERKLE_HASH);
	return ERR_OK;
}

int audit_tree_load(struct audit_tree *t, struct db *db, uint64_t size, struct err *e)
{
	int rc;

	for (unsigned level = 1; level < TREE_LEVELS; level++) {
		struct audit_level *l = &t->level[level];

		l->n = (unsigned)(size >> level * TILE_BITS & (TILE - 1));
		l->dirty = false;
		if (l->n != 0 && (rc = tile_get(db, level, last_tile(size, level), l->n,
		                                l->hash, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

void audit_tree_ready(struct audit_tree *t, uint64_t size)
{
	t->frontier.size = size;
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		const struct audit_level *l = &t->level[level / TILE_BITS];
		unsigned bit = level % TILE_BITS;

		if ((size >> level & 1) != 0)
			merkle_fold(l->hash + (l->n >> (bit + 1) << (bit + 1)),
			            (size_t)1 << bit, t->frontier.node[level]);
	}
}

static int leaves_get(struct db *db, uint64_t tile, unsigned char (*out)[32],
                      struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_AUDIT_LEAVES);
	int64_t first = (int64_t)(tile * TILE);
	const void *p;
	bool row;
	size_t n;
	int rc;

	db_bind_int(st, 1, first);
	db_bind_int(st, 2, first + (int64_t)TILE);
	for (unsigned i = 0; i < TILE; i++) {
		if ((rc = db_step(st, &row, e)) != ERR_OK)
			return rc;
		p = row && db_int(st, 0) == first + (int64_t)i ? db_blob(st, 1, &n)
		                                               : NULL;
		if (p == NULL || n != MERKLE_HASH)
			return err_set(e, ERR_INTEGRITY,
			               "audit log: record %lld is missing",
			               (long long)first + i);
		memcpy(out[i], p, MERKLE_HASH);
	}
	return ERR_OK;
}

/* The hashes of a tile: in memory if it is the last one of its level. */
static int tile_find(struct audit_hashes *h, unsigned level, uint64_t tile,
                     const unsigned char (**out)[32], struct err *e)
{
	int rc;

	*out = h->hash;
	if (tile == last_tile(h->tree->frontier.size, level)) {
		*out = h->tree->level[level].hash;
		return ERR_OK;
	}
	if (h->cached && h->level == level && h->tile == tile)
		return ERR_OK;
	h->cached = false;
	rc = level == 0 ? leaves_get(h->db, tile, h->hash, e)
	                : tile_get(h->db, level, tile, TILE, h->hash, e);
	if (rc != ERR_OK)
		return rc;
	h->cached = true;
	h->level = level;
	h->tile = tile;
	return ERR_OK;
}

static int read_hash(void *ctx, unsigned level, uint64_t index, unsigned char out[32],
                     struct err *e)
{
	struct audit_hashes *h = ctx;
	unsigned bit = level % TILE_BITS;
	uint64_t first = index << bit;
	const unsigned char(*hash)[32];
	int rc;

	if ((rc = tile_find(h, level / TILE_BITS, first / TILE, &hash, e)) != ERR_OK)
		return rc;
	merkle_fold(hash + first % TILE, (size_t)1 << bit, out);
	return ERR_OK;
}

void audit_hashes_init(struct audit_hashes *h, const struct audit_tree *t, struct db *db)
{
	memset(h, 0, sizeof(*h));
	h->reader.read = read_hash;
	h->reader.ctx = h;
	h->tree = t;
	h->db = db;
}
