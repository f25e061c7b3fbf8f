/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "kv_api.h"

static int by_key(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;
	int order = memcmp(a->key, b->key,
	                   a->key_len < b->key_len ? a->key_len : b->key_len);

	return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* The members of an object in order of key; NULL is an empty object. */
static const struct value **sorted(struct arena *a, const struct value *o, size_t *n)
{
	const struct value **list;
	size_t at = 0;

	*n = o != NULL && o->type == V_OBJECT ? o->len : 0;
	list = arena_alloc(a, (*n + 1) * sizeof(const struct value *));
	if (list == NULL)
		return NULL;
	for (const struct value *v = *n > 0 ? o->first : NULL; v != NULL; v = v->next)
		list[at++] = v;
	qsort(list, *n, sizeof(const struct value *), by_key);
	return list;
}

static void set_copy(struct arena *a, struct value *out, const struct value *named,
                     struct value *v)
{
	const char *key = arena_dup(a, named->key, named->key_len);

	if (key != NULL)
		value_setn(out, key, named->key_len, v);
}

/* Both lists are sorted: one pass, whatever their lengths. */
struct value *kv_merge_patch(struct arena *a, const struct value *target,
                             const struct value *patch)
{
	struct value *out = value_object(a);
	const struct value **have, **want;
	size_t n_have, n_want, i = 0, k = 0;

	if (patch->type != V_OBJECT)
		return value_copy(a, patch);
	have = sorted(a, target, &n_have);
	want = sorted(a, patch, &n_want);
	if (have == NULL || want == NULL)
		return NULL;
	while (i < n_have || k < n_want) {
		int order = i == n_have   ? 1
		            : k == n_want ? -1
		                          : by_key(&have[i], &want[k]);

		if (order < 0)
			set_copy(a, out, have[i], value_copy(a, have[i]));
		else if (want[k]->type != V_NULL)
			set_copy(a, out, want[k],
			         kv_merge_patch(a, order == 0 ? have[i] : NULL, want[k]));
		i += order <= 0;
		k += order >= 0;
	}
	return out;
}

struct value *kv_subkeys(struct arena *a, const struct value *v, int64_t depth)
{
	struct value *out;

	if (v->type != V_OBJECT || v->len == 0)
		return value_null(a);
	out = value_object(a);
	for (const struct value *m = v->first; m != NULL; m = m->next)
		set_copy(a, out, m,
		         depth == 1 ? value_null(a)
		                    : kv_subkeys(a, m, depth > 0 ? depth - 1 : 0));
	return out;
}
