/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DB_SQLITE_H
#define SERVER_CORE_DB_SQLITE_H
/*
 * db_sqlite - what the files of the SQLite driver share; nobody else includes this.
 */
#include <sqlite3.h>

#include "db.h"

/* Longest blob; also the bound of a row. */
#define DB_LENGTH_MAX (64 * 1024 * 1024)

struct stmt {
	sqlite3_stmt *st;
	struct db *db;
	bool used, writes;
	int bind_rc;
};

enum db_control {
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_SAVEPOINT,
	DB_RELEASE,
	DB_BACK,
	DB__CONTROLS
};

struct db {
	sqlite3 *h;
	struct stmt st[STMT__COUNT];
	sqlite3_stmt *ctl[DB__CONTROLS];
	enum errcode last; /* class of the newest failure */
	bool stop;         /* see db_must_stop() */
	bool read_only;
	bool savepoint_due; /* asked for, but nothing was written since */
	int wal_pages;      /* length of the write-ahead log after the newest commit */
	int schema;
};

/** db_fail(db, rc, what, e): map SQLite's ${rc}, the one place where that is done. */
int db_fail(struct db *db, int rc, const char *what, struct err *e);
/** db_exec(db, sql, what, e): run literal SQL without results. */
int db_exec(struct db *db, const char *sql, const char *what, struct err *e) MUST_CHECK;
/** db_prepare_all(db, e): prepare the statement table and the transaction control. */
int db_prepare_all(struct db *db, struct err *e) MUST_CHECK;
/** db_prepare_one(db, sql, out, e): prepare ${sql} for long use. */
int db_prepare_one(struct db *db, const char *sql, sqlite3_stmt **out, struct err *e)
	MUST_CHECK;
/** db_finalize_all(db): the opposite of db_prepare_all(). */
void db_finalize_all(struct db *db);

#endif
