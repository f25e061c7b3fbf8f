/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock is stepped while many rotations are under way. */
#include "machine_rig.h"

TestSuite(machine_clock, .init = setup, .fini = rig_stop, .timeout = 300);

#define MANY    600
#define DAY_MS  (24ll * 3600 * 1000)
#define SOON_MS (15ll * 60 * 1000)

/* One works, and all others wait for their turn. */
static void many_wait(void)
{
	for (int i = 0; i < MANY; i++) {
		ASK(200, HTTP_POST, arena_printf(rig.a, "secret/data/many/%d", i),
		    "{\"data\":{\"username\":\"app_a\",\"password\":\"first-value\"}}");
		ASK(204, HTTP_POST,
		    arena_printf(rig.a, "sys/rotation/config/secret/many/%d", i),
		    "{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"app_a\"]}");
		ASK(200, HTTP_POST,
		    arena_printf(rig.a, "sys/rotation/rotate/secret/many/%d", i),
		    "{\"wait\":false}");
	}
}

struct seen {
	int all, far_off;
};

static int see(void *ctx, struct store_object *o, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->all++;
	s->far_off += o->due > rig.wall + SOON_MS || o->due < rig.wall - SOON_MS;
	return ERR_OK;
}

/* As the timers have it; whoever reads an attempt sees it follow anyway. */
static int far_off(void)
{
	AUTO_ARENA a = arena_new((size_t)64 * 1024 * 1024);
	struct seen s = { 0 };
	struct err e;

	cr_assert_eq(store_due(rig.core, a, KIND_ATTEMPT, INT64_MAX, 0, see, &s, &e),
	             ERR_OK);
	cr_assert_eq(s.all, MANY);
	return s.far_off;
}

static void some_runs(int n)
{
	for (int i = 0; i < n; i++) {
		rig_run();
		rig_advance(5);
	}
}

/* The timers follow, too, not only what is read. */
Test(machine_clock, all_follow_a_step)
{
	many_wait();
	some_runs(50);
	rig.wall -= DAY_MS;
	some_runs(400);
	cr_assert_eq(far_off(), 0);
	rig.wall += 3 * DAY_MS;
	some_runs(400);
	cr_assert_eq(far_off(), 0);
	rig.wall -= 3 * DAY_MS;
	do
		some_runs(1);
	while (far_off() == MANY);
	cr_assert_gt(far_off(), 0);
	rig.wall -= 3 * DAY_MS; /* while the step before is being followed */
	some_runs(400);
	cr_assert_eq(far_off(), 0);
}

Test(machine_clock, a_grace_is_as_long_whatever_the_clock_does)
{
	rule("dual_user", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	tgt_later(60000);
	rig.wall += DAY_MS;
	rig_run();
	rig.wall -= 3 * DAY_MS;
	tgt_later(2700 * 1000);
	cr_assert_str_eq(state(), "retiring");
	cr_assert(tgt_works("app_a", "first-value"), "its hour is not over");
	tgt_later(300 * 1000);
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

static int64_t metric(const char *name)
{
	const char *at;

	ASK(200, HTTP_GET, "sys/metrics", "{\"format\":\"prometheus\"}");
	at = strstr(rig_got(""), name);
	cr_assert(at != NULL, "%s", rig_got(""));
	return strtoll(strchr(at, '}') + 1, NULL, 10);
}

/* Somebody has stopped it, and knows. */
Test(machine_clock, a_rule_that_is_paused_raises_no_alarm)
{
	static const char *const overdue =
		"vaultd_rotation_rules{condition=\"overdue\"} ";

	rule("single", ",\"every\":\"1d\",\"max_age\":\"2d\",\"jitter\":\"none\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	ASK(204, HTTP_POST, "sys/rotation/pause/secret/app/db", NULL);
	rig.wall += 30 * DAY_MS;
	tgt_later(60000);
	cr_assert_eq(metric(overdue), 0);
	cr_assert_eq(metric("vaultd_rotation_alarms_total{alarm=\"overdue\"} "), 0);
	cr_assert_eq(metric("vaultd_rotation_alarms_total{alarm=\"jumped\"} "), 0);
	ASK(204, HTTP_POST, "sys/rotation/unpause/secret/app/db", NULL);
	tgt_later(1000);
	cr_assert_eq(metric("vaultd_rotation_alarms_total{alarm=\"overdue\"} "), 1);
}
