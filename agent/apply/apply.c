/* SPDX-License-Identifier: Apache-2.0 */
#include "apply.h"

#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"

/* --- tables --------------------------------------------------------------------------
 */

/* Room for one more pointer. */
static int grow(void *list, size_t n, size_t *cap, struct err *e)
{
	size_t want = *cap == 0 ? 4 : 2 * *cap;
	void **p = list, *more;

	if (n < *cap)
		return ERR_OK;
	if ((more = realloc(*p, want * sizeof(void *))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*p = more;
	*cap = want;
	return ERR_OK;
}

static struct binding *find_binding(const struct apply *a, const char *name)
{
	for (size_t i = 0; i < a->n_bindings; i++)
		if (strcmp(a->bindings[i]->name, name) == 0)
			return a->bindings[i];
	return NULL;
}

static struct binding *known_binding(const struct apply *a, const char *name)
{
	struct binding *b = find_binding(a, name);

	return b != NULL && !b->forgotten ? b : NULL;
}

static struct cont *find_cont(const struct apply *a, const char *id)
{
	for (size_t i = 0; i < a->n_conts; i++)
		if (strcmp(a->conts[i]->id, id) == 0)
			return a->conts[i];
	return NULL;
}

static struct link *find_link(const struct binding *b, const struct cont *c)
{
	for (size_t i = 0; i < b->n_links; i++)
		if (b->links[i]->c == c)
			return b->links[i];
	return NULL;
}

int apply_new(const struct apply_options *o, struct apply **out, struct err *e)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	a->o = *o;
	a->restored_at = -1;
	*out = a;
	return ERR_OK;
}

static void free_binding(struct binding *b)
{
	for (size_t i = 0; i < b->n_links; i++)
		free(b->links[i]);
	free(b->links);
	free(b->host);
	free(b->name);
	free(b);
}

static void free_cont(struct cont *c)
{
	free(c->id);
	free(c->name);
	free(c);
}

void apply_free(struct apply *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n_bindings; i++)
		free_binding(a->bindings[i]);
	for (size_t i = 0; i < a->n_conts; i++)
		free_cont(a->conts[i]);
	free(a->bindings);
	free(a->conts);
	free(a);
}

/* --- bindings ------------------------------------------------------------------------
 */

static struct link *new_link(struct binding *b, struct cont *c)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->b = b;
	l->c = c;
	l->told_at = -1;
	return l;
}

/* NULL: as ${e} says. */
static struct binding *add_binding(struct apply *a, const char *name, struct err *e)
{
	struct binding *b;

	if (grow(&a->bindings, a->n_bindings, &a->cap_bindings, e) != ERR_OK)
		return NULL;
	if ((b = calloc(1, sizeof(*b))) == NULL || (b->name = strdup(name)) == NULL) {
		free(b);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	a->bindings[a->n_bindings++] = b;
	return b;
}

/* A command that nobody wants any more is not tried again. */
static void change_mode(struct binding *b, int reload)
{
	struct link *host = b->host;

	if (host == NULL || reload == b->policy.reload)
		return;
	if (host->state == LINK_BACKOFF)
		apply_abandon(b, host->since);
	host->has = 0;
}

int apply_binding(struct apply *a, const struct settings_binding *s, struct err *e)
{
	struct binding *b = find_binding(a, s->name);

	if (b == NULL && (b = add_binding(a, s->name, e)) == NULL)
		return ERR_NOMEM;
	if (s->reload == RELOAD_EXEC && b->host == NULL) {
		if ((b->host = new_link(b, NULL)) == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		b->host->has = b->host->passed = b->phase == PHASE_REST ? b->current : 0;
	}
	change_mode(b, s->reload);
	b->forgotten = false;
	b->policy = (struct policy){
		.reload = s->reload,
		.on_unhealthy = s->on_unhealthy,
		.on_revoke = s->on_revoke,
		.canary = s->canary,
		.timeout_ms = s->timeout_ms,
		.health_ms = s->health_ms,
		.settle_ms = s->settle_ms,
		.debounce_ms = s->debounce_ms,
		.min_interval_ms = s->min_interval_ms,
		.splay_ms = s->splay_ms,
	};
	return ERR_OK;
}

/* Nothing is in place any more, and nothing is asked. */
static void clear(struct apply *a, struct binding *b, int64_t now)
{
	apply_supersede(a, b);
	apply_abandon(b, now);
	b->phase = PHASE_REST;
	b->current = b->base = b->rejected = 0;
	b->failed = b->retell = false;
	b->why[0] = '\0';
	for (size_t i = 0; i < b->n_links; i++) {
		b->links[i]->has = b->links[i]->passed = 0;
		b->links[i]->dirty = b->links[i]->failed = false;
	}
	if (b->host != NULL) {
		b->host->has = b->host->passed = 0;
		b->host->dirty = b->host->failed = false;
	}
}

void apply_forget(struct apply *a, const char *binding, int64_t now)
{
	struct binding *b = known_binding(a, binding);

	if (b == NULL)
		return;
	clear(a, b, now);
	b->forgotten = true;
	for (size_t i = 0; i < b->n_links; i++)
		b->links[i]->stray = true;
}

static void revoke_link(struct link *l, int64_t now)
{
	int how = l->b->policy.on_revoke;

	l->revoke = how != REVOKE_NONE;
	/* That it stops is no fault of what is in place. */
	if (apply_ends(l) && l->state == LINK_WATCH)
		apply_move(l, LINK_IDLE, now);
	if (l->state != LINK_BACKOFF)
		l->at = now;
}

void apply_revoked(struct apply *a, const char *binding, unsigned left, int64_t now)
{
	struct binding *b = known_binding(a, binding);

	if (b == NULL)
		return;
	if (left == 0 || left != b->current)
		clear(a, b, now);
	for (size_t i = 0; i < b->n_links; i++)
		revoke_link(b->links[i], now);
}

/* Whether it started before what it is thought to know can only be told while that is in
 * place. */
static void before_round(struct link *l)
{
	l->revoke = l->failed = false;
	if (l->by_start && !l->c->run_known)
		l->has = 0;
	l->by_start = false;
}

/* What each link has known before ${generation} came is still what it knows. */
static void fresh_round(struct binding *b, unsigned generation, int64_t now)
{
	b->current = b->open = generation;
	b->failed = b->retell = false;
	b->store_due = true;
	b->blind_until = 0;
	b->placed_at = now;
	if (b->phase != PHASE_DEBOUNCE || now >= b->at)
		b->at = now + b->policy.debounce_ms;
	b->phase = PHASE_DEBOUNCE;
	for (size_t i = 0; i < b->n_links; i++)
		before_round(b->links[i]);
}

void apply_generation(struct apply *a, const char *binding, unsigned generation,
                      int64_t now)
{
	struct binding *b = known_binding(a, binding);

	if (b == NULL || generation == b->current)
		return;
	apply_supersede(a, b);
	if (b->phase == PHASE_REST || b->phase == PHASE_UNDO)
		b->base = b->current;
	apply_abandon(b, now);
	fresh_round(b, generation, now);
	/* apply_next() has said so. */
	b->store_due = b->policy.reload != RELOAD_NONE;
}

/* What a container knows that runs already when we hear of it. */
static void first_sight(struct link *l)
{
	const struct binding *b = l->b;
	bool settled = b->phase == PHASE_REST || b->phase == PHASE_UNDO;
	bool fresh = l->c->started_at != 0 && !apply_is_older(l);

	/* At rest whose start is not known gets the benefit of the doubt. */
	if (b->phase == PHASE_REST && !apply_is_older(l))
		fresh = true;
	l->has = fresh ? b->current : 0;
	l->passed = settled ? b->current : 0;
	l->dirty = settled && !fresh;
}

static void restore_judged(struct binding *b, unsigned generation,
                           const struct apply_note *note, int64_t now)
{
	b->current = generation;
	b->placed_at = note->retell ? now : 0;
	b->retell = note->retell;
	b->rejected = note->rejected;
	apply_clean(b->why, sizeof(b->why), note->why);
	if (b->host != NULL) {
		b->host->has = b->host->passed = generation;
		b->host->dirty = note->retell;
	}
	if (!note->retell)
		return;
	/* Containers are not known yet: all that turn up have to be told. */
	b->phase = PHASE_UNDO;
	b->open = note->rejected;
	b->blind_until = 0;
}

void apply_restore(struct apply *a, const char *binding, unsigned generation,
                   const struct apply_note *note, int64_t now)
{
	static const struct apply_note unknown;
	struct binding *b = known_binding(a, binding);

	if (b == NULL)
		return;
	note = note != NULL ? note : &unknown;
	a->restored_at = now;
	for (size_t i = 0; i < a->n_conts; i++)
		a->conts[i]->told_at = now;
	if (b->host != NULL)
		b->host->told_at = now;
	if (generation == 0)
		return;
	if (!note->judged) {
		b->base = note->base;
		fresh_round(b, generation, now);
	} else {
		restore_judged(b, generation, note, now);
	}
	for (size_t i = 0; i < b->n_links; i++)
		first_sight(b->links[i]);
}

void apply_next(const struct apply *a, const char *binding, struct apply_note *out)
{
	const struct binding *b = known_binding(a, binding);

	*out = (struct apply_note){ 0 };
	if (b == NULL)
		return;
	out->judged = b->policy.reload == RELOAD_NONE;
	out->base = b->phase == PHASE_DEBOUNCE || b->phase == PHASE_RUN ? b->base
	                                                                : b->current;
	out->rejected = b->rejected;
	memcpy(out->why, b->why, sizeof(out->why));
}

unsigned apply_keeps(const struct apply *a, const char *binding)
{
	const struct binding *b = known_binding(a, binding);

	if (b == NULL || (b->phase != PHASE_DEBOUNCE && b->phase != PHASE_RUN) ||
	    b->policy.on_unhealthy != UNHEALTHY_ROLLBACK)
		return 0;
	return b->base;
}

bool apply_open(const struct apply *a, const char *binding)
{
	const struct binding *b = known_binding(a, binding);

	return b != NULL && b->phase != PHASE_REST;
}

/* --- the world -----------------------------------------------------------------------
 */

void apply_engine(struct apply *a, bool known, int64_t now)
{
	if (a->known == known)
		return;
	a->known = known;
	for (size_t i = 0; i < a->n_bindings; i++)
		for (size_t j = 0; j < a->bindings[i]->n_links; j++) {
			struct link *l = a->bindings[i]->links[j];

			l->given_up = known && l->dirty ? 0 : l->given_up;
			if (known && l->state == LINK_WATCH)
				l->at = now;
		}
}

static int add_link(struct binding *b, struct cont *c, int64_t now, struct err *e)
{
	struct link *l = find_link(b, c);
	int rc;

	if (l != NULL) {
		l->stray = false;
		return ERR_OK;
	}
	if ((rc = grow(&b->links, b->n_links, &b->cap_links, e)) != ERR_OK)
		return rc;
	if ((l = new_link(b, c)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	l->since = now;
	first_sight(l);
	c->links++;
	b->links[b->n_links++] = l;
	return ERR_OK;
}

static bool uses(const struct apply_container *s, const char *binding)
{
	for (size_t i = 0; i < s->n_bindings; i++)
		if (strcmp(s->bindings[i], binding) == 0)
			return true;
	return false;
}

static int set_links(struct apply *a, struct cont *c, const struct apply_container *s,
                     int64_t now, struct err *e)
{
	int rc;

	for (size_t i = 0; i < a->n_bindings; i++) {
		struct binding *b = a->bindings[i];
		struct link *l = find_link(b, c);

		if (b->forgotten)
			continue;
		if (!uses(s, b->name)) {
			if (l != NULL)
				l->stray = true;
		} else if ((rc = add_link(b, c, now, e)) != ERR_OK) {
			return rc;
		}
	}
	return ERR_OK;
}

static struct cont *add_cont(struct apply *a, const struct apply_container *s,
                             struct err *e)
{
	struct cont *c;

	if (grow(&a->conts, a->n_conts, &a->cap_conts, e) != ERR_OK)
		return NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL || (c->id = strdup(s->id)) == NULL) {
		free(c);
		(void)err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->running = s->running;
	c->health = s->health;
	c->run = s->run;
	c->run_known = s->run != 0;
	c->started_at = s->started_at;
	c->told_at = a->restored_at;
	a->conts[a->n_conts++] = c;
	return c;
}

static void stopped(struct link *l, int64_t now)
{
	if (l->state == LINK_BACKOFF)
		apply_move(l, LINK_IDLE, now);
	l->since = now;
}

/* Has it started since we heard of it last?  A run has a name where the Engine has said
 * so; that it was thought to have ended means nothing then. */
static bool has_started(struct cont *c, const struct apply_container *s)
{
	bool other = s->run == 0 ? !c->running : s->run != c->run;
	bool first = c->running && !c->run_known; /* its name comes after it */

	if (!s->running)
		return false;
	c->run_known = s->run != 0 || (c->running && c->run_known);
	return other && !first;
}

static void tell_links(struct apply *a, const struct cont *c,
                       void (*what)(struct link *, int64_t), int64_t now)
{
	for (size_t i = 0; i < a->n_bindings; i++) {
		struct link *l = find_link(a->bindings[i], c);

		if (l != NULL)
			what(l, now);
	}
}

static void look_soon(struct link *l, int64_t now)
{
	if (l->state == LINK_WATCH) {
		l->at = now;
		l->look_again = true;
	}
}

static void update(struct apply *a, struct cont *c, const struct apply_container *s,
                   int64_t now)
{
	bool started = has_started(c, s), ended = c->running && !s->running;
	bool changed = started || ended || c->health != s->health || c->run != s->run;

	c->running = s->running;
	c->health = s->health;
	c->run = s->run != 0 ? s->run : c->run;
	c->started_at = s->started_at;
	if (started)
		tell_links(a, c, apply_started, now);
	if (ended)
		tell_links(a, c, stopped, now);
	if (changed) {
		tell_links(a, c, apply_reassess, now);
		tell_links(a, c, look_soon, now);
	}
}

int apply_container(struct apply *a, const struct apply_container *s, int64_t now,
                    struct err *e)
{
	struct cont *c = find_cont(a, s->id);
	char name[64];
	char *copy;

	apply_clean(name, sizeof(name), s->name);
	if ((copy = strdup(name)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (c != NULL)
		update(a, c, s, now);
	else if ((c = add_cont(a, s, e)) == NULL) {
		free(copy);
		return ERR_NOMEM;
	}
	free(c->name);
	c->name = copy;
	c->gone = false;
	return set_links(a, c, s, now, e);
}

static void went(struct link *l, int64_t now)
{
	l->stray = true;
	if (l->state == LINK_WATCH)
		apply_fail(l, "removed while it was watched", now);
	else if (l->state == LINK_BACKOFF)
		apply_move(l, LINK_IDLE, now);
}

void apply_container_gone(struct apply *a, const char *id, int64_t now)
{
	struct cont *c = find_cont(a, id);

	if (c == NULL)
		return;
	c->gone = true;
	c->running = false;
	tell_links(a, c, went, now);
}

/* --- the loop ------------------------------------------------------------------------
 */

static bool is_done(const struct link *l)
{
	return l->stray && l->state == LINK_IDLE && l->call == 0;
}

static void drop_links(struct binding *b)
{
	for (size_t i = b->n_links; i > 0; i--) {
		struct link *l = b->links[i - 1];

		if (!is_done(l))
			continue;
		l->c->links--;
		free(l);
		memmove(&b->links[i - 1], &b->links[i],
		        (b->n_links - i) * sizeof(struct link *));
		b->n_links--;
	}
}

/* Calls that are under way keep what they are about. */
static void tidy(struct apply *a)
{
	for (size_t i = a->n_bindings; i > 0; i--) {
		struct binding *b = a->bindings[i - 1];

		drop_links(b);
		if (b->forgotten && b->n_links == 0 &&
		    (b->host == NULL || b->host->call == 0)) {
			free_binding(b);
			a->bindings[i - 1] = a->bindings[--a->n_bindings];
		}
	}
	for (size_t i = a->n_conts; i > 0; i--) {
		struct cont *c = a->conts[i - 1];

		if (c->gone && c->links == 0) {
			free_cont(c);
			a->conts[i - 1] = a->conts[--a->n_conts];
		}
	}
}

int64_t apply_due(struct apply *a, int64_t now)
{
	do {
		a->progress = false;
		a->next = -1;
		for (size_t i = 0; i < a->n_bindings; i++)
			apply_step(a, a->bindings[i], now);
	} while (a->progress);
	tidy(a);
	return a->next;
}
