/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STRUCTURE_H
#define STRUCTURE_H
/*
 * structure - tests of what a secret is made of: decoded JSON, keys, armour, pairs.
 *
 * Pure; thread safe.  Values are borrowed and need not end in a NUL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** structure_unbase64(s, n, out, cap): either alphabet, padding optional, white space and
 * escaped line ends skipped, stray bits allowed; bytes, or -1 for other bytes.  Output
 * beyond ${cap} is left out. */
long structure_unbase64(const char *s, size_t n, uint8_t *out, size_t cap);

/** structure_base64_starts(s, n, text): does the decoded text start with ${text}? */
bool structure_base64_starts(const char *s, size_t n, const char *text);

/** structure_jwt(s, n): the header is JSON that names an algorithm other than none. */
bool structure_jwt(const char *s, size_t n);

/** structure_jwt_sample(s, n): the payload is that of a documentation: John Doe, number
 * 1234567890, or a public key of a project (role anon). */
bool structure_jwt_sample(const char *s, size_t n);

/** structure_pair(s, n, pass, pass_n): base64 of printable "user:password"; where the
 * password is, in ${pass} of STRUCTURE_PAIR_MAX bytes. */
#define STRUCTURE_PAIR_MAX 512
bool structure_pair(const char *s, size_t n, char *pass, size_t *pass_n);

enum structure_key {
	STRUCTURE_KEY_NONE,      /* no key */
	STRUCTURE_KEY_PUBLISHED, /* with a package, for all to see */
	STRUCTURE_KEY_ENCRYPTED, /* a key under a pass phrase */
	STRUCTURE_KEY_PLAIN,
};

/** structure_pem(s, n): a block in PEM armour; ${s} begins with the first line. */
enum structure_key structure_pem(const char *s, size_t n);

/** structure_pgp(s, n): armour of PGP with a right CRC-24, or none, around a secret key.
 */
enum structure_key structure_pgp(const char *s, size_t n);

/** structure_aws_account(s, n): the account that an access key id of twenty characters
 * belongs to; 0 if it has none. */
uint64_t structure_aws_account(const char *s, size_t n);

/** structure_discord(s, n): the first part is the base64 of a user's number. */
bool structure_discord(const char *s, size_t n);

/** structure_pypi(s, n): "pypi-" and a macaroon that PyPI made. */
bool structure_pypi(const char *s, size_t n);

/** structure_curve_key(s, n): 64 digits of base 16, maybe after 0x: below the order of
 * secp256k1, not 0. */
bool structure_curve_key(const char *s, size_t n);

/** structure_chain_address(s, n): 0x and 40 digits, the address of an account or a
 * contract of a block chain, which everybody may know. */
bool structure_chain_address(const char *s, size_t n);
#endif
