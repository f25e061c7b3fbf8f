/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "rng.h"
#include "text.h"

/* All-ones if ${low} <= ${x} <= ${high}, else 0; every operand is below 2^31. */
static uint32_t within(uint32_t x, uint32_t low, uint32_t high)
{
	return (((x - low) | (high - x)) >> 31) - 1;
}

static uint32_t equal(uint32_t x, uint32_t y)
{
	return within(x, y, y);
}

/* The value of a digit plus one, 0 if it is none. */
static uint32_t from_hex(uint32_t c)
{
	return (within(c, '0', '9') & (c - '0' + 1)) |
	       (within(c, 'a', 'f') & (c - 'a' + 11)) |
	       (within(c, 'A', 'F') & (c - 'A' + 11));
}

static uint32_t from_base32(uint32_t c)
{
	return (within(c, 'A', 'Z') & (c - 'A' + 1)) |
	       (within(c, 'a', 'z') & (c - 'a' + 1)) |
	       (within(c, '2', '7') & (c - '2' + 27));
}

static char to_hex(uint32_t v)
{
	return (char)((within(v, 0, 9) & (v + '0')) |
	              (within(v, 10, 15) & (v - 10 + 'a')));
}

static char upper_hex(uint32_t v)
{
	return (char)((within(v, 0, 9) & (v + '0')) |
	              (within(v, 10, 15) & (v - 10 + 'A')));
}

static char to_base32(uint32_t v)
{
	return (char)((within(v, 0, 25) & (v + 'a')) |
	              (within(v, 26, 31) & (v - 26 + '2')));
}

static char to_base62(uint32_t v)
{
	return (char)((within(v, 0, 9) & (v + '0')) |
	              (within(v, 10, 35) & (v - 10 + 'A')) |
	              (within(v, 36, 61) & (v - 36 + 'a')));
}

void text_hex(const void *p, size_t n, char *out)
{
	const unsigned char *in = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = to_hex(in[i] >> 4);
		*out++ = to_hex(in[i] & 15u);
	}
	*out = '\0';
}

/* ${n} digits of ${bits} bits each, most significant first.  What remains behind the last
 * whole byte must be less than a digit, and zero: every value has one spelling. */
static long decode(const char *s, size_t n, unsigned bits, uint32_t (*digit)(uint32_t),
                   unsigned char *out, size_t cap)
{
	uint32_t acc = 0, bad = 0;
	unsigned have = 0;
	size_t at = 0;

	if (n / 8 * bits + n % 8 * bits / 8 > cap || n % 8 * bits % 8 >= bits)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint32_t v = digit((unsigned char)s[i]);

		bad |= equal(v, 0);
		acc = (acc << bits | (v - 1)) & 0xffff;
		have += bits;
		if (have >= 8) {
			have -= 8;
			out[at++] = (unsigned char)(acc >> have);
		}
	}
	bad |= acc & ((1u << have) - 1);
	return bad != 0 ? -1 : (long)at;
}

long text_unhex(const char *s, size_t n, void *out, size_t cap)
{
	return n % 2 != 0 ? -1 : decode(s, n, 4, from_hex, out, cap);
}

/* Base64 is what statements and values travel in, so it is done CHARS digits at a time,
 * in lanes of 16 bits that the compiler makes vectors of. */
#define CHARS 64u
#define BYTES (CHARS / 4 * 3)

/* All-ones if ${low} <= ${x} <= ${high}, else 0; every operand is below 2^15. */
static inline uint16_t lane_within(uint16_t x, uint16_t low, uint16_t high)
{
	return (uint16_t)(((uint16_t)((x - low) | (high - x)) >> 15) - 1);
}

struct alphabet {
	uint16_t d62, d63; /* the digits that differ */
	bool pads;
};

static void encode_chunk(const unsigned char in[BYTES], const struct alphabet *abc,
                         char out[CHARS])
{
	const uint16_t to62 = (uint16_t)(abc->d62 - ('0' + 10));
	const uint16_t to63 = (uint16_t)(abc->d63 - ('0' + 11) - to62);
	uint16_t v[CHARS];

	for (size_t i = 0; i < CHARS / 4; i++) {
		uint32_t x = (uint32_t)in[3 * i] << 16 | (uint32_t)in[3 * i + 1] << 8 |
		             in[3 * i + 2];

		v[4 * i] = (uint16_t)(x >> 18);
		v[4 * i + 1] = x >> 12 & 63;
		v[4 * i + 2] = x >> 6 & 63;
		v[4 * i + 3] = x & 63;
	}
	for (size_t i = 0; i < CHARS; i++) {
		uint16_t c = (uint16_t)(v[i] + 'A');

		c = (uint16_t)(c + (lane_within(v[i], 26, 63) & ('a' - 'A' - 26)));
		c = (uint16_t)(c + (lane_within(v[i], 52, 63) & ('0' - 'a' - 26)));
		c = (uint16_t)(c + (lane_within(v[i], 62, 63) & to62));
		c = (uint16_t)(c + (lane_within(v[i], 63, 63) & to63));
		out[i] = (char)(unsigned char)c;
	}
	sodium_memzero(v, sizeof(v));
}

/* The digits of what is left, which is less than a chunk, and their number. */
static size_t encode_rest(const unsigned char *in, size_t n, const struct alphabet *abc,
                          char *out)
{
	size_t digits = (8 * n + 5) / 6;
	unsigned char last[BYTES] = { 0 };
	char text[CHARS];

	memcpy(last, in, n);
	encode_chunk(last, abc, text);
	memcpy(out, text, digits);
	for (; abc->pads && digits % 4 != 0; digits++)
		out[digits] = '=';
	sodium_memzero(last, sizeof(last));
	sodium_memzero(text, sizeof(text));
	return digits;
}

static size_t base64(const void *p, size_t n, const struct alphabet *abc, char *out)
{
	const unsigned char *in = p;
	size_t at = 0;

	for (; n >= BYTES; n -= BYTES, in += BYTES, at += CHARS)
		encode_chunk(in, abc, out + at);
	if (n > 0)
		at += encode_rest(in, n, abc, out + at);
	out[at] = '\0';
	return at;
}

size_t text_base64(const void *p, size_t n, char *out)
{
	return base64(p, n, &(struct alphabet){ '+', '/', true }, out);
}

size_t text_base64url(const void *p, size_t n, char *out)
{
	return base64(p, n, &(struct alphabet){ '-', '_', false }, out);
}

/* What was among the digits; all-ones if so. */
struct seen {
	uint16_t bad, standard, url;
};

static void decode_chunk(const char in[CHARS], unsigned char out[BYTES],
                         struct seen *seen)
{
	uint16_t v[CHARS], bad = 0, standard = 0, url = 0;

	for (size_t i = 0; i < CHARS; i++) {
		uint16_t c = (unsigned char)in[i];
		uint16_t upper = lane_within(c, 'A', 'Z');
		uint16_t lower = lane_within(c, 'a', 'z');
		uint16_t number = lane_within(c, '0', '9');
		uint16_t plus = lane_within(c, '+', '+'),
			 minus = lane_within(c, '-', '-');
		uint16_t slash = lane_within(c, '/', '/'),
			 under = lane_within(c, '_', '_');

		v[i] = (uint16_t)((upper & (c - 'A')) | (lower & (c - 'a' + 26)) |
		                  (number & (c - '0' + 52)) | ((plus | minus) & 62) |
		                  ((slash | under) & 63));
		bad |= (uint16_t) ~(upper | lower | number | plus | minus | slash |
		                    under);
		standard |= plus | slash;
		url |= minus | under;
	}
	for (size_t i = 0; i < CHARS / 4; i++) {
		uint32_t x = (uint32_t)v[4 * i] << 18 | (uint32_t)v[4 * i + 1] << 12 |
		             (uint32_t)v[4 * i + 2] << 6 | v[4 * i + 3];

		out[3 * i] = (unsigned char)(x >> 16);
		out[3 * i + 1] = (unsigned char)(x >> 8);
		out[3 * i + 2] = (unsigned char)x;
	}
	seen->bad |= bad;
	seen->standard |= standard;
	seen->url |= url;
	sodium_memzero(v, sizeof(v));
}

/* ${n} digits make ${len} bytes, less than a chunk has; what remains behind them must be
 * zero: every value has one spelling. */
static void decode_rest(const char *s, size_t n, unsigned char *out, size_t len,
                        struct seen *seen)
{
	unsigned char last[BYTES];
	char text[CHARS];

	memset(text, 'A', sizeof(text)); /* zero */
	memcpy(text, s, n);
	decode_chunk(text, last, seen);
	memcpy(out, last, len);
	seen->bad |= (uint16_t)~lane_within(last[len], 0, 0);
	sodium_memzero(last, sizeof(last));
	sodium_memzero(text, sizeof(text));
}

long text_unbase64(const char *s, size_t n, void *out, size_t cap)
{
	struct seen seen = { 0 };
	unsigned char *to = out;
	size_t padding = 0, len;

	while (padding < 2 && padding < n && s[n - 1 - padding] == '=')
		padding++;
	if (padding != 0 && n % 4 != 0)
		return -1;
	n -= padding;
	len = n / 4 * 3 + n % 4 * 3 / 4;
	if (n % 4 == 1 || len > cap)
		return -1;
	for (size_t left = n; left > 0; s += CHARS, to += BYTES) {
		if (left < CHARS) {
			decode_rest(s, left, to, left / 4 * 3 + left % 4 * 3 / 4, &seen);
			break;
		}
		decode_chunk(s, to, &seen);
		left -= CHARS;
	}
	return seen.bad != 0 || (seen.standard & seen.url) != 0 ? -1 : (long)len;
}

size_t text_base32(const void *p, size_t n, char *out)
{
	const unsigned char *in = p;
	uint32_t acc = 0;
	unsigned have = 0;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		acc = (acc << 8 | in[i]) & 0xfff;
		for (have += 8; have >= 5; have -= 5)
			out[at++] = to_base32(acc >> (have - 5) & 31);
	}
	if (have > 0)
		out[at++] = to_base32(acc << (5 - have) & 31);
	out[at] = '\0';
	return at;
}

long text_unbase32(const char *s, size_t n, void *out, size_t cap)
{
	return decode(s, n, 5, from_base32, out, cap);
}

/* Divide the number by 62 in place and return the remainder: the same steps for every
 * number of this length. */
static uint32_t divide(unsigned char *number, size_t n)
{
	uint32_t rest = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t x = rest << 8 | number[i];

		number[i] = (unsigned char)(x / 62);
		rest = x % 62;
	}
	return rest;
}

int text_base62(const void *p, size_t n, char *out, size_t width)
{
	unsigned char number[TEXT_BASE62_MAX];
	int rc;

	if (n > sizeof(number))
		return -1;
	if (n != 0)
		memcpy(number, p, n);
	for (size_t i = width; i-- > 0;)
		out[i] = to_base62(divide(number, n));
	out[width] = '\0';
	rc = sodium_is_zero(number, n) ? 0 : -1;
	sodium_memzero(number, sizeof(number));
	return rc;
}

void text_base62_random(char *out, size_t width)
{
	size_t at = 0;

	while (at < width) {
		unsigned char byte;

		rng_bytes(&byte, 1);
		if ((byte & 63u) < 62)
			out[at++] = to_base62(byte & 63u);
	}
	out[width] = '\0';
}

bool text_base62_ok(const char *s, size_t n)
{
	uint32_t ok = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		uint32_t c = (unsigned char)s[i];

		ok &= within(c, '0', '9') | within(c, 'A', 'Z') | within(c, 'a', 'z');
	}
	return ok != 0;
}

/* All-ones if it stands for itself in every part of a URI. */
static uint32_t unreserved(uint32_t c)
{
	return within(c, 'A', 'Z') | within(c, 'a', 'z') | within(c, '0', '9') |
	       equal(c, '-') | equal(c, '.') | equal(c, '_') | equal(c, '~');
}

static bool stays(unsigned char c, const char *keep)
{
	return unreserved(c) != 0 || (c != '\0' && strchr(keep, c) != NULL);
}

size_t text_percent(const void *p, size_t n, const char *keep, char *out)
{
	const unsigned char *in = p;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		bool plain = stays(in[i], keep);

		if (out != NULL && plain) {
			out[at] = (char)in[i];
		} else if (out != NULL) {
			out[at] = '%';
			out[at + 1] = upper_hex(in[i] >> 4);
			out[at + 2] = upper_hex(in[i] & 15u);
		}
		at += plain ? 1 : 3;
	}
	if (out != NULL)
		out[at] = '\0';
	return at;
}
