/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotation_pace - targets are spared a herd: so many scheduled rotations begin in a
 * minute, whichever minute one looks at.
 *
 * The moments of the last ones are stored with what has begun: a server that ends and
 * starts again and again begins no more of them than one that runs.
 */
#include <string.h>

#include "arena.h"
#include "rotation_due.h"

#define MINUTE_MS 60000
#define TURN_MS   (MINUTE_MS / ROTATION_STARTS)
#define TURNS_MS  (60ll * 60 * 1000) /* more than that begin again with the first */

struct begun {
	struct store_object o;
	int64_t wall[ROTATION_STARTS], boot[ROTATION_STARTS]; /* newest first; 0: none */
};

static int take(const struct value *list, int64_t out[ROTATION_STARTS])
{
	size_t n = 0;

	if (list == NULL)
		return 0;
	if (list->type != V_ARRAY)
		return -1;
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (n == ROTATION_STARTS || value_to_int(v, &out[n++]) != 0)
			return -1;
	return 0;
}

static int load(struct core *c, struct arena *a, struct begun *b, struct err *e)
{
	unsigned char id[32];
	int rc;

	memset(b, 0, sizeof(*b));
	store_blind(c, id, "setting", "rotation-starts", 15, NULL, 0);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &b->o, e);
	if (rc == ERR_NOENT) {
		b->o = (struct store_object){ .kind = KIND_SETTING,
			                      .id_len = sizeof(id) };
		memcpy(b->o.id, id, sizeof(id));
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	if (take(value_get(b->o.body, "wall"), b->wall) != 0 ||
	    take(value_get(b->o.body, "boot"), b->boot) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "the record of begun rotations is malformed");
	return ERR_OK;
}

/* The wall clock may be stepped; the other one begins anew with the machine. */
static int64_t age(const struct core *c, const struct begun *b, size_t i)
{
	return c->boot_ms >= b->boot[i] ? c->boot_ms - b->boot[i]
	                                : c->now_ms - b->wall[i];
}

/* Those that wait take turns: each looks again when it can be the next one. */
static int64_t take_turn(struct core *c, int64_t soonest)
{
	struct rotation_state *s = c->rotation;

	if (s->turn_ms < soonest || s->turn_ms > soonest + TURNS_MS)
		s->turn_ms = soonest;
	s->turn_ms += TURN_MS;
	return s->turn_ms - TURN_MS;
}

int rotation_pace(struct core *c, struct arena *a, bool waited, int64_t *later,
                  struct err *e)
{
	const size_t oldest = ROTATION_STARTS - 1;
	int64_t next = c->rotation->turn_ms, wait = 0, past;
	struct begun b;
	int rc = load(c, a, &b, e);

	*later = 0;
	if (rc != ERR_OK)
		return rc;
	past = age(c, &b, oldest);
	if (b.wall[oldest] != 0 && past >= 0 && past < MINUTE_MS)
		wait = MINUTE_MS - past;
	if (wait > 0 ||
	    (!waited && next > c->now_ms && next <= c->now_ms + MINUTE_MS + TURNS_MS))
		*later = take_turn(c, c->now_ms + wait);
	return ERR_OK;
}

int rotation_pace_begun(struct core *c, struct arena *a, struct err *e)
{
	struct value *wall = value_array(a), *boot = value_array(a);
	struct begun b;
	int rc = load(c, a, &b, e);

	if (rc != ERR_OK)
		return rc;
	value_add(wall, value_int(a, c->now_ms));
	value_add(boot, value_int(a, c->boot_ms));
	for (size_t i = 0; i + 1 < ROTATION_STARTS && b.wall[i] != 0; i++) {
		value_add(wall, value_int(a, b.wall[i]));
		value_add(boot, value_int(a, b.boot[i]));
	}
	b.o.body = value_object(a);
	value_set(b.o.body, "wall", wall);
	value_set(b.o.body, "boot", boot);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &b.o, e);
}
