/* SPDX-License-Identifier: Apache-2.0 */
#include "storefix.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keymem.h"

static void need(int ok, const char *what, const char *why)
{
	if (ok)
		return;
	fprintf(stderr, "storefix: %s: %s\n", what, why);
	abort();
}

struct storefix *storefix_new(void)
{
	struct storefix *f = calloc(1, sizeof(*f));

	need(f != NULL, "new", "out of memory");
	need(sodium_init() >= 0, "new", "libsodium");
	need(keymem_init(true, &f->e) == ERR_OK, "key memory", f->e.msg);
	f->a = arena_new(64u * 1024 * 1024);
	f->disk = crashvfs_new(STOREFIX_VFS);
	need(f->a != NULL && f->disk != NULL, "new", "out of memory");
	f->c.clock = clock_system();
	f->c.now_ms = 1700000000000;
	return f;
}

void storefix_close(struct storefix *f)
{
	keyring_free(f->c.keys);
	f->c.keys = NULL;
	store_state_free(&f->c);
	seal_free(&f->c);
	db_close(f->c.db);
	f->c.db = NULL;
}

void storefix_free(struct storefix *f)
{
	storefix_close(f);
	crashvfs_free(f->disk);
	arena_free(f->a);
	free(f);
}

int storefix_open(struct storefix *f)
{
	const struct db_options o = { .path = STOREFIX_DB, .vfs = STOREFIX_VFS };
	int rc = db_open(&o, &f->c.db, &f->e);

	return rc != ERR_OK ? rc : seal_load(&f->c, &f->e);
}

int storefix_begin(struct storefix *f)
{
	int rc = db_begin(f->c.db, &f->e);

	if (rc == ERR_OK)
		store_state_batch_begin(&f->c);
	return rc;
}

void storefix_abort(struct storefix *f)
{
	store_state_batch_abort(&f->c);
	db_rollback(f->c.db);
}

int storefix_commit(struct storefix *f)
{
	int rc = store_state_flush(&f->c, &f->e);

	if (rc == ERR_OK)
		rc = db_commit(f->c.db, &f->e);
	if (rc != ERR_OK)
		storefix_abort(f);
	return rc;
}

int storefix_init(struct storefix *f, int n, int t)
{
	int rc = storefix_begin(f);

	if (rc != ERR_OK)
		return rc;
	if ((rc = seal_init(&f->c, n, t, f->share, &f->e)) != ERR_OK) {
		storefix_abort(f);
		return rc;
	}
	return storefix_commit(f);
}

int storefix_unseal(struct storefix *f, int t)
{
	int rc = storefix_begin(f);

	for (int i = 0; i < t && rc == ERR_OK; i++)
		rc = seal_unseal(&f->c, f->share[i].bytes, f->share[i].len, &f->e);
	if (rc == ERR_OK && f->c.keys != NULL)
		rc = store_state_load(&f->c, &f->e);
	if (rc != ERR_OK) {
		if (f->c.db != NULL)
			storefix_abort(f);
		return rc;
	}
	return storefix_commit(f);
}

void storefix_ready(struct storefix *f)
{
	need(storefix_open(f) == ERR_OK, "open", f->e.msg);
	need(storefix_init(f, 1, 1) == ERR_OK, "init", f->e.msg);
	need(storefix_unseal(f, 1) == ERR_OK, "unseal", f->e.msg);
}

int storefix_reopen(struct storefix *f)
{
	int rc;

	storefix_close(f);
	rc = storefix_open(f);
	return rc != ERR_OK ? rc : storefix_unseal(f, 1);
}

static sqlite3 *raw_open(void)
{
	sqlite3 *h = NULL;

	need(sqlite3_open_v2(STOREFIX_DB, &h, SQLITE_OPEN_READWRITE, STOREFIX_VFS) ==
	             SQLITE_OK,
	     "sql", "cannot open");
	sqlite3_exec(h, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
	return h;
}

void storefix_sql(struct storefix *f, const char *sql)
{
	sqlite3 *h = raw_open();

	need(f->c.db == NULL, "sql", "the database is open");
	need(sqlite3_exec(h, sql, NULL, NULL, NULL) == SQLITE_OK, sql, sqlite3_errmsg(h));
	sqlite3_close(h);
}

long long storefix_number(struct storefix *f, const char *sql)
{
	sqlite3 *h = raw_open();
	sqlite3_stmt *st = NULL;
	long long n;

	need(f->c.db == NULL, "sql", "the database is open");
	need(sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK, sql,
	     sqlite3_errmsg(h));
	need(sqlite3_step(st) == SQLITE_ROW, sql, "no row");
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(h);
	return n;
}

struct store_object storefix_object(struct storefix *f, enum store_kind kind, int id,
                                    const char *text)
{
	struct store_object o = { .kind = kind, .id_len = 16 };

	memset(o.id, id & 0xff, 16);
	o.id[0] = (unsigned char)(id >> 8);
	o.body = value_object(f->a);
	value_set_str(f->a, o.body, "text", arena_str(f->a, text));
	return o;
}

int storefix_verify(struct storefix *f)
{
	bool done = false;
	int rc = ERR_OK;

	while (rc == ERR_OK && !done)
		rc = store_state_verify_slice(&f->c, &done, &f->e);
	return rc;
}
