/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/musts.h"

#include <string.h>

#define COMMON 24u /* a set of that weight is in most lines */

/* About how many lines in a hundred that name a secret have the byte. */
static unsigned weight_of(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return 2;
	if (c <= ' ' || c >= 0x7f || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return COMMON;
	return strchr("._-", c) != NULL ? 10 : strchr("\"'()=:,;", c) != NULL ? 5 : 1;
}

static unsigned weight(const struct bytes *set)
{
	unsigned sum = 0;

	for (unsigned c = 0; c < 256 && sum < COMMON; c++)
		if (rule_has_byte(set, (unsigned char)c))
			sum += weight_of((unsigned char)c);
	return sum;
}

/* Is all of ${a} in ${b}? */
static bool within(const struct bytes *a, const struct bytes *b)
{
	for (unsigned i = 0; i < 4; i++)
		if ((a->w[i] & ~b->w[i]) != 0)
			return false;
	return true;
}

/* In ascending order of weight; those that say no more than others are left out. */
static void add(struct musts *m, const struct bytes *set)
{
	const unsigned own = weight(set);
	unsigned at = 0, n = 0;

	if (own == 0 || own >= COMMON)
		return;
	for (unsigned i = 0; i < m->n; i++)
		if (within(&m->of[i], set))
			return;
	for (unsigned i = 0; i < m->n; i++)
		if (!within(set, &m->of[i]))
			m->of[n++] = m->of[i];
	while (at < n && weight(&m->of[at]) <= own)
		at++;
	if (at == RULE_MUSTS)
		return;
	n = n < RULE_MUSTS ? n + 1 : n;
	memmove(&m->of[at + 1], &m->of[at], (n - at - 1) * sizeof(*m->of));
	m->of[at] = *set;
	m->n = n;
	memset(&m->of[n], 0, (RULE_MUSTS - n) * sizeof(*m->of));
}

struct musts musts_byte(const struct bytes *set)
{
	struct musts m = { .n = 0 };

	add(&m, set);
	return m;
}

struct musts musts_then(const struct musts *a, const struct musts *b)
{
	struct musts m = *a;

	for (unsigned i = 0; i < b->n; i++)
		add(&m, &b->of[i]);
	return m;
}

struct musts musts_or(const struct musts *a, const struct musts *b)
{
	struct musts m = { .n = 0 };

	for (unsigned i = 0; i < a->n; i++)
		for (unsigned k = 0; k < b->n; k++) {
			struct bytes both = a->of[i];

			for (unsigned w = 0; w < 4; w++)
				both.w[w] |= b->of[k].w[w];
			add(&m, &both);
		}
	return m;
}
