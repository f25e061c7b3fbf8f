/* SPDX-License-Identifier: Apache-2.0 */
/* queue - requests that wait for their batch. */
#include "batch_impl.h"

#include <string.h>

#include "crl_ask.h"
#include "metrics.h"
#include "pwhash.h"
#include "step.h"
#include "vault/limits.h"

#define QUEUE_BYTES (64u * 1024 * 1024)
#define QUEUE_ITEMS 65536u
#define LARGE_FRAME (8u * 1024) /* worth an arena that is let go of at parking */

void item_free(struct item *it)
{
	struct arena *a = it->r.a;

	if (it->wait.kind == WAIT_ARGON)
		pwhash_forget(it->r.core, it->wait.key);
	else if (it->wait.kind == WAIT_STEP)
		step_forget(it->r.core, it->wait.key);
	else if (it->wait.kind == WAIT_CRL)
		crl_forget(it->r.core, it->wait.key);
	arena_free(it->run);
	arena_free(it->r.in);
	arena_free(a); /* the item lives in it */
}

static void drop_req(struct req *r)
{
	item_free((struct item *)(void *)r);
}

void queue_open(struct batch *b)
{
	for (size_t i = 0; i < LANES; i++)
		b->lane[i].last = &b->lane[i].first;
}

/* The one of this peer, else one that nobody uses; with too many peers, one is shared. */
static struct lane *lane_of(struct batch *b, uint64_t peer)
{
	struct lane *unused = &b->lane[peer % LANES];

	for (size_t i = 0; i < LANES; i++) {
		struct lane *l = &b->lane[i];

		if (l->first != NULL && l->peer == peer)
			return l;
		if (l->first == NULL && unused->first != NULL)
			unused = l;
	}
	unused->peer = peer;
	return unused;
}

int core_submit(struct core *c, uint64_t peer, uint64_t id, const void *payload, size_t n)
{
	struct batch *b = c->batch;
	struct lane *l;
	struct arena *a;
	struct item *it;

	if (b->items >= QUEUE_ITEMS || b->bytes + n > QUEUE_BYTES)
		return ERR_BUSY;
	a = arena_new(LIMIT_REQUEST_ARENA);
	if (a == NULL)
		return ERR_NOMEM;
	it = arena_alloc(a, sizeof(*it));
	if (it != NULL && n > LARGE_FRAME)
		it->r.in = arena_new(LIMIT_REQUEST_ARENA);
	if (it == NULL || (n > LARGE_FRAME && it->r.in == NULL) ||
	    (it->payload = arena_dup(n > LARGE_FRAME ? it->r.in : a, payload, n)) ==
	            NULL) {
		if (it != NULL)
			arena_free(it->r.in);
		arena_free(a);
		return ERR_NOMEM;
	}
	it->n = n;
	it->peer = peer;
	it->id = id;
	it->r.core = c;
	it->r.a = a;
	it->wait.req = &it->r;
	l = lane_of(b, peer);
	*l->last = it;
	l->last = &it->next;
	b->items++;
	b->bytes += n;
	return ERR_OK;
}

static struct item *lane_pop(struct batch *b, struct lane *l)
{
	struct item *it = l->first;

	if (it == NULL)
		return NULL;
	l->first = it->next;
	if (l->first == NULL)
		l->last = &l->first;
	it->next = NULL;
	b->items--;
	b->bytes -= it->n;
	return it;
}

static struct item *woken(struct core *c)
{
	struct req *r = waits_take(c->waits);

	if (r != NULL)
		r->resumed++;
	return (struct item *)(void *)r;
}

struct item *next_item(struct core *c)
{
	struct batch *b = c->batch;
	struct item *it = NULL;

	for (size_t i = 0; it == NULL && i <= LANES; i++) {
		b->turn = (b->turn + 1) % (LANES + 1);
		it = b->turn == LANES ? woken(c) : lane_pop(b, &b->lane[b->turn]);
	}
	return it;
}

void queue_close(struct batch *b)
{
	for (size_t i = 0; i < LANES; i++) {
		struct item *it;

		while ((it = lane_pop(b, &b->lane[i])) != NULL)
			item_free(it);
	}
}

/* Remove from a lane what ${id} (or, with all set, the whole peer) has left there. */
static void lane_drop(struct batch *b, struct lane *l, uint64_t peer, uint64_t id,
                      bool all)
{
	struct item **at = &l->first;

	while (*at != NULL) {
		struct item *it = *at;

		if (it->peer == peer && (all || it->id == id)) {
			*at = it->next;
			b->items--;
			b->bytes -= it->n;
			item_free(it);
		} else {
			at = &it->next;
		}
	}
	l->last = at;
}

static void queue_drop(struct batch *b, uint64_t peer, uint64_t id, bool all)
{
	for (size_t i = 0; i < LANES; i++)
		lane_drop(b, &b->lane[i], peer, id, all);
}

void core_cancel(struct core *c, uint64_t peer, uint64_t id)
{
	struct req *r = waits_cancel(c->waits, peer, id);

	if (r != NULL)
		drop_req(r);
	else
		queue_drop(c->batch, peer, id, false);
}

size_t core_queued(const struct core *c)
{
	return c->batch->items;
}

void core_drop_peer(struct core *c, uint64_t peer)
{
	struct req *r;

	metrics_peer_gone(c, peer);
	while ((r = waits_cancel_peer(c->waits, peer)) != NULL)
		drop_req(r);
	queue_drop(c->batch, peer, 0, true);
}
