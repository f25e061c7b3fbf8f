/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/opening.h"

static const struct bytes all = {
	{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}
};

static void unite(struct bytes *a, const struct bytes *b)
{
	for (unsigned i = 0; i < 4; i++)
		a->w[i] |= b->w[i];
}

struct opening_part opening_nothing(void)
{
	return (struct opening_part){ .empty = true };
}

bool opening_is_nothing(const struct opening_part *a)
{
	const uint64_t *w = a->one.w;

	return a->empty && !a->single && (w[0] | w[1] | w[2] | w[3]) == 0;
}

struct opening_part opening_unknown(void)
{
	return (struct opening_part){ all, all, .empty = true, .single = true };
}

struct opening_part opening_byte(const struct bytes *set)
{
	return (struct opening_part){ .one = *set, .single = true };
}

struct opening_part opening_then(const struct opening_part *a,
                                 const struct opening_part *b)
{
	struct opening_part p = *a;

	if (a->empty) {
		unite(&p.one, &b->one);
		unite(&p.two, &b->two);
	}
	if (a->single)
		unite(&p.two, &b->one);
	p.empty = a->empty && b->empty;
	p.single = (a->single && b->empty) || (a->empty && b->single);
	return p;
}

struct opening_part opening_or(const struct opening_part *a, const struct opening_part *b)
{
	struct opening_part p = *a;

	unite(&p.one, &b->one);
	unite(&p.two, &b->two);
	p.empty |= b->empty;
	p.single |= b->single;
	return p;
}

struct opening_part opening_again(const struct opening_part *a)
{
	struct opening_part p = *a;

	if (a->single)
		unite(&p.two, &a->one);
	return p;
}

struct opening opening_of(const struct opening_part *a, bool line)
{
	return (struct opening){
		.one = a->empty ? all : a->one,
		.two = a->empty || a->single ? all : a->two,
		.line = line,
	};
}
