/* SPDX-License-Identifier: Apache-2.0 */
#include "match/run_find.h"

#include "cpu.h"

struct run_finder run_find_of(const struct run *run)
{
	return (struct run_finder){ *run, byte_set_of(&run->of) };
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
#define BLOCK BYTE_SET_BLOCK

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
BYTE_SET_AVX2 static long in_block(uint64_t m, unsigned n, size_t *before)
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

BYTE_SET_AVX2 static size_t find_avx2(const struct run_finder *f, const unsigned char *p,
                                      size_t n, size_t from, size_t to)
{
	const struct byte_set_tables t = byte_set_load(&f->set);
	size_t before = 0;

	for (; from < to; from += BLOCK) {
		uint64_t m = byte_set_in(&t, p + from, n - from);
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
	if (cpu_best() >= CPU_AVX2)
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
