/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define BEAT_MS 1000

/* The end, remembered: 0, or -1. */
static int ended(struct stream *s, int r)
{
	if (s->ended == 0)
		s->ended = r == 0 ? 1 : -1;
	return s->ended > 0 ? 0 : -1;
}

/* The next piece as the stream makes it. */
static int pull(struct stream *s, const uint8_t **p, size_t *n)
{
	int r = s->ended == 0;

	*n = 0;
	while (r > 0 && *n == 0)
		r = s->next(s, p, n);
	return r > 0 ? r : ended(s, r);
}

int stream_next(struct stream *s, const uint8_t **p, size_t *n)
{
	int r;

	if (s->head_n > 0) {
		*p = s->head;
		*n = s->head_n;
		s->head_n = 0;
		s->taken += *n;
		return 1;
	}
	if (s->rest_n > 0) {
		*p = s->rest;
		*n = s->rest_n;
		s->rest_n = 0;
		s->taken += *n;
		return 1;
	}
	r = pull(s, p, n);
	if (r > 0)
		s->taken += *n;
	return r;
}

static int pull_into(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	int r = s->ended == 0;

	*n = 0;
	while (r > 0 && *n == 0)
		r = s->fill(s, p, cap, n);
	if (r <= 0)
		return ended(s, r);
	s->taken += *n;
	return r;
}

int stream_fill(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	const uint8_t *piece;
	size_t got;
	int r;

	if (s->head_n == 0 && s->rest_n == 0 && s->fill != NULL)
		return pull_into(s, p, cap, n);
	r = stream_next(s, &piece, &got);
	if (r <= 0)
		return r;
	*n = got < cap ? got : cap;
	memcpy(p, piece, *n);
	/* A head fits: if there is more it is of a piece, and nothing else is left. */
	if (*n < got) {
		s->rest = piece + *n;
		s->rest_n = got - *n;
		s->taken -= s->rest_n;
	}
	return r;
}

size_t stream_peek(struct stream *s, const uint8_t **p)
{
	while (!s->peeked && s->head_n < STREAM_PEEK && s->rest_n == 0) {
		size_t take;

		if (pull(s, &s->rest, &s->rest_n) <= 0) {
			s->rest_n = 0;
			break;
		}
		take = STREAM_PEEK - s->head_n < s->rest_n ? STREAM_PEEK - s->head_n
		                                           : s->rest_n;
		memcpy(s->head + s->head_n, s->rest, take);
		s->head_n += take;
		s->rest += take;
		s->rest_n -= take;
	}
	s->peeked = true;
	*p = s->head;
	return s->head_n;
}

int stream_drain(struct stream *s)
{
	const uint8_t *p;
	size_t n;
	int r;

	while ((r = stream_next(s, &p, &n)) > 0)
		;
	return r;
}

/* Until there is something to read, however long a pipe takes. */
static void wait_input(struct stream_fd *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	while (poll(&pfd, 1, BEAT_MS) == 0)
		s->beat(s->ctx);
}

static ssize_t read_some(struct stream_fd *s, uint8_t *p, size_t want)
{
	ssize_t n;

	do {
		if (s->beat != NULL)
			wait_input(s);
		n = s->positioned ? pread(s->fd, p, want, (off_t)s->at)
		                  : read(s->fd, p, want);
	} while (n < 0 && errno == EINTR);
	return n;
}

static int fd_fill(struct stream *base, uint8_t *p, size_t cap, size_t *n)
{
	struct stream_fd *s = (struct stream_fd *)base;
	size_t want = s->left < cap ? (size_t)s->left : cap;
	ssize_t got;

	if (want == 0)
		return 0;
	got = read_some(s, p, want);
	if (got < 0) {
		base->why = "it could not be read";
		return -1;
	}
	if (got == 0 && s->positioned) {
		base->why = "it ends too early";
		return -1;
	}
	*n = (size_t)got;
	s->at += (uint64_t)got;
	if (s->left != UINT64_MAX)
		s->left -= (uint64_t)got;
	return got > 0;
}

static int fd_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct stream_fd *s = (struct stream_fd *)base;

	*p = s->buffer;
	return fd_fill(base, s->buffer, s->cap, n);
}

void stream_fd_init(struct stream_fd *s, int fd, uint8_t *buffer, size_t cap)
{
	memset(s, 0, sizeof(*s));
	s->s.next = fd_next;
	s->s.fill = fd_fill;
	s->fd = fd;
	s->buffer = buffer;
	s->cap = cap;
	s->left = UINT64_MAX;
}

void stream_fd_range(struct stream_fd *s, int fd, uint64_t offset, uint64_t size,
                     uint8_t *buffer, size_t cap)
{
	stream_fd_init(s, fd, buffer, cap);
	s->positioned = true;
	s->at = offset;
	s->left = size;
}

static int mem_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct stream_mem *s = (struct stream_mem *)base;

	if (s->n == 0)
		return 0;
	*p = s->p;
	*n = s->n;
	s->n = 0;
	return 1;
}

void stream_mem_init(struct stream_mem *s, const void *p, size_t n)
{
	memset(s, 0, sizeof(*s));
	s->s.next = mem_next;
	s->p = p;
	s->n = n;
}
