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

static void checksum(const char *token, char out[CHECK + 1])
{
	uint32_t crc = text_crc32(token, PREFIX + RANDOM);
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
	checksum(out, out + PREFIX + RANDOM);
}

bool token_valid(const char *s, size_t n, char type)
{
	char want[CHECK + 1];

	if (n != TOKEN_TEXT_LEN || memcmp(s, "vlt_", 4) != 0 || s[5] != '_')
		return false;
	if (type != 0 ? s[4] != type : s[4] == '\0' || strchr("sjwbr", s[4]) == NULL)
		return false;
	if (!text_base62_ok(s + PREFIX, RANDOM))
		return false;
	checksum(s, want);
	return sodium_memcmp(s + PREFIX + RANDOM, want, CHECK) == 0;
}
