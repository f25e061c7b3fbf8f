/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_shape - patterns with '+', by where their wildcards are.
 *
 * Of one shape at most one pattern matches a path, and it is found by a hash over the
 * segments that are not wild.  So a policy with thousands of such patterns costs as many
 * probes as it has shapes, which are few unless someone makes them differ on purpose.
 */
#include <string.h>

#include "policy_impl.h"

#define FNV_START 2166136261u
#define FNV_PRIME 16777619u
#define WILD      0x6b43a9b5u /* in the place of a segment's hash */

static uint32_t hash_bytes(const char *s, size_t n)
{
	uint32_t h = FNV_START;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * FNV_PRIME;
	return h;
}

void policy_parts_cut(const char *path, size_t n, struct policy_parts *out)
{
	const char *s = path, *end = path + n;

	for (out->n = 0;; s++) {
		const char *slash = memchr(s, '/', (size_t)(end - s));
		size_t len = (size_t)((slash != NULL ? slash : end) - s);

		if (out->n < POLICY_PARTS)
			out->at[out->n] = (struct policy_part){ s, len,
				                                hash_bytes(s, len) };
		out->n++;
		if (slash == NULL)
			return;
		s = slash;
	}
}

bool policy_shape_of(const struct policy_rule *r, struct policy_shape *out)
{
	struct policy_parts parts;

	policy_parts_cut(r->text, r->len, &parts);
	if (parts.n > POLICY_PARTS)
		return false;
	*out = (struct policy_shape){ .n = (unsigned)parts.n, .glob = r->glob };
	/* What is before a star is a beginning, whatever it says. */
	if (r->glob)
		out->tail = (unsigned)parts.at[parts.n - 1].len;
	for (size_t i = 0; i < parts.n - (r->glob ? 1 : 0); i++)
		if (parts.at[i].len == 1 && parts.at[i].s[0] == '+')
			out->plus |= (uint64_t)1 << i;
	return true;
}

int policy_shape_order(const struct policy_shape *x, const struct policy_shape *y)
{
	if (x->plus != y->plus)
		return x->plus > y->plus ? 1 : -1;
	if (x->n != y->n)
		return x->n > y->n ? 1 : -1;
	if (x->glob != y->glob)
		return x->glob ? 1 : -1;
	return (x->tail > y->tail) - (x->tail < y->tail);
}

bool policy_shape_hash(const struct policy_shape *shape, const struct policy_parts *parts,
                       size_t n, uint32_t *out)
{
	size_t whole = shape->n - (shape->glob ? 1 : 0);
	uint32_t h = FNV_START;

	if (n < shape->n || (n > shape->n && !shape->glob))
		return false;
	for (size_t i = 0; i < whole; i++)
		h = (h ^ (shape->plus >> i & 1 ? WILD : parts->at[i].hash)) * FNV_PRIME;
	if (shape->glob) {
		const struct policy_part *last = &parts->at[whole];

		if (last->len < shape->tail)
			return false;
		h = (h ^ hash_bytes(last->s, shape->tail)) * FNV_PRIME;
	}
	*out = h;
	return true;
}
