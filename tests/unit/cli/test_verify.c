/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier on logs made here: rows as core would store them (their content is random,
 * the verifier has no key for it), the tree by lib/merkle, which the verifier does not
 * use.
 */
#include "verify_rig.h"

TestSuite(verify, .init = setup, .fini = teardown, .timeout = 300);

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
static void bind_and_step(sqlite3 *db, const char *sql, int64_t index, const void *p,
                          size_t n)
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
	static const char *const sql[] = {
		"UPDATE audit SET envelope = ?2 WHERE idx = ?1",
		"UPDATE audit SET digest = ?2 WHERE idx = ?1",
		"UPDATE audit SET leaf = ?2 WHERE idx = ?1"
	};
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
	cr_assert_eq(rep.bad, (uint64_t)index, "record %d column %u: %s", index, column,
	             rep.text);
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
		sqlite3_prepare_v2(
			db,
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
		{"deleted, the rest moved up",
                 "DELETE FROM audit WHERE idx = 700;"
		  "UPDATE audit SET idx = -idx WHERE idx > 700;"
		  "UPDATE audit SET idx = -idx - 1 WHERE idx < 0",		                    700,  FAULT_CHANGED },
		{ "two exchanged",
                 "CREATE TEMP TABLE x AS SELECT * FROM audit WHERE idx IN (411, 1402);"
		  "DELETE FROM audit WHERE idx IN (411, 1402);"
		  "INSERT INTO audit SELECT 1813 - idx, leaf, digest, envelope FROM x",               411,  FAULT_CHANGED },
		{ "one twice, the rest moved down",
                 "UPDATE audit SET idx = -idx WHERE idx > 900;"
		  "UPDATE audit SET idx = -idx + 1 WHERE idx < 0;"
		  "INSERT INTO audit SELECT 901, leaf, digest, envelope FROM audit WHERE idx = 900",
                 901,										       FAULT_INSERTED},
		{ "another one's content",
                 "UPDATE audit SET (leaf, digest, envelope) = (SELECT leaf, digest, envelope FROM "
		  "audit WHERE idx = 3) WHERE idx = 1999",		                            1999, FAULT_CHANGED },
		{ "one more at the end",
                 "INSERT INTO audit SELECT 2000, leaf, digest, envelope FROM audit WHERE idx = 1",
                 2000,										      FAULT_CHANGED },
		{ "one before the first",
                 "INSERT INTO audit SELECT -1, leaf, digest, envelope FROM audit WHERE idx = 1",
                 0,											 FAULT_MISSING },
		{ "cut",			    "DELETE FROM audit WHERE idx >= 1990",            1990, FAULT_MISSING },
		{ "all gone",                       "DELETE FROM audit",                              0,    FAULT_MISSING },
		{ "no heads",                       "DELETE FROM checkpoint",                         0,    FAULT_INSERTED},
		{ "columns of other types",
                 "UPDATE audit SET leaf = 'text' WHERE idx = 12",                                     12,   FAULT_CHANGED },
		{ "an empty envelope",              "UPDATE audit SET envelope = x'' WHERE idx = 13",
                 13,											FAULT_CHANGED },
		{ "a head that is not signed",
                 "UPDATE checkpoint SET note = replace(note, 'vaultd', 'vaulte') WHERE size = 600",
                 0,											 FAULT_HEAD    },
		{ "the newest head gone",           "DELETE FROM checkpoint WHERE size = 2000",
                 1800,										      FAULT_INSERTED},
	};
	return cr_make_param_array(struct trick, t, ARRAY_LEN(t));
}
ParameterizedTest(struct trick *t, verify, whoever_can_write_the_file_is_found_out)
{
	change(t->sql);
	cr_assert_eq(verify_db(), ERR_VERIFY, "%s", t->name);
	cr_assert_eq(rep.fault, t->fault, "%s: %d: %s", t->name, (int)rep.fault,
	             rep.text);
	cr_assert_eq(rep.bad, t->bad, "%s: %s", t->name, rep.text);
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

	snprintf(
		sql, sizeof(sql),
		"DELETE FROM audit WHERE idx >= %d; DELETE FROM checkpoint WHERE size > %d",
		size, size);
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
	cr_assert_eq(note_key_make("vaultd/audit/ffeeddccbbaa99887766554433221100", pub,
	                           &o.key, &e),
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

		run(db,
		    "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; SELECT count(*) FROM audit");
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
