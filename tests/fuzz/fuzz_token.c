/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_token - tokens and the text encodings: what a decoder takes, encoding gives back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 512u

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool same(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && (a[i] | 0x20) != b[i])
			return false;
	return true;
}

static void encodings(const char *s, size_t n)
{
	unsigned char raw[MAX];
	char text[2 * MAX + 1];
	long got = text_unhex(s, n, raw, sizeof(raw));

	if (got >= 0) {
		text_hex(raw, (size_t)got, text);
		must(strlen(text) == n && same(s, text, n));
	}
	if ((got = text_unbase32(s, n, raw, sizeof(raw))) >= 0)
		must(text_base32(raw, (size_t)got, text) == n && same(s, text, n));
	if ((got = text_unbase64(s, n, raw, sizeof(raw))) >= 0) {
		size_t len = text_base64url(raw, (size_t)got, text);

		must(len <= n && n - len <= 2);
		for (size_t i = 0; i < len; i++)
			must(s[i] == text[i] || (s[i] == '+' && text[i] == '-') ||
			     (s[i] == '/' && text[i] == '_'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	char check[7];
	unsigned char be[4];

	if (size > MAX)
		return 0;
	encodings(s, size);
	must(!text_printable(s, size) || text_utf8_ok(s, size));
	if (token_valid(s, size, 0)) {
		uint32_t crc = text_crc32(s, 49);

		must(size == TOKEN_TEXT_LEN && token_valid(s, size, s[4]));
		for (int i = 3; i >= 0; i--, crc >>= 8)
			be[i] = (unsigned char)crc;
		must(text_base62(be, sizeof(be), check, 6) == 0);
		must(memcmp(check, s + 49, 6) == 0);
	}
	return 0;
}
