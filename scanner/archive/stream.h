/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_STREAM_H
#define SCANNER_STREAM_H
/*
 * stream - bytes that are pulled, piece by piece, without copies: a descriptor, a part of
 * one, memory, a decompressor over another stream, a member of an archive.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util.h"

#define STREAM_PEEK 512u

struct stream {
	/* The next piece, borrowed until the next call: 1, 0 at the end, -1 and ${why}.
	   After 0 or -1 it is not called again. */
	int (*next)(struct stream *s, const uint8_t **p, size_t *n);
	/* The same into ${p}, at most ${cap} bytes, where that saves a copy; or NULL. */
	int (*fill)(struct stream *s, uint8_t *p, size_t cap, size_t *n);
	const char *why; /* a literal */
	/* what has been looked at */
	uint8_t head[STREAM_PEEK];
	size_t head_n;
	bool peeked;
	const uint8_t *rest; /* of the piece that filled ${head} */
	size_t rest_n;
	int ended; /* 0; 1 at the end; -1 failed */
	uint64_t taken;
};

/** stream_next(s, p, n): see struct stream; ${n} is never 0 with a result of 1. */
int stream_next(struct stream *s, const uint8_t **p, size_t *n) MUST_CHECK;
/** stream_fill(s, p, cap, n): the same into memory of the caller's, of at least
 * STREAM_PEEK bytes; the first ones may be few. */
int stream_fill(struct stream *s, uint8_t *p, size_t cap, size_t *n) MUST_CHECK;
/** stream_peek(s, p): the first bytes, at most STREAM_PEEK, which stream_next() gives
 * again; fewer only if the stream ends or fails there.  Before the first
 * stream_next(). */
size_t stream_peek(struct stream *s, const uint8_t **p);
/** stream_drain(s): read to the end; 0, or -1. */
int stream_drain(struct stream *s) MUST_CHECK;

/* A descriptor, from where it is or from an offset. */
struct stream_fd {
	struct stream s;
	int fd;
	uint8_t *buffer; /* borrowed */
	size_t cap;
	uint64_t left;
	uint64_t at;
	bool positioned;
	void (*beat)(void *ctx); /* while nothing comes, or NULL */
	void *ctx;
};
/** stream_fd_init(s, fd, buffer, cap): all that can be read; ${fd} stays the caller's. */
void stream_fd_init(struct stream_fd *s, int fd, uint8_t *buffer, size_t cap);
/** stream_fd_range(s, fd, offset, size, …): exactly that part of a file; fails if the
 * file is shorter. */
void stream_fd_range(struct stream_fd *s, int fd, uint64_t offset, uint64_t size,
                     uint8_t *buffer, size_t cap);

struct stream_mem {
	struct stream s;
	const uint8_t *p;
	size_t n;
};
/** stream_mem_init(s, p, n): borrowed memory. */
void stream_mem_init(struct stream_mem *s, const void *p, size_t n);

#endif
