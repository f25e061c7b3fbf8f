/* SPDX-License-Identifier: Apache-2.0 */
#include "match/open_find.h"

#include "cpu.h"

struct open_finder open_find_of(const struct opening *o)
{
	const struct bytes feed = { { UINT64_C(1) << '\n' } };

	return (struct open_finder){ *o, byte_set_of(&o->one), byte_set_of(&o->two),
		                     byte_set_of(&feed) };
}

size_t open_find_plain(const struct open_finder *f, const unsigned char *p, size_t n,
                       size_t from, size_t to, size_t first)
{
	for (size_t at = from; at < to; at++) {
		if (f->of.line && (at == first || p[at - 1] == '\n'))
			return at;
		if (rule_has_byte(&f->of.one, p[at]) && at + 1 < n &&
		    rule_has_byte(&f->of.two, p[at + 1]))
			return at;
	}
	return to;
}

#ifdef __x86_64__
/* ${from} is not the first byte of the text if lines are asked for. */
BYTE_SET_AVX2 static size_t find_avx2(const struct open_finder *f, const unsigned char *p,
                                      size_t n, size_t from, size_t to)
{
	const struct byte_set_tables one = byte_set_load(&f->one),
				     two = byte_set_load(&f->two),
				     feed = byte_set_load(&f->feed);

	for (size_t at = from; at < to; at += BYTE_SET_BLOCK) {
		uint64_t m = byte_set_in(&one, p + at, n - at) &
		             byte_set_in(&two, p + at + 1, n - at - 1);

		if (f->of.line)
			m |= byte_set_in(&feed, p + at - 1, n - at + 1);
		if (to - at < BYTE_SET_BLOCK)
			m &= ~(UINT64_MAX << (to - at));
		if (m != 0)
			return at + (size_t)__builtin_ctzll(m);
	}
	return to;
}

size_t open_find(const struct open_finder *f, const unsigned char *p, size_t n,
                 size_t from, size_t to, size_t first)
{
	if (cpu_best() < CPU_AVX2)
		return open_find_plain(f, p, n, from, to, first);
	return f->of.line && from == first ? from : find_avx2(f, p, n, from, to);
}
#else
size_t open_find(const struct open_finder *f, const unsigned char *p, size_t n,
                 size_t from, size_t to, size_t first)
{
	return open_find_plain(f, p, n, from, to, first);
}
#endif
