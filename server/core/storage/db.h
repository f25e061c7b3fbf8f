/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DB_H
#define SERVER_CORE_DB_H
/*
 * db - the only door to SQL: a table of statements (stmt.h) on one connection.
 *
 * Every statement is prepared at open, so bad SQL is a start-up failure.  Only
 * db_sqlite.c knows SQLite.  Parameters $1 … in order, counted from 1; columns from 0.
 * Errors are mapped once: ERR_FULL (disk full: the batch is rolled back, service goes
 * on), ERR_NOMEM, ERR_INTEGRITY (corrupt), ERR_UNKNOWN (a sync or write failed: the
 * process must end), ERR_DB.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "stmt.h"

struct db;
struct stmt;

struct db_options {
	const char *path;
	const char *vfs; /* NULL: default */
	bool read_only;  /* verification of a copy */
	bool no_create;
	bool check_fs; /* refuse network file systems, warn for overlay and tmpfs */
};

/** db_open(o, out, e): open, settings, migrations, prepare.  ERR_SCHEMA for a newer
 * schema (nothing touched). */
int db_open(const struct db_options *o, struct db **out, struct err *e) MUST_CHECK;
/** db_close(db): finalise, checkpoint, close; NULL is allowed. */
void db_close(struct db *db);

int db_begin(struct db *db, struct err *e) MUST_CHECK;
int db_commit(struct db *db, struct err *e) MUST_CHECK;
void db_rollback(struct db *db);
int db_savepoint(struct db *db, struct err *e) MUST_CHECK;
int db_release(struct db *db, struct err *e) MUST_CHECK;
int db_rollback_to(struct db *db, struct err *e) MUST_CHECK;

/** db_stmt(db, id): the prepared statement, reset and with no bindings. */
struct stmt *db_stmt(struct db *db, enum stmt_id id);
/** Binding borrows blobs and text until db_done(). */
void db_bind_int(struct stmt *st, int at, int64_t v);
void db_bind_blob(struct stmt *st, int at, const void *p,
                  size_t n); /* p NULL: SQL NULL */
void db_bind_text(struct stmt *st, int at, const char *s);
void db_bind_null(struct stmt *st, int at);
/** db_step(st, row, e): *row is true when there is a row to look at. */
int db_step(struct stmt *st, bool *row, struct err *e) MUST_CHECK;
int64_t db_int(struct stmt *st, int col);
/** db_blob(st, col, n): borrowed until the next step or db_done(); NULL for SQL NULL. */
const void *db_blob(struct stmt *st, int col, size_t *n);
const char *db_text(struct stmt *st, int col);
/** db_done(st): reset and clear; safe on NULL. */
void db_done(struct stmt *st);
/** db_run(st, e): step a statement without rows to its end and db_done() it. */
int db_run(struct stmt *st, struct err *e) MUST_CHECK;
/** db_changes(db): rows that the last INSERT, UPDATE or DELETE changed. */
int64_t db_changes(struct db *db);

#define STMT_AUTO __attribute__((cleanup(db_stmt_auto))) struct stmt *
static inline void db_stmt_auto(struct stmt **st)
{
	db_done(*st);
}

/** db_backup(db, path, e): copy the whole database to a new 0600 file, fsynced (file and
 * directory). Runs between batches. */
int db_backup(struct db *db, const char *path, struct err *e) MUST_CHECK;
/* The same in slices: changes that are committed between two steps are part of the copy.
 */
struct db_copy;
/** db_copy_start(db, path, out, e): begin a copy to the new file ${path} (0600). */
int db_copy_start(struct db *db, const char *path, struct db_copy **out, struct err *e)
	MUST_CHECK;
/** db_copy_step(cp, pages, done, e): copy at most ${pages} pages (negative: all that are
 * left). */
int db_copy_step(struct db_copy *cp, int pages, bool *done, struct err *e) MUST_CHECK;
/** db_copy_end(cp, e): after the last step: make the file self-contained (not synced),
 * free ${cp}. */
int db_copy_end(struct db_copy *cp, struct err *e) MUST_CHECK;
/** db_copy_abort(cp): remove the file and free; NULL is allowed. */
void db_copy_abort(struct db_copy *cp);
/** db_checkpoint(db, truncate, e): move the WAL into the file. */
int db_checkpoint(struct db *db, bool truncate, struct err *e) MUST_CHECK;
/** db_log_pages(db): pages that the WAL has grown to since it was moved last. */
int db_log_pages(const struct db *db);
/** db_tidy(db): move the WAL into the file, between two transactions.  A failure is
 * logged: what was committed stays safe in the WAL; after a failed sync db_begin() fails.
 */
void db_tidy(struct db *db);
/** db_schema(db): number of the newest migration that is applied. */
int db_schema(struct db *db);
/** db_must_stop(db): has a write, a sync or the file itself failed, so that nothing may
 * be promised any more? */
bool db_must_stop(const struct db *db);

#endif
