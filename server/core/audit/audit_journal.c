/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_journal - what is recorded while there is no key: plain records in a bounded
 * table, and beyond its bound a count.  At unseal each becomes a record of the log.
 */
#include <string.h>

#include "arena.h"
#include "audit_record.h"
#include "audit_state.h"
#include "db.h"
#include "store.h"
#include "vault/limits.h"

#define DROPPED   "audit_journal_dropped"
#define ARENA_MAX ((size_t)1024 * 1024)

static int count_rows(struct core *c, int64_t *n, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_JOURNAL_COUNT);
	bool row;
	int rc;

	if ((rc = db_step(st, &row, e)) == ERR_OK)
		*n = row ? db_int(st, 0) : 0;
	return rc;
}

int audit_journal_open(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	unsigned char *p;
	size_t n;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = count_rows(c, &c->audit->journal, e)) != ERR_OK)
		return rc;
	rc = meta_get(c->db, a, DROPPED, &p, &n, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc == ERR_OK && n == sizeof(c->audit->dropped))
		memcpy(&c->audit->dropped, p, n);
	return rc;
}

int audit_journal_append(struct core *c, const struct audit_record *r, struct err *e)
{
	struct audit *au = c->audit;
	struct stmt *st;
	unsigned char *p;
	size_t n;
	int rc;

	if (au->journal >= (int64_t)LIMIT_SEALED_JOURNAL) {
		au->dropped++;
		au->dropped_dirty = true;
		return ERR_OK;
	}
	p = audit_buf(c, audit_record_size(r));
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = audit_record_encode(r, c->now_ms, c->boot_ms, p);
	st = db_stmt(c->db, STMT_JOURNAL_ADD);
	db_bind_int(st, 1, au->journal + 1);
	db_bind_blob(st, 2, p, n);
	if ((rc = db_run(st, e)) == ERR_OK)
		au->journal++;
	return rc;
}

int audit_journal_flush(struct core *c, struct err *e)
{
	struct audit *au = c->audit;

	if (!au->dropped_dirty)
		return ERR_OK;
	au->dropped_dirty = false;
	return meta_put(c->db, DROPPED, &au->dropped, sizeof(au->dropped), e);
}

static const char *text_at(struct arena *a, const struct value *rec, enum audit_field at)
{
	const char *s = value_to_cstr(value_at(rec, at), a);

	return s != NULL ? s : "";
}

/* The record as it was made, with a note that says when. */
static int chain_record(struct core *c, struct arena *a, struct value *rec, struct err *e)
{
	struct value *note = value_object(a), *inner = value_at(rec, AUDIT_F_NOTE);
	int64_t status = 0;
	struct audit_record r = {
		.request_id = text_at(a, rec, AUDIT_F_REQUEST_ID),
		.actor_type = text_at(a, rec, AUDIT_F_ACTOR_TYPE),
		.actor = text_at(a, rec, AUDIT_F_ACTOR),
		.accessor = text_at(a, rec, AUDIT_F_ACCESSOR),
		.remote = text_at(a, rec, AUDIT_F_REMOTE),
		.operation = text_at(a, rec, AUDIT_F_OPERATION),
		.path = text_at(a, rec, AUDIT_F_PATH),
		.outcome = text_at(a, rec, AUDIT_F_OUTCOME),
		.error = text_at(a, rec, AUDIT_F_ERROR),
		.note = note,
	};

	(void)value_to_int(value_at(rec, AUDIT_F_STATUS), &status);
	r.status = (int)status;
	value_set_bool(a, note, "journal", true);
	value_set(note, "time_ms", value_copy(a, value_at(rec, AUDIT_F_TIME)));
	value_set(note, "boot_ms", value_copy(a, value_at(rec, AUDIT_F_BOOT)));
	if (inner->type == V_OBJECT)
		value_set(note, "note", value_copy(a, inner));
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory")
	                       : audit_chain(c, &r, e);
}

/* A journal has no signature: what cannot be read is recorded as that, it stops nothing.
 */
static int chain_damaged(struct core *c, struct arena *a, int64_t seq, struct err *e)
{
	struct value *note = value_object(a);
	const struct audit_record r = {
		.actor_type = "system",
		.operation = "journal",
		.outcome = "error",
		.error = errclasses[ERR_INTEGRITY].wire,
		.note = note,
	};

	value_set_bool(a, note, "journal", true);
	value_set_int(a, note, "damaged", seq);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory")
	                       : audit_chain(c, &r, e);
}

static int chain_rows(struct core *c, struct arena *a, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_JOURNAL_ALL);
	bool row;
	int rc;

	while ((rc = db_step(st, &row, e)) == ERR_OK && row) {
		struct value *rec = NULL;
		size_t n = 0;
		const void *p = db_blob(st, 1, &n);
		struct err why;

		arena_reset(a);
		if (audit_record_decode(a, p, n, &rec, &why) == ERR_OK)
			rc = chain_record(c, a, rec, e);
		else
			rc = chain_damaged(c, a, db_int(st, 0), e);
		if (rc != ERR_OK)
			return rc;
	}
	return rc;
}

static int chain_dropped(struct core *c, struct arena *a, struct err *e)
{
	struct audit *au = c->audit;
	struct value *note = value_object(a);
	const struct audit_record r = {
		.actor_type = "system",
		.operation = "aggregate",
		.outcome = "denied",
		.error = errclasses[ERR_SEALED].wire,
		.note = note,
	};
	static const int64_t none = 0;
	int rc;

	value_set_bool(a, note, "journal", true);
	value_set_int(a, note, "count", au->dropped);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = audit_chain(c, &r, e)) != ERR_OK)
		return rc;
	au->dropped = 0;
	au->dropped_dirty = false;
	return meta_put(c->db, DROPPED, &none, sizeof(none), e);
}

int audit_journal_chain(struct core *c, struct err *e)
{
	struct audit *au = c->audit;
	AUTO_ARENA a = arena_new(ARENA_MAX);
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (au->journal > 0) {
		if ((rc = chain_rows(c, a, e)) != ERR_OK ||
		    (rc = db_run(db_stmt(c->db, STMT_JOURNAL_CLEAR), e)) != ERR_OK)
			return rc;
		au->journal = 0;
	}
	return au->dropped > 0 ? chain_dropped(c, a, e) : ERR_OK;
}
