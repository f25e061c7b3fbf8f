/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHECKSUM_H
#define CHECKSUM_H
/*
 * checksum - the checksums that providers build into their tokens.
 *
 * Each test takes the whole token, which need not end in a NUL, and says whether its
 * checksum is right; a token of another form is wrong.  Pure; thread safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** checksum_crc32_base62(s, n, skip): the last six characters are the CRC-32 of those
 * between the first ${skip} and them, in base62 (digits, upper, lower), padded with 0. */
bool checksum_crc32_base62(const char *s, size_t n, size_t skip);

/** checksum_crc32_hex(s, n, skip, upper): the last eight are the CRC-32 in hexadecimal;
 * one '_' before them is not part of the body. */
bool checksum_crc32_hex(const char *s, size_t n, size_t skip, bool upper);

/** checksum_crc32_le_hex(s, n): as Grafana: the CRC-32 of all before the last '_', its
 * bytes from the lowest up. */
bool checksum_crc32_le_hex(const char *s, size_t n);

/** checksum_crc32_base36(s, n): as GitLab: the last seven are the CRC-32 of all before
 * them in base36, padded with 0. */
bool checksum_crc32_base36(const char *s, size_t n);

/** checksum_marvin(p, n, seed): Marvin of ${n} bytes, its two halves high and low. */
uint64_t checksum_marvin(const uint8_t *p, size_t n, uint64_t seed);

/** checksum_marvin32(s, n, seeds): as Azure: the last four bytes of the base64 text are
 * the folded Marvin of those before them, under one of the eight-character ${seeds},
 * which commas part. */
bool checksum_marvin32(const char *s, size_t n, const char *seeds);

/** checksum_bech32(s, n): BIP-173, in either case. */
bool checksum_bech32(const char *s, size_t n);

/** checksum_base58(s, n, version): base58check of at most 128 bytes; the first byte is
 * ${version} unless that is negative. */
bool checksum_base58(const char *s, size_t n, int version);

/** checksum_crc24(p, n): of RFC 9580. */
uint32_t checksum_crc24(const uint8_t *p, size_t n);
#endif
