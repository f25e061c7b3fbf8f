/* SPDX-License-Identifier: Apache-2.0 */
/* The mirror of rows that are read often: it never says what the database does not. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "mirror.h"
#include "tests/lib/storefix.h"

static struct storefix *f;

static void setup(void)
{
	f = storefix_new();
	storefix_ready(f);
}

static void teardown(void)
{
	storefix_free(f);
}

TestSuite(mirror, .init = setup, .fini = teardown, .timeout = 120);

static void must(int rc)
{
	cr_assert_eq(rc, ERR_OK, "%s", f->e.msg);
}

static struct store_object object(enum store_kind kind, int id, const char *text)
{
	struct store_object o = storefix_object(f, kind, id, text);

	memset(o.id, id, sizeof(o.id));
	o.id[1] = (unsigned char)(id >> 8);
	o.id_len = sizeof(o.id);
	o.parent_len = o.tag_len = o.id_len;
	memset(o.parent, 0xaa, sizeof(o.parent));
	memset(o.tag, 0xbb, sizeof(o.tag));
	o.due = 77;
	return o;
}

static int get(enum store_kind kind, int id, struct store_object *out)
{
	struct store_object o = object(kind, id, "");

	return store_get(&f->c, f->a, kind, o.id, o.id_len, out, &f->e);
}

static bool in_mirror(enum store_kind kind, int id)
{
	struct store_object o = object(kind, id, ""), out;

	return mirror_get(state_mirror(&f->c), f->a, kind, o.id, o.id_len, &out);
}

static void put_one(int id, const char *text)
{
	struct store_object o = object(KIND_TOKEN, id, text);

	must(storefix_begin(f));
	must(store_put(&f->c, &o, &f->e));
	must(storefix_commit(f));
}

static void expect(int id, const char *text)
{
	struct store_object got;

	must(get(KIND_TOKEN, id, &got));
	cr_assert_str_eq(value_cstr_or(f->a, got.body, "text", "?"), text);
}

static void next_batch(void)
{
	must(storefix_begin(f));
	must(storefix_commit(f));
}

Test(mirror, answers_with_the_whole_object)
{
	struct store_object first, again;

	put_one(1, "one");
	cr_assert_not(in_mirror(KIND_TOKEN, 1), "a batch that wrote it keeps nothing");
	next_batch();
	must(get(KIND_TOKEN, 1, &first));
	cr_assert(in_mirror(KIND_TOKEN, 1));
	must(get(KIND_TOKEN, 1, &again));
	cr_assert(value_equal(first.body, again.body));
	cr_assert_neq(first.body, again.body, "each reader may change its own");
	again.body = first.body;
	cr_assert_eq(again.version, first.version);
	cr_assert_eq(again.due, 77);
	cr_assert(again.id_len == 32 && memcmp(again.id, first.id, 32) == 0);
	cr_assert(again.parent_len == 32 && memcmp(again.parent, first.parent, 32) == 0);
	cr_assert(again.tag_len == 32 && memcmp(again.tag, first.tag, 32) == 0);
	cr_assert_not(in_mirror(KIND_SECRET, 1), "the kind is part of the identity");
}

Test(mirror, forgets_what_is_written_or_deleted)
{
	struct store_object o;

	put_one(1, "one");
	next_batch();
	must(get(KIND_TOKEN, 1, &o));
	must(storefix_begin(f));
	o.body = object(KIND_TOKEN, 1, "two").body;
	must(store_put(&f->c, &o, &f->e));
	expect(1, "two");
	must(storefix_commit(f));
	expect(1, "two");
	next_batch();
	expect(1, "two");
	cr_assert(in_mirror(KIND_TOKEN, 1));
	must(storefix_begin(f));
	must(store_delete(&f->c, &o, &f->e));
	cr_assert_eq(get(KIND_TOKEN, 1, &o), ERR_NOENT);
	must(storefix_commit(f));
	cr_assert_eq(get(KIND_TOKEN, 1, &o), ERR_NOENT);
}

Test(mirror, never_holds_what_a_batch_did_not_commit)
{
	struct store_object o;

	put_one(1, "one");
	next_batch();
	must(get(KIND_TOKEN, 1, &o));
	must(storefix_begin(f));
	o.body = object(KIND_TOKEN, 1, "lost").body;
	must(store_put(&f->c, &o, &f->e));
	expect(1, "lost");
	cr_assert_not(in_mirror(KIND_TOKEN, 1));
	storefix_abort(f);
	must(storefix_begin(f));
	expect(1, "one");
	must(storefix_commit(f));
	expect(1, "one");
}

Test(mirror, never_holds_what_a_savepoint_took_back)
{
	struct store_object o;

	put_one(1, "one");
	must(storefix_begin(f));
	must(get(KIND_TOKEN, 1, &o));
	must(db_savepoint(f->c.db, &f->e));
	store_state_mark(&f->c);
	o.body = object(KIND_TOKEN, 1, "lost").body;
	must(store_put(&f->c, &o, &f->e));
	expect(1, "lost");
	store_state_rewind(&f->c);
	must(db_rollback_to(f->c.db, &f->e));
	must(db_release(f->c.db, &f->e));
	expect(1, "one");
	must(storefix_commit(f));
	expect(1, "one");
}

static unsigned char secret[32] = { 1, 2, 3 };

static const char *value_at_version(int64_t version)
{
	unsigned char *p;
	size_t n;
	int rc = payload_get(&f->c, f->a, secret, version, 5, &p, &n, &f->e);

	return rc == ERR_OK ? arena_dup(f->a, p, n) : errclasses[rc].wire;
}

static bool payload_mirrored(int64_t version)
{
	struct payload_row row = { .secret = secret, .version = version };

	return mirror_get_payload(state_mirror(&f->c), &row);
}

Test(mirror, holds_payloads_as_they_are_stored)
{
	must(storefix_begin(f));
	must(payload_put(&f->c, secret, 1, 5, "first", 5, &f->e));
	cr_assert_str_eq(value_at_version(1), "first");
	cr_assert_not(payload_mirrored(1));
	must(storefix_commit(f));
	next_batch();
	cr_assert_str_eq(value_at_version(1), "first");
	cr_assert(payload_mirrored(1));
	cr_assert_not(payload_mirrored(2));
	cr_assert_str_eq(value_at_version(1), "first");
	must(storefix_begin(f));
	must(payload_destroy(&f->c, secret, 1, &f->e));
	cr_assert_not(payload_mirrored(1));
	cr_assert_str_eq(value_at_version(1), errclasses[ERR_NOENT].wire);
	storefix_abort(f);
	must(storefix_begin(f));
	cr_assert_str_eq(value_at_version(1), "first");
	must(payload_destroy(&f->c, secret, 1, &f->e));
	must(payload_put(&f->c, secret, 2, 5, "second", 6, &f->e));
	must(storefix_commit(f));
	cr_assert_str_eq(value_at_version(1), errclasses[ERR_NOENT].wire);
	cr_assert_str_eq(value_at_version(2), "second");
}

Test(mirror, is_bounded)
{
	struct store_object o;

	must(storefix_begin(f));
	for (int i = 0; i < 10000; i++) {
		o = object(KIND_SECRET, i, "x");
		o.id[2] = (unsigned char)(i >> 8);
		must(store_put(&f->c, &o, &f->e));
	}
	must(storefix_commit(f));
	next_batch();
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 10000; i++) {
			struct store_object want = object(KIND_SECRET, i, "x");

			want.id[2] = (unsigned char)(i >> 8);
			must(store_get(&f->c, f->a, KIND_SECRET, want.id, 32, &o, &f->e));
			cr_assert(memcmp(o.id, want.id, 32) == 0);
			arena_reset(f->a);
		}
}

Test(mirror, leaves_out_what_is_large_and_other_kinds)
{
	static char large[2000];
	struct store_object o;

	memset(large, 'x', sizeof(large) - 1);
	put_one(1, large);
	must(storefix_begin(f));
	o = object(KIND_HOST, 2, "host");
	must(store_put(&f->c, &o, &f->e));
	must(storefix_commit(f));
	next_batch();
	expect(1, large);
	must(get(KIND_HOST, 2, &o));
	cr_assert_not(in_mirror(KIND_TOKEN, 1));
	cr_assert_not(in_mirror(KIND_HOST, 2));
}

Test(mirror, is_gone_after_sealing)
{
	struct store_object o;

	put_one(1, "one");
	next_batch();
	must(get(KIND_TOKEN, 1, &o));
	cr_assert(in_mirror(KIND_TOKEN, 1));
	must(storefix_reopen(f));
	cr_assert_not(in_mirror(KIND_TOKEN, 1));
	expect(1, "one");
}
