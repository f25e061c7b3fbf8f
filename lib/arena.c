/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 16u
#define FIRST_CHUNK (4u * 1024) /* thousands of parked requests keep one each */
#define SLAB (256u * 1024)      /* small chunks are cut from mappings of this size */

struct chunk {
	struct chunk *next;
	size_t size; /* of data */
	size_t used;
	size_t pad;
	unsigned char data[];
};

struct arena {
	struct chunk *head; /* the newest; the first one holds the arena itself */
	size_t max, used;
	bool failed;
};

static struct chunk *pool;

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, n, MADV_DONTDUMP);
	return p;
}

/* Fill the pool with the pieces of one mapping; they are never unmapped. */
static bool pool_fill(void)
{
	unsigned char *slab = map(SLAB);

	if (slab == NULL)
		return false;
	for (size_t at = 0; at < SLAB; at += FIRST_CHUNK) {
		struct chunk *c = (struct chunk *)(void *)(slab + at);

		c->size = FIRST_CHUNK - sizeof(*c);
		c->next = pool;
		pool = c;
	}
	return true;
}

static struct chunk *chunk_small(void)
{
	struct chunk *c;

	if (pool == NULL && !pool_fill())
		return NULL;
	c = pool;
	pool = c->next;
	c->next = NULL;
	c->used = 0;
	return c;
}

static struct chunk *chunk_large(size_t n)
{
	size_t size = (n + sizeof(struct chunk) + 4095) & ~(size_t)4095;
	struct chunk *c = map(size);

	if (c != NULL)
		c->size = size - sizeof(*c);
	return c;
}

static void chunk_free(struct chunk *c)
{
	sodium_memzero(c->data, c->used);
	if (c->size != FIRST_CHUNK - sizeof(*c)) {
		munmap(c, c->size + sizeof(*c));
		return;
	}
	c->used = 0;
	c->next = pool;
	pool = c;
}

struct arena *arena_new(size_t max)
{
	struct chunk *c = chunk_small();
	struct arena *a;

	if (c == NULL)
		return NULL;
	a = (struct arena *)(void *)c->data;
	c->used = (sizeof(*a) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	*a = (struct arena){ .head = c, .max = max };
	return a;
}

/* The chunk that holds the arena itself is the last of the list. */
static struct chunk *drop_chunks(struct arena *a)
{
	struct chunk *c = a->head;

	while (c->next != NULL) {
		struct chunk *next = c->next;

		chunk_free(c);
		c = next;
	}
	return c;
}

void arena_free(struct arena *a)
{
	if (a != NULL)
		chunk_free(drop_chunks(a));
}

void arena_reset(struct arena *a)
{
	struct chunk *c = drop_chunks(a);
	size_t keep = (sizeof(*a) + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	sodium_memzero(c->data + keep, c->used - keep);
	c->used = keep;
	a->head = c;
	a->used = 0;
	a->failed = false;
}

/* Bigger chunks as the arena grows, so that a large request takes few of them. */
static struct chunk *grow(struct arena *a, size_t n)
{
	size_t want = a->used < 64u * 1024 ? 16u * 1024 : 256u * 1024;
	struct chunk *c;

	if (n <= FIRST_CHUNK - sizeof(struct chunk) && a->used < FIRST_CHUNK)
		c = chunk_small();
	else
		c = chunk_large(n > want ? n : want);
	if (c == NULL)
		return NULL;
	c->next = a->head;
	a->head = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct chunk *c = a->head;
	size_t need;
	void *p;

	if (n > a->max - a->used) {
		a->failed = true;
		return NULL;
	}
	need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (need > c->size - c->used && (c = grow(a, need)) == NULL) {
		a->failed = true;
		return NULL;
	}
	p = c->data + c->used;
	c->used += need;
	a->used = a->used + need < a->max ? a->used + need : a->max;
	return p; /* zeroed: fresh mappings are, used memory is wiped before it comes back */
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
	unsigned char *copy = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	if (copy != NULL && n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *arena_str(struct arena *a, const char *s)
{
	return s != NULL ? arena_dup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *out;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (out = arena_alloc(a, (size_t)n + 1)) == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(out, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return out;
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
