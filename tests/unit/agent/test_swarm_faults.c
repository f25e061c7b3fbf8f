/* SPDX-License-Identifier: Apache-2.0 */
/* One situation after the other in which a mistake of the machine would do harm. */
#include "swarm_hand.h"

TestSuite(swarm_faults, .timeout = 60);

#define REF(i) (h.service[i].ref[0])

/* s0 has a version that is good, 1. */
static struct h_service *one_good(void)
{
	h_open(1);
	(void)h_service(0, "old");
	h_all_done(1);
	h.updates = 0;
	return &h.service[0];
}

/* … and version 2 is being rolled out. */
static struct h_service *under_way(void)
{
	struct h_service *s = one_good();

	h_version(0, 2);
	h_run(1000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	cr_assert_str_eq(REF(0), "b0v2o0");
	return s;
}

/* --- the gate ------------------------------------------------------------------------
 */

/* Until it is stored that s0 has it, and nothing after that. */
static void until_done(void)
{
	for (int n = 0; h_state(0, 0) != SWARM_DONE; n++) {
		cr_assert_lt(n, 1000);
		h.next = machine_due(h.m, h.now);
		if (h.n_answers == 0 && h.service[0].update == UPDATE_UPDATING)
			h_rolled(&h.service[0]);
		if (h.n_answers == 0)
			h.now = h.next > h.now ? h.next : h.now + 1;
		for (size_t i = 0; i < h.n_answers; i++)
			h_answer(i);
		h.n_answers = 0;
	}
}

Test(swarm_faults, a_version_that_is_replaced_the_moment_it_is_done_is_good)
{
	h_open(1);
	(void)h_service(0, "old");
	until_done();
	cr_assert_eq(h.row[0][0].good, 0);
	h_version(0, 2);
	h_run(1000);
	cr_assert_str_eq(REF(0), "b0v2o0");
	h.service[0].update = UPDATE_PAUSED;
	h_event(0);
	h_run(30000);
	cr_assert_str_eq(REF(0), "b0v1o0");
	cr_assert_eq(h.row[0][0].good, 1);
}

Test(swarm_faults, tasks_that_do_not_run_are_waited_for)
{
	struct h_service *s = one_good();

	s->tasks[0].state = TASK_COMING;
	h_version(0, 2);
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	s->tasks[0].state = TASK_RUNNING;
	h_event(0);
	cr_assert_eq(h.updates, 1);
}

Test(swarm_faults, tasks_that_are_missing_are_waited_for)
{
	struct h_service *s = one_good();

	s->desired = 2;
	h_version(0, 2);
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	(void)h_task(s, TASK_RUNNING);
	h_event(0);
	cr_assert_eq(h.updates, 1);
}

Test(swarm_faults, a_window_that_is_closed_is_waited_for)
{
	(void)one_good();
	h.window = false;
	h_version(0, 2);
	h_run(200000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 0), SWARM_DEFERRED);
	h.window = true;
	h_run(70000);
	cr_assert_eq(h.updates, 1);
}

Test(swarm_faults, two_bindings_do_not_change_one_service_at_once)
{
	struct h_service *s = one_good();

	s->sync = "b0, b1";
	h.b[1].version = 1;
	h_version(0, 2);
	h_tell(1);
	h_run(60000);
	cr_assert_eq(h.updates, 1);
	h_rolled(s);
	h_run(20000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
	cr_assert_eq(h.updates, 2);
}

Test(swarm_faults, a_job_that_runs_is_not_disturbed)
{
	struct h_service *s;

	h_open(1);
	h.b[0].jobs = true;
	h_tell(0);
	s = h_service(0, "old");
	s->job = true;
	s->running = 1;
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	s->running = 0;
	s->completed = 1;
	s->tasks[0].state = TASK_ENDED;
	s->tasks[0].wanted = false;
	h_event(0);
	cr_assert_eq(h.updates, 1);
	/* it began, but is not there yet */
	s->completed = 0;
	s->update = UPDATE_NONE;
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	s->running = 1;
	h_run(20000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
}

Test(swarm_faults, a_job_is_left_alone)
{
	h_open(1);
	h_service(0, "old")->job = true;
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 0), SWARM_SKIPPED);
	h_version(0, 2);
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h.row[0][0].version, 2);
}

/* --- is it there? --------------------------------------------------------------------
 */

Test(swarm_faults, what_was_completed_counts_for_nothing_without_tasks)
{
	struct h_service *s = under_way();

	s->update = UPDATE_COMPLETED; /* the tasks are those from before */
	h_run(60000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	s->update = UPDATE_NONE;
	h_run(30000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
}

Test(swarm_faults, tasks_count_for_nothing_while_swarm_is_at_it)
{
	struct h_service *s = under_way();

	h_rolled(s);
	s->update = UPDATE_UPDATING;
	h_run(60000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
}

Test(swarm_faults, a_task_with_more_than_the_service_says_is_an_old_one)
{
	struct h_service *s = under_way();

	h_rolled(s);
	h_set(s->tasks[0].secret[1], "else");
	h_run(60000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
}

Test(swarm_faults, a_task_with_less_than_the_service_says_is_an_old_one)
{
	struct h_service *s = under_way();

	h_rolled(s);
	h_set(s->tasks[0].secret[0], "");
	h_run(60000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
}

Test(swarm_faults, a_pause_is_seen_at_once)
{
	struct h_service *s = under_way();

	h_rolled(s);
	s->update = UPDATE_PAUSED;
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_REVERT);
	cr_assert_str_eq(h.row[0][0].reason, "as Swarm says");
	cr_assert_str_eq(REF(0), "b0v1o0");
}

Test(swarm_faults, it_is_watched_as_long_as_was_said)
{
	struct h_service *s = under_way();

	h_rolled(s);
	h_event(0);
	h_run(9000);
	cr_assert_eq(h_state(0, 0), SWARM_SOAK);
	h_run(2000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
}

Test(swarm_faults, all_are_looked_at_if_a_binding_is_another_not_if_its_version_is)
{
	unsigned scans;

	(void)one_good();
	scans = h.scans;
	h_version(0, 2);
	h_run(1000);
	h_tell(0);
	h_run(1000);
	cr_assert_eq(h.updates, 1);
	cr_assert_eq(h.scans, scans);
	h.b[0].enforce = true;
	h_tell(0);
	h_run(1000);
	cr_assert_eq(h.scans, scans + 1);
	h.b[0].targets[0].mode = 0440;
	h_tell(0);
	h_run(1000);
	cr_assert_eq(h.scans, scans + 2);
}

/* Two rows: it is done, and then its version is the good one. */
Test(swarm_faults, without_a_soak_it_is_done_as_soon_as_it_runs)
{
	struct h_service *s = one_good();
	unsigned stores;

	h.b[0].soak_ms = 0;
	h_tell(0);
	h_version(0, 2);
	h_run(1000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	stores = h.stores;
	s->tasks[0].state = TASK_COMING;
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	h_rolled(s);
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
	cr_assert_eq(h.stores, stores + 2);
}

Test(swarm_faults, tasks_that_do_not_go_on_running_are_taken_back)
{
	struct h_service *s = under_way();

	h_rolled(s);
	h_event(0);
	s->tasks[0].state = TASK_COMING;
	h_run(200000);
	cr_assert_str_eq(REF(0), "b0v1o0");
}

/* Only what has the new version speaks against it, and only what failed after it ran. */
Test(swarm_faults, another_tasks_failure_is_not_the_versions)
{
	struct h_service *s = under_way();
	struct h_task *t;

	t = h_task(s, TASK_FAILED); /* while it was rolled: Swarm's to judge */
	t->wanted = false;
	h_event(0);
	s->tasks[0] = s->tasks[1];
	s->n_tasks = 1;
	(void)h_task(s, TASK_RUNNING);
	s->update = UPDATE_COMPLETED;
	s->index++;
	t = h_task(s, TASK_FAILED);
	t->wanted = false;
	h_set(t->secret[0], "b0v1o0");
	h_run(30000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
}

/* --- lost ----------------------------------------------------------------------------
 */

Test(swarm_faults, tasks_that_failed_say_why_references_went_back)
{
	struct h_service *s = under_way();

	(void)h_task(s, TASK_FAILED);
	h_event(0);
	h_rolled_back(s);
	h_task(s, TASK_FAILED)->wanted = false;
	h_set(s->tasks[1].secret[0], "b0v2o0");
	s->update = UPDATE_NONE; /* somebody has changed something else since */
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_ROLLED_BACK);
	h_run(100000);
	cr_assert_eq(h.updates, 1, "it is not tried again");
}

Test(swarm_faults, what_others_replace_is_not_the_versions_fault)
{
	struct h_service *s;

	h_open(1);
	(void)h_service(0, "old");
	(void)h_service(1, "old");
	h_all_done(1);
	h_version(0, 2);
	h_run(1000);
	s = &h.service[h_state(0, 0) == SWARM_OBSERVE ? 0 : 1];
	h_set(s->ref[0], "theirs");
	h_rolled(s);
	h_event(h_index(s->id));
	cr_assert_eq(h_state(0, h_index(s->id)), SWARM_SUPERSEDED);
	h_run(20000);
	cr_assert_str_eq(h.service[1 - h_index(s->id)].ref[0], "b0v2o0");
}

Test(swarm_faults, references_of_others_are_reported_and_left)
{
	struct h_service *s = one_good();

	h_set(s->ref[0], "theirs");
	h_rolled(s);
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_SUPERSEDED);
	h_run(4000000);
	cr_assert_eq(h.updates, 0);
	h_version(0, 2);
	h_run(100000);
	cr_assert_eq(h_state(0, 0), SWARM_SUPERSEDED);
	cr_assert_eq(h.updates, 0);
	h.b[0].enforce = true;
	h_tell(0);
	h_run(100000);
	cr_assert_eq(h.updates, 1);
}

/* --- another life --------------------------------------------------------------------
 */

static struct h_service *another_life(enum machine_state state, int64_t good,
                                      const char *ref)
{
	struct h_service *s;

	h_open(2);
	s = h_service(0, ref);
	if (good > 0)
		(void)h_secret("b0", good, 0);
	(void)h_secret("b0", 2, 0);
	h_restore(0, 0, state, 2, good);
	return s;
}

Test(swarm_faults, an_update_that_came_through_is_not_made_twice)
{
	(void)another_life(SWARM_APPLY, 1, "b0v2o0");
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
}

Test(swarm_faults, an_update_that_did_not_come_through_is_made)
{
	(void)another_life(SWARM_APPLY, 1, "b0v1o0");
	h_run(1000);
	cr_assert_eq(h.updates, 1);
	cr_assert_str_eq(REF(0), "b0v2o0");
}

Test(swarm_faults, an_update_that_was_rolled_back_is_not_made_again)
{
	struct h_service *s = another_life(SWARM_APPLY, 1, "b0v1o0");
	struct h_task *t = h_task(s, TASK_FAILED);

	t->wanted = false;
	h_set(t->secret[0], "b0v2o0");
	s->update = UPDATE_ROLLED_BACK;
	h_run(30000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 0), SWARM_ROLLED_BACK);
}

Test(swarm_faults, what_was_watched_is_watched_on)
{
	struct h_service *s = another_life(SWARM_SOAK, 1, "b0v2o0");

	h_run(5000);
	cr_assert_eq(h_state(0, 0), SWARM_SOAK);
	h_task(s, TASK_FAILED)->wanted = false;
	h_event(0);
	cr_assert_str_eq(REF(0), "b0v1o0");
}

Test(swarm_faults, another_life_goes_back_to_the_good_one)
{
	struct h_service *s = another_life(SWARM_OBSERVE, 1, "b0v2o0");

	s->has_prev = true;
	h_set(s->prev[0], "old");
	s->update = UPDATE_PAUSED;
	h_run(1000);
	cr_assert_str_eq(REF(0), "b0v1o0");
}

/* It runs with one that was not good yet, of all, when the next one comes. */
Test(swarm_faults, another_life_knows_what_was_good)
{
	struct h_service *s = another_life(SWARM_DONE, 1, "b0v2o0");

	(void)h_service(1, "b0v1o0");
	h_restore(0, 1, SWARM_GATE, 2, 1);
	h_version(0, 3);
	h_run(1000);
	cr_assert_str_eq(REF(0), "b0v3o0");
	s->update = UPDATE_PAUSED;
	h_event(0);
	cr_assert_str_eq(REF(0), "b0v1o0");
}

Test(swarm_faults, another_life_goes_back_to_what_was_there)
{
	struct h_service *s = another_life(SWARM_OBSERVE, 0, "b0v2o0");

	s->has_prev = true;
	h_set(s->prev[0], "old");
	s->update = UPDATE_PAUSED;
	h_run(1000);
	cr_assert_str_eq(REF(0), "old");
}

/* An older one of ours that was never good of all, and Swarm forgets what was before. */
Test(swarm_faults, what_swarm_has_put_back_stays)
{
	struct h_service *s = another_life(SWARM_OBSERVE, 0, "b0v1o0");

	(void)h_secret("b0", 1, 0);
	s->update = UPDATE_ROLLED_BACK;
	h_run(60000);
	cr_assert_eq(h.updates, 0, "%s", REF(0));
	cr_assert_eq(h_state(0, 0), SWARM_ROLLED_BACK);
}

Test(swarm_faults, a_service_is_not_left_without_any_secret)
{
	struct h_service *s = another_life(SWARM_OBSERVE, 0, "b0v2o0");

	s->has_prev = true; /* something else was changed meanwhile */
	h_set(s->prev[0], "b0v2o0");
	s->update = UPDATE_PAUSED;
	h_run(60000);
	cr_assert_eq(h.updates, 0);
	cr_assert_str_eq(REF(0), "b0v2o0");
	cr_assert_eq(h_state(0, 0), SWARM_BROKEN);
}

Test(swarm_faults, what_had_none_before_has_none_after)
{
	struct h_service *s = another_life(SWARM_OBSERVE, 0, "b0v2o0");

	s->has_prev = true;
	s->update = UPDATE_PAUSED;
	h_run(1000);
	cr_assert_eq(h.updates, 1);
	cr_assert_str_eq(REF(0), "");
}

Test(swarm_faults, a_version_that_was_bad_stays_bad)
{
	(void)another_life(SWARM_ROLLED_BACK, 1, "b0v1o0");
	(void)h_service(1, "b0v1o0");
	h_restore(0, 1, SWARM_DONE, 1, 1);
	h_run(100000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 1), SWARM_HELD);
	machine_retry(h.m, "b0", h.now);
	h_run(1000);
	cr_assert_eq(h.updates, 1, "unless an operator wants it");
}

Test(swarm_faults, a_good_version_is_not_bad_for_a_service_that_came_later)
{
	(void)another_life(SWARM_DONE, 2, "b0v2o0");
	(void)h_service(1, "old");
	h_restore(0, 1, SWARM_ROLLED_BACK, 2, 0);
	(void)h_service(2, "old");
	h_run(1000);
	cr_assert_str_eq(h.service[2].ref[0], "b0v2o0");
}

/* --- back ----------------------------------------------------------------------------
 */

/* A version that is not good yet is nothing to go back to. */
Test(swarm_faults, it_goes_back_to_what_was_good)
{
	struct h_service *s = under_way();

	h_rolled(s);
	h_version(0, 3); /* before 2 was watched for long enough */
	h_run(5000);
	cr_assert_str_eq(REF(0), "b0v3o0");
	s->update = UPDATE_PAUSED;
	h_event(0);
	cr_assert_str_eq(REF(0), "b0v1o0");
}

Test(swarm_faults, one_that_does_not_live_with_the_good_one_either_is_broken)
{
	struct h_service *s = under_way();

	s->update = UPDATE_PAUSED;
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_REVERT);
	s->tasks[0].state = TASK_COMING;
	s->update = UPDATE_COMPLETED;
	h_run(200000);
	cr_assert_eq(h_state(0, 0), SWARM_BROKEN);
	h_run(2000000);
	cr_assert_eq(h.updates, 2, "nothing is done about it");
	cr_assert_not_null(h_find("b0v1o0"));
	cr_assert_not_null(h_find("b0v2o0"));
}

Test(swarm_faults, those_that_have_it_already_give_it_back)
{
	h_open(1);
	(void)h_service(0, "old");
	(void)h_service(1, "old");
	h_all_done(1);
	h_version(0, 2);
	h_run(1000);
	h_rolled(&h.service[0]);
	h_run(15000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
	cr_assert_str_eq(h.service[1].ref[0], "b0v2o0");
	h.service[1].update = UPDATE_PAUSED;
	h_event(1);
	h_run(5000);
	cr_assert_str_eq(h.service[0].ref[0], "b0v1o0");
}

/* --- what calls say ------------------------------------------------------------------
 */

Test(swarm_faults, nothing_is_changed_that_was_not_stored)
{
	(void)one_good();
	h.store_rc = ERR_UNREACHABLE;
	h_version(0, 2);
	h_run(200000);
	cr_assert_eq(h.updates, 0);
	h.store_rc = ERR_OK;
	h_run(40000);
	cr_assert_eq(h.updates, 1);
}

Test(swarm_faults, who_does_not_lead_does_nothing_more)
{
	unsigned stores;

	(void)one_good();
	h.store_rc = ERR_DENIED;
	h_version(0, 2);
	h_run(10000);
	cr_assert(machine_deposed(h.m));
	stores = h.stores + h.looks;
	h.store_rc = ERR_OK;
	h_run(2000000);
	cr_assert_eq(h.stores + h.looks, stores);
	cr_assert_eq(h.updates, 0);
}

Test(swarm_faults, an_update_that_met_another_is_made_anew)
{
	(void)one_good();
	h.update_rc = ERR_CONFLICT;
	h_version(0, 2);
	h_run(60000);
	cr_assert_gt(h.updates, 10);
	cr_assert_lt(h.updates, 25, "less often after a while");
	cr_assert_str_eq(REF(0), "b0v1o0");
	h.update_rc = ERR_OK;
	h_run(40000);
	cr_assert_str_eq(REF(0), "b0v2o0");
}

Test(swarm_faults, nobody_knows_whether_it_was_made)
{
	struct h_service *s = one_good();

	h.update_rc = ERR_UNKNOWN;
	h_version(0, 2);
	h_run(500);
	cr_assert_eq(h.updates, 1);
	h.update_rc = ERR_OK;
	h_set(s->ref[0], "b0v2o0"); /* it was, and more: Swarm has judged it */
	h_set(s->prev[0], "b0v1o0");
	s->has_prev = true;
	(void)h_task(s, TASK_FAILED);
	h_rolled_back(s);
	h_task(s, TASK_FAILED)->wanted = false;
	h_set(s->tasks[1].secret[0], "b0v2o0");
	h_run(60000);
	cr_assert_eq(h_state(0, 0), SWARM_ROLLED_BACK);
	cr_assert_eq(h.updates, 1);
}

Test(swarm_faults, a_secret_that_is_gone_is_made_again)
{
	unsigned before;

	(void)one_good();
	h.update_rc = ERR_INVALID;
	before = h.creates;
	h_version(0, 2);
	h_run(100000);
	cr_assert_gt(h.creates, before + 1);
}

/* A look that began before something was changed says nothing of it. */
Test(swarm_faults, an_old_look_counts_for_nothing)
{
	struct h_service *s = one_good();

	h.window = false;
	h_version(0, 2);
	h_run(1000);
	h.window = h.hold_looks = true;
	h_event(0);
	cr_assert_neq(h.asked, 0);
	h_show();
	machine_done(h.m, h.asked, ERR_OK, "", h.now); /* it is to be updated */
	machine_rescan(h.m, h.now);
	h_turn(); /* another look begins, and it is */
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	h_set(s->ref[0], "b0v1o0");
	h_show();
	machine_done(h.m, h.asked, ERR_OK, "", h.now);
	h_set(s->ref[0], "b0v2o0");
	h.hold_looks = false;
	h_run(1000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE, "%s", h.row[0][0].reason);
	cr_assert_eq(h.updates, 1);
}

/* --- what is of no use ---------------------------------------------------------------
 */

/* s0 has gone through ${n} versions, and forgets what was before the last. */
static struct h_service *many(int64_t n, unsigned keep)
{
	struct h_service *s = one_good();

	h.b[0].keep = keep;
	for (int64_t v = 2; v <= n; v++) {
		h_version(0, v);
		h_all_done(v);
	}
	s->has_prev = false;
	return s;
}

Test(swarm_faults, what_is_of_no_use_goes_after_a_while)
{
	(void)many(3, 1);
	machine_rescan(h.m, h.now);
	h_run(1000);
	cr_assert_not_null(h_find("b0v2o0"));
	h_run(500000);
	cr_assert_not_null(h_find("b0v2o0"));
	h_run(2000000);
	cr_assert_null(h_find("b0v2o0"));
	cr_assert_not_null(h_find("b0v3o0"));
}

Test(swarm_faults, as_many_are_kept_as_was_said)
{
	(void)many(4, 2);
	h_run(3000000);
	cr_assert_null(h_find("b0v2o0"));
	cr_assert_not_null(h_find("b0v3o0"));
	machine_purge(h.m, "b0", h.now);
	h_run(10000);
	cr_assert_null(h_find("b0v3o0"), "unless they have to go");
	cr_assert_not_null(h_find("b0v4o0"));
}

Test(swarm_faults, the_good_one_stays_whatever_is_found_bad)
{
	struct h_service *s = many(2, 1);

	h_version(0, 3);
	h_run(1000);
	s->update = UPDATE_PAUSED;
	h_event(0);
	h_rolled(s);
	h_run(3000000);
	cr_assert_eq(h_state(0, 0), SWARM_ROLLED_BACK);
	s->has_prev = false;
	h_set(s->ref[0], "theirs");
	h_rolled(s);
	h_run(4000000);
	cr_assert_not_null(h_find("b0v2o0"));
}

Test(swarm_faults, what_a_past_names_stays)
{
	struct h_service *s = many(3, 1);

	s->has_prev = true;
	h_set(s->prev[0], "b0v1o0");
	h_secret("b0", 1, 0);
	h_run(3000000);
	cr_assert_not_null(h_find("b0v1o0"));
	cr_assert_null(h_find("b0v2o0"));
}

Test(swarm_faults, what_a_task_has_stays)
{
	struct h_service *s = many(3, 1);

	h_task(s, TASK_RUNNING)->wanted = false; /* it is being stopped */
	h_set(s->tasks[1].secret[0], "b0v2o0");
	h_run(3000000);
	cr_assert_not_null(h_find("b0v2o0"));
	s->tasks[1].state = TASK_ENDED;
	h_run(3000000);
	cr_assert_null(h_find("b0v2o0"));
}

Test(swarm_faults, what_another_service_names_stays)
{
	(void)many(3, 1);
	h_service(1, "b0v2o0")->sync = NULL;
	h_run(3000000);
	cr_assert_not_null(h_find("b0v2o0"));
}

Test(swarm_faults, nothing_goes_while_a_service_is_on_its_way)
{
	struct h_service *s = many(3, 1);

	h.b[0].deadline_ms = 100000000;
	h_version(0, 4);
	h_run(1000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	s->has_prev = false;
	machine_rescan(h.m, h.now);
	h_run(3000000);
	cr_assert_eq(h_state(0, 0), SWARM_OBSERVE);
	cr_assert_not_null(h_find("b0v3o0"));
	cr_assert_not_null(h_find("b0v2o0"));
}

Test(swarm_faults, what_no_binding_knows_stays_for_a_day)
{
	json_t *told;
	const char *name = NULL;
	int used = 1;

	(void)one_good();
	(void)h_secret("b9", 1, 0);
	h_run(80000000);
	cr_assert_not_null(h_find("b9v1o0"));
	told = machine_orphans(h.m);
	cr_assert_eq(json_array_size(told), 1);
	cr_assert_eq(json_unpack(json_array_get(told, 0), "{s:s, s:b}", "binding", &name,
	                         "used", &used),
	             0);
	cr_assert_str_eq(name, "b9");
	cr_assert_not(used);
	json_decref(told);
	h_run(10000000);
	cr_assert_null(h_find("b9v1o0"));
	told = machine_orphans(h.m);
	cr_assert_eq(json_array_size(told), 0);
	json_decref(told);
}

Test(swarm_faults, one_that_cannot_be_deleted_is_tried_again)
{
	(void)many(3, 1);
	h.deletes = 0;
	h.delete_rc = ERR_BUSY;
	h_run(5000000);
	cr_assert_gt(h.deletes, 1);
	cr_assert_lt(h.deletes, 40);
	h.delete_rc = ERR_OK;
	h_run(1000000);
	cr_assert_null(h_find("b0v2o0"));
}

Test(swarm_faults, a_purge_waits_until_all_are_done)
{
	struct h_service *s = many(2, 1);

	s->has_prev = true;
	h_set(s->prev[0], "b0v1o0");
	if (h_find("b0v1o0") == NULL)
		(void)h_secret("b0", 1, 0);
	h_version(0, 3);
	h_run(1000);
	machine_purge(h.m, "b0", h.now);
	h_run(60000);
	cr_assert_eq(h.touches, 0, "a rollback would need it");
	h_rolled(s);
	h_run(1000000);
	cr_assert_gt(h.touches, 0);
	cr_assert_null(h_find("b0v2o0"));
	cr_assert_null(h_find("b0v1o0"));
	cr_assert_str_eq(REF(0), "b0v3o0");
}

/* A purge is no reason to go on with an update that is paused, or into one under way. */
Test(swarm_faults, a_purge_touches_only_what_is_quiet)
{
	static const enum machine_update not_quiet[] = { UPDATE_PAUSED, UPDATE_UPDATING,
		                                         UPDATE_ROLLING_BACK };

	for (size_t i = 0; i < ARRAY_LEN(not_quiet); i++) {
		struct h_service *s = many(2, 1);

		s->has_prev = true;
		s->update = not_quiet[i];
		machine_purge(h.m, "b0", h.now);
		h_run(1000000);
		cr_assert_eq(h.touches, 0);
		s->update = UPDATE_COMPLETED;
		h_run(1000000);
		cr_assert_eq(h.touches, 1);
	}
}

Test(swarm_faults, a_purge_finds_the_past_at_a_target_of_another_name)
{
	struct h_service *s = many(2, 1);

	s->has_prev = true;
	s->prev_target = "as-it-was-called";
	machine_purge(h.m, "b0", h.now);
	h_run(10000);
	cr_assert_eq(h.touches, 1);
}

Test(swarm_faults, a_purge_that_is_refused_is_not_asked_for_all_the_time)
{
	struct h_service *s = many(2, 1);

	s->has_prev = true;
	h.update_rc = ERR_INVALID;
	machine_purge(h.m, "b0", h.now);
	h_run(600000);
	cr_assert_gt(h.touches, 3);
	cr_assert_lt(h.touches, 60, "%u", h.touches);
}

/* --- is it still what it was? --------------------------------------------------------
 */

#define DAY 86400000

Test(swarm_faults, values_are_compared_once_a_day)
{
	(void)one_good();
	h_run(2 * 3600000);
	cr_assert_eq(h.audits, 1, "%u", h.audits);
	h_run(DAY - 2 * 3600000);
	cr_assert_eq(h.audits, 1);
	h_run(9 * (int64_t)DAY);
	cr_assert_eq(h.audits, 10);
	cr_assert_eq(h.updates, 0);
}

Test(swarm_faults, who_leads_next_compares_what_it_has_not_made)
{
	(void)another_life(SWARM_DONE, 2, "b0v2o0");
	h_run(2 * 3600000);
	cr_assert_eq(h.audits, 1);
	cr_assert_eq(h.creates, 0);
}

Test(swarm_faults, nothing_is_compared_while_a_service_is_on_its_way)
{
	(void)under_way();
	h.b[0].deadline_ms = 30 * (int64_t)DAY;
	h_tell(0);
	machine_audit(h.m, "b0", h.now);
	h_run(3600000);
	cr_assert_eq(h.audits, 0);
}

Test(swarm_faults, another_value_is_replaced)
{
	struct h_service *s = one_good();

	h.audit_rc = ERR_VERIFY;
	h.taken = 1; /* by the one that is not what it should be */
	machine_audit(h.m, "b0", h.now);
	h_run(1000);
	h.audit_rc = ERR_OK;
	cr_assert_eq(h.audits, 1);
	cr_assert_eq(h.updates, 1);
	cr_assert_str_eq(REF(0), "another");
	h_rolled(s);
	h_run(20000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
}

Test(swarm_faults, a_comparison_that_fails_says_nothing)
{
	(void)one_good();
	h.audit_rc = ERR_UNKNOWN;
	machine_audit(h.m, "b0", h.now);
	h_run(3600000);
	cr_assert_gt(h.audits, 5);
	cr_assert_lt(h.audits, 15);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
}

Test(swarm_faults, labels_that_were_taken_away_are_put_back)
{
	(void)one_good();
	h.creates = 0;
	h.unlabelled = true;
	h_run(400000);
	cr_assert_not(h.unlabelled);
	cr_assert_eq(h.audits, 1);
	cr_assert_eq(h.creates, 0, "it is known, and no other is made");
	cr_assert_eq(h.updates, 0);
	h_run(1000000);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
	cr_assert_eq(h.audits, 1);
}

Test(swarm_faults, one_that_was_deleted_is_made_again)
{
	struct h_service *s = one_good();

	h.creates = 0;
	h_set(s->ref[0], "");
	h_rolled(s);
	h_event(0);
	cr_assert_eq(h_state(0, 0), SWARM_SUPERSEDED);
	cr_assert_eq(h_delete("b0v1o0"), ERR_OK);
	h_run(400000);
	cr_assert_eq(h.creates, 0);
	h.b[0].enforce = true;
	h_tell(0);
	h_run(100000);
	cr_assert_eq(h.creates, 1);
	cr_assert_str_eq(REF(0), "b0v1o0");
}

Test(swarm_faults, labels_that_were_changed_are_put_back)
{
	struct h_secret *s;

	(void)one_good();
	s = h_find("b0v1o0");
	cr_assert_not_null(s);
	s->version = 9;
	h_run(400000);
	cr_assert_eq(h.audits, 1);
	cr_assert_eq(h.updates, 0);
}

/* --- other things --------------------------------------------------------------------
 */

Test(swarm_faults, a_name_that_is_taken_is_followed_by_others)
{
	h_open(1);
	(void)h_service(0, "old");
	h.taken = 3;
	h_run(1000);
	cr_assert_eq(h.creates, 4);
	cr_assert_eq(h.others, 3);
	cr_assert_str_eq(REF(0), "another");
}

Test(swarm_faults, there_is_an_end_to_names)
{
	h_open(1);
	(void)h_service(0, "old");
	h.taken = 10000;
	h_run(300000);
	cr_assert_eq(h.others, MACHINE_OTHERS);
	cr_assert_lt(h.creates, MACHINE_OTHERS + 40);
	cr_assert_str_eq(REF(0), "old");
}

Test(swarm_faults, an_older_version_is_no_news)
{
	(void)many(3, 1);
	h.updates = 0;
	h.b[0].version = 2; /* a plan that was made before */
	h_tell(0);
	h_run(100000);
	cr_assert_eq(h.updates, 0);
	cr_assert_eq(h_state(0, 0), SWARM_DONE);
	cr_assert_eq(h.row[0][0].version, 3);
	cr_assert_str_eq(REF(0), "b0v3o0");
}

Test(swarm_faults, what_may_have_been_missed_is_looked_for)
{
	unsigned looks;
	struct h_service *s = one_good();

	h_run(1000);
	looks = h.looks;
	h_set(s->ref[0], "");
	h_rolled(s);
	machine_rescan(h.m, h.now);
	h_run(10);
	cr_assert_eq(h.looks, looks + 1);
	cr_assert_eq(h_state(0, 0), SWARM_SUPERSEDED);
	/* one that is under way may have seen what was before */
	h.hold_looks = true;
	machine_rescan(h.m, h.now);
	h_run(10);
	machine_rescan(h.m, h.now);
	h.hold_looks = false;
	h_show();
	machine_done(h.m, h.asked, ERR_OK, "", h.now);
	looks = h.looks;
	h_run(10);
	cr_assert_eq(h.looks, looks + 1);
}

/* Its id is none of Docker's, but what it names is named. */
Test(swarm_faults, a_service_that_cannot_be_kept_keeps_its_secrets)
{
	(void)many(3, 1);
	h_service(1, "b0v2o0")->sync = NULL;
	h_set(h.service[1].id, "s1");
	memset(h.service[1].id + 2, 'x', MACHINE_ID - 3);
	h_run(3000000);
	cr_assert_not_null(h_find("b0v2o0"));
}

Test(swarm_faults, the_next_begins_when_one_is_done)
{
	int64_t at;

	h_open(1);
	(void)h_service(0, "old");
	(void)h_service(1, "old");
	h_all_done(1);
	h_version(0, 2);
	h_run(1000);
	h_rolled(&h.service[0]);
	h_event(0);
	for (at = h.now; h_state(0, 0) != SWARM_DONE; at = h.now)
		h_run(100);
	h_run(500);
	cr_assert_str_eq(h.service[1].ref[0], "b0v2o0");
	cr_assert_leq(h.now - at, 500);
}

static bool is_looked(size_t b)
{
	json_t *status = machine_status(h.m);
	bool yes = json_is_true(json_object_get(json_array_get(status, b), "looked"));

	json_decref(status);
	return yes;
}

Test(swarm_faults, a_binding_is_not_counted_before_its_services_are_looked_at)
{
	static const char *const other[] = { "s1" };

	(void)one_good();
	cr_assert(is_looked(0));
	h_version(0, 2);
	cr_assert(is_looked(0), "the same services");
	h_version(1, 1);
	cr_assert_not(is_looked(1), "it would be of none, and all of them done");
	h_run(1000);
	cr_assert(is_looked(1));
	h.b[1].services = other;
	h.b[1].n_services = 1;
	h_tell(1);
	cr_assert_not(is_looked(1));
	h_run(1000);
	cr_assert(is_looked(1) && is_looked(0));
}

Test(swarm_faults, a_binding_has_no_more_services_than_the_vault_keeps)
{
	json_t *status, *b;
	struct err e;

	h_open(1);
	h.hold_looks = true;
	h_turn();
	cr_assert_neq(h.asked, 0);
	for (unsigned i = 0; i <= MACHINE_SERVICES; i++) {
		char id[MACHINE_ID];
		const struct machine_view v = {
			.id = id, .name = id, .sync = "b0", .index = 1
		};

		snprintf(id, sizeof(id), "x%u", i);
		cr_assert_eq(machine_seen(h.m, &v, h.now, &e), ERR_OK);
	}
	machine_done(h.m, h.asked, ERR_OK, "", h.now);
	status = machine_status(h.m);
	b = json_array_get(status, 0);
	cr_assert_eq(json_array_size(json_object_get(b, "services")), MACHINE_SERVICES);
	cr_assert(json_is_false(json_object_get(b, "looked")), "it is not done with all");
	json_decref(status);
}
