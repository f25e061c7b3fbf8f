/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "cidr.h"

TestSuite(cidr, .timeout = 30);

static struct cidr parsed(const char *s)
{
	struct cidr c;

	cr_assert_eq(cidr_parse(s, strlen(s), &c), 0, "%s", s);
	return c;
}

Test(cidr, what_is_none)
{
	static const char *const bad[] = {
		"",
		"/",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0/8",
		"10.0.0.0/8/",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/0x8",
		"::/129",
		"::1%lo",
		" 10.0.0.1",
		"10.0.0.1 ",
		"host",
		"unix",
		"010.0.0.256",
		"10.0.0.0/0008",
		":::/0",
	};
	struct cidr c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(cidr_parse(bad[i], strlen(bad[i]), &c), -1, "%s", bad[i]);
	cr_assert_eq(cidr_parse("10.0.0.1\0", 9, &c), -1, "a NUL");
}

static const struct {
	const char *outer, *inner;
	bool want;
} cases[] = {
	{"10.0.0.0/8",           "10.255.3.4",       true },
	{ "10.0.0.0/8",          "11.0.0.0",         false},
	{ "10.1.2.3/8",          "10.9.9.9",         true }, /* host bits say nothing */
	{ "0.0.0.0/0",           "255.255.255.255",  true },
	{ "192.0.2.128/25",      "192.0.2.127",      false},
	{ "192.0.2.128/25",      "192.0.2.128",      true },
	{ "192.0.2.7",           "192.0.2.7/32",     true },
	{ "192.0.2.7",           "192.0.2.6",        false},
	{ "10.0.0.0/8",          "10.0.0.0/7",       false}, /* wider than the outer */
	{ "10.0.0.0/8",          "10.0.0.0/9",       true },
	{ "2001:db8::/33",       "2001:db8:7fff::1", true },
	{ "2001:db8::/33",       "2001:db8:8000::1", false},
	{ "::/0",                "10.0.0.1",         false}, /* families are apart */
	{ "0.0.0.0/0",           "::1",              false},
	{ "10.0.0.0/8",          "::ffff:10.1.2.3",  true }, /* but for mapped addresses */
	{ "::ffff:10.0.0.0/104", "10.1.2.3",         true },
	{ "::1",		 "::1",              true },
};

Test(cidr, contains)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cidr outer = parsed(cases[i].outer),
			    inner = parsed(cases[i].inner);

		cr_assert_eq(cidr_contains(&outer, &inner), cases[i].want, "%s in %s",
		             cases[i].inner, cases[i].outer);
	}
}
