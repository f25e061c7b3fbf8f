/* SPDX-License-Identifier: Apache-2.0 */
#include "match/classes.h"

#include <string.h>

static bool has_all(const struct bytes *set)
{
	return (set->w[0] & set->w[1] & set->w[2] & set->w[3]) == UINT64_MAX;
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
			c->of[b] |= UINT64_C(1) << c->n;
	return UINT64_C(1) << c->n++;
}

uint64_t classes_of(const struct classes *c, const unsigned char *p, size_t n)
{
	uint64_t some = 0, more = 0;
	size_t i = 0;

	for (; i + 2 <= n; i += 2) {
		some |= c->of[p[i]];
		more |= c->of[p[i + 1]];
	}
	return some | more | (i < n ? c->of[p[i]] : 0);
}
