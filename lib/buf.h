/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUF_H
#define BUF_H
/*
 * buf - a bounded queue of bytes that is wiped as it is taken from.
 *
 * The memory is a mapping of its own that is excluded from core dumps and grows by moving
 * pages, so that no copy stays behind.  Bytes live at p[start] … p[start + len - 1].
 */
#include <stdbool.h>
#include <stddef.h>

#include "util.h"

struct buf {
	unsigned char *p;
	size_t start;
	size_t len;
	size_t cap;
	size_t max; /* of len */
};

/** buf_reserve(b, n): room for ${n} more bytes behind the last; false if out of memory or
 * beyond the maximum.  Moves the bytes. */
bool buf_reserve(struct buf *b, size_t n) MUST_CHECK;

/** buf_tail(b), buf_room(b): where the next byte goes, and how many fit there. */
static inline unsigned char *buf_tail(struct buf *b)
{
	return b->p + b->start + b->len;
}
static inline size_t buf_room(const struct buf *b)
{
	return b->cap - b->start - b->len;
}

/** buf_add(b, p, n): append; false as for buf_reserve(). */
bool buf_add(struct buf *b, const void *p, size_t n) MUST_CHECK;

/** buf_take(b, n): wipe and drop the first ${n} bytes. */
void buf_take(struct buf *b, size_t n);

/** buf_free(b): wipe and release; ${b} is empty and can be used again. */
void buf_free(struct buf *b);

#define AUTO_BUF __attribute__((cleanup(buf_free))) struct buf

#endif
