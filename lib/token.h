/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKEN_H
#define TOKEN_H
/*
 * token - the text form of what vaultd hands out.
 *
 *   vlt_<type>_, 43 base62 digits (256 random bits), 6 base62 digits (CRC-32 of all that)
 *
 * type: s service, j join, w wrap, b batch, r recovery.  The checksum lets a typo be
 * refused without a look at the database and lets a scanner confirm a candidate.
 */
#include <stdbool.h>
#include <stddef.h>

#define TOKEN_TEXT_LEN 55

/** token_new(type, out): a fresh random token and a NUL. */
void token_new(char type, char out[TOKEN_TEXT_LEN + 1]);
/** token_valid(s, n, type): right shape, checksum and (unless ${type} is 0) type? */
bool token_valid(const char *s, size_t n, char type);

/* A token that carries its content: the same prefix and checksum around base64url. */
#define TOKEN_PACKED_LEN(n) (6 + ((n)*4 + 2) / 3 + 6)
/** token_pack(type, p, n, out): ${out} has TOKEN_PACKED_LEN(n) bytes and one for the NUL.
 */
void token_pack(char type, const void *p, size_t n, char *out);
/** token_unpack(s, n, type, out, cap): the content, which nobody has vouched for yet:
 * bytes written, or -1 for a wrong shape, checksum, type, or too much for ${cap}. */
long token_unpack(const char *s, size_t n, char type, void *out, size_t cap);

#endif
