/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "server/address.h"

TestSuite(address, .timeout = 20);

struct address_case {
	char text[64];
	char want[64]; /* what it is written as; empty: refused */
	bool loopback;
};

ParameterizedTestParameters(address, parse)
{
	static struct address_case c[] = {
		{"127.0.0.1:8200",                  "127.0.0.1:8200",   true },
		{ "127.9.8.7:1",                    "127.9.8.7:1",      true },
		{ "0.0.0.0:8200",                   "0.0.0.0:8200",     false},
		{ "10.0.0.1:65535",                 "10.0.0.1:65535",   false},
		{ "[::1]:8200",                     "[::1]:8200",       true },
		{ "[2001:db8::1]:80",               "[2001:db8::1]:80", false},
		{ "localhost:8200",                 "127.0.0.1:8200",   true },
		{ ":8200",                          "[::]:8200",        false},
		{ "127.0.0.1:0",                    "127.0.0.1:0",      true },
		{ "127.0.0.1",                      "",                 false},
		{ "127.0.0.1:",                     "",                 false},
		{ "127.0.0.1:65536",                "",                 false},
		{ "127.0.0.1:-1",                   "",                 false},
		{ "127.0.0.1:+1",                   "",                 false},
		{ "127.0.0.1: 1",                   "",                 false},
		{ "127.0.0.1:80x",                  "",                 false},
		{ "127.0.0.1:99999999999999999999", "",                 false},
		{ "::1:8200",                       "",                 false},
		{ "[::1:8200",                      "",                 false},
		{ "::1]:8200",                      "",                 false},
		{ "[]:8200",                        "[::]:8200",        false},
		{ "example.org:8200",               "",                 false},
		{ "256.0.0.1:8200",                 "",                 false},
		{ "8200",			   "",                 false},
		{ "",			       "",                 false},
	};

	return cr_make_param_array(struct address_case, c, sizeof(c) / sizeof(c[0]));
}

ParameterizedTest(struct address_case *c, address, parse)
{
	char text[ADDRESS_TEXT_MAX];
	struct address a;
	struct err e;
	int rc = address_parse(c->text, &a, &e);

	if (c->want[0] == '\0') {
		cr_assert_eq(rc, ERR_INVALID, "%s", c->text);
		cr_assert_not_null(strstr(e.msg, c->text));
		return;
	}
	cr_assert_eq(rc, ERR_OK, "%s: %s", c->text, e.msg);
	address_format(&a, text);
	cr_assert_str_eq(text, c->want);
	cr_assert_eq(address_loopback(&a), c->loopback, "%s", c->text);
}

Test(address, a_host_that_is_too_long_is_refused)
{
	char text[200];
	struct address a;
	struct err e;

	memset(text, '1', sizeof(text));
	memcpy(text + sizeof(text) - 3, ":1", 3);
	cr_assert_eq(address_parse(text, &a, &e), ERR_INVALID);
}

Test(address, port_can_be_replaced)
{
	struct address a;
	struct err e;

	cr_assert_eq(address_parse("[::1]:8200", &a, &e), ERR_OK);
	address_set_port(&a, 8201);
	cr_assert_eq(address_port(&a), 8201);
}
