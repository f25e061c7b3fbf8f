/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrap.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "db.h"
#include "log.h"
#include "store_row.h"
#include "vault/limits.h"

#define SLICE_ROWS  128
#define SLICE_BYTES (512u * 1024)
#define SLICE_MS    2
#define SCRATCH_MAX (64u * 1024 * 1024)
#define BODY_AT     32

struct slice {
	struct core *c;
	struct arena *a; /* for one row */
	struct rewrap_place *at;
	size_t bytes;
};

static bool is_old(const struct core *c, const void *sealed, size_t n)
{
	uint32_t term = 0;

	return envelope_term(sealed, n, &term) != 0 || term != keyring_active(c->keys);
}

static void *copy(struct arena *a, const void *p, size_t n)
{
	return p != NULL ? arena_dup(a, p, n) : NULL;
}

/* ---- objects ---- */

/* The next row behind the place, copied: the statement is done when it is changed. */
static int next_object(struct slice *s, struct store_row *row, bool *found, struct err *e)
{
	STMT_AUTO st = db_stmt(s->c->db, STMT_OBJECT_SCAN);
	int rc;

	db_bind_int(st, 1, s->at->kind);
	db_bind_blob(st, 2, s->at->id, s->at->id_len);
	db_bind_int(st, 3, 1);
	if ((rc = db_step(st, found, e)) != ERR_OK || !*found)
		return rc;
	row_of_columns(st, row);
	row->id = copy(s->a, row->id, row->id_len);
	row->parent = copy(s->a, row->parent, row->parent_len);
	row->tag = copy(s->a, row->tag, row->tag_len);
	row->sealed = copy(s->a, row->sealed, row->sealed_len);
	return arena_failed(s->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* An identity that nothing of ours has: what follows it in its table is passed over. */
static int odd_id(struct rewrap_place *at, size_t n, struct err *e)
{
	memset(at->id, 0xff, sizeof(at->id));
	at->id_len = sizeof(at->id);
	at->version = INT64_MAX;
	return err_set(e, ERR_INTEGRITY, "a row has an id of %zu bytes", n);
}

static int update_object(struct core *c, const struct store_row *row, struct err *e)
{
	struct stmt *st = db_stmt(c->db, STMT_OBJECT_RESEAL);
	int rc;

	db_bind_blob(st, 1, row->sealed, row->sealed_len);
	db_bind_int(st, 2, row->kind);
	db_bind_blob(st, 3, row->id, row->id_len);
	db_bind_int(st, 4, row->version);
	if ((rc = db_run(st, e)) == ERR_OK && db_changes(c->db) != 1)
		return err_set(e, ERR_DB, "an object was not sealed anew");
	return rc;
}

static int reseal_object(struct slice *s, struct store_row *row, struct err *e)
{
	size_t n = row->sealed_len - ENVELOPE_OVERHEAD;
	unsigned char before[STATE_MAC], after[STATE_MAC], *buf;
	struct aad aad;
	int rc;

	if (row->sealed_len < ENVELOPE_OVERHEAD ||
	    (buf = arena_alloc(s->a, row->sealed_len)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = row_open(s->c, row, buf + BODY_AT, e)) != ERR_OK)
		return rc;
	state_digest_row(s->c, row, before);
	row_aad(s->c, row, &aad);
	seal_under_kek(s->c, SEAL_OBJECT, &aad, buf + BODY_AT, n, buf);
	row->sealed = buf;
	if ((rc = update_object(s->c, row, e)) != ERR_OK)
		return rc;
	state_digest_row(s->c, row, after);
	state_row_changed(s->c, row, before, after);
	return ERR_OK;
}

static int one_object(struct slice *s, struct err *e)
{
	struct store_row row = { 0 };
	bool found;
	int rc = next_object(s, &row, &found, e);

	if (rc != ERR_OK)
		return rc;
	if (!found) {
		*s->at = (struct rewrap_place){ .payloads = true,
			                        .damaged = s->at->damaged };
		return ERR_OK;
	}
	s->at->kind = row.kind;
	if (row.id_len > STORE_ID_MAX)
		return odd_id(s->at, row.id_len, e);
	s->at->id_len = row.id_len;
	memcpy(s->at->id, row.id, row.id_len);
	s->bytes += row.sealed_len;
	/* The state's head is sealed anew with every batch that changes something. */
	if (row.kind == KIND_CONSISTENCY || !is_old(s->c, row.sealed, row.sealed_len))
		return ERR_OK;
	return reseal_object(s, &row, e);
}

/* ---- payloads ---- */

static int next_payload(struct slice *s, struct payload_row *row, bool *found,
                        struct err *e)
{
	STMT_AUTO st = db_stmt(s->c->db, STMT_PAYLOAD_SCAN);
	size_t id_len;
	int rc;

	db_bind_blob(st, 1, s->at->id, s->at->id_len);
	db_bind_int(st, 2, s->at->version);
	db_bind_int(st, 3, 1);
	if ((rc = db_step(st, found, e)) != ERR_OK || !*found)
		return rc;
	row->secret = db_blob(st, 0, &id_len);
	if (id_len != 32)
		return odd_id(s->at, id_len, e);
	row->secret = copy(s->a, row->secret, 32);
	row->version = db_int(st, 1);
	row->wrapped = db_blob(st, 2, &row->wrapped_len);
	row->wrapped = copy(s->a, row->wrapped, row->wrapped_len);
	row->sealed = db_blob(st, 3, &row->sealed_len);
	row->sealed = copy(s->a, row->sealed, row->sealed_len);
	return arena_failed(s->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static int update_payload(struct core *c, const struct payload_row *row, struct err *e)
{
	struct stmt *st = db_stmt(c->db, STMT_PAYLOAD_REWRAP);
	int rc;

	db_bind_blob(st, 1, row->wrapped, row->wrapped_len);
	db_bind_blob(st, 2, row->secret, 32);
	db_bind_int(st, 3, row->version);
	if ((rc = db_run(st, e)) == ERR_OK && db_changes(c->db) != 1)
		return err_set(e, ERR_DB, "a data key was not wrapped anew");
	return rc;
}

static int rewrap_payload(struct slice *s, struct payload_row *row, struct err *e)
{
	unsigned char before[STATE_MAC], after[STATE_MAC];
	unsigned char *wrapped = arena_alloc(s->a, row->wrapped_len);
	int rc;

	if (wrapped == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	state_digest_payload(s->c, row, before);
	if ((rc = payload_rewrap(s->c, row, wrapped, e)) != ERR_OK)
		return rc;
	row->wrapped = wrapped;
	if ((rc = update_payload(s->c, row, e)) != ERR_OK)
		return rc;
	state_digest_payload(s->c, row, after);
	state_payload_changed(s->c, row, before, after);
	return ERR_OK;
}

static int one_payload(struct slice *s, bool *done, struct err *e)
{
	struct payload_row row = { 0 };
	bool found;
	int rc = next_payload(s, &row, &found, e);

	if (rc != ERR_OK)
		return rc;
	*done = !found;
	if (!found)
		return ERR_OK;
	memcpy(s->at->id, row.secret, 32);
	s->at->id_len = 32;
	s->at->version = row.version;
	s->bytes += row.sealed_len;
	return is_old(s->c, row.wrapped, row.wrapped_len) ? rewrap_payload(s, &row, e)
	                                                  : ERR_OK;
}

int rewrap_slice(struct core *c, struct rewrap_place *at, bool *done, struct err *e)
{
	AUTO_ARENA a = arena_new(SCRATCH_MAX);
	struct slice s = { .c = c, .a = a, .at = at };
	int64_t until = clock_boot(c->clock) + SLICE_MS;
	int rc = a != NULL ? state_ready(c, e) : err_set(e, ERR_NOMEM, "out of memory");

	*done = false;
	for (int n = 0; rc == ERR_OK && !*done && n < SLICE_ROWS; n++) {
		if (s.bytes >= SLICE_BYTES ||
		    (n % 16 == 15 && clock_boot(c->clock) >= until))
			break;
		rc = at->payloads ? one_payload(&s, done, e) : one_object(&s, e);
		if (rc == ERR_INTEGRITY) { /* told apart before anything was written */
			log_error("a row was not sealed anew", LOG_S("cause", e->msg));
			at->damaged++;
			rc = ERR_OK;
		}
		arena_reset(a);
	}
	return rc;
}
