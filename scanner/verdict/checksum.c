/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/checksum.h"

#include <stdio.h>
#include <string.h>

#include "sha256.h"
#include "text.h"

#define DECODED_MAX 256u

static const char base62[] =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* ${v} in ${base} as the last ${width} characters of ${out}, padded with 0. */
static void digits(uint32_t v, uint32_t base, const char *alphabet, char *out,
                   size_t width)
{
	for (size_t i = width; i-- > 0; v /= base)
		out[i] = alphabet[v % base];
}

bool checksum_crc32_base62(const char *s, size_t n, size_t skip)
{
	char want[6];

	if (n < skip + 7)
		return false;
	digits(text_crc32(s + skip, n - skip - 6), 62, base62, want, 6);
	return memcmp(want, s + n - 6, 6) == 0;
}

bool checksum_crc32_hex(const char *s, size_t n, size_t skip, bool upper)
{
	char want[9];
	size_t end;

	if (n < skip + 9)
		return false;
	end = n - 8;
	if (s[end - 1] == '_')
		end--;
	snprintf(want, sizeof(want), upper ? "%08X" : "%08x",
	         text_crc32(s + skip, end - skip));
	return memcmp(want, s + n - 8, 8) == 0;
}

bool checksum_crc32_le_hex(const char *s, size_t n)
{
	char want[9];
	uint32_t crc;

	if (n < 10 || s[n - 9] != '_')
		return false;
	crc = __builtin_bswap32(text_crc32(s, n - 9));
	snprintf(want, sizeof(want), "%08x", crc);
	return memcmp(want, s + n - 8, 8) == 0;
}

bool checksum_crc32_base36(const char *s, size_t n)
{
	char want[7];

	if (n < 8)
		return false;
	digits(text_crc32(s, n - 7), 36, "0123456789abcdefghijklmnopqrstuvwxyz", want, 7);
	return memcmp(want, s + n - 7, 7) == 0;
}

static uint32_t rotl(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static void marvin_step(uint32_t p[2], uint32_t word)
{
	p[0] += word;
	p[1] ^= p[0];
	p[0] = rotl(p[0], 20) + p[1];
	p[1] = rotl(p[1], 9) ^ p[0];
	p[0] = rotl(p[0], 27) + p[1];
	p[1] = rotl(p[1], 19);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

uint64_t checksum_marvin(const uint8_t *p, size_t n, uint64_t seed)
{
	uint32_t state[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
	uint8_t tail[4] = { 0 };

	for (; n >= 4; p += 4, n -= 4)
		marvin_step(state, le32(p));
	memcpy(tail, p, n);
	tail[n] = 0x80;
	marvin_step(state, le32(tail));
	marvin_step(state, 0);
	return (uint64_t)state[1] << 32 | state[0];
}

bool checksum_marvin32(const char *s, size_t n, const char *seeds)
{
	uint8_t raw[DECODED_MAX];
	long len = text_unbase64(s, n, raw, sizeof(raw));

	if (len < 8)
		return false;
	for (; strlen(seeds) >= 8; seeds += seeds[8] == ',' ? 9 : 8) {
		uint64_t seed = 0, got;

		for (size_t i = 0; i < 8; i++)
			seed = seed << 8 | (uint8_t)seeds[i];
		got = checksum_marvin(raw, (size_t)len - 4, seed);
		if (((uint32_t)got ^ (uint32_t)(got >> 32)) == le32(raw + len - 4))
			return true;
	}
	return false;
}

static uint32_t bech32_add(uint32_t chk, unsigned v)
{
	static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
		                               0x3d4233dd, 0x2a1462b3 };
	uint32_t top = chk >> 25;

	chk = (chk & 0x1ffffff) << 5 ^ v;
	for (unsigned i = 0; i < 5; i++)
		if (top >> i & 1)
			chk ^= generator[i];
	return chk;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool checksum_bech32(const char *s, size_t n)
{
	static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	const char *separator = memrchr(s, '1', n);
	size_t hrp = separator == NULL ? 0 : (size_t)(separator - s);
	uint32_t chk = 1;

	if (hrp == 0 || n < hrp + 7)
		return false;
	for (size_t i = 0; i < hrp; i++)
		chk = bech32_add(chk, (uint8_t)lower(s[i]) >> 5);
	chk = bech32_add(chk, 0);
	for (size_t i = 0; i < hrp; i++)
		chk = bech32_add(chk, (uint8_t)lower(s[i]) & 31);
	for (size_t i = hrp + 1; i < n; i++) {
		const char *at = s[i] != '\0' ? strchr(charset, lower(s[i])) : NULL;

		if (at == NULL)
			return false;
		chk = bech32_add(chk, (unsigned)(at - charset));
	}
	return chk == 1;
}

/* The bytes of a base58 text, right-aligned in ${out}; how many, or 0. */
static size_t unbase58(const char *s, size_t n, uint8_t out[DECODED_MAX])
{
	static const char alphabet[] =
		"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	size_t used = 0, zeros = 0;

	while (zeros < n && s[zeros] == '1')
		zeros++;
	for (size_t i = 0; i < n; i++) {
		const char *at = s[i] != '\0' ? strchr(alphabet, s[i]) : NULL;
		uint32_t carry = at == NULL ? 0 : (uint32_t)(at - alphabet);

		if (at == NULL)
			return 0;
		for (size_t k = 0; k < used || carry != 0; k++) {
			if (k >= DECODED_MAX - zeros)
				return 0;
			if (k >= used)
				out[DECODED_MAX - ++used] = 0;
			carry += 58u * out[DECODED_MAX - 1 - k];
			out[DECODED_MAX - 1 - k] = (uint8_t)carry;
			carry >>= 8;
		}
	}
	for (size_t i = 0; i < zeros; i++)
		out[DECODED_MAX - ++used] = 0;
	return used;
}

bool checksum_base58(const char *s, size_t n, int version)
{
	uint8_t raw[DECODED_MAX], sum[SHA256_BYTES];
	size_t len;
	const uint8_t *p;

	if (n > 176)
		return false;
	len = unbase58(s, n, raw);
	p = raw + DECODED_MAX - len;
	if (len < 6 || (version >= 0 && p[0] != version))
		return false;
	sha256_of(sum, p, len - 4);
	sha256_of(sum, sum, sizeof(sum));
	return memcmp(sum, p + len - 4, 4) == 0;
}

uint32_t checksum_crc24(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xB704CE;

	for (size_t i = 0; i < n; i++) {
		crc ^= (uint32_t)p[i] << 16;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc & 0x800000 ? 0x1864CFBu : 0);
	}
	return crc & 0xFFFFFF;
}
