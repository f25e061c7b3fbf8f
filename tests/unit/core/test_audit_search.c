/* SPDX-License-Identifier: Apache-2.0 */
/* What is folded into aggregates, and what searches and exports show. */
#include "audit_rig.h"

TestSuite(audit_search, .init = setup, .fini = teardown, .timeout = 120);

Test(audit_search, refusals_beyond_ten_a_second_are_counted)
{
	struct value *o;

	OK(unseal());
	begin();
	for (int i = 0; i < 200; i++)
		OK(refuse("192.0.2.7"));
	for (int i = 0; i < 3; i++)
		OK(refuse("192.0.2.8"));
	commit();
	expect_whole(13);
	cr_assert_eq(audit_next_ms(&c), wall + 1000);
	audit_rejected(&c, "192.0.2.7", "header too large", 40);
	wall += 1000;
	boot += 1000;
	begin();
	OK(refuse("192.0.2.7"));
	commit();
	cr_assert_eq(audit_next_ms(&c), 0);
	expect_whole(16);
	o = record(14);
	cr_assert_str_eq(text(o, "operation"), "aggregate");
	cr_assert_str_eq(text(o, "remote"), "192.0.2.7");
	cr_assert_str_eq(text(o, "error"), "permission_denied");
	cr_assert_eq(value_int_or(value_get(o, "note"), "count", 0), 190);
	o = record(15);
	cr_assert_str_eq(text(o, "error"), "header too large");
	cr_assert_eq(value_int_or(value_get(o, "note"), "count", 0), 40);
}

Test(audit_search, counts_of_a_refused_batch_are_written_by_the_next)
{
	OK(unseal());
	audit_rejected(&c, "192.0.2.7", "timeout", 5);
	wall += 1000;
	begin();
	OK(audit_flush(&c, &e));
	audit_batch_abort(&c);
	db_rollback(c.db);
	cr_assert_neq(audit_next_ms(&c), 0);
	begin();
	commit();
	expect_whole(1);
	cr_assert_eq(value_int_or(value_get(record(0), "note"), "count", 0), 5);
}

Test(audit_search, a_network_of_ipv6_addresses_counts_as_one)
{
	char remote[64];

	OK(unseal());
	begin();
	for (int i = 0; i < 100; i++) {
		snprintf(remote, sizeof(remote), "2001:db8:0:1::%x", i + 1);
		OK(refuse(remote));
	}
	commit();
	expect_whole(10);
}

Test(audit_search, addresses_without_end_are_counted_under_one_name)
{
	struct value *last;
	char remote[64];
	int64_t sum = 0;

	OK(unseal());
	for (int i = 0; i < 2000; i++) {
		snprintf(remote, sizeof(remote), "10.%d.%d.%d", i / 256, i % 256, i % 7);
		audit_rejected(&c, remote, "timeout", 1);
	}
	wall += 1000;
	begin();
	commit();
	expect_whole(FOLD_COUNTS);
	for (int64_t i = 0; i < FOLD_COUNTS; i++)
		sum += value_int_or(value_get(record(i), "note"), "count", 0);
	cr_assert_eq(sum, 2000);
	last = record(FOLD_COUNTS - 1);
	cr_assert_str_eq(text(last, "remote"), "*");
}

Test(audit_search, a_valid_token_is_never_folded)
{
	OK(unseal());
	append_batch(500);
	expect_whole(500);
}

Test(audit_search, searches_filter_and_page)
{
	struct audit_search s = { .path = "secret/data/12" }, by_time = { 0 },
			    by_actor = { 0 };
	struct value *list;

	OK(unseal());
	append_batch(200);
	wall += 60000;
	begin();
	OK(append_as("bob", "secret/data/123"));
	commit();
	list = find(&s);
	/* 12, 120 … 129, and bob's, newest first */
	cr_assert_eq(list->len, 12);
	cr_assert_eq(value_int_or(list->first, "index", -1), 200);
	cr_assert_eq(value_int_or(list->last, "index", -1), 12);
	by_actor.actor = "bob";
	cr_assert_eq(find(&by_actor)->len, 1);
	by_actor.actor = "accessor-of-it";
	cr_assert_eq(find(&by_actor)->len, 201);
	by_time.since = wall;
	cr_assert_eq(find(&by_time)->len, 1);
	by_time.since = 0;
	by_time.until = wall;
	cr_assert_eq(find(&by_time)->len, 200);
	by_time.forward = true;
	by_time.limit = 7;
	list = find(&by_time);
	cr_assert_eq(list->len, 7);
	cr_assert_eq(value_int_or(list->last, "index", -1), 6);
	cr_assert(audit_search_more(&by_time));
	cr_assert_eq(by_time.at, 7);
	s.operation = "delete";
	cr_assert_eq(find(&s)->len, 0);
}

Test(audit_search, a_search_is_cut_into_slices)
{
	struct audit_search s = {
		.to = 2500, .at = 2499, .until = INT64_MAX, .limit = 10, .actor = "nobody"
	};
	bool done = false;
	int slices = 0;

	OK(unseal());
	append_batch(2500);
	s.records = value_array(a);
	for (; !done; slices++) {
		cr_assert_leq(s.scanned, slices * SEARCH_SLICE);
		OK(audit_search_slice(&c, a, &s, &done, &e));
	}
	cr_assert_eq(slices, 3);
	cr_assert_not(audit_search_more(&s));
}

Test(audit_search, a_search_shows_what_is_damaged_or_gone)
{
	struct audit_search s = { .actor = "nobody", .forward = true };
	struct value *list;

	OK(unseal());
	append_batch(600);
	close_log();
	/* Far from the end, where opening the log does not look. */
	tamper("UPDATE audit SET envelope = zeroblob(100) WHERE idx = 10");
	tamper("DELETE FROM audit WHERE idx IN (20, 21)");
	open_log();
	OK(unseal());
	list = find(&s);
	cr_assert_eq(list->len, 3);
	cr_assert_str_eq(text(value_at(list, 0), "damaged"), "changed");
	cr_assert_eq(value_int_or(value_at(list, 1), "index", 0), 20);
	cr_assert_str_eq(text(value_at(list, 2), "damaged"), "missing");
}

Test(audit_search, exported_entries_fit_their_digest_and_leaf)
{
	struct value *list, *v;
	unsigned char h[32];
	crypto_hash_sha256_state st;

	OK(unseal());
	append_batch(30);
	begin();
	append_many(5);
	OK(audit_entries(&c, a, 10, 1000, &list, &e));
	commit();
	cr_assert_eq(list->len, 20, "what is not signed yet is not exported");
	for (v = list->first; v != NULL; v = v->next) {
		const struct value *salt = value_get(v, "salt"),
				   *rec = value_get(v, "record"),
				   *env = value_get(v, "envelope");

		crypto_hash_sha256_init(&st);
		crypto_hash_sha256_update(&st, (const unsigned char *)salt->text,
		                          salt->len);
		crypto_hash_sha256_update(&st, (const unsigned char *)rec->text,
		                          rec->len);
		crypto_hash_sha256_final(&st, h);
		cr_assert_arr_eq(value_get(v, "commit")->text, h, 32);
		audit_leaf(value_int_or(v, "index", -1), h,
		           (const unsigned char *)env->text, env->len, h);
		cr_assert_arr_eq(value_get(v, "leaf")->text, h, 32);
	}
}
