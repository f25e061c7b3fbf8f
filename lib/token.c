/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"
#include "text.h"

#define PREFIX 6u  /* vlt_s_ */
#define RANDOM 43u /* 32 bytes in base 62 */
#define CHECK  6u  /* 4 bytes in base 62 */
_Static_assert(PREFIX + RANDOM + CHECK == TOKEN_TEXT_LEN, "parts of a token");

/* Of the ${n} bytes before it. */
static void checksum(const char *token, size_t n, char out[CHECK + 1])
{
	uint32_t crc = text_crc32(token, n);
	const unsigned char be[4] = { (unsigned char)(crc >> 24),
		                      (unsigned char)(crc >> 16),
		                      (unsigned char)(crc >> 8), (unsigned char)crc };

	(void)text_base62(be, sizeof(be), out, CHECK);
}

void token_new(char type, char out[TOKEN_TEXT_LEN + 1])
{
	unsigned char raw[32];

	(void)snprintf(out, PREFIX + 1, "vlt_%c_", type);
	rng_bytes(raw, sizeof(raw));
	(void)text_base62(raw, sizeof(raw), out + PREFIX, RANDOM);
	sodium_memzero(raw, sizeof(raw));
	checksum(out, PREFIX + RANDOM, out + PREFIX + RANDOM);
}

static bool has_prefix(const char *s, char type)
{
	if (memcmp(s, "vlt_", 4) != 0 || s[5] != '_')
		return false;
	return type != 0 ? s[4] == type : s[4] != '\0' && strchr("sjwbr", s[4]) != NULL;
}

static bool has_checksum(const char *s, size_t n)
{
	char want[CHECK + 1];

	checksum(s, n - CHECK, want);
	return sodium_memcmp(s + n - CHECK, want, CHECK) == 0;
}

bool token_valid(const char *s, size_t n, char type)
{
	return n == TOKEN_TEXT_LEN && has_prefix(s, type) &&
	       text_base62_ok(s + PREFIX, RANDOM) && has_checksum(s, n);
}

void token_pack(char type, const void *p, size_t n, char *out)
{
	size_t len;

	(void)snprintf(out, PREFIX + 1, "vlt_%c_", type);
	len = PREFIX + text_base64url(p, n, out + PREFIX);
	checksum(out, len, out + len);
}

long token_unpack(const char *s, size_t n, char type, void *out, size_t cap)
{
	if (n < PREFIX + CHECK || !has_prefix(s, type) || !has_checksum(s, n))
		return -1;
	/* One content has one text. */
	if (memchr(s, '+', n) != NULL || memchr(s, '/', n) != NULL ||
	    memchr(s, '=', n) != NULL)
		return -1;
	return text_unbase64(s + PREFIX, n - PREFIX - CHECK, out, cap);
}
