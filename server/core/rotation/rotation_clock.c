/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_clock - the wall clock is stepped under rotations. */
#include "arena.h"
#include "log.h"
#include "rotation.h"
#include "rotation_due.h"

#define SHIFT_MAX 512  /* attempts whose times follow a step of the clock */
#define STEP_MS   2000 /* less is the ordinary work of a time daemon */

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

struct under_way {
	struct store_object *at;
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct under_way *d = ctx;

	(void)e;
	d->at[d->n++] = *o;
	return ERR_OK;
}

/* What an attempt waits for, it waits for by elapsed time. */
static int shift_one(struct core *c, struct arena *a, const struct store_object *o,
                     int64_t by, struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_read(a, o, &t, e);

	if (rc != ERR_OK)
		return rc;
	if (t.next_ms > 0)
		t.next_ms += by;
	if (t.hold_ms > 0)
		t.hold_ms += by;
	t.deadline_ms += by;
	return rotation_attempt_save(c, a, &t, e);
}

static void unshift(void *arg)
{
	struct core *c = arg;

	if (c->rotation != NULL)
		c->rotation->offset_ms = c->rotation->before_ms;
}

int rotation_watch_clock(struct core *c, struct arena *a, struct err *e)
{
	struct rotation_state *s = c->rotation;
	int64_t moved = moved_by(s, c->now_ms, c->boot_ms);
	struct under_way d = { .n = 0 };
	int rc = ERR_OK;

	/* A batch that steps may look again, and be undone then. */
	if (moved != 0)
		s->before_ms = s->offset_ms;
	s->offset_ms = c->now_ms - c->boot_ms;
	if (moved == 0)
		return ERR_OK;
	s->stepped = true;
	s->replanned = s->replanning = false;
	log_warn("the wall clock was stepped", LOG_N("by_ms", moved));
	core_undo(c, unshift, c);
	d.at = arena_alloc(a, SHIFT_MAX * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_ATTEMPT, INT64_MAX, SHIFT_MAX, collect, &d, e);
	for (size_t i = 0; rc == ERR_OK && i < d.n; i++) {
		rc = shift_one(c, a, &d.at[i], moved, e);
		if (rc == ERR_INTEGRITY)
			rc = ERR_OK;
	}
	return rc;
}
