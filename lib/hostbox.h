/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_HOSTBOX_H
#define LIB_HOSTBOX_H
/*
 * hostbox - what the vault and one login of a host say to each other, under the key that
 * both have of that login: docs/host-protocol.md, "Sessions".
 *
 *   nonce 24 || XChaCha20-Poly1305 ciphertext || tag 16
 *   associated data: "vault/host-session/v1" NUL || u8 who speaks || operation NUL
 *
 * The nonces are random: either side may say as much as it likes.
 */
#include <stddef.h>

#include "util.h"

#define HOSTBOX_KEY      32u
#define HOSTBOX_OVERHEAD 40u

enum hostbox_says { HOSTBOX_VAULT = 1, HOSTBOX_HOST = 2 };

/** hostbox_seal(key, who, op, p, n, out): ${out} has n + HOSTBOX_OVERHEAD bytes and does
 * not overlap ${p}.  ${op} has at most 32 bytes. */
void hostbox_seal(const unsigned char key[HOSTBOX_KEY], enum hostbox_says who,
                  const char *op, const void *p, size_t n, unsigned char *out);
/** hostbox_open(key, who, op, p, n, out): ${out} has ${n} bytes, n - HOSTBOX_OVERHEAD of
 * which are set.  0, or -1: not said by ${who} with this key for this operation. */
int hostbox_open(const unsigned char key[HOSTBOX_KEY], enum hostbox_says who,
                 const char *op, const void *p, size_t n, unsigned char *out) MUST_CHECK;

#endif
