/* SPDX-License-Identifier: Apache-2.0 */
/* The helper that reads ahead: all pieces in order, and an end in every state. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "archive/ahead.h"

/* Pieces of different sizes, whose bytes tell their place. */
struct source {
	struct stream s;
	unsigned pieces, end_after; /* made; to be made */
	int end;                    /* 0, or -1 */
	uint64_t at;
	sem_t *may;              /* each piece waits for it; or NULL */
	_Atomic unsigned *taken; /* pieces that the reader has asked for; or NULL */
	pthread_t by;            /* who made the last one */
	uint8_t own[3 * AHEAD_SLOT];
};

static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 24);
}

static size_t size_of(unsigned piece)
{
	static const size_t sizes[] = { 1, 512, 100, 70000, AHEAD_SLOT, AHEAD_SLOT - 1 };

	return sizes[piece % ARRAY_LEN(sizes)];
}

static int make(struct source *s, uint8_t *p, size_t n)
{
	if (s->may != NULL)
		while (sem_wait(s->may) != 0)
			;
	s->by = pthread_self();
	if (s->pieces == s->end_after) {
		s->s.why = "it is at its end";
		return s->end;
	}
	/* What the reader had before it asked for another one is free again. */
	if (s->taken != NULL)
		cr_assert_lt(s->pieces, atomic_load(s->taken) - 1 + AHEAD_SLOTS);
	s->pieces++;
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(s->at + i);
	s->at += n;
	return 1;
}

static int source_fill(struct stream *base, uint8_t *p, size_t cap, size_t *n)
{
	struct source *s = (struct source *)base;

	*n = size_of(s->pieces) < cap ? size_of(s->pieces) : cap;
	return make(s, p, *n);
}

/* Of a stream that has memory of its own, and larger pieces. */
static int source_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct source *s = (struct source *)base;

	*p = s->own;
	*n = s->pieces % 2 == 0 ? sizeof(s->own) - 7 : 300;
	return make(s, s->own, *n);
}

static struct source *source_new(unsigned pieces, int end)
{
	struct source *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	s->s.next = source_next;
	s->s.fill = source_fill;
	s->end_after = pieces;
	s->end = end;
	return s;
}

static struct ahead *a;

static void setup(void)
{
	cr_assert_not_null(a = ahead_new());
}

static void teardown(void)
{
	ahead_free(a);
}

TestSuite(ahead, .init = setup, .fini = teardown, .timeout = 60);

/* At most ${most} pieces; how the last one ended. */
static int take(struct stream *s, unsigned most, uint64_t *bytes)
{
	const uint8_t *p;
	int r = 1;
	size_t n;

	*bytes = 0;
	while (most-- > 0 && (r = stream_next(s, &p, &n)) > 0) {
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(p[i], byte_at(*bytes + i), "%llu",
			             (unsigned long long)(*bytes + i));
		*bytes += n;
	}
	return r;
}

Test(ahead, everything_in_order)
{
	struct source *src = source_new(500, 0);
	struct stream *s = ahead_open(a, &src->s);
	uint64_t bytes;

	cr_assert_neq(s, &src->s);
	cr_assert_eq(take(s, UINT32_MAX, &bytes), 0);
	cr_assert_eq(bytes, src->at);
	cr_assert(!pthread_equal(src->by, pthread_self()));
	ahead_close(a, s);
	free(src);
}

Test(ahead, pieces_that_are_larger_than_a_buffer)
{
	struct source *src = source_new(40, 0);
	struct stream *s = ahead_open(a, &src->s);
	uint64_t bytes;

	src->s.fill = NULL;
	cr_assert_eq(take(s, UINT32_MAX, &bytes), 0);
	cr_assert_eq(bytes, src->at);
	ahead_close(a, s);
	free(src);
}

Test(ahead, an_end_or_a_failure_after_any_number_of_pieces)
{
	for (unsigned pieces = 0; pieces < 5 * AHEAD_SLOTS; pieces++)
		for (int end = -1; end <= 0; end++) {
			struct source *src = source_new(pieces, end);
			struct stream *s = ahead_open(a, &src->s);
			uint64_t bytes, none;

			cr_assert_eq(take(s, UINT32_MAX, &bytes), end);
			cr_assert_eq(bytes, src->at);
			cr_assert_eq(src->pieces, pieces);
			cr_assert_str_eq(s->why, "it is at its end");
			cr_assert_eq(take(s, 1, &none), end);
			ahead_close(a, s);
			free(src);
		}
}

Test(ahead, a_reader_that_stops_early)
{
	for (unsigned most = 0; most < 5 * AHEAD_SLOTS; most++) {
		struct source *src = source_new(UINT32_MAX, 0);
		struct stream *s = ahead_open(a, &src->s);
		uint64_t bytes;

		cr_assert_eq(take(s, most, &bytes), 1);
		ahead_close(a, s);
		/* Nobody is at it any more. */
		memset(src, 0xff, sizeof(*src));
		free(src);
	}
}

Test(ahead, never_more_than_the_ring_holds)
{
	_Atomic unsigned taken = 0;
	struct source *src = source_new(300, 0);
	struct stream *s = ahead_open(a, &src->s);
	const uint8_t *p;
	size_t n;

	src->taken = &taken;
	do
		atomic_fetch_add(&taken, 1);
	while (stream_next(s, &p, &n) > 0);
	cr_assert_eq(src->pieces, 300);
	ahead_close(a, s);
	free(src);
}

Test(ahead, a_source_that_is_slower)
{
	struct source *src = source_new(300, -1);
	struct stream *s = ahead_open(a, &src->s);
	const uint8_t *p;
	sem_t may;
	size_t n;

	cr_assert_eq(sem_init(&may, 0, 0), 0);
	src->may = &may;
	do
		cr_assert_eq(sem_post(&may), 0);
	while (stream_next(s, &p, &n) > 0);
	cr_assert_eq(src->pieces, 300);
	ahead_close(a, s);
	cr_assert_eq(sem_destroy(&may), 0);
	free(src);
}

Test(ahead, small_streams_need_no_helper)
{
	struct source *src = source_new(4, 0); /* of together less than a slot */
	struct stream *s = ahead_open(a, &src->s);
	const uint8_t *p;
	uint64_t bytes;

	cr_assert_eq(stream_peek(s, &p), STREAM_PEEK);
	cr_assert_eq(take(s, UINT32_MAX, &bytes), 0);
	cr_assert_eq(bytes, src->at);
	cr_assert(pthread_equal(src->by, pthread_self()));
	ahead_close(a, s);
	free(src);
}

Test(ahead, is_wiped)
{
	struct source *src = source_new(UINT32_MAX, 0);
	struct stream *s = ahead_open(a, &src->s);
	const uint8_t *p[2 * AHEAD_SLOTS];
	size_t n[2 * AHEAD_SLOTS];

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		cr_assert_eq(stream_next(s, &p[i], &n[i]), 1);
	ahead_close(a, s);
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		for (size_t k = 0; k < n[i]; k++)
			cr_assert_eq(p[i][k], 0, "%zu: %zu", i, k);
	free(src);
}

Test(ahead, one_stream_at_a_time)
{
	struct source *outer = source_new(3, 0), *inner = source_new(3, 0);
	struct stream *s = ahead_open(a, &outer->s);
	uint64_t bytes;

	cr_assert_eq(ahead_open(a, &inner->s), &inner->s);
	ahead_close(a, &inner->s);
	cr_assert_eq(take(s, UINT32_MAX, &bytes), 0);
	cr_assert_eq(bytes, outer->at);
	ahead_close(a, s);
	cr_assert_eq(ahead_open(NULL, &inner->s), &inner->s);
	ahead_close(NULL, &inner->s);
	free(outer);
	free(inner);
}

/* What stream_fill() gives, whatever the stream can and whoever has looked at it. */
static void fills(bool can, bool peeked, size_t cap)
{
	struct source *src = source_new(30, -1);
	uint8_t *out = malloc(cap);
	const uint8_t *p;
	uint64_t bytes = 0;
	size_t n;
	int r;

	if (!can)
		src->s.fill = NULL;
	if (peeked)
		cr_assert_eq(stream_peek(&src->s, &p), STREAM_PEEK);
	while ((r = stream_fill(&src->s, out, cap, &n)) > 0) {
		cr_assert(n > 0 && n <= cap);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(out[i], byte_at(bytes + i));
		bytes += n;
		cr_assert_eq(src->s.taken, bytes);
	}
	cr_assert_eq(r, -1);
	cr_assert_eq(bytes, src->at);
	cr_assert_eq(stream_fill(&src->s, out, cap, &n), -1);
	free(out);
	free(src);
}

Test(ahead, filling_memory_of_the_callers)
{
	static const size_t caps[] = { STREAM_PEEK, 1000, 65536, 4 * AHEAD_SLOT };

	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		for (int k = 0; k < 4; k++)
			fills(k & 1, k & 2, caps[i]);
}
