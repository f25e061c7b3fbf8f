/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts whose applications have a health gate: delivered is not applied, and a rejection
 * is an answer. */
#include "machine_rig.h"

TestSuite(machine_gate, .init = setup, .fini = rig_stop, .timeout = 120);

static struct agent one, two;
static char *lease_one, *lease_two;

/* Two hosts with the old value, and a rotation whose deadline is far. */
static void begin(const char *policy)
{
	make_role("web", "secret/app/*");
	agent_start(&one, "web-1", "web");
	agent_start(&two, "web-2", "web");
	lease_one = agent_lease(&one, "secret/app/db");
	lease_two = agent_lease(&two, "secret/app/db");
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
	rule("dual_user",
	     arena_printf(rig.a, ",\"policy\":\"%s\",\"timeout\":\"1h\"", policy));
	start();
	tgt_run();
	cr_assert_str_eq(state(), "published");
}

static void says(struct agent *ag, const char *lease, const char *what)
{
	int64_t version = 0;

	agent_fetch(ag, lease, "password", &version);
	cr_assert_eq(
		agent_post(
			ag, "ack",
			arena_printf(rig.a,
	                             "{\"acks\":[{\"lease_id\":\"%s\",\"version\":%lld,"
	                             "\"state\":\"%s\",\"detail\":\"said %s\"}]}",
	                             lease, (long long)version, what, what)),
		204, "%s", rig_got(""));
}

static const char *holder(const char *host, const char *member)
{
	const struct value *list;
	char *id;

	ASK(200, HTTP_GET, STATUS, NULL);
	id = arena_str(rig.a, rig_got("data.last.attempt_id"));
	ASK(200, HTTP_GET, arena_printf(rig.a, "sys/rotation/attempts/%s", id), NULL);
	list = value_get(value_get(rig.body, "data"), "holders");
	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     v = v->next)
		if (value_is_str(value_get(v, "host"), host))
			return value_cstr_or(rig.a, v, member, "-");
	return "nobody";
}

static void counts(const char *applied, const char *waiting, const char *rejected)
{
	ASK(200, HTTP_GET, STATUS, NULL);
	GOT("data.last.holders_applied", applied);
	GOT("data.last.holders_waiting", waiting);
	GOT("data.last.holders_rejected", rejected);
}

Test(machine_gate, what_is_delivered_is_waited_for)
{
	begin("wait");
	cr_assert_str_eq(holder("web-1", "state"), "waiting");
	says(&one, lease_one, "delivered");
	says(&two, lease_two, "delivered");
	tgt_later(60000);
	cr_assert_str_eq(state(), "published");
	counts("0", "2", "0");
	cr_assert_str_eq(holder("web-1", "state"), "delivered");
	cr_assert_str_eq(holder("web-1", "detail"), "said delivered");
	cr_assert(tgt_works("app_a", "first-value"), "its application may still use it");
	says(&one, lease_one, "applied");
	counts("1", "1", "0");
	cr_assert_str_eq(holder("web-1", "state"), "applied");
	cr_assert_str_eq(holder("web-2", "state"), "delivered");
	says(&two, lease_two, "applied");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

Test(machine_gate, a_word_about_the_old_version_is_not_shown)
{
	make_role("web", "secret/app/*");
	agent_start(&one, "web-1", "web");
	lease_one = agent_lease(&one, "secret/app/db");
	says(&one, lease_one, "rejected");
	rule("dual_user", ",\"timeout\":\"1h\"");
	start();
	tgt_run();
	cr_assert_str_eq(holder("web-1", "state"), "waiting");
	cr_assert_str_eq(holder("web-1", "detail"), "");
	counts("0", "1", "0");
}

Test(machine_gate, one_rejection_waits_for_the_others)
{
	begin("wait");
	says(&one, lease_one, "rejected");
	tgt_later(60000);
	cr_assert_str_eq(state(), "published");
	counts("0", "2", "1");
	cr_assert_str_eq(holder("web-1", "state"), "rejected");
	cr_assert_str_eq(holder("web-1", "detail"), "said rejected");
	/* It may think better of it. */
	says(&one, lease_one, "delivered");
	counts("0", "2", "0");
	says(&one, lease_one, "applied");
	says(&two, lease_two, "applied");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

Test(machine_gate, wait_stops_when_nobody_is_left_who_may_take_it)
{
	begin("wait");
	says(&one, lease_one, "rejected");
	says(&two, lease_two, "applied");
	tgt_later(10);
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "false");
	cr_assert_str_eq(holder("web-1", "state"), "rejected");
	cr_assert(tgt_works("app_a", "first-value"), "web-1 went back to it");
	works();
	says(&one, lease_one, "applied");
	tgt_run();
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "true");
	nothing_else();
}

Test(machine_gate, revert_takes_it_back_at_once)
{
	begin("revert");
	says(&two, lease_two, "applied");
	says(&one, lease_one, "rejected");
	tgt_later(10);
	cr_assert_str_eq(state(), "reverting");
	GOT("data.last.error", "a holder has rejected the new value");
	counts("0", "2", "0");
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
	tgt_run();
	cr_assert_str_eq(state(), "reverted");
	cr_assert_str_eq(stored("password"), "first-value");
	works();
	nothing_else();
}

Test(machine_gate, proceed_ends_the_old_value_all_the_same)
{
	begin("proceed");
	says(&two, lease_two, "applied");
	says(&one, lease_one, "rejected");
	tgt_later(10);
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "true");
	works();
	nothing_else();
}

Test(machine_gate, a_holder_that_goes_takes_its_rejection_with_it)
{
	begin("wait");
	says(&one, lease_one, "rejected");
	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	tgt_run();
	counts("0", "1", "0");
	cr_assert_str_eq(state(), "published", "web-2 has an hour");
	says(&two, lease_two, "applied");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
}

Test(machine_gate, a_lease_that_is_given_back_takes_it_too)
{
	begin("wait");
	says(&one, lease_one, "rejected");
	cr_assert_eq(agent_post(&one, "release",
	                        arena_printf(rig.a,
	                                     "{\"rev\":1000000,\"leases\":[\"%s\"]}",
	                                     lease_one)),
	             204);
	counts("0", "1", "0");
	cr_assert_str_eq(state(), "published");
}

Test(machine_gate, a_rejection_survives_a_crash)
{
	begin("wait");
	says(&one, lease_one, "rejected");
	tgt_crash(false);
	counts("0", "2", "1");
	says(&two, lease_two, "rejected");
	tgt_later(10);
	cr_assert_str_eq(state(), "late");
	counts("0", "2", "2");
}
