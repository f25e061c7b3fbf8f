/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_POISON
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON
#endif

/* Under AddressSanitizer only bytes that are handed out may be touched. */
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* Chunks of 4 KiB, 16 KiB, 64 KiB, 256 KiB and 1 MiB are kept, 4 MiB of each at most:
 * KEPT of the smallest, a quarter as many of each next class.  Larger ones never are.
 * Smallest chunks are mapped BATCH at a time. */
#define ALIGN   16u
#define CLASSES 5u
#define KEPT    1024u
#define BATCH   16u

/* Invariant: every byte of a chunk that is not handed out, header aside, is zero. */
struct chunk {
	struct chunk *next; /* older chunk of the same arena */
	size_t size;        /* header included */
	size_t used;        /* header included */
	size_t pad;
};

struct arena {
	struct chunk *top;
	size_t used;
	size_t max;
	bool failed;
};

#define HEADER    sizeof(struct chunk)
#define ARENA_LEN ((sizeof(struct arena) + ALIGN - 1) / ALIGN * ALIGN)
_Static_assert(HEADER % ALIGN == 0, "what follows the header must be aligned");

static struct {
	struct chunk *free[CLASSES][KEPT];
	size_t n[CLASSES];
} pool;

static size_t class_size(size_t step)
{
	return (size_t)4096 << (2 * step);
}

/* The smallest class that holds ${size} bytes, CLASSES if none does. */
static size_t class_for(size_t size)
{
	size_t step = 0;

	while (step < CLASSES && class_size(step) < size)
		step++;
	return step;
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	               -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, size, MADV_DONTDUMP) != 0) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

/* One mapping serves BATCH small chunks: a parked request keeps just one of them. */
static struct chunk *map_small(void)
{
	size_t size = class_size(0);
	unsigned char *p = map(BATCH * size);

	if (p == NULL)
		return NULL;
	for (size_t i = 1; i < BATCH; i++)
		pool.free[0][pool.n[0]++] = (struct chunk *)(void *)(p + i * size);
	return (struct chunk *)(void *)p;
}

static struct chunk *take(size_t step, size_t size)
{
	struct chunk *c;

	if (step < CLASSES && pool.n[step] > 0)
		c = pool.free[step][--pool.n[step]];
	else
		c = step == 0 ? map_small() : map(size);
	if (c == NULL)
		return NULL;
	UNPOISON(c, size);
	c->next = NULL;
	c->size = size;
	c->used = HEADER;
	POISON((unsigned char *)c + HEADER, size - HEADER);
	return c;
}

/* Wipe what was handed out after the first ${keep} bytes. */
static void wipe(struct chunk *c, size_t keep)
{
	unsigned char *p = (unsigned char *)c;

	UNPOISON(p + keep, c->size - keep);
	sodium_memzero(p + keep, c->used - keep);
	POISON(p + keep, c->size - keep);
	c->used = keep;
}

static void give_back(struct chunk *c)
{
	size_t step = class_for(c->size);
	size_t size = c->size;

	wipe(c, HEADER);
	if (step < CLASSES && pool.n[step] < (KEPT >> (2 * step))) {
		pool.free[step][pool.n[step]++] = c;
		return;
	}
	UNPOISON(c, size);
	munmap(c, size);
}

void arena_trim(void)
{
	for (size_t step = 1; step < CLASSES; step++)
		while (pool.n[step] > 0) {
			struct chunk *c = pool.free[step][--pool.n[step]];

			UNPOISON(c, class_size(step));
			munmap(c, class_size(step));
		}
}

static void *bump(struct chunk *c, size_t n)
{
	unsigned char *p = (unsigned char *)c + c->used;

	c->used += n;
	return p;
}

struct arena *arena_new(size_t max)
{
	struct chunk *c = take(0, class_size(0));
	struct arena *a;

	if (c == NULL)
		return NULL;
	a = bump(c, ARENA_LEN);
	UNPOISON(a, sizeof(*a));
	a->top = c;
	/* Rounded as requests are, so that one of exactly ${max} bytes fits. */
	a->max = max > SIZE_MAX / 4 ? SIZE_MAX / 4 : (max + ALIGN - 1) / ALIGN * ALIGN;
	return a;
}

/* The arena itself lives in its first chunk. */
static struct chunk *release_later_chunks(struct arena *a)
{
	struct chunk *c = a->top;

	while (c->next != NULL) {
		struct chunk *older = c->next;

		give_back(c);
		c = older;
	}
	return c;
}

void arena_free(struct arena *a)
{
	if (a != NULL)
		give_back(release_later_chunks(a));
}

void arena_reset(struct arena *a)
{
	a->top = release_later_chunks(a);
	wipe(a->top, HEADER + ARENA_LEN);
	a->used = 0;
	a->failed = false;
}

/* A chunk of the class after the last one's, or as large as the request needs. */
static bool grow(struct arena *a, size_t n)
{
	size_t step = class_for(a->top->size) + 1;
	struct chunk *c;
	size_t size;

	if (step >= CLASSES)
		step = CLASSES - 1;
	if (class_for(n + HEADER) > step)
		step = class_for(n + HEADER);
	size = step < CLASSES ? class_size(step) : (n + HEADER + 4095) / 4096 * 4096;
	c = take(step, size);
	if (c == NULL)
		return false;
	c->next = a->top;
	a->top = c;
	return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t len = n == 0 ? ALIGN : (n + ALIGN - 1) / ALIGN * ALIGN;
	void *p;

	if (n > a->max - a->used || len > a->max - a->used ||
	    (len > a->top->size - a->top->used && !grow(a, len))) {
		a->failed = true;
		return NULL;
	}
	a->used += len;
	p = bump(a->top, len);
	UNPOISON(p, n);
	return p;
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
	char *copy = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	if (copy != NULL && n != 0)
		memcpy(copy, p, n);
	return copy;
}

char *arena_str(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_dup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		a->failed = true;
	else
		text = arena_alloc(a, (size_t)n + 1);
	if (text == NULL)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
