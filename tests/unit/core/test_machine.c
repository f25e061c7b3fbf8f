/* SPDX-License-Identifier: Apache-2.0 */
/* The rotation machine against a target that can do anything: crashes, lies of omission,
 * refusals.  The rows of the crash table have a test each, named after them. */
#include "machine_rig.h"

TestSuite(machine, .init = setup, .fini = rig_stop, .timeout = 120);

/* ---- the strategies ---- */

Test(machine, single_sets_tests_and_publishes)
{
	rule("single", "");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "converged");
	GOT("data.strategy", "single");
	GOT("data.version", "2");
	cr_assert_str_eq(tgt.log, "set test ");
	works();
	nothing_else();
	cr_assert_null(strchr(stored("password"), 'a'), "the target forbids it");
	cr_assert_str_eq(stored("x"), "y");
	ASK(404, HTTP_GET, "secret/data/app/db", "{\"version\":1}");
	GOT("data.metadata.destroyed", "true");
}

Test(machine, dual_user_takes_turns)
{
	rule("dual_user", "");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "converged");
	GOT("data.account", "app_b");
	cr_assert_str_eq(tgt.log, "set test retire ");
	cr_assert_str_eq(stored("username"), "app_b");
	works();
	nothing_else();
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.account", "app_a");
	works();
	nothing_else();
}

Test(machine, a_login_under_way_has_its_grace)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"target\":\"pg\",\"strategy\":\"dual_user\",\"accounts\":[\"app_a\",\"app_b\"]}");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	cr_assert(tgt_works("app_a", "first-value"));
	tgt_later(10000);
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

Test(machine, dual_key_overlaps)
{
	rule("dual_key", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	works();
	cr_assert(tgt_works("app_a", "first-value"), "the old one lives in its grace");
	rig_advance(3600 * 1000);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, verify_then_sign_announces_uses_forgets)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"strategy\":\"verify_then_sign\",\"field\":\"password\",\"grace\":\"10m\"}");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	/* nobody holds it: announced and used at once */
	cr_assert_str_eq(stored("password_previous"), "first-value");
	cr_assert_str_eq(stored("password_next"), "-");
	ASK(404, HTTP_GET, "secret/data/app/db", "{\"version\":9}");
	ASK(200, HTTP_GET, "secret/data/app/db", "{\"version\":2}");
	GOT("data.data.password", "first-value");
	cr_assert_str_neq(rig_got("data.data.password_next"), "-");
	rig_advance(600 * 1000);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(stored("password_previous"), "-");
	cr_assert_str_neq(stored("password"), "first-value");
	ASK(404, HTTP_GET, "secret/data/app/db", "{\"version\":2}");
}

/* ---- the crash table ---- */

Test(machine, row_01_before_claimed)
{
	rule("dual_user", ",\"every\":\"1h\",\"jitter\":\"none\"");
	rig_advance(3600 * 1000 + 1);
	tgt_crash(false); /* the slot is due, nobody has claimed it */
	tgt_later(1000);
	cr_assert_str_eq(state(), "converged");
	GOT("data.last.cause", "schedule");
	works();
}

Test(machine, row_02_after_claimed)
{
	rule("single", "");
	start();
	GOT("data.state", "claimed");
	tgt_crash(false);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, row_03_after_generated_the_same_value_is_set)
{
	char *value;

	rule("single", "");
	start();
	until_call("set");
	value = arena_str(
		rig.a,
		tgt_text(value_get(value_get(value_get(tgt.queue[0].frame, "request"),
	                                     "pending"),
	                           "fields"),
	                 "password"));
	tgt_crash(false);
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(stored("password"), value);
	works();
}

Test(machine, row_05_in_set_not_done)
{
	rule("single", "");
	tgt_fault("set", F_LOST, 1);
	start();
	tgt_later(5000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "set probe set test ");
	works();
	nothing_else();
}

Test(machine, row_05_in_set_done)
{
	rule("single", "");
	tgt_fault("set", F_SILENT, 1);
	start();
	tgt_later(5000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "set probe test ");
	works();
	nothing_else();
}

Test(machine, row_05_in_set_none_valid_is_held)
{
	rule("single", "");
	tgt_fault("set", F_LOST, 1);
	start();
	until_call("set");
	tgt_crash(false);
	snprintf(tgt.account[0].value[0], 160, "changed by hand");
	tgt_later(3000);
	cr_assert_str_eq(state(), "held");
	/* the administrator sets a fresh one */
	TGT(200, HTTP_POST, "sys/rotation/adopt/secret/app/db", NULL);
	tgt_later(700 * 1000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, row_05_in_set_unknown_waits)
{
	rule("single", "");
	tgt_fault("set", F_SILENT, 1);
	start();
	until_call("set");
	tgt.down = true;
	tgt_later(20000);
	cr_assert_str_eq(state(), "setting");
	tgt.down = false;
	tgt_later(60000);
	cr_assert_str_eq(state(), "converged");
	works();
}

Test(machine, row_06_after_set_before_commit)
{
	rule("single", "");
	start();
	until_call("set");
	tgt_crash(true);
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "probe test ");
	works();
	nothing_else();
}

Test(machine, row_07_in_test)
{
	rule("single", "");
	start();
	until_call("test");
	tgt_crash(true);
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "set test ");
	works();
}

Test(machine, row_08_test_fails_for_good_dual)
{
	rule("dual_user", "");
	tgt_fault("test", F_PERMANENT, 1);
	start();
	tgt_later(3000);
	cr_assert_str_eq(state(), "failed");
	cr_assert_str_eq(tgt.log, "set test retire ");
	cr_assert_str_eq(stored("password"), "first-value");
	works();
	nothing_else();
}

Test(machine, row_08_test_fails_for_good_single)
{
	rule("single", "");
	tgt_fault("test", F_PERMANENT, 1);
	start();
	tgt_later(3000);
	cr_assert_str_eq(state(), "failed");
	cr_assert_str_eq(tgt.log, "set test revert probe ");
	works();
	nothing_else();
}

Test(machine, row_08_the_old_value_is_refused)
{
	rule("single", "");
	tgt_fault("test", F_PERMANENT, 1);
	tgt_fault("revert", F_REJECTED, 1);
	start();
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "set test revert set test ");
	works();
	nothing_else();
}

/* Until the target has a value that works nothing ends the attempt. */
Test(machine, row_08_the_window_closes_while_no_value_works)
{
	rule("single", ",\"every\":\"1h\",\"window\":\"10m\",\"jitter\":\"none\"");
	tgt_fault("test", F_PERMANENT, 1);
	tgt_fault("revert", F_REJECTED, 1);
	rig_advance(3600 * 1000 + 1);
	until_call("revert");
	rig_advance(600 * 1000);
	tgt_run();
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, row_08_nobody_aborts_it_while_no_value_works)
{
	rule("single", "");
	tgt_fault("test", F_PERMANENT, 1);
	tgt_fault("revert", F_REJECTED, 1);
	tgt_fault("set", F_NONE, 1);
	tgt_fault("set", F_LOST, 1);
	start();
	until_call("revert");
	tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
	tgt.queued = 0;
	rig_run();
	ASK(400, HTTP_POST, "secret/data/app/db", "{\"data\":{\"password\":\"mine\"}}");
	tgt_later(10000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, row_11_after_published)
{
	struct agent ag;
	char *lease;

	make_role("web", "secret/app/*");
	agent_start(&ag, "web-1", "web");
	lease = agent_lease(&ag, "secret/app/db");
	agent_apply(&ag, lease);
	rule("dual_user", "");
	start();
	tgt_run();
	cr_assert_str_eq(state(), "published");
	tgt_crash(false);
	cr_assert_str_eq(state(), "published");
	tgt_run();
	cr_assert(tgt_works("app_a", "first-value"), "a host still uses it");
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

/* Two hosts, of which one applies. */
static struct agent quick, slow;
static char *slow_lease;

static void one_of_two(const char *policy)
{
	char *lease;

	make_role("web", "secret/app/*");
	agent_start(&quick, "web-1", "web");
	agent_start(&slow, "web-2", "web");
	lease = agent_lease(&quick, "secret/app/db");
	slow_lease = agent_lease(&slow, "secret/app/db");
	agent_apply(&quick, lease);
	agent_apply(&slow, slow_lease);
	rule("dual_user",
	     arena_printf(rig.a, ",\"policy\":\"%s\",\"timeout\":\"30s\"", policy));
	start();
	tgt_run();
	agent_apply(&quick, lease);
	if (strcmp(policy, "revert") == 0) {
		tgt_later(31000);
		agent_apply(&quick, lease);
		tgt_run();
	}
}

Test(machine, row_12_while_propagating)
{
	one_of_two("wait");
	tgt_crash(false);
	cr_assert_str_eq(state(), "published");
	GOT("data.last.holders_applied", "1");
	GOT("data.last.holders_waiting", "1");
	cr_assert(tgt_works("app_a", "first-value"));
	agent_apply(&slow, slow_lease);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

Test(machine, row_13_a_consumer_never_acknowledges_wait)
{
	one_of_two("wait");
	tgt_later(31000);
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "false");
	cr_assert(tgt_works("app_a", "first-value"), "it is not locked out");
	works();
	agent_apply(&slow, slow_lease);
	tgt_run();
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "true");
	nothing_else();
}

Test(machine, row_13_an_operator_goes_on_without_the_consumer)
{
	one_of_two("wait");
	tgt_later(31000);
	cr_assert(tgt_works("app_a", "first-value"));
	TGT(200, HTTP_POST, "sys/rotation/resume/secret/app/db", NULL);
	tgt_run();
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "true");
	works();
	nothing_else();
}

Test(machine, nobody_cuts_a_grace_short)
{
	rule("dual_user", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	ASK(400, HTTP_POST, "sys/rotation/resume/secret/app/db", NULL);
	tgt_run();
	cr_assert(tgt_works("app_a", "first-value"));
}

Test(machine, row_13_a_consumer_never_acknowledges_proceed)
{
	one_of_two("proceed");
	tgt_later(31000);
	cr_assert_str_eq(state(), "late");
	GOT("data.last.ended", "true");
	works();
	nothing_else();
}

Test(machine, row_14_rolled_back)
{
	one_of_two("revert");
	cr_assert_str_eq(state(), "reverting");
	agent_apply(&slow, slow_lease);
	tgt_run();
	cr_assert_str_eq(state(), "reverted");
	cr_assert_str_eq(stored("password"), "first-value");
	works();
	nothing_else();
}

Test(machine, row_15_in_retire)
{
	rule("dual_user", "");
	start();
	until_call("retire");
	tgt_crash(true);
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, row_16_retire_fails_long)
{
	rule("dual_user", "");
	tgt_fault("retire", F_RETRYABLE, 5);
	start();
	tgt_later(60000);
	cr_assert_str_eq(state(), "retire-late");
	works();
	tgt_later(200000);
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

Test(machine, row_16_the_next_rotation_takes_its_place)
{
	rule("dual_user", "");
	tgt_fault("retire", F_RETRYABLE, 3);
	start();
	tgt_later(16000);
	cr_assert_str_eq(state(), "retire-late");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "converged");
	works();
	nothing_else();
}

Test(machine, row_17_storage_was_set_back)
{
	rule("single", "");
	snprintf(tgt.account[0].value[0], 160, "newer than the backup");
	TGT(200, HTTP_POST, "sys/rotation/check/secret/app/db", NULL);
	GOT("data.state", "held");
	TGT(200, HTTP_POST, "sys/rotation/adopt/secret/app/db", NULL);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine, row_17_after_a_restore_every_value_is_checked_first)
{
	struct err e;

	rule("single", ",\"every\":\"1h\",\"jitter\":\"none\"");
	cr_assert_eq(tgt_restored(&e), ERR_OK, "%s", e.msg);
	tgt_run();
	cr_assert_str_eq(tgt.log, "probe ");
	cr_assert_str_eq(state(), "converged");
	GOT("data.last.cause", "check");
	/* once */
	tgt_later(3000);
	cr_assert_str_eq(tgt.log, "probe ");
	snprintf(tgt.account[0].value[0], 160, "newer than the backup");
	cr_assert_eq(tgt_restored(&e), ERR_OK, "%s", e.msg);
	tgt_run();
	cr_assert_str_eq(state(), "held");
	ASK(400, HTTP_POST, ROTATE, NULL);
	works_not();
}

Test(machine, row_20_sealed_during_an_attempt)
{
	rule("single", "");
	start();
	until_call("set");
	ASK(204, HTTP_POST, "sys/seal", NULL);
	tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
	tgt.queued = 0;
	rig_unseal();
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "set probe test ");
	works();
	nothing_else();
}

/* ---- refusals ---- */

Test(machine, a_value_that_is_refused_is_made_anew)
{
	rule("single", "");
	tgt_fault("set", F_REJECTED, 2);
	start();
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	works();
}

Test(machine, a_value_that_is_there_already_may_be_refused)
{
	rule("dual_key", "");
	tgt_fault("set", F_SILENT, 1);
	tgt_fault("probe", F_RETRYABLE, 1);
	start();
	until_call("set");
	tgt_crash(true);
	tgt_fault("set", F_REJECTED, 2);
	tgt_later(60000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

/* It need not log in then to learn whether it has set the value before. */
Test(machine, a_rotator_is_told_which_values_are_new)
{
	rule("single", "");
	tgt_fault("set", F_REJECTED, 1);
	tgt_fault("set", F_LOST, 1);
	start();
	tgt_later(60000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_eq(tgt.sets, 3);
	cr_assert_eq(tgt.sets_first, 2, "not when one that was lost is made again");
	works();
}

Test(machine, three_values_that_are_refused_end_it)
{
	rule("single", "");
	tgt_fault("set", F_REJECTED, 3);
	start();
	tgt_later(20000);
	cr_assert_str_eq(state(), "failed");
	cr_assert_str_eq(stored("password"), "first-value");
	works();
}

Test(machine, an_administrator_who_is_refused_holds_it)
{
	rule("dual_user", "");
	tgt_fault("set", F_AUTH, 1);
	start();
	tgt_later(1000);
	cr_assert_str_eq(state(), "held");
	works();
	ASK(400, HTTP_POST, ROTATE, "{}");
	TGT(200, HTTP_POST, "sys/rotation/resume/secret/app/db", NULL);
	tgt_later(20000);
	cr_assert_str_eq(state(), "converged");
}

Test(machine, aborting_takes_it_back)
{
	rule("dual_user", "");
	tgt_fault("set", F_AUTH, 1);
	start();
	tgt_later(1000);
	TGT(200, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
	tgt_later(1000);
	cr_assert_str_eq(state(), "failed");
	works();
	nothing_else();
	ASK(400, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
}

Test(machine, nobody_is_locked_out)
{
	rule("single", "");
	tgt_fault("set", F_LOST, 50);
	start();
	tgt_later(120000);
	cr_assert_leq(tgt.logins_failed, 3, "%s", tgt.log);
	cr_assert_str_eq(state(), "setting");
	cr_assert_gt(strtoll(rig_got("data.last.left_alone_until_ms"), NULL, 10),
	             rig.core->now_ms);
	works();
}

/* ---- other writers, leaks ---- */

Test(machine, a_manual_write_waits_while_the_target_changes)
{
	rule("single", "");
	start();
	until_call("set");
	ASK(400, HTTP_POST, "secret/data/app/db", "{\"data\":{\"password\":\"mine\"}}");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	ASK(200, HTTP_POST, "secret/data/app/db",
	    "{\"data\":{\"username\":\"app_a\",\"password\":\"mine\"}}");
}

Test(machine, a_manual_write_cancels_what_has_not_begun)
{
	rule("single", "");
	start();
	put_value("app_a", "mine");
	cr_assert_str_eq(state(), "aborted");
	tgt_run();
	cr_assert_str_eq(tgt.log, "");
	cr_assert_str_eq(stored("password"), "mine");
}

Test(machine, a_leak_waits_for_nobody)
{
	struct agent ag;
	char *lease;

	make_role("web", "secret/app/*");
	agent_start(&ag, "web-1", "web");
	lease = agent_lease(&ag, "secret/app/db");
	agent_apply(&ag, lease);
	rule("dual_user", ",\"grace\":\"10d\",\"timeout\":\"1h\"");
	ASK(200, HTTP_POST, ROTATE, "{\"wait\":false,\"leaked\":true}");
	tgt_later(125000);
	cr_assert_str_eq(state(), "late");
	GOT("data.last.cause", "leak");
	cr_assert_not(tgt_works("app_a", "first-value"));
	works();
	nothing_else();
}

/* It may be the old value that others know: its grace is over. */
static void leak_in_grace(const char *strategy)
{
	rule(strategy, ",\"grace\":\"10d\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	ASK(400, HTTP_POST, ROTATE, "{}");
	TGT(200, HTTP_POST, ROTATE, "{\"leaked\":true}");
	tgt_later(1000);
	cr_assert_str_eq(state(), "converged");
	GOT("data.last.cause", "leak");
	works();
	nothing_else();
}

Test(machine, a_leak_ends_the_grace_of_the_value_before)
{
	leak_in_grace("dual_user");
}

Test(machine, a_leak_ends_the_grace_of_the_key_before)
{
	leak_in_grace("dual_key");
}

Test(machine, a_leak_waits_for_nobody_who_is_late_already)
{
	one_of_two("wait");
	tgt_later(31000);
	cr_assert(tgt_works("app_a", "first-value"));
	TGT(200, HTTP_POST, ROTATE, "{\"leaked\":true,\"wait\":false}");
	tgt_later(1000);
	cr_assert_not(tgt_works("app_a", "first-value"));
	tgt_later(125000);
	cr_assert_str_eq(state(), "late");
	GOT("data.last.cause", "leak");
	works();
	nothing_else();
}

Test(machine, a_dry_run_does_nothing)
{
	rule("dual_user", "");
	ASK(200, HTTP_POST, ROTATE, "{\"dry_run\":true}");
	GOT("data.account", "app_b");
	GOT("data.version", "2");
	tgt_run();
	cr_assert_str_eq(tgt.log, "");
	cr_assert_str_eq(state(), "-");
}

Test(machine, two_starts_at_once)
{
	rule("single", "");
	start();
	ASK(400, HTTP_POST, ROTATE, "{\"wait\":false}");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
}

Test(machine, no_value_is_in_what_the_api_says)
{
	const char *said;

	rule("dual_user", "");
	TGT(200, HTTP_POST, ROTATE, "{}");
	said = rig_got("");
	cr_assert_null(strstr(said, stored("password")));
	ASK(200, HTTP_GET, TARGET, NULL);
	cr_assert_null(strstr(rig_got(""), "top"));
	GOT("data.admin_username", "root");
}

/* ---- rules that do not fit ---- */

Test(machine, refuses_what_does_not_fit_together)
{
	static const char *const bad[] = {
		"{\"target\":\"pg\",\"strategy\":\"single\"}",
		"{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"a\",\"b\"]}",
		"{\"target\":\"pg\",\"strategy\":\"dual_user\",\"accounts\":[\"a\"]}",
		"{\"target\":\"pg\",\"strategy\":\"dual_user\",\"accounts\":[\"a\",\"a\"]}",
		"{\"target\":\"pg\",\"strategy\":\"generate\"}",
		"{\"target\":\"pg\",\"strategy\":\"reissue\"}",
		"{\"target\":\"none\",\"strategy\":\"single\",\"accounts\":[\"a\"]}",
		"{\"strategy\":\"single\",\"accounts\":[\"a\"]}",
		"{\"strategy\":\"verify_then_sign\"}",
		"{\"strategy\":\"nonsense\"}",
		"{\"policy\":\"revert\"}",
		"{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"a\"],\"length\":200}",
		"{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"a\"],"
		"\"config\":{\"host\":\"evil\"}}",
		"{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"a\"],\"field\":\"pasword\"}",
		"{\"field\":\"pasword\"}",
		"{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"root\"]}",
		"{\"target\":\"pg\",\"strategy\":\"dual_user\",\"accounts\":[\"app_a\",\"root\"]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ASK(400, HTTP_POST, CONFIG, bad[i]);
	ASK(404, HTTP_GET, CONFIG, NULL);
}

/* Whoever may read where the target is does not learn how to get in. */
Test(machine, a_target_shows_no_password)
{
	static const char *const bad[] = {
		"{\"config\":{\"host\":\"h\",\"password\":\"geheim\"}}",
		"{\"config\":{\"connection_url\":\"pg://adm:geheim@h/x\"}}",
		"{\"config\":{\"connection_url\":\"pg://{{username}}:geheim@h/x\"}}",
		"{\"config\":{\"connection_url\":\"pg://h/x?password=geheim\"}}",
		"{\"config\":{\"connection_url\":\"adm:geheim@tcp(h:1)/x\"}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		TGT(400, HTTP_POST, TARGET, bad[i]);
		cr_assert_null(strstr(rig_got(""), "geheim"), "%s", bad[i]);
	}
	TGT(204, HTTP_POST, TARGET,
	    "{\"config\":{\"connection_url\":\"pg://{{username}}:{{password}}@h/x\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
}

/* "ssl_mode=verify-full" would verify nobody. */
Test(machine, a_target_has_no_settings_that_are_none)
{
	TGT(400, HTTP_POST, TARGET,
	    "{\"config\":{\"host\":\"db\",\"ssl_mode\":\"verify-full\"},\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
	cr_assert(strstr(rig_got("errors.0"), "no setting \"ssl_mode\"") != NULL);
	ASK(200, HTTP_GET, TARGET, NULL);
	GOT("data.config.ssl_mode", "-");
}

Test(machine, a_target_in_use_stays)
{
	rule("single", "");
	ASK(400, HTTP_DELETE, TARGET, NULL);
	ASK(204, HTTP_DELETE, CONFIG, NULL);
	ASK(204, HTTP_DELETE, TARGET, NULL);
	ASK(404, HTTP_GET, TARGET, NULL);
}

Test(machine, a_target_limits_paths_and_accounts)
{
	TGT(204, HTTP_POST, TARGET, "{\"allowed_paths\":[\"secret/other/*\"]}");
	ASK(403, HTTP_POST, CONFIG,
	    "{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"app_a\"]}");
	TGT(204, HTTP_POST, TARGET,
	    "{\"allowed_paths\":[],\"allowed_accounts\":[\"svc_*\"]}");
	ASK(403, HTTP_POST, CONFIG,
	    "{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"app_a\"]}");
}
