/* SPDX-License-Identifier: Apache-2.0 */
/* Long listings in order, some items at a time. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "runs.h"

static struct arena *a;
static struct err e;

static void setup(void)
{
	a = arena_new((size_t)64 * 1024 * 1024);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(runs, .init = setup, .fini = teardown, .timeout = 60);

/* Names that are prefixes of each other, of all lengths, with high bytes, none twice. */
static const char *name_of(unsigned i)
{
	static const char *const head[] = { "", "a", "a/", "a\xc3\xa9", "ab", "zz-" };

	return arena_printf(a, "%s%u", head[i % 6], i * 2654435761u);
}

static int by_bytes(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static const char **in_order(unsigned n)
{
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));

	cr_assert_not_null(names);
	for (unsigned i = 0; i < n; i++)
		names[i] = name_of(i);
	qsort(names, n, sizeof(*names), by_bytes);
	return names;
}

static struct value *item(struct arena *slice, unsigned i, bool member)
{
	const char *name = arena_str(slice, name_of(i));
	struct value *v = member ? value_object(slice) : value_str(slice, name);

	if (member) {
		value_set_str(slice, v, "is", name);
		v->key = name;
		v->key_len = (uint32_t)strlen(name);
	}
	return v;
}

/* ${n} items, ${run} in each run; what they are made of is gone before they merge. */
static void fill(struct runs *s, unsigned n, unsigned run)
{
	for (unsigned i = 0; i < n; i += run) {
		AUTO_ARENA slice = arena_new((size_t)16 * 1024 * 1024);

		for (unsigned k = i; k < i + run && k < n; k++)
			runs_add(s, item(slice, k, s->members));
		cr_assert_eq(runs_close(s, a, &e), ERR_OK);
	}
}

/* The whole, after so many calls. */
static struct value *merged(struct runs *s, size_t limit, unsigned *calls)
{
	struct value *out = NULL, *v;
	bool done = false;

	for (*calls = 0; !done; (*calls)++)
		cr_assert_eq(runs_merge(s, a, limit, &done, &e), ERR_OK);
	v = runs_value(s, a);
	cr_assert_not_null(v);
	if (v->type != V_ENCODED)
		return v;
	cr_assert_eq(value_decode(a, v->text, v->len, &out, &e), ERR_OK, "%s", e.msg);
	return out;
}

Test(runs, are_merged_into_one_order)
{
	static const unsigned sizes[] = { 1, 2, 7, 64, 1000, 1001, 5000 };
	static const unsigned lengths[] = { 1, 3, 64, 1024 };

	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(lengths); i++) {
		unsigned n = sizes[i % ARRAY_LEN(sizes)], calls, at = 0;
		struct runs s = { .members = false };
		const char **want = in_order(n);
		const struct value *got;

		fill(&s, n, lengths[i / ARRAY_LEN(sizes)]);
		got = merged(&s, 100, &calls);
		cr_assert_eq(got->type, V_ARRAY);
		cr_assert_eq(got->len, n);
		for (const struct value *v = got->first; v != NULL; v = v->next, at++)
			cr_assert(value_is_str(v, want[at]), "item %u", at);
		cr_assert_eq(calls, (n + 99) / 100, "100 items a call");
	}
}

Test(runs, members_keep_their_values)
{
	struct runs s = { .members = true };
	const char **want = in_order(777);
	const struct value *got;
	unsigned calls, at = 0;

	fill(&s, 777, 50);
	got = merged(&s, 10, &calls);
	cr_assert_eq(got->type, V_OBJECT);
	cr_assert_eq(got->len, 777);
	for (const struct value *v = got->first; v != NULL; v = v->next, at++) {
		cr_assert(v->key_len == strlen(want[at]) &&
		          memcmp(v->key, want[at], v->key_len) == 0);
		cr_assert(value_is_str(value_get(v, "is"), want[at]));
	}
}

Test(runs, of_nothing_are_an_empty_value)
{
	struct runs array = { .members = false }, object = { .members = true };
	unsigned calls;

	cr_assert_eq(runs_close(&array, a, &e), ERR_OK);
	cr_assert_eq(merged(&array, 10, &calls)->type, V_ARRAY);
	cr_assert_eq(merged(&object, 10, &calls)->type, V_OBJECT);
	cr_assert_eq(merged(&object, 10, &calls)->len, 0);
}

Test(runs, can_be_walked_item_by_item)
{
	struct runs s = { .members = true };
	struct runs_item item;
	struct runs_at at;
	unsigned calls, n = 0;

	fill(&s, 33, 10);
	(void)merged(&s, 10, &calls);
	at = (struct runs_at){ s.out + RUNS_HEAD, s.out + s.used };
	while (runs_next(&at, true, &item))
		n++;
	cr_assert_eq(n, 33);
	cr_assert_eq(at.p, at.end);
}

Test(runs, say_when_memory_is_short)
{
	AUTO_ARENA little = arena_new(256);
	struct runs s = { .members = false };

	for (unsigned i = 0; i < 100; i++)
		runs_add(&s, value_str(a, name_of(i)));
	cr_assert_eq(runs_close(&s, little, &e), ERR_NOMEM);
}
