/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/structure.h"

#include <string.h>

#include "text.h"
#include "util.h"
#include "verdict/ascii.h"
#include "verdict/checksum.h"
#include "verdict/placeholder.h"

#define HEADER_MAX 1024u

/* 0-63, -1 for what is no digit, -2 for what is skipped. */
static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_digit(c))
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return ascii_space(c) || c == '=' ? -2 : -1;
}

long structure_unbase64(const char *s, size_t n, uint8_t *out, size_t cap)
{
	uint32_t bits = 0;
	unsigned have = 0;
	long len = 0;

	for (size_t i = 0; i < n; i++) {
		int digit = base64_digit(s[i]);

		if (s[i] == '\\' && i + 1 < n && (s[i + 1] == 'n' || s[i + 1] == 'r')) {
			i++;
			continue;
		}
		if (s[i] == '\\')
			continue;
		if (digit == -1)
			return -1;
		if (digit == -2)
			continue;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if ((size_t)len < cap)
			out[len++] = (uint8_t)(bits >> have);
	}
	return len;
}

bool structure_base64_starts(const char *s, size_t n, const char *text)
{
	uint8_t raw[64];
	size_t len = strlen(text);

	return structure_unbase64(s, n < 80 ? n : 80, raw, sizeof(raw)) >= (long)len &&
	       memcmp(raw, text, len) == 0;
}

bool structure_jwt(const char *s, size_t n)
{
	const char *dot = memchr(s, '.', n);
	char header[HEADER_MAX];
	const char *alg;
	long len;

	if (dot == NULL)
		return false;
	len = structure_unbase64(s, (size_t)(dot - s), (uint8_t *)header, sizeof(header));
	if (len < 10 || header[0] != '{' || !text_lines(header, (size_t)len))
		return false;
	alg = ascii_find(header, (size_t)len, "\"alg\"");
	return alg != NULL &&
	       ascii_find(alg, (size_t)(header + len - alg), "\"none\"") == NULL;
}

bool structure_jwt_sample(const char *s, size_t n)
{
	static const char *const marks[] = {
		"john doe",          "1234567890",      "\"some\":\"payload\"",
		"\"role\":\"anon\"", "\"iss\":\"joe\"", "{}"
	};
	const char *dot = memchr(s, '.', n);
	char payload[HEADER_MAX];
	long len;

	if (dot == NULL)
		return false;
	n -= (size_t)(dot + 1 - s);
	s = dot + 1;
	dot = memchr(s, '.', n);
	len = structure_unbase64(s, dot == NULL ? n : (size_t)(dot - s),
	                         (uint8_t *)payload, sizeof(payload));
	for (size_t i = 0; len > 0 && i < ARRAY_LEN(marks); i++)
		if (ascii_find(payload, (size_t)len, marks[i]) != NULL)
			return true;
	return false;
}

bool structure_pair(const char *s, size_t n, char *pass, size_t *pass_n)
{
	char raw[STRUCTURE_PAIR_MAX];
	long len = structure_unbase64(s, n, (uint8_t *)raw, sizeof(raw));
	const char *colon;

	if (len < 3 || !text_printable(raw, (size_t)len))
		return false;
	colon = memchr(raw, ':', (size_t)len);
	if (colon == NULL || colon == raw || colon + 1 == raw + len)
		return false;
	*pass_n = (size_t)(raw + len - colon - 1);
	memcpy(pass, colon + 1, *pass_n);
	return true;
}

/* The text between the end of the BEGIN line and the next "-----"; false if none. */
static bool armour_body(const char **s, size_t *n)
{
	const char *dashes, *end, *body;

	if (*n < 11 || memcmp(*s, "-----BEGIN ", 11) != 0)
		return false;
	dashes = memmem(*s + 11, *n - 11, "-----", 5);
	if (dashes == NULL)
		return false;
	body = dashes + 5;
	end = memmem(body, (size_t)(*s + *n - body), "-----", 5);
	*n = (size_t)((end == NULL ? *s + *n : end) - body);
	*s = body;
	return true;
}

/* Skips headers ("Proc-Type: …"): what is after the last line that holds a colon. */
static void skip_headers(const char **s, size_t *n)
{
	const char *colon = memrchr(*s, ':', *n), *end;

	if (colon == NULL)
		return;
	end = memchr(colon, '\n', (size_t)(*s + *n - colon));
	if (end == NULL)
		end = memmem(colon, (size_t)(*s + *n - colon), "\\n", 2);
	if (end == NULL)
		return;
	*n -= (size_t)(end + 1 + (*end == '\\') - *s);
	*s = end + 1 + (*end == '\\');
}

/* Is the last byte before ${i} a digit of base64? */
static bool base64_before(const char *s, size_t i)
{
	return i > 0 && base64_digit(s[i - 1]) >= 0;
}

/* Drops what source code puts around the lines of a literal: quotes, plus signs, commas.
 */
static size_t strip(const char *s, size_t n, char *out, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len < cap; i++) {
		if (s[i] == '\\' && i + 1 < n && (s[i + 1] == 'n' || s[i + 1] == 'r')) {
			i++;
			continue;
		}
		if (memchr("\"' \t\r\n,;\\`|>#*", s[i], 15) != NULL)
			continue;
		/* What joins two literals, and is no digit at the end of a line. */
		if (s[i] == '+' && (i + 1 == n || ascii_space(s[i + 1])) &&
		    (len == 0 || !base64_before(s, i)))
			continue;
		out[len++] = s[i];
	}
	return len;
}

/* Does the outer SEQUENCE of ${p} fill it?  Up to eight bytes may be missing or left. */
static bool der_fills(const uint8_t *p, size_t n)
{
	size_t len, head = 2;

	if (n < 16 || p[0] != 0x30)
		return false;
	len = p[1];
	if (len & 0x80) {
		size_t count = len & 0x7f;

		if (count == 0 || count > 3)
			return false;
		len = 0;
		for (size_t i = 0; i < count; i++)
			len = len << 8 | p[2 + i];
		head += count;
	}
	return head + len <= n + 8 && n <= head + len + 8;
}

static enum structure_key openssh_key(const uint8_t *p, size_t n)
{
	static const uint8_t magic[15] = "openssh-key-v1";

	if (n < sizeof(magic) + 8 || memcmp(p, magic, sizeof(magic)) != 0)
		return STRUCTURE_KEY_NONE;
	return memcmp(p + sizeof(magic), "\0\0\0\4none", 8) == 0
	               ? STRUCTURE_KEY_PLAIN
	               : STRUCTURE_KEY_ENCRYPTED;
}

/* The longest body that is decoded; keys of 16384 bits are shorter. */
#define BODY_MAX 24576u

enum structure_key structure_pem(const char *s, size_t n)
{
	static _Thread_local char text[BODY_MAX];
	static _Thread_local uint8_t raw[BODY_MAX];
	const char *first = s, *body;
	size_t title = n < 64 ? n : 64, left = n, len;
	bool encrypted, openssh;
	long bytes;

	if (!armour_body(&s, &left))
		return STRUCTURE_KEY_NONE;
	openssh = ascii_find(first, title, "openssh private") != NULL ||
	          ascii_find(first, title, "ssh2 encrypted") != NULL;
	encrypted = ascii_find(first, title, "encrypted private") != NULL ||
	            memmem(s, left, "ENCRYPTED", 9) != NULL;
	body = s;
	skip_headers(&body, &left);
	len = strip(body, left, text, sizeof(text));
	/* An Ed25519 key is 64 characters, a truncated sample less or broken by dots. */
	if (len < 60)
		return STRUCTURE_KEY_NONE;
	bytes = structure_unbase64(text, len, raw, sizeof(raw));
	if (bytes < 0)
		return STRUCTURE_KEY_NONE;
	if (placeholder_public_key(raw, (size_t)bytes))
		return STRUCTURE_KEY_PUBLISHED;
	if (openssh)
		return openssh_key(raw, (size_t)bytes);
	if (encrypted)
		return STRUCTURE_KEY_ENCRYPTED;
	return der_fills(raw, (size_t)bytes) ? STRUCTURE_KEY_PLAIN : STRUCTURE_KEY_NONE;
}

enum structure_key structure_pgp(const char *s, size_t n)
{
	static _Thread_local char text[BODY_MAX];
	static _Thread_local uint8_t raw[BODY_MAX];
	const char *sum;
	uint8_t crc[4] = { 0 };
	size_t len;
	long bytes;
	unsigned tag;

	if (!armour_body(&s, &n))
		return STRUCTURE_KEY_NONE;
	skip_headers(&s, &n);
	len = strip(s, n, text, sizeof(text));
	sum = len >= 5 && text[len - 5] == '=' ? text + len - 5 : NULL;
	bytes = structure_unbase64(text, sum == NULL ? len : (size_t)(sum - text), raw,
	                           sizeof(raw));
	if (bytes < 40)
		return STRUCTURE_KEY_NONE;
	if (sum != NULL && len < sizeof(text)) {
		uint32_t want = checksum_crc24(raw, (size_t)bytes);

		if (structure_unbase64(sum + 1, 4, crc, 3) != 3 ||
		    ((uint32_t)crc[0] << 16 | (uint32_t)crc[1] << 8 | crc[2]) != want)
			return STRUCTURE_KEY_NONE;
	}
	if (placeholder_public_key(raw, (size_t)bytes))
		return STRUCTURE_KEY_PUBLISHED;
	/* The tag of the first packet, in either format: 5 is a secret key. */
	tag = raw[0] & 0x40 ? raw[0] & 0x3fu : raw[0] >> 2 & 15u;
	return raw[0] & 0x80 && tag == 5 ? STRUCTURE_KEY_PLAIN : STRUCTURE_KEY_NONE;
}

uint64_t structure_aws_account(const char *s, size_t n)
{
	uint8_t raw[10];
	uint64_t v = 0;

	if (n != 20 || s[4] < 'Q' || text_unbase32(s + 4, 16, raw, sizeof(raw)) != 10)
		return 0;
	for (size_t i = 0; i < 6; i++)
		v = v << 8 | raw[i];
	return (v & 0x7fffffffff80) >> 7;
}

bool structure_discord(const char *s, size_t n)
{
	const char *dot = memchr(s, '.', n);
	uint8_t raw[32];
	long len;

	if (dot == NULL)
		return false;
	len = structure_unbase64(s, (size_t)(dot - s), raw, sizeof(raw));
	if (len < 17 || len > 20)
		return false;
	for (long i = 0; i < len; i++)
		if (!ascii_digit((char)raw[i]))
			return false;
	return true;
}

bool structure_pypi(const char *s, size_t n)
{
	return n > 60 && (structure_base64_starts(s + 5, n - 5, "\2\1\10pypi.org") ||
	                  structure_base64_starts(s + 5, n - 5, "\2\1\15test.pypi.org"));
}

bool structure_curve_key(const char *s, size_t n)
{
	static const char order[] =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	bool zero = true;
	int below = 0;

	if (n == 66 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2, n -= 2;
	if (n != 64)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = ascii_lower(s[i]);

		if (!ascii_digit(c) && (c < 'a' || c > 'f'))
			return false;
		zero = zero && c == '0';
		if (below == 0 && c != order[i])
			below = c < order[i] ? 1 : -1;
	}
	return !zero && below == 1;
}

bool structure_chain_address(const char *s, size_t n)
{
	unsigned char raw[20];

	return n == 2 + 2 * sizeof(raw) && ascii_starts(s, n, "0x") &&
	       text_unhex(s + 2, n - 2, raw, sizeof(raw)) == (long)sizeof(raw);
}
