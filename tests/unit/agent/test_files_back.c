/* SPDX-License-Identifier: Apache-2.0 */
/* Generations that are judged: notes, the way back, and what is known of what was bad. */
#include "agent/deliver/files_impl.h"
#include "files_rig.h"

#include <sys/wait.h>
#include <unistd.h>

/* A judge that wants ${base} kept. */
static unsigned base, placed;
static char said[256];

static void on_next(void *ctx UNUSED, const char *binding, struct apply_note *note)
{
	note->judged = false;
	note->base = base;
	cr_assert(strcmp(binding, "one") == 0 || strcmp(binding, "two") == 0);
}

static void say(const char *what, const char *binding, unsigned generation)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s %s %u;", what, binding, generation);
}

static void on_placed(void *ctx UNUSED, const char *binding, unsigned generation)
{
	if (strcmp(binding, "one") == 0)
		placed = generation;
	say("placed", binding, generation);
}

static unsigned on_keeps(void *ctx UNUSED, const char *binding)
{
	return strcmp(binding, "one") == 0 ? base : 0;
}

static void on_wiped(void *ctx UNUSED, const char *binding)
{
	say("wiped", binding, 0);
}

static void judge(void)
{
	const struct files_judge j = {
		.next = on_next, .placed = on_placed, .keeps = on_keeps, .wiped = on_wiped
	};

	files_set_judge(f, &j);
}

static void setup_judged(void)
{
	setup();
	judge();
	base = placed = 0;
	said[0] = '\0';
}

TestSuite(files_back, .init = setup_judged, .fini = teardown, .timeout = 30);

static void deliver_a(int64_t version, const char *pw)
{
	memset(values, 0, sizeof(values));
	give(A, version, "user", "me");
	give(A, version, "pw", pw);
	deliver(100);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
}

static void go_back(unsigned from, unsigned to)
{
	const struct apply_note note = {
		.judged = true, .rejected = from, .retell = true, .why = "no good"
	};

	cr_assert_eq(files_note(f, "one", to, &note, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(files_rollback(f, "one", from, to, 100, &e), ERR_OK, "%s", e.msg);
	base = 0;
}

/* Version 2 of A in generation 2 was put in place on top of 1, and rejected. */
static void reject_two(void)
{
	deliver_both();
	base = 1;
	deliver_a(2, "two");
	go_back(2, 1);
}

Test(files_back, a_judge_hears_of_each_generation)
{
	deliver_both();
	cr_assert_str_eq(said, "placed one 1;placed two 1;");
	deliver_a(2, "two");
	cr_assert_eq(placed, 2);
	cr_assert_eq(files_generation(f, "one"), 2);
	cr_assert_eq(files_generation(f, "two"), 1);
	cr_assert_eq(files_generation(f, "three"), 0);
	said[0] = '\0';
	cr_assert_eq(files_wipe(f, B, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(said, "wiped one 0;wiped two 0;");
	said[0] = '\0';
	cr_assert_eq(files_wipe(f, B, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(said, "", "there was nothing left");
}

Test(files_back, the_generation_before_takes_its_place_again)
{
	reject_two();
	cr_assert_eq(files_generation(f, "one"), 1);
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_str_eq(rig_read("one/key"), "k1");
	cr_assert_eq(files_held(f, A)->version, 1);
	cr_assert(files_held(f, A)->present);
	cr_assert_not(drifted(A), "what is in place is what is known");
	cr_assert_eq(files_reap(f, 100), 10100, "the other waits out its grace");
	cr_assert(rig_exists("one/..g000002"));
	cr_assert_eq(files_reap(f, 10100), -1);
	cr_assert_not(rig_exists("one/..g000002"));
	cr_assert(rig_exists("one/..g000001"));
}

Test(files_back, what_was_bad_is_known_until_another_version_is_in_place)
{
	reject_two();
	cr_assert_str_eq(files_rejected(f, A, "la", 2), "no good");
	cr_assert_not_null(files_rejected(f, A, "la", 1), "a newer one was bad");
	cr_assert_null(files_rejected(f, A, "la", 3));
	cr_assert_null(files_rejected(f, A, "lc", 2), "of another lease");
	cr_assert_null(files_rejected(f, B, "lb", 1), "it was the same in both");
	memset(values, 0, sizeof(values));
	give(B, 2, "key", "k2");
	deliver(100);
	cr_assert_str_eq(rig_read("one/pw"), "one", "carried over from what came back");
	cr_assert_not_null(files_rejected(f, A, "la", 2));
	deliver_a(3, "three");
	cr_assert_null(files_rejected(f, A, "la", 2));
}

Test(files_back, a_new_try_of_the_same_version_counts)
{
	reject_two();
	deliver_a(2, "two");
	cr_assert_null(files_rejected(f, A, "la", 2));
	open_files(config);
	cr_assert_null(files_rejected(f, A, "la", 2));
	cr_assert_eq(files_held(f, A)->version, 2);
}

Test(files_back, numbers_are_never_used_twice)
{
	reject_two();
	base = 1;
	deliver_a(3, "three");
	cr_assert_eq(placed, 3);
	go_back(3, 1);
	open_files(config);
	judge();
	deliver_a(4, "four");
	cr_assert_eq(placed, 4);
}

Test(files_back, a_restart_forgets_nothing)
{
	struct apply_note note;

	reject_two();
	open_files(config);
	cr_assert_str_eq(files_rejected(f, A, "la", 2), "no good");
	note = files_noted(f, "one");
	cr_assert(note.judged && note.retell);
	cr_assert_eq(note.rejected, 2);
	cr_assert_eq(files_held(f, A)->version, 1);
	note = files_noted(f, "two");
	cr_assert_not(note.judged);
	cr_assert_eq(note.base, 0);
	/* A renewal is noted without forgetting any of it. */
	files_set_expiry(f, A, 9000);
	open_files(config);
	cr_assert_eq(files_noted(f, "one").rejected, 2);
	cr_assert_not_null(files_rejected(f, A, "la", 2));
}

Test(files_back, the_one_before_is_kept_until_there_is_a_verdict)
{
	deliver_both();
	base = 1;
	for (int64_t version = 2; version < 12; version++)
		deliver_a(version, "x");
	cr_assert_eq(files_reap(f, 20000), -1);
	cr_assert(rig_exists("one/..g000001"), "more of them than are remembered");
	cr_assert_not(rig_exists("one/..g000010"));
	open_files(config);
	judge();
	(void)files_reap(f, 20000);
	cr_assert(rig_exists("one/..g000001"), "after a restart, too");
	go_back(11, 1);
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_eq(files_held(f, A)->version, 1);
}

Test(files_back, a_verdict_lets_it_go)
{
	const struct apply_note good = { .judged = true };

	deliver_both();
	base = 1;
	deliver_a(2, "two");
	cr_assert_eq(files_note(f, "one", 2, &good, &e), ERR_OK, "%s", e.msg);
	base = 0;
	open_files(config);
	cr_assert_not(rig_exists("one/..g000001"));
	cr_assert_eq(files_rollback(f, "one", 2, 1, 100, &e), ERR_NOENT);
	cr_assert_eq(files_rollback(f, "one", 3, 1, 100, &e), ERR_CONFLICT);
	cr_assert_eq(files_rollback(f, "none", 3, 1, 100, &e), ERR_NOENT);
	cr_assert_eq(files_note(f, "one", 1, &good, &e), ERR_NOENT);
	cr_assert_str_eq(rig_read("one/pw"), "two");
	cr_assert_eq(files_generation(f, "one"), 2);
}

Test(files_back, what_stays_though_it_is_bad_is_known)
{
	const struct apply_note kept = { .judged = true, .rejected = 1, .why = "ill" };

	deliver_both();
	cr_assert_null(files_rejected(f, A, "la", 1));
	cr_assert_eq(files_note(f, "one", 1, &kept, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(files_rejected(f, A, "la", 1), "ill");
	cr_assert_null(files_rejected(f, A, "la", 2));
	deliver_a(2, "two");
	cr_assert_null(files_rejected(f, A, "la", 1));
}

Test(files_back, what_was_wiped_in_the_meantime_does_not_come_back)
{
	deliver_both();
	base = 1;
	deliver_a(2, "two");
	cr_assert_eq(files_wipe(f, B, &e), ERR_OK, "%s", e.msg);
	go_back(2, 1);
	cr_assert_not(rig_exists("one/key"));
	cr_assert_not(rig_holds("k1"));
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_eq(files_held(f, B)->version, 0);
}

Test(files_back, links_follow)
{
	replan("grace: 10s\nfiles:\n- {path: secret/a, field: pw, binding: one}\n"
	       "- {path: secret/b, field: key, binding: one}\n");
	deliver_both();
	base = 1;
	replan(config);
	deliver_a(2, "two");
	cr_assert_str_eq(rig_read("one/user"), "me");
	go_back(2, 1);
	cr_assert_not(rig_exists("one/user"), "it was not there");
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_not(files_held(f, A)->present);
	cr_assert_not_null(files_rejected(f, A, "la", 2), "so it is not fetched again");
}

Test(files_back, another_plan_knows_as_much)
{
	reject_two();
	replan("grace: 10s\nfiles:\n"
	       "- {path: secret/c, field: x, binding: one}\n"
	       "- {path: secret/a, field: pw, binding: one}\n");
	cr_assert_not_null(files_rejected(f, plan_path(plan, "secret/a"), "la", 2));
	cr_assert_eq(files_generation(f, "one"), 1);
	cr_assert_eq(files_noted(f, "one").rejected, 2);
	memset(values, 0, sizeof(values));
	give(plan_path(plan, "secret/a") == 0 ? A : B, 3, "pw", "three");
	deliver(100);
	cr_assert_eq(placed, 3);
}

static int steps_left;

static void die_at(void *ctx UNUSED)
{
	if (steps_left-- == 0)
		_exit(9);
}

static int killed_at(int step)
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		files_step = die_at;
		steps_left = step;
		go_back(2, 1);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(files_back, kill_9_at_each_step_of_the_way_back)
{
	int step = 0;

	for (bool killed = true; killed; step++) {
		bool back;

		open_files(config);
		judge();
		deliver_both();
		base = 1;
		deliver_a(2, "two");
		cr_assert_eq(placed, 2);
		killed = killed_at(step) == 9;
		open_files(config);
		judge();
		back = files_generation(f, "one") == 1;
		cr_assert_str_eq(rig_read("one/pw"), back ? "one" : "two", "%d", step);
		cr_assert_eq(files_held(f, A)->version, back ? 1 : 2, "step %d", step);
		cr_assert_eq(files_noted(f, "one").judged, back, "step %d", step);
		cr_assert_eq(files_rejected(f, A, "la", 2) != NULL, back, "step %d",
		             step);
		if (!back)
			go_back(2, 1);
		cr_assert_str_eq(rig_read("one/pw"), "one", "step %d", step);
		deliver_a(3, "three");
		cr_assert_eq(placed, 3, "step %d", step);
		cr_assert_eq(files_wipe_all(f, &e), ERR_OK);
	}
	cr_assert_gt(step, 2, "there are more steps than that: %d", step);
}
