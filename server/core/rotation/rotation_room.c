/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotation_room - how many attempts work right now, and where.
 *
 * Asked for each attempt that waits, so it is answered from memory: the rows of those
 * that work are noted when they are saved.  After a rollback, or an unseal, the notes are
 * made anew from the rows.
 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "rotation.h"
#include "rotation_room.h"
#include "rotation_state.h"

#define LOAD_ARENA ((size_t)256 * 1024 * 1024)
#define TURN_MS    5 /* between two looks for room, of all that wait */
#define TURNS_MS   (10ll * 60 * 1000)

struct note {
	unsigned char id[16];
	unsigned char target[32]; /* zeros: none */
	bool alone;               /* it changes how all others log in there */
	bool waits;               /* it has not begun, and is noted for being alone */
	bool calls;               /* the target is asked in its state … */
	bool asked;               /* … and was, without an answer yet */
};

struct rotation_room {
	struct note *at;
	size_t n, cap;
	bool noted;      /* all that work are noted */
	int64_t turn_ms; /* wall time of the next look that nobody has taken yet */
};

struct rotation_room *rotation_room_new(void)
{
	return calloc(1, sizeof(struct rotation_room));
}

void rotation_room_clear(struct rotation_room *r)
{
	r->noted = false;
	r->turn_ms = 0;
}

void rotation_room_free(struct rotation_room *r)
{
	if (r != NULL)
		free(r->at);
	free(r);
}

static bool waits(const struct rotation_attempt *t)
{
	return t->alone && t->state == ATTEMPT_CLAIMED;
}

static bool asked(const struct rotation_attempt *t)
{
	return t->op != NULL && t->op[0] != '\0';
}

/* A call that retires an old value is work; the time until it is made is none. */
static bool works(const struct rotation_attempt *t)
{
	switch (t->state) {
	case ATTEMPT_CHECKING:
	case ATTEMPT_GENERATED:
	case ATTEMPT_SETTING:
	case ATTEMPT_SET:
	case ATTEMPT_TESTED:
	case ATTEMPT_REVERTING:
		return true;
	case ATTEMPT_PROPAGATING:
		return !t->overdue;
	case ATTEMPT_RETIRING:
		return asked(t);
	default:
		return false;
	}
}

/* Not while holders are waited for, which may be long. */
static bool calls(const struct rotation_attempt *t)
{
	if (t->state == ATTEMPT_PROPAGATING)
		return false;
	return t->state != ATTEMPT_REVERTING || !t->undo_published || t->overdue ||
	       (t->waiting == 0 && !t->marking);
}

static void remove_note(struct rotation_room *r, const unsigned char id[16])
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(r->at[i].id, id, 16) == 0) {
			r->at[i] = r->at[--r->n];
			return;
		}
}

static int add_note(struct rotation_room *r, const struct rotation_attempt *t)
{
	struct note *more;

	if (r->n == r->cap) {
		more = realloc(r->at, (2 * r->cap + 16) * sizeof(*more));
		if (more == NULL)
			return -1;
		r->at = more;
		r->cap = 2 * r->cap + 16;
	}
	r->at[r->n] = (struct note){
		.alone = t->alone,
		.waits = waits(t),
		.calls = !waits(t) && calls(t),
		.asked = asked(t),
	};
	memcpy(r->at[r->n].id, t->o.id, 16);
	if (t->o.tag_len == sizeof(r->at[0].target))
		memcpy(r->at[r->n].target, t->o.tag, sizeof(r->at[0].target));
	r->n++;
	return 0;
}

static void forget(void *room)
{
	((struct rotation_room *)room)->noted = false;
}

void rotation_room_note(struct core *c, const struct rotation_attempt *t)
{
	struct rotation_room *r = rotation_room_of(c);

	if (!r->noted)
		return;
	remove_note(r, t->o.id);
	if ((works(t) || waits(t)) && add_note(r, t) != 0)
		r->noted = false;
	core_undo(c, forget, r);
}

void rotation_room_left(struct core *c, const unsigned char id[16])
{
	struct rotation_room *r = rotation_room_of(c);

	if (!r->noted)
		return;
	remove_note(r, id);
	core_undo(c, forget, r);
}

struct loading {
	struct core *c;
	struct rotation_room *room;
	struct arena *a;
};

static int load_one(void *ctx, struct store_object *o, struct err *e)
{
	struct loading *l = ctx;
	struct rotation_attempt t;
	int rc = rotation_attempt_read(l->c, l->a, o, &t, e);

	if (rc != ERR_OK || !(works(&t) || waits(&t)))
		return rc;
	return add_note(l->room, &t) == 0 ? ERR_OK
	                                  : err_set(e, ERR_NOMEM, "out of memory");
}

/* What works has a time at which it is looked at. */
static int load(struct core *c, struct rotation_room *r, struct err *e)
{
	AUTO_ARENA a = arena_new(LOAD_ARENA);
	struct loading l = { .c = c, .room = r, .a = a };
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	r->n = 0;
	rc = store_due(c, a, KIND_ATTEMPT, INT64_MAX, 0, load_one, &l, e);
	r->noted = rc == ERR_OK;
	core_undo(c, forget, r);
	return rc;
}

/* How it looks at one target. */
struct look {
	int64_t all;   /* that work, here and elsewhere */
	int64_t here;  /* … */
	bool calls;    /* one of those here may ask the target */
	bool asked;    /* one has done so, and waits for the answer */
	bool reserved; /* it is for one alone, now or next */
	bool taken;    /* … now */
};

/* ${but}: an attempt that does not count; NULL: all do. */
static int look(struct core *c, const unsigned char *target, const unsigned char *but,
                struct look *out, struct err *e)
{
	struct rotation_room *r = rotation_room_of(c);
	int rc = r->noted ? ERR_OK : load(c, r, e);

	*out = (struct look){ 0 };
	for (size_t i = 0; rc == ERR_OK && i < r->n; i++) {
		const struct note *n = &r->at[i];

		if (but != NULL && memcmp(n->id, but, sizeof(n->id)) == 0)
			continue;
		out->all += !n->waits;
		if (target == NULL || memcmp(n->target, target, sizeof(n->target)) != 0)
			continue;
		out->here += !n->waits;
		out->calls = out->calls || n->calls;
		out->asked = out->asked || (n->asked && !n->waits);
		out->reserved = out->reserved || (n->alone && (n->waits || n->calls));
		out->taken = out->taken || (n->alone && n->calls);
	}
	return rc;
}

int rotation_room(struct core *c, const unsigned char *target, int64_t at_once, bool *ok,
                  struct err *e)
{
	struct look at;
	int rc = look(c, target, NULL, &at, e);

	*ok = at.all < ROTATION_RUNNING && at.here < at_once && !at.reserved;
	return rc;
}

int rotation_room_alone(struct core *c, const unsigned char target[32],
                        const unsigned char id[16], bool *ok, struct err *e)
{
	struct look at;
	int rc = look(c, target, id, &at, e);

	*ok = at.all < ROTATION_RUNNING && !at.calls;
	return rc;
}

int rotation_may_ask(struct core *c, const struct rotation_attempt *t, bool *ok,
                     struct err *e)
{
	struct look at;
	int rc = look(c, t->o.tag, t->o.id, &at, e);

	*ok = t->alone ? !at.asked : !at.taken;
	return rc;
}

int64_t rotation_turn_ms(struct core *c, int64_t least)
{
	struct rotation_room *r = rotation_room_of(c);
	int64_t soonest = c->now_ms + least;

	if (r->turn_ms < soonest || r->turn_ms > soonest + TURNS_MS)
		r->turn_ms = soonest;
	r->turn_ms += TURN_MS;
	return r->turn_ms - TURN_MS;
}
