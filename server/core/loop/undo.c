/* SPDX-License-Identifier: Apache-2.0 */
/* undo - what is undone with a savepoint, and what follows a COMMIT. */
#include "batch_impl.h"

#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "db.h"
#include "mutant.h"
#include "store.h"

static void hooks_add(struct batch *b, struct hooks *h, void (*fn)(void *), void *arg)
{
	if (h->n == h->cap) {
		size_t cap = h->cap > 0 ? h->cap * 2 : 32;
		struct hook *at = realloc(h->at, cap * sizeof(*at));

		if (at == NULL) {
			b->oom = true;
			return;
		}
		h->at = at;
		h->cap = cap;
	}
	h->at[h->n++] = (struct hook){ fn, arg };
}

bool core_in_batch(const struct core *c)
{
	return c->batch->running;
}

void core_undo(struct core *c, void (*fn)(void *arg), void *arg)
{
	if (c->batch->running)
		hooks_add(c->batch, &c->batch->undo, fn, arg);
}

void core_after_commit(struct core *c, void (*fn)(void *arg), void *arg)
{
	if (c->batch->running)
		hooks_add(c->batch, &c->batch->after, fn, arg);
	else
		fn(arg);
}

void core_wake(struct core *c, enum wait_kind kind, const unsigned char key[16])
{
	struct wakes *w = &c->batch->wakes;

	if (!c->batch->running) {
		waits_wake(c->waits, kind, key);
		return;
	}
	if (w->n == w->cap) {
		size_t cap = w->cap > 0 ? w->cap * 2 : 64;
		struct wake *at = realloc(w->at, cap * sizeof(*at));

		if (at == NULL) {
			c->batch->oom = true;
			return;
		}
		w->at = at;
		w->cap = cap;
	}
	w->at[w->n].kind = kind;
	memcpy(w->at[w->n++].key, key, 16);
}

void rewind_to(struct core *c, const struct mark *m)
{
	struct batch *b = c->batch;

	while (b->undo.n > m->undo) {
		struct hook *h = &b->undo.at[--b->undo.n];

		if (!MUTANT(MUTANT_STALE_MIRROR))
			h->fn(h->arg);
	}
	b->after.n = m->after;
	b->wakes.n = m->wakes;
	b->push_state = m->push_state;
}

struct mark mark_now(const struct batch *b)
{
	return (struct mark){ b->undo.n, b->after.n, b->wakes.n, b->push_state };
}

void savepoint_mark(struct core *c)
{
	audit_mark(c);
	store_state_mark(c);
}

int savepoint_back(struct core *c, const struct mark *m, struct err *e)
{
	rewind_to(c, m);
	audit_rewind(c);
	store_state_rewind(c);
	return db_rollback_to(c->db, e);
}
