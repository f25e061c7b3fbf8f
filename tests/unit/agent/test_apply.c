/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of a generation, in which order, and what becomes of it. */
#include "apply_world.h"

TestSuite(apply, .init = w_open, .fini = w_close, .timeout = 120);

static void scene(int reload, int conts, bool checks)
{
	w.binding[0].s.reload = reload;
	w_binding(0);
	apply_restore(w.a, "a", 1, &(struct apply_note){ .judged = true }, w.now);
	w.binding[0].newest = w.binding[0].placed = 1;
	w.now += w.binding[0].s.min_interval_ms;
	apply_engine(w.a, true, w.now);
	for (int i = 0; i < conts; i++)
		w_cont(i, 0, checks);
	w_due();
}

#define applied(g)    cr_assert_eq(w_verdict_of(0, g), VERDICT_APPLIED, "%s", w.log)
#define superseded(g) cr_assert_eq(w_verdict_of(0, g), VERDICT_SUPERSEDED, "%s", w.log)
#define rejected(g)   cr_assert_eq(w_verdict_of(0, g), VERDICT_REJECTED, "%s", w.log)
#define undecided(g)  cr_assert_eq(w_verdict_of(0, g), -1, "%s", w.log)
#define log_is(text)  cr_assert_str_eq(w.log, text)
#define because(text) \
	cr_assert(strstr(w.binding[0].why, text) != NULL, "%s", w.binding[0].why)

static const int modes[] = { RELOAD_SIGNAL, RELOAD_RESTART, RELOAD_EXEC, RELOAD_EXEC_IN };
static const char *const verbs[] = { "signal", "restart", "exec", "exec-in" };

Test(apply, without_a_reload_it_is_applied_at_once)
{
	scene(RELOAD_NONE, 2, false);
	w_generation(0);
	w_due();
	log_is("new a 2; applied a 2");
	cr_assert_eq(w.cont[0].reloads, 0);
}

Test(apply, without_a_container_it_is_applied_when_in_place)
{
	scene(RELOAD_SIGNAL, 0, false);
	w_generation(0);
	w_settle();
	log_is("new a 2; applied a 2");
}

ParameterizedTestParameters(apply, each_way)
{
	static int index[] = { 0, 1, 2, 3 };

	return cr_make_param_array(int, index, 4);
}
ParameterizedTest(int *i, apply, each_way)
{
	bool host = modes[*i] == RELOAD_EXEC;
	char want[64];

	for (int checks = 0; checks < 2; checks++) {
		w_close();
		w_open();
		scene(modes[*i], 1, checks != 0);
		w_generation(0);
		w_settle();
		snprintf(want, sizeof(want), "new a 2; %s a%s 2; applied a 2", verbs[*i],
		         host ? "" : "@web0");
		log_is(want);
		cr_assert_eq(w.cont[0].knows[0], 2u);
	}
}

ParameterizedTestParameters(apply, each_way_back)
{
	static int index[] = { 0, 1, 2, 3 };

	return cr_make_param_array(int, index, 4);
}
ParameterizedTest(int *i, apply, each_way_back)
{
	const char *at = modes[*i] == RELOAD_EXEC ? "" : "@web0";
	char want[128];

	for (int checks = 0; checks < 2; checks++) {
		w_close();
		w_open();
		scene(modes[*i], 3, checks != 0);
		for (int k = 0; k < 3; k++) {
			w.cont[k].bad[0] = 2;
			w.cont[k].dies = checks == 0 && modes[*i] == RELOAD_RESTART;
		}
		if (checks == 0 && modes[*i] != RELOAD_RESTART)
			continue; /* a dead container cannot be told to go back */
		w_generation(0);
		w_settle();
		if (checks == 0) {
			log_is("new a 2; restart a@web0 2; back a 1; rejected a 2");
			because("container 'web0': stopped after the reload");
			continue;
		}
		snprintf(want, sizeof(want),
		         "new a 2; %s a%s 2; back a 1; %s a%s 1; rejected a 2", verbs[*i],
		         at, verbs[*i], at);
		log_is(want);
		because("': unhealthy after the reload");
		cr_assert_eq(w.binding[0].placed, 1u);
		cr_assert_eq(w.cont[0].knows[0], 1u);
		cr_assert_eq(w.cont[1].knows[0], 1u);
	}
}

Test(apply, canary_one_after_the_other)
{
	scene(RELOAD_SIGNAL, 3, true);
	w_generation(0);
	w_run(250);
	cr_assert_eq(w.cont[0].reloads + w.cont[1].reloads + w.cont[2].reloads, 1);
	w_settle();
	log_is("new a 2; signal a@web0 2; signal a@web1 2; signal a@web2 2; applied a 2");
}

Test(apply, canary_fails_and_the_others_never_hear_of_it)
{
	scene(RELOAD_SIGNAL, 3, true);
	w.cont[0].bad[0] = 2;
	w_generation(0);
	w_settle();
	rejected(2);
	cr_assert_eq(w.cont[1].reloads + w.cont[2].reloads, 0);
	cr_assert_eq(w.cont[0].reloads, 2);
}

/* What one has read when it started is known, though something else is in place by now.
 */
Test(apply, those_that_have_started_with_the_old_are_not_told_to_go_back)
{
	scene(RELOAD_SIGNAL, 3, true);
	for (int i = 0; i < 3; i++) {
		w_stop(i);
		w_tell(i);
		w_run(1000);
		w_start(i);
		w_tell(i);
	}
	w_settle();
	w.log[0] = '\0';
	w.cont[0].bad[0] = 2;
	w_generation(0);
	for (int i = 1; i < 3; i++) {
		w.cont[i].ill = true;
		w_tell(i);
		w.cont[i].ill = false;
		w_tell(i);
	}
	w_settle();
	log_is("new a 2; signal a@web0 2; back a 1; signal a@web0 1; rejected a 2");
}

Test(apply, the_last_fails_and_all_are_told_again)
{
	scene(RELOAD_RESTART, 3, true);
	w.cont[2].bad[0] = 2;
	w_generation(0);
	w_settle();
	rejected(2);
	because("'web2'");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(w.cont[i].reloads, 2, "%s", w.log);
		cr_assert_eq(w.cont[i].knows[0], 1u);
	}
}

Test(apply, all_at_once_without_canary)
{
	w.binding[0].s.canary = false;
	scene(RELOAD_SIGNAL, 3, true);
	w_generation(0);
	w_run(250);
	cr_assert_eq(w.cont[0].reloads + w.cont[1].reloads + w.cont[2].reloads, 3);
	w_settle();
	applied(2);
}

Test(apply, a_check_that_began_before_it_was_told_says_nothing)
{
	struct w_cont *c = &w.cont[0];

	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	while (strstr(w.log, "signal a@web0 2") == NULL)
		w_run(10);
	c->check_at = w.now + 5000;
	w_run(1000);
	c->ill = true;
	c->healthy = false;
	cr_assert_lt(c->checked_at, c->told_at);
	w_tell(0);
	w_settle();
	log_is("new a 2; signal a@web0 2; applied a 2");
}

Test(apply, on_unhealthy_keep)
{
	w.binding[0].s.on_unhealthy = UNHEALTHY_KEEP;
	scene(RELOAD_SIGNAL, 2, true);
	w.cont[0].bad[0] = 2;
	w_generation(0);
	w_settle();
	log_is("new a 2; signal a@web0 2; rejected a 2");
	cr_assert_eq(w.binding[0].placed, 2u);
}

Test(apply, the_first_generation_has_nothing_to_go_back_to)
{
	w_binding(0);
	apply_engine(w.a, true, w.now);
	w_cont(0, 0, true)->bad[0] = 1;
	w_generation(0);
	w_settle();
	rejected(1);
	cr_assert_eq(w.binding[0].rollbacks, 0);
	cr_assert_eq(w.binding[0].placed, 1u);
}

Test(apply, a_previous_generation_that_has_gone)
{
	scene(RELOAD_SIGNAL, 1, true);
	w.no_rollback = true;
	w.cont[0].bad[0] = 2;
	w_generation(0);
	w_settle();
	rejected(2);
	because("could not be put back");
	cr_assert_eq(w.binding[0].placed, 2u);
}

Test(apply, an_old_healthy_does_not_count)
{
	scene(RELOAD_SIGNAL, 1, true);
	w.cont[0].check_at = -1; /* its check never runs again */
	w_generation(0);
	w_run(59000);
	undecided(2);
	w_settle();
	rejected(2);
	because("not healthy in time");
}

Test(apply, changes_that_come_together_make_one_reload)
{
	scene(RELOAD_SIGNAL, 1, true);
	for (int i = 0; i < 5; i++) {
		w_generation(0);
		w_run(30);
	}
	w_settle();
	for (unsigned g = 2; g < 6; g++)
		superseded(g);
	applied(6);
	cr_assert_eq(w.cont[0].reloads, 1);
}

Test(apply, no_two_reloads_within_min_interval)
{
	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	w_run(5000);
	applied(2);
	w_generation(0);
	w_run(4000);
	undecided(3);
	cr_assert_eq(w.cont[0].reloads, 1);
	w_settle();
	applied(3);
	cr_assert_eq(w.cont[0].reloads, 2);
}

Test(apply, splay_is_for_restarts)
{
	int64_t begun;

	w.binding[0].s.splay_ms = 3600000;
	scene(RELOAD_RESTART, 1, true);
	begun = w.now;
	w_generation(0);
	w_run(1000);
	cr_assert_eq(w.cont[0].reloads, 0);
	w_settle();
	applied(2);
	cr_assert_leq(w.now, begun + 3600000 + 30000);
	w_close();
	w_open();
	w.binding[0].s.splay_ms = 3600000;
	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	w_run(1000);
	cr_assert_eq(w.cont[0].reloads, 1);
}

Test(apply, a_newer_one_while_one_is_told)
{
	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	w_run(205);
	cr_assert_eq(w.n_calls, 1u); /* being told */
	w_generation(0);
	superseded(2);
	cr_assert_eq(apply_keeps(w.a, "a"), 1u);
	w_settle();
	applied(3);
	log_is("new a 2; signal a@web0 2; new a 3; superseded a 2; signal a@web0 3; "
	       "applied a 3");
}

Test(apply, a_newer_one_while_the_old_is_put_back)
{
	scene(RELOAD_SIGNAL, 1, true);
	w.cont[0].bad[0] = 2;
	w_generation(0);
	w_run(3000);
	cr_assert_eq(w.binding[0].rollbacks, 1);
	undecided(2);
	w_generation(0);
	rejected(2);
	w_settle();
	applied(3);
	cr_assert_eq(w.cont[0].knows[0], 3u);
}

Test(apply, a_stopped_container_is_left_alone)
{
	scene(RELOAD_SIGNAL, 1, false);
	w_stop(0);
	w_tell(0);
	w_generation(0);
	w_settle();
	log_is("new a 2; applied a 2");
}

Test(apply, one_that_starts_meanwhile_is_watched_not_told)
{
	scene(RELOAD_SIGNAL, 1, true);
	w.cont[1].bad[0] = 2;
	w.cont[1].checks = w.cont[1].uses[0] = true;
	w_generation(0);
	w_run(300);
	w_start(1);
	w_tell(1);
	w_settle();
	rejected(2);
	because("'web1'");
	cr_assert_eq(w.cont[0].reloads, 2, "%s", w.log);
}

Test(apply, a_container_that_goes_while_it_is_told_or_watched)
{
	scene(RELOAD_SIGNAL, 2, true);
	w_generation(0);
	w_run(205);
	w.cont[0].exists = w.cont[0].running = false;
	w_tell(0);
	w_settle();
	applied(2);
	w_generation(0);
	while (w.cont[1].reloads == 1)
		w_advance(w_next());
	w.cont[1].exists = w.cont[1].running = false;
	w_tell(1);
	w_settle();
	rejected(3);
	because("removed while it was watched");
}

Test(apply, a_container_that_restarts_itself)
{
	scene(RELOAD_SIGNAL, 1, false);
	w_generation(0);
	w_run(1000);
	w_stop(0);
	w_tell(0);
	w_start(0);
	w_tell(0);
	w_settle();
	rejected(2);
	because("by itself");
}

Test(apply, a_restart_that_no_event_told_of)
{
	scene(RELOAD_SIGNAL, 1, false);
	w_generation(0);
	w_run(1000);
	w_stop(0);
	w_start(0);
	w_settle();
	rejected(2);
	because("by itself");
}

Test(apply, the_engine_goes_while_a_container_is_watched)
{
	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	w_run(300);
	w_engine(false);
	w_run(20000);
	undecided(2);
	w_engine(true);
	w_settle();
	applied(2);
}

Test(apply, the_engine_goes_and_stays_away)
{
	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	w_run(300);
	w_engine(false);
	w_run(300000);
	rejected(2);
	because("Docker does not answer");
	cr_assert_eq(w.cont[0].knows[0], 2u);
	w_engine(true);
	w_settle();
	cr_assert_eq(w.cont[0].knows[0], 1u, "%s", w.log);
}

Test(apply, no_engine_at_boot)
{
	w_binding(0);
	w.engine = false;
	w_generation(0);
	w_run(30000);
	undecided(1);
	w_settle();
	applied(1);
}

Test(apply, a_command_is_tried_again)
{
	scene(RELOAD_EXEC, 0, false);
	w.host_fails = true;
	w_generation(0);
	w_run(2000);
	w.host_fails = false;
	w_settle();
	applied(2);
	cr_assert_eq(w.binding[0].told, 3);
}

Test(apply, a_command_that_never_succeeds)
{
	scene(RELOAD_EXEC, 1, false);
	w.host_fails = true;
	w_generation(0);
	w_settle();
	rejected(2);
	because("the command: exit status 3");
	cr_assert_eq(w.binding[0].told, 8); /* four times there, four times back */
}

Test(apply, the_agent_starts_again_before_the_verdict)
{
	struct w_binding *b = &w.binding[0];

	scene(RELOAD_SIGNAL, 2, true);
	w.cont[1].bad[0] = 2;
	w_generation(0);
	w_run(205);
	apply_free(w.a);
	w.n_calls = 0;
	w_new(true);
	cr_assert_not(b->notes[2].judged);
	cr_assert_eq(b->notes[2].base, 1u);
	w_binding(0);
	apply_restore(w.a, "a", 2, &b->notes[2], w.now);
	w_engine(true);
	w_settle();
	rejected(2);
	cr_assert_eq(b->placed, 1u);
	cr_assert(b->notes[1].judged);
	cr_assert_not(b->notes[1].retell);
	cr_assert_eq(b->notes[1].rejected, 2u);
	cr_assert_eq(w.cont[0].knows[0], 1u);
	cr_assert_eq(w.cont[1].knows[0], 1u);
}

Test(apply, the_agent_starts_again_before_all_are_told_to_go_back)
{
	struct w_binding *b = &w.binding[0];

	scene(RELOAD_SIGNAL, 2, true);
	w.cont[1].bad[0] = 2;
	w_generation(0);
	while (b->rollbacks == 0)
		w_advance(w_next());
	apply_free(w.a);
	w.n_calls = 0;
	w_new(true);
	cr_assert(b->notes[1].retell);
	w_binding(0);
	apply_restore(w.a, "a", 1, &b->notes[1], w.now);
	w_run(1000);
	undecided(2);
	w_engine(true);
	w_settle();
	rejected(2);
	because("'web1'");
	cr_assert_not(b->notes[1].retell);
	cr_assert_eq(w.cont[0].knows[0], 1u);
	cr_assert_eq(w.cont[1].knows[0], 1u);
}

Test(apply, one_container_of_two_bindings)
{
	w_binding(1);
	scene(RELOAD_SIGNAL, 1, true);
	w.cont[0].uses[1] = true;
	w_tell(0);
	w_generation(0);
	w_generation(1);
	w_run(1000);
	cr_assert_eq(w.cont[0].reloads, 1);
	w_settle();
	applied(2);
	cr_assert_eq(w_verdict_of(1, 1), VERDICT_APPLIED);
	cr_assert_eq(w.cont[0].reloads, 2);
}

Test(apply, revocation)
{
	w.binding[0].s.on_revoke = REVOKE_STOP;
	scene(RELOAD_SIGNAL, 2, true);
	w_generation(0);
	w_run(205);
	apply_revoked(w.a, "a", 0, w.now);
	superseded(2);
	w_settle();
	cr_assert_not(w.cont[0].running);
	cr_assert_not(w.cont[1].running);
	cr_assert_eq(apply_keeps(w.a, "a"), 0u);
}

/* One of its secrets is revoked, another one has just changed: somebody waits to hear
 * that its new value is in use. */
Test(apply, revocation_of_one_secret_leaves_the_round_open)
{
	w.binding[0].s.on_revoke = REVOKE_SIGNAL;
	scene(RELOAD_SIGNAL, 2, true);
	w_generation(0);
	w_run(205);
	apply_revoked(w.a, "a", w.binding[0].placed, w.now);
	cr_assert_eq(w.binding[0].verdicts[2], 0);
	cr_assert_neq(apply_keeps(w.a, "a"), 0u);
	w_settle();
	applied(2);
	cr_assert_gt(w.cont[0].reloads, 1);
}

Test(apply, revocation_of_one_secret_while_the_new_one_is_bad)
{
	w.cont[0].bad[0] = 2;
	scene(RELOAD_SIGNAL, 2, true);
	w_generation(0);
	w_run(205);
	apply_revoked(w.a, "a", w.binding[0].placed, w.now);
	w_settle();
	cr_assert_eq(w_verdict_of(0, 2), VERDICT_REJECTED, "%s", w.log);
	cr_assert_eq(w.binding[0].rollbacks, 1);
}

Test(apply, revocation_of_one_secret_stops_all_and_ends_the_round)
{
	w.binding[0].s.on_revoke = REVOKE_STOP;
	scene(RELOAD_SIGNAL, 2, true);
	w_generation(0);
	w_run(205);
	apply_revoked(w.a, "a", w.binding[0].placed, w.now);
	w_settle();
	applied(2);
	cr_assert_not(w.cont[0].running);
	cr_assert_not(w.cont[1].running);
	cr_assert_eq(w.binding[0].rollbacks, 0);
}

Test(apply, revocation_waits_for_the_engine)
{
	w.binding[0].s.on_revoke = REVOKE_SIGNAL;
	scene(RELOAD_SIGNAL, 1, true);
	w_engine(false);
	apply_revoked(w.a, "a", 0, w.now);
	w_settle();
	cr_assert_eq(w.cont[0].reloads, 0);
	w_engine(true);
	w_settle();
	cr_assert_eq(w.cont[0].reloads, 1);
}

Test(apply, a_binding_that_nobody_wants_any_more)
{
	scene(RELOAD_SIGNAL, 1, true);
	w_generation(0);
	w_run(205);
	apply_forget(w.a, "a", w.now);
	superseded(2);
	w_settle();
	cr_assert_null(apply_status(w.a, "a", w.now));
}

static void note_state(void *ctx, const struct apply_row *row)
{
	char *out = ctx;
	size_t n = strlen(out);

	snprintf(out + n, 100 - n, "%s %u %s; ", row->name, row->generation, row->state);
}

Test(apply, says_where_a_generation_is)
{
	char rows[100] = "";
	json_t *doc;

	scene(RELOAD_SIGNAL, 3, true);
	w_stop(2);
	w_tell(2);
	w_generation(0);
	w_run(215);
	apply_rows(w.a, "a", note_state, rows);
	cr_assert_str_eq(rows, "web0 2 watching; web1 1 waiting; web2 1 stopped; ");
	doc = apply_status(w.a, "a", w.now);
	cr_assert_str_eq(json_string_value(json_object_get(doc, "state")), "applying");
	cr_assert_eq(json_array_size(json_object_get(doc, "containers")), 3u);
	json_decref(doc);
	w_settle();
	rows[0] = '\0';
	apply_rows(w.a, "a", note_state, rows);
	cr_assert_str_eq(rows, "web0 2 applied; web1 2 applied; web2 1 stopped; ");
}
