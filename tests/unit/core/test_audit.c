/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log as core writes it, on a database of its own without the rest of core. */
#include "audit_rig.h"

TestSuite(audit, .init = setup, .fini = teardown, .timeout = 120);

Test(audit, a_record_is_encoded_as_the_value_codec_would)
{
	struct value *note = value_object(a), *want = value_array(a), *got;
	const struct audit_record r = {
		.request_id = "id",
		.actor_type = "host",
		.actor = "web1",
		.remote = "10.0.0.9",
		.operation = "read",
		.path = "a/b",
		.outcome = "ok",
		.status = 204,
		.note = note,
	};
	static const char *const strings[] = { "host", "web1", "",   "10.0.0.9",
		                               "read", "a/b",  "ok", NULL };
	unsigned char buf[1024], *packed;
	size_t n, len;

	value_set_int(a, note, "version", 7);
	value_add(want, value_int(a, 1));
	value_add(want, value_int(a, INT64_MIN));
	value_add(want, value_int(a, INT64_MAX));
	for (size_t i = 0; strings[i] != NULL; i++)
		value_add(want, value_str(a, strings[i]));
	value_add(want, value_int(a, 204));
	value_add(want, value_str(a, ""));
	value_add(want, value_str(a, "id"));
	value_add(want, value_copy(a, note));
	packed = value_pack(a, want, &len);
	n = audit_record_encode(&r, INT64_MIN, INT64_MAX, buf);
	cr_assert_eq(n, len);
	cr_assert_arr_eq(buf, packed, n);
	cr_assert_leq(n, audit_record_size(&r));
	OK(audit_record_decode(a, buf, n, &got, &e));
	cr_assert(value_equal(got, want));
	buf[n - 1] ^= 1;
	cr_assert_eq(audit_record_decode(a, buf, n - 1, &got, &e), ERR_INTEGRITY);
}

Test(audit, the_signed_root_is_that_of_the_rows_at_every_tile_boundary)
{
	static const int sizes[] = {
		1, 2, 254, 255, 256, 257, 511, 512, 513, 1024, 1300
	};

	OK(unseal());
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		append_batch(sizes[i] - (int)audit_size(&c));
		expect_whole(sizes[i]);
		OK(reopen());
		expect_whole(sizes[i]);
	}
}

Test(audit, three_levels_of_tiles_load_and_prove)
{
	struct note_checkpoint cp;
	struct merkle_proof p;
	struct audit_hashes *h = arena_alloc(a, sizeof(*h));
	unsigned char root[32], leaf[32];

	OK(unseal());
	for (int i = 0; i < 133; i++)
		append_batch(500);
	OK(reopen());
	append_batch(77);
	expect_whole(66577);
	cp = head();
	audit_hashes_init(h, c.audit->tree, c.db);
	for (int i = 0; i < 300; i++) {
		uint64_t to = 1 + randombytes_uniform(66577),
			 at = randombytes_uniform((uint32_t)to);

		OK(merkle_root_at(&h->reader, to, root, &e));
		OK(merkle_prove_inclusion(&h->reader, at, to, &p, &e));
		OK(h->reader.read(h, 0, at, leaf, &e));
		cr_assert(merkle_check_inclusion(at, to, leaf, &p, root));
		OK(merkle_prove_consistency(&h->reader, to, cp.size, &p, &e));
		cr_assert(merkle_check_consistency(to, cp.size, root, cp.root, &p),
		          "%llu", (unsigned long long)to);
	}
}

Test(audit, proofs_come_as_values_and_refuse_what_is_not_there)
{
	struct value *out;
	unsigned char root[32];
	struct merkle_proof p = { 0 };

	OK(unseal());
	append_batch(100);
	audit_root(&c, root);
	append_batch(200);
	OK(audit_consistency(&c, a, 100, &out, &e));
	for (struct value *v = out->first; v != NULL; v = v->next)
		memcpy(p.hash[p.n++], v->text, 32);
	cr_assert(merkle_check_consistency(100, 300, root, head().root, &p));
	cr_assert_eq(audit_consistency(&c, a, 301, &out, &e), ERR_INVALID);
	cr_assert_eq(audit_consistency(&c, a, -1, &out, &e), ERR_INVALID);
	cr_assert_eq(audit_inclusion(&c, a, 300, 0, &out, &e), ERR_INVALID);
	OK(audit_inclusion(&c, a, 299, 0, &out, &e));
	cr_assert_eq(value_int_or(out, "size", 0), 300);
}

Test(audit, a_savepoint_is_taken_back_with_its_records)
{
	unsigned char before[32], after[32];

	OK(unseal());
	append_batch(250);
	begin();
	append_many(3);
	audit_root(&c, before);
	OK(db_savepoint(c.db, &e));
	audit_mark(&c);
	append_many(20);
	cr_assert_eq(audit_size(&c), 273);
	audit_rewind(&c);
	OK(db_rollback_to(c.db, &e));
	OK(db_release(c.db, &e));
	cr_assert_eq(audit_size(&c), 253);
	audit_root(&c, after);
	cr_assert_arr_eq(before, after, 32);
	append_many(4);
	commit();
	expect_whole(257);
	OK(reopen());
	expect_whole(257);
}

Test(audit, a_batch_that_was_refused_leaves_no_trace)
{
	OK(unseal());
	append_batch(255);
	begin();
	append_many(5);
	OK(audit_flush(&c, &e));
	audit_batch_abort(&c);
	db_rollback(c.db);
	append_batch(1);
	expect_whole(256);
	/* Before the flush, too. */
	begin();
	append_many(5);
	audit_batch_abort(&c);
	db_rollback(c.db);
	append_batch(2);
	expect_whole(258);
	OK(reopen());
	expect_whole(258);
}

Test(audit, nothing_is_journaled_in_the_clear_when_the_log_cannot_be_read_again)
{
	OK(unseal());
	append_batch(10);
	begin();
	append_many(1);
	OK(audit_flush(&c, &e));
	audit_batch_abort(&c);
	db_rollback(c.db);
	/* The stored head is gone when the tree is to be read again. */
	OK(db_begin(c.db, &e));
	struct stmt *st = db_stmt(c.db, STMT_CHECKPOINT_DELETE);
	db_bind_int(st, 1, 0);
	db_bind_int(st, 2, 100);
	OK(db_run(st, &e));
	OK(db_commit(c.db, &e));
	begin();
	cr_assert_eq(append_as("alice", "secret/data/x"), ERR_INTEGRITY);
	audit_mark(&c);
	audit_rewind(&c);
	cr_assert_eq(append_as("alice", "secret/data/x"), ERR_INTEGRITY);
	audit_batch_abort(&c);
	db_rollback(c.db);
	close_log();
	cr_assert_eq(number("SELECT count(*) FROM journal"), 0);
	open_log();
}

Test(audit, what_happens_while_sealed_is_chained_in_at_unseal)
{
	struct value *o, *note;

	begin();
	OK(append_as("", "sys/seal-status"));
	append_many(2);
	commit();
	cr_assert_eq(audit_size(&c), 0);
	OK(reopen());
	expect_whole(3);
	o = record(0);
	cr_assert_str_eq(text(o, "path"), "sys/seal-status");
	note = value_get(o, "note");
	cr_assert(value_bool_or(note, "journal", false));
	cr_assert_eq(value_int_or(note, "time_ms", 0), wall);
	close_log();
	cr_assert_eq(number("SELECT count(*) FROM journal"), 0);
	open_log();
}

Test(audit, an_unseal_that_fails_keeps_the_journal)
{
	begin();
	append_many(3);
	commit();
	begin();
	OK(db_savepoint(c.db, &e));
	audit_mark(&c);
	c.keys = keys;
	OK(audit_unsealed(&c, &e));
	cr_assert_eq(audit_size(&c), 3);
	audit_rewind(&c);
	c.keys = NULL;
	OK(db_rollback_to(c.db, &e));
	OK(db_release(c.db, &e));
	append_many(1);
	commit();
	OK(unseal());
	expect_whole(4);
}

Test(audit, a_full_journal_counts_and_says_so)
{
	struct value *o;

	begin();
	append_many((int)LIMIT_SEALED_JOURNAL);
	commit();
	close_log();
	open_log();
	begin();
	append_many(25);
	commit();
	close_log();
	open_log();
	begin();
	append_many(1);
	commit();
	OK(unseal());
	expect_whole(LIMIT_SEALED_JOURNAL + 1);
	o = record(LIMIT_SEALED_JOURNAL);
	cr_assert_str_eq(text(o, "operation"), "aggregate");
	cr_assert_eq(value_int_or(value_get(o, "note"), "count", 0), 26);
	/* Counted once: sealed and unsealed again, and after a restart. */
	audit_sealed(&c);
	c.keys = NULL;
	OK(unseal());
	expect_whole(LIMIT_SEALED_JOURNAL + 1);
	OK(reopen());
	expect_whole(LIMIT_SEALED_JOURNAL + 1);
}

Test(audit, a_journal_row_that_cannot_be_read_is_recorded_as_that)
{
	begin();
	append_many(2);
	commit();
	close_log();
	tamper("UPDATE journal SET record = x'00' WHERE seq = 1");
	open_log();
	OK(unseal());
	expect_whole(2);
	cr_assert_str_eq(text(record(0), "error"), "integrity");
	cr_assert_str_eq(text(record(1), "actor"), "alice");
}

struct damage {
	char name[32];
	char sql[200];
	char says[64];
};

ParameterizedTestParameters(audit, a_log_that_was_changed_does_not_open)
{
	static struct damage d[] = {
		{"envelope",
                 "UPDATE audit SET envelope = substr(envelope, 1, 50) || x'00' || "
		  "substr(envelope, 52) WHERE idx = 270",		                 "audit record 270 was changed"   },
		{ "digest",     "UPDATE audit SET digest = zeroblob(32) WHERE idx = 299",
                 "audit record 299 was changed"									    },
		{ "leaf",       "UPDATE audit SET leaf = zeroblob(32) WHERE idx = 256",
                 "audit record 256 was changed"									    },
		{ "short leaf", "UPDATE audit SET leaf = x'00' WHERE idx = 256",
                 "audit record 256 is damaged"									     },
		{ "deleted",    "DELETE FROM audit WHERE idx = 280",
                 "audit record 280 is missing"									     },
		{ "cut",        "DELETE FROM audit WHERE idx >= 298",
                 "audit record 298 is missing"									     },
		{ "added",
                 "INSERT INTO audit SELECT 300, leaf, digest, envelope FROM audit WHERE "
		  "idx = 1",		                                              "audit record 300 is not covered"},
		{ "tile",       "UPDATE audit_tile SET hashes = zeroblob(32)",
                 "at record 300"											   },
		{ "no tile",    "DELETE FROM audit_tile",                                 "tile 0 of level 1"              },
		{ "no head",    "DELETE FROM checkpoint",                                 "audit record 0 is not covered"  },
		{ "head",       "UPDATE checkpoint SET note = substr(note, 1, 60)",
                 "is not ours"											     },
		{ "moved head", "UPDATE checkpoint SET size = 299 WHERE size = 300",
                 "is misplaced"											    },
		{ "everything", "DELETE FROM audit; DELETE FROM audit_tile",
                 "audit record 0 is missing"									       },
	};
	return cr_make_param_array(struct damage, d, ARRAY_LEN(d));
}
ParameterizedTest(struct damage *d, audit, a_log_that_was_changed_does_not_open)
{
	OK(unseal());
	append_batch(300);
	close_log();
	tamper(d->sql);
	open_log();
	cr_assert_eq(unseal(), ERR_INTEGRITY, "%s", d->name);
	cr_assert_not_null(strstr(e.msg, d->says), "%s: %s", d->name, e.msg);
}

Test(audit, a_record_with_its_leaf_forged_is_named_by_the_key)
{
	STMT_AUTO st = NULL;
	unsigned char envelope[2048], digest[32], leaf[32];
	struct audit_row row;
	char sql[8192], hex[4400], leaf_hex[65];
	bool found;

	OK(unseal());
	append_batch(300);
	st = db_stmt(c.db, STMT_AUDIT_RANGE);
	db_bind_int(st, 1, 290);
	db_bind_int(st, 2, 291);
	db_bind_int(st, 3, 1);
	OK(db_step(st, &found, &e));
	OK(audit_row_get(st, &row, &e));
	memcpy(envelope, row.envelope, row.n);
	memcpy(digest, row.digest, 32);
	envelope[row.n - 1] ^= 1;
	audit_leaf(290, digest, envelope, row.n, leaf);
	sodium_bin2hex(hex, sizeof(hex), envelope, row.n);
	sodium_bin2hex(leaf_hex, sizeof(leaf_hex), leaf, 32);
	db_done(st);
	st = NULL;
	close_log();
	snprintf(sql, sizeof(sql),
	         "UPDATE audit SET envelope = x'%s', leaf = x'%s' WHERE idx = 290", hex,
	         leaf_hex);
	tamper(sql);
	open_log();
	cr_assert_eq(unseal(), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "audit record 290 does not open"), "%s", e.msg);
}

Test(audit, the_log_of_another_vault_or_key_does_not_open)
{
	struct keyring *other, *mine = keys;

	OK(unseal());
	append_batch(3);
	OK(keyring_create(wall, &other, &e));
	keys = other;
	cr_assert_eq(reopen(), ERR_INTEGRITY);
	keys = mine;
	c.vault_id[0] ^= 1;
	cr_assert_eq(unseal(), ERR_INTEGRITY);
	c.vault_id[0] ^= 1;
	OK(unseal());
	expect_whole(3);
	keyring_free(other);
}

Test(audit, old_heads_are_thinned_out)
{
	OK(unseal());
	for (int i = 0; i < 2500; i++) {
		append_batch(1);
		boot += 1000;
	}
	close_log();
	cr_assert_eq(number("SELECT max(size) FROM checkpoint"), 2500);
	/* The first of each thousand, and one a minute in the last: 500 s make 8. */
	cr_assert_eq(number("SELECT count(*) FROM checkpoint WHERE size < 2000"), 2);
	cr_assert_eq(
		number("SELECT count(*) FROM checkpoint WHERE size = 1 OR size = 1000"),
		2);
	cr_assert_eq(
		number("SELECT count(*) FROM checkpoint WHERE size > 2000 AND size < 2500"),
		8);
	open_log();
	OK(unseal());
	append_batch(1);
	expect_whole(2501);
	append_batch(600);
	close_log();
	cr_assert_eq(number("SELECT count(*) FROM checkpoint"), 4);
	open_log();
}
