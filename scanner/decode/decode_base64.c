/* SPDX-License-Identifier: Apache-2.0 */
/* decode_base64 - both alphabets of base64 (RFC 4648, 4 and 5), mixed at will. */
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "cpu.h"
#include "decode/decode_impl.h"

#define X 0xff /* not in the alphabet */
/* clang-format off */
static const unsigned char digit[256] = {
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, 62, X, 62, X, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, X, X, X,
	X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X, X, X, X, 63,
	X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X, X, X, X, X,
};
/* clang-format on */

size_t decode_run_length(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] < 0x80 && digit[p[i]] != X)
		i++;
	return i;
}

size_t decode_base64_plain(const unsigned char *p, size_t n, unsigned char *out)
{
	size_t used = 0;
	uint32_t v;

	for (; n >= 4; p += 4, n -= 4) {
		v = (uint32_t)digit[p[0]] << 18 | (uint32_t)digit[p[1]] << 12 |
		    (uint32_t)digit[p[2]] << 6 | digit[p[3]];
		out[used++] = (unsigned char)(v >> 16);
		out[used++] = (unsigned char)(v >> 8);
		out[used++] = (unsigned char)v;
	}
	if (n >= 2)
		out[used++] = (unsigned char)(digit[p[0]] << 2 | digit[p[1]] >> 4);
	if (n == 3)
		out[used++] = (unsigned char)(digit[p[1]] << 4 | digit[p[2]] >> 2);
	return used;
}

#ifdef __x86_64__

#define VBMI  __attribute__((target("avx512f,avx512bw,avx512vbmi,bmi2")))
#define BLOCK ((size_t)64)

/* What ${n} characters say: bits of what is left of the last quad, too. */
static size_t bytes_of(size_t n)
{
	return n / 4 * 3 + (n % 4 > 1 ? n % 4 - 1 : 0);
}

/* Where the bytes of sixteen quads are: each is a number of 32 bits. */
#define QUAD(n)  4 * (n) + 2, 4 * (n) + 1, 4 * (n)
#define QUADS(n) QUAD(n), QUAD((n) + 1), QUAD((n) + 2), QUAD((n) + 3)
static const unsigned char bytes_at[BLOCK] = { QUADS(0), QUADS(4), QUADS(8), QUADS(12) };

VBMI static size_t decode_vbmi(const unsigned char *p, size_t n, unsigned char *out)
{
	const __m512i low = _mm512_loadu_si512(digit),
		      high = _mm512_loadu_si512(digit + 64);
	const __m512i two = _mm512_set1_epi32(0x01400140); /* 64 times one and the next */
	const __m512i four = _mm512_set1_epi32(0x00011000);
	const __m512i at = _mm512_loadu_si512(bytes_at);

	for (size_t i = 0; i < n; i += BLOCK, out += BLOCK / 4 * 3) {
		const size_t some = n - i < BLOCK ? n - i : BLOCK;
		const uint64_t there = UINT64_MAX >> (BLOCK - some);
		const __m512i v = _mm512_maskz_loadu_epi8(there, p + i);
		const __m512i of = _mm512_maskz_permutex2var_epi8(there, low, v, high);
		const __m512i quads = _mm512_madd_epi16(_mm512_maddubs_epi16(of, two),
		                                        four);

		_mm512_mask_storeu_epi8(out,
		                        _bzhi_u64(UINT64_MAX, (unsigned)bytes_of(some)),
		                        _mm512_permutexvar_epi8(at, quads));
	}
	return bytes_of(n);
}

size_t decode_base64(const unsigned char *p, size_t n, unsigned char *out)
{
	if (cpu_best() >= CPU_VBMI)
		return decode_vbmi(p, n, out);
	return decode_base64_plain(p, n, out);
}

#else

size_t decode_base64(const unsigned char *p, size_t n, unsigned char *out)
{
	return decode_base64_plain(p, n, out);
}

#endif
