/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RNG_H
#define RNG_H
/*
 * rng - randomness.  Everything random goes through libsodium's randombytes, whose
 * implementation the simulator replaces (randombytes_set_implementation).  rng_bytes()
 * buffers small requests, because one system call per nonce shows up in profiles.  The
 * buffer is one page per thread: locked where the limit allows, excluded from dumps,
 * emptied by the kernel in a forked child; a byte is wiped as it is handed out.
 */
#include <stddef.h>

/** rng_bytes(p, n): fill ${p} with ${n} random bytes.  Cannot fail. */
void rng_bytes(void *p, size_t n);

/** rng_forget(): drop what this thread has buffered (when the implementation changes). */
void rng_forget(void);

/** rng_uuid4(out): a random UUID as 36 characters and a NUL. */
void rng_uuid4(char out[37]);

#endif
