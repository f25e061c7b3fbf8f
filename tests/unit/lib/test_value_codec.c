/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "value.h"
#include "vault/limits.h"

static struct arena *a;
static struct err e;

static void setup(void)
{
	a = arena_new(32u << 20);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(value_codec, .init = setup, .fini = teardown, .timeout = 120);

/* Decode from a block of exactly that size, so that a read past it is seen. */
static int decode(const void *p, size_t n, struct value **v)
{
	unsigned char *exact = arena_alloc(a, n);

	cr_assert_not_null(exact);
	if (n != 0)
		memcpy(exact, p, n);
	return value_decode(a, exact, n, v, &e);
}

/* What is accepted has one encoding alone. */
static bool canonical(const void *p, size_t n)
{
	struct value *v = NULL;
	unsigned char *again;
	size_t len = 0;

	if (decode(p, n, &v) != ERR_OK)
		return true;
	again = value_pack(a, v, &len);
	return again != NULL && len == n && memcmp(again, p, n) == 0;
}

/* Every line of the format, byte by byte. */
Test(value_codec, the_format_is_fixed)
{
	static const unsigned char want[] = {
		7, 0, 0, 0, 74,  0, 0, 0, 7,                           /* object of 7 */
		0, 0, 0, 1, 'n', 0,                                    /* n: null */
		0, 0, 0, 1, 'f', 1,                                    /* f: false */
		0, 0, 0, 1, 't', 2,                                    /* t: true */
		0, 0, 0, 1, '#', 3, 0, 0, 0, 3, '1',  '.',  '5',       /* 1.5 */
		0, 0, 0, 1, 's', 4, 0, 0, 0, 2, 0xc3, 0xa9,            /* é */
		0, 0, 0, 1, 'b', 5, 0, 0, 0, 2, 0,    255,             /* bytes */
		0, 0, 0, 1, '[', 6, 0, 0, 0, 5, 0,    0,    0,   1, 2, /* [true] */
	};
	struct value *o = value_object(a), *list = value_array(a), *v;
	size_t n = 0;
	unsigned char *p;

	value_add(list, value_bool(a, true));
	value_set(o, "n", value_null(a));
	value_set_bool(a, o, "f", false);
	value_set_bool(a, o, "t", true);
	value_set(o, "#", value_number(a, "1.5", 3));
	value_set_str(a, o, "s", "\xc3\xa9");
	value_set_bytes(a, o, "b", "\0\xff", 2);
	value_set(o, "[", list);
	p = value_pack(a, o, &n);
	cr_assert_eq(n, sizeof(want));
	cr_assert_arr_eq(p, want, sizeof(want));
	cr_assert_eq(decode(want, sizeof(want), &v), ERR_OK, "%s", e.msg);
	cr_assert(value_equal(v, o));
}

struct refused {
	const char *why;
	const char *p;
	size_t n;
};

#define RAW(bytes) (bytes), sizeof(bytes) - 1

Test(value_codec, what_is_not_exactly_right_is_refused)
{
	/* clang-format off */
	static const struct refused cases[] = {
		{ "nothing", RAW("") },
		{ "unknown type", RAW("\x08") },
		{ "unknown type", RAW("\xff") },
		{ "trailing byte", RAW("\0\0") },
		{ "no length", RAW("\4") },
		{ "half a length", RAW("\4\0\0") },
		{ "length beyond the end", RAW("\4\0\0\0\2a") },
		{ "largest length", RAW("\4\xff\xff\xff\xff" "a") },
		{ "empty number", RAW("\3\0\0\0\0") },
		{ "leading zero", RAW("\3\0\0\0\2" "01") },
		{ "letters as number", RAW("\3\0\0\0\3NaN") },
		{ "array without count", RAW("\6\0\0\0\0") },
		{ "body shorter than count", RAW("\6\0\0\0\3\0\0\0\0") },
		{ "count above items", RAW("\6\0\0\0\5\0\0\0\2\0") },
		{ "items above count", RAW("\6\0\0\0\6\0\0\0\1\0\0") },
		{ "huge count", RAW("\6\0\0\0\5\xff\xff\xff\xff\0") },
		{ "body beyond the end", RAW("\6\0\0\0\5\0\0\0\0") },
		{ "item beyond the body", RAW("\6\0\0\0\x8\0\0\0\1\4\0\0\0\3xyz") },
		{ "member without value", RAW("\7\0\0\0\x9\0\0\0\1\0\0\0\1x") },
		{ "key beyond the body", RAW("\7\0\0\0\x9\0\0\0\1\0\0\0\x9x") },
		{ "repeated key",
		  RAW("\7\0\0\0\x10\0\0\0\2\0\0\0\1x\0\0\0\0\1x\1") },
		{ "repeated empty key", RAW("\7\0\0\0\xe\0\0\0\2\0\0\0\0\0\0\0\0\0\0") },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = NULL;

		cr_expect_eq(decode(cases[i].p, cases[i].n, &v), ERR_INVALID, "%zu: %s",
		             i, cases[i].why);
		cr_expect_null(v, "%s: output touched", cases[i].why);
	}
	cr_assert_eq(value_decode(a, NULL, 0, &(struct value *){ NULL }, &e),
	             ERR_INVALID);
}

/* A tree from a small generator, so that every run sees the same ones. */
static uint32_t seed;

static uint32_t next(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static struct value *random_tree(unsigned depth)
{
	static const char *const numbers[] = { "0", "-1", "1.5e-3",
		                               "9223372036854775808" };
	const char *number = numbers[next(4)];
	struct value *v;
	uint32_t kind = next(depth > 0 ? 8 : 6);

	if (kind < 3)
		return kind == 0 ? value_null(a) : value_bool(a, kind == 1);
	if (kind == 3)
		return value_str(a, number);
	if (kind == 4)
		return value_number(a, number, strlen(number));
	if (kind == 5)
		return value_bytes(a, "\0\1\2\3\4\5\6\7", next(8));
	v = kind == 6 ? value_array(a) : value_object(a);
	for (uint32_t i = next(5); i > 0; i--) {
		struct value *child = random_tree(depth - 1);

		if (kind == 6)
			value_add(v, child);
		else
			value_set(v, arena_printf(a, "k%u", i), child);
	}
	return v;
}

Test(value_codec, random_trees_come_back_and_their_damage_never_passes_unseen)
{
	for (uint32_t round = 0; round < 300; round++) {
		struct value *tree, *v = NULL;
		unsigned char *p;
		size_t n = 0;

		arena_reset(a);
		seed = round;
		tree = random_tree(4);
		p = value_pack(a, tree, &n);
		cr_assert_eq(n, value_size(tree));
		cr_assert_eq(decode(p, n, &v), ERR_OK, "%u: %s", round, e.msg);
		cr_assert(value_equal(tree, v), "%u", round);
		cr_assert(canonical(p, n), "%u", round);
		for (size_t cut = 0; cut < n; cut++)
			cr_assert_eq(decode(p, cut, &v), ERR_INVALID, "%u cut at %zu",
			             round, cut);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			p[bit / 8] ^= (unsigned char)(1u << bit % 8);
			cr_assert(canonical(p, n), "%u bit %zu", round, bit);
			p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
	}
}

static struct value *nested(size_t depth)
{
	struct value *v = value_null(a);

	for (size_t i = 0; i < depth; i++) {
		struct value *outer = i % 2 != 0 ? value_array(a) : value_object(a);

		if (i % 2 != 0)
			value_add(outer, v);
		else
			value_set(outer, "k", v);
		v = outer;
	}
	return v;
}

Test(value_codec, depth_is_bounded)
{
	for (size_t depth = 38; depth < 44; depth++) {
		size_t n = 0;
		unsigned char *p = value_pack(a, nested(depth), &n);
		struct value *v;

		cr_assert_eq(decode(p, n, &v),
		             depth <= LIMIT_JSON_DEPTH + 8 ? ERR_OK : ERR_INVALID, "%zu",
		             depth);
	}
}

Test(value_codec, an_encoded_part_is_copied_as_it_is)
{
	struct value *inner = value_object(a), *o = value_object(a), *v,
		     *plain = value_object(a);
	size_t n = 0;
	unsigned char *p;

	value_set_str(a, inner, "k", "v");
	p = value_pack(a, inner, &n);
	value_set(o, "in", value_encoded(a, p, n));
	value_set(plain, "in", inner);
	p = value_pack(a, o, &n);
	cr_assert_eq(decode(p, n, &v), ERR_OK, "%s", e.msg);
	cr_assert(value_equal(v, plain));
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ${twin}: the index of a key that appears twice, or SIZE_MAX. */
static unsigned char *wide(size_t members, size_t twin, size_t *n)
{
	struct value *o = value_object(a);

	for (size_t i = 0; i < members; i++)
		value_set(o, arena_printf(a, "key-%08zu", i * 7919 % members),
		          value_null(a));
	if (twin != SIZE_MAX)
		value_set(o, arena_printf(a, "key-%08zu", twin), value_null(a));
	return value_pack(a, o, n);
}

Test(value_codec, repeated_keys_are_found_in_objects_of_any_size)
{
	static const size_t sizes[] = { 1, 2, 20, 63, 64, 65, 66, 300, 10000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t twins[] = { 0, sizes[i] / 2, sizes[i] - 1 };
		struct value *v;
		size_t n = 0;
		unsigned char *p = wide(sizes[i], SIZE_MAX, &n);

		cr_assert_eq(value_decode(a, p, n, &v, &e), ERR_OK, "%zu", sizes[i]);
		for (size_t j = 0; j < ARRAY_LEN(twins); j++) {
			p = wide(sizes[i], twins[j], &n);
			cr_assert_eq(value_decode(a, p, n, &v, &e), ERR_INVALID,
			             "%zu/%zu", sizes[i], twins[j]);
		}
		arena_reset(a);
	}
}

/* Ten thousand keys of one length that differ at their ends only: a quadratic search
 * would take seconds. */
Test(value_codec, the_search_for_repeated_keys_is_not_quadratic)
{
	struct value *v;
	size_t n = 0;
	unsigned char *p = wide(10000, SIZE_MAX, &n);
	double before = seconds();

	for (int i = 0; i < 10; i++)
		cr_assert_eq(value_decode(a, p, n, &v, &e), ERR_OK);
	cr_assert_lt(seconds() - before, 2.0);
}

Test(value_codec, a_small_message_cannot_claim_much_memory)
{
	AUTO_ARENA small = arena_new(64u << 10);
	static unsigned char nulls[5009] = { 6, 0, 0, 0x13, 0x8c, 0, 0, 0x13, 0x88 };
	struct value *v;

	cr_assert_eq(value_decode(small, nulls, sizeof(nulls), &v, &e), ERR_NOMEM);
	cr_assert_eq(value_decode(a, nulls, sizeof(nulls), &v, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(v->len, 5000);
}

Test(value_codec, packing_what_an_arena_refused_gives_nothing)
{
	AUTO_ARENA small = arena_new(64);
	size_t n = 0;

	cr_assert_null(value_pack(small, NULL, &n));
	cr_assert_null(value_pack(small, value_strn(a, "x", 1u << 20), &n));
	cr_assert_null(value_strn(a, "x", SIZE_MAX));
}
