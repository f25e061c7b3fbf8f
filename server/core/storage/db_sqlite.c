/* SPDX-License-Identifier: Apache-2.0 */
#include "db_sqlite.h"

#include "log.h"
#include "mutant.h"

/* Pages in the write-ahead log that start a checkpoint within a commit: for those who
 * never call db_tidy(). */
#define WAL_PAGES_MAX 500

static const char *const control_sql[DB__CONTROLS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",   [DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",       [DB_SAVEPOINT] = "SAVEPOINT request",
	[DB_RELEASE] = "RELEASE request", [DB_BACK] = "ROLLBACK TO request",
};

#define STMT_SQL_ROW(id, sql) [id] = sql,
static const char *const stmt_sql[STMT__COUNT] = { STMT_TABLE(STMT_SQL_ROW) };

/* The one place where SQLite's result codes get a meaning. */
static enum errcode classify(int rc, bool *stop)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CONSTRAINT:
		return ERR_CONFLICT;
	case SQLITE_TOOBIG:
		return ERR_TOO_BIG;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		*stop = true;
		return ERR_INTEGRITY;
	case SQLITE_IOERR:
		break;
	default:
		return ERR_DB;
	}
	switch (rc) {
	case SQLITE_IOERR_NOMEM:
		return ERR_NOMEM;
	case SQLITE_IOERR_READ:
		return ERR_DB;
	case SQLITE_IOERR_SHORT_READ:
	case SQLITE_IOERR_CORRUPTFS:
		*stop = true;
		return ERR_INTEGRITY;
	default: /* a write, sync, truncate or delete: nobody knows what is on the disk */
		*stop = true;
		return ERR_UNKNOWN;
	}
}

int db_fail(struct db *db, int rc, const char *what, struct err *e)
{
	db->last = classify(rc, &db->stop);
	return err_set(e, db->last, "%s: %s (%d)", what, sqlite3_errstr(rc), rc);
}

static int refuse_stopped(const struct db *db, struct err *e)
{
	if (!db->stop)
		return ERR_OK;
	return err_set(e, ERR_UNKNOWN, "storage failed earlier: restart to recover");
}

/* ---- statements ---- */

struct stmt *db_stmt(struct db *db, enum stmt_id id)
{
	struct stmt *st = &db->st[id];

	if (st->used)
		db_done(st);
	st->used = true;
	return st;
}

static void note_bind(struct stmt *st, int rc)
{
	if (rc != SQLITE_OK)
		st->bind_rc = rc;
}

void db_bind_int(struct stmt *st, int at, int64_t v)
{
	note_bind(st, sqlite3_bind_int64(st->st, at, v));
}

void db_bind_blob(struct stmt *st, int at, const void *p, size_t n)
{
	if (p == NULL)
		note_bind(st, sqlite3_bind_null(st->st, at));
	else if (n > DB_LENGTH_MAX)
		st->bind_rc = SQLITE_TOOBIG;
	else
		note_bind(st, sqlite3_bind_blob(st->st, at, p, (int)n, SQLITE_STATIC));
}

void db_bind_text(struct stmt *st, int at, const char *s)
{
	note_bind(st, sqlite3_bind_text(st->st, at, s, -1, SQLITE_STATIC));
}

void db_bind_null(struct stmt *st, int at)
{
	note_bind(st, sqlite3_bind_null(st->st, at));
}

static int control(struct db *db, enum db_control which, struct err *e)
{
	int rc = sqlite3_step(db->ctl[which]);

	(void)sqlite3_reset(db->ctl[which]);
	return rc == SQLITE_DONE ? ERR_OK : db_fail(db, rc, control_sql[which], e);
}

/* A savepoint is opened by the first statement in it that writes: a read costs none. */
static int open_due_savepoint(struct db *db, struct err *e)
{
	int rc = control(db, DB_SAVEPOINT, e);

	if (rc == ERR_OK)
		db->savepoint_due = false;
	return rc;
}

int db_step(struct stmt *st, bool *row, struct err *e)
{
	int rc;

	*row = false;
	if (st->writes && st->db->savepoint_due &&
	    (rc = open_due_savepoint(st->db, e)) != ERR_OK)
		return rc;
	rc = st->bind_rc != SQLITE_OK ? st->bind_rc : sqlite3_step(st->st);
	*row = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return ERR_OK;
	return db_fail(st->db, rc, "storage", e);
}

int64_t db_int(struct stmt *st, int col)
{
	return sqlite3_column_int64(st->st, col);
}

const void *db_blob(struct stmt *st, int col, size_t *n)
{
	static const unsigned char empty[1];
	const void *p;

	*n = 0;
	if (sqlite3_column_type(st->st, col) == SQLITE_NULL)
		return NULL;
	p = sqlite3_column_blob(st->st, col);
	*n = (size_t)sqlite3_column_bytes(st->st, col);
	return p != NULL ? p : empty;
}

const char *db_text(struct stmt *st, int col)
{
	return (const char *)sqlite3_column_text(st->st, col);
}

void db_done(struct stmt *st)
{
	if (st == NULL || !st->used)
		return;
	(void)sqlite3_reset(
		st->st); /* repeats the error of the step, which was reported */
	(void)sqlite3_clear_bindings(st->st);
	st->used = false;
	st->bind_rc = SQLITE_OK;
}

int db_run(struct stmt *st, struct err *e)
{
	bool row;
	int rc;

	do {
		rc = db_step(st, &row, e);
	} while (rc == ERR_OK && row);
	db_done(st);
	return rc;
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->h);
}

int db_schema(struct db *db)
{
	return db->schema;
}

bool db_must_stop(const struct db *db)
{
	return db->stop;
}

/* ---- transactions ---- */

int db_begin(struct db *db, struct err *e)
{
	int rc = refuse_stopped(db, e);

	return rc != ERR_OK ? rc : control(db, DB_BEGIN, e);
}

int db_log_pages(const struct db *db)
{
	return db->wal_pages;
}

/* A checkpoint that fails leaves the log as it was; one whose sync fails ends our trust
 * in the file, which the next db_begin() reports: what was committed before is in the
 * log. */
void db_tidy(struct db *db)
{
	struct err e;

	db->wal_pages = 0;
	if (db_checkpoint(db, false, &e) != ERR_OK)
		log_warn("checkpoint failed", LOG_S("cause", e.msg));
}

int db_commit(struct db *db, struct err *e)
{
	int rc = control(db, DB_COMMIT, e);

	if (rc == ERR_OK) {
		if (db->wal_pages >= WAL_PAGES_MAX)
			db_tidy(db);
		return ERR_OK;
	}
	if (!MUTANT(MUTANT_IGNORED_COMMIT))
		return rc;
	db_rollback(db);
	return ERR_OK;
}

void db_rollback(struct db *db)
{
	struct err e;

	for (int i = 0; i < STMT__COUNT; i++)
		db_done(&db->st[i]);
	db->savepoint_due = false;
	/* Some failures have rolled back by themselves. */
	if (sqlite3_get_autocommit(db->h) == 0 && control(db, DB_ROLLBACK, &e) != ERR_OK)
		db->stop = true;
}

/* Where a failure has ended the whole transaction there is no savepoint left: what counts
 * is that failure, not its consequence. */
static int in_transaction(struct db *db, struct err *e)
{
	if (sqlite3_get_autocommit(db->h) == 0)
		return ERR_OK;
	if (db->last != ERR_FULL && db->last != ERR_NOMEM)
		db->last = ERR_UNKNOWN;
	return err_set(e, db->last,
	               "the transaction was rolled back by an earlier failure");
}

int db_savepoint(struct db *db, struct err *e)
{
	int rc = in_transaction(db, e);

	if (rc == ERR_OK)
		db->savepoint_due = true;
	return rc;
}

int db_release(struct db *db, struct err *e)
{
	int rc = in_transaction(db, e);

	if (rc != ERR_OK)
		return rc;
	if (!db->savepoint_due)
		return control(db, DB_RELEASE, e);
	db->savepoint_due = false;
	return ERR_OK;
}

int db_rollback_to(struct db *db, struct err *e)
{
	int rc = in_transaction(db, e);

	return rc != ERR_OK || db->savepoint_due ? rc : control(db, DB_BACK, e);
}

int db_checkpoint(struct db *db, bool truncate, struct err *e)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int rc = sqlite3_wal_checkpoint_v2(db->h, "main", mode, NULL, NULL);

	return rc == SQLITE_OK ? ERR_OK : db_fail(db, rc, "checkpoint", e);
}

/* ---- preparing ---- */

int db_exec(struct db *db, const char *sql, const char *what, struct err *e)
{
	int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? ERR_OK : db_fail(db, rc, what, e);
}

int db_prepare_one(struct db *db, const char *sql, sqlite3_stmt **out, struct err *e)
{
	int rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	if (rc == SQLITE_OK)
		return ERR_OK;
	db->last = classify(rc, &db->stop);
	return err_set(e, db->last, "statement '%.60s': %s", sql, sqlite3_errmsg(db->h));
}

int db_prepare_all(struct db *db, struct err *e)
{
	int rc = ERR_OK;

	for (int i = 0; i < STMT__COUNT && rc == ERR_OK; i++) {
		db->st[i].db = db;
		rc = db_prepare_one(db, stmt_sql[i], &db->st[i].st, e);
		db->st[i].writes = rc == ERR_OK && !sqlite3_stmt_readonly(db->st[i].st);
	}
	for (int i = 0; i < DB__CONTROLS && rc == ERR_OK; i++)
		rc = db_prepare_one(db, control_sql[i], &db->ctl[i], e);
	return rc;
}

void db_finalize_all(struct db *db)
{
	for (int i = 0; i < STMT__COUNT; i++)
		sqlite3_finalize(db->st[i].st);
	for (int i = 0; i < DB__CONTROLS; i++)
		sqlite3_finalize(db->ctl[i]);
}
