/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#define BUF_MIN  ((size_t)16 * 1024)
#define BUF_KEEP ((size_t)1024 * 1024) /* an empty buffer above this size is released */

static bool resize(struct buf *b, size_t cap)
{
	unsigned char *p;

	if (b->p != NULL) {
		p = mremap(b->p, b->cap, cap, MREMAP_MAYMOVE);
	} else {
		p = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		         -1, 0);
		if (p != MAP_FAILED && madvise(p, cap, MADV_DONTDUMP) != 0) {
			munmap(p, cap);
			p = MAP_FAILED;
		}
	}
	if (p == MAP_FAILED)
		return false;
	b->p = p;
	b->cap = cap;
	return true;
}

static void move_to_front(struct buf *b)
{
	if (b->start == 0)
		return;
	memmove(b->p, b->p + b->start, b->len);
	sodium_memzero(b->p + b->len, b->start);
	b->start = 0;
}

bool buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap != 0 ? b->cap : BUF_MIN;

	if (n > b->max - b->len)
		return false;
	if (b->p != NULL && n <= buf_room(b))
		return true;
	if (b->p != NULL)
		move_to_front(b);
	while (cap - b->len < n)
		cap *= 2;
	return cap == b->cap || resize(b, cap);
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return false;
	if (n != 0)
		memcpy(buf_tail(b), p, n);
	b->len += n;
	return true;
}

void buf_take(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	sodium_memzero(b->p + b->start, n);
	b->len -= n;
	b->start = b->len != 0 ? b->start + n : 0;
	if (b->len == 0 && b->cap > BUF_KEEP) {
		munmap(b->p, b->cap);
		b->p = NULL;
		b->cap = 0;
	}
}

void buf_free(struct buf *b)
{
	if (b->p != NULL) {
		sodium_memzero(b->p + b->start, b->len);
		munmap(b->p, b->cap);
	}
	b->p = NULL;
	b->start = b->len = b->cap = 0;
}
