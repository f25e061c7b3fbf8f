/* SPDX-License-Identifier: Apache-2.0 */
#include "match/skip.h"

#include "rules/rules.h"
#ifdef __SSE2__
#include <immintrin.h>
#endif

static size_t skip(const struct bytes *set, const unsigned char *p, size_t at, size_t n)
{
	while (at < n && rule_has_byte(set, p[at]))
		at++;
	return at;
}

#ifdef __SSE2__
#define STEP ((size_t)16)

/* 255 where a byte is one of ${n} that follow each other from ${first} on. */
static __m128i among(__m128i v, char first, char n)
{
	const __m128i at = _mm_sub_epi8(v, _mm_set1_epi8(first));

	return _mm_cmpeq_epi8(_mm_min_epu8(at, _mm_set1_epi8((char)(n - 1))), at);
}

static __m128i is(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* Letters, '_', and from '-' to '9' all but the '/'. */
static __m128i of_word(__m128i v)
{
	const __m128i letter = among(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 26);
	const __m128i digit = _mm_andnot_si128(is(v, '/'), among(v, '-', 13));

	return _mm_or_si128(_mm_or_si128(letter, digit), is(v, '_'));
}

static __m128i of_prose(__m128i v)
{
	const __m128i blank = _mm_or_si128(is(v, ' '), is(v, '\t'));
	const __m128i quote = _mm_or_si128(_mm_or_si128(is(v, '"'), is(v, '\'')),
	                                   _mm_or_si128(is(v, '`'), is(v, '\\')));

	return _mm_or_si128(_mm_or_si128(blank, quote), of_word(v));
}

static unsigned rest(__m128i of)
{
	return (unsigned)_mm_movemask_epi8(of) ^ 0xffffu;
}

static __m128i load(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Over what ${of} and ${set} say alike; inline, so that ${of} is no call. */
__attribute__((always_inline)) static inline size_t skip_by(__m128i (*of)(__m128i),
                                                            const struct bytes *set,
                                                            const unsigned char *p,
                                                            size_t n)
{
	size_t at = 0;

	for (; at + STEP <= n; at += STEP) {
		const unsigned other = rest(of(load(p + at)));

		if (other != 0)
			return at + (size_t)__builtin_ctz(other);
	}
	return skip(set, p, at, n);
}

size_t skip_word(const unsigned char *p, size_t n)
{
	return skip_by(of_word, &rule_word, p, n);
}

size_t skip_prose(const unsigned char *p, size_t n)
{
	return skip_by(of_prose, &rule_prose, p, n);
}
#else
size_t skip_word(const unsigned char *p, size_t n)
{
	return skip(&rule_word, p, 0, n);
}

size_t skip_prose(const unsigned char *p, size_t n)
{
	return skip(&rule_prose, p, 0, n);
}
#endif
