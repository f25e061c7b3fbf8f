/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_clock - the wall clock is stepped under rotations. */
#include <string.h>

#include "arena.h"
#include "log.h"
#include "rotation.h"
#include "rotation_due.h"

#define SLICE   64   /* attempts whose times follow a step in one run of the timer */
#define STEP_MS 2000 /* less is the ordinary work of a time daemon */

/* A suspended machine moves both clocks, a step the one on the wall alone. */
static int64_t moved_by(const struct rotation_state *s, int64_t wall, int64_t boot)
{
	int64_t moved = wall - boot - s->offset_ms;

	return s->offset_ms != 0 && (moved > STEP_MS || moved < -STEP_MS) ? moved : 0;
}

bool rotation_clock_stepped(const struct core *c)
{
	int64_t boot = clock_boot(c->clock);

	return boot >= c->rotation->look_ms &&
	       moved_by(c->rotation, clock_wall(c->clock), boot) != 0;
}

bool rotation_clock_moved(const struct core *c)
{
	return moved_by(c->rotation, c->now_ms, c->boot_ms) != 0;
}

/* ---- one attempt ---- */

void rotation_clock_mark(const struct core *c, struct rotation_attempt *t)
{
	t->offset_ms = c->now_ms - c->boot_ms;
	t->life = c->rotation->life;
}

/* What was stored before the vault was unsealed is from before any step that is known. */
bool rotation_clock_follow(const struct core *c, struct rotation_attempt *t)
{
	const struct rotation_state *s = c->rotation;
	int64_t from = t->life == s->life ? t->offset_ms : s->first_ms;
	int64_t by = c->now_ms - c->boot_ms - from;

	if (from == 0 || (by <= STEP_MS && by >= -STEP_MS))
		return false;
	if (t->next_ms > 0)
		t->next_ms += by;
	if (t->hold_ms > 0)
		t->hold_ms += by;
	t->deadline_ms += by;
	rotation_clock_mark(c, t);
	return true;
}

/* ---- all of them ---- */

struct under_way {
	struct store_object at[SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct under_way *d = ctx;

	(void)e;
	d->at[d->n++] = *o;
	return ERR_OK;
}

static int follow_one(struct core *c, struct arena *a, const struct store_object *o,
                      struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_read(c, a, o, &t, e);

	if (rc != ERR_OK)
		return rc == ERR_INTEGRITY ? ERR_OK : rc;
	return rotation_clock_follow(c, &t) ? rotation_attempt_save(c, a, &t, e) : ERR_OK;
}

/* Whoever has followed already is left alone: it does no harm to begin again. */
static void follow_again(void *arg)
{
	struct core *c = arg;

	if (c->rotation == NULL)
		return;
	c->rotation->following = true;
	c->rotation->followed_len = 0;
}

int rotation_clock_slice(struct core *c, struct arena *a, struct err *e)
{
	struct rotation_state *s = c->rotation;
	struct store_object after = { .due = s->followed_due, .id_len = s->followed_len };
	struct under_way *d;
	int rc;

	if (!s->following)
		return ERR_OK;
	if ((d = arena_alloc(a, sizeof(*d))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->n = 0;
	memcpy(after.id, s->followed, s->followed_len);
	rc = store_due_page(c, a, KIND_ATTEMPT, s->followed_len > 0 ? &after : NULL,
	                    SLICE, collect, d, e);
	for (size_t i = 0; rc == ERR_OK && i < d->n; i++)
		rc = follow_one(c, a, &d->at[i], e);
	if (rc != ERR_OK)
		return rc;
	core_undo(c, follow_again, c);
	s->following = d->n == SLICE;
	if (s->following) {
		s->followed_due = d->at[SLICE - 1].due;
		s->followed_len = d->at[SLICE - 1].id_len;
		memcpy(s->followed, d->at[SLICE - 1].id, s->followed_len);
	}
	return ERR_OK;
}

/* ---- the step ---- */

static void unshift(void *arg)
{
	struct core *c = arg;

	if (c->rotation != NULL)
		c->rotation->offset_ms = c->rotation->before_ms;
}

void rotation_watch_clock(struct core *c)
{
	struct rotation_state *s = c->rotation;
	int64_t moved = moved_by(s, c->now_ms, c->boot_ms);

	/* A batch that steps may look again, and be undone then. */
	if (moved != 0)
		s->before_ms = s->offset_ms;
	s->offset_ms = c->now_ms - c->boot_ms;
	if (s->first_ms == 0)
		s->first_ms = s->offset_ms;
	if (moved == 0)
		return;
	s->stepped = true;
	s->replanned = s->replanning = false;
	log_warn("the wall clock was stepped", LOG_N("by_ms", moved));
	core_undo(c, unshift, c);
	follow_again(c);
}
