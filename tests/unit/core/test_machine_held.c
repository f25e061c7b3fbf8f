/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts that are held: what lets them go on, by itself or by an operator. */
#include "machine_rig.h"

TestSuite(machine_held, .init = setup, .fini = rig_stop, .timeout = 120);

#define ADOPT  "sys/rotation/adopt/secret/app/db"
#define RESUME "sys/rotation/resume/secret/app/db"

static bool is(const char *expected)
{
	return strcmp(state(), expected) == 0;
}

/* ---- holders that have not gone back ---- */

static struct agent quick, slow;
static char *quick_lease, *slow_lease;

/* One of two hosts has taken the new value; the other has not, and neither goes back in
 * time. */
static void held_for_stragglers(void)
{
	make_role("web", "secret/app/*");
	agent_start(&quick, "web-1", "web");
	agent_start(&slow, "web-2", "web");
	quick_lease = agent_lease(&quick, "secret/app/db");
	slow_lease = agent_lease(&slow, "secret/app/db");
	agent_apply(&quick, quick_lease);
	agent_apply(&slow, slow_lease);
	rule("dual_user", ",\"policy\":\"revert\",\"timeout\":\"30s\"");
	start();
	tgt_run();
	agent_apply(&quick, quick_lease);
	tgt_later(31000);
	cr_assert(is("reverting"));
	tgt_later(31000);
	cr_assert(is("held"));
}

/* The new value's account is the idle one now: nobody is locked out while it is held. */
static void both_work(void)
{
	works();
	for (size_t i = 0; i < tgt.accounts; i++)
		cr_assert(tgt.account[i].value[0][0] != '\0');
}

Test(machine_held, it_goes_on_when_all_have_gone_back)
{
	held_for_stragglers();
	both_work();
	agent_apply(&quick, quick_lease);
	tgt_later(5000);
	cr_assert(is("held"), "one of them is missing yet");
	both_work();
	agent_apply(&slow, slow_lease);
	tgt_run();
	cr_assert(is("reverted"));
	cr_assert_str_eq(stored("password"), "first-value");
	works();
	nothing_else();
}

Test(machine_held, it_goes_on_after_a_crash_too)
{
	held_for_stragglers();
	agent_apply(&quick, quick_lease);
	tgt_crash(false);
	cr_assert(is("held"));
	agent_apply(&slow, slow_lease);
	until_call("retire");
	cr_assert(is("reverting"));
	tgt_crash(true);
	tgt_later(3000);
	cr_assert(is("reverted"));
	works();
	nothing_else();
}

Test(machine_held, a_host_that_is_revoked_is_not_waited_for)
{
	held_for_stragglers();
	agent_apply(&quick, quick_lease);
	ASK(204, HTTP_POST, "sys/hosts/web-2/revoke", NULL);
	tgt_later(2000);
	cr_assert(is("reverted"));
	works();
	nothing_else();
}

Test(machine_held, an_operator_goes_on_without_them)
{
	held_for_stragglers();
	TGT(200, HTTP_POST, RESUME, NULL);
	tgt_run();
	cr_assert(is("reverted"));
	works();
	nothing_else();
	agent_apply(&slow, slow_lease);
	tgt_run();
	cr_assert(is("reverted"));
}

/* Somebody has written a third value: what it is held for says what to do. */
Test(machine_held, a_newer_value_is_no_dead_end)
{
	make_role("web", "secret/app/*");
	agent_start(&quick, "web-1", "web");
	quick_lease = agent_lease(&quick, "secret/app/db");
	rule("dual_user", ",\"policy\":\"revert\",\"timeout\":\"30s\"");
	start();
	tgt_run();
	put_value("app_a", "of somebody else");
	tgt_later(31000);
	cr_assert(is("held"));
	cr_assert(strstr(rig_got("data.last.error"), "rotation resume") != NULL, "%s",
	          rig_got("data.last.error"));
	cr_assert(strstr(rig_got("data.last.error"), "abort --forget'") != NULL, "%s",
	          rig_got("data.last.error"));
	put_value("app_a", "first-value");
	TGT(200, HTTP_POST, RESUME, NULL);
	tgt_run();
	cr_assert(is("reverting"));
	agent_apply(&quick, quick_lease);
	tgt_run();
	cr_assert(is("reverted"));
	works();
	nothing_else();
}

/* What it is held for is another thing then. */
Test(machine_held, a_target_that_refuses_is_not_asked_again_by_itself)
{
	held_for_stragglers();
	tgt_fault("retire", F_PERMANENT, 1);
	agent_apply(&quick, quick_lease);
	agent_apply(&slow, slow_lease);
	tgt_run();
	cr_assert(is("held"));
	tgt.log[0] = '\0';
	agent_apply(&slow, slow_lease);
	tgt_later(60000);
	cr_assert(is("held"));
	cr_assert_str_empty(tgt.log);
	TGT(200, HTTP_POST, RESUME, NULL);
	tgt_run();
	cr_assert(is("reverted"));
	nothing_else();
}

/* ---- adopt: two values, and an administrator who was refused ---- */

static size_t values_there(void)
{
	size_t n = 0;

	for (int v = 0; v < 2; v++)
		n += tgt.account[0].value[v][0] != '\0';
	return n;
}

static void adopted(void)
{
	TGT(200, HTTP_POST, ADOPT, NULL);
	tgt_later(700 * 1000); /* failed logins are forgotten */
	cr_assert(is("converged"), "%s", rig_got("data.last.error"));
	works();
	nothing_else();
}

Test(machine_held, adopt_of_two_values_after_the_administrator_was_refused)
{
	rule("dual_key", "");
	tgt_fault("set", F_AUTH, 1);
	start();
	tgt_run();
	cr_assert(is("held"));
	works();
	adopted();
}

/* The target has the new value, and does not say so. */
static void silently_set(void)
{
	rule("dual_key", "");
	tgt_fault("set", F_SILENT, 1);
	tgt_fault("probe", F_PERMANENT, 1);
	start();
	tgt_later(20000);
	cr_assert(is("held"));
	cr_assert_eq(values_there(), 2);
}

Test(machine_held, adopt_of_two_values_of_which_one_may_be_there)
{
	silently_set();
	adopted();
}

/* It is refused when it is set again: whether it is there is asked before another one is
 * made, after each adopt. */
Test(machine_held, adopt_makes_no_third_value)
{
	silently_set();
	tgt_fault("set", F_REJECTED, 2);
	tgt_fault("probe", F_PERMANENT, 1);
	TGT(200, HTTP_POST, ADOPT, NULL);
	tgt_later(20000);
	cr_assert(is("held"));
	adopted();
}

Test(machine_held, adopt_of_a_value_that_the_target_makes)
{
	tgt.makes = true;
	TGT(204, HTTP_POST, TARGET,
	    "{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
	rule("dual_key", "");
	tgt_fault("create", F_SILENT, 1);
	tgt_fault("create", F_AUTH, 1);
	start();
	tgt_later(20000);
	cr_assert(is("held"));
	adopted();
	cr_assert_eq(tgt.created, 1);
}

/* Neither value works, and the target will not have another: people are told at once. */
Test(machine_held, adopt_does_not_try_for_hours_what_the_target_refuses_for_good)
{
	rule("dual_key", "");
	start();
	until_call("set");
	tgt_crash(false);
	snprintf(tgt.account[0].value[0], 160, "changed by hand");
	tgt_later(20000);
	cr_assert(is("held"));
	tgt_fault("set", F_PERMANENT, 1);
	TGT(200, HTTP_POST, ADOPT, NULL);
	tgt_later(700 * 1000);
	cr_assert(is("held"));
	TGT(200, HTTP_POST, ADOPT, NULL);
	tgt_later(700 * 1000);
	cr_assert(is("converged"));
	works();
}
