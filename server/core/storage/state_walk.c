/* SPDX-License-Identifier: Apache-2.0 */
/* state_walk - all live rows in order, opened and digested: what the state MAC must be.
 */
#include <string.h>

#include "arena.h"
#include "db.h"
#include "store_row.h"

#define ARENA_MAX (64u * 1024 * 1024) /* of one row */

static int walk_row(const struct core *c, struct state_walk *w,
                    const struct store_row *row, struct arena *a, struct err *e)
{
	unsigned char digest[STATE_MAC], *plain;
	int rc;

	if (row->id_len > sizeof(w->id))
		return err_set(e, ERR_INTEGRITY, "an object has an id of %zu bytes",
		               row->id_len);
	w->kind = row->kind;
	w->id_len = row->id_len;
	if (row->id_len > 0)
		memcpy(w->id, row->id, row->id_len);
	if (row->kind == KIND_CONSISTENCY)
		return ERR_OK;
	plain = arena_alloc(a, row->sealed_len + 1);
	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = row_open(c, row, plain, e)) != ERR_OK)
		return rc;
	state_digest_row(c, row, digest);
	state_xor(w->mac, digest);
	w->kinds[state_kind(row->kind)]++;
	w->rows++;
	return ERR_OK;
}

static int walk_objects(const struct core *c, struct db *db, struct state_walk *w,
                        int limit, struct arena *a, struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_OBJECT_SCAN);
	struct store_row row;
	bool more;
	int rc, seen = 0;

	const unsigned char *after = w->id;
	unsigned char from[STORE_ID_MAX];

	memcpy(from, after, sizeof(from));
	db_bind_int(st, 1, w->kind);
	db_bind_blob(st, 2, from, w->id_len);
	db_bind_int(st, 3, limit);
	while ((rc = db_step(st, &more, e)) == ERR_OK && more) {
		row_of_columns(st, &row);
		if ((rc = walk_row(c, w, &row, a, e)) != ERR_OK)
			return rc;
		arena_reset(a);
		seen++;
	}
	if (rc == ERR_OK && seen < limit) {
		w->payloads = true;
		w->id_len = 0;
		w->version = 0;
	}
	return rc;
}

static int walk_payload(const struct core *c, struct state_walk *w, struct stmt *st,
                        struct arena *a, struct err *e)
{
	unsigned char digest[STATE_MAC];
	struct payload_row row = { .version = db_int(st, 1) };
	size_t id_len;
	int rc;

	row.secret = db_blob(st, 0, &id_len);
	row.wrapped = db_blob(st, 2, &row.wrapped_len);
	row.sealed = db_blob(st, 3, &row.sealed_len);
	if (id_len != 32)
		return err_set(e, ERR_INTEGRITY, "a payload has an id of %zu bytes",
		               id_len);
	if ((rc = payload_check(c, a, &row, e)) != ERR_OK)
		return rc;
	memcpy(w->id, row.secret, 32);
	w->id_len = 32;
	w->version = row.version;
	state_digest_payload(c, &row, digest);
	state_xor(w->mac, digest);
	w->kinds[KIND__MAX]++;
	w->rows++;
	return ERR_OK;
}

static int walk_payloads(const struct core *c, struct db *db, struct state_walk *w,
                         int limit, struct arena *a, bool *done, struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_PAYLOAD_SCAN);
	unsigned char from[STORE_ID_MAX];
	bool more;
	int rc, seen = 0;

	memcpy(from, w->id, sizeof(from));
	db_bind_blob(st, 1, from, w->id_len);
	db_bind_int(st, 2, w->version);
	db_bind_int(st, 3, limit);
	while ((rc = db_step(st, &more, e)) == ERR_OK && more) {
		if ((rc = walk_payload(c, w, st, a, e)) != ERR_OK)
			return rc;
		arena_reset(a);
		seen++;
	}
	*done = rc == ERR_OK && seen < limit;
	return rc;
}

int state_walk_step(const struct core *c, struct db *db, struct state_walk *w, int limit,
                    bool *done, struct err *e)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);

	*done = false;
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->active = true;
	return w->payloads ? walk_payloads(c, db, w, limit, a, done, e)
	                   : walk_objects(c, db, w, limit, a, e);
}
