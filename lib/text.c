/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <sodium.h>
#include <string.h>

/* 0xff where a < b, else 0, without a branch; both below 2^31. */
static unsigned lt(unsigned a, unsigned b)
{
	return 0u - ((a - b) >> 31);
}

static unsigned in_range(unsigned c, unsigned lo, unsigned hi)
{
	return ~lt(c, lo) & ~lt(hi, c);
}

void text_hex(const void *p, size_t n, char *out)
{
	sodium_bin2hex(out, n * 2 + 1, p, n);
}

long text_unhex(const char *s, size_t n, void *out, size_t cap)
{
	size_t len;
	const char *end;

	if (n % 2 != 0 || n / 2 > cap)
		return -1;
	if (sodium_hex2bin(out, cap, s, n, NULL, &len, &end) != 0 || end != s + n)
		return -1;
	return (long)len;
}

size_t text_base64(const void *p, size_t n, char *out)
{
	sodium_bin2base64(out, TEXT_BASE64_LEN(n) + 1, p, n, sodium_base64_VARIANT_ORIGINAL);
	return TEXT_BASE64_LEN(n);
}

size_t text_base64url(const void *p, size_t n, char *out)
{
	sodium_bin2base64(out, TEXT_BASE64_LEN(n) + 1, p, n,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return (n * 4 + 2) / 3;
}

/* 0..63 of either alphabet, or a value above 63. */
static unsigned base64_value(unsigned c)
{
	unsigned v = ~0u;

	v ^= in_range(c, 'A', 'Z') & (v ^ (c - 'A'));
	v ^= in_range(c, 'a', 'z') & (v ^ (c - 'a' + 26));
	v ^= in_range(c, '0', '9') & (v ^ (c - '0' + 52));
	v ^= (in_range(c, '+', '+') | in_range(c, '-', '-')) & (v ^ 62u);
	v ^= (in_range(c, '/', '/') | in_range(c, '_', '_')) & (v ^ 63u);
	return v;
}

/* Digits of ${bits} bits to bytes; stray bits at the end must be zero. */
static long unpack(const char *s, size_t n, unsigned bits, unsigned (*value)(unsigned),
                   unsigned char *out, size_t cap)
{
	unsigned acc = 0, have = 0, bad = 0;
	size_t len = 0;

	if (n / 8 * bits > cap)
		return -1;
	for (size_t i = 0; i < n; i++) {
		unsigned v = value((unsigned char)s[i]);

		bad |= v >> bits;
		acc = acc << bits | (v & ((1u << bits) - 1));
		have += bits;
		if (have < 8)
			continue;
		have -= 8;
		if (len == cap)
			return -1;
		out[len++] = (unsigned char)(acc >> have);
		acc &= (1u << have) - 1;
	}
	return bad != 0 || acc != 0 || have >= bits ? -1 : (long)len;
}

long text_unbase64(const char *s, size_t n, void *out, size_t cap)
{
	size_t pad = 0;

	while (pad < 2 && pad < n && s[n - 1 - pad] == '=')
		pad++;
	if (pad > 0 && n % 4 != 0)
		return -1;
	return unpack(s, n - pad, 6, base64_value, out, cap);
}

static char base32_digit(unsigned v)
{
	unsigned c = v + 'a';

	c ^= ~lt(v, 26) & (c ^ (v - 26 + '2'));
	return (char)c;
}

static unsigned base32_value(unsigned c)
{
	unsigned v = ~0u;

	v ^= in_range(c, 'A', 'Z') & (v ^ (c - 'A'));
	v ^= in_range(c, 'a', 'z') & (v ^ (c - 'a'));
	v ^= in_range(c, '2', '7') & (v ^ (c - '2' + 26));
	return v;
}

size_t text_base32(const void *p, size_t n, char *out)
{
	const unsigned char *b = p;
	unsigned acc = 0, have = 0;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | b[i];
		have += 8;
		while (have >= 5) {
			have -= 5;
			out[len++] = base32_digit(acc >> have & 31);
		}
		acc &= (1u << have) - 1;
	}
	if (have > 0)
		out[len++] = base32_digit(acc << (5 - have) & 31);
	out[len] = '\0';
	return len;
}

long text_unbase32(const char *s, size_t n, void *out, size_t cap)
{
	return unpack(s, n, 5, base32_value, out, cap);
}

static char base62_digit(unsigned v)
{
	unsigned c = v + '0';

	c ^= ~lt(v, 10) & (c ^ (v - 10 + 'A'));
	c ^= ~lt(v, 36) & (c ^ (v - 36 + 'a'));
	return (char)c;
}

int text_base62(const void *p, size_t n, char *out, size_t width)
{
	unsigned char rest[64];
	unsigned char nonzero = 0;

	if (n > sizeof(rest))
		return -1;
	memcpy(rest, p, n);
	for (size_t at = width; at-- > 0;) {
		unsigned carry = 0;

		for (size_t i = 0; i < n; i++) {
			carry = carry << 8 | rest[i];
			rest[i] = (unsigned char)(carry / 62);
			carry %= 62;
		}
		out[at] = base62_digit(carry);
	}
	out[width] = '\0';
	for (size_t i = 0; i < n; i++)
		nonzero |= rest[i];
	sodium_memzero(rest, sizeof(rest));
	return nonzero == 0 ? 0 : -1;
}

void text_base62_random(char *out, size_t width)
{
	for (size_t i = 0; i < width; i++)
		out[i] = base62_digit(randombytes_uniform(62));
	out[width] = '\0';
}

/* Length of the well-formed sequence at ${p}, or 0; RFC 3629 §4. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

bool text_utf8_ok(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	while (p < end) {
		size_t len = utf8_sequence(p, (size_t)(end - p));

		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

bool text_printable(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (!text_utf8_ok(s, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && p[i + 1] < 0xa0))
			return false;
	return true;
}

uint32_t text_crc32(const void *p, size_t n)
{
	const unsigned char *b = p;
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		crc ^= b[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
	}
	return ~crc;
}

static unsigned fold(char c)
{
	unsigned u = (unsigned char)c;

	return u | (in_range(u, 'A', 'Z') & 0x20u);
}

bool text_ieq(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if (fold(*a) != fold(*b))
			return false;
	return *a == *b;
}
