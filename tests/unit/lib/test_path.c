/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "path.h"
#include "util.h"

TestSuite(path, .timeout = 30);

static struct err e;

static int decode(const char *raw, char *out, size_t *len)
{
	return path_decode(raw, strlen(raw), out, LIMIT_PATH + 1, len, &e);
}

struct good_case {
	const char *raw;
	const char *want;
};

Test(path, what_is_canonical_is_decoded_once)
{
	static const struct good_case cases[] = {
		{"/secret/data/app",       "secret/data/app"    },
		{ "secret/app",            "secret/app"         },
		{ "/secret/",              "secret/"            },
		{ "/secret/a%20b",         "secret/a b"         },
		{ "/s/%C3%A9t%c3%a9",      "s/\xc3\xa9t\xc3\xa9"},
		{ "/secret/\xc3\xa9",      "secret/\xc3\xa9"    },
		{ "/secret/a%2525",        "secret/a%25"        }, /* never twice */
		{ "/secret/a%252e%252e/b", "secret/a%2e%2e/b"   },
		{ "/secret/a+b",           "secret/a+b"         },
		{ "/secret/a;b,c=d",       "secret/a;b,c=d"     },
		{ "/secret/...",           "secret/..."         },
		{ "/secret/.hidden",       "secret/.hidden"     },
		{ "/secret/..a/b..",       "secret/..a/b.."     },
		{ "/Secret/App",           "Secret/App"         }, /* case is kept */
		{ "/secret/a%3Fb%23c",     "secret/a?b#c"       },
		{ "/secret/a%5Cb",         "secret/a\\b"        },
		{ "/a/*",                  "a/*"                },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[LIMIT_PATH + 1] = "";
		size_t n = 0;

		cr_expect_eq(decode(cases[i].raw, out, &n), ERR_OK, "%s: %s",
		             cases[i].raw, e.msg);
		cr_expect_str_eq(out, cases[i].want, "%s", cases[i].raw);
		cr_expect_eq(n, strlen(cases[i].want));
		cr_expect_eq(path_check(out, n, &e), ERR_OK, "%s: %s", out, e.msg);
	}
}

Test(path, tricks_are_refused_not_repaired)
{
	static const char *const tricks[] = {
		"",
		"/",
		"//",
		"///",
		"//secret",
		"/secret//app",
		"/secret//",
		"/secret/app//",
		"/.",
		"/..",
		"/./secret",
		"/../secret",
		"/secret/.",
		"/secret/..",
		"/secret/./app",
		"/secret/../sys",
		"/secret/../",
		"/secret/./",
		"/secret/%2e",
		"/secret/%2e%2e/sys",
		"/secret/%2E%2E",
		"/secret/.%2e/sys",
		"/secret/%2e./sys",
		"/%2e%2e/sys",
		"/secret%2fapp",
		"/secret%2Fapp",
		"/secret/..%2fsys",
		"/secret/%2f",
		"%2fsecret",
		"/secret/app%00",
		"/secret/%00app",
		"/secret/a%00/../b",
		"/secret/a\x01"
		"b",
		"/secret/a\tb",
		"/secret/a%0ab",
		"/secret/a%0d%0ab",
		"/secret/a%7f",
		"/secret/a%1b[31m",
		"/secret/%c2%85",
		"/secret/\xc2\x9b",
		"/secret/app ",
		"/secret/app%20",
		"/secret/%20app",
		"/secret /app",
		"/ ",
		"/secret/ /app",
		"/secret/app%20/",
		"/secret/%",
		"/secret/%2",
		"/secret/%zz",
		"/secret/%2g",
		"/secret/%%32e",
		"/secret/%u002e",
		"/secret/a%",
		"/secret/% 41",
		"/secret/%+4",
		"/secret/%c0%ae%c0%ae/sys",
		"/secret/%c0%af",
		"/secret/%e0%80%af",
		"/secret/%f0%80%80%af",
		"/secret/%c1%9c",
		"/secret/%ff",
		"/secret/\xff",
		"/secret/%ed%a0%80",
		"/secret/%f4%90%80%80",
		"/secret/%c3",
		"/secret/\xc3",
		"/secret/app?x=1",
		"/secret/app?",
		"/secret/app#f",
		"?",
		"#",
	};

	for (size_t i = 0; i < ARRAY_LEN(tricks); i++) {
		char out[LIMIT_PATH + 1] = "";
		size_t n = 4711;

		cr_expect_eq(decode(tricks[i], out, &n), ERR_INVALID, "%zu: %s -> %s", i,
		             tricks[i], out);
		cr_expect_eq(n, 4711, "%s: output touched", tricks[i]);
	}
}

Test(path, a_raw_nul_is_refused)
{
	char out[64];
	size_t n;

	cr_assert_eq(path_decode("/secret/a\0/../b", 15, out, sizeof(out), &n, &e),
	             ERR_INVALID);
	cr_assert_eq(path_check("secret/a\0b", 10, &e), ERR_INVALID);
}

Test(path, check_refuses_what_decode_would_never_give)
{
	static const char *const bad[] = { "",     "/",    "/a", "a//b", "a/./b",
		                           "..",   "a/..", " a", "a ",   "a/ b",
		                           "a\nb", "\xff", "a//" };
	static const char *const good[] = { "a",          "a/",   "a/b",
		                            "sys/health", "a%2e", "a%2fb" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(path_check(bad[i], strlen(bad[i]), &e), ERR_INVALID, "%s",
		             bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_eq(path_check(good[i], strlen(good[i]), &e), ERR_OK, "%s",
		             good[i]);
}

Test(path, the_message_names_the_rule_and_not_the_path)
{
	char out[64];
	size_t n;

	cr_assert_eq(decode("/canary/%2e%2e", out, &n), ERR_INVALID);
	cr_assert_str_eq(e.msg, "relative paths not supported");
	cr_assert_eq(decode("/canary/%2f", out, &n), ERR_INVALID);
	cr_assert_str_eq(e.msg, "invalid path: escaped slash");
}

Test(path, length_and_segments_are_bounded)
{
	char raw[3 * LIMIT_PATH + 8], out[LIMIT_PATH + 1];
	size_t n;

	memset(raw, 'a', sizeof(raw));
	cr_assert_eq(path_decode(raw, LIMIT_PATH, out, sizeof(out), &n, &e), ERR_OK);
	cr_assert_eq(n, LIMIT_PATH);
	cr_assert_eq(path_decode(raw, LIMIT_PATH + 1, out, sizeof(out), &n, &e),
	             ERR_INVALID);
	cr_assert_eq(path_check(raw, LIMIT_PATH + 1, &e), ERR_INVALID);
	for (size_t i = 0; i < LIMIT_PATH; i++)
		memcpy(raw + 3 * i, "%41", 3);
	cr_assert_eq(path_decode(raw, 3 * LIMIT_PATH, out, sizeof(out), &n, &e), ERR_OK);
	cr_assert_eq(n, LIMIT_PATH);
	for (size_t i = 0; i <= LIMIT_PATH_SEGMENTS; i++)
		memcpy(raw + 2 * i, "a/", 2);
	n = 2 * LIMIT_PATH_SEGMENTS;
	cr_assert_eq(path_check(raw, n - 1, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(path_check(raw, n, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(path_check(raw, n + 1, &e), ERR_INVALID);
}

Test(path, the_output_is_never_overrun)
{
	for (size_t cap = 0; cap < 8; cap++) {
		char out[16];
		size_t n;
		int rc;

		memset(out, 0x55, sizeof(out));
		rc = path_decode("/abcde", 6, out, cap, &n, &e);
		cr_assert_eq(rc, cap >= 6 ? ERR_OK : ERR_INVALID, "%zu", cap);
		for (size_t i = cap; i < sizeof(out); i++)
			cr_assert_eq(out[i], 0x55);
	}
}

Test(path, names_fold_case_and_nothing_else)
{
	static const struct good_case good[] = {
		{"root",             "root"           },
		{ "ROOT",            "root"           },
		{ "Web-Server_1.eu", "web-server_1.eu"},
		{ "9lives",          "9lives"         },
		{ "a..b",            "a..b"           },
		{ "a",               "a"              },
	};
	static const char *const bad[] = { "",           " root",
		                           "root ",      "root\t",
		                           "ro ot",      ".root",
		                           "-a",         "_a",
		                           "a/b",        "a%41",
		                           "r\xc3\xb6t", "..",
		                           "a\n",        "\xef\xbc\xb2oot",
		                           "a@b",        "a[b",
		                           "a`b",        "a{b",
		                           "a:b" };
	char out[LIMIT_NAME + 1];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cr_expect_eq(path_name(good[i].raw, strlen(good[i].raw), out, "role name",
		                       &e),
		             ERR_OK, "%s", good[i].raw);
		cr_expect_str_eq(out, good[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(path_name(bad[i], strlen(bad[i]), out, "role name", &e),
		             ERR_INVALID, "%s", bad[i]);
	cr_assert_eq(path_name("ro\0ot", 5, out, "role name", &e), ERR_INVALID);
	cr_assert_not_null(strstr(e.msg, "role name"));
}

Test(path, a_name_has_at_most_128_bytes)
{
	char name[LIMIT_NAME + 1], out[LIMIT_NAME + 1];

	memset(name, 'n', sizeof(name));
	cr_assert_eq(path_name(name, LIMIT_NAME, out, "x", &e), ERR_OK);
	cr_assert_eq(strlen(out), LIMIT_NAME);
	cr_assert_eq(path_name(name, LIMIT_NAME + 1, out, "x", &e), ERR_INVALID);
}
