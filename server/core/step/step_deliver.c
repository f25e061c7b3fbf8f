/* SPDX-License-Identifier: Apache-2.0 */
/* step_deliver - how calls end: their owners are told, requests take what they waited
 * for.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "step_impl.h"

/* Behind its deadline rotate ends a rotator, which takes it a few seconds. */
#define GRACE_MS    15000
#define RETRY_MS    1000
#define OWNER_ARENA ((size_t)16 * 1024 * 1024)

/* When a call has to be looked at again; 0: now. */
static int64_t next_of(const struct step *s)
{
	switch (s->state) {
	case WAITING:
		return s->deadline_ms;
	case SENT:
		return s->deadline_ms + GRACE_MS;
	case DONE:
		return s->not_before_ms;
	default:
		return INT64_MAX;
	}
}

/* Deadlines of calls that rotate does not end by itself, and results nobody took. */
static void expire(struct core *c, int64_t now)
{
	struct kept *next;

	for (struct step *s = c->steps->first; s != NULL; s = s->next) {
		if (s->state == DONE || next_of(s) > now)
			continue;
		if (s->state == WAITING) {
			step_finish_unknown(s, false, "the rotate role was not there");
			continue;
		}
		step_tell_cancel(s, true);
		step_finish_unknown(s, true, "the rotate role did not answer in time");
	}
	for (struct kept *k = c->steps->kept; k != NULL; k = next) {
		next = k->next;
		if (k->until_ms <= now)
			step_kept_drop(k);
	}
}

bool steps_due(struct core *c)
{
	int64_t now = clock_boot(c->clock);

	expire(c, now);
	for (const struct step *s = c->steps->first; s != NULL; s = s->next)
		if (s->state == DONE && s->not_before_ms <= now)
			return true;
	return false;
}

int64_t steps_next_ms(struct core *c)
{
	int64_t next = INT64_MAX;

	for (const struct step *s = c->steps->first; s != NULL; s = s->next)
		next = next_of(s) < next ? next_of(s) : next;
	for (const struct kept *k = c->steps->kept; k != NULL; k = k->next)
		next = k->until_ms < next ? k->until_ms : next;
	return next == INT64_MAX ? -1 : next;
}

struct step *steps_take(struct core *c)
{
	struct step *s = c->steps->first;

	while (s != NULL && (s->state != DONE || s->not_before_ms > c->boot_ms))
		s = s->next;
	return s;
}

static void undo_delivery(void *arg)
{
	struct step *s = arg;

	s->state = DONE;
}

int steps_deliver(struct core *c, struct step *s, struct err *e)
{
	AUTO_ARENA a = arena_new(OWNER_ARENA);

	s->state = DELIVERING;
	core_undo(c, undo_delivery, s);
	core_after_commit(c, step_settle, c);
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return step_owner_done(s->owner)(c, a, s->id, &s->result, e);
}

void steps_failed(struct core *c, struct step *s)
{
	s->not_before_ms = c->boot_ms + RETRY_MS;
	if (++s->tries < STEP_TRIES)
		return;
	log_error("the result of a rotator is dropped", LOG_N("tries", s->tries));
	step_drop(s);
}

/* ---- results that a request takes ---- */

void step_kept_drop(struct kept *k)
{
	struct kept **at = &k->core->steps->kept;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	arena_free(k->a);
	free(k);
}

static void undo_keep(void *arg)
{
	step_kept_drop(arg);
}

int step_keep(struct core *c, const unsigned char id[STEP_ID],
              const struct step_result *r, struct err *e)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	k->a = arena_new(STEP_REPLY_ARENA);
	if (k->a != NULL)
		step_result_copy(k->a, r, &k->result);
	if (k->a == NULL || arena_failed(k->a)) {
		arena_free(k->a);
		free(k);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	k->core = c;
	memcpy(k->id, id, STEP_ID);
	k->until_ms = c->boot_ms + STEP_KEEP_MS;
	k->next = c->steps->kept;
	c->steps->kept = k;
	core_undo(c, undo_keep, k);
	core_after_commit(c, step_settle, c);
	core_wake(c, WAIT_STEP, id);
	return ERR_OK;
}

static struct kept *find_kept(const struct core *c, const unsigned char id[STEP_ID])
{
	struct kept *k = c->steps->kept;

	while (k != NULL && (!k->committed || memcmp(k->id, id, STEP_ID) != 0))
		k = k->next;
	return k;
}

int step_take(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
              struct step_result *out)
{
	struct kept *k = find_kept(c, id);
	struct step_result r;

	if (k == NULL)
		return ERR_NOENT;
	step_result_copy(a, &k->result, &r);
	if (arena_failed(a))
		return ERR_NOMEM;
	*out = r;
	step_kept_drop(k);
	return ERR_OK;
}

void step_forget(struct core *c, const unsigned char id[STEP_ID])
{
	struct kept *k;

	if (c->steps == NULL)
		return;
	if ((k = find_kept(c, id)) != NULL)
		step_kept_drop(k);
	for (struct step *s = c->steps->first; s != NULL; s = s->next)
		if (s->owner == STEP_FOR_REQUEST && memcmp(s->id, id, STEP_ID) == 0)
			s->cancelled = true;
	core_after_commit(c, step_settle, c);
}
