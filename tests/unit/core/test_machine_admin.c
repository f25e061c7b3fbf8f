/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator of a target is rotated, as whom all other rotations log in there. */
#include "machine_rig.h"

#define ADMIN  "secret/admin"
#define OTHERS 12

static void setup_admin(void)
{
	setup();
	tgt_account("root", "top");
	ASK(200, HTTP_POST, "secret/data/admin",
	    "{\"data\":{\"username\":\"root\",\"password\":\"top\"}}");
	TGT(204, HTTP_POST, TARGET,
	    "{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},\"at_once\":4,"
	    "\"admin_path\":\"" ADMIN "\"}");
	ASK(204, HTTP_POST, "sys/rotation/config/" ADMIN,
	    "{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"root\"]}");
	for (int i = 0; i < OTHERS; i++) {
		tgt_account(arena_printf(rig.a, "user_%d", i), "first-value");
		ASK(200, HTTP_POST, arena_printf(rig.a, "secret/data/many/%d", i),
		    arena_printf(rig.a,
		                 "{\"data\":{\"username\":\"user_%d\","
		                 "\"password\":\"first-value\"}}",
		                 i));
		ASK(204, HTTP_POST,
		    arena_printf(rig.a, "sys/rotation/config/secret/many/%d", i),
		    arena_printf(rig.a,
		                 "{\"target\":\"pg\",\"strategy\":\"single\","
		                 "\"accounts\":[\"user_%d\"]}",
		                 i));
	}
	tgt.log[0] = '\0';
}

TestSuite(machine_admin, .init = setup_admin, .fini = rig_stop, .timeout = 120);

static void rotate(const char *path)
{
	ASK(200, HTTP_POST, arena_printf(rig.a, "sys/rotation/rotate/%s", path),
	    "{\"wait\":false}");
}

static const char *state_of(const char *path)
{
	ASK(200, HTTP_GET, arena_printf(rig.a, "sys/rotation/status/%s", path), NULL);
	return rig_got("data.last.state");
}

static bool is(const char *path, const char *expected)
{
	return strcmp(state_of(path), expected) == 0;
}

static char *other(int i)
{
	return arena_printf(rig.a, "secret/many/%d", i);
}

static bool all_are(const char *expected)
{
	for (int i = 0; i < OTHERS; i++)
		if (!is(other(i), expected))
			return false;
	return true;
}

/* Calls that rotate has and has not begun: how many are the administrator's own? */
static size_t own_calls(void)
{
	size_t n = 0;

	for (size_t i = 0; i < tgt.queued; i++) {
		const struct value *admin =
			value_get(value_get(tgt.queue[i].frame, "request"), "admin");

		n += admin == NULL || admin->type == V_NULL;
	}
	return n;
}

/* One after the other, and never the administrator beside somebody else. */
static void step(bool answer)
{
	size_t n = tgt.queued, own = own_calls();

	cr_assert(own == 0 || n == 1, "%zu calls beside the administrator's", n - own);
	for (size_t i = 0; answer && i < n; i++)
		tgt_one(tgt.queue[i].number, tgt.queue[i].frame);
	if (answer)
		tgt.queued = 0;
	rig_run();
	rig_advance(20);
	rig_run();
}

static void run_all(void)
{
	for (int i = 0; i < 2000 && !(all_are("converged") && is(ADMIN, "converged"));
	     i++)
		step(true);
	cr_assert(all_are("converged"));
	cr_assert(is(ADMIN, "converged"));
	cr_assert(tgt.logins_refused == 0);
}

Test(machine_admin, is_alone_at_its_target)
{
	for (int i = 0; i < OTHERS / 2; i++)
		rotate(other(i));
	step(false);
	step(false);
	cr_assert_eq(tgt.queued, 4, "at_once");
	rotate(ADMIN);
	for (int i = OTHERS / 2; i < OTHERS; i++)
		rotate(other(i));
	for (int i = 0; i < 50; i++)
		step(false);
	cr_assert(is(ADMIN, "claimed"), "others are logged in");
	run_all();
}

/* Whoever comes later waits. */
Test(machine_admin, is_not_starved)
{
	int i;

	for (i = 0; i < 4; i++)
		rotate(other(i));
	step(false);
	rotate(ADMIN);
	for (i = 4; i < OTHERS; i++)
		rotate(other(i));
	for (i = 0; i < 400 && own_calls() == 0; i++)
		step(true);
	cr_assert_eq(own_calls(), 1);
	for (i = 4; i < OTHERS; i++)
		cr_assert(is(other(i), "claimed"), "%d came first", i);
	run_all();
}

/* Its schedule is no worse. */
Test(machine_admin, a_schedule_of_its_own_is_not_starved)
{
	ASK(204, HTTP_POST, "sys/rotation/config/" ADMIN,
	    "{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"root\"],"
	    "\"every\":\"1h\",\"jitter\":\"none\"}");
	for (int i = 0; i < 4; i++)
		rotate(other(i));
	step(false);
	rig_advance(3601 * 1000);
	for (int i = 0; i < 20; i++)
		step(false);
	cr_assert(is(ADMIN, "claimed"));
}

Test(machine_admin, after_a_crash_it_is_alone_too)
{
	for (int i = 0; i < 4; i++)
		rotate(other(i));
	step(false);
	rotate(ADMIN);
	step(false);
	tgt_crash(true);
	for (int i = 4; i < OTHERS; i++)
		rotate(other(i));
	run_all();
}

/* What is not known of the others' logins is asked when it is over. */
Test(machine_admin, one_that_goes_on_from_before_waits)
{
	tgt_fault("set", F_RETRYABLE, 1);
	rotate(other(0));
	step(true);
	step(true);
	cr_assert(is(other(0), "setting"));
	rotate(ADMIN);
	for (int i = 0; i < 2000 && !is(ADMIN, "converged"); i++)
		step(true);
	cr_assert(is(other(0), "converged"));
	cr_assert(is(ADMIN, "converged"));
}

/* The old values of others are ended when the administrator has its new one. */
Test(machine_admin, what_is_retired_waits)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"target\":\"pg\",\"strategy\":\"dual_user\",\"grace\":1,"
	    "\"accounts\":[\"app_a\",\"app_b\"]}");
	start();
	for (int i = 0; i < 200 && !is("secret/app/db", "retiring"); i++)
		step(true);
	rotate(ADMIN);
	step(false);
	step(false);
	cr_assert_eq(own_calls(), 1);
	rig_advance(2000);
	for (int i = 0; i < 20; i++)
		step(false);
	cr_assert(is("secret/app/db", "retiring"));
	for (int i = 0; i < 200; i++)
		step(true);
	cr_assert(is("secret/app/db", "converged"));
	cr_assert(is(ADMIN, "converged"));
	cr_assert_eq(tgt.logins_refused, 0);
}
