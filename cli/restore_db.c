/* SPDX-License-Identifier: Apache-2.0 */
#include "restore_db.h"

#include <sqlite3.h>
#include <string.h>

static int failed(sqlite3 *db, const char *path, struct err *e)
{
	int code = db != NULL ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
	enum errcode err = ERR_DB;

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return err_set(e, ERR_BUSY, "%.160s: in use: stop vaultd first", path);
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		err = ERR_VERIFY;
	return err_set(e, err, "%.160s: %s", path, sqlite3_errstr(code));
}

static int first_text(sqlite3 *db, const char *sql, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;
	const unsigned char *s;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		s = sqlite3_column_text(st, 0);
		sqlite3_snprintf((int)cap, out, "%s", s != NULL ? (const char *)s : "");
	}
	sqlite3_finalize(st);
	return rc;
}

int restore_db_check(const char *path, int64_t *audit_size, struct err *e)
{
	char text[64] = "";
	sqlite3 *db = NULL;
	int rc = ERR_OK;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	    first_text(db, "PRAGMA integrity_check(1)", text, sizeof(text)) != SQLITE_ROW)
		rc = failed(db, path, e);
	else if (strcmp(text, "ok") != 0)
		rc = err_set(e, ERR_VERIFY, "%.160s: SQLite finds it damaged", path);
	else if (first_text(db, "SELECT count(*) FROM audit", text, sizeof(text)) !=
	         SQLITE_ROW)
		rc = failed(db, path, e);
	else
		*audit_size = strtoll(text, NULL, 10);
	sqlite3_close(db);
	return rc;
}

int restore_db_mark(const char *path, const void *p, size_t n, struct err *e)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int rc = ERR_OK;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db,
	                       "INSERT INTO meta (name, value) VALUES ('restored', $1) "
	                       "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
	                       -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_bind_blob(st, 1, p, (int)n, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_DONE)
		rc = failed(db, path, e);
	sqlite3_finalize(st);
	if (sqlite3_close(db) != SQLITE_OK && rc == ERR_OK)
		rc = failed(db, path, e);
	return rc;
}
