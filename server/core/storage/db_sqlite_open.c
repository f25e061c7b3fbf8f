/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db_file.h"
#include "db_schema.h"
#include "db_sqlite.h"
#include "migrations.h"
#include "mutant.h"

/* SQLite counts milliseconds from noon of 24 November 4714 BC. */
#define JULIAN_OFFSET_MS 210866760000000ll

static const char settings_sql[] = "PRAGMA locking_mode = EXCLUSIVE;"
				   "PRAGMA page_size = 4096;"
				   "PRAGMA synchronous = FULL;"
				   "PRAGMA foreign_keys = ON;"
				   "PRAGMA secure_delete = ON;"
				   "PRAGMA cell_size_check = ON;"
				   "PRAGMA trusted_schema = OFF;"
				   "PRAGMA mmap_size = 0;"
				   "PRAGMA temp_store = MEMORY;"
				   "PRAGMA cache_size = -32768;"
				   "PRAGMA journal_size_limit = 67108864;";

static int wal_grew(void *ctx, sqlite3 *h, const char *name, int pages)
{
	struct db *db = ctx;

	(void)h;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

/* Refused once SQLite runs already, which is harmless: these only make it faster. */
static void configure_library(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
}

static void immutable_uri(const char *path, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(out, cap, "file:");

	for (; *path != '\0' && n + 16 < cap; path++) {
		unsigned char b = (unsigned char)*path;

		if (b == '?' || b == '#' || b == '%')
			n += (size_t)snprintf(out + n, cap - n, "%%%02x", b);
		else
			out[n++] = (char)b;
	}
	snprintf(out + n, cap - n, "?immutable=1");
}

static int open_handle(struct db *db, const struct db_options *o)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	char uri[PATH_MAX * 3 + 32];

	if (o->read_only) {
		immutable_uri(o->path, uri, sizeof(uri));
		return sqlite3_open_v2(uri, &db->h,
		                       flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
		                       o->vfs);
	}
	flags |= SQLITE_OPEN_READWRITE;
	if (!o->no_create)
		flags |= SQLITE_OPEN_CREATE;
	return sqlite3_open_v2(o->path, &db->h, flags, o->vfs);
}

static int connect_file(struct db *db, const struct db_options *o, struct err *e)
{
	int rc = open_handle(db, o);

	if (rc == SQLITE_CANTOPEN)
		return err_set(e, ERR_NOENT, "%s: cannot open the database", o->path);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, "opening the database", e);
	(void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_limit(db->h, SQLITE_LIMIT_LENGTH, DB_LENGTH_MAX + 4096);
	sqlite3_limit(db->h, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_wal_hook(db->h, wal_grew, db);
	rc = db_exec(db, settings_sql, "configuring the database", e);
	if (rc != ERR_OK)
		return err_wrap(e, "%s", o->path);
	if (MUTANT(MUTANT_SYNC_NORMAL))
		rc = db_exec(db, "PRAGMA synchronous = NORMAL", "a deliberate fault", e);
	return rc;
}

static void disconnect(struct db *db)
{
	sqlite3_close_v2(db->h);
	db->h = NULL;
}

/* Sync the file itself and then its directory, the latter by making and removing a file
 * beside it: the one request to sync a directory that every VFS understands. */
static int sync_through(sqlite3_vfs *vfs, sqlite3_file *f, const char *name)
{
	const char *side = sqlite3_filename_journal(name);
	int flags = 0;
	int rc = vfs->xOpen(vfs, name, f, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB,
	                    &flags);

	if (rc != SQLITE_OK)
		return rc;
	rc = f->pMethods->xSync(f, SQLITE_SYNC_FULL);
	f->pMethods->xClose(f);
	if (rc != SQLITE_OK)
		return rc;
	flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL;
	if ((rc = vfs->xOpen(vfs, side, f, flags, &flags)) != SQLITE_OK)
		return rc;
	f->pMethods->xClose(f);
	return vfs->xDelete(vfs, side, 1);
}

static int sync_full_name(sqlite3_vfs *vfs, const char *full)
{
	char journal[PATH_MAX + 16], wal[PATH_MAX + 16];
	sqlite3_file *f = calloc(1, (size_t)vfs->szOsFile);
	const char *name;
	int rc;

	snprintf(journal, sizeof(journal), "%s-journal", full);
	snprintf(wal, sizeof(wal), "%s-wal", full);
	name = sqlite3_create_filename(full, journal, wal, 0, NULL);
	rc = name == NULL || f == NULL ? SQLITE_NOMEM : sync_through(vfs, f, name);
	sqlite3_free_filename(name);
	free(f);
	return rc;
}

static int sync_file_and_directory(struct db *db, const struct db_options *o,
                                   struct err *e)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(o->vfs);
	char full[PATH_MAX];
	int rc = vfs->xFullPathname(vfs, o->path, sizeof(full), full);

	/* SQLITE_OK_SYMLINK says that a part of the path is a symbolic link. */
	if ((rc & 0xff) == SQLITE_OK)
		rc = sync_full_name(vfs, full);
	return rc == SQLITE_OK ? ERR_OK : db_fail(db, rc, "syncing the new database", e);
}

/* The first column of the first row of a query, as a number and as "is it this text?". */
static int ask(struct db *db, const char *sql, const char *text, int64_t *out,
               struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->h, sql, -1, &st, NULL);

	*out = 0;
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *got = (const char *)sqlite3_column_text(st, 0);

		*out = text == NULL ? sqlite3_column_int64(st, 0)
		                    : got != NULL && strcmp(got, text) == 0;
		rc = SQLITE_DONE;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? ERR_OK : db_fail(db, rc, "reading the database", e);
}

/* The switch to WAL leaves the removal of a rollback journal unsynced: were that undone
 * by a power cut, the journal would roll the file back to nothing.  So sync before any
 * write. */
static int ensure_wal(struct db *db, const struct db_options *o, struct err *e)
{
	int64_t wal;
	int rc;

	if ((rc = ask(db, "PRAGMA journal_mode", "wal", &wal, e)) != ERR_OK || wal)
		return rc;
	if ((rc = ask(db, "PRAGMA journal_mode = WAL", "wal", &wal, e)) != ERR_OK)
		return rc;
	if (!wal)
		return err_set(e, ERR_DB,
		               "the database does not take write-ahead logging");
	if ((rc = db_checkpoint(db, true, e)) != ERR_OK)
		return rc;
	disconnect(db);
	if ((rc = sync_file_and_directory(db, o, e)) != ERR_OK)
		return rc;
	return connect_file(db, o, e);
}

/* Which migrations does the file say it has?  Nothing is written here. */
static int read_schema(struct db *db, struct schema *s, struct err *e)
{
	static const char tables_sql[] = "SELECT count(*) FROM sqlite_schema";
	static const char ours_sql[] =
		"SELECT count(*) FROM sqlite_schema "
		"WHERE type = 'table' AND name = 'schema_migration'";
	static const char rows_sql[] =
		"SELECT number, digest FROM schema_migration ORDER BY number";
	int64_t tables, ours;
	sqlite3_stmt *st = NULL;
	int rc, step = SQLITE_DONE;

	if ((rc = ask(db, tables_sql, NULL, &tables, e)) != ERR_OK ||
	    (rc = ask(db, ours_sql, NULL, &ours, e)) != ERR_OK ||
	    (rc = schema_init(s, tables, ours, e)) != ERR_OK || ours == 0)
		return rc;
	if ((rc = db_prepare_one(db, rows_sql, &st, e)) != ERR_OK)
		return rc;
	while (rc == ERR_OK && (step = sqlite3_step(st)) == SQLITE_ROW)
		rc = schema_row(s, sqlite3_column_int64(st, 0),
		                sqlite3_column_blob(st, 1),
		                (size_t)sqlite3_column_bytes(st, 1), e);
	sqlite3_finalize(st);
	if (rc == ERR_OK && step != SQLITE_DONE)
		return db_fail(db, step, "reading the schema", e);
	return rc;
}

static int64_t now_ms(const struct db_options *o)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(o->vfs);
	sqlite3_int64 julian = JULIAN_OFFSET_MS;

	if (vfs->iVersion >= 2 && vfs->xCurrentTimeInt64 != NULL)
		(void)vfs->xCurrentTimeInt64(vfs, &julian);
	return julian - JULIAN_OFFSET_MS;
}

static int record_migration(struct db *db, const struct migration *m, int64_t now,
                            struct err *e)
{
	static const char sql[] =
		"INSERT INTO schema_migration (number, name, digest, applied_ms) "
		"VALUES ($1, $2, $3, $4)";
	sqlite3_stmt *st = NULL;
	int rc = db_prepare_one(db, sql, &st, e);

	if (rc != ERR_OK)
		return rc;
	sqlite3_bind_int(st, 1, m->number);
	sqlite3_bind_text(st, 2, m->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(st, 3, m->sha256, sizeof(m->sha256), SQLITE_STATIC);
	sqlite3_bind_int64(st, 4, now);
	rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? ERR_OK : db_fail(db, rc, "recording a migration", e);
}

static int apply_sql(struct db *db, const struct migration *m, int64_t now, struct err *e)
{
	int rc;

	if ((rc = db_exec(db, "BEGIN IMMEDIATE", m->name, e)) != ERR_OK ||
	    (rc = db_exec(db, m->sql, m->name, e)) != ERR_OK ||
	    (rc = record_migration(db, m, now, e)) != ERR_OK)
		return rc;
	return db_exec(db, "COMMIT", m->name, e);
}

static int apply_one(struct db *db, const struct migration *m, int64_t now, struct err *e)
{
	int rc = apply_sql(db, m, now, e);

	if (rc == ERR_OK)
		return ERR_OK;
	if (sqlite3_get_autocommit(db->h) == 0)
		(void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
	return err_wrap(e, "migration %d", m->number);
}

static int migrate(struct db *db, const struct schema *s, int64_t now, struct err *e)
{
	int rc = ERR_OK;

	db->schema = s->applied;
	for (size_t i = (size_t)s->applied; i < migrations_count && rc == ERR_OK; i++) {
		rc = apply_one(db, &migrations[i], now, e);
		if (rc == ERR_OK)
			db->schema = migrations[i].number;
	}
	return rc;
}

static int set_up(struct db *db, const struct db_options *o, struct err *e)
{
	struct schema s;
	int rc;

	configure_library();
	if ((rc = connect_file(db, o, e)) != ERR_OK ||
	    (rc = read_schema(db, &s, e)) != ERR_OK)
		return rc;
	if (o->read_only) {
		db->schema = s.applied;
		rc = s.applied == (int)migrations_count
		             ? ERR_OK
		             : err_set(e, ERR_SCHEMA, "%s: schema %d, not %zu", o->path,
		                       s.applied, migrations_count);
	} else if ((rc = ensure_wal(db, o, e)) == ERR_OK) {
		rc = migrate(db, &s, now_ms(o), e);
	}
	return rc == ERR_OK ? db_prepare_all(db, e) : rc;
}

int db_open(const struct db_options *o, struct db **out, struct err *e)
{
	struct db *db;
	int rc;

	/* A VFS that was named is a simulated disk: there are no files to look at. */
	if (o->vfs == NULL && (rc = db_file_prepare(o, e)) != ERR_OK)
		return rc;
	db = calloc(1, sizeof(*db));
	if (db == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	db->read_only = o->read_only;
	rc = set_up(db, o, e);
	if (rc == ERR_OK) {
		*out = db;
		return ERR_OK;
	}
	if (rc == ERR_BUSY)
		err_set(e, ERR_BUSY, "%s is in use by another process", o->path);
	db_finalize_all(db);
	disconnect(db);
	free(db);
	return rc;
}

void db_close(struct db *db)
{
	struct err e;

	if (db == NULL)
		return;
	db_finalize_all(db);
	/* Without the checkpoint the next start reads the log, which is as good. */
	if (!db->stop && !db->read_only)
		(void)!db_checkpoint(db, true, &e);
	disconnect(db);
	free(db);
}
