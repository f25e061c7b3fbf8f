/* SPDX-License-Identifier: Apache-2.0 */
/* The rotation machine when people and other things come between: values written by hand
 * while a rotation is on its way, rules that change, clocks that jump, many at once. */
#include "machine_rig.h"

TestSuite(machine_edges, .init = setup, .fini = rig_stop, .timeout = 120);

static char *lease_of(struct agent *ag, const char *name)
{
	char *lease;

	make_role("web", "secret/app/*");
	agent_start(ag, name, "web");
	lease = agent_lease(ag, "secret/app/db");
	agent_apply(ag, lease);
	return lease;
}

/* ---- by hand, meanwhile ---- */

Test(machine_edges, going_back_by_hand_keeps_the_old_value_alive)
{
	rule("dual_user", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	/* the new account lacks a right: an operator puts the old value back */
	put_value("app_a", "first-value");
	tgt_later(3600 * 1000 + 1000);
	works();
	nothing_else();
	cr_assert_str_eq(state(), "reverted");
}

Test(machine_edges, going_back_by_hand_waits_for_the_holders)
{
	struct agent ag;
	char *lease = lease_of(&ag, "web-1");

	rule("dual_key", ",\"grace\":\"10s\"");
	start();
	tgt_run();
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "retiring");
	put_value("app_a", "first-value");
	tgt_later(11000);
	cr_assert_str_eq(state(), "reverting", "the holder still uses the new one");
	works();
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "reverted");
	works();
	nothing_else();
}

Test(machine_edges, what_is_held_at_the_target_is_not_written_over)
{
	rule("single", "");
	tgt_fault("set", F_AUTH, 1);
	start();
	tgt_later(1000);
	cr_assert_str_eq(state(), "held");
	ASK(400, HTTP_POST, "secret/data/app/db",
	    "{\"data\":{\"username\":\"app_a\",\"password\":\"by hand\"}}");
	cr_assert(strstr(rig_got("errors"), "held") != NULL, "%s", rig_got("errors"));
	ASK(400, HTTP_DELETE, "secret/data/app/db", NULL);
	ASK(200, HTTP_POST, "sys/rotation/abort/secret/app/db", "{\"forget\":true}");
	put_value("app_a", "by hand");
}

Test(machine_edges, signing_keys_keep_what_is_written_beside_them)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"strategy\":\"verify_then_sign\",\"field\":\"password\",\"grace\":\"10d\"}");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	ASK(200, HTTP_PATCH, "secret/data/app/db", "{\"data\":{\"x\":\"changed\"}}");
	rig_advance(10ll * 24 * 3600 * 1000);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(stored("x"), "changed");
	cr_assert_str_eq(stored("password_previous"), "-");
}

Test(machine_edges, a_signing_key_written_by_hand_stays)
{
	struct agent ag;
	char *lease = lease_of(&ag, "web-1");

	ASK(204, HTTP_POST, CONFIG,
	    "{\"strategy\":\"verify_then_sign\",\"field\":\"password\"}");
	start();
	cr_assert_str_eq(state(), "published");
	put_value("app_a", "by hand");
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "aborted");
	cr_assert_str_eq(stored("password"), "by hand");
}

Test(machine_edges, the_field_stays_while_a_rotation_is_under_way)
{
	rule("single", "");
	start();
	until_call("set");
	ASK(400, HTTP_POST, CONFIG, "{\"field\":\"x\"}");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
}

Test(machine_edges, a_secret_that_is_gone_takes_its_rule_along)
{
	rule("single", ",\"every\":\"1h\",\"jitter\":\"none\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	ASK(204, HTTP_DELETE, "secret/metadata/app/db", NULL);
	ASK(204, HTTP_DELETE, TARGET, NULL);
	/* another secret, by chance of the same name */
	put_value("app_a", "of somebody else");
	ASK(404, HTTP_GET, CONFIG, NULL);
	tgt_later(3601 * 1000);
	cr_assert_str_eq(stored("password"), "of somebody else");
}

/* ---- patience ---- */

Test(machine_edges, patience_counts_from_the_first_failure)
{
	struct agent ag;
	char *lease = lease_of(&ag, "web-1");

	rule("dual_user", ",\"policy\":\"revert\",\"timeout\":\"4h\"");
	start();
	tgt_run();
	for (int i = 0; i < 48; i++) {
		rig_advance(300 * 1000);
		agent_login(&ag);
		tgt_run();
	}
	cr_assert_str_eq(state(), "reverting");
	tgt_fault("retire", F_RETRYABLE, 1);
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "reverting", "one failure is no reason to hold it");
	tgt_later(20000);
	cr_assert_str_eq(state(), "reverted");
	works();
	nothing_else();
}

Test(machine_edges, nothing_is_held_before_the_target_was_asked)
{
	ASK(200, HTTP_POST, "secret/data/admin",
	    "{\"data\":{\"username\":\"root\",\"password\":\"top\"}}");
	TGT(204, HTTP_POST, TARGET,
	    "{\"rotator\":\"fake\",\"admin_path\":\"secret/admin\"}");
	rule("single", "");
	ASK(204, HTTP_DELETE, "secret/data/admin", NULL);
	start();
	tgt_run();
	cr_assert_str_eq(state(), "failed");
	works();
}

Test(machine_edges, a_check_that_hears_nothing_is_not_held)
{
	rule("single", "");
	tgt.down = true;
	ASK(200, HTTP_POST, "sys/rotation/check/secret/app/db", "{\"wait\":false}");
	for (int i = 0; i < 40; i++) {
		tgt_run();
		rig_advance(900 * 1000);
	}
	tgt_run();
	cr_assert_str_eq(state(), "failed");
	tgt.down = false;
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "converged");
}

Test(machine_edges, a_clock_set_back_delays_nothing)
{
	rule("single", "");
	tgt_fault("set", F_LOST, 1);
	start();
	tgt_run();
	cr_assert_str_eq(state(), "setting");
	rig.wall -= 24ll * 3600 * 1000;
	tgt_later(5000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine_edges, a_clock_set_forward_ends_no_grace)
{
	rule("dual_user", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	rig.wall += 24ll * 3600 * 1000;
	tgt_later(5000);
	cr_assert_str_eq(state(), "retiring");
	cr_assert(tgt_works("app_a", "first-value"), "its hour is not over");
	tgt_later(3600 * 1000);
	cr_assert_str_eq(state(), "converged");
}

/* An answer that comes before anybody has looked at the clock again. */
Test(machine_edges, a_clock_set_forward_delays_no_retry)
{
	rule("single", "");
	tgt_fault("set", F_RETRYABLE, 1);
	start();
	until_call("set");
	rig.wall += 24ll * 3600 * 1000;
	tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
	tgt.queued = 0;
	tgt_later(60000);
	cr_assert_str_eq(state(), "converged");
	works();
}

/* ---- many ---- */

Test(machine_edges, a_hundred_at_once_keep_the_limits)
{
	for (int i = 0; i < 100; i++) {
		ASK(200, HTTP_POST, arena_printf(rig.a, "secret/data/many/%d", i),
		    "{\"data\":{\"username\":\"app_a\",\"password\":\"first-value\"}}");
		ASK(204, HTTP_POST,
		    arena_printf(rig.a, "sys/rotation/config/secret/many/%d", i),
		    "{\"target\":\"pg\",\"strategy\":\"single\",\"accounts\":[\"app_a\"]}");
		ASK(200, HTTP_POST,
		    arena_printf(rig.a, "sys/rotation/rotate/secret/many/%d", i),
		    "{\"wait\":false}");
	}
	for (int i = 0; i < 400; i++) {
		rig_advance(5);
		rig_run();
		cr_assert_leq(tgt.queued, 1, "%zu at one target", tgt.queued);
	}
}

/* ---- whom administrators serve ---- */

Test(machine_edges, an_administrator_is_not_led_elsewhere)
{
	/* whoever may write targets need not know their administrators */
	TGT(400, HTTP_POST, TARGET, "{\"config\":{\"host\":\"evil\"}}");
	TGT(204, HTTP_POST, TARGET, "{\"config\":{\"host\":\"db\"}}");
	TGT(204, HTTP_POST, TARGET,
	    "{\"config\":{\"host\":\"db2\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
}

Test(machine_edges, what_a_target_allows_counts_when_it_rotates)
{
	rule("single", "");
	TGT(204, HTTP_POST, TARGET, "{\"allowed_paths\":[\"secret/other/*\"]}");
	start();
	tgt_run();
	cr_assert_str_eq(state(), "failed");
	TGT(204, HTTP_POST, TARGET,
	    "{\"allowed_paths\":[],\"allowed_accounts\":[\"svc_*\"]}");
	start();
	tgt_run();
	cr_assert_str_eq(state(), "failed");
	cr_assert_not(strstr(tgt.log, "set"));
	/* to name none is no way around it */
	ASK(403, HTTP_POST, "sys/rotation/config/secret/app/db",
	    "{\"target\":\"pg\",\"strategy\":\"dual_key\",\"accounts\":[]}");
}

Test(machine_edges, a_check_asks_about_the_rules_account_only)
{
	rule("single", "");
	put_value("root", "guess");
	ASK(200, HTTP_POST, "sys/rotation/check/secret/app/db", "{\"wait\":false}");
	tgt_run();
	cr_assert_str_eq(state(), "failed");
	cr_assert_str_eq(tgt.log, "");
}

Test(machine_edges, one_that_fails_holds_up_no_other)
{
	struct rotation_attempt t;
	struct err e;
	unsigned char id[16], slot[32];

	rule("single", "");
	start();
	until_call("set");
	tgt.queued = 0; /* lost */
	ASK(200, HTTP_GET, STATUS, NULL);
	cr_assert_eq(text_unhex(rig_got("data.last.attempt_id"), 32, id, 16), 16);
	cr_assert_eq(rotation_attempt_load(rig.core, rig.a, id, &t, &e), ERR_OK);
	store_blind(rig.core, slot, "attempt-value", id, 16, NULL, 0);
	cr_assert_eq(payload_destroy(rig.core, slot, 1, &e), ERR_OK, "%s", e.msg);
	ASK(200, HTTP_POST, "secret/data/other", "{\"data\":{\"password\":\"old\"}}");
	ASK(204, HTTP_POST, "sys/rotation/config/secret/other",
	    "{\"every\":\"1m\",\"jitter\":\"none\"}");
	tgt_later(125 * 1000);
	ASK(200, HTTP_GET, "secret/data/other", NULL);
	cr_assert_str_neq(rig_got("data.data.password"), "old");
}

/* ---- alarms of schedules ---- */

static int64_t alarms(const char *which)
{
	const char *text, *at;

	ASK(200, HTTP_GET, "sys/metrics", "{\"format\":\"prometheus\"}");
	text = rig_got("");
	at = strstr(text,
	            arena_printf(rig.a, "vaultd_rotation_alarms_total{alarm=\"%s\"} ",
	                         which));
	cr_assert_not_null(at, "%s", text);
	return strtoll(strchr(at, '}') + 1, NULL, 10);
}

Test(machine_edges, a_schedule_raises_its_alarms_once)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"every\":\"1d\",\"window\":\"1h\",\"jitter\":\"none\",\"max_age\":\"36h\","
	    "\"missed\":\"skip\",\"field\":\"password\"}");
	put_value("app_a", "first-value");
	rig_run();
	cr_assert_eq(alarms("overdue"), 0);
	ASK(204, HTTP_POST, "sys/seal", NULL);
	rig_advance(3 * 24 * 3600 * 1000ll + 2 * 3600 * 1000);
	rig_unseal();
	tgt_later(3000);
	cr_assert_eq(alarms("jumped"), 1);
	cr_assert_eq(alarms("overdue"), 1);
	tgt_later(60000);
	cr_assert_eq(alarms("overdue"), 1);
	cr_assert_eq(alarms("ahead"), 0);
	rig.wall -= 3 * 24 * 3600 * 1000ll;
	tgt_later(3000);
	cr_assert_eq(alarms("ahead"), 1);
}

/* ---- a vault that was set back ---- */

static void set_back(void)
{
	struct err e;

	cr_assert_eq(tgt_restored(&e), ERR_OK, "%s", e.msg);
	tgt_crash(false);
}

Test(machine_edges, set_back_in_the_middle_asks_again)
{
	rule("single", "");
	start();
	until_call("test");
	set_back();
	snprintf(tgt.account[0].value[0], 160, "newer than the backup");
	tgt.log[0] = '\0';
	tgt_later(3000);
	cr_assert_str_eq(state(), "held");
	cr_assert_str_eq(tgt.log, "probe ");
	cr_assert_str_eq(tgt.account[0].value[0], "newer than the backup");
}

Test(machine_edges, set_back_before_the_old_value_ends_asks_people)
{
	rule("dual_user", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	GOT("data.state", "retiring");
	set_back();
	tgt_later(3600 * 1000 + 1000);
	cr_assert_str_eq(state(), "held");
	cr_assert(tgt_works("app_a", "first-value"));
	TGT(200, HTTP_POST, "sys/rotation/resume/secret/app/db", NULL);
	tgt_later(1000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine_edges, a_value_that_came_back_is_no_younger)
{
	struct agent ag;
	char *lease, *before;

	rule("dual_user", ",\"policy\":\"revert\",\"timeout\":\"10s\"");
	put_value("app_a", "first-value");
	ASK(200, HTTP_GET, STATUS, NULL);
	before = arena_str(rig.a, rig_got("data.last_rotated"));
	cr_assert_str_neq(before, "null");
	lease = lease_of(&ag, "web-1");
	rig_advance(60 * 1000);
	start();
	tgt_later(11000);
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "reverted");
	GOT("data.last_rotated", before);
}

Test(machine_edges, asking_again_and_again_locks_no_administrator_out)
{
	tgt_fault("login", F_AUTH, 100);
	for (int i = 0; i < 3; i++)
		TGT(400, HTTP_POST, TARGET "/check", NULL);
	tgt.log[0] = '\0';
	ASK(429, HTTP_POST, TARGET "/check", NULL);
	cr_assert_str_eq(tgt.log, "");
	rig_reopen();
	tgt_link();
	ASK(429, HTTP_POST, TARGET "/check", NULL);
	tgt_later(600 * 1000);
	TGT(400, HTTP_POST, TARGET "/check", NULL);
}

/* Whether the target is known already or not; what is written then is not stored. */
static void write_badly(const char *path)
{
	static const char *const body =
		"{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},\"admin\":"
		"{\"username\":\"root\",\"password\":\"wrong\"}}";

	tgt_fault("login", F_AUTH, 3);
	for (int i = 0; i < 3; i++)
		TGT(400, HTTP_POST, path, body);
	tgt.log[0] = '\0';
	ASK(429, HTTP_POST, path, body);
	cr_assert_str_eq(tgt.log, "");
}

Test(machine_edges, writing_a_target_again_and_again_locks_no_administrator_out)
{
	write_badly(TARGET);
	ASK(429, HTTP_POST, TARGET "/check", NULL);
	ASK(200, HTTP_GET, TARGET, NULL);
	cr_assert_str_neq(rig_got("data.left_alone"), "0");
	/* What is not verified is no login, and forgets none. */
	TGT(204, HTTP_POST, TARGET, "{\"verify\":false}");
	ASK(429, HTTP_POST, TARGET "/check", NULL);
	tgt_later(600 * 1000);
	TGT(200, HTTP_POST, TARGET "/check", NULL);

	write_badly("sys/rotation/targets/new");
	ASK(404, HTTP_GET, "sys/rotation/targets/new", NULL);
	/* Another one is another one. */
	TGT(200, HTTP_POST, TARGET "/check", NULL);
}

/* Nobody can tell by how much: the boot clock may be another one. */
Test(machine_edges, a_clock_set_back_while_it_was_off_makes_no_wait_longer)
{
	rule("single", "");
	tgt_fault("set", F_LOST, 50);
	ASK(200, HTTP_POST, ROTATE, "{\"wait\":false}");
	tgt_later(60000);
	core_close(rig.core);
	rig.wall -= 3ll * 3600 * 1000;
	rig_open();
	rig_unseal();
	tgt_link();
	tgt.faults = 0;
	tgt_later(17ll * 60 * 1000);
	ASK(200, HTTP_GET, STATUS, NULL);
	GOT("data.last.state", "converged");
}
