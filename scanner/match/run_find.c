/* SPDX-License-Identifier: Apache-2.0 */
#include "match/run_find.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define BLOCK ((size_t)64)

struct run_finder run_find_of(const struct run *run)
{
	struct run_finder f = { .run = *run };

	for (unsigned c = 0; c < 256; c++) {
		uint8_t *half = c < 0x80 ? f.low : f.high;

		if (rule_has_byte(&run->of, (unsigned char)c))
			half[c % 16] |= (uint8_t)(1u << c / 16 % 8);
	}
	return f;
}

/* Every n-th byte is looked at, until one is of the run. */
size_t run_find_plain(const struct run_finder *f, const unsigned char *p, size_t from,
                      size_t to)
{
	const struct run *run = &f->run;
	size_t low, high;

	for (size_t at = from + run->n - 1; at < to; at = high + run->n) {
		for (low = at + 1; low > from && rule_has_byte(&run->of, p[low - 1]);)
			low--;
		for (high = at; high < to && high < low + run->n &&
		                rule_has_byte(&run->of, p[high]);)
			high++;
		if (high >= low + run->n)
			return low;
	}
	return to;
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2,bmi")))

struct tables {
	__m256i low, high, bits;
};

AVX2 static __m256i table(const uint8_t half[16])
{
	return _mm256_broadcastsi128_si256(
		_mm_loadu_si128((const __m128i *)(const void *)half));
}

/* Which of 32 bytes are of the run. */
AVX2 static uint64_t of_run(const struct tables *t, const unsigned char *p)
{
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
	const __m256i bit = _mm256_shuffle_epi8(t->bits, upper);

	return (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_and_si256(uppers, bit), bit));
}

/* The same of less than 64, where the text ends. */
AVX2 static uint64_t of_end(const struct tables *t, const unsigned char *p, size_t n)
{
	unsigned char end[BLOCK];

	memcpy(end, p, n);
	return (of_run(t, end) | of_run(t, end + 32) << 32) & ~(UINT64_MAX << n);
}

/* Which of the bits of ${m} are followed by ${n} - 1 more. */
static uint64_t followed(uint64_t m, unsigned n)
{
	for (unsigned known = 1, more; known < n && m != 0; known += more) {
		more = known < n - known ? known : n - known;
		m &= m >> more;
	}
	return m;
}

/* The run that ${before} bytes right before a block began, or that begins in it: where,
 * from the block's first byte on; BLOCK: there is none, and ${before} is of the next. */
AVX2 static long in_block(uint64_t m, unsigned n, size_t *before)
{
	const size_t first = ~m != 0 ? (size_t)__builtin_ctzll(~m) : BLOCK;
	uint64_t whole;

	if (*before + first >= n)
		return -(long)*before;
	if (first == BLOCK) {
		*before += BLOCK;
		return (long)BLOCK;
	}
	whole = n <= BLOCK ? followed(m, n) : 0;
	*before = (size_t)__builtin_clzll(~m);
	return whole != 0 ? (long)__builtin_ctzll(whole) : (long)BLOCK;
}

AVX2 static size_t find_avx2(const struct run_finder *f, const unsigned char *p, size_t n,
                             size_t from, size_t to)
{
	static const uint8_t bits[16] = { 1, 2, 4, 8, 16, 32, 64, 128 };
	const struct tables t = { table(f->low), table(f->high), table(bits) };
	size_t before = 0;

	for (; from < to; from += BLOCK) {
		const bool whole = n - from >= BLOCK;
		uint64_t m = whole ? of_run(&t, p + from) | of_run(&t, p + from + 32)
		                                                    << 32
		                   : of_end(&t, p + from, n - from);
		long at;

		if (to - from < BLOCK)
			m &= UINT64_MAX >> (BLOCK - (to - from));
		at = in_block(m, f->run.n, &before);
		if (at != (long)BLOCK)
			return from + (size_t)at;
	}
	return to;
}

size_t run_find(const struct run_finder *f, const unsigned char *p, size_t n, size_t from,
                size_t to)
{
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
		return find_avx2(f, p, n, from, to);
	return run_find_plain(f, p, from, to);
}
#else
size_t run_find(const struct run_finder *f, const unsigned char *p, size_t n, size_t from,
                size_t to)
{
	(void)n;
	return run_find_plain(f, p, from, to);
}
#endif
