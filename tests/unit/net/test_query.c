/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <string.h>

#include "server/net/json.h"
#include "server/net/query.h"

static struct arena *a;
static struct err e;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	a = arena_new((size_t)16 << 20);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(query, .init = setup, .fini = teardown, .timeout = 20);

struct query_case {
	char in[96];
	char json[96]; /* "" if refused */
};

ParameterizedTestParameters(query, parse)
{
	static struct query_case c[] = {
		{"",                 "{}"				     },
		{ "&&",              "{}"				     },
		{ "a=b",             "{\"a\":\"b\"}"                          },
		{ "a",               "{\"a\":\"\"}"                           },
		{ "a=",              "{\"a\":\"\"}"                           },
		{ "=b",              "{\"\":\"b\"}"                           },
		{ "a=b=c",           "{\"a\":\"b=c\"}"                        },
		{ "a=1&b=2&a=3&a=4", "{\"a\":[\"1\",\"3\",\"4\"],\"b\":\"2\"}"},
		{ "a%20b=c+d%2Be",   "{\"a b\":\"c d+e\"}"                    },
		{ "%61=%C3%a9",      "{\"a\":\"\xc3\xa9\"}"                   },
		{ "a=%2525",         "{\"a\":\"%25\"}"                        },
		{ "list=true&x=1",   "{\"list\":\"true\",\"x\":\"1\"}"        },
		{ "a=%",             ""				       },
		{ "a=%4",            ""				       },
		{ "a=%4g",           ""				       },
		{ "a=%00",           ""				       },
		{ "a=%ff",           ""				       },
		{ "a=%ed%a0%80",     ""				       },
		{ "a=1;b=2",         ""				       },
	};

	return cr_make_param_array(struct query_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct query_case *c, query, parse)
{
	struct value *v = NULL, *want;
	int rc = query_parse(a, c->in, strlen(c->in), &v, &e);

	if (c->json[0] == '\0') {
		cr_assert_eq(rc, ERR_INVALID, "%s", c->in);
		return;
	}
	cr_assert_eq(rc, ERR_OK, "%s: %s", c->in, e.msg);
	cr_assert_eq(json_parse(a, c->json, strlen(c->json), &want, &e), ERR_OK);
	cr_assert(value_equal(v, want), "%s", c->in);
}

Test(query, pairs_are_limited)
{
	char text[2 * (QUERY_PAIRS_MAX + 1) + 1];
	struct value *v;

	for (unsigned i = 0; i <= QUERY_PAIRS_MAX; i++)
		memcpy(text + 2 * i, "a&", 3);
	cr_assert_eq(query_parse(a, text, 2 * QUERY_PAIRS_MAX, &v, &e), ERR_OK);
	cr_assert_eq(value_get(v, "a")->len, QUERY_PAIRS_MAX);
	cr_assert_eq(query_parse(a, text, 2 * (QUERY_PAIRS_MAX + 1), &v, &e),
	             ERR_INVALID);
}

Test(query, remove_keeps_the_rest)
{
	static const char *const keys[] = { "a", "b", "c" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct value *v, *gone;

		cr_assert_eq(query_parse(a, "a=1&b=2&c=3", 11, &v, &e), ERR_OK);
		gone = query_remove(v, keys[i]);
		cr_assert(gone != NULL && gone->next == NULL);
		cr_assert_eq(v->len, 2);
		cr_assert(value_get(v, keys[i]) == NULL);
		cr_assert(query_remove(v, keys[i]) == NULL);
		value_set_str(a, v, "d", "4"); /* the tail is right */
		cr_assert_eq(v->len, 3);
		cr_assert(value_is_str(value_at(v, 2), "4"));
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			query_remove(v, keys[k]);
		cr_assert_eq(v->len, 1);
		query_remove(v, "d");
		cr_assert(v->first == NULL && v->last == NULL);
	}
}

Test(query, go_bool)
{
	static const struct {
		const char *text;
		int rc;
		bool value;
	} c[] = {
		{"1",      0,  true },
                { "t",     0,  true },
                { "T",     0,  true },
		{ "true",  0,  true },
                { "TRUE",  0,  true },
                { "True",  0,  true },
		{ "0",     0,  false},
                { "f",     0,  false},
                { "F",     0,  false},
		{ "false", 0,  false},
                { "FALSE", 0,  false},
                { "",      0,  false},
		{ "yes",   -1, false},
                { "tRUE",  -1, false},
                { "2",     -1, false},
	};
	bool out = true;

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		cr_assert_eq(query_go_bool(value_str(a, c[i].text), &out), c[i].rc, "%s",
		             c[i].text);
		cr_assert_eq(out, c[i].value, "%s", c[i].text);
	}
	cr_assert_eq(query_go_bool(NULL, &out), 0);
	cr_assert(!out);
}
