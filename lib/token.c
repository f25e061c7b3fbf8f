/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <string.h>

#include "text.h"

#define PREFIX_LEN 6 /* vlt_x_ */
#define RANDOM_LEN 43
#define CHECK_LEN 6

static void check_digits(const char *s, char out[CHECK_LEN + 1])
{
	uint32_t crc = text_crc32(s, PREFIX_LEN + RANDOM_LEN);
	unsigned char b[4] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
		               (unsigned char)(crc >> 8), (unsigned char)crc };

	(void)text_base62(b, sizeof(b), out, CHECK_LEN); /* 62^6 > 2^32: always fits */
}

void token_new(char type, char out[TOKEN_TEXT_LEN + 1])
{
	memcpy(out, "vlt_", 4);
	out[4] = type;
	out[5] = '_';
	text_base62_random(out + PREFIX_LEN, RANDOM_LEN);
	check_digits(out, out + PREFIX_LEN + RANDOM_LEN);
}

static bool is_base62(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool token_valid(const char *s, size_t n, char type)
{
	char want[CHECK_LEN + 1];

	if (n != TOKEN_TEXT_LEN || memcmp(s, "vlt_", 4) != 0 || s[5] != '_' ||
	    (type != '\0' && s[4] != type) || memchr("sjwbra", s[4], 6) == NULL)
		return false;
	for (size_t i = PREFIX_LEN; i < n; i++)
		if (!is_base62(s[i]))
			return false;
	check_digits(s, want);
	return memcmp(want, s + PREFIX_LEN + RANDOM_LEN, CHECK_LEN) == 0;
}
