/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation_tally.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mutant.h"
#include "rotation_due.h"
#include "vault/limits.h"

static struct tally *find(const struct core *c, const unsigned char attempt[16])
{
	for (size_t i = 0; c->rotation != NULL && i < TALLY_ATTEMPTS; i++) {
		struct tally *y = &c->rotation->tally[i];

		if (y->used && memcmp(y->attempt, attempt, sizeof(y->attempt)) == 0)
			return y;
	}
	return NULL;
}

static struct tally *unused(const struct core *c)
{
	for (size_t i = 0; c->rotation != NULL && i < TALLY_ATTEMPTS; i++)
		if (!c->rotation->tally[i].used)
			return &c->rotation->tally[i];
	return NULL;
}

/* ---- counting ---- */

static void undo_settled(void *arg)
{
	struct tally *y = arg;

	y->settled--;
	y->waiting++;
}

static void undo_applied(void *arg)
{
	struct tally *y = arg;

	undo_settled(y);
	y->applied--;
}

static void undo_begin(void *arg)
{
	struct tally *y = arg;

	y->used = false;
}

static bool counts(const struct tally *y, int64_t version)
{
	return y->counting == 0 || y->counting == version;
}

bool tally_count(struct core *c, const unsigned char attempt[16], int64_t version,
                 bool applied)
{
	struct tally *y = find(c, attempt);

	if (y == NULL || (counts(y, version) && y->waiting <= 1))
		return false;
	if (!counts(y, version))
		return true;
	y->waiting--;
	y->settled++;
	y->applied += applied;
	core_undo(c, applied ? undo_applied : undo_settled, y);
	return true;
}

bool tally_begin(struct core *c, const struct rotation_attempt *t, bool applied)
{
	struct tally *y = find(c, t->o.id) == NULL ? unused(c) : NULL;

	if (y == NULL || !core_in_batch(c) || t->waiting <= 0 || t->rejected > 0 ||
	    MUTANT(MUTANT_RETIRES_EARLY))
		return false;
	*y = (struct tally){
		.used = true,
		.counting = t->counting,
		.waiting = t->waiting,
		.settled = 1,
		.applied = applied,
	};
	memcpy(y->attempt, t->o.id, sizeof(y->attempt));
	core_undo(c, undo_begin, y);
	return true;
}

/* ---- reading and writing the attempt ---- */

void tally_merge(struct core *c, struct rotation_attempt *t)
{
	const struct tally *y = find(c, t->o.id);

	t->tallied = 0;
	if (y == NULL)
		return;
	t->waiting -= y->settled;
	t->applied += y->applied;
	t->tallied = y->settled;
}

struct written {
	struct tally *at, was;
};

static void undo_save(void *arg)
{
	struct written *w = arg;

	*w->at = w->was;
	free(w);
}

int tally_save(struct core *c, struct rotation_attempt *t, struct err *e)
{
	struct tally *y = find(c, t->o.id);
	struct written *w;

	if ((y != NULL ? y->settled : 0) != t->tallied)
		return err_set(e, ERR_CONFLICT,
		               "the object was changed by another request");
	if (y == NULL)
		return ERR_OK;
	if ((w = malloc(sizeof(*w))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*w = (struct written){ y, *y };
	t->tallied = 0;
	y->used = false;
	core_undo(c, undo_save, w);
	core_after_commit(c, free, w);
	return ERR_OK;
}

static int write_down(struct core *c, const struct tally *y, struct err *e)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	struct rotation_attempt t;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = rotation_attempt_load(c, a, y->attempt, &t, e);
	return rc == ERR_OK ? rotation_attempt_save(c, a, &t, e) : rc;
}

int rotation_flush(struct core *c, struct err *e)
{
	for (size_t i = 0; c->rotation != NULL && i < TALLY_ATTEMPTS; i++) {
		struct tally *y = &c->rotation->tally[i];
		int rc = y->used ? write_down(c, y, e) : ERR_OK;

		if (rc != ERR_OK && rc != ERR_NOENT)
			return rc;
		y->used = false; /* nobody has an attempt that is gone */
	}
	return ERR_OK;
}
