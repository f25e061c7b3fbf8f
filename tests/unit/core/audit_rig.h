/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_AUDIT_RIG_H
#define TESTS_AUDIT_RIG_H
/* audit_rig - the audit log on a database of its own, without the rest of core. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "keymem.h"
#include "server/core/audit/audit_record.h"
#include "server/core/audit/audit_search.h"
#include "server/core/audit/audit_state.h"
#include "server/core/seal/keyring.h"
#include "server/core/storage/db.h"
#include "vault/limits.h"

static struct core c;
static struct keyring *keys;
static struct arena *a;
static struct err e;
static char dir[64], path[96];
static int64_t wall = 1700000000000, boot = 5000;

UNUSED static int64_t wall_ms(void *ctx)
{
	(void)ctx;
	return wall;
}

UNUSED static int64_t boot_ms(void *ctx)
{
	(void)ctx;
	return boot;
}

static const struct clock clk = { wall_ms, boot_ms, NULL };

#define OK(call) cr_assert_eq((call), ERR_OK, "%s: %s", #call, e.msg)

UNUSED static void begin(void)
{
	c.now_ms = wall;
	c.boot_ms = boot;
	OK(db_begin(c.db, &e));
	audit_batch_begin(&c);
}

UNUSED static void commit(void)
{
	OK(audit_flush(&c, &e));
	OK(db_commit(c.db, &e));
}

UNUSED static void open_log(void)
{
	const struct db_options o = { .path = path };

	OK(db_open(&o, &c.db, &e));
	c.keys = NULL;
	OK(audit_open(&c, &e));
}

UNUSED static int unseal(void)
{
	int rc;

	begin();
	c.keys = keys;
	rc = audit_unsealed(&c, &e);
	if (rc == ERR_OK) {
		commit();
	} else {
		audit_batch_abort(&c);
		db_rollback(c.db);
		c.keys = NULL;
	}
	return rc;
}

UNUSED static void close_log(void)
{
	audit_close(&c);
	db_close(c.db);
	c.db = NULL;
}

UNUSED static int reopen(void)
{
	close_log();
	open_log();
	return unseal();
}

UNUSED static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	OK(keymem_init(true, &e));
	snprintf(dir, sizeof(dir), "/tmp/test-audit-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vault.db", dir);
	memset(c.vault_id, 0x5a, sizeof(c.vault_id));
	c.clock = &clk;
	OK(keyring_create(wall, &keys, &e));
	a = arena_new((size_t)256 * 1024 * 1024);
	open_log();
}

UNUSED static void teardown(void)
{
	char name[128];

	close_log();
	keyring_free(keys);
	arena_free(a);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path,
		         i == 0   ? ""
		         : i == 1 ? "-wal"
		                  : "-shm");
		unlink(name);
	}
	rmdir(dir);
}

UNUSED static int append_as(const char *actor, const char *p)
{
	const struct audit_record r = {
		.request_id = "6c1b5c4e-0000-4000-8000-000000000000",
		.actor_type = "token",
		.actor = actor,
		.accessor = "accessor-of-it",
		.remote = "127.0.0.1",
		.operation = "read",
		.path = p,
		.outcome = "ok",
		.status = 200,
		.error = "",
	};

	return audit_append(&c, &r, &e);
}

UNUSED static void append_many(int n)
{
	char p[32];

	for (int i = 0; i < n; i++) {
		snprintf(p, sizeof(p), "secret/data/%lld", (long long)audit_size(&c));
		OK(append_as("alice", p));
	}
}

UNUSED static int refuse(const char *remote)
{
	const struct audit_record r = {
		.actor_type = "none",
		.remote = remote,
		.operation = "read",
		.path = "secret/data/x",
		.outcome = "denied",
		.status = 403,
		.error = "permission_denied",
	};

	return audit_append(&c, &r, &e);
}

UNUSED static void append_batch(int n)
{
	begin();
	append_many(n);
	commit();
}

/* Somebody who can write the file, while no server runs. */
UNUSED static void tamper(const char *sql)
{
	sqlite3 *db;
	char *msg = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &msg), SQLITE_OK, "%s: %s", sql,
	             msg);
	sqlite3_close(db);
}

UNUSED static long long number(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	long long n;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s", sql);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sql);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* The head that is signed now. */
UNUSED static struct note_checkpoint head(void)
{
	const char *note = audit_checkpoint(&c, a);
	struct note_checkpoint cp;

	OK(note_checkpoint_verify(note, strlen(note), &c.audit->key, &cp, &e));
	return cp;
}

/* The root of all stored leaves, without the tiles. */
UNUSED static void root_of_rows(int64_t size, unsigned char out[32])
{
	struct merkle_frontier f = { 0 };
	STMT_AUTO st = db_stmt(c.db, STMT_AUDIT_LEAVES);
	bool row;
	size_t n;

	db_bind_int(st, 1, 0);
	db_bind_int(st, 2, size);
	while (db_step(st, &row, &e) == ERR_OK && row)
		(void)merkle_push(&f, db_blob(st, 1, &n), NULL);
	cr_assert_eq((int64_t)f.size, size);
	merkle_root(&f, out);
}

UNUSED static void expect_whole(int64_t size)
{
	struct note_checkpoint cp = head();
	unsigned char root[32];

	cr_assert_eq((int64_t)cp.size, size);
	root_of_rows(size, root);
	cr_assert_arr_eq(cp.root, root, 32, "signed root at %lld", (long long)size);
	audit_root(&c, root);
	cr_assert_arr_eq(cp.root, root, 32, "root in memory at %lld", (long long)size);
}

UNUSED static struct value *find(struct audit_search *s)
{
	bool done = false;

	s->records = value_array(a);
	s->found = s->scanned = 0;
	if (s->limit == 0)
		s->limit = SEARCH_RESULTS;
	if (s->until == 0)
		s->until = INT64_MAX;
	if (s->to == 0)
		s->to = audit_size(&c);
	s->at = s->forward ? s->from : s->to - 1;
	while (!done)
		OK(audit_search_slice(&c, a, s, &done, &e));
	return s->records;
}

UNUSED static struct value *record(int64_t index)
{
	struct audit_search s = { .from = index, .to = index + 1 };
	struct value *list = find(&s);

	cr_assert_eq(list->len, 1);
	return list->first;
}

UNUSED static const char *text(const struct value *o, const char *key)
{
	return value_cstr_or(a, o, key, "(none)");
}

#endif
