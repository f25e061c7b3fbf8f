/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_APPLY_WORLD_H
#define TESTS_UNIT_AGENT_APPLY_WORLD_H
/*
 * apply_world - containers, an Engine, a hook and files, none of them real, for
 * agent/apply.
 *
 * Time jumps from event to event.  What the machine may never do is asserted where it
 * would do it: two reloads at once, one too early, a verdict twice.  An application knows
 * the generation that it read last; some generations are bad for some containers.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/apply/apply.h"
#include "agent/settings.h"

#define W_BINDINGS 3
#define W_CONTS    5
#define W_GENS     512
#define W_CALLS    64

struct w_cont {
	bool exists, running, uses[W_BINDINGS];
	bool seen;              /* as running, by the machine */
	bool known[W_BINDINGS]; /* … to use this binding */
	bool checks, healthy, ill;
	int64_t run, checked_at, told_at, born;
	unsigned knows[W_BINDINGS];
	unsigned bad[W_BINDINGS]; /* generations that are multiples of it are bad; 0: none
	                           */
	bool dies;                /* of a bad one, at once */
	bool deaf;                /* commands for it fail */
	bool excused[W_BINDINGS]; /* the command failed: nobody can tell it */
	int64_t check_at;         /* the next health check */
	int reloads;
	char name[16], id[32], described[32]; /* ids are never used again */
};

struct w_call {
	struct apply_call c;
	int binding, cont; /* cont -1: the host */
	int64_t due, began;
	unsigned reads; /* generation in place when it began */
	unsigned held;  /* APPLY_EXEC: those that the machine knew of */
};

struct w_binding {
	struct settings_binding s;
	char name[8];
	unsigned placed, newest;
	int64_t told_at; /* by the command on the host */
	struct apply_note notes[W_GENS];
	bool has_note[W_GENS];
	int verdicts[W_GENS]; /* in this life; 1 + the verdict */
	int64_t open_since[W_GENS];
	int64_t batch_at;
	bool batch;
	char why[APPLY_WHY_MAX];
	bool spared; /* a rejected one stayed in place: not all were told of it */
	int rollbacks, told;
};

static struct world {
	struct apply *a;
	int64_t now, next;
	uint32_t seed;
	bool engine, host_fails, slow, no_rollback;
	struct w_cont cont[W_CONTS];
	struct w_binding binding[W_BINDINGS];
	struct w_call calls[W_CALLS];
	size_t n_calls;
	char log[1000];
} w;

/* Over all worlds: did the random lives live? */
static struct w_total {
	int64_t verdicts[3], told, rollbacks;
} w_total;

static uint32_t w_rand(uint32_t below)
{
	w.seed ^= w.seed << 13;
	w.seed ^= w.seed >> 17;
	w.seed ^= w.seed << 5;
	return below == 0 ? 0 : w.seed % below;
}

static void w_log(const char *what, const char *binding, const char *cont, unsigned g)
{
	size_t n = strlen(w.log);

	if (n > sizeof(w.log) - 60) {
		memmove(w.log, w.log + n / 2, n - n / 2 + 1);
		n = strlen(w.log);
	}
	snprintf(w.log + n, sizeof(w.log) - n, "%s%s %s%s%s %u", n > 0 ? "; " : "", what,
	         binding, cont[0] != '\0' ? "@" : "", cont, g);
}

static int w_binding_of(const char *name)
{
	return name[0] - 'a';
}

static bool is_bad(const struct w_cont *c, int b, unsigned g)
{
	return g != 0 && c->bad[b] != 0 && g % c->bad[b] == 0;
}

/* Does the application live with all that it has read? */
static bool is_well(const struct w_cont *c)
{
	for (int b = 0; b < W_BINDINGS; b++)
		if (c->uses[b] && is_bad(c, b, c->knows[b]))
			return false;
	return true;
}

/* --- the machine's view --- */

static void w_describe(int i)
{
	struct w_cont *c = &w.cont[i];
	const char *names[W_BINDINGS];
	struct apply_container d = {
		.id = c->id,
		.name = c->name,
		.bindings = names,
		.running = c->running,
		.health = !c->checks   ? 0
		          : c->healthy ? 2
		          : c->ill     ? 3
		                       : 1,
		.run = c->run,
		.started_at = c->run,
	};
	struct err e;

	for (int b = 0; b < W_BINDINGS; b++)
		if (c->uses[b])
			names[d.n_bindings++] = w.binding[b].name;
	c->seen = c->exists && c->running;
	if (c->described[0] != '\0' && (!c->exists || strcmp(c->id, c->described) != 0))
		apply_container_gone(w.a, c->described, w.now);
	c->described[0] = '\0';
	for (int b = 0; b < W_BINDINGS; b++)
		c->known[b] = c->seen && c->uses[b];
	if (!c->exists)
		return;
	cr_assert_eq(apply_container(w.a, &d, w.now, &e), ERR_OK);
	memcpy(c->described, c->id, sizeof(c->id));
}

static void w_tell(int i)
{
	if (w.engine)
		w_describe(i);
}

static void w_start(int i)
{
	struct w_cont *c = &w.cont[i];

	if (!c->exists) { /* another one */
		c->told_at = -1;
		c->born = w.now + 1;
		snprintf(c->id, sizeof(c->id), "c%d.%lld", i, (long long)c->born);
	}
	c->exists = c->running = true;
	c->healthy = c->ill = false;
	c->run = ++w.now; /* runs are told apart by their time */
	c->check_at = c->checks ? w.now + 500 : -1;
	c->checked_at = 0;
	for (int b = 0; b < W_BINDINGS; b++) {
		c->knows[b] = w.binding[b].placed;
		c->excused[b] = false;
	}
}

static void w_stop(int i)
{
	w.cont[i].running = w.cont[i].healthy = w.cont[i].ill = false;
	w.cont[i].check_at = -1;
}

static void w_read(int i, int b, unsigned generation)
{
	struct w_cont *c = &w.cont[i];

	c->knows[b] = generation;
	c->excused[b] = false;
	if (!is_well(c) && c->dies) {
		w_stop(i);
		w_tell(i);
	}
}

/* --- ops --- */

static void w_check_reload(const struct apply_call *call, int b, int i)
{
	const struct settings_binding *s = &w.binding[b].s;
	const struct w_cont *c = &w.cont[i];

	for (size_t k = 0; k < w.n_calls; k++) {
		const struct w_call *o = &w.calls[k];
		bool held = o->cont < 0 && (o->held >> i & 1) != 0;

		if (o->c.kind == APPLY_LOOK || (!held && o->cont != i) ||
		    o->began < c->born)
			continue;
		cr_assert(held && call->revoked, "two reloads at once of %s: %s", c->name,
		          w.log);
	}
	if (call->attempt == 0 && !call->revoked)
		cr_assert(c->told_at < 0 || w.now >= c->told_at + s->min_interval_ms,
		          "%s is told again after %lld ms: %s", c->name,
		          (long long)(w.now - c->told_at), w.log);
}

static int w_begin(void *ctx UNUSED, const struct apply_call *call, struct err *e)
{
	int b = w_binding_of(call->binding), i = -1;
	unsigned held = 0;
	struct w_binding *p = &w.binding[b];
	static const char *const kinds[] = { "signal",  "restart", "exec",
		                             "exec-in", "stop",    "look" };

	if (call->container != NULL)
		i = call->container[1] - '0';
	if (call->kind != APPLY_LOOK) {
		w_log(kinds[call->kind], p->name, i >= 0 ? w.cont[i].name : "",
		      call->generation);
		p->told++;
		w_total.told++;
	}
	cr_assert_lt(w.n_calls, (size_t)W_CALLS);
	if (i < 0)
		cr_assert_eq(call->kind, APPLY_EXEC);
	if (i >= 0 && call->kind != APPLY_LOOK)
		w_check_reload(call, b, i);
	if (i < 0 && call->attempt == 0)
		cr_assert(p->told_at == 0 || w.now >= p->told_at + p->s.min_interval_ms);
	for (int k = 0; i < 0 && k < W_CONTS; k++)
		if (w.cont[k].seen && w.cont[k].known[b] &&
		    strcmp(w.cont[k].id, w.cont[k].described) == 0) {
			w_check_reload(call, b, k);
			held |= 1u << k;
		}
	if (call->kind != APPLY_LOOK && !call->revoked) {
		cr_assert_eq(call->generation, p->placed, "%s", w.log);
		cr_assert_geq(w.now, p->open_since[p->placed], "%lld %lld %lld %s",
		              (long long)w.now, (long long)p->open_since[p->placed],
		              (long long)p->batch_at, w.log);
	}
	if (w_rand(50) == 0 && w.slow && call->kind != APPLY_LOOK)
		return err_set(e, ERR_BUSY, "too much to do");
	w.calls[w.n_calls++] = (struct w_call){
		.c = *call,
		.binding = b,
		.cont = i,
		.began = w.now,
		.due = w.now + 1 + (w.slow ? w_rand(3000) : 10),
		.reads = p->placed,
		.held = held,
	};
	return ERR_OK;
}

static int w_rollback(void *ctx UNUSED, const char *binding, unsigned from, unsigned to,
                      struct err *e)
{
	struct w_binding *b = &w.binding[w_binding_of(binding)];

	w_log("back", binding, "", to);
	cr_assert_eq(from, b->placed);
	cr_assert_neq(to, 0);
	if (w.no_rollback)
		return err_set(e, ERR_NOENT, "it is gone");
	b->placed = to;
	b->rollbacks++;
	w_total.rollbacks++;
	return ERR_OK;
}

static void w_verdict(void *ctx UNUSED, const char *binding, unsigned g,
                      enum apply_verdict v, const char *why)
{
	static const char *const names[] = { "applied", "rejected", "superseded" };
	struct w_binding *b = &w.binding[w_binding_of(binding)];

	w_log(names[v], binding, "", g);
	cr_assert_eq(b->verdicts[g], 0, "a second verdict on %s %u: %s", binding, g,
	             w.log);
	cr_assert_eq(why[0] != '\0', v == VERDICT_REJECTED, "%s", w.log);
	b->verdicts[g] = 1 + (int)v;
	w_total.verdicts[v]++;
	if (v == VERDICT_APPLIED)
		b->spared = false;
	else if (v == VERDICT_REJECTED && b->placed == g)
		b->spared = true;
	snprintf(b->why, sizeof(b->why), "%s", why);
}

static void w_store(void *ctx UNUSED, const char *binding, unsigned g,
                    const struct apply_note *note)
{
	struct w_binding *b = &w.binding[w_binding_of(binding)];

	b->notes[g] = *note;
	b->has_note[g] = true;
}

static uint32_t w_dice(void *ctx UNUSED)
{
	return w_rand(UINT32_MAX);
}

/* --- what happens --- */

static void w_new(bool docker)
{
	const struct apply_options o = {
		.ops = {.start = w_begin,
                        .rollback = w_rollback,
                        .verdict = w_verdict,
                        .store = w_store,
                        .dice = w_dice},
		.docker = docker,
	};
	struct err e;

	cr_assert_eq(apply_new(&o, &w.a, &e), ERR_OK);
}

static void w_open(void)
{
	w = (struct world){
		.now = 1000000, .seed = 88172645, .engine = true, .next = -1
	};
	w_new(true);
	for (int b = 0; b < W_BINDINGS; b++) {
		struct w_binding *p = &w.binding[b];

		snprintf(p->name, sizeof(p->name), "%c", 'a' + b);
		p->s = (struct settings_binding){
			.name = p->name,
			.reload = RELOAD_SIGNAL,
			.timeout_ms = 30000,
			.health_ms = 60000,
			.settle_ms = 5000,
			.canary = true,
			.debounce_ms = 200,
			.min_interval_ms = 10000,
		};
	}
	for (int i = 0; i < W_CONTS; i++) {
		struct w_cont *c = &w.cont[i];

		snprintf(c->name, sizeof(c->name), "web%d", i);
		c->told_at = c->check_at = -1;
	}
}

static void w_close(void)
{
	apply_free(w.a);
}

static void w_due(void)
{
	w.next = apply_due(w.a, w.now);
	cr_assert(w.next < 0 || w.next > w.now, "it would spin at %lld: %s",
	          (long long)w.now, w.log);
}

static void w_binding(int b)
{
	struct err e;

	cr_assert_eq(apply_binding(w.a, &w.binding[b].s, &e), ERR_OK);
	for (int i = 0; i < W_CONTS; i++)
		if (w.cont[i].exists && (w.engine || w.cont[i].seen))
			w_describe(i);
		else
			w.cont[i].known[b] = false;
}

/* A container that has run for a minute. */
UNUSED static struct w_cont *w_cont(int i, int b, bool checks)
{
	struct w_cont *c = &w.cont[i];

	c->uses[b] = true;
	c->checks = checks;
	w_start(i);
	c->run -= 60000;
	c->healthy = checks;
	c->checked_at = checks ? w.now - 100 : 0;
	w_tell(i);
	return c;
}

static unsigned w_generation(int b)
{
	struct w_binding *p = &w.binding[b];
	unsigned g = p->newest + 1;

	cr_assert_lt(g, (unsigned)W_GENS);
	apply_next(w.a, p->name, &p->notes[g]);
	p->has_note[g] = true;
	p->newest = p->placed = g;
	if (!p->batch || w.now >= p->batch_at + p->s.debounce_ms)
		p->batch_at = w.now;
	p->batch = true;
	p->open_since[g] = p->batch_at +
	                   (p->s.reload == RELOAD_NONE ? 0 : p->s.debounce_ms);
	w_log("new", p->name, "", g);
	apply_generation(w.a, p->name, g, w.now);
	return g;
}

static void w_engine(bool up)
{
	w.engine = up;
	if (up)
		for (int i = 0; i < W_CONTS; i++)
			w_tell(i);
	apply_engine(w.a, up, w.now);
}

static void w_look_answer(const struct w_call *k)
{
	const struct w_cont *c = &w.cont[k->cont];
	const struct apply_look s = {
		.running = c->running,
		.checks = c->checks,
		.unhealthy = c->ill,
		.healthy = c->healthy && is_well(c),
		.run = c->run,
		.started_at = c->run,
		.checked_at = c->checked_at,
	};

	if (!w.engine)
		apply_done(w.a, k->c.token, ERR_UNREACHABLE, "away", w.now);
	else if (!c->exists || c->born > k->began)
		apply_done(w.a, k->c.token, ERR_NOENT, "gone", w.now);
	else
		apply_looked(w.a, k->c.token, &s, w.now);
}

static void w_command(const struct w_call *k, unsigned reads)
{
	for (int i = 0; i < W_CONTS; i++)
		if (w.cont[i].running && w.cont[i].uses[k->binding] &&
		    w.cont[i].run <= k->began) {
			if ((k->held >> i & 1) != 0 && w.cont[i].born <= k->began)
				w.cont[i].told_at = w.now;
			w_read(i, k->binding, reads);
		}
	apply_done(w.a, k->c.token, ERR_OK, NULL, w.now);
}

static void w_take_effect(const struct w_call *k, unsigned reads)
{
	struct w_cont *c = &w.cont[k->cont];

	c->reloads++;
	switch (k->c.kind) {
	case APPLY_RESTART:
		w_stop(k->cont);
		w_start(k->cont);
		w_tell(k->cont);
		if (!is_well(c) && c->dies) {
			w_stop(k->cont);
			w_tell(k->cont);
		}
		break;
	case APPLY_STOP:
		w_stop(k->cont);
		w_tell(k->cont);
		break;
	default:
		if (!k->c.revoked)
			w_read(k->cont, k->binding, reads);
	}
}

/* The command has failed for those that it is for. */
static void w_excuse(const struct w_call *k)
{
	for (int i = 0; i < W_CONTS; i++) {
		struct w_cont *c = &w.cont[i];

		if (c->born <= k->began &&
		    (k->cont == i || (k->cont < 0 && (k->held >> i & 1) != 0))) {
			c->excused[k->binding] = true;
			c->told_at = w.now;
		}
	}
}

static void w_answer(size_t at)
{
	const struct w_call k = w.calls[at];
	unsigned reads = w_rand(2) == 0 ? k.reads : w.binding[k.binding].placed;
	struct w_cont *c = k.cont >= 0 ? &w.cont[k.cont] : NULL;
	int rc = ERR_OK;

	w.calls[at] = w.calls[--w.n_calls];
	if (k.c.kind == APPLY_EXEC)
		w.binding[k.binding].told_at = w.now;
	if (k.c.kind == APPLY_LOOK) {
		w_look_answer(&k);
		return;
	}
	if (c == NULL && !w.host_fails) {
		w_command(&k, reads);
		return;
	}
	if (c == NULL)
		rc = ERR_IO;
	else if (!w.engine)
		rc = ERR_UNREACHABLE;
	else if (!c->exists || c->born > k.began)
		rc = ERR_NOENT;
	else if (!c->running)
		rc = ERR_CONFLICT;
	else if (c->deaf)
		rc = ERR_IO;
	if (rc == ERR_OK)
		w_take_effect(&k, reads);
	if (c != NULL && c->born <= k.began && rc != ERR_NOENT && rc != ERR_CONFLICT &&
	    !k.c.revoked)
		c->told_at = w.now;
	if (rc == ERR_IO && !k.c.revoked)
		w_excuse(&k);
	apply_done(w.a, k.c.token, rc, rc == ERR_IO ? "exit status 3" : "failed", w.now);
}

static void w_check(int i)
{
	struct w_cont *c = &w.cont[i];

	c->checked_at = w.now;
	c->healthy = is_well(c);
	c->ill = !c->healthy;
	c->check_at = w.now + 1000;
	w_tell(i);
}

/* The next thing that is going to happen by itself; -1: nothing. */
static int64_t w_next(void)
{
	int64_t at = w.next;

	for (size_t k = 0; k < w.n_calls; k++)
		if (at < 0 || w.calls[k].due < at)
			at = w.calls[k].due;
	return at;
}

static void w_advance(int64_t to)
{
	w.now = to > w.now ? to : w.now;
	for (int i = 0; i < W_CONTS; i++)
		if (w.cont[i].running && w.cont[i].check_at >= 0 &&
		    w.cont[i].check_at <= w.now)
			w_check(i);
	for (size_t k = w.n_calls; k > 0; k--)
		if (k <= w.n_calls && w.calls[k - 1].due <= w.now)
			w_answer(k - 1);
	w_due();
}

/* Until nothing happens any more, or ${ms} are over. */
static void w_run(int64_t ms)
{
	int64_t end = w.now + ms, at;
	int steps = 0;

	w_due();
	while ((at = w_next()) >= 0 && at <= end) {
		cr_assert_lt(steps++, 100000, "no rest: %s", w.log);
		w_advance(at);
	}
	w.now = end > w.now && ms < 1000000000 ? end : w.now;
}

static void w_settle(void)
{
	w_run(1000000000);
	cr_assert_eq(w.n_calls, 0u);
}

UNUSED static int w_verdict_of(int b, unsigned g)
{
	return w.binding[b].verdicts[g] - 1;
}

#endif
