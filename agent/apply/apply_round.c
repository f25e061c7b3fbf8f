/* SPDX-License-Identifier: Apache-2.0 */
/* One binding: from a generation in place to the verdict on it. */
#include <stdio.h>
#include <string.h>

#include "apply_impl.h"

static bool runs(const struct link *l)
{
	return l->c == NULL || (l->c->running && !l->stray && !apply_ends(l));
}

bool apply_needs(const struct link *l)
{
	return runs(l) && (l->has != l->b->current || l->passed != l->b->current);
}

static bool by_command(const struct binding *b)
{
	return b->policy.reload == RELOAD_EXEC && b->host != NULL;
}

/* The command on the host is for all of them. */
static bool needs_retelling(const struct link *l)
{
	return l->dirty && runs(l) && l->given_up != l->b->current &&
	       (l->c == NULL || !by_command(l->b));
}

/* The links of a binding, the command on the host as the first if that is how. */
static size_t count(const struct binding *b)
{
	return b->n_links + 1;
}

static struct link *at(const struct binding *b, size_t i)
{
	if (i == 0)
		return by_command(b) ? b->host : NULL;
	return b->links[i - 1];
}

/* --- verdicts ------------------------------------------------------------------------
 */

static void store(struct apply *a, struct binding *b, unsigned generation, bool retell)
{
	struct apply_note note = { .judged = true, .rejected = b->rejected };

	note.retell = b->retell = retell;
	memcpy(note.why, b->why, sizeof(note.why));
	a->o.ops.store(a->o.ops.ctx, b->name, generation, &note);
}

static void give_verdict(struct apply *a, struct binding *b, enum apply_verdict v)
{
	unsigned generation = b->open;

	b->open = 0;
	if (generation != 0)
		a->o.ops.verdict(a->o.ops.ctx, b->name, generation, v,
		                 v == VERDICT_REJECTED ? b->why : "");
}

void apply_supersede(struct apply *a, struct binding *b)
{
	give_verdict(a, b,
	             b->phase == PHASE_UNDO ? VERDICT_REJECTED : VERDICT_SUPERSEDED);
}

static void rest(struct apply *a, struct binding *b)
{
	b->phase = PHASE_REST;
	b->base = 0;
	b->failed = false;
	a->progress = true;
}

/* Containers that nobody knows of have not been told. */
static bool is_blind_now(const struct apply *a, const struct binding *b)
{
	return a->o.docker && !a->known && b->policy.reload != RELOAD_NONE;
}

static void applied(struct apply *a, struct binding *b)
{
	b->rejected = 0;
	b->why[0] = '\0';
	if (b->store_due)
		store(a, b, b->current, is_blind_now(a, b));
	rest(a, b);
	give_verdict(a, b, VERDICT_APPLIED);
}

void apply_fail(struct link *l, const char *why, int64_t now)
{
	struct binding *b = l->b;

	l->failed = true;
	if (b->phase == PHASE_RUN && !b->failed) {
		b->failed = true;
		if (l->c == NULL)
			snprintf(b->why, sizeof(b->why), "the command: %s", why);
		else
			snprintf(b->why, sizeof(b->why), "container '%.48s': %s",
			         l->c->name, why);
	}
	if (b->phase == PHASE_UNDO) {
		size_t n = strlen(b->why);

		l->given_up = b->current;
		snprintf(b->why + n, sizeof(b->why) - n, "; after going back: %s", why);
	}
	l->passed = b->current;
	apply_move(l, LINK_IDLE, now);
}

/* --- failure -------------------------------------------------------------------------
 */

/* Whoever may know of anything but what is in place now has to be told. */
static void mark_dirty(struct binding *b)
{
	bool any = false;

	for (size_t i = 0; i < count(b); i++) {
		struct link *l = at(b, i);

		if (l == NULL)
			continue;
		l->given_up = 0;
		l->dirty = l->dirty || l->has != b->current;
		l->passed = b->current;
		any |= l->dirty;
	}
	if (by_command(b))
		b->host->dirty = any;
}

/* The one that is kept has to be in the notes of the other before it is put back: after a
 * crash in between it is judged again. */
static bool put_back(struct apply *a, struct binding *b, int64_t now)
{
	struct err e = { 0 };
	size_t n = strlen(b->why);

	if (b->policy.on_unhealthy != UNHEALTHY_ROLLBACK || b->base == 0)
		return false;
	store(a, b, b->base, true);
	if (a->o.ops.rollback(a->o.ops.ctx, b->name, b->current, b->base, &e) != ERR_OK) {
		snprintf(b->why + n, sizeof(b->why) - n,
		         "; the generation before could not be put back");
		return false;
	}
	b->current = b->base;
	b->placed_at = now;
	return true;
}

static void end_failed(struct apply *a, struct binding *b, int64_t now)
{
	b->rejected = b->current;
	apply_abandon(b, now);
	if (!put_back(a, b, now)) {
		store(a, b, b->current, false);
		rest(a, b);
		give_verdict(a, b, VERDICT_REJECTED);
		return;
	}
	b->phase = PHASE_UNDO;
	b->failed = false;
	b->blind_until = 0;
	mark_dirty(b);
	a->progress = true;
}

/* --- a round -------------------------------------------------------------------------
 */

static bool any(const struct binding *b, bool (*is)(const struct link *))
{
	for (size_t i = 0; i < count(b); i++)
		if (at(b, i) != NULL && is(at(b, i)))
			return true;
	return false;
}

static bool is_active(const struct link *l)
{
	return l->state != LINK_IDLE;
}

static size_t active(const struct binding *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_links; i++)
		n += is_active(b->links[i]) ? 1 : 0;
	return n;
}

/* One container after the other, unless the command has told them all. */
static bool is_full(const struct binding *b)
{
	return b->policy.canary && !by_command(b) && active(b) > 0;
}

static void links_due(struct apply *a, struct binding *b, int64_t now)
{
	for (size_t i = 0; i < count(b); i++)
		if (at(b, i) != NULL)
			apply_link_due(a, at(b, i), now);
}

/* Without the Engine nobody knows which containers run.  True: wait for it. */
static bool is_blind(struct apply *a, struct binding *b, int64_t now)
{
	if (!a->o.docker || a->known) {
		b->blind_until = 0;
		return false;
	}
	if (b->blind_until == 0)
		b->blind_until = now + b->policy.health_ms;
	if (now >= b->blind_until)
		return false;
	apply_want(a, b->blind_until);
	return true;
}

static bool container_needs(const struct link *l)
{
	return l->c != NULL && apply_needs(l);
}

static void begin(struct apply *a, struct link *l, int64_t now)
{
	struct binding *b = l->b;

	if (l->has == b->current) {
		if (apply_may_hold(l) && l->c != NULL) {
			apply_watch(l, now);
			a->progress = true;
		}
	} else if (l->c == NULL || !by_command(b)) {
		(void)apply_try(a, l, now);
	} else if (b->host->has == b->current) {
		/* It was not there yet, as far as was known; the command told all. */
		l->has = b->current;
		a->progress = true;
	}
}

static void all_know(struct binding *b)
{
	for (size_t i = 0; i < b->n_links; i++) {
		b->links[i]->has = b->links[i]->passed = b->current;
		b->links[i]->dirty = false;
	}
}

static void step_run(struct apply *a, struct binding *b, int64_t now)
{
	bool wait;

	if (b->policy.reload == RELOAD_NONE) {
		apply_abandon(b, now);
		all_know(b);
		applied(a, b);
		return;
	}
	wait = is_blind(a, b, now);
	links_due(a, b, now);
	if (!wait && b->blind_until != 0 && any(b, container_needs) && !b->failed) {
		b->failed = true;
		snprintf(b->why, sizeof(b->why), "Docker does not answer");
	}
	if (b->failed) {
		end_failed(a, b, now);
		return;
	}
	for (size_t i = 0; i < count(b) && !wait && !is_full(b); i++) {
		struct link *l = at(b, i);

		if (l != NULL && l->state == LINK_IDLE && apply_needs(l))
			begin(a, l, now);
	}
	if (!wait && !b->failed && !any(b, apply_needs) && !any(b, is_active))
		applied(a, b);
}

static bool is_dirty(const struct link *l)
{
	return l->dirty && runs(l) && l->given_up != l->b->current;
}

/* One container that has to be told is reason enough for the command. */
static void ask_host(struct binding *b)
{
	for (size_t i = 0; by_command(b) && i < b->n_links; i++)
		if (is_dirty(b->links[i]) && !is_active(b->host)) {
			b->host->dirty = true;
			b->host->given_up = 0;
		}
}

static void step_undo(struct apply *a, struct binding *b, int64_t now)
{
	bool wait = is_blind(a, b, now);

	links_due(a, b, now);
	ask_host(b);
	for (size_t i = 0; i < count(b) && !is_full(b); i++) {
		struct link *l = at(b, i);

		if (l != NULL && l->state == LINK_IDLE && needs_retelling(l))
			(void)apply_try(a, l, now);
	}
	/* What cannot be told because nobody answers is told when somebody does. */
	if (wait || any(b, is_active) ||
	    (any(b, needs_retelling) && (a->known || !a->o.docker)))
		return;
	store(a, b, b->current, is_blind_now(a, b) || any(b, needs_retelling));
	rest(a, b);
	give_verdict(a, b, VERDICT_REJECTED);
}

static void step_rest(struct apply *a, struct binding *b, int64_t now)
{
	links_due(a, b, now);
	if (b->current == 0 || b->policy.reload == RELOAD_NONE || is_blind_now(a, b))
		return;
	ask_host(b);
	if (any(b, needs_retelling)) {
		b->phase = PHASE_UNDO;
		b->blind_until = 0;
		a->progress = true;
	} else if (b->retell) {
		store(a, b, b->current, false);
	}
}

static void step_debounce(struct apply *a, struct binding *b, int64_t now)
{
	uint32_t splay;

	links_due(a, b, now);
	if (now < b->at && b->policy.reload != RELOAD_NONE) {
		apply_want(a, b->at);
		return;
	}
	splay = b->policy.splay_ms > 0 ? a->o.ops.dice(a->o.ops.ctx) : 0;
	b->splay_at = now + (int64_t)splay % (b->policy.splay_ms + 1);
	b->phase = PHASE_RUN;
	b->failed = false;
	b->blind_until = 0;
	a->progress = true;
}

void apply_step(struct apply *a, struct binding *b, int64_t now)
{
	switch (b->phase) {
	case PHASE_REST:
		step_rest(a, b, now);
		break;
	case PHASE_DEBOUNCE:
		step_debounce(a, b, now);
		break;
	case PHASE_RUN:
		step_run(a, b, now);
		break;
	case PHASE_UNDO:
		step_undo(a, b, now);
		break;
	}
}
