/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "scrub.h"

static struct arena *a;

static void setup(void)
{
	a = arena_new(1024u * 1024);
	cr_assert_not_null(a);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(scrub, .init = setup, .fini = teardown);

static const char *scrubbed(const struct scrub *s, const char *text)
{
	char *copy = arena_str(a, text);

	copy[scrub_text(s, copy, strlen(text))] = '\0';
	return copy;
}

/* The value is p\"ss/w0rd+x */
struct form {
	char said[96];
	char want[48];
};
ParameterizedTestParameters(scrub, takes_a_value_out_in_every_form)
{
	static struct form f[] = {
		{"login with p\"ss/w0rd+x failed",     "login with *** failed"        },
		{ "{\"password\":\"p\\\"ss/w0rd+x\"}", "{\"password\":\"***\"}"       },
		{ "//u:p%22ss%2Fw0rd%2Bx@host",        "//u:***@host"                 },
		{ "//u:p%22ss%2fw0rd%2bx@host",        "//u:***@host"                 },
		{ "0x702273732f773072642b78.",         "0x***."                       },
		{ "0x7022737327732F773072642B78.",     "0x7022737327732F773072642B78."},
		{ "0X702273732F773072642B78.",         "0X***."                       },
		{ "cCJzcy93MHJkK3g=",                  "***g="                        },
 /* "u:" and "me:" before it, as in a basic authorisation */
		{ "dTpwInNzL3cwcmQreA==",              "dTp***A=="                    },
		{ "bWU6cCJzcy93MHJkK3g=",              "bWU6***g="                    },
		{ "p\"ss/w0rd+xp\"ss/w0rd+x",          "******"                       },
		{ "p\"ss/w0rd+",                       "p\"ss/w0rd+"                  },
		{ "",				  ""			     },
	};

	return cr_make_param_array(struct form, f, ARRAY_LEN(f));
}
ParameterizedTest(struct form *f, scrub, takes_a_value_out_in_every_form)
{
	struct scrub s = { 0 };

	scrub_add(&s, a, "p\"ss/w0rd+x", 11);
	cr_assert_str_eq(scrubbed(&s, f->said), f->want);
}

Test(scrub, leaves_short_values_alone)
{
	struct scrub s = { 0 };

	scrub_add(&s, a, "abc", 3);
	cr_assert_str_eq(scrubbed(&s, "abcdef"), "abcdef");
	scrub_add(&s, a, "abcd", 4);
	cr_assert_str_eq(scrubbed(&s, "abcdef"), "***ef");
}

Test(scrub, takes_the_longest_first)
{
	struct scrub s = { 0 };

	scrub_add(&s, a, "secret", 6);
	scrub_add(&s, a, "my secret value", 15);
	cr_assert_str_eq(scrubbed(&s, "<my secret value> <secret>"), "<***> <***>");
}

Test(scrub, takes_the_lines_of_a_value)
{
	struct scrub s = { 0 };
	static const char key[] = "-----BEGIN\nMIIEvQIBADAN\nBgkqhkiG\n-----END";

	scrub_add(&s, a, key, strlen(key));
	cr_assert_str_eq(scrubbed(&s, "> MIIEvQIBADAN"), "> ***");
	cr_assert_str_eq(scrubbed(&s, "> BgkqhkiG"), "> ***");
}

Test(scrub, looks_into_trees)
{
	struct scrub s = { 0 };
	struct value *v = value_object(a), *list = value_array(a), *in = value_object(a);

	value_set_str(a, in, "password", "hunter22");
	value_add(list, in);
	value_set(v, "fields", list);
	value_set_int(a, v, "version", 123456);
	scrub_add_tree(&s, a, v);
	scrub_add_tree(&s, a, NULL);
	cr_assert_str_eq(scrubbed(&s, "hunter22 at 123456"), "*** at 123456");
}

Test(scrub, survives_lack_of_memory)
{
	struct arena *small = arena_new(256);
	struct scrub s = { 0 };

	scrub_add(&s, small, "a value that is long enough", 27);
	cr_assert(arena_failed(small), "the caller sees it");
	arena_free(small);
}
