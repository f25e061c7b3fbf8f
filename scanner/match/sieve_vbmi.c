/* SPDX-License-Identifier: Apache-2.0 */
/* sieve_vbmi - with AVX-512: the sets of buckets of 64 bytes are looked up in registers.
 */
#ifdef __x86_64__
#include <immintrin.h>

#include "match/sieve_impl.h"

#define VBMI   __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")))
#define INLINE VBMI __attribute__((always_inline)) static inline

/* What one half of the buckets takes at one place of their windows. */
struct place {
	__m512i low, high;
};

/* Places by name, so that all of them are in registers. */
struct half {
	struct place a, b, c, d;
};

INLINE struct place place_of(const uint8_t table[BUCKETS_BYTES])
{
	return (struct place){ _mm512_loadu_si512(table),
		               _mm512_loadu_si512(table + 64) };
}

INLINE struct half half_of(const uint8_t tables[BUCKETS_WINDOW][BUCKETS_BYTES])
{
	_Static_assert(BUCKETS_WINDOW == 4, "as many places");
	return (struct half){ place_of(tables[0]), place_of(tables[1]),
		              place_of(tables[2]), place_of(tables[3]) };
}

/* The buckets of both halves that take the byte at one place of the windows at each of 64
 * bytes. */
struct both {
	__m512i a, b;
};

/* Bytes are loaded once: most loads are from two lines of the cache, and compilers would
 * rather load twice than copy. */
INLINE struct both taken_at(const struct place *a, const struct place *b,
                            const unsigned char *p)
{
	__m512i v = _mm512_loadu_si512(p);

	__asm__("" : "+v"(v));
	return (struct both){ _mm512_permutex2var_epi8(a->low, v, a->high),
		              _mm512_permutex2var_epi8(b->low, v, b->high) };
}

INLINE __m512i all_of(__m512i a, __m512i b, __m512i c, __m512i d)
{
	return _mm512_and_si512(_mm512_and_si512(a, b), _mm512_and_si512(c, d));
}

#define EIGHT(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
static const uint8_t numbers[SIEVE_BLOCK] = {
	EIGHT(0),  EIGHT(8),  EIGHT(16), EIGHT(24),
	EIGHT(32), EIGHT(40), EIGHT(48), EIGHT(56)
};

/* 32 numbers from ${base} on. */
INLINE void put(uint16_t *out, __m512i base, __m256i from)
{
	_mm512_storeu_si512(out, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(from)));
}

/* Where any bucket takes the windows at 64 bytes. */
INLINE uint64_t taken_by_any(const struct half *a, const struct half *b,
                             const unsigned char *p)
{
	const struct both v = taken_at(&a->a, &b->a, p);
	const struct both w = taken_at(&a->b, &b->b, p + 1);
	const struct both x = taken_at(&a->c, &b->c, p + 2);
	const struct both y = taken_at(&a->d, &b->d, p + 3);
	const __m512i in = _mm512_or_si512(all_of(v.a, w.a, x.a, y.a),
	                                   all_of(v.b, w.b, x.b, y.b));

	return _mm512_test_epi8_mask(in, in);
}

/* Both halves of the buckets. */
struct tables {
	struct half a, b;
};

INLINE unsigned block(const void *tables, const unsigned char *p, uint64_t bytes,
                      unsigned base, uint16_t *out)
{
	const struct tables *t = tables;
	const uint64_t bits = taken_by_any(&t->a, &t->b, p) & bytes;
	const __m512i are = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(numbers));
	const __m512i from = _mm512_set1_epi16((short)base);
	const unsigned n = (unsigned)_mm_popcnt_u64(bits);

	put(out, from, _mm512_castsi512_si256(are));
	if (n > 32)
		put(out + 32, from, _mm512_extracti64x4_epi64(are, 1));
	return n;
}

VBMI size_t sieve_places_vbmi(const struct sieve_text *t, size_t from,
                              struct slots_work *w)
{
	const struct tables tables = { half_of(t->s->by_byte[0]),
		                       half_of(t->s->by_byte[1]) };

	return sieve_list(t, from, w, block, &tables);
}
#endif
