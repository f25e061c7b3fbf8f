/* SPDX-License-Identifier: Apache-2.0 */
/* Rotations of a simulated Swarm, one thing at a time, and then thousands of random
 * lives. */
#include "swarm_world.h"

#define SEEDS 400
#define STEPS 60

TestSuite(swarm_machine, .timeout = 300);

static enum machine_state state(int b, int i)
{
	return w.row[b][i].there ? w.row[b][i].state : SWARM_PLANNED;
}

static int version_of(int b, int i)
{
	int at = w.service[i].ref[b];

	return at < 0 ? 0 : w.secret[at].version;
}

static void all(int b, bool yes)
{
	for (int i = 0; i < W_SERVICES; i++)
		w.selects[b][i] = yes;
}

static void begin(void)
{
	w_open(1);
	all(0, true);
	w_version(0);
	w_lead(0);
	w_run(600000);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(state(0, i), SWARM_DONE, "%s", w.log);
		cr_assert_eq(version_of(0, i), 1);
		cr_assert_eq(w.row[0][i].good, 1);
	}
}

static size_t secrets(void)
{
	size_t n = 0;

	for (int i = 0; i < w.n_secrets; i++)
		n += w.secret[i].exists ? 1 : 0;
	return n;
}

Test(swarm_machine, all_services_get_it_and_what_came_before_goes)
{
	begin();
	w_version(0);
	w_run(600000);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(state(0, i), SWARM_DONE, "%s", w.log);
		cr_assert_eq(version_of(0, i), 2);
	}
	w_version(0);
	w_run(2400000);
	cr_assert_eq(w.rollbacks, 0);
	cr_assert(machine_rest(w.m[0]));
	cr_assert_eq(secrets(), 2, "what they were before is kept: %zu", secrets());
}

Test(swarm_machine, the_first_goes_alone)
{
	int n = 0;

	begin();
	w_version(0);
	w_run(20000);
	for (int i = 0; i < W_SERVICES; i++)
		n += version_of(0, i) == 2 ? 1 : 0;
	cr_assert_eq(n, 1, "%s", w.log);
	w_run(80000);
	for (int i = 0, m = 0; i < W_SERVICES; i++) {
		m += version_of(0, i) == 2 ? 1 : 0;
		cr_assert_leq(m, 3);
	}
}

static void goes_back(int action, int64_t late)
{
	begin();
	for (int i = 0; i < W_SERVICES; i++) {
		w.service[i].action = action;
		w.service[i].bad[0] = 2;
		w.service[i].late = late;
	}
	w_version(0);
	w_run(900000);
	cr_assert_eq(state(0, 0), SWARM_ROLLED_BACK, "%s", w.log);
	cr_assert_eq(w.row[0][0].good, 1);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(version_of(0, i), 1, "%s", w.log);
		if (i > 0)
			cr_assert_eq(state(0, i), SWARM_HELD, "%s", w.log);
	}
	w_version(0);
	w_run(900000);
	for (int i = 0; i < W_SERVICES; i++)
		cr_assert_eq(version_of(0, i), 3, "%s", w.log);
}

Test(swarm_machine, what_swarm_rolls_back_is_rejected)
{
	goes_back(0, 0);
	cr_assert_eq(w.rollbacks, 1);
}

Test(swarm_machine, what_swarm_pauses_is_taken_back)
{
	goes_back(1, 0);
	cr_assert_eq(w.reverts, 1);
}

Test(swarm_machine, what_swarm_does_not_mind_is_taken_back)
{
	goes_back(2, 0);
	cr_assert_eq(w.reverts, 1);
}

Test(swarm_machine, a_crash_after_swarm_has_looked_away)
{
	goes_back(0, 30000);
	cr_assert_geq(w.reverts, 1);
	/* Swarm may take a last crash of the old tasks for a fault of the way back */
	cr_assert_eq(w.rollbacks, w.reverts - 1, "%s", w.log);
}

Test(swarm_machine, one_that_cannot_be_scheduled_is_taken_back)
{
	begin();
	w.service[0].stuck = true;
	w_version(0);
	w_run(100000);
	cr_assert_eq(state(0, 0), SWARM_OBSERVE);
	w_run(60000);
	w.service[0].stuck = false;
	w_run(100000);
	cr_assert_eq(state(0, 0), SWARM_ROLLED_BACK, "%s", w.log);
	cr_assert_eq(version_of(0, 0), 1);
}

Test(swarm_machine, a_later_service_takes_it_back_from_all)
{
	begin();
	w.service[2].bad[0] = 2;
	w_version(0);
	w_run(900000);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(version_of(0, i), 1, "%s", w.log);
		cr_assert_eq(w.row[0][i].good, 1);
	}
	cr_assert_eq(state(0, 0), SWARM_ROLLED_BACK);
	cr_assert_eq(state(0, 2), SWARM_ROLLED_BACK);
}

Test(swarm_machine, another_version_in_the_middle)
{
	begin();
	w_version(0);
	w_run(3000);
	w_version(0);
	w_run(900000);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(version_of(0, i), 3, "%s", w.log);
		cr_assert_eq(w.row[0][i].good, 3);
	}
}

Test(swarm_machine, an_operators_paused_update_is_left_alone)
{
	begin();
	w.service[0].update = UPDATE_PAUSED;
	w_version(0);
	w_run(900000);
	cr_assert_eq(state(0, 0), SWARM_DEFERRED, "%s", w.log);
	cr_assert_eq(version_of(0, 0), 1);
	w.service[0].update = UPDATE_COMPLETED;
	w_run(900000);
	cr_assert_eq(version_of(0, 0), 2, "%s", w.log);
}

Test(swarm_machine, references_that_are_put_back_are_repaired_three_times_an_hour)
{
	int old;

	begin();
	old = w.service[1].ref[0];
	w_version(0);
	w_run(600000);
	for (int n = 0; n < 4; n++) {
		const int ref[W_BINDINGS] = { old, -1 };

		cr_assert_eq(version_of(0, 1), 2, "%s", w.log);
		w.secret[old].exists = true;
		set_refs(1, ref);
		machine_event(w.m[0], w_id('s', 1), w.now);
		w.next[0] = w.now;
		w_run(20000);
		cr_assert_eq(version_of(0, 1), 1, "not at once: %s", w.log);
		w_run(300000);
	}
	cr_assert_eq(version_of(0, 1), 1, "%s", w.log);
	cr_assert_eq(state(0, 1), SWARM_SUPERSEDED);
	cr_assert_not_null(strstr(w.row[0][1].reason, "held"));
}

Test(swarm_machine, a_reference_that_was_removed_is_reported)
{
	const int none[W_BINDINGS] = { -1, -1 };

	begin();
	set_refs(1, none);
	w_run(900000);
	cr_assert_eq(version_of(0, 1), 0);
	cr_assert_eq(state(0, 1), SWARM_SUPERSEDED);
	cr_assert_not_null(strstr(w.row[0][1].reason, "removed"));
}

Test(swarm_machine, an_operators_rollback_finds_its_secret)
{
	begin();
	w_version(0);
	w_run(600000);
	w_version(0);
	w_run(2000000);
	roll_back(1, true);
	w_run(900000);
	cr_assert_eq(w.service[1].has_prev, true);
}

static void happens(int who, const char *service)
{
	machine_event(w.m[who], service, w.now);
	w.next[who] = w.now;
}

/* The vault would wait for it for ever. */
Test(swarm_machine, a_service_that_is_gone_is_told)
{
	begin();
	w.service[1].exists = false;
	happens(0, w_id('s', 1));
	w_run(5000);
	cr_assert_not(w.row[0][1].there, "%s", w.log);
	w.selects[0][2] = false;
	happens(0, NULL);
	w_run(60000);
	cr_assert_not(w.row[0][1].there, "%s", w.log);
	cr_assert_not(w.row[0][2].there, "%s", w.log);
	cr_assert(machine_rest(w.m[0]));
	w_birth(1);
	w.selects[0][2] = true;
	happens(0, NULL);
	w_run(600000);
	for (int i = 0; i < W_SERVICES; i++)
		cr_assert_eq(state(0, i), SWARM_DONE, "%d: %s", i, w.log);
}

Test(swarm_machine, one_that_goes_while_nobody_leads_or_in_the_middle_is_told)
{
	begin();
	w_die(0);
	w.service[1].exists = false;
	w_lead(1);
	w_run(60000);
	cr_assert_not(w.row[0][1].there, "%s", w.log);
	w_version(0);
	for (int i = 0; i < 1000 && state(0, 0) != SWARM_OBSERVE; i++)
		w_run(20);
	w.service[0].exists = false;
	happens(1, w_id('s', 0));
	w_run(600000);
	cr_assert_not(w.row[0][0].there, "%s", w.log);
	cr_assert_eq(state(0, 2), SWARM_DONE, "the next one goes first: %s", w.log);
	cr_assert_eq(version_of(0, 3), 2);
}

/* Services that have a secret of theirs, which says to be the binding's. */
static void begin_with(bool strange)
{
	int ref[W_BINDINGS] = { 0, -1 };

	w_open(1);
	all(0, true);
	w.secret[w.n_secrets++] = (struct w_secret){ true, 0, 1, true, strange };
	for (int i = 0; i < W_SERVICES; i++)
		set_refs(i, ref);
	w_run(60000);
	w_version(0);
	w.updates = 0;
}

Test(swarm_machine, what_has_it_already_is_not_updated)
{
	begin_with(false);
	w_lead(0);
	w_run(600000);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(state(0, i), SWARM_DONE, "%s", w.log);
		cr_assert_eq(w.row[0][i].good, 1);
	}
	cr_assert_eq(w.updates, 0, "%s", w.log);
	cr_assert_eq(w.n_secrets, 1);
	w_version(0);
	w_run(1200000);
	for (int i = 0; i < W_SERVICES; i++)
		cr_assert_eq(version_of(0, i), 2, "%s", w.log);
	w_version(0);
	w_run(1800000);
	cr_assert_not(w.secret[0].exists, "it is a version like any other: %s", w.log);
}

Test(swarm_machine, what_only_says_to_have_it_is_updated)
{
	begin_with(true);
	w_lead(0);
	w_run(600000);
	for (int i = 0; i < W_SERVICES; i++) {
		cr_assert_eq(state(0, i), SWARM_DONE, "%s", w.log);
		cr_assert_eq(w.service[i].ref[0], 1);
	}
	cr_assert_eq(w.updates, W_SERVICES);
}

/* There is nothing to go back to: what it has is what it had. */
Test(swarm_machine, what_had_it_already_and_is_ill_is_left_as_it_is)
{
	begin_with(false);
	w.service[0].stuck = true;
	for (int k = 0; k < W_SLOTS; k++)
		if (w.service[0].tasks[k].wanted)
			w.service[0].tasks[k].state = TASK_COMING;
	w_lead(0);
	w_run(1200000);
	cr_assert(state(0, 0) == SWARM_BROKEN || state(0, 0) == SWARM_ROLLED_BACK, "%s",
	          w.log);
	cr_assert_eq(w.service[0].ref[0], 0, "%s", w.log);
	cr_assert_eq(w.updates, 0, "%s", w.log);
}

Test(swarm_machine, a_purge_forgets_the_past)
{
	begin();
	w_version(0);
	w_run(2000000);
	cr_assert_eq(secrets(), 2);
	machine_purge(w.m[0], "b0", w.now);
	w.next[0] = w.now;
	w_run(30000);
	cr_assert_eq(secrets(), 1, "%zu: %s", secrets(), w.log);
	for (int i = 0; i < W_SERVICES; i++)
		for (int k = 0; k < W_SLOTS; k++)
			cr_assert(!w.service[i].tasks[k].wanted ||
			                  w.service[i].tasks[k].state == TASK_RUNNING,
			          "nothing was restarted");
}

Test(swarm_machine, at_rest_it_hardly_ever_looks)
{
	int64_t looks;

	begin();
	looks = w.looks;
	w_run(3600000);
	cr_assert_leq(w.looks - looks, 13, "%lld", (long long)(w.looks - looks));
}

Test(swarm_machine, without_a_leader_nothing_happens_and_then_it_goes_on)
{
	begin();
	w_version(0);
	w_run(5000);
	w.leader = false;
	w_run(600000);
	w.leader = true;
	w_run(900000);
	for (int i = 0; i < W_SERVICES; i++)
		cr_assert_eq(version_of(0, i), 2, "%s", w.log);
}

Test(swarm_machine, a_crash_at_every_step)
{
	for (int64_t at = 0; at < 240000; at += 997) {
		begin();
		w_version(0);
		w_run(at);
		w_lead(1);
		if (at % 2 == 0)
			w_die(0);
		w_run(900000);
		for (int i = 0; i < W_SERVICES; i++) {
			cr_assert_eq(version_of(0, i), 2, "%lld: %s", (long long)at,
			             w.log);
			cr_assert_eq(w.row[0][i].good, 2, "%lld: %s", (long long)at,
			             w.log);
		}
		cr_assert_eq(w.updates, 2 * W_SERVICES, "one each: %s", w.log);
	}
}

/* --- whatever happens ----------------------------------------------------------------
 */

static void by_hand(int i)
{
	struct w_service *s = &w.service[i];
	int ref[W_BINDINGS];

	memcpy(ref, s->ref, sizeof(ref));
	switch (w_rand(6)) {
	case 0:
		set_refs(i, ref); /* something else of it */
		break;
	case 1:
		if (s->has_prev && s->update != UPDATE_ROLLING_BACK) {
			roll_back(i, true);
			s->manual = true;
		}
		break;
	case 2:
		ref[w_rand(W_BINDINGS)] = -1;
		set_refs(i, ref);
		s->manual = true;
		break;
	case 3:
		s->stuck = !s->stuck;
		break;
	case 4:
		s->bad[w_rand(W_BINDINGS)] = w_rand(3) == 0 ? 2 + w_rand(4) : 0;
		s->late = w_rand(2) * w_rand(20000);
		break;
	default:
		s->action = (int)w_rand(3);
	}
}

static void event(void)
{
	switch (w_rand(10)) {
	case 0:
		w.leader = !w.leader || w_rand(3) != 0;
		break;
	case 1:
	case 2:
		w_lead((int)w_rand(W_MACHINES));
		break;
	case 3:
	case 4:
		by_hand((int)w_rand(W_SERVICES));
		break;
	case 5:
		if (w_rand(4) == 0)
			w.selects[w_rand(W_BINDINGS)][w_rand(W_SERVICES)] ^= true;
		break;
	case 6:
		for (int i = 0; i < W_MACHINES; i++)
			if (w.m[i] != NULL)
				machine_event(w.m[i], w_id('s', (int)w_rand(W_SERVICES)),
				              w.now);
		break;
	default:
		if (w_rand(2) == 0)
			w_version((int)w_rand(W_BINDINGS));
	}
}

static void is_as_in_status(void *ctx, const char *name, int64_t version, size_t services)
{
	json_t *list = ctx, *b = json_array_get(list, 0);

	cr_assert_str_eq(json_string_value(json_object_get(b, "name")), name);
	cr_assert_eq(json_integer_value(json_object_get(b, "version")), version);
	cr_assert_eq(json_array_size(json_object_get(b, "services")), services);
	json_array_remove(list, 0);
}

/* What is counted is what the status lists. */
static void check_tally(struct machine *m)
{
	json_t *list = machine_status(m);

	for (size_t i = json_array_size(list); i-- > 0;)
		if (!json_is_true(json_object_get(json_array_get(list, i), "looked")))
			json_array_remove(list, i);
	machine_tally(m, is_as_in_status, list);
	cr_assert_eq(json_array_size(list), 0);
	json_decref(list);
}

/* When nobody disturbs it any more everything comes to rest, and where nobody has
 * meddled and no version is bad all have the newest. */
static void check(void)
{
	bool leads = false;

	for (int i = 0; i < W_MACHINES; i++)
		if (w.m[i] != NULL && !machine_deposed(w.m[i]) &&
		    w.epoch_of[i] == w.epoch) {
			leads = true;
			if (!machine_rest(w.m[i])) {
				json_t *o = machine_status(w.m[i]);

				json_dumpf(o, stderr, JSON_INDENT(1));
				json_decref(o);
			}
			cr_assert(machine_rest(w.m[i]), "no rest: %s", w.log);
			check_tally(w.m[i]);
		}
	cr_assert(leads);
	for (int b = 0; b < W_BINDINGS; b++)
		for (int i = 0; i < W_SERVICES; i++) {
			const struct w_row *r = &w.row[b][i];

			cr_assert(w.selects[b][i] || !r->there,
			          "b%d s%d is not told to be gone: %s", b, i, w.log);
			if (!w.selects[b][i] || w.version[b] == 0 || !r->there)
				continue;
			if (r->state == SWARM_DONE)
				cr_assert_eq(version_of(b, i), w.version[b], "%s", w.log);
			if (r->state == SWARM_ROLLED_BACK && !w.service[i].manual)
				cr_assert_neq(version_of(b, i), w.version[b], "%s",
				              w.log);
		}
}

static void live(uint32_t seed)
{
	w_open(seed);
	w.soak = w_rand(4) == 0 ? 0 : w_rand(2) * 20000 + 1000;
	for (int b = 0; b < W_BINDINGS; b++)
		for (int i = 0; i < W_SERVICES; i++)
			w.selects[b][i] = w_rand(3) != 0;
	w_lead(0);
	w.faults = w_rand(3) * 8;
	for (int n = 0; n < STEPS; n++) {
		event();
		w_run(w_rand(3) == 0 ? w_rand(300000) : w_rand(5000));
	}
	w.faults = 0;
	w.leader = true;
	for (int i = 0; i < W_SERVICES; i++) {
		struct w_service *s = &w.service[i];

		s->stuck = false;
		memset(s->bad, 0, sizeof(s->bad));
		for (int k = 0; k < W_SLOTS; k++) {
			s->tasks[k].bad = false;
			if (s->tasks[k].wanted && s->tasks[k].at < 0 &&
			    s->tasks[k].state == TASK_COMING)
				s->tasks[k].at = w.now;
		}
		if (s->update == UPDATE_PAUSED) {
			const int ref[W_BINDINGS] = { s->ref[0], s->ref[1] };

			set_refs(i, ref);
			s->update = UPDATE_UPDATING;
		} else if (s->update == UPDATE_ROLLED_BACK) {
			s->update = UPDATE_ROLLING_BACK;
		}
	}
	w_lead(1);
	w_run(3600000);
	check();
}

Test(swarm_machine, thousands_of_random_lives)
{
	int64_t updates = 0, deletes = 0, rollbacks = 0, reverts = 0, dones = 0;

	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		live(seed);
		updates += w.updates;
		deletes += w.deletes;
		rollbacks += w.rollbacks;
		reverts += w.reverts;
		dones += w.dones;
	}
	/* did they live? */
	cr_assert_gt(updates, SEEDS * 5);
	cr_assert_gt(dones, SEEDS * 5);
	cr_assert_gt(deletes, SEEDS);
	cr_assert_gt(rollbacks, SEEDS / 4);
	cr_assert_gt(reverts, SEEDS / 4);
}
