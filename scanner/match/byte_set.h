/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BYTE_SET_H
#define SCANNER_BYTE_SET_H
/* byte_set - which of 32 bytes are of a set, with AVX2. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "rules/rule.h"

/* Bit h of byte l: is the byte with h in its upper half, and l in its lower half, of the
 * set?  Of bytes below 0x80, and of the others. */
struct byte_set {
	uint8_t low[16], high[16];
};

static inline struct byte_set byte_set_of(const struct bytes *set)
{
	struct byte_set s = { { 0 }, { 0 } };

	for (unsigned c = 0; c < 256; c++) {
		uint8_t *half = c < 0x80 ? s.low : s.high;

		if (rule_has_byte(set, (unsigned char)c))
			half[c % 16] |= (uint8_t)(1u << c / 16 % 8);
	}
	return s;
}

#ifdef __x86_64__
#define BYTE_SET_AVX2   __attribute__((target("avx2,bmi")))
#define BYTE_SET_INLINE BYTE_SET_AVX2 __attribute__((always_inline)) static inline
#define BYTE_SET_BLOCK  ((size_t)64)

struct byte_set_tables {
	__m256i low, high;
};

BYTE_SET_INLINE __m256i byte_set_table(const uint8_t half[16])
{
	return _mm256_broadcastsi128_si256(
		_mm_loadu_si128((const __m128i *)(const void *)half));
}

BYTE_SET_INLINE struct byte_set_tables byte_set_load(const struct byte_set *s)
{
	return (struct byte_set_tables){ byte_set_table(s->low),
		                         byte_set_table(s->high) };
}

/* Which of 32 bytes are of it. */
BYTE_SET_INLINE uint64_t byte_set_32(const struct byte_set_tables *t,
                                     const unsigned char *p)
{
	const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201);
	const __m256i top = _mm256_set1_epi8((char)0x80);
	const __m256i index = _mm256_set1_epi8((char)0x8f);
	const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	/* An index with its top bit set gives 0: of each byte, one of the two does. */
	const __m256i uppers = _mm256_or_si256(
		_mm256_shuffle_epi8(t->low, _mm256_and_si256(v, index)),
		_mm256_shuffle_epi8(t->high,
	                            _mm256_and_si256(_mm256_xor_si256(v, top), index)));
	const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(v, 4),
	                                       _mm256_set1_epi8(7));
	const __m256i bit = _mm256_shuffle_epi8(bits, upper);

	return (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_and_si256(uppers, bit), bit));
}

/* Which of the next BYTE_SET_BLOCK bytes, of which there are ${n} or more. */
BYTE_SET_INLINE uint64_t byte_set_in(const struct byte_set_tables *t,
                                     const unsigned char *p, size_t n)
{
	unsigned char end[BYTE_SET_BLOCK] = { 0 };

	if (n >= BYTE_SET_BLOCK)
		return byte_set_32(t, p) | byte_set_32(t, p + 32) << 32;
	memcpy(end, p, n);
	return (byte_set_32(t, end) | byte_set_32(t, end + 32) << 32) &
	       ~(UINT64_MAX << n);
}
#endif

#endif
