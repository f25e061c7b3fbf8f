/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u

struct waits {
	struct wait_entry *by_key[BUCKETS];
	struct wait_entry *by_client[BUCKETS];
	struct wait_entry **heap; /* from 1; earliest deadline at 1 */
	size_t n, cap;
	struct wait_entry *ready_first, **ready_last;
	unsigned char hash_key[crypto_shorthash_KEYBYTES]; /* bucket choice is no secret,
	                                                      but keys may be chosen */
};

int waits_open(struct core *c, struct err *e)
{
	struct waits *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->ready_last = &w->ready_first;
	randombytes_buf(w->hash_key, sizeof(w->hash_key));
	c->waits = w;
	return ERR_OK;
}

static size_t bucket(const struct waits *w, const void *p, size_t n)
{
	unsigned char h[crypto_shorthash_BYTES];

	crypto_shorthash(h, p, n, w->hash_key);
	return ((size_t)h[0] | (size_t)h[1] << 8) % BUCKETS;
}

static size_t key_bucket(const struct waits *w, enum wait_kind kind,
                         const unsigned char key[16])
{
	unsigned char b[17];

	b[0] = (unsigned char)kind;
	memcpy(b + 1, key, 16);
	return bucket(w, b, sizeof(b));
}

static size_t client_bucket(const struct waits *w, uint64_t peer, uint64_t id)
{
	uint64_t b[2] = { peer, id };

	return bucket(w, b, sizeof(b));
}

static void heap_place(struct waits *w, size_t at, struct wait_entry *en)
{
	w->heap[at] = en;
	en->heap_at = at;
}

static void heap_up(struct waits *w, size_t at, struct wait_entry *en)
{
	while (at > 1 && w->heap[at / 2]->deadline_ms > en->deadline_ms) {
		heap_place(w, at, w->heap[at / 2]);
		at /= 2;
	}
	heap_place(w, at, en);
}

static void heap_down(struct waits *w, size_t at, struct wait_entry *en)
{
	for (;;) {
		size_t kid = at * 2;

		if (kid > w->n)
			break;
		if (kid < w->n &&
		    w->heap[kid + 1]->deadline_ms < w->heap[kid]->deadline_ms)
			kid++;
		if (w->heap[kid]->deadline_ms >= en->deadline_ms)
			break;
		heap_place(w, at, w->heap[kid]);
		at = kid;
	}
	heap_place(w, at, en);
}

static void heap_remove(struct waits *w, struct wait_entry *en)
{
	size_t at = en->heap_at;
	struct wait_entry *last = w->heap[w->n--];

	en->heap_at = 0;
	if (last == en)
		return;
	if (at > 1 && w->heap[at / 2]->deadline_ms > last->deadline_ms)
		heap_up(w, at, last);
	else
		heap_down(w, at, last);
}

static void unlink_key(struct wait_entry *en)
{
	assert(en->key_at != NULL);
	*en->key_at = en->key_next;
	if (en->key_next != NULL)
		en->key_next->key_at = en->key_at;
	en->key_at = NULL;
}

static void unlink_client(struct wait_entry *en)
{
	*en->client_at = en->client_next;
	if (en->client_next != NULL)
		en->client_next->client_at = en->client_at;
	en->client_at = NULL;
}

int waits_park(struct waits *w, struct wait_entry *en)
{
	struct wait_entry **kb = &w->by_key[key_bucket(w, en->kind, en->key)];
	struct wait_entry **cb = &w->by_client[client_bucket(w, en->peer, en->id)];

	if (w->n + 2 > w->cap) {
		size_t cap = w->cap > 0 ? w->cap * 2 : 64;
		struct wait_entry **heap = realloc(w->heap,
		                                   cap * sizeof(struct wait_entry *));

		if (heap == NULL)
			return ERR_NOMEM;
		w->heap = heap;
		w->cap = cap;
	}
	en->key_next = *kb;
	en->key_at = kb;
	if (*kb != NULL)
		(*kb)->key_at = &en->key_next;
	*kb = en;
	en->client_next = *cb;
	en->client_at = cb;
	if (*cb != NULL)
		(*cb)->client_at = &en->client_next;
	*cb = en;
	heap_up(w, ++w->n, en);
	return ERR_OK;
}

/* Parked -> ready: it stays findable by its client. */
static void make_ready(struct waits *w, struct wait_entry *en)
{
	unlink_key(en);
	heap_remove(w, en);
	en->ready_next = NULL;
	*w->ready_last = en;
	w->ready_last = &en->ready_next;
}

void waits_wake(struct waits *w, enum wait_kind kind, const unsigned char key[16])
{
	struct wait_entry *en = w->by_key[key_bucket(w, kind, key)];

	while (en != NULL) {
		struct wait_entry *next = en->key_next;

		if (en->kind == kind && memcmp(en->key, key, 16) == 0)
			make_ready(w, en);
		en = next;
	}
}

void waits_expire(struct waits *w, int64_t boot_ms)
{
	while (w->n > 0 && w->heap[1]->deadline_ms <= boot_ms)
		make_ready(w, w->heap[1]);
}

struct req *waits_take(struct waits *w)
{
	struct wait_entry *en = w->ready_first;

	if (en == NULL)
		return NULL;
	w->ready_first = en->ready_next;
	if (w->ready_first == NULL)
		w->ready_last = &w->ready_first;
	unlink_client(en);
	return en->req;
}

bool waits_ready(const struct waits *w)
{
	return w->ready_first != NULL;
}

static struct req *detach(struct waits *w, struct wait_entry *en)
{
	if (en->key_at != NULL) {
		unlink_key(en);
		heap_remove(w, en);
	} else {
		struct wait_entry **at = &w->ready_first;

		while (*at != en)
			at = &(*at)->ready_next;
		*at = en->ready_next;
		if (*at == NULL)
			w->ready_last = at;
	}
	unlink_client(en);
	return en->req;
}

struct req *waits_cancel(struct waits *w, uint64_t peer, uint64_t id)
{
	struct wait_entry *en = w->by_client[client_bucket(w, peer, id)];

	while (en != NULL && (en->peer != peer || en->id != id))
		en = en->client_next;
	return en != NULL ? detach(w, en) : NULL;
}

struct req *waits_cancel_peer(struct waits *w, uint64_t peer)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct wait_entry *en = w->by_client[b]; en != NULL;
		     en = en->client_next)
			if (en->peer == peer)
				return detach(w, en);
	return NULL;
}

int64_t waits_next_ms(const struct waits *w)
{
	return w->n > 0 ? w->heap[1]->deadline_ms : -1;
}

size_t waits_count(const struct waits *w)
{
	return w->n;
}

void waits_close(struct core *c, void (*drop)(struct req *r))
{
	struct waits *w = c->waits;
	struct req *r;

	if (w == NULL)
		return;
	waits_expire(w, INT64_MAX);
	while ((r = waits_take(w)) != NULL)
		drop(r);
	free(w->heap);
	free(w);
	c->waits = NULL;
}
