/* SPDX-License-Identifier: Apache-2.0 */
#include "match/classes.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "cpu.h"

static bool has_all(const struct bytes *set)
{
	return (set->w[0] & set->w[1] & set->w[2] & set->w[3]) == UINT64_MAX;
}

/* Byte ${b} is in the newest set. */
static void put(struct classes *c, unsigned b)
{
	const uint64_t bit = UINT64_C(1) << c->n;

	c->of[b] |= bit;
	if (b < 128)
		c->eight[c->n / 8][b] |= (uint8_t)(1u << c->n % 8);
	else
		c->high |= bit;
}

uint64_t classes_add(struct classes *c, const struct bytes *set)
{
	if (has_all(set))
		return 0;
	for (unsigned i = 0; i < c->n; i++)
		if (memcmp(&c->set[i], set, sizeof(*set)) == 0)
			return UINT64_C(1) << i;
	if (c->n == CLASSES_MAX)
		return 0;
	c->set[c->n] = *set;
	for (unsigned b = 0; b < 256; b++)
		if (rule_has_byte(set, (unsigned char)b))
			put(c, b);
	return UINT64_C(1) << c->n++;
}

uint64_t classes_of_plain(const struct classes *c, const unsigned char *p, size_t n)
{
	uint64_t some = 0, more = 0;
	size_t i = 0;

	for (; i + 2 <= n; i += 2) {
		some |= c->of[p[i]];
		more |= c->of[p[i + 1]];
	}
	return some | more | (i < n ? c->of[p[i]] : 0);
}

#ifdef __x86_64__

#define VBMI   __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define INLINE VBMI __attribute__((always_inline)) static inline
#define BLOCK  ((size_t)64)

/* What eight sets have of ASCII. */
struct table {
	__m512i low, high;
};

INLINE struct table table_of(const uint8_t eight[128])
{
	return (struct table){ _mm512_loadu_si512(eight),
		               _mm512_loadu_si512(eight + 64) };
}

/* Adds what bytes ${ascii} of ${v} are in. */
INLINE void look_up(__m512i *all, const struct table *t, uint64_t ascii, __m512i v)
{
	*all = _mm512_or_si512(*all,
	                       _mm512_maskz_permutex2var_epi8(ascii, t->low, v, t->high));
}

/* Bytes of ${a} and of ${b} in turn, half as many of both. */
INLINE __m512i fold_8(__m512i a, __m512i b)
{
	return _mm512_or_si512(_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
}

INLINE __m512i fold_16(__m512i a, __m512i b)
{
	return _mm512_or_si512(_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b));
}

INLINE __m512i fold_32(__m512i a, __m512i b)
{
	return _mm512_or_si512(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

/* By name, so that all of them are in registers. */
VBMI static uint64_t of_vbmi(const struct classes *c, const unsigned char *p, size_t n)
{
	_Static_assert(CLASSES_MAX == 64, "eight times eight");
	const struct table ta = table_of(c->eight[0]), tb = table_of(c->eight[1]),
			   tc = table_of(c->eight[2]), td = table_of(c->eight[3]),
			   te = table_of(c->eight[4]), tf = table_of(c->eight[5]),
			   tg = table_of(c->eight[6]), th = table_of(c->eight[7]);
	__m512i a = _mm512_setzero_si512(), b = a, d = a, e = a, f = a, g = a, h = a,
		i = a;
	uint64_t others = 0;

	for (size_t at = 0; at < n; at += BLOCK) {
		const uint64_t there = n - at < BLOCK ? (UINT64_C(1) << (n - at)) - 1
		                                      : UINT64_MAX;
		const __m512i v = _mm512_maskz_loadu_epi8(there, p + at);
		const uint64_t other = _mm512_movepi8_mask(v), ascii = there & ~other;

		look_up(&a, &ta, ascii, v);
		look_up(&b, &tb, ascii, v);
		look_up(&d, &tc, ascii, v);
		look_up(&e, &td, ascii, v);
		look_up(&f, &te, ascii, v);
		look_up(&g, &tf, ascii, v);
		look_up(&h, &tg, ascii, v);
		look_up(&i, &th, ascii, v);
		others |= other;
	}
	a = fold_32(fold_16(fold_8(a, b), fold_8(d, e)),
	            fold_16(fold_8(f, g), fold_8(h, i)));
	return (uint64_t)_mm512_reduce_or_epi64(a) | (others != 0 ? c->high : 0);
}

uint64_t classes_of(const struct classes *c, const unsigned char *p, size_t n)
{
	if (n > BLOCK / 4 && cpu_best() >= CPU_VBMI)
		return of_vbmi(c, p, n);
	return classes_of_plain(c, p, n);
}

#else

uint64_t classes_of(const struct classes *c, const unsigned char *p, size_t n)
{
	return classes_of_plain(c, p, n);
}

#endif
