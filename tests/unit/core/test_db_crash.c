/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power fails before every single change that a workload makes on the disk, init and
 * checkpoints included; then the database is opened and judged.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/storefix.h"

#define BATCHES 30

static struct storefix *f;
static struct seal_share share;
static long acked[BATCHES + 1]; /* [0]: init; events when it was acknowledged */
static unsigned char secret[32] = { 1 };

static void setup(void)
{
	f = storefix_new();
}

static void teardown(void)
{
	storefix_free(f);
}

TestSuite(db_crash, .init = setup, .fini = teardown, .timeout = 900);

static void must(int rc)
{
	cr_assert_eq(rc, ERR_OK, "%s", f->e.msg);
}

static int get(enum store_kind kind, int id, struct store_object *o)
{
	struct store_object key = storefix_object(f, kind, id, "");

	return store_get(&f->c, f->a, kind, key.id, key.id_len, o, &f->e);
}

/* One batch: a new object, a counter that says how many there are, a payload, and now and
 * then a deletion; so that half a batch would be seen. */
static void one_batch(int i)
{
	struct store_object o = storefix_object(f, KIND_SETTING, i, "row"), counter;

	must(storefix_begin(f));
	must(store_put(&f->c, &o, &f->e));
	if (get(KIND_HOST, 1, &counter) != ERR_OK)
		counter = storefix_object(f, KIND_HOST, 1, "");
	counter.body = value_object(f->a);
	value_set_int(f->a, counter.body, "n", i);
	must(store_put(&f->c, &counter, &f->e));
	must(payload_put(&f->c, secret, i, 0, "value", 5, &f->e));
	if (i > 3) {
		must(payload_destroy(&f->c, secret, i - 3, &f->e));
		must(get(KIND_SETTING, i - 3, &o));
		must(store_delete(&f->c, &o, &f->e));
	}
	must(storefix_commit(f));
	acked[i] = crashvfs_events(f->disk);
	if (i % 7 == 0)
		must(db_checkpoint(f->c.db, false, &f->e));
	if (i == BATCHES / 2) {
		must(storefix_reopen(f));
	}
}

static void run_workload(void)
{
	crashvfs_record(f->disk);
	must(storefix_open(f));
	must(storefix_init(f, 1, 1));
	share = f->share[0];
	acked[0] = crashvfs_events(f->disk);
	must(storefix_unseal(f, 1));
	for (int i = 1; i <= BATCHES; i++)
		one_batch(i);
	storefix_close(f);
}

static int acked_before(long event)
{
	int n = -1;

	for (int i = 0; i <= BATCHES; i++)
		if (acked[i] <= event)
			n = i;
	return n;
}

static bool has_row(int i)
{
	struct store_object o;

	return get(KIND_SETTING, i, &o) == ERR_OK;
}

static bool has_payload(int i)
{
	unsigned char *p;
	size_t n;

	return payload_get(&f->c, f->a, secret, i, 0, &p, &n, &f->e) == ERR_OK;
}

/* Exactly the batches up to some n are there, whole. */
static const char *judge_rows(int at_least)
{
	struct store_object counter;
	int n = 0;

	if (get(KIND_HOST, 1, &counter) == ERR_OK)
		n = (int)value_int_or(counter.body, "n", -1);
	if (n < at_least)
		return "an acknowledged batch was lost";
	if (n > at_least + 1)
		return "a batch is there that was never sent";
	for (int i = 1; i <= BATCHES; i++) {
		bool want = i <= n && i > n - 3;

		if (has_row(i) != want || has_payload(i) != want)
			return "half a batch is there";
	}
	return NULL;
}

static const char *judge(long event)
{
	int at_least = acked_before(event);

	arena_reset(f->a);
	if (storefix_open(f) != ERR_OK)
		return "the database does not open";
	if (!f->c.initialized)
		return at_least < 0 ? NULL : "init was lost";
	f->share[0] = share;
	if (storefix_unseal(f, 1) != ERR_OK)
		return "the vault does not unseal";
	if (storefix_verify(f) != ERR_OK)
		return "the state MAC does not match";
	return judge_rows(at_least < 0 ? 0 : at_least);
}

static const struct {
	enum crash_model model;
	int seeds;
} models[] = {
	{CRASH_KEEP_ALL,     1},
	{ CRASH_SYNCED_ONLY, 1},
	{ CRASH_RANDOM,      3}
};

/* How many crash states are judged bad?  The first is described. */
static long enumerate(long *states, char *first, size_t cap)
{
	long bad = 0, events = crashvfs_events(f->disk);

	first[0] = '\0';
	for (long event = 0; event <= events; event++)
		for (size_t m = 0; m < ARRAY_LEN(models); m++)
			for (int s = 0; s < models[m].seeds; s++) {
				const char *why;

				crashvfs_rebuild(f->disk, event, models[m].model,
				                 (uint64_t)event * 16 + (uint64_t)s);
				why = judge(event);
				if (why != NULL && bad++ == 0)
					snprintf(first, cap,
					         "event %ld of %ld, model %zu, seed %d: "
					         "%s (%s)",
					         event, events, m, s, why, f->e.msg);
				storefix_close(f);
				++*states;
			}
	return bad;
}

Test(db_crash, no_crash_loses_or_halves_a_batch)
{
	char first[400];
	long states = 0, bad;

	run_workload();
	bad = enumerate(&states, first, sizeof(first));
	cr_assert_eq(bad, 0, "%ld of %ld states: %s", bad, states, first);
	cr_assert_gt(states, 1500, "only %ld states", states);
}

/* The judge has to notice what synchronous=NORMAL would do. */
Test(db_crash, unsynced_commits_are_noticed)
{
	char first[400];
	long states = 0, bad;

	crashvfs_lie(f->disk, true);
	run_workload();
	crashvfs_lie(f->disk, false);
	bad = enumerate(&states, first, sizeof(first));
	cr_assert_gt(bad, states / 10, "only %ld of %ld", bad, states);
}

/* Power fails again while the database recovers. */
Test(db_crash, recovery_survives_another_crash)
{
	long events, tried = 0;

	run_workload();
	events = crashvfs_events(f->disk);
	for (long event = 7; event <= events; event += 11) {
		for (long again = 0; again < 40; again += 3) {
			const char *why;

			crashvfs_rebuild(f->disk, event, CRASH_RANDOM, (uint64_t)event);
			crashvfs_crash_at(f->disk, again);
			(void)judge(event);
			storefix_close(f);
			if (!crashvfs_crashed(f->disk))
				break;
			crashvfs_reboot(f->disk, CRASH_RANDOM, (uint64_t)again);
			why = judge(event);
			cr_assert_eq(why, NULL, "event %ld, then %ld: %s (%s)", event,
			             again, why, f->e.msg);
			storefix_close(f);
			tried++;
		}
	}
	cr_assert_gt(tried, 50, "only %ld", tried);
}
