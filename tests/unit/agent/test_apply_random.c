/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thousands of random lives: whatever happens in whatever order, the machine comes to
 * rest, each generation has one verdict, and who runs knows what is in place.  What may
 * never happen on the way there is asserted in apply_world.h.
 */
#include "apply_world.h"

#define SEEDS 10000
#define STEPS 120

/* no .init: each case opens its own worlds */
TestSuite(apply_random, .timeout = 300);

static bool forgotten[W_BINDINGS];
static bool had[W_BINDINGS][W_GENS]; /* a verdict in a former life */

static void choose_policy(int b)
{
	static const int modes[] = { RELOAD_SIGNAL, RELOAD_SIGNAL,  RELOAD_RESTART,
		                     RELOAD_EXEC,   RELOAD_EXEC_IN, RELOAD_NONE };
	struct settings_binding *s = &w.binding[b].s;

	s->reload = modes[w_rand(6)];
	s->canary = w_rand(3) != 0;
	s->on_unhealthy = w_rand(4) == 0 ? UNHEALTHY_KEEP : UNHEALTHY_ROLLBACK;
	s->on_revoke = (int)w_rand(3);
	s->debounce_ms = w_rand(2) * 200;
	s->min_interval_ms = w_rand(3) * 5000;
	s->settle_ms = w_rand(3) * 4000;
	s->health_ms = 5000 + w_rand(2) * 30000;
	s->splay_ms = w_rand(3) * 7000;
}

static void introduce(int b)
{
	struct w_binding *p = &w.binding[b];

	w_binding(b);
	forgotten[b] = false;
	p->batch_at = w.now;
	p->batch = p->placed != 0 && !p->notes[p->placed].judged; /* again */
	apply_restore(w.a, p->name, p->placed,
	              p->has_note[p->placed] ? &p->notes[p->placed] : NULL, w.now);
}

/* kill -9: what was under way has happened, or has not. */
static void live_again(void)
{
	for (size_t k = 0; k < w.n_calls; k++) {
		const struct w_call *c = &w.calls[k];

		if (c->cont >= 0 && c->c.kind != APPLY_LOOK && w_rand(2) == 0 &&
		    w.cont[c->cont].running) {
			w.cont[c->cont].told_at = w.now;
			w.cont[c->cont].knows[c->binding] = c->reads;
		}
	}
	w.n_calls = 0;
	for (int i = 0; i < W_CONTS; i++) {
		w.cont[i].seen = false;
		w.cont[i].described[0] = '\0';
	}
	apply_free(w.a);
	w_new(true);
	for (int b = 0; b < W_BINDINGS; b++) {
		for (int g = 0; g < W_GENS; g++) {
			had[b][g] |= w.binding[b].verdicts[g] != 0;
			w.binding[b].verdicts[g] = 0;
		}
		if (!forgotten[b])
			introduce(b);
	}
	if (w.engine)
		w_engine(true);
}

static void bind_event(int b)
{
	struct w_binding *p = &w.binding[b];
	unsigned left = w_rand(2) == 0 ? p->placed : 0;

	switch (w_rand(12)) {
	case 0:
		apply_revoked(w.a, p->name, left, w.now);
		p->placed = forgotten[b] ? p->placed : left;
		break;
	case 1:
		apply_forget(w.a, p->name, w.now);
		forgotten[b] = true;
		p->placed = 0;
		break;
	case 2:
		if (forgotten[b])
			introduce(b);
		break;
	default:
		if (!forgotten[b] && p->newest + 2 < W_GENS) {
			w_generation(b);
			w_due();
		}
	}
}

static void cont_event(int i)
{
	struct w_cont *c = &w.cont[i];

	switch (w_rand(8)) {
	case 0:
		if (c->running)
			w_stop(i);
		break;
	case 1:
		c->exists = c->running = false;
		c->told_at = -1;
		break;
	case 2:
		if (c->running) /* by itself */
			w_stop(i);
		w_start(i);
		break;
	case 3:
		c->deaf = c->exists && w_rand(2) == 0;
		break;
	case 4:
		c->bad[w_rand(W_BINDINGS)] = w_rand(4);
		c->dies = w_rand(2) == 0;
		break;
	default:
		if (!c->running)
			w_start(i);
	}
	w_tell(i);
}

static void event(void)
{
	switch (w_rand(12)) {
	case 0:
		w_engine(!w.engine);
		break;
	case 1:
		w.host_fails = w_rand(3) == 0;
		w.no_rollback = w_rand(8) == 0;
		break;
	case 2:
		if (w_rand(3) == 0)
			live_again();
		break;
	case 3:
	case 4:
	case 5:
		cont_event((int)w_rand(W_CONTS));
		break;
	default:
		bind_event((int)w_rand(W_BINDINGS));
	}
}

static void check_binding(int b)
{
	const struct w_binding *p = &w.binding[b];

	cr_assert_not(apply_open(w.a, p->name), "%s: %s", p->name, w.log);
	for (unsigned g = 1; g <= p->newest; g++)
		cr_assert(had[b][g] || p->verdicts[g] != 0, "no verdict on %s %u: %s",
		          p->name, g, w.log);
	if (p->placed == 0 || p->s.reload == RELOAD_NONE || p->spared)
		return;
	for (int i = 0; i < W_CONTS; i++) {
		const struct w_cont *c = &w.cont[i];

		if (c->running && c->uses[b] && !c->excused[b])
			cr_assert_eq(c->knows[b], p->placed, "%s knows %s %u, not %u: %s",
			             c->name, p->name, c->knows[b], p->placed, w.log);
	}
}

static void live(uint32_t seed)
{
	w_open();
	w.seed = 2463534242u + seed * 747796405u;
	w.slow = true;
	memset(forgotten, 0, sizeof(forgotten));
	memset(had, 0, sizeof(had));
	for (int b = 0; b < W_BINDINGS; b++) {
		choose_policy(b);
		introduce(b);
	}
	for (int i = 0; i < W_CONTS; i++) {
		for (int b = 0; b < W_BINDINGS; b++)
			w.cont[i].uses[b] = w_rand(2) == 0;
		w.cont[i].checks = w_rand(2) == 0;
	}
	apply_engine(w.a, true, w.now);
	for (int n = 0; n < STEPS; n++) {
		event();
		w_run(w_rand(3) == 0 ? w_rand(20000) : w_rand(400));
	}
	w.host_fails = w.no_rollback = false;
	for (int i = 0; i < W_CONTS; i++)
		w.cont[i].deaf = false;
	w_engine(true);
	w_settle();
	for (int b = 0; b < W_BINDINGS; b++)
		check_binding(b);
	w_close();
}

Test(apply_random, whatever_happens)
{
	for (uint32_t seed = 0; seed < SEEDS; seed++)
		live(seed);
	cr_assert_gt(w_total.verdicts[VERDICT_APPLIED], 10 * SEEDS);
	cr_assert_gt(w_total.verdicts[VERDICT_REJECTED], SEEDS);
	cr_assert_gt(w_total.verdicts[VERDICT_SUPERSEDED], SEEDS);
	cr_assert_gt(w_total.rollbacks, SEEDS);
	cr_assert_gt(w_total.told, 10 * SEEDS);
}
