/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_RIG_H
#define TESTS_VERIFY_RIG_H
/* verify_rig - logs of 2,000 records, made without the server. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "arena.h"
#include "cli/verify.h"
#include "file.h"
#include "merkle.h"
#include "text.h"

#define RECORDS       2000
#define HEADS_EVERY   300
#define BACKUP_HEADER 4096
#define NAME          "vaultd/audit/00112233445566778899aabbccddeeff"

static char dir[64], db_path[96], export_path[96], backup_path[96];
static unsigned char pub[32], secret[64];
static struct verify_options o;
static struct verify_report rep;
static struct err e;

struct row {
	unsigned char salt[16], record[200], envelope[264], digest[32], leaf[32];
	size_t record_len, envelope_len;
};
static struct row rows[RECORDS + 1];

UNUSED static void leaf_of(uint64_t index, struct row *r)
{
	unsigned char buf[512] = { 0 };

	for (int i = 0; i < 8; i++)
		buf[i] = (unsigned char)(index >> (56 - 8 * i));
	memcpy(buf + 8, r->digest, 32);
	memcpy(buf + 40, r->envelope, r->envelope_len);
	merkle_leaf(buf, 40 + r->envelope_len, r->leaf);
}

UNUSED static void make_row(uint64_t index, struct row *r)
{
	unsigned char buf[256];

	r->record_len = 60 + randombytes_uniform(140);
	r->envelope_len = r->record_len + 64;
	randombytes_buf(r->salt, sizeof(r->salt));
	randombytes_buf(r->record, r->record_len);
	randombytes_buf(r->envelope, r->envelope_len);
	memcpy(buf, r->salt, 16);
	memcpy(buf + 16, r->record, r->record_len);
	crypto_hash_sha256(r->digest, buf, 16 + r->record_len);
	leaf_of(index, r);
}

UNUSED static void sign(uint64_t size, const struct merkle_frontier *f,
                        const unsigned char *sk, char note[NOTE_CHECKPOINT_MAX])
{
	struct note_checkpoint cp = { .size = size };
	unsigned char sig[64];
	size_t n;

	snprintf(cp.origin, sizeof(cp.origin), "%s", NAME);
	merkle_root(f, cp.root);
	n = note_checkpoint_body(&cp, note, NOTE_CHECKPOINT_MAX);
	crypto_sign_detached(sig, NULL, (unsigned char *)note, n, sk);
	note_sign_line(&o.key, sig, note + n, NOTE_CHECKPOINT_MAX - n);
}

/* The head when there were ${size} records. */
UNUSED static void head_at(uint64_t size, char note[NOTE_CHECKPOINT_MAX])
{
	struct merkle_frontier f = { 0 };

	for (uint64_t i = 0; i < size; i++)
		(void)merkle_push(&f, rows[i].leaf, NULL);
	sign(size, &f, secret, note);
}

UNUSED static void run(sqlite3 *db, const char *sql)
{
	char *msg = NULL;

	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &msg), SQLITE_OK, "%s: %s", sql,
	             msg);
}

UNUSED static void put_row(sqlite3_stmt *st, int64_t index, const struct row *r)
{
	sqlite3_bind_int64(st, 1, index);
	sqlite3_bind_blob(st, 2, r->leaf, 32, SQLITE_STATIC);
	sqlite3_bind_blob(st, 3, r->digest, 32, SQLITE_STATIC);
	sqlite3_bind_blob(st, 4, r->envelope, (int)r->envelope_len, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(st), SQLITE_DONE);
	sqlite3_reset(st);
}

UNUSED static void put_head(sqlite3 *db, uint64_t size, const char *note)
{
	sqlite3_stmt *st;

	sqlite3_prepare_v2(db, "INSERT INTO checkpoint VALUES (?1, ?2)", -1, &st, NULL);
	sqlite3_bind_int64(st, 1, (int64_t)size);
	sqlite3_bind_blob(st, 2, note, (int)strlen(note), SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
}

UNUSED static sqlite3 *open_file(void)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(db_path, &db), SQLITE_OK);
	return db;
}

UNUSED static void make_db(void)
{
	char note[NOTE_CHECKPOINT_MAX], *sql;
	struct arena *a = arena_new((size_t)1 << 20);
	sqlite3 *db = open_file();
	sqlite3_stmt *st;
	size_t n;

	cr_assert_eq(file_read(a, "migrations/0001_base.sql", 65536, &sql, &n, &e),
	             ERR_OK, "%s", e.msg);
	run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
	run(db, sql);
	run(db, "BEGIN");
	sqlite3_prepare_v2(
		db,
		"INSERT INTO audit (idx, leaf, digest, envelope) VALUES (?1, ?2, ?3, ?4)",
		-1, &st, NULL);
	for (int i = 0; i < RECORDS; i++)
		put_row(st, i, &rows[i]);
	sqlite3_finalize(st);
	for (uint64_t size = HEADS_EVERY; size < RECORDS; size += HEADS_EVERY) {
		head_at(size, note);
		put_head(db, size, note);
	}
	head_at(RECORDS, note);
	put_head(db, RECORDS, note);
	run(db, "COMMIT");
	sqlite3_close(db);
	arena_free(a);
}

UNUSED static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	snprintf(dir, sizeof(dir), "/tmp/test-verify-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	setenv("TMPDIR", dir, 1);
	snprintf(db_path, sizeof(db_path), "%s/vault.db", dir);
	snprintf(export_path, sizeof(export_path), "%s/export", dir);
	snprintf(backup_path, sizeof(backup_path), "%s/backup", dir);
	memset(&o, 0, sizeof(o));
	crypto_sign_keypair(pub, secret);
	cr_assert_eq(note_key_make(NAME, pub, &o.key, &e), ERR_OK);
	for (uint64_t i = 0; i < RECORDS; i++)
		make_row(i, &rows[i]);
	make_db();
}

UNUSED static void teardown(void)
{
	char name[128];

	unlink(export_path);
	unlink(backup_path);
	unlink(db_path);
	snprintf(name, sizeof(name), "%s-wal", db_path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", db_path);
	unlink(name);
	cr_assert_eq(rmdir(dir), 0, "the verifier left something in TMPDIR");
}

UNUSED static int verify(int (*open)(const char *, struct verify_source *, struct err *),
                         const char *path)
{
	struct verify_source src = { 0 };
	int rc = open(path, &src, &e);

	cr_assert_eq(rc, ERR_OK, "%s", e.msg);
	rc = verify_log(&src, &o, &rep, &e);
	verify_close(&src);
	verify_close(&src);
	return rc;
}

UNUSED static int verify_db(void)
{
	return verify(verify_open_db, db_path);
}

UNUSED static void change(const char *sql)
{
	sqlite3 *db = open_file();

	run(db, sql);
	sqlite3_close(db);
}

UNUSED static void store_row(int64_t index, const struct row *r)
{
	sqlite3 *db = open_file();
	sqlite3_stmt *st;

	sqlite3_prepare_v2(
		db,
		"INSERT OR REPLACE INTO audit (idx, leaf, digest, envelope) VALUES "
		"(?1, ?2, ?3, ?4)",
		-1, &st, NULL);
	put_row(st, index, r);
	sqlite3_finalize(st);
	sqlite3_close(db);
}

#endif
