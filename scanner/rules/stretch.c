/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/stretch.h"

static unsigned most(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static unsigned least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned sum(unsigned a, unsigned b)
{
	return least_of(a + b, STRETCH_MAX);
}

struct stretch stretch_nothing(void)
{
	return (struct stretch){ .all = true };
}

struct stretch stretch_unknown(void)
{
	return (struct stretch){ .all = false };
}

/* ${n}, if there are so many ${mixed} ones in it. */
static unsigned if_mixed(unsigned n, unsigned mixed)
{
	return mixed >= STRETCH_MIXED ? n : 0;
}

struct stretch stretch_byte(const struct bytes *one, const struct bytes *set,
                            unsigned mixed)
{
	for (unsigned i = 0; i < 4; i++)
		if ((one->w[i] & ~set->w[i]) != 0)
			return stretch_unknown();
	return (struct stretch){ 1, 1, 1, if_mixed(1, mixed), 1, true, mixed, mixed };
}

struct stretch stretch_then(const struct stretch *a, const struct stretch *b)
{
	const unsigned joined = sum(a->last, b->first);
	const unsigned mixed = a->last_mixed + b->first_mixed;

	return (struct stretch){
		.first = a->all ? sum(a->n, b->first) : a->first,
		.last = b->all ? sum(b->n, a->last) : b->last,
		.longest = most(most(a->longest, b->longest), joined),
		.token = most(most(a->token, b->token), if_mixed(joined, mixed)),
		.n = sum(a->n, b->n),
		.all = a->all && b->all,
		.first_mixed = a->all ? sum(a->first_mixed, b->first_mixed)
		                      : a->first_mixed,
		.last_mixed = b->all ? sum(b->last_mixed, a->last_mixed) : b->last_mixed,
	};
}

struct stretch stretch_or(const struct stretch *a, const struct stretch *b)
{
	return (struct stretch){
		.first = least_of(a->first, b->first),
		.last = least_of(a->last, b->last),
		.longest = least_of(a->longest, b->longest),
		.token = least_of(a->token, b->token),
		.n = least_of(a->n, b->n),
		.all = a->all && b->all,
		.first_mixed = least_of(a->first_mixed, b->first_mixed),
		.last_mixed = least_of(a->last_mixed, b->last_mixed),
	};
}

static unsigned times(unsigned n, unsigned least)
{
	return least_of(n * least_of(least, STRETCH_MAX), STRETCH_MAX);
}

struct stretch stretch_times(const struct stretch *a, unsigned least)
{
	struct stretch s = *a;

	if (least == 0) {
		s = stretch_nothing();
		return stretch_or(a, &s);
	}
	if (a->all) {
		s.n = s.first = s.last = s.longest = times(a->n, least);
		s.first_mixed = s.last_mixed = times(a->first_mixed, least);
		s.token = if_mixed(s.n, s.first_mixed);
	} else if (least > 1) {
		s = stretch_then(a, a);
		s.n = a->n;
	}
	return s;
}
