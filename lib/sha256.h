/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHA256_H
#define SHA256_H
/*
 * sha256 - SHA-256 by nettle, which uses the processor's own instructions where there are
 * any (libsodium's does not: a quarter of the speed).  Not for secrets of low entropy,
 * and no key: keyed hashes are libsodium's BLAKE2b.
 */
#include <nettle/sha2.h>
#include <stddef.h>

#define SHA256_BYTES 32u

struct sha256 {
	struct sha256_ctx ctx;
};

/** sha256_start(h), sha256_add(h, p, n), sha256_end(h, out): in pieces. */
void sha256_start(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *p, size_t n);
void sha256_end(struct sha256 *h, unsigned char out[SHA256_BYTES]);
/** sha256_of(out, p, n): in one go; ${p} may be NULL if ${n} is 0. */
void sha256_of(unsigned char out[SHA256_BYTES], const void *p, size_t n);

#endif
