/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"
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

TestSuite(store, .init = setup, .fini = teardown, .timeout = 120);

static int put(enum store_kind kind, int id, const char *text)
{
	struct store_object o = storefix_object(f, kind, id, text);

	return store_put(&f->c, &o, &f->e);
}

static int get(enum store_kind kind, int id, struct store_object *out)
{
	struct store_object o = storefix_object(f, kind, id, "");

	return store_get(&f->c, f->a, kind, o.id, o.id_len, out, &f->e);
}

static void must(int rc)
{
	cr_assert_eq(rc, ERR_OK, "%s", f->e.msg);
}

static void batch(void)
{
	must(storefix_begin(f));
}

static void commit(void)
{
	must(storefix_commit(f));
}

static const char *text_of(const struct store_object *o)
{
	return value_cstr_or(f->a, o->body, "text", "?");
}

Test(store, what_was_put_comes_back)
{
	struct store_object o = storefix_object(f, KIND_LEASE, 7, "hello"), got;

	memset(o.parent, 1, o.parent_len = 16);
	memset(o.tag, 2, o.tag_len = 32);
	o.due = 12345;
	batch();
	must(store_put(&f->c, &o, &f->e));
	cr_assert_eq(o.version, 1);
	commit();
	must(get(KIND_LEASE, 7, &got));
	cr_assert_eq(got.version, 1);
	cr_assert_eq(got.due, 12345);
	cr_assert(got.parent_len == 16 && memcmp(got.parent, o.parent, 16) == 0);
	cr_assert(got.tag_len == 32 && memcmp(got.tag, o.tag, 32) == 0);
	cr_assert_str_eq(text_of(&got), "hello");
	cr_assert_eq(get(KIND_TOKEN, 7, &got), ERR_NOENT,
	             "the kind is part of the identity");
	must(storefix_reopen(f));
	must(get(KIND_LEASE, 7, &got));
	must(storefix_verify(f));
}

static bool is_there(const struct store_object *want)
{
	struct store_object got;

	must(storefix_reopen(f));
	must(get(want->kind, 7, &got));
	return got.version == want->version && got.due == want->due &&
	       got.parent_len == want->parent_len && got.tag_len == want->tag_len &&
	       memcmp(got.parent, want->parent, want->parent_len) == 0 &&
	       memcmp(got.tag, want->tag, want->tag_len) == 0;
}

/* Each is stored when it changes, whatever else does not. */
Test(store, what_an_index_knows_follows_every_change)
{
	struct store_object o = storefix_object(f, KIND_LEASE, 7, "hello");

	memset(o.parent, 1, o.parent_len = 16);
	memset(o.tag, 2, o.tag_len = 32);
	o.due = 12345;
	for (int step = 0; step < 9; step++) {
		switch (step) {
		case 1:
			o.due = 12346;
			break;
		case 2:
			o.due = 0;
			break;
		case 3:
			o.parent[15] ^= 1;
			break;
		case 4:
			o.parent_len = 15;
			break;
		case 5:
			o.parent_len = 0;
			break;
		case 6:
			o.tag[0] ^= 1;
			break;
		case 7:
			o.tag_len = 0;
			break;
		default: /* the body alone */
			break;
		}
		o.body = value_object(f->a);
		value_set_int(f->a, o.body, "step", step);
		batch();
		must(store_put(&f->c, &o, &f->e));
		commit();
		cr_assert(is_there(&o), "step %d", step);
		must(storefix_verify(f));
	}
}

Test(store, versions_guard_against_lost_updates)
{
	struct store_object first, second, o = storefix_object(f, KIND_HOST, 1, "a");

	batch();
	must(store_put(&f->c, &o, &f->e));
	cr_assert_eq(put(KIND_HOST, 1, "again"), ERR_CONFLICT, "it exists");
	must(get(KIND_HOST, 1, &first));
	must(get(KIND_HOST, 1, &second));
	must(store_put(&f->c, &first, &f->e));
	cr_assert_eq(first.version, 2);
	cr_assert_eq(store_put(&f->c, &second, &f->e), ERR_CONFLICT);
	cr_assert_eq(second.version, 1);
	cr_assert_eq(store_delete(&f->c, &second, &f->e), ERR_CONFLICT);
	must(store_delete(&f->c, &first, &f->e));
	cr_assert_eq(store_delete(&f->c, &first, &f->e), ERR_CONFLICT, "it is gone");
	cr_assert_eq(store_put(&f->c, &first, &f->e), ERR_CONFLICT,
	             "it does not come back");
	must(put(KIND_HOST, 1, "new"));
	commit();
	must(storefix_verify(f));
}

Test(store, malformed_objects_are_refused)
{
	struct store_object o = storefix_object(f, KIND_CONSISTENCY, 1, "x");

	batch();
	cr_assert_eq(store_put(&f->c, &o, &f->e), ERR_INTERNAL);
	o = storefix_object(f, KIND_HOST, 1, "x");
	o.id_len = 0;
	cr_assert_eq(store_put(&f->c, &o, &f->e), ERR_INTERNAL);
	o.id_len = 33;
	cr_assert_eq(store_put(&f->c, &o, &f->e), ERR_INTERNAL);
	commit();
}

Test(store, sealed_store_answers_nothing)
{
	struct store_object o;
	struct keyring *keys = f->c.keys;

	f->c.keys = NULL;
	cr_assert_eq(get(KIND_HOST, 1, &o), ERR_SEALED);
	cr_assert_eq(put(KIND_HOST, 1, "x"), ERR_SEALED);
	f->c.keys = keys;
}

/* ---- iteration ---- */

struct seen {
	int n, ids[400];
	int nested;
};

static int nested(void *ctx, struct store_object *o, struct err *e)
{
	(void)o;
	(void)e;
	++*(int *)ctx;
	return ERR_OK;
}

/* Reads other rows, by the same query too, while it is called. */
static int note(void *ctx, struct store_object *o, struct err *e)
{
	struct seen *s = ctx;
	struct store_object other;

	s->ids[s->n++] = o->id[0] << 8 | o->id[1];
	if (store_get(&f->c, f->a, o->kind, o->id, o->id_len, &other, e) != ERR_OK)
		return e->code;
	if (o->parent_len > 0 && s->n == 1)
		return store_by_parent(&f->c, f->a, o->kind, o->parent, o->parent_len,
		                       nested, &s->nested, e);
	return ERR_OK;
}

static void put_family(int n)
{
	batch();
	for (int i = 0; i < n; i++) {
		struct store_object o = storefix_object(f, KIND_SECRET, i * 7 % n,
		                                        "child");

		memset(o.parent, i % 2, o.parent_len = 32);
		memset(o.tag, 9, o.tag_len = 32);
		o.due = i % 3 == 0 ? 0 : 1000 - i;
		must(store_put(&f->c, &o, &f->e));
	}
	commit();
}

static void check_order(const struct seen *s, int n)
{
	cr_assert_eq(s->n, n);
	for (int i = 1; i < n; i++)
		cr_assert_lt(s->ids[i - 1], s->ids[i]);
}

Test(store, iteration_is_complete_ordered_and_re_entrant)
{
	unsigned char parent[32] = { 0 }, tag[32];
	struct seen s = { 0 };

	memset(tag, 9, sizeof(tag));
	put_family(300);
	must(store_by_parent(&f->c, f->a, KIND_SECRET, parent, 32, note, &s, &f->e));
	check_order(&s, 150);
	cr_assert_eq(s.nested, 150);
	memset(&s, 0, sizeof(s));
	must(store_by_tag(&f->c, f->a, KIND_SECRET, tag, 32, note, &s, &f->e));
	check_order(&s, 300);
	memset(&s, 0, sizeof(s));
	must(store_each(&f->c, f->a, KIND_SECRET, NULL, 0, 0, note, &s, &f->e));
	check_order(&s, 300);
	memset(&s, 0, sizeof(s));
	must(store_by_parent(&f->c, f->a, KIND_HOST, parent, 32, note, &s, &f->e));
	cr_assert_eq(s.n, 0);
}

Test(store, iteration_goes_on_behind_a_row_and_stops_at_a_limit)
{
	static const int limits[] = { 1, 63, 64, 65, 128, 129, 299, 300, 301 };

	put_family(300);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct seen s = { 0 };
		struct store_object o = storefix_object(f, KIND_SECRET, 10, "");

		must(store_each(&f->c, f->a, KIND_SECRET, NULL, 0, limits[i], note, &s,
		                &f->e));
		cr_assert_eq(s.n, limits[i] < 300 ? limits[i] : 300, "limit %d",
		             limits[i]);
		memset(&s, 0, sizeof(s));
		must(store_each(&f->c, f->a, KIND_SECRET, o.id, o.id_len, 5, note, &s,
		                &f->e));
		cr_assert_eq(s.n, 5);
		cr_assert_eq(s.ids[0] >> 8, 0);
		cr_assert_gt(s.ids[0] & 0xff, 10);
	}
}

static int stop(void *ctx, struct store_object *o, struct err *e)
{
	(void)o;
	return ++*(int *)ctx == 3 ? err_set(e, ERR_TIMEOUT, "enough") : ERR_OK;
}

Test(store, a_callback_ends_the_iteration)
{
	int n = 0;

	put_family(10);
	cr_assert_eq(store_each(&f->c, f->a, KIND_SECRET, NULL, 0, 0, stop, &n, &f->e),
	             ERR_TIMEOUT);
	cr_assert_eq(n, 3);
}

struct due_seen {
	int64_t due[300];
	int n;
};

static int note_due(void *ctx, struct store_object *o, struct err *e)
{
	struct due_seen *d = ctx;

	(void)e;
	d->due[d->n++] = o->due;
	return ERR_OK;
}

Test(store, due_objects_come_earliest_first)
{
	struct due_seen d = { .n = 0 };

	cr_assert_eq(store_next_due(&f->c, KIND_SECRET), 0);
	put_family(300);
	cr_assert_eq(store_next_due(&f->c, KIND_SECRET), 1000 - 299);
	must(store_due(&f->c, f->a, KIND_SECRET, 900, 0, note_due, &d, &f->e));
	cr_assert_eq(d.n, 134); /* i = 100 … 299 but those that 3 divides */
	for (int i = 1; i < d.n; i++)
		cr_assert(d.due[i - 1] < d.due[i] && d.due[i] <= 900);
	d.n = 0;
	must(store_due(&f->c, f->a, KIND_SECRET, 700, 0, note_due, &d, &f->e));
	cr_assert_eq(d.n, 0);
	must(store_due(&f->c, f->a, KIND_SECRET, 900, 2, note_due, &d, &f->e));
	cr_assert_eq(d.n, 2);
	cr_assert_eq(store_count(&f->c, KIND_SECRET), 300);
	cr_assert_eq(store_count(&f->c, KIND_HOST), 0);
}

Test(store, blind_tags_depend_on_every_part)
{
	unsigned char a[32], b[32];

	store_blind(&f->c, a, "policy", "x", 1, NULL, 0);
	store_blind(&f->c, b, "policy", "x", 1, NULL, 0);
	cr_assert_eq(memcmp(a, b, 32), 0);
	store_blind(&f->c, b, "policx", "x", 1, NULL, 0);
	cr_assert_neq(memcmp(a, b, 32), 0);
	store_blind(&f->c, b, "policy", NULL, 0, "x", 1);
	cr_assert_neq(memcmp(a, b, 32), 0);
	store_blind(&f->c, a, "s", "ab", 2, "c", 1);
	store_blind(&f->c, b, "s", "a", 1, "bc", 2);
	cr_assert_neq(memcmp(a, b, 32), 0);
}

/* ---- payloads ---- */

static unsigned char secret[32] = { 5, 6, 7 };

Test(store, payloads_of_all_sizes_come_back_and_hide_their_length)
{
	static const size_t sizes[] = { 0,    1,     30,    31,    32,    33,
		                        1000, 65535, 65536, 65537, 524288 };
	static unsigned char value[524288];

	randombytes_buf(value, sizeof(value));
	memset(value, 0, 40); /* zeros at the end must not be taken for padding */
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		unsigned char *got;
		size_t n;

		batch();
		must(payload_put(&f->c, secret, (int64_t)i + 1, 77, value, sizes[i],
		                 &f->e));
		cr_assert_eq(payload_put(&f->c, secret, (int64_t)i + 1, 77, value, 1,
		                         &f->e),
		             ERR_CONFLICT);
		commit();
		must(payload_get(&f->c, f->a, secret, (int64_t)i + 1, 77, &got, &n,
		                 &f->e));
		cr_assert(n == sizes[i] && memcmp(got, value, n) == 0, "size %zu",
		          sizes[i]);
		cr_assert_eq(payload_get(&f->c, f->a, secret, (int64_t)i + 1, 78, &got,
		                         &n, &f->e),
		             ERR_INTEGRITY, "another time of creation");
	}
	must(storefix_verify(f));
	storefix_close(f);
	cr_assert_eq(storefix_number(f,
	                             "SELECT count(DISTINCT length(sealed)) FROM payload "
	                             "WHERE version IN (2, 3, 4)"),
	             1, "1, 30 and 31 bytes look the same");
}

Test(store, a_destroyed_payload_is_gone)
{
	unsigned char *got;
	size_t n;

	batch();
	must(payload_put(&f->c, secret, 1, 0, "x", 1, &f->e));
	must(payload_destroy(&f->c, secret, 1, &f->e));
	must(payload_destroy(&f->c, secret, 1, &f->e));
	commit();
	cr_assert_eq(payload_get(&f->c, f->a, secret, 1, 0, &got, &n, &f->e), ERR_NOENT);
	must(storefix_verify(f));
}

/* ---- the state MAC and transactions ---- */

static void populate(void)
{
	batch();
	for (int i = 0; i < 5; i++) {
		struct store_object o = storefix_object(f, KIND_POLICY, i, "rule");

		memset(o.parent, 3, o.parent_len = 32);
		o.due = 500 + i;
		must(store_put(&f->c, &o, &f->e));
	}
	must(payload_put(&f->c, secret, 1, 0, "one", 3, &f->e));
	must(payload_put(&f->c, secret, 2, 0, "two", 3, &f->e));
	commit();
	must(storefix_verify(f));
}

Test(store, state_follows_savepoints_and_batches)
{
	populate();
	batch();
	store_state_mark(&f->c);
	must(db_savepoint(f->c.db, &f->e));
	must(put(KIND_HOST, 50, "kept"));
	must(db_release(f->c.db, &f->e));
	store_state_mark(&f->c);
	must(db_savepoint(f->c.db, &f->e));
	must(put(KIND_HOST, 51, "dropped"));
	store_state_rewind(&f->c);
	must(db_rollback_to(f->c.db, &f->e));
	must(db_release(f->c.db, &f->e));
	commit();
	must(storefix_verify(f));
	batch();
	must(put(KIND_HOST, 52, "never"));
	storefix_abort(f);
	must(storefix_verify(f));
	must(storefix_reopen(f));
	must(storefix_verify(f));
	cr_assert_eq(store_count(&f->c, KIND_HOST), 1);
}

static void change_something(int *next)
{
	uint32_t what = randombytes_uniform(4);
	unsigned char id[32] = { 0 };
	struct store_object o;
	int at = (int)randombytes_uniform(900);
	int64_t version = 1 + (int64_t)randombytes_uniform(3);

	if (what == 0 && ++*next) {
		must(put(KIND_SETTING, *next, "new"));
	} else if (what == 1 && get(KIND_TOKEN, at, &o) == ERR_OK) {
		must(store_put(&f->c, &o, &f->e));
	} else if (what == 2 && get(KIND_TOKEN, at, &o) == ERR_OK) {
		must(store_delete(&f->c, &o, &f->e));
	} else {
		memset(id, at & 0xff, 32);
		must(payload_destroy(&f->c, id, version, &f->e));
		must(payload_put(&f->c, id, version, 0, "x", 1, &f->e));
	}
}

/* Rows come, change and go before and behind the walk, some of it rolled back. */
Test(store, the_background_check_tolerates_concurrent_changes)
{
	int next = 0, slices = 0;

	batch();
	for (int i = 0; i < 900; i++)
		must(put(KIND_TOKEN, i, "token"));
	commit();
	for (int round = 0; round < 30; round++) {
		bool done = false;

		arena_reset(f->a);
		while (!done) {
			batch();
			must(store_state_verify_slice(&f->c, &done, &f->e));
			slices++;
			for (int i = 0; i < 20; i++) {
				bool drop = randombytes_uniform(4) == 0;

				store_state_mark(&f->c);
				must(db_savepoint(f->c.db, &f->e));
				change_something(&next);
				if (drop) {
					store_state_rewind(&f->c);
					must(db_rollback_to(f->c.db, &f->e));
				}
				must(db_release(f->c.db, &f->e));
			}
			if (randombytes_uniform(4) == 0)
				storefix_abort(f);
			else
				commit();
		}
	}
	cr_assert_gt(slices, 60);
}

Test(store, nothing_readable_is_in_the_file)
{
	const unsigned char *file;
	size_t n;

	batch();
	must(put(KIND_POLICY, 1, "canary-in-an-object"));
	must(payload_put(&f->c, secret, 1, 0, "canary-in-a-payload", 19, &f->e));
	commit();
	must(db_checkpoint(f->c.db, true, &f->e));
	file = crashvfs_file(f->disk, STOREFIX_DB, &n);
	cr_assert_eq(memmem(file, n, "canary", 6), NULL);
}

/* secure_delete: what was destroyed is not in the free pages either. */
Test(store, destroyed_ciphertext_leaves_the_file)
{
	unsigned char mark[64];
	const unsigned char *file;
	size_t n;

	batch();
	must(payload_put(&f->c, secret, 1, 0, "value", 5, &f->e));
	commit();
	must(db_checkpoint(f->c.db, true, &f->e));
	file = crashvfs_file(f->disk, STOREFIX_DB, &n);
	file = memmem(file, n, "V1\x01\x02\0\0\0\x01", 8);
	cr_assert_neq(file, NULL, "the wrapped data key");
	memcpy(mark, file, sizeof(mark));
	batch();
	must(payload_destroy(&f->c, secret, 1, &f->e));
	commit();
	must(db_checkpoint(f->c.db, true, &f->e));
	file = crashvfs_file(f->disk, STOREFIX_DB, &n);
	cr_assert_eq(memmem(file, n, mark, sizeof(mark)), NULL);
}
