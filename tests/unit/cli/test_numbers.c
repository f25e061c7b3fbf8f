/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers go through vaultctl as they were written. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/numbers.h"
#include "keymem.h"

static void setup(void)
{
	struct err e;

	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK);
}

TestSuite(numbers, .init = setup, .timeout = 60);

struct text_case {
	char text[120];
	bool bad;
};

ParameterizedTestParameters(numbers, round_trip)
{
	/* clang-format off */
	static struct text_case c[] = {
		{ "[0,-1,42,999999999999999999]", false },
		{ "[9223372036854775807,9223372036854775808,-9223372036854775809]", false },
		{ "[123456789012345678901234567890123456789012345678901234567890]", false },
		{ "[0.1,-0.10,1.50,1E5,1e+5,1e-400,1e400,-0,-0.0,0.1e7]", false },
		{ "{\"a\":1.25,\"b\":{\"c\":[1e3,\"1e3\",\"1.25\"]}}", false },
		{ "{\"1.5\":\"x\\\"1.5,\",\"\\\\\":2.5}", false },
		{ "[1.5,true,null,\"\"]", false },
		{ "[01.5]", true },
		{ "[1.]", true },
		{ "[.5]", true },
		{ "[1.5x]", true },
		{ "[1.5.5]", true },
		{ "[1e]", true },
		{ "[+1.5]", true },
		{ "[--1.5]", true },
		{ "{1.5:2}", true },
		{ "[\"1.5]", true },
		{ "[true1.5]", true },
		{ "", true },
	};
	/* clang-format on */
	return cr_make_param_array(struct text_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct text_case *c, numbers, round_trip)
{
	json_error_t why;
	json_t *v = numbers_load(c->text, strlen(c->text), 0, &why);
	char *out;

	cr_assert_eq(v == NULL, c->bad, "%s: %s", c->text, why.text);
	if (v == NULL)
		return;
	out = numbers_dump(v, JSON_COMPACT);
	cr_assert_str_eq(out, c->text);
	cli_wipe(out);
	json_decref(v);
}

Test(numbers, are_told_from_text)
{
	static const char text[] =
		"{\"n\":18446744073709551616,\"s\":\"18446744073709551616\","
		"\"i\":7}";
	json_t *v = numbers_load(text, strlen(text), 0, NULL);

	cr_assert_str_eq(numbers_text(json_object_get(v, "n")), "18446744073709551616");
	cr_assert_null(numbers_text(json_object_get(v, "s")));
	cr_assert_null(numbers_text(json_object_get(v, "i")));
	cr_assert_null(numbers_text(NULL));
	json_decref(v);
	v = numbers_load("1.10", 4, JSON_DECODE_ANY, NULL);
	cr_assert_str_eq(numbers_text(v), "1.10");
	json_decref(v);
}
