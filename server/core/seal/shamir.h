/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SHAMIR_H
#define SERVER_CORE_SHAMIR_H
/*
 * shamir - secret sharing of a 32-byte key over GF(2^8), byte by byte (polynomial 0x11b).
 *
 * No table and no branch depends on a secret.  Share i has x = i + 1.  Knows nothing of
 * checks on shares: see seal.
 */
#include <stdint.h>

#include "err.h"

#define SHAMIR_SECRET 32

/** shamir_split(secret, n, t, y, e): ${y}[0..n-1] such that any ${t} of them make
 * ${secret}, and fewer tell nothing; 1 <= t <= n <= 255.  ERR_NOMEM if key memory is
 * exhausted. */
int shamir_split(const uint8_t secret[SHAMIR_SECRET], int n, int t,
                 uint8_t (*y)[SHAMIR_SECRET], struct err *e) MUST_CHECK;

/** shamir_combine(x, y, t, out): the secret from ${t} shares; -1 if an ${x} is 0 or
 * appears twice. Wrong or too few shares give a wrong secret: check the shares before and
 * the result after. */
int shamir_combine(const uint8_t *x, const uint8_t (*y)[SHAMIR_SECRET], int t,
                   uint8_t out[SHAMIR_SECRET]) MUST_CHECK;

/** shamir_mul(a, b), shamir_inv(a): the field's product and inverse (of 0: 0). */
uint8_t shamir_mul(uint8_t a, uint8_t b);
uint8_t shamir_inv(uint8_t a);

#endif
