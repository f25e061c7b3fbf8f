/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container: tell it, watch it.
 *
 * What is judged is what a look at the container says, never the events, which may come
 * late or not at all: an event is a reason to look.
 */
#include <stdio.h>
#include <string.h>

#include "apply_impl.h"

void apply_want(struct apply *a, int64_t at)
{
	if (a->next < 0 || at < a->next)
		a->next = at;
}

void apply_clean(char *out, size_t n, const char *text)
{
	size_t i = 0;

	for (; text != NULL && text[i] != '\0' && i + 1 < n; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
}

void apply_move(struct link *l, enum link_state state, int64_t now)
{
	if (l->state != state)
		l->since = now;
	l->state = state;
	l->look = state == LINK_WATCH ? l->look : 0;
	if (l->c == NULL)
		return;
	if (state != LINK_IDLE)
		l->c->holder = l;
	else if (l->c->holder == l)
		l->c->holder = NULL;
}

bool apply_may_hold(const struct link *l)
{
	return l->c == NULL ||
	       ((l->c->holder == NULL || l->c->holder == l) && l->c->call == 0);
}

/* --- telling -------------------------------------------------------------------------
 */

static enum apply_kind kind_of(const struct binding *b)
{
	static const enum apply_kind kinds[] = {
		[RELOAD_SIGNAL] = APPLY_SIGNAL,
		[RELOAD_RESTART] = APPLY_RESTART,
		[RELOAD_EXEC] = APPLY_EXEC,
		[RELOAD_EXEC_IN] = APPLY_EXEC_IN,
	};

	return kinds[b->policy.reload];
}

static int64_t timeout_of(const struct binding *b, enum apply_kind kind)
{
	switch (kind) {
	case APPLY_EXEC:
	case APPLY_EXEC_IN:
		return b->policy.timeout_ms;
	case APPLY_RESTART:
	case APPLY_STOP:
		return APPLY_RESTART_MS;
	case APPLY_SIGNAL:
	case APPLY_LOOK:
		break;
	}
	return APPLY_CALL_MS;
}

/* ERR_OK, or how it has ended already. */
static int start(struct apply *a, struct link *l, enum apply_kind kind, uint64_t *token,
                 struct err *e)
{
	const struct apply_call call = {
		.token = ++a->tokens,
		.kind = kind,
		.binding = l->b->name,
		.container = l->c != NULL ? l->c->id : NULL,
		.generation = l->b->current,
		.attempt = l->revoking ? 0 : l->tries,
		.revoked = l->revoking,
		.timeout_ms = timeout_of(l->b, kind),
	};
	int rc = a->o.ops.start(a->o.ops.ctx, &call, e);

	if (rc == ERR_OK)
		*token = call.token;
	return rc;
}

static int64_t later(int64_t x, int64_t y)
{
	return x > y ? x : y;
}

/* When it may be told at the earliest: 0: now.  Nobody is told twice within
 * min_interval. */
static int64_t not_before(const struct link *l)
{
	const struct policy *p = &l->b->policy;
	int64_t at = 0, told_at = l->c != NULL ? l->c->told_at : l->told_at;

	if (p->reload == RELOAD_RESTART && l->b->phase == PHASE_RUN)
		at = l->b->splay_at;
	if (told_at >= 0)
		at = later(at, told_at + p->min_interval_ms);
	return at;
}

/* The command on the host is for all of them: all have to be free. */
static bool take_all(struct apply *a, struct binding *b, int64_t now)
{
	int64_t at = 0;

	for (size_t i = 0; i < b->n_links; i++) {
		const struct link *l = b->links[i];

		if (!l->c->running || l->stray)
			continue;
		if (!apply_may_hold(l))
			return false;
		at = later(at, not_before(l));
	}
	if (at > now) {
		apply_want(a, at);
		return false;
	}
	for (size_t i = 0; i < b->n_links; i++)
		if (b->links[i]->c->running && !b->links[i]->stray)
			apply_move(b->links[i], LINK_HELD, now);
	return true;
}

static void call_ended(struct link *l, int rc, const char *detail, int64_t now);

static void tell(struct apply *a, struct link *l, int64_t now)
{
	struct err e = { 0 };
	int rc;

	apply_move(l, LINK_CALL, now);
	l->telling = l->b->current;
	rc = start(a, l, kind_of(l->b), &l->call, &e);
	if (rc == ERR_OK && l->c != NULL)
		l->c->call = l->call;
	a->progress = true;
	if (rc != ERR_OK)
		call_ended(l, rc, e.msg, now);
}

bool apply_try(struct apply *a, struct link *l, int64_t now)
{
	int64_t at = not_before(l);

	if (!apply_may_hold(l) || (l->c != NULL && !a->known))
		return false;
	if (at > now) {
		apply_want(a, at);
		return false;
	}
	if (l->c == NULL && !take_all(a, l->b, now))
		return false;
	l->tries = 0;
	l->give_up = 0;
	l->failed = false;
	tell(a, l, now);
	return true;
}

bool apply_ends(const struct link *l)
{
	return l->revoke && l->b->policy.on_revoke == REVOKE_STOP;
}

/* The link's own word, or what the command on the host did for it. */
static void told(struct link *l, unsigned generation, int64_t now)
{
	struct binding *b = l->b;

	l->has = generation;
	l->by_start = l->dirty = false;
	/* One that does not survive it does not run already: a look will tell. */
	if (l->c != NULL && !l->stray && !apply_ends(l) && generation == b->current &&
	    (b->phase == PHASE_RUN || b->phase == PHASE_UNDO)) {
		apply_watch(l, now);
		return;
	}
	/* Something newer came, or older came back, while it was told. */
	if (b->phase != PHASE_REST && generation != b->current)
		l->dirty = true;
	if (l->c == NULL && generation == b->current)
		l->passed = generation;
	apply_move(l, LINK_IDLE, now);
}

static void release_held(struct binding *b, bool ok, unsigned generation, int64_t now)
{
	for (size_t i = 0; i < b->n_links; i++) {
		struct link *l = b->links[i];

		if (l->state != LINK_HELD)
			continue;
		l->c->told_at = now;
		if (ok) {
			told(l, generation, now);
			continue;
		}
		l->dirty = true;
		l->has = 0;
		if (b->phase == PHASE_UNDO)
			l->given_up = b->current;
		apply_move(l, LINK_IDLE, now);
	}
}

static bool worth_another_try(struct link *l, int rc, int64_t now)
{
	const struct policy *p = &l->b->policy;

	if (l->telling != l->b->current || l->stray || l->b->phase == PHASE_REST)
		return false;
	if (rc == ERR_BUSY || (rc == ERR_UNREACHABLE && l->c != NULL)) {
		if (l->give_up == 0)
			l->give_up = now + p->health_ms;
		l->at = now + APPLY_RETRY_MS;
		l->tries++;
		return now < l->give_up;
	}
	/* One that took too long may still run in its container. */
	if (rc != ERR_IO || (p->reload != RELOAD_EXEC && p->reload != RELOAD_EXEC_IN) ||
	    l->tries + 1 >= APPLY_TRIES)
		return false;
	l->at = now + ((int64_t)APPLY_RETRY_MS << l->tries);
	l->tries++;
	l->give_up = 0;
	return true;
}

static void tell_ended(struct link *l, int rc, const char *detail, int64_t now)
{
	bool absent = l->c != NULL && (rc == ERR_NOENT || rc == ERR_CONFLICT);
	char why[APPLY_WHY_MAX];

	if (l->c == NULL)
		l->told_at = now;
	else if (!absent)
		l->c->told_at = now;
	if (rc == ERR_OK) {
		if (l->c == NULL)
			release_held(l->b, true, l->telling, now);
		told(l, l->telling, now);
		return;
	}
	if (absent) {
		/* It has the files when it starts; the table of containers will say so.
		 */
		l->c->running = false;
		apply_move(l, LINK_IDLE, now);
		return;
	}
	if (worth_another_try(l, rc, now)) {
		apply_move(l, LINK_BACKOFF, now);
		return;
	}
	if (l->c == NULL)
		release_held(l->b, false, l->telling, now);
	l->has = 0;
	l->dirty = true;
	apply_clean(why, sizeof(why),
	            rc == ERR_UNREACHABLE && l->c != NULL ? "Docker does not answer"
	                                                  : detail);
	if (l->telling == l->b->current)
		apply_fail(l, why, now);
	apply_move(l, LINK_IDLE, now);
}

static void revoke_ended(struct link *l, int rc, int64_t now)
{
	l->revoking = false;
	if (rc == ERR_OK && apply_ends(l) && l->c != NULL)
		l->c->running = false;
	else if (rc != ERR_UNREACHABLE && apply_ends(l))
		l->dirty = l->dirty || l->has != l->b->current; /* it goes on */
	if (rc == ERR_UNREACHABLE && l->revoke)
		l->at = now + APPLY_RETRY_MS;
	else
		l->revoke = false;
}

static void call_ended(struct link *l, int rc, const char *detail, int64_t now)
{
	l->call = 0;
	if (l->c != NULL)
		l->c->call = 0;
	if (l->revoking)
		revoke_ended(l, rc, now);
	else
		tell_ended(l, rc, detail, now);
}

/* --- watching ------------------------------------------------------------------------
 */

void apply_watch(struct link *l, int64_t now)
{
	const struct policy *p = &l->b->policy;

	apply_move(l, LINK_WATCH, now);
	l->watch_since = now;
	l->give_up = now + (p->settle_ms < p->health_ms ? p->health_ms
	                                                : p->settle_ms + APPLY_SLACK_MS);
	l->at = now;
	l->run = 0;
	l->was_ill = false;
	l->look_again = false;
}

static void look(struct apply *a, struct link *l, int64_t now)
{
	struct err e = { 0 };
	int rc = start(a, l, APPLY_LOOK, &l->look, &e);

	l->look_again = false;
	if (rc != ERR_OK)
		l->at = now + APPLY_RETRY_MS;
}

static void passed(struct link *l, int64_t now)
{
	l->passed = l->has;
	l->failed = false;
	apply_move(l, LINK_IDLE, now);
}

/* Was the newest check good, and made of the application as it is now?  A run that began
 * with the files in place has known nothing else. */
static bool is_healthy(const struct link *l, const struct apply_look *s)
{
	bool fresh = s->started_at > l->b->placed_at;

	return s->healthy && (fresh || s->checked_at >= l->watch_since);
}

static void judge(struct link *l, const struct apply_look *s, int64_t now)
{
	bool first = l->run == 0;
	/* A check that began before it was told says nothing about what it does with it.
	 */
	bool told = s->checked_at >= l->watch_since;

	if (first) {
		l->run = s->run;
		l->was_ill = s->unhealthy;
	}
	if (!s->running)
		apply_fail(l, "stopped after the reload", now);
	else if (s->run != l->run)
		apply_fail(l, "restarted by itself after the reload", now);
	else if (s->checks && s->unhealthy && told && !l->was_ill)
		apply_fail(l, "unhealthy after the reload", now);
	else if (s->checks ? is_healthy(l, s)
	                   : now >= l->watch_since + l->b->policy.settle_ms)
		passed(l, now);
	else if (s->checks)
		l->at = now + (first ? APPLY_LOOK_FIRST_MS : APPLY_LOOK_EVERY_MS);
	else
		l->at = l->watch_since + l->b->policy.settle_ms;
	if (l->state == LINK_WATCH && l->look_again)
		l->at = now;
}

static void look_failed(struct link *l, int rc, int64_t now)
{
	l->look = 0;
	if (rc != ERR_NOENT) {
		l->at = now + APPLY_RETRY_MS;
		return;
	}
	l->c->running = false;
	apply_fail(l, "removed while it was watched", now);
}

/* --- what comes in -------------------------------------------------------------------
 */

static struct link *find_in(struct binding *b, uint64_t token)
{
	if (b->host != NULL && b->host->call == token)
		return b->host;
	for (size_t i = 0; i < b->n_links; i++)
		if (b->links[i]->call == token || b->links[i]->look == token)
			return b->links[i];
	return NULL;
}

static struct link *find(const struct apply *a, uint64_t token)
{
	struct link *l = NULL;

	for (size_t i = 0; token != 0 && l == NULL && i < a->n_bindings; i++)
		l = find_in(a->bindings[i], token);
	return l;
}

void apply_done(struct apply *a, uint64_t token, int rc, const char *detail, int64_t now)
{
	struct link *l = find(a, token);

	if (l == NULL)
		return;
	if (l->call == token)
		call_ended(l, rc, detail != NULL ? detail : "failed", now);
	else
		look_failed(l, rc, now);
}

void apply_looked(struct apply *a, uint64_t token, const struct apply_look *s,
                  int64_t now)
{
	struct link *l = find(a, token);

	if (l == NULL || l->look != token)
		return;
	l->look = 0;
	judge(l, s, now);
}

bool apply_is_older(const struct link *l)
{
	const struct cont *c = l->c;

	return c->run_known && c->started_at != 0 && c->started_at <= l->b->placed_at;
}

void apply_reassess(struct link *l, int64_t now)
{
	const struct binding *b = l->b;

	if (!l->by_start || !apply_is_older(l))
		return;
	l->by_start = false;
	l->has = 0;
	l->dirty = b->phase == PHASE_REST || b->phase == PHASE_UNDO;
	if (l->state == LINK_WATCH)
		apply_move(l, LINK_IDLE, now);
}

void apply_started(struct link *l, int64_t now)
{
	const struct binding *b = l->b;

	l->has = b->current;
	l->by_start = true;
	l->dirty = false;
	l->given_up = 0;
	l->since = now;
	if (b->phase != PHASE_DEBOUNCE && b->phase != PHASE_RUN)
		l->passed = b->current;
	else if (l->state != LINK_WATCH)
		l->passed = 0;
	if (l->state == LINK_IDLE || l->state == LINK_BACKOFF) {
		l->failed = false;
		apply_move(l, LINK_IDLE, now);
	}
	apply_reassess(l, now);
}

static void abandon(struct link *l, int64_t now)
{
	if (l->state == LINK_BACKOFF) {
		l->has = 0;
		l->dirty = true;
	}
	if (l->state == LINK_WATCH || l->state == LINK_BACKOFF)
		apply_move(l, LINK_IDLE, now);
}

void apply_abandon(struct binding *b, int64_t now)
{
	bool trying = b->host != NULL && b->host->state == LINK_BACKOFF;

	if (trying)
		release_held(b, false, 0, now);
	if (b->host != NULL)
		abandon(b->host, now);
	for (size_t i = 0; i < b->n_links; i++)
		abandon(b->links[i], now);
}

/* --- what is due ---------------------------------------------------------------------
 */

static void revoke_due(struct apply *a, struct link *l, int64_t now)
{
	struct err e = { 0 };
	enum apply_kind kind = l->b->policy.on_revoke == REVOKE_STOP ? APPLY_STOP
	                                                             : APPLY_SIGNAL;
	int rc;

	/* Whoever watches it for another binding has to bear it. */
	if (!l->c->running || l->stray) {
		l->revoke = false;
		return;
	}
	if (l->c->call != 0 || !a->known)
		return;
	if (l->at > now) {
		apply_want(a, l->at);
		return;
	}
	l->revoking = true;
	rc = start(a, l, kind, &l->call, &e);
	if (rc == ERR_OK)
		l->c->call = l->call;
	else
		call_ended(l, rc, e.msg, now);
	if (l->at > now)
		apply_want(a, l->at);
}

static void backoff_due(struct apply *a, struct link *l, int64_t now)
{
	if (l->give_up != 0 && now >= l->give_up) {
		l->has = 0;
		l->dirty = true;
		apply_fail(l,
		           a->known ? "could not be told in time"
		                    : "Docker does not answer",
		           now);
		return;
	}
	/* Meanwhile others may have started that the command will be for, too. */
	if (now >= l->at &&
	    (l->c == NULL ? take_all(a, l->b, now) : a->known && l->c->call == 0))
		tell(a, l, now);
	else if (now < l->at && (l->c == NULL || a->known))
		apply_want(a, l->at);
	if (l->state == LINK_BACKOFF && l->give_up != 0)
		apply_want(a, l->give_up);
	if (l->state == LINK_BACKOFF && l->at > now)
		apply_want(a, l->at);
}

static void watch_due(struct apply *a, struct link *l, int64_t now)
{
	if (now >= l->give_up) {
		apply_fail(l, a->known ? "not healthy in time" : "Docker does not answer",
		           now);
		return;
	}
	if (l->look == 0 && now >= l->at)
		look(a, l, now);
	if (l->look == 0)
		apply_want(a, l->at);
	apply_want(a, l->give_up);
}

void apply_link_due(struct apply *a, struct link *l, int64_t now)
{
	enum link_state before = l->state;

	if (l->revoke && l->call == 0 && l->c != NULL)
		revoke_due(a, l, now);
	if (l->state == LINK_BACKOFF)
		backoff_due(a, l, now);
	else if (l->state == LINK_WATCH)
		watch_due(a, l, now);
	if (l->state != before)
		a->progress = true;
}
