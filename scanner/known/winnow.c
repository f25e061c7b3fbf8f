/* SPDX-License-Identifier: Apache-2.0 */
#include "known/winnow.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "cpu.h"

#define BEFORE (LEAK_WINDOW - 1) /* positions that a window reaches back */
#define LAST   (LEAK_GRAM - 1)   /* of a gram, from its first byte on */
/* Hashes, of positions that are WINNOW_BEHIND before the first to BEFORE after the last.
 */
#define ROOM (WINNOW_BEHIND + WINNOW_MAX + BEFORE)
/* The least that a hash is, so that 0 and 1 are none. */
#define HASH_MIN 2
_Static_assert(LEAK_WINDOW == 15 && LEAK_GRAM == 8, "what the steps below add up to");

/* --- on any processor -----------------------------------------------------------------
 */

/* Those that are not leak_solid(). */
static const unsigned char gaps[] = { '\0', '\t', '\n', '\r', ' ' };

/* A hash for each of ${n} positions, 0 where a gram has a byte that no run has.  Its
 * first and its last byte are enough to look at, since a window has every gram of its
 * run. */
__attribute__((optimize("O3"))) static void hashes(uint16_t select,
                                                   const unsigned char *p, size_t n,
                                                   uint8_t *out)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t pair = (uint16_t)(p[i] | p[i + 1] << 8);
		uint8_t h = (uint8_t)((uint16_t)(pair * (unsigned)select) >> 8);

		out[i] = h > HASH_MIN ? h : HASH_MIN;
	}
	for (size_t g = 0; g < sizeof(gaps); g++)
		for (size_t i = 0; i < n; i++) {
			uint8_t first = p[i] != gaps[g] ? 0xff : 0;
			uint8_t last = p[i + LAST] != gaps[g] ? 0xff : 0;

			out[i] &= first & last;
		}
}

/* b[i] becomes the smallest, or the largest, of b[i] to b[i + 14], in steps that double
 * the width.  Plain loops over bytes, which compilers turn into vector instructions. */
__attribute__((optimize("O3"), always_inline)) static inline void least(uint8_t *b,
                                                                        size_t n,
                                                                        size_t step)
{
	for (size_t i = 0; i + step < n; i++)
		b[i] = b[i] < b[i + step] ? b[i] : b[i + step];
}

__attribute__((optimize("O3"))) static void smallest(uint8_t *b, size_t n)
{
	least(b, n, 1);
	least(b, n, 2);
	least(b, n, 4);
	least(b, n, 7);
}

__attribute__((optimize("O3"), always_inline)) static inline void most(uint8_t *b,
                                                                       size_t n,
                                                                       size_t step)
{
	for (size_t i = 0; i + step < n; i++)
		b[i] = b[i] > b[i + step] ? b[i] : b[i + step];
}

__attribute__((optimize("O3"))) static void largest(uint8_t *b, size_t n)
{
	most(b, n, 1);
	most(b, n, 2);
	most(b, n, 4);
	most(b, n, 7);
}

/* A bit for each of 64 bytes that are 0 or 1. */
static uint64_t bits_of(const uint8_t *p)
{
	uint64_t all = 0, eight;

	for (unsigned i = 0; i < 64; i += 8) {
		memcpy(&eight, p + i, sizeof(eight));
		all |= eight * 0x0102040810204080ull >> 56 << i;
	}
	return all;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

__attribute__((optimize("O3"))) void winnow_plain(uint16_t select, const unsigned char *p,
                                                  size_t n, uint64_t *out)
{
	uint8_t h[ROOM] = { 0 }, w[ROOM] = { 0 };

	hashes(select, p - BEFORE, n + 2 * BEFORE, h);
	memcpy(w, h, n + 2 * BEFORE);
	/* Of each window its smallest; then, of the windows that a position is in, the
	 * largest of these. */
	smallest(w, n + 2 * BEFORE);
	largest(w, n + BEFORE);
	for (size_t i = 0; i < n; i++)
		w[i] = (w[i] == h[i + BEFORE]) & (w[i] != 0);
	for (size_t i = 0; i < n / 64; i++)
		out[i] = bits_of(w + 64 * i);
}

#ifdef __SSE2__

/* --- with AVX2 ------------------------------------------------------------------------
 */

#define BEFORE_OF(now, then, n) _mm256_alignr_epi8(now, then, 16 - (n))
#define LEAST(now, then, n)     _mm256_min_epu8(now, BEFORE_OF(now, then, n))
#define MOST(now, then, n)      _mm256_max_epu8(now, BEFORE_OF(now, then, n))

__attribute__((target("avx2"), always_inline)) static inline __m256i load(
	const unsigned char *p)
{
	return _mm256_loadu_si256((const void *)p);
}

/* 0xff where a byte is not solid. */
__attribute__((target("avx2"), always_inline)) static inline __m256i gap_in(__m256i x)
{
	const __m256i white = _mm256_broadcastsi128_si256(_mm_setr_epi8(
		' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1));

	return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(white, x), x),
	                       _mm256_cmpeq_epi8(x, _mm256_setzero_si256()));
}

/* hashes(), of a multiple of 32 positions. */
__attribute__((target("avx2"))) static void hashes_avx2(uint16_t select,
                                                        const unsigned char *p, size_t n,
                                                        uint8_t *out)
{
	const __m256i sel = _mm256_set1_epi16((short)select);
	const __m256i upper = _mm256_set1_epi16((short)0xff00);
	__m256i x, even, odd, gap;

	for (size_t i = 0; i < n; i += 32) {
		x = load(p + i);
		even = _mm256_srli_epi16(_mm256_mullo_epi16(x, sel), 8);
		odd = _mm256_and_si256(_mm256_mullo_epi16(load(p + i + 1), sel), upper);
		gap = _mm256_or_si256(gap_in(x), gap_in(load(p + i + LAST)));
		x = _mm256_max_epu8(_mm256_or_si256(even, odd),
		                    _mm256_set1_epi8(HASH_MIN));
		_mm256_storeu_si256((void *)(out + i), _mm256_andnot_si256(gap, x));
	}
}

/* What the last step had, of each stage. */
struct stages {
	__m256i hash, two, four, eight, least, most2, most4, most8;
};

/* One step: which of the positions BEFORE bytes before those of this step stand out. */
__attribute__((target("avx2"), always_inline)) static inline uint32_t step(
	struct stages *s, __m256i hash)
{
	const __m256i two = LEAST(hash, s->hash, 1);
	const __m256i four = LEAST(two, s->two, 2);
	const __m256i eight = LEAST(four, s->four, 4);
	const __m256i least = LEAST(eight, s->eight, 7);
	const __m256i most2 = MOST(least, s->least, 1);
	const __m256i most4 = MOST(most2, s->most2, 2);
	const __m256i most8 = MOST(most4, s->most4, 4);
	/* 1 where there is no window: no hash is equal to it. */
	const __m256i most = _mm256_max_epu8(MOST(most8, s->most8, 7),
	                                     _mm256_set1_epi8(HASH_MIN - 1));
	const __m256i at = BEFORE_OF(hash, s->hash, BEFORE);

	*s = (struct stages){ hash, two, four, eight, least, most2, most4, most8 };
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(at, most));
}

/* The two halves of the positions go through the two halves of a vector side by side, so
 * that "the bytes before" are one instruction; they are a stream of 16 bytes a step each.
 */
#define HEAD ((WINNOW_BEHIND + BEFORE) / 16) /* steps before the first result */
_Static_assert(WINNOW_BEHIND + BEFORE == 32, "a position has the bit of its number");

__attribute__((target("avx2"))) static void winnow_avx2(uint16_t select,
                                                        const unsigned char *p, size_t n,
                                                        uint64_t *out)
{
	uint8_t h[ROOM];
	const uint8_t *low = h, *high = h + n / 2;
	uint16_t bits[2][HEAD + WINNOW_MAX / 32];
	struct stages s = { 0 };
	uint32_t both;

	hashes_avx2(select, p - WINNOW_BEHIND, WINNOW_BEHIND + n + BEFORE, h);
	for (size_t i = 0; i < HEAD + n / 32; i++, low += 16, high += 16) {
		both = step(&s, _mm256_inserti128_si256(
					_mm256_castsi128_si256(
						_mm_loadu_si128((const void *)low)),
					_mm_loadu_si128((const void *)high), 1));
		bits[0][i] = (uint16_t)both;
		bits[1][i] = (uint16_t)(both >> 16);
	}
	memcpy(out, bits[0] + HEAD, n / 16);
	memcpy((unsigned char *)out + n / 16, bits[1] + HEAD, n / 16);
}

void winnow(uint16_t select, const unsigned char *p, size_t n, uint64_t *out)
{
	if (cpu_best() >= CPU_AVX2)
		winnow_avx2(select, p, n, out);
	else
		winnow_plain(select, p, n, out);
}

#else

void winnow(uint16_t select, const unsigned char *p, size_t n, uint64_t *out)
{
	winnow_plain(select, p, n, out);
}

#endif
