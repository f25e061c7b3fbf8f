/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

static bool ascii8(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* Bytes of the sequence at ${p}, 0 if there is none (RFC 3629 section 4). */
static size_t sequence(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n > left || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool text_utf8_ok(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	while (n > 0) {
		size_t step = n >= 8 && ascii8(p) ? 8 : sequence(p, n);

		if (step == 0)
			return false;
		p += step;
		n -= step;
	}
	return true;
}

size_t text_utf8_put(char out[TEXT_UTF8_MAX], uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

bool text_printable(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (!text_utf8_ok(s, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		/* C1 controls are U+0080 to U+009F: c2 80 to c2 9f. */
		if (p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && p[i + 1] < 0xa0))
			return false;
	}
	return true;
}

static bool is_layout(char c)
{
	return c == '\n' || c == '\r' || c == '\t';
}

bool text_lines(const char *s, size_t n)
{
	for (size_t at = 0, end; at <= n; at = end + 1) {
		for (end = at; end < n && !is_layout(s[end]);)
			end++;
		if (!text_printable(s + at, end - at))
			return false;
	}
	return true;
}

/* One byte at a time: the remainder of each of its bits, chosen by masks. */
uint32_t text_crc32(const void *p, size_t n)
{
	static const uint32_t remainder[8] = { 0x77073096, 0xee0e612c, 0x076dc419,
		                               0x0edb8832, 0x1db71064, 0x3b6e20c8,
		                               0x76dc4190, 0xedb88320 };
	const unsigned char *in = p;
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		uint32_t x = crc ^ in[i];

		crc >>= 8;
		for (unsigned bit = 0; bit < 8; bit++)
			crc ^= remainder[bit] & (0u - (x >> bit & 1));
	}
	return ~crc;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool text_ieq(const char *a, const char *b)
{
	for (; *a != '\0' && fold(*a) == fold(*b); a++, b++)
		;
	return fold(*a) == fold(*b);
}

size_t text_decimal(const void *p, size_t n, char *out)
{
	const unsigned char *in = p;
	uint32_t limb[TEXT_DECIMAL_BYTES / 4] = { 0 };
	char text[TEXT_DECIMAL_LEN + 9]; /* nine digits at a time */
	size_t limbs = (n + 3) / 4, at = sizeof(text), top = 0;

	for (size_t i = 0; i < n; i++)
		limb[limbs - 1 - (n - 1 - i) / 4] |= (uint32_t)in[i]
		                                     << 8 * ((n - 1 - i) % 4);
	do {
		uint64_t rest = 0;

		for (size_t i = top; i < limbs; i++) {
			rest = rest << 32 | limb[i];
			limb[i] = (uint32_t)(rest / 1000000000);
			rest %= 1000000000;
		}
		for (int i = 0; i < 9; i++, rest /= 10)
			text[--at] = (char)('0' + rest % 10);
		while (top < limbs && limb[top] == 0)
			top++;
	} while (top < limbs);
	while (at < sizeof(text) - 1 && text[at] == '0')
		at++;
	memcpy(out, text + at, sizeof(text) - at);
	out[sizeof(text) - at] = '\0';
	return sizeof(text) - at;
}
