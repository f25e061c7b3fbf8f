/* SPDX-License-Identifier: Apache-2.0 */
/* The rotation machine is killed between any two transactions; rows of the crash table
 * that need more than a target that misbehaves; and what the simulator has found. */
#include "machine_rig.h"

TestSuite(machine_crash, .init = setup, .fini = rig_stop, .timeout = 120);

/* ---- crashes between any two transactions ---- */

static void rule_of(const char *strategy)
{
	if (strcmp(strategy, "verify_then_sign") == 0)
		ASK(204, HTTP_POST, CONFIG,
		    "{\"strategy\":\"verify_then_sign\",\"field\":\"password\",\"grace\":0}");
	else if (strcmp(strategy, "generate") == 0)
		ASK(204, HTTP_POST, CONFIG, "{\"field\":\"password\"}");
	else
		rule(strategy, "");
}

/* One batch, and what rotate was handed by it. */
static void one_batch(void)
{
	rig_run();
	for (size_t k = 0; k < tgt.queued; k++)
		tgt_one(tgt.queue[k].number, tgt.queue[k].frame);
	tgt.queued = 0;
	rig_advance(3);
}

/* Core is killed after the batch with this number, and the call that it has made is done,
 * or is not.  False: it had ended before. */
static bool crash_after(int batch, bool done)
{
	put_value("app_a", "first-value");
	for (size_t i = 0; i < tgt.accounts; i++)
		tgt.account[i].value[1][0] = '\0';
	snprintf(tgt.account[0].value[0], 160, "first-value");
	snprintf(tgt.account[1].value[0], 160, "unknown-to-us");
	start();
	for (int i = 0; i < batch; i++)
		one_batch();
	if (strcmp(state(), "converged") == 0)
		return false;
	rig_run();
	tgt_crash(done);
	for (int i = 0; i < 60 && strcmp(state(), "converged") != 0; i++) {
		tgt_run();
		rig_advance(20000);
	}
	return true;
}

static void crash_everywhere(const char *strategy)
{
	rule_of(strategy);
	for (int done = 0; done < 2; done++)
		for (int batch = 0; crash_after(batch, done != 0); batch++) {
			cr_assert_lt(batch, 60, "%s does not end", strategy);
			cr_assert_str_eq(state(), "converged",
			                 "%s, batch %d, done %d: %s", strategy, batch,
			                 done, rig_got("data.last"));
			if (strcmp(strategy, "generate") != 0 &&
			    strcmp(strategy, "verify_then_sign") != 0) {
				works();
				nothing_else();
			}
			cr_assert_str_neq(stored("password"), "first-value");
		}
}

ParameterizedTestParameters(machine_crash, a_crash_after_any_batch_ends_well)
{
	static char strategies[][20] = { "generate", "single", "dual_user", "dual_key",
		                         "verify_then_sign" };

	return cr_make_param_array(char[20], strategies, ARRAY_LEN(strategies));
}

ParameterizedTest(char (*strategy)[20], machine_crash, a_crash_after_any_batch_ends_well,
                  .timeout = 300)
{
	crash_everywhere(*strategy);
}

/* ---- rows of the crash table that are left ---- */

/* The target makes its values itself. */
static void maker(void)
{
	tgt.makes = true;
	TGT(204, HTTP_POST, "sys/rotation/targets/maker",
	    "{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
	ASK(204, HTTP_POST, CONFIG,
	    "{\"target\":\"maker\",\"strategy\":\"dual_key\",\"accounts\":[\"app_a\"],"
	    "\"grace\":0}");
	tgt.log[0] = '\0';
}

Test(machine_crash, row_04_in_create_done)
{
	maker();
	tgt_fault("create", F_SILENT, 2);
	start();
	tgt_later(30000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "create create create test retire ");
	cr_assert_eq(tgt.created, 1, "found by its attempt");
	works();
	nothing_else();
}

Test(machine_crash, row_04_in_create_crashed)
{
	maker();
	start();
	until_call("create");
	tgt_crash(true);
	tgt_later(3000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_eq(tgt.created, 1);
	works();
	nothing_else();
}

/* Nobody knows what was made: it is looked for, so that it can be retired, and the value
 * in use is not. */
Test(machine_crash, row_04_aborted_in_create)
{
	maker();
	tgt_fault("create", F_SILENT, 1);
	start();
	tgt_run();
	TGT(200, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
	tgt_later(3000);
	cr_assert_str_eq(state(), "failed");
	cr_assert_eq(tgt.created, 1);
	cr_assert_str_eq(stored("password"), "first-value");
	works();
	nothing_else();
}

Test(machine_crash, row_04_refused_after_it_was_done)
{
	maker();
	tgt_fault("create", F_SILENT, 1);
	tgt_fault("create", F_PERMANENT, 1);
	start();
	tgt_later(30000);
	cr_assert_str_eq(state(), "held");
	TGT(200, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
	tgt_later(3000);
	cr_assert_str_eq(state(), "failed");
	works();
	nothing_else();
}

/* Whatever operators try meanwhile: the value that was made is not forgotten. */
Test(machine_crash, row_04_refused_again_after_it_was_done)
{
	static const char *const orders[] = { "resume", "adopt", "resume" };
	char path[80];

	maker();
	TGT(204, HTTP_POST, TARGET,
	    "{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
	tgt_fault("create", F_SILENT, 1);
	tgt_fault("create", F_PERMANENT, 4);
	start();
	tgt_later(30000);
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		cr_assert_str_eq(state(), "held");
		snprintf(path, sizeof(path), "sys/rotation/%s/secret/app/db", orders[i]);
		TGT(200, HTTP_POST, path, NULL);
		tgt_later(30000);
	}
	cr_assert_str_eq(state(), "held");
	TGT(200, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
	tgt_later(3000);
	cr_assert_str_eq(state(), "failed");
	works();
	nothing_else();
}

Test(machine_crash, row_09_after_tested)
{
	rule("single", "");
	start();
	until_call("test");
	tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
	tgt.queued = 0;
	rig_run();
	cr_assert_str_eq(state(), "tested");
	tgt_crash(false);
	tgt_later(1000);
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(tgt.log, "set test ");
	works();
	nothing_else();
}

Test(machine_crash, row_18_a_claim_is_compared_and_swapped)
{
	rule("single", "");
	rig_submit(HTTP_POST, ROTATE, rig.root, "{\"wait\":false}");
	rig_submit(HTTP_POST, ROTATE, rig.root, "{\"wait\":false}");
	rig_run();
	ASK(200, HTTP_GET, "sys/rotation/history/secret/app/db", NULL);
	cr_assert_str_neq(rig_got("data.attempts.0"), "-");
	cr_assert_str_eq(rig_got("data.attempts.1"), "-");
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	works();
}

Test(machine_crash, row_18_a_second_server_is_refused)
{
	struct core *second = NULL;
	struct err e = { 0 };
	struct core_options o = {
		.data_dir = rig.dir,
		.clock = &rig.clock,
		.pwhash_in_line = true,
		.reply = rig_reply,
		.state = rig_state,
	};

	cr_assert_neq(core_open(&o, &second, &e), ERR_OK);
}

static void clock_is_set(int64_t by)
{
	rule("single", "");
	tgt_fault("set", F_RETRYABLE, 1);
	start();
	tgt_run();
	cr_assert_str_eq(state(), "setting");
	rig.wall += by;
	tgt_later(30000);
	cr_assert_str_eq(state(), "converged");
	works();
	nothing_else();
}

Test(machine_crash, row_19_the_clock_is_set_back)
{
	clock_is_set(-2ll * 3600 * 1000);
}

Test(machine_crash, row_19_the_clock_is_set_forward)
{
	clock_is_set(2ll * 3600 * 1000);
}

Test(machine_crash, row_19_a_grace_is_not_shortened_by_the_clock)
{
	rule("dual_user", ",\"grace\":\"1h\"");
	TGT(200, HTTP_POST, ROTATE, "{}");
	rig.wall += 2ll * 3600 * 1000;
	tgt_later(2000);
	cr_assert_str_eq(state(), "retiring");
	cr_assert(tgt_works("app_a", "first-value"));
	rig_advance(3600 * 1000);
	tgt_later(2000);
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

/* ---- what the simulator has found ---- */

Test(machine_crash, what_is_written_by_hand_meanwhile_stays)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"strategy\":\"verify_then_sign\",\"field\":\"password\",\"grace\":\"10m\"}");
	TGT(200, HTTP_POST, ROTATE, "{}");
	ASK(200, HTTP_PATCH, "secret/data/app/db", "{\"data\":{\"x\":\"by hand\"}}");
	rig_advance(600 * 1000);
	tgt_run();
	cr_assert_str_eq(state(), "converged");
	cr_assert_str_eq(stored("x"), "by hand");
	cr_assert_str_eq(stored("password_previous"), "-");
}

Test(machine_crash, taking_back_leaves_what_was_written_by_hand)
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
	ASK(200, HTTP_PATCH, "secret/data/app/db", "{\"data\":{\"x\":\"by hand\"}}");
	TGT(200, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
	agent_apply(&ag, lease);
	tgt_run();
	cr_assert_str_eq(state(), "reverted");
	cr_assert_str_eq(stored("x"), "by hand");
	cr_assert_str_eq(stored("password"), "first-value");
	works();
	nothing_else();
}

Test(machine_crash, a_check_leaves_the_old_value_to_be_retired)
{
	rule("dual_user", "");
	tgt_fault("retire", F_RETRYABLE, 3);
	start();
	tgt_later(16000);
	cr_assert_str_eq(state(), "retire-late");
	ASK(400, HTTP_POST, "sys/rotation/check/secret/app/db", NULL);
	tgt_later(60000);
	cr_assert_str_eq(state(), "converged");
	nothing_else();
}

Test(machine_crash, who_takes_a_place_takes_its_old_value_too)
{
	rule("dual_user", "");
	tgt_fault("retire", F_RETRYABLE, 3);
	start();
	tgt_later(16000);
	cr_assert_str_eq(state(), "retire-late");
	start();
	TGT(200, HTTP_POST, "sys/rotation/abort/secret/app/db", NULL);
	tgt_later(3000);
	cr_assert_str_eq(state(), "failed");
	works();
	nothing_else();
}
