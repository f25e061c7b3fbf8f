/* SPDX-License-Identifier: Apache-2.0 */
/* sieve_avx2 - the sets of buckets of 32 bytes are those of their lower halves that are
 * those of their upper halves, too.  Both are looked up in registers. */
#ifdef __x86_64__
#include <immintrin.h>

#include "match/sieve_impl.h"

#define AVX2   __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define INLINE AVX2 __attribute__((always_inline)) static inline

/* The halves of 64 bytes, each in a byte of its own. */
struct halves {
	__m256i lower[2], upper[2];
};

/* Which of a set of eight buckets take each of 64 bytes. */
struct taken {
	__m256i by[2];
};

INLINE __m256i load(const unsigned char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE struct halves halves_of(const unsigned char *p)
{
	const __m256i half = _mm256_set1_epi8(15);
	struct halves h;

	for (unsigned i = 0; i < 2; i++) {
		const __m256i v = load(p + 32 * i);

		h.lower[i] = _mm256_and_si256(v, half);
		h.upper[i] = _mm256_and_si256(_mm256_srli_epi16(v, 3), half);
	}
	return h;
}

INLINE __m256i table(const uint8_t of[16])
{
	return _mm256_broadcastsi128_si256(
		_mm_loadu_si128((const __m128i *)(const void *)of));
}

/* Leaves in ${t} what takes the bytes at place ${k} of the windows, too. */
INLINE void only(struct taken *t, const struct sieve *s, unsigned k, unsigned set,
                 const struct halves *h)
{
	const __m256i lower = table(s->by_lower[k][set]),
		      upper = table(s->by_upper[k][set]);

	for (unsigned i = 0; i < 2; i++) {
		t->by[i] = _mm256_and_si256(
			t->by[i],
			_mm256_and_si256(_mm256_shuffle_epi8(lower, h->lower[i]),
		                         _mm256_shuffle_epi8(upper, h->upper[i])));
		/* Now: compilers would rather have all of it looked up first, for which
		 * there are too few registers. */
		__asm__("" : "+x"(t->by[i]));
	}
}

INLINE uint64_t any(const struct taken *a, const struct taken *b)
{
	uint64_t none[2];

	for (unsigned i = 0; i < 2; i++)
		none[i] = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(
			_mm256_or_si256(a->by[i], b->by[i]), _mm256_setzero_si256()));
	return ~(none[0] | none[1] << 32);
}

/* Where any bucket takes the windows at 64 bytes. */
INLINE uint64_t taken_by_any(const struct sieve *s, const unsigned char *p)
{
	const __m256i all = _mm256_set1_epi8(-1);
	struct taken a = {
		{all, all}
	}, b = a;

#pragma GCC unroll 4
	for (unsigned k = 0; k < BUCKETS_WINDOW; k++) {
		const struct halves h = halves_of(p + k);

		only(&a, s, k, 0, &h);
		only(&b, s, k, 1, &h);
	}
	return any(&a, &b);
}

/* The first ones are listed without a branch, as how many there are is not foreseen. */
INLINE unsigned block(const void *tables, const unsigned char *p, uint64_t bytes,
                      unsigned base, uint16_t *out)
{
	uint64_t bits = taken_by_any(tables, p) & bytes;
	const unsigned n = (unsigned)_mm_popcnt_u64(bits);

	do {
#pragma GCC unroll 4
		for (unsigned i = 0; i < 4; i++) {
			*out++ = (uint16_t)(base + (unsigned)_tzcnt_u64(bits));
			bits = _blsr_u64(bits);
			__asm__("" : "+r"(bits)); /* one by one, not as a vector */
		}
	} while (bits != 0);
	return n;
}

AVX2 size_t sieve_places_avx2(const struct sieve_text *t, size_t from,
                              struct slots_work *w)
{
	return sieve_list(t, from, w, block, t->s);
}
#endif
