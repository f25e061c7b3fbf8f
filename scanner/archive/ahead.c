/* SPDX-License-Identifier: Apache-2.0 */
#include "ahead.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK ((size_t)256 << 10)
#define RING  ((size_t)AHEAD_SLOTS * AHEAD_SLOT)

struct ahead {
	struct stream s;
	struct stream *in; /* NULL: none is open */
	uint8_t *ring;
	size_t most[AHEAD_SLOTS]; /* bytes that a slot has held: to be wiped */
	size_t own;               /* bytes that the reader has made itself */
	bool begun;               /* the helper has been asked */

	pthread_t thread;
	pthread_mutex_t lock;   /* of what follows */
	pthread_cond_t changed; /* one of the two at most waits, for the other */
	bool running;           /* ${in} is the helper's */
	bool stop, quit;
	unsigned made, taken; /* pieces; modulo 2^32: the reader has slot ${taken} */
	size_t n[AHEAD_SLOTS];
	int end; /* of ${in}, as stream_fill() told */
};

static uint8_t *slot(const struct ahead *a, unsigned piece)
{
	return a->ring + (size_t)(piece % AHEAD_SLOTS) * AHEAD_SLOT;
}

/* The next piece into its slot, which the other thread does not touch meanwhile. */
static int make(struct ahead *a, unsigned piece)
{
	size_t *n = &a->n[piece % AHEAD_SLOTS], *most = &a->most[piece % AHEAD_SLOTS];
	int r = stream_fill(a->in, slot(a, piece), AHEAD_SLOT, n);

	if (r > 0 && *most < *n)
		*most = *n;
	return r;
}

static void run(struct ahead *a)
{
	while (!a->stop && !a->quit) {
		int r;

		if (a->made - a->taken == AHEAD_SLOTS) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		r = make(a, a->made);
		pthread_mutex_lock(&a->lock);
		if (r <= 0) {
			a->end = r;
			break;
		}
		a->made++;
		pthread_cond_signal(&a->changed);
	}
	a->running = false;
	pthread_cond_signal(&a->changed);
}

static void *help(void *ctx)
{
	struct ahead *a = ctx;

	pthread_mutex_lock(&a->lock);
	while (!a->quit) {
		if (a->running)
			run(a);
		else
			pthread_cond_wait(&a->changed, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static bool start_thread(struct ahead *a)
{
	pthread_attr_t attr;
	bool ok;

	if (pthread_attr_init(&attr) != 0)
		return false;
	ok = pthread_attr_setstacksize(&attr, STACK) == 0 &&
	     pthread_create(&a->thread, &attr, help, a) == 0;
	(void)pthread_attr_destroy(&attr);
	return ok;
}

struct ahead *ahead_new(void)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->changed, NULL);
	a->ring = mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	               -1, 0);
	if (a->ring != MAP_FAILED && start_thread(a))
		return a;
	if (a->ring != MAP_FAILED)
		(void)munmap(a->ring, RING);
	free(a);
	return NULL;
}

void ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->quit = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	(void)pthread_join(a->thread, NULL);
	(void)pthread_cond_destroy(&a->changed);
	(void)pthread_mutex_destroy(&a->lock);
	(void)munmap(a->ring, RING);
	free(a);
}

/* While the helper has nothing to do with it. */
static int make_own(struct ahead *a, const uint8_t **p, size_t *n)
{
	int r = make(a, 0);

	if (r <= 0) {
		a->s.why = a->in->why;
		return r;
	}
	a->own += a->n[0];
	*p = slot(a, 0);
	*n = a->n[0];
	return 1;
}

static int ahead_next(struct stream *s, const uint8_t **p, size_t *n)
{
	struct ahead *a = (struct ahead *)s;
	int r = 1;

	if (a->own < AHEAD_SLOT)
		return make_own(a, p, n);
	pthread_mutex_lock(&a->lock);
	if (a->begun)
		a->taken++;
	else
		a->begun = a->running = true;
	pthread_cond_signal(&a->changed);
	while (a->made == a->taken && a->running)
		pthread_cond_wait(&a->changed, &a->lock);
	if (a->made == a->taken) {
		r = a->end;
		s->why = a->in->why;
	} else {
		*p = slot(a, a->taken);
		*n = a->n[a->taken % AHEAD_SLOTS];
	}
	pthread_mutex_unlock(&a->lock);
	return r;
}

struct stream *ahead_open(struct ahead *a, struct stream *in)
{
	if (a == NULL || a->in != NULL)
		return in;
	memset(&a->s, 0, sizeof(a->s));
	a->s.next = ahead_next;
	a->in = in;
	a->made = a->taken = 0;
	a->begun = a->stop = false;
	a->own = 0;
	return &a->s;
}

void ahead_close(struct ahead *a, struct stream *s)
{
	if (a == NULL || s != &a->s)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->changed);
	while (a->running)
		pthread_cond_wait(&a->changed, &a->lock);
	pthread_mutex_unlock(&a->lock);
	for (unsigned i = 0; i < AHEAD_SLOTS; i++) {
		sodium_memzero(slot(a, i), a->most[i]);
		a->most[i] = 0;
	}
	a->in = NULL;
}
