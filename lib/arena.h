/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARENA_H
#define ARENA_H
/*
 * arena - wiped memory for one request.
 *
 * Chunks come from anonymous mappings that are excluded from core dumps; everything
 * that was handed out is wiped at arena_reset() and arena_free().  Freed chunks are kept
 * in a small per-process pool.  There is no per-object free.  Failure is sticky: after
 * an allocation was refused arena_failed() is true until the next reset, so that a tree
 * can be built without a check per node and be judged once.  Not thread-safe.
 * Long-lived keys do not belong here: see keymem.
 */
#include <stdbool.h>
#include <stddef.h>

#include "util.h"

struct arena;

/** arena_new(max): an empty arena that hands out at most ${max} bytes; NULL if out of
 * memory. */
struct arena *arena_new(size_t max) MUST_CHECK;

/** arena_free(a): wipe and release; NULL is allowed. */
void arena_free(struct arena *a);

/** arena_reset(a): wipe what was handed out, keep the arena, clear the failure mark. */
void arena_reset(struct arena *a);

/**
 * arena_alloc(a, n): ${n} zeroed bytes, aligned to 16, valid until reset.  NULL (and the
 * failure mark) if the maximum would be passed or memory is exhausted.
 */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;

/** arena_dup(a, p, n): a copy of ${n} bytes followed by a NUL that is not counted. */
void *arena_dup(struct arena *a, const void *p, size_t n) MUST_CHECK;

/** arena_str(a, s): a copy of the string ${s}; NULL stays NULL. */
char *arena_str(struct arena *a, const char *s) MUST_CHECK;

/** arena_printf(a, fmt, ...): formatted text in the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/** arena_failed(a): was an allocation refused since the last reset? */
bool arena_failed(const struct arena *a);

/** arena_used(a): bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);

/** arena_trim(): give the pool's chunks back to the system, the smallest aside. */
void arena_trim(void);

#define AUTO_ARENA __attribute__((cleanup(arena_auto_free))) struct arena *
static inline void arena_auto_free(struct arena **a)
{
	arena_free(*a);
}

#endif
