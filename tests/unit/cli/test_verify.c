/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier on logs made here: rows as core would store them (their content is random,
 * the verifier has no key for it), the tree by lib/merkle, which the verifier does not use.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <sodium.h>
#include <sqlite3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "arena.h"
#include "cli/verify.h"
#include "file.h"
#include "merkle.h"
#include "text.h"

#define RECORDS 2000
#define HEADS_EVERY 300
#define BACKUP_HEADER 4096
#define NAME "vaultd/audit/00112233445566778899aabbccddeeff"

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

static void leaf_of(uint64_t index, struct row *r)
{
	unsigned char buf[512] = { 0 };

	for (int i = 0; i < 8; i++)
		buf[i] = (unsigned char)(index >> (56 - 8 * i));
	memcpy(buf + 8, r->digest, 32);
	memcpy(buf + 40, r->envelope, r->envelope_len);
	merkle_leaf(buf, 40 + r->envelope_len, r->leaf);
}

static void make_row(uint64_t index, struct row *r)
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

static void sign(uint64_t size, const struct merkle_frontier *f, const unsigned char *sk,
                 char note[NOTE_CHECKPOINT_MAX])
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
static void head_at(uint64_t size, char note[NOTE_CHECKPOINT_MAX])
{
	struct merkle_frontier f = { 0 };

	for (uint64_t i = 0; i < size; i++)
		(void)merkle_push(&f, rows[i].leaf, NULL);
	sign(size, &f, secret, note);
}

static void run(sqlite3 *db, const char *sql)
{
	char *msg = NULL;

	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &msg), SQLITE_OK, "%s: %s", sql, msg);
}

static void put_row(sqlite3_stmt *st, int64_t index, const struct row *r)
{
	sqlite3_bind_int64(st, 1, index);
	sqlite3_bind_blob(st, 2, r->leaf, 32, SQLITE_STATIC);
	sqlite3_bind_blob(st, 3, r->digest, 32, SQLITE_STATIC);
	sqlite3_bind_blob(st, 4, r->envelope, (int)r->envelope_len, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(st), SQLITE_DONE);
	sqlite3_reset(st);
}

static void put_head(sqlite3 *db, uint64_t size, const char *note)
{
	sqlite3_stmt *st;

	sqlite3_prepare_v2(db, "INSERT INTO checkpoint VALUES (?1, ?2)", -1, &st, NULL);
	sqlite3_bind_int64(st, 1, (int64_t)size);
	sqlite3_bind_blob(st, 2, note, (int)strlen(note), SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
}

static sqlite3 *open_file(void)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(db_path, &db), SQLITE_OK);
	return db;
}

static void make_db(void)
{
	char note[NOTE_CHECKPOINT_MAX], *sql;
	struct arena *a = arena_new((size_t)1 << 20);
	sqlite3 *db = open_file();
	sqlite3_stmt *st;
	size_t n;

	cr_assert_eq(file_read(a, "migrations/0001_base.sql", 65536, &sql, &n, &e), ERR_OK,
	             "%s", e.msg);
	run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
	run(db, sql);
	run(db, "BEGIN");
	sqlite3_prepare_v2(db, "INSERT INTO audit (idx, leaf, digest, envelope) VALUES (?1, ?2, ?3, ?4)",
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

static void setup(void)
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

static void teardown(void)
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

TestSuite(verify, .init = setup, .fini = teardown, .timeout = 300);

static int verify(int (*open)(const char *, struct verify_source *, struct err *),
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

static int verify_db(void)
{
	return verify(verify_open_db, db_path);
}

static void change(const char *sql)
{
	sqlite3 *db = open_file();

	run(db, sql);
	sqlite3_close(db);
}

Test(verify, a_whole_log_verifies)
{
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert_eq(rep.records, RECORDS);
	cr_assert_eq(rep.heads, 7);
	cr_assert_eq(rep.proven, RECORDS);
	cr_assert_not(rep.end_proven);
	cr_assert_eq(rep.fault, FAULT_NONE);
}

/* Each row in turn is changed and put back. */
static void bind_and_step(sqlite3 *db, const char *sql, int64_t index, const void *p, size_t n)
{
	sqlite3_stmt *st;

	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s", sql);
	sqlite3_bind_int64(st, 1, index);
	sqlite3_bind_blob(st, 2, p, (int)n, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
}

static void flip_one(int index, unsigned column)
{
	static const char *const sql[] = { "UPDATE audit SET envelope = ?2 WHERE idx = ?1",
		                           "UPDATE audit SET digest = ?2 WHERE idx = ?1",
		                           "UPDATE audit SET leaf = ?2 WHERE idx = ?1" };
	struct row bad = rows[index];
	unsigned char *const p[] = { bad.envelope, bad.digest, bad.leaf };
	const unsigned char *const good[] = { rows[index].envelope, rows[index].digest,
		                              rows[index].leaf };
	const size_t n[] = { bad.envelope_len, 32, 32 };
	sqlite3 *db = open_file();

	p[column][randombytes_uniform((uint32_t)n[column])] ^=
		(unsigned char)(1u << randombytes_uniform(8));
	bind_and_step(db, sql[column], index, p[column], n[column]);
	sqlite3_close(db);
	cr_assert_eq(verify_db(), ERR_VERIFY, "record %d column %u", index, column);
	cr_assert_eq(rep.fault, FAULT_CHANGED);
	cr_assert_eq(rep.bad, (uint64_t)index, "record %d column %u: %s", index, column, rep.text);
	cr_assert_leq(rep.proven, (uint64_t)index);
	db = open_file();
	bind_and_step(db, sql[column], index, good[column], n[column]);
	sqlite3_close(db);
}

Test(verify, a_flipped_bit_names_its_record)
{
	/* All columns at the ends and at the heads, one of them everywhere else. */
	for (int i = 0; i < RECORDS; i += 1 + (int)randombytes_uniform(9))
		flip_one(i, randombytes_uniform(3));
	for (unsigned column = 0; column < 3; column++) {
		flip_one(0, column);
		flip_one(HEADS_EVERY - 1, column);
		flip_one(HEADS_EVERY, column);
		flip_one(RECORDS - 1, column);
	}
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
}

Test(verify, a_deleted_record_is_named)
{
	for (int i = 0; i < RECORDS; i += 1 + (int)randombytes_uniform(40)) {
		char sql[64];
		sqlite3 *db;
		sqlite3_stmt *st;

		snprintf(sql, sizeof(sql), "DELETE FROM audit WHERE idx = %d", i);
		change(sql);
		cr_assert_eq(verify_db(), ERR_VERIFY);
		cr_assert_eq(rep.fault, FAULT_MISSING);
		cr_assert_eq(rep.bad, (uint64_t)i, "%s", rep.text);
		db = open_file();
		sqlite3_prepare_v2(db,
		                   "INSERT INTO audit (idx, leaf, digest, envelope) VALUES "
		                   "(?1, ?2, ?3, ?4)",
		                   -1, &st, NULL);
		put_row(st, i, &rows[i]);
		sqlite3_finalize(st);
		sqlite3_close(db);
	}
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
}

struct trick {
	char name[40];
	char sql[400];
	uint64_t bad;
	enum verify_fault fault;
};

ParameterizedTestParameters(verify, whoever_can_write_the_file_is_found_out)
{
	static struct trick t[] = {
		{ "deleted, the rest moved up",
		  "DELETE FROM audit WHERE idx = 700;"
		  "UPDATE audit SET idx = -idx WHERE idx > 700;"
		  "UPDATE audit SET idx = -idx - 1 WHERE idx < 0",
		  700, FAULT_CHANGED },
		{ "two exchanged",
		  "CREATE TEMP TABLE x AS SELECT * FROM audit WHERE idx IN (411, 1402);"
		  "DELETE FROM audit WHERE idx IN (411, 1402);"
		  "INSERT INTO audit SELECT 1813 - idx, leaf, digest, envelope FROM x",
		  411, FAULT_CHANGED },
		{ "one twice, the rest moved down",
		  "UPDATE audit SET idx = -idx WHERE idx > 900;"
		  "UPDATE audit SET idx = -idx + 1 WHERE idx < 0;"
		  "INSERT INTO audit SELECT 901, leaf, digest, envelope FROM audit WHERE idx = 900",
		  901, FAULT_INSERTED },
		{ "another one's content",
		  "UPDATE audit SET (leaf, digest, envelope) = (SELECT leaf, digest, envelope FROM "
		  "audit WHERE idx = 3) WHERE idx = 1999",
		  1999, FAULT_CHANGED },
		{ "one more at the end",
		  "INSERT INTO audit SELECT 2000, leaf, digest, envelope FROM audit WHERE idx = 1",
		  2000, FAULT_CHANGED },
		{ "one before the first",
		  "INSERT INTO audit SELECT -1, leaf, digest, envelope FROM audit WHERE idx = 1", 0,
		  FAULT_MISSING },
		{ "cut", "DELETE FROM audit WHERE idx >= 1990", 1990, FAULT_MISSING },
		{ "all gone", "DELETE FROM audit", 0, FAULT_MISSING },
		{ "no heads", "DELETE FROM checkpoint", 0, FAULT_INSERTED },
		{ "columns of other types", "UPDATE audit SET leaf = 'text' WHERE idx = 12", 12,
		  FAULT_CHANGED },
		{ "an empty envelope", "UPDATE audit SET envelope = x'' WHERE idx = 13", 13,
		  FAULT_CHANGED },
		{ "a head that is not signed",
		  "UPDATE checkpoint SET note = replace(note, 'vaultd', 'vaulte') WHERE size = 600", 0,
		  FAULT_HEAD },
		{ "the newest head gone", "DELETE FROM checkpoint WHERE size = 2000", 1800,
		  FAULT_INSERTED },
	};
	return cr_make_param_array(struct trick, t, ARRAY_LEN(t));
}
ParameterizedTest(struct trick *t, verify, whoever_can_write_the_file_is_found_out)
{
	change(t->sql);
	cr_assert_eq(verify_db(), ERR_VERIFY, "%s", t->name);
	cr_assert_eq(rep.fault, t->fault, "%s: %d: %s", t->name, (int)rep.fault, rep.text);
	cr_assert_eq(rep.bad, t->bad, "%s: %s", t->name, rep.text);
}

static void store_row(int64_t index, const struct row *r)
{
	sqlite3 *db = open_file();
	sqlite3_stmt *st;

	sqlite3_prepare_v2(db,
	                   "INSERT OR REPLACE INTO audit (idx, leaf, digest, envelope) VALUES "
	                   "(?1, ?2, ?3, ?4)",
	                   -1, &st, NULL);
	put_row(st, index, r);
	sqlite3_finalize(st);
	sqlite3_close(db);
}

Test(verify, a_record_with_a_forged_leaf_is_between_two_signed_heads)
{
	struct row forged;

	make_row(1000, &forged);
	store_row(1000, &forged);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_SOMEWHERE);
	cr_assert_eq(rep.first, 900);
	cr_assert_eq(rep.bad, 1199);
	cr_assert_eq(rep.proven, 900);
}

Test(verify, a_record_that_was_put_in_with_its_leaf_is_named)
{
	struct row forged;

	change("UPDATE audit SET idx = -idx WHERE idx >= 777;"
	       "UPDATE audit SET idx = -idx + 1 WHERE idx < 0");
	make_row(777, &forged);
	store_row(777, &forged);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_INSERTED);
	cr_assert_eq(rep.bad, 777, "%s", rep.text);
}

/* Back to an older signed head, with nothing left of what came later. */
static void truncate_to(int size)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	         "DELETE FROM audit WHERE idx >= %d; DELETE FROM checkpoint WHERE size > %d", size,
	         size);
	change(sql);
}

Test(verify, only_a_kept_checkpoint_shows_a_cut)
{
	char note[NOTE_CHECKPOINT_MAX];

	head_at(RECORDS, note);
	o.witness = note;
	o.witness_len = strlen(note);
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert(rep.end_proven);
	cr_assert_eq(rep.witness, RECORDS);
	truncate_to(1500);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_CUT);
	cr_assert_eq(rep.bad, 1500);
	o.witness = NULL;
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert_not(rep.end_proven);
	cr_assert_eq(rep.records, 1500);
}

Test(verify, a_kept_checkpoint_of_any_size_is_compared)
{
	char note[NOTE_CHECKPOINT_MAX];

	head_at(1234, note);
	o.witness = note;
	o.witness_len = strlen(note);
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert(rep.end_proven);
	cr_assert_eq(rep.heads, 8);
}

Test(verify, a_rewritten_and_signed_history_is_another_one)
{
	char kept[NOTE_CHECKPOINT_MAX], note[NOTE_CHECKPOINT_MAX];

	/* Somebody with the signing key writes record 1950 anew and signs again. */
	head_at(RECORDS, kept);
	truncate_to(1800);
	make_row(1950, &rows[1950]);
	for (int i = 1800; i < RECORDS; i++)
		store_row(i, &rows[i]);
	head_at(RECORDS, note);
	sqlite3 *db = open_file();
	put_head(db, RECORDS, note);
	sqlite3_close(db);
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	o.witness = kept;
	o.witness_len = strlen(kept);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_FORK, "%s", rep.text);
	cr_assert_eq(rep.proven, 1800);
}

Test(verify, another_key_or_another_log_verifies_nothing)
{
	struct note_key mine = o.key;
	char note[NOTE_CHECKPOINT_MAX];
	unsigned char other[32], sk[64];
	struct merkle_frontier f = { 0 };

	crypto_sign_keypair(other, sk);
	cr_assert_eq(note_key_make(NAME, other, &o.key, &e), ERR_OK);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_HEAD);
	cr_assert_eq(rep.proven, 0);
	sign(5, &f, sk, note);
	o.key = mine;
	o.witness = note;
	o.witness_len = strlen(note);
	cr_assert_eq(verify_db(), ERR_INVALID, "a checkpoint that somebody else signed");
	o.witness = NULL;
	cr_assert_eq(note_key_make("vaultd/audit/ffeeddccbbaa99887766554433221100", pub, &o.key, &e),
	             ERR_OK);
	cr_assert_eq(verify_db(), ERR_VERIFY);
}

/* ---- the write-ahead log, locks, damage ---- */

Test(verify, records_in_the_write_ahead_log_count)
{
	char from[160], to[128], kept[128];
	sqlite3 *db = open_file();
	struct arena *a = arena_new((size_t)64 << 20);
	char *p;
	size_t n;

	/* A copy taken while the log is not yet in the file, as after a crash. */
	run(db, "PRAGMA wal_autocheckpoint = 0; DELETE FROM audit WHERE idx = 50");
	snprintf(from, sizeof(from), "%s-wal", db_path);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	cr_assert_eq(file_read(a, from, 64u << 20, &p, &n, &e), ERR_OK, "%s", e.msg);
	cr_assert_gt(n, 0);
	cr_assert_eq(file_write_path(kept, p, n, 0600, &e), ERR_OK);
	snprintf(to, sizeof(to), "%s/kept.db", dir);
	cr_assert_eq(file_read(a, db_path, 64u << 20, &p, &n, &e), ERR_OK);
	cr_assert_eq(file_write_path(to, p, n, 0600, &e), ERR_OK);
	sqlite3_close(db);
	cr_assert_eq(verify(verify_open_db, to), ERR_OK, "without its log it is older");
	snprintf(from, sizeof(from), "%s-wal", to);
	cr_assert_eq(rename(kept, from), 0);
	cr_assert_eq(verify(verify_open_db, to), ERR_VERIFY);
	cr_assert_eq(rep.bad, 50, "%s", rep.text);
	/* The original is as it was, the copy is gone. */
	struct stat st;
	glob_t g;
	char pattern[96];

	snprintf(pattern, sizeof(pattern), "%s/vaultctl-*", dir);
	cr_assert_eq(glob(pattern, 0, NULL, &g), GLOB_NOMATCH);
	cr_assert_eq(stat(from, &st), 0);
	cr_assert_gt(st.st_size, 0);
	unlink(from);
	unlink(to);
	arena_free(a);
}

Test(verify, a_running_server_is_left_alone)
{
	struct verify_source src = { 0 };
	int ready[2], status;
	char c;

	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		sqlite3 *db = open_file();

		run(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; SELECT count(*) FROM audit");
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &c, 1), 1);
	int rc = verify_open_db(db_path, &src, &e);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	cr_assert_eq(rc, ERR_BUSY, "%s", e.msg);
}

Test(verify, what_is_no_log_is_refused)
{
	struct verify_source src = { 0 };
	char path[128];

	cr_assert_eq(verify_open_db("/nowhere/vault.db", &src, &e), ERR_NOENT);
	cr_assert_eq(verify_open_db("/tmp", &src, &e), ERR_INVALID);
	snprintf(path, sizeof(path), "%s/other", dir);
	cr_assert_eq(file_write_path(path, "hello\n", 6, 0600, &e), ERR_OK);
	cr_assert_eq(verify_open_db(path, &src, &e), ERR_INVALID);
	cr_assert_eq(verify_open_backup(path, &src, &e), ERR_INVALID);
	cr_assert_eq(verify_open_export(path, &src, &e), ERR_INVALID);
	cr_assert_eq(verify_open_export("/nowhere", &src, &e), ERR_NOENT);
	unlink(path);
	change("DROP TABLE audit; CREATE VIEW audit AS SELECT 0 AS idx, x'00' AS leaf, x'00' AS "
	       "digest, x'00' AS envelope");
	cr_assert_eq(verify_open_db(db_path, &src, &e), ERR_INVALID, "a view is no log");
	cr_assert_null(src.ctx);
}

/* ---- backup ---- */

static void make_backup(void)
{
	struct arena *a = arena_new((size_t)64 << 20);
	char *p, *all;
	size_t n;

	change("PRAGMA wal_checkpoint(TRUNCATE)");
	cr_assert_eq(file_read(a, db_path, 64u << 20, &p, &n, &e), ERR_OK, "%s", e.msg);
	all = calloc(1, n + BACKUP_HEADER);
	memcpy(all + BACKUP_HEADER, p, n);
	cr_assert_eq(file_write_path(backup_path, all, n + BACKUP_HEADER, 0600, &e), ERR_OK);
	free(all);
	arena_free(a);
}

Test(verify, a_backup_verifies_and_one_byte_in_it_does_not)
{
	struct arena *a = arena_new((size_t)64 << 20);
	char *p, *at;
	size_t n;

	make_backup();
	cr_assert_eq(verify(verify_open_backup, backup_path), ERR_OK, "%s", e.msg);
	cr_assert_eq(file_read(a, backup_path, 64u << 20, &p, &n, &e), ERR_OK);
	at = memmem(p, n, rows[1234].envelope, 20);
	cr_assert_not_null(at);
	at[7] ^= 0x10;
	cr_assert_eq(file_write_path(backup_path, p, n, 0600, &e), ERR_OK);
	cr_assert_eq(verify(verify_open_backup, backup_path), ERR_VERIFY);
	cr_assert_eq(rep.bad, 1234, "%s", rep.text);
	arena_free(a);
}

Test(verify, a_damaged_image_never_verifies)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct verify_source src;
	char *p;
	size_t n;

	make_backup();
	cr_assert_eq(file_read(a, backup_path, 64u << 20, &p, &n, &e), ERR_OK);
	for (int i = 0; i < 60; i++) {
		size_t at = BACKUP_HEADER + 4096 * (1 + randombytes_uniform((uint32_t)(n / 4096) - 2));
		char kept[4096];
		int rc;

		/* A page is zeroed: rows, an inner page, or something that is not the log's. */
		memcpy(kept, p + at, sizeof(kept));
		memset(p + at, 0, sizeof(kept));
		cr_assert_eq(file_write_path(backup_path, p, n, 0600, &e), ERR_OK);
		memset(&src, 0, sizeof(src));
		rc = verify_open_backup(backup_path, &src, &e);
		if (rc == ERR_OK)
			rc = verify_log(&src, &o, &rep, &e);
		verify_close(&src);
		if (rc == ERR_OK)
			cr_assert_eq(rep.records, RECORDS, "page %zu", at / 4096);
		memcpy(p + at, kept, sizeof(kept));
	}
	arena_free(a);
}

/* ---- export ---- */

static void put_b64(FILE *f, const char *name, const void *p, size_t n)
{
	char b64[TEXT_BASE64_LEN(264) + 1];

	text_base64(p, n, b64);
	fprintf(f, ",\"%s\":\"%s\"", name, b64);
}

static void put_line(FILE *f, uint64_t index, const struct row *r)
{
	fprintf(f, "{\"index\":%llu", (unsigned long long)index);
	put_b64(f, "commit", r->digest, 32);
	put_b64(f, "leaf", r->leaf, 32);
	put_b64(f, "envelope", r->envelope, r->envelope_len);
	put_b64(f, "record", r->record, r->record_len);
	put_b64(f, "salt", r->salt, 16);
	fprintf(f, "}\n");
}

/* ${order}: which row stands on each line; -1 ends. */
static void make_export(const int *order, const char *note)
{
	FILE *f = fopen(export_path, "w");

	fprintf(f, "{\"format\":\"vaultd-audit-export-1\",\"vault_id\":\"00\"}\n");
	for (; *order >= 0; order++)
		put_line(f, (uint64_t)*order, &rows[*order]);
	if (note != NULL) {
		fprintf(f, "{\"checkpoint\":\"");
		for (; *note != '\0'; note++)
			if (*note == '\n')
				fputs("\\n", f);
			else
				fputc(*note, f);
		fprintf(f, "\"}\n");
	}
	fclose(f);
}

static int order[RECORDS + 2];

static void in_order(void)
{
	for (int i = 0; i < RECORDS; i++)
		order[i] = i;
	order[RECORDS] = order[RECORDS + 1] = -1;
}

static int verify_export(void)
{
	char note[NOTE_CHECKPOINT_MAX];

	head_at(RECORDS, note);
	make_export(order, note);
	return verify(verify_open_export, export_path);
}

Test(verify, an_export_verifies)
{
	in_order();
	cr_assert_eq(verify_export(), ERR_OK, "%s", e.msg);
	cr_assert_eq(rep.records, RECORDS);
	cr_assert_eq(rep.heads, 1);
}

static void expect_export(uint64_t bad)
{
	cr_assert_eq(verify_export(), ERR_VERIFY);
	cr_assert_eq(rep.bad, bad, "%s", rep.text);
}

Test(verify, lines_that_moved_vanished_or_doubled_are_named)
{
	for (int round = 0; round < 25; round++) {
		int at = (int)randombytes_uniform(RECORDS - 10);
		int other = at + 1 + (int)randombytes_uniform(9);

		in_order();
		order[at] = other;
		order[other] = at;
		expect_export((uint64_t)at);
		in_order();
		memmove(order + at, order + at + 1, (size_t)(RECORDS + 1 - at) * sizeof(int));
		expect_export((uint64_t)at);
		in_order();
		memmove(order + at + 1, order + at, (size_t)(RECORDS + 1 - at) * sizeof(int));
		expect_export((uint64_t)at + 1);
	}
	in_order();
	order[RECORDS - 1] = -1;
	expect_export(RECORDS - 1);
}

Test(verify, any_byte_of_an_entry_matters)
{
	struct arena *a = arena_new((size_t)64 << 20);
	char *p, *line, name[64];
	size_t n;

	in_order();
	cr_assert_eq(verify_export(), ERR_OK, "%s", e.msg);
	cr_assert_eq(file_read(a, export_path, 64u << 20, &p, &n, &e), ERR_OK);
	for (int round = 0; round < 60; round++) {
		uint32_t index = randombytes_uniform(RECORDS);
		size_t len, at;

		snprintf(name, sizeof(name), "\n{\"index\":%u,", index);
		line = strstr(p, name) + 1;
		len = strcspn(line, "\n");
		at = randombytes_uniform((uint32_t)len);
		line[at] ^= 0x01;
		cr_assert_eq(file_write_path(export_path, p, n, 0600, &e), ERR_OK);
		cr_assert_eq(verify(verify_open_export, export_path), ERR_VERIFY, "byte %zu of %.*s",
		             at, (int)len, line);
		cr_assert_eq(rep.bad, index, "byte %zu: %s", at, rep.text);
		line[at] ^= 0x01;
	}
	arena_free(a);
}

Test(verify, an_export_without_its_end_is_not_whole)
{
	in_order();
	make_export(order, NULL);
	cr_assert_eq(verify(verify_open_export, export_path), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_HEAD);
}

Test(verify, an_empty_log_is_whole)
{
	static const int none[] = { -1 };

	make_export(none, "");
	cr_assert_eq(verify(verify_open_export, export_path), ERR_OK, "%s", e.msg);
	change("DELETE FROM audit; DELETE FROM checkpoint");
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert_eq(rep.records, 0);
}
