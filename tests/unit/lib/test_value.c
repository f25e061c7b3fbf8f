/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

static struct arena *a;

static void setup(void)
{
	a = arena_new(8u << 20);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(value, .init = setup, .fini = teardown, .timeout = 30);

Test(value, numbers_are_what_json_calls_numbers)
{
	static const char *const good[] = { "0",     "-0",        "1",
		                            "-1",    "10",        "1.5",
		                            "0.0",   "1e3",       "1E+3",
		                            "1e-30", "-12.25e10", "9223372036854775808",
		                            "0e0" };
	static const char *const bad[] = { "",     "-",   "+1",    "01",       "-01",
		                           "1.",   ".5",  "1e",    "1e+",      "0x1",
		                           "1 ",   " 1",  "NaN",   "Infinity", "1_0",
		                           "1.e1", "--1", "1e1.5", "\xd9\xa1" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_not_null(value_number(a, good[i], strlen(good[i])), "%s",
		                   good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_null(value_number(a, bad[i], strlen(bad[i])), "%s", bad[i]);
}

Test(value, a_number_has_at_most_64_bytes)
{
	char digits[66];

	memset(digits, '7', sizeof(digits));
	cr_assert_not_null(value_number(a, digits, 64));
	cr_assert_null(value_number(a, digits, 65));
}

struct int_case {
	const char *text;
	int rc;
	int64_t want;
};

Test(value, to_int)
{
	static const struct int_case cases[] = {
		{"0",                     0,  0        },
		{ "-0",                   0,  0        },
		{ "42",                   0,  42       },
		{ "-42",                  0,  -42      },
		{ "9223372036854775807",  0,  INT64_MAX},
		{ "-9223372036854775808", 0,  INT64_MIN},
		{ "9223372036854775808",  -1, 0        },
		{ "-9223372036854775809", -1, 0        },
		{ "18446744073709551616", -1, 0        },
		{ "1.0",                  -1, 0        },
		{ "1e3",                  -1, 0        },
		{ "-",                    -1, 0        },
		{ "",                     -1, 0        },
		{ "12a",                  -1, 0        },
		{ " 1",                   -1, 0        },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct int_case *c = &cases[i];
		int64_t n = 0;

		cr_expect_eq(value_to_int(value_str(a, c->text), &n), c->rc, "%s",
		             c->text);
		cr_expect_eq(n, c->want, "%s", c->text);
	}
	cr_assert_eq(value_to_int(NULL, &(int64_t){ 0 }), -1);
	cr_assert_eq(value_to_int(value_bool(a, true), &(int64_t){ 0 }), -1);
}

Test(value, integers_survive_the_round_trip)
{
	static const int64_t numbers[] = { 0, 1, -1, 1000000, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int64_t n = 5;

		cr_assert_eq(value_to_int(value_int(a, numbers[i]), &n), 0);
		cr_assert_eq(n, numbers[i]);
	}
}

Test(value, to_bool)
{
	static const struct {
		const char *text;
		int want; /* -1: refused */
	} cases[] = {
		{"true",   1 },
                { "false", 0 },
                { "1",     1 },
                { "0",     0 },
		{ "True",  -1},
                { "yes",   -1},
                { "",      -1},
                { "2",     -1}
	};
	bool b;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = value_to_bool(value_str(a, cases[i].text), &b);

		cr_expect_eq(rc == 0 ? (int)b : -1, cases[i].want, "%s", cases[i].text);
	}
	cr_assert(value_to_bool(value_bool(a, true), &b) == 0 && b);
	cr_assert(value_to_bool(value_int(a, 0), &b) == 0 && !b);
	cr_assert_eq(value_to_bool(value_null(a), &b), -1);
	cr_assert_eq(value_to_bool(NULL, &b), -1);
}

Test(value, a_c_string_holds_no_nul)
{
	cr_assert_str_eq(value_to_cstr(value_strn(a, "abcd", 3), a), "abc");
	cr_assert_str_eq(value_to_cstr(value_str(a, ""), a), "");
	cr_assert_null(value_to_cstr(value_strn(a, "a\0b", 3), a));
	cr_assert_null(value_to_cstr(value_bytes(a, "abc", 3), a));
	cr_assert_null(value_to_cstr(value_int(a, 1), a));
	cr_assert_null(value_to_cstr(NULL, a));
}

Test(value, members_and_items_are_found)
{
	struct value *o = value_object(a), *list = value_array(a);

	value_set_str(a, o, "name", "n");
	value_set_int(a, o, "count", 7);
	value_set_bool(a, o, "on", true);
	value_set_bytes(a, o, "raw", "\0\1", 2);
	value_set(o, "", value_null(a));
	value_set(o, "list", list);
	value_add(list, value_int(a, 1));
	value_add(list, value_int(a, 2));
	cr_assert_eq(o->len, 6);
	cr_assert(value_is_str(value_get(o, "name"), "n"));
	cr_assert_not(value_is_str(value_get(o, "name"), "nn"));
	cr_assert_not(value_is_str(NULL, "n"));
	cr_assert_eq(value_int_or(o, "count", 0), 7);
	cr_assert_eq(value_int_or(o, "absent", -3), -3);
	cr_assert_eq(value_bool_or(o, "on", false), true);
	cr_assert_eq(value_bool_or(o, "absent", true), true);
	cr_assert_str_eq(value_cstr_or(a, o, "name", "x"), "n");
	cr_assert_str_eq(value_cstr_or(a, o, "absent", "x"), "x");
	cr_assert_eq(value_get(o, "raw")->len, 2);
	cr_assert_eq(value_get(o, "")->type, V_NULL);
	cr_assert_null(value_get(o, "nam"));
	cr_assert_null(value_get(list, "name"));
	cr_assert_null(value_get(NULL, "name"));
	cr_assert_eq(value_at(value_get(o, "list"), 1)->text[0], '2');
	cr_assert_null(value_at(value_get(o, "list"), 2));
	cr_assert_null(value_at(NULL, 0));
	cr_assert_null(value_at(value_str(a, "x"), 0));
	cr_assert_eq(value_str(a, NULL)->type, V_NULL);
}

Test(value, a_tree_can_be_built_without_a_check_per_node)
{
	AUTO_ARENA small = arena_new(160);
	struct value *o = value_object(small);

	for (int i = 0; i < 20; i++)
		value_set_int(small, o, "k", i);
	value_add(value_array(small), value_str(small, "x"));
	value_set(NULL, "k", value_null(a));
	cr_assert(arena_failed(small));
	cr_assert_lt(o->len, 20);
}

static struct value *sample(struct arena *in, bool reversed)
{
	struct value *o = value_object(in), *list = value_array(in),
		     *sub = value_object(in);

	value_set_str(in, sub, reversed ? "b" : "a", reversed ? "2" : "1");
	value_set_str(in, sub, reversed ? "a" : "b", reversed ? "1" : "2");
	value_add(list, value_null(in));
	value_add(list, sub);
	value_set(o, "list", list);
	value_set_int(in, o, "n", 5);
	return o;
}

Test(value, equality_ignores_the_order_of_members_only)
{
	struct value *x = sample(a, false), *y = sample(a, true), *z = sample(a, false);

	cr_assert(value_equal(x, y));
	value_set_int(a, z, "extra", 1);
	cr_assert_not(value_equal(x, z));
	cr_assert_not(value_equal(value_int(a, 1), value_str(a, "1")));
	cr_assert_not(value_equal(value_str(a, "a"), value_str(a, "b")));
	cr_assert_not(value_equal(value_str(a, "a"), value_str(a, "ab")));
	cr_assert_not(value_equal(NULL, x));
	cr_assert(value_equal(NULL, NULL));
	z = value_array(a);
	y = value_array(a);
	value_add(z, value_int(a, 1));
	value_add(z, value_int(a, 2));
	value_add(y, value_int(a, 2));
	value_add(y, value_int(a, 1));
	cr_assert_not(value_equal(z, y));
}

Test(value, members_of_other_names_are_not_equal)
{
	struct value *x = value_object(a), *y = value_object(a);

	value_set_int(a, x, "k", 1);
	value_set_int(a, y, "j", 1);
	cr_assert_not(value_equal(x, y));
}

Test(value, a_copy_shares_nothing_with_its_original)
{
	struct arena *other = arena_new(1u << 20);
	char text[] = "changes", key[] = "key";
	struct value *o = sample(other, false), *copy;

	value_set(o, key, value_str(other, text));
	value_set_bytes(other, o, "none", NULL, 0);
	copy = value_copy(a, o);
	cr_assert(value_equal(o, copy));
	memset(text, 'x', sizeof(text) - 1);
	memset(key, 'x', sizeof(key) - 1);
	arena_free(other);
	cr_assert(value_is_str(value_get(copy, "key"), "changes"));
	cr_assert_eq(value_at(value_get(copy, "list"), 0)->type, V_NULL);
	cr_assert_null(value_copy(a, NULL));
}

Test(value, a_copy_that_does_not_fit_is_none)
{
	for (size_t max = 16; max < 1200; max += 16) {
		AUTO_ARENA small = arena_new(max);
		struct value *copy = value_copy(small, sample(a, false));

		cr_assert_eq(copy == NULL, arena_failed(small), "%zu", max);
		if (copy != NULL)
			cr_assert(value_equal(copy, sample(a, false)));
	}
}
