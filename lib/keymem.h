/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYMEM_H
#define KEYMEM_H
/*
 * keymem - the locked memory that long-lived keys live in (at most 256 KiB a process).
 *
 * memfd_secret(2) where the kernel has it, else an anonymous mapping; guard pages on both
 * sides; MADV_DONTFORK, MADV_DONTDUMP; locked, and the lock is checked.  Bump-allocated
 * with a free list per size; freed blocks are wiped.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define KEYMEM_MAX (256u * 1024)

/**
 * keymem_init(allow_unlocked, e): map the area once per process.  ERR_NOMEM with the
 * limit to raise when it cannot be locked and ${allow_unlocked} is false.
 */
int keymem_init(bool allow_unlocked, struct err *e) MUST_CHECK;

/** keymem_alloc(n): ${n} zeroed bytes of key memory, or NULL when the area is exhausted.
 */
void *keymem_alloc(size_t n) MUST_CHECK;

/** keymem_free(p, n): wipe and give back; NULL is allowed. */
void keymem_free(void *p, size_t n);

/** keymem_mode(): "secret", "locked" or "unlocked": what status reports. */
const char *keymem_mode(void);

#endif
