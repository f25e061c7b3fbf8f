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

struct stretch stretch_byte(const struct bytes *one, const struct bytes *set)
{
	for (unsigned i = 0; i < 4; i++)
		if ((one->w[i] & ~set->w[i]) != 0)
			return stretch_unknown();
	return (struct stretch){ 1, 1, 1, 1, true };
}

struct stretch stretch_then(const struct stretch *a, const struct stretch *b)
{
	return (struct stretch){
		.first = a->all ? sum(a->n, b->first) : a->first,
		.last = b->all ? sum(b->n, a->last) : b->last,
		.longest = most(most(a->longest, b->longest), sum(a->last, b->first)),
		.n = sum(a->n, b->n),
		.all = a->all && b->all,
	};
}

struct stretch stretch_or(const struct stretch *a, const struct stretch *b)
{
	return (struct stretch){
		.first = least_of(a->first, b->first),
		.last = least_of(a->last, b->last),
		.longest = least_of(a->longest, b->longest),
		.n = least_of(a->n, b->n),
		.all = a->all && b->all,
	};
}

struct stretch stretch_times(const struct stretch *a, unsigned least)
{
	struct stretch s = *a;

	if (least == 0) {
		s = stretch_nothing();
		return stretch_or(a, &s);
	}
	if (a->all) {
		s.n = least_of(a->n * least_of(least, STRETCH_MAX), STRETCH_MAX);
		s.first = s.last = s.longest = s.n;
	} else if (least > 1) {
		s.longest = most(a->longest, sum(a->last, a->first));
	}
	return s;
}
