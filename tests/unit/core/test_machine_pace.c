/* SPDX-License-Identifier: Apache-2.0 */
/* Many schedules with targets come due at once: how many begin, and how many work. */
#include "rotation_state.h"

#include "machine_rig.h"

TestSuite(machine_pace, .init = setup, .fini = rig_stop, .timeout = 300);

#define MANY      50
#define MINUTE_MS 60000
#define STEP_MS   250

/* In the minute that comes, with an account and a target of its own. */
static void is_due(int i, const char *window)
{
	TGT(204, HTTP_POST, arena_printf(rig.a, "sys/rotation/targets/t%d", i),
	    "{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
	tgt_account(arena_printf(rig.a, "many_%d", i), "first-value");
	ASK(200, HTTP_POST, arena_printf(rig.a, "secret/data/many/%d", i),
	    arena_printf(rig.a,
	                 "{\"data\":{\"username\":\"many_%d\","
	                 "\"password\":\"first-value\"}}",
	                 i));
	ASK(204, HTTP_POST, arena_printf(rig.a, "sys/rotation/config/secret/many/%d", i),
	    arena_printf(rig.a,
	                 "{\"target\":\"t%d\",\"strategy\":\"single\",\"grace\":0,"
	                 "\"accounts\":[\"many_%d\"],\"cron\":\"1 0 1 1 *\","
	                 "\"window\":\"%s\",\"jitter\":\"none\"}",
	                 i, i, window));
}

static void many_are_due(const char *window)
{
	for (int i = 0; i < MANY; i++)
		is_due(i, window);
	rig_advance(MINUTE_MS);
}

struct begun {
	int64_t at[MANY + 10];
	int n;
};

static int see(void *ctx, struct store_object *o, struct err *e)
{
	struct begun *b = ctx;
	struct rotation_attempt t;

	cr_assert_eq(rotation_attempt_read(rig.core, rig.a, o, &t, e), ERR_OK, "%s",
	             e->msg);
	cr_assert_lt((size_t)b->n, ARRAY_LEN(b->at));
	b->at[b->n++] = t.started_ms;
	return ERR_OK;
}

static int later(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Of all that have begun, earliest first. */
static struct begun begun(void)
{
	struct begun b = { .n = 0 };
	struct err e;

	cr_assert_eq(store_each(rig.core, rig.a, KIND_ATTEMPT, NULL, 0, 0, see, &b, &e),
	             ERR_OK);
	qsort(b.at, (size_t)b.n, sizeof(b.at[0]), later);
	return b;
}

/* In whatever minute one looks at. */
static void paced(void)
{
	struct begun b = begun();

	for (int i = ROTATION_STARTS; i < b.n; i++)
		cr_assert_geq(b.at[i] - b.at[i - ROTATION_STARTS], MINUTE_MS, "%d and %d",
		              i - ROTATION_STARTS, i);
}

/* The target answers when no more come. */
static void go_on(int64_t ms)
{
	for (int64_t t = 0; t < ms; t += STEP_MS) {
		for (int i = 0; i < 40; i++) {
			rig_run();
			rig_advance(1);
		}
		cr_assert_leq(tgt.queued, ROTATION_RUNNING);
		tgt_run();
		rig_advance(STEP_MS - 160);
	}
}

static int most(void *ctx, struct store_object *o, struct err *e)
{
	int64_t *n = ctx;

	(void)e;
	*n = o->version > *n ? o->version : *n;
	return ERR_OK;
}

/* How often the rule was stored that was stored most often. */
static int64_t stored_most(void)
{
	struct err e;
	int64_t n = 0;

	cr_assert_eq(store_each(rig.core, rig.a, KIND_ROTATION, NULL, 0, 0, most, &n, &e),
	             ERR_OK);
	return n;
}

static int changed(void)
{
	int n = 0;

	for (size_t i = 0; i < tgt.accounts; i++)
		n += strncmp(tgt.account[i].name, "many_", 5) == 0 &&
		     strcmp(tgt.account[i].value[0], "first-value") != 0;
	return n;
}

Test(machine_pace, twenty_begin_in_any_minute)
{
	int64_t once;

	many_are_due("1h");
	go_on(MINUTE_MS / 2);
	cr_assert_eq(begun().n, ROTATION_STARTS);
	once = stored_most();
	go_on(3 * MINUTE_MS);
	cr_assert_eq(begun().n, MANY, "%d", begun().n);
	paced();
	cr_assert_eq(changed(), MANY, "%d", changed());
	cr_assert_leq(stored_most(), once + 1, "each looks again when it is its turn");
}

Test(machine_pace, eight_work_at_a_time)
{
	many_are_due("1h");
	for (int i = 0; i < 400; i++) {
		rig_run();
		rig_advance(5);
	}
	cr_assert_eq(tgt.queued, ROTATION_RUNNING, "nobody answers: %zu", tgt.queued);
	cr_assert_eq(begun().n, ROTATION_RUNNING);
}

/* A server that starts again and again is no herd. */
Test(machine_pace, a_restart_begins_no_minute)
{
	many_are_due("1h");
	go_on(MINUTE_MS / 4);
	cr_assert_eq(begun().n, ROTATION_STARTS);
	for (int i = 0; i < 3; i++) {
		tgt_crash(true);
		go_on(MINUTE_MS / 8);
		cr_assert_eq(begun().n, ROTATION_STARTS, "after restart %d", i);
	}
	go_on(3 * MINUTE_MS);
	cr_assert_eq(begun().n, MANY, "%d", begun().n);
	paced();
}

/* The machine was started anew: its other clock, too. */
Test(machine_pace, a_reboot_begins_no_minute)
{
	many_are_due("1h");
	go_on(MINUTE_MS / 4);
	cr_assert_eq(begun().n, ROTATION_STARTS);
	rig.boot = 1000;
	tgt_crash(true);
	go_on(MINUTE_MS / 4);
	cr_assert_eq(begun().n, ROTATION_STARTS);
	go_on(3 * MINUTE_MS);
	cr_assert_eq(begun().n, MANY, "%d", begun().n);
	paced();
}

/* Neither is a step of the clock, and it holds up none for long. */
Test(machine_pace, a_step_of_the_clock_begins_no_minute)
{
	many_are_due("1h");
	go_on(MINUTE_MS / 4);
	cr_assert_eq(begun().n, ROTATION_STARTS);
	rig.wall += 10 * MINUTE_MS; /* in the window still */
	go_on(MINUTE_MS / 4);
	cr_assert_eq(begun().n, ROTATION_STARTS);
	go_on(3 * MINUTE_MS);
	cr_assert_eq(begun().n, MANY, "%d", begun().n);
}

static int of_last(void)
{
	int n = 0;

	ASK(200, HTTP_GET, "sys/rotation/history/secret/last", NULL);
	while (strcmp(rig_got(arena_printf(rig.a, "data.attempts.%d.state", n)), "-") !=
	       0)
		n++;
	return n;
}

/* Who comes later does not go before those that wait, and does not wait for ever. */
Test(machine_pace, turns_are_kept)
{
	many_are_due("1h");
	go_on(MINUTE_MS / 2);
	ASK(200, HTTP_POST, "secret/data/last",
	    "{\"data\":{\"username\":\"app_a\",\"password\":\"first-value\"}}");
	ASK(204, HTTP_POST, "sys/rotation/config/secret/last",
	    "{\"target\":\"t0\",\"strategy\":\"single\",\"accounts\":[\"app_a\"],"
	    "\"grace\":0,\"every\":\"60s\",\"window\":\"30m\",\"jitter\":\"none\"}");
	go_on(3 * MINUTE_MS / 2); /* for half of that it is due */
	cr_assert_eq(of_last(), 0);
	cr_assert_lt(begun().n, MANY);
	go_on(MINUTE_MS);
	cr_assert_geq(of_last(), 1);
	cr_assert_eq(changed(), MANY, "%d", changed());
	paced();
}

static int soon(void *ctx, struct store_object *o, struct err *e)
{
	(void)e;
	*(int *)ctx += o->due < rig.wall + 60 * MINUTE_MS;
	return ERR_OK;
}

/* Whose window is over while it waits is not kept for a turn that it cannot take. */
Test(machine_pace, nobody_waits_beyond_the_window)
{
	struct err e;
	int n = 0;

	many_are_due("90s");
	go_on(3 * MINUTE_MS / 2 + 2000);
	cr_assert_eq(store_due(rig.core, rig.a, KIND_ROTATION, INT64_MAX, 0, soon, &n,
	                       &e),
	             ERR_OK);
	cr_assert_eq(n, 0, "%d wait", n);
	cr_assert_gt(begun().n, ROTATION_STARTS);
	cr_assert_lt(begun().n, MANY);
	paced();
}
