/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, patterns, ignore files and baselines. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "filter/baseline.h"
#include "filter/ignore.h"
#include "filter/place.h"

TestSuite(filter, .timeout = 60);

Test(filter, paths_are_made_absolute)
{
	static const struct {
		const char *cwd, *path, *out;
	} cases[] = {
		{"/w/d",  "a",             "/w/d/a"       },
		{ "/w/d", "./a//b/",       "/w/d/a/b"     },
		{ "/w/d", "../x",          "/w/x"         },
		{ "/w/d", "../../../../x", "/x"           },
		{ "/w/d", "/abs/./y",      "/abs/y"       },
		{ "/",    "a",             "/a"           },
		{ "/w",   ".",             "/w"           },
		{ "/w",   "..",            "/"            },
		{ "/w",   "...",           "/w/..."       },
		{ "/w",   "",              "/w"           },
		{ "/w",   "a.zip!in/b",    "/w/a.zip!in/b"},
	};
	char out[PLACE_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(place_absolute(cases[i].cwd, cases[i].path, out, sizeof(out)));
		cr_expect_str_eq(out, cases[i].out);
	}
	cr_expect_not(place_absolute("/w", "abcdef", out, 6));
}

Test(filter, what_is_below)
{
	cr_expect_str_eq(place_below("/w", "/w/a/b"), "a/b");
	cr_expect_str_eq(place_below("/", "/a"), "a");
	cr_expect_null(place_below("/w", "/wx/a"));
	cr_expect_null(place_below("/w", "/w"));
	cr_expect_null(place_below("/w", "/v/a"));
}

struct glob_case {
	char pattern[40], path[64];
	int match;
};

ParameterizedTestParameters(filter, globs)
{
	static struct glob_case cases[] = {
		{"a",            "a",           1},
		{ "a",           "ab",          0},
		{ "*",           "abc",         1},
		{ "*",           "a/b",         0},
		{ "*.c",         "x.c",         1},
		{ "*.c",         "x.cc",        0},
		{ "a*b*c",       "aXXbYYc",     1},
		{ "a*b*c",       "aXXbYY",      0},
		{ "a*b*c",       "abbbc",       1},
		{ "?",           "/",           0},
		{ "a?c",         "abc",         1},
		{ "[a-c]x",      "bx",          1},
		{ "[!a-c]x",     "bx",          0},
		{ "[^a-c]x",     "dx",          1},
		{ "[]]",         "]",           1},
		{ "[a",          "[a",          1},
		{ "[a-]",        "-",           1},
		{ "[!a]",        "/",           0},
		{ "\\*",         "*",           1},
		{ "\\*",         "a",           0},
		{ "**/a",        "a",           1},
		{ "**/a",        "x/y/a",       1},
		{ "**/a",        "x/ba",        0},
		{ "a/**",        "a/b/c",       1},
		{ "a/**",        "a",           0},
		{ "a/**",        "a/",          0},
		{ "a/**/b",      "a/b",         1},
		{ "a/**/b",      "a/x/y/b",     1},
		{ "a/**/b",      "a/xb",        0},
		{ "a/**/b/**/c", "a/b/b/x/c",   1},
		{ "a**b",        "axxb",        1},
		{ "a**b",        "ax/xb",       0},
		{ "**",          "a/b",         1},
		{ "*/b",         "a/b",         1},
		{ "**/*.md",     "a/b/c.md",    1},
		{ "**/x*/y",     "a/xa/b/xb/y", 1},
		{ "",            "",            1},
		{ "",            "a",           0},
	};

	return cr_make_param_array(struct glob_case, cases,
	                           sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct glob_case *c, filter, globs)
{
	cr_expect_eq(glob_match(c->pattern, c->path), c->match != 0, "%s %s", c->pattern,
	             c->path);
}

Test(filter, a_pattern_takes_no_exponential_time)
{
	char pattern[4001], path[4001];

	for (size_t i = 0; i < 4000; i += 2)
		memcpy(pattern + i, "*a", 2);
	memset(path, 'a', 4000);
	pattern[3998] = '*';
	pattern[3999] = 'b';
	pattern[4000] = path[4000] = '\0';
	cr_expect_not(glob_match(pattern, path));
}

/* --- ignore files ------------------------------------------------------------------- */

static struct ignore *ig;

static void begin(void)
{
	ig = ignore_new();
}

static void end(void)
{
	ignore_free(ig);
}

TestSuite(ignore, .timeout = 60, .init = begin, .fini = end);

static int lines(const char *text, struct err *e)
{
	return ignore_add(ig, "/w/.ig", "/w", text, strlen(text), e);
}

static bool ignored(const char *path, char *by)
{
	const struct ignore_what w = {
		.path = path,
		.rule = "r-1",
		.names = {"0123456789abcdef0123456789abcdef", NULL}
	};

	return ignore_match(ig, &w, by, 64);
}

Test(ignore, the_last_line_that_applies_decides)
{
	struct err e = { 0 };
	char by[64] = "";

	cr_assert_eq(lines("# none\n\n*.env\n!keep.env  \r\n/top\nd/\nx/y\n", &e), ERR_OK,
	             "%s", e.msg);
	cr_expect(ignored("/w/a/b.env", by));
	cr_expect_str_eq(by, "/w/.ig:3");
	cr_expect_not(ignored("/w/keep.env", by));
	cr_expect(ignored("/w/top", by));
	cr_expect_not(ignored("/w/a/top", by));
	cr_expect(ignored("/w/a/d/z", by));
	cr_expect_not(ignored("/w/a/d", by), "of a directory only");
	cr_expect(ignored("/w/x/y/z", by));
	cr_expect_not(ignored("/w/a/x/y", by), "a slash within ties it to the top");
	cr_expect_not(ignored("/v/b.env", by), "outside of the file's directory");
}

Test(ignore, rules_and_findings)
{
	struct err e = { 0 };
	char by[64];
	struct ignore_what w = {
		.path = "/w/a",
		.rule = "r-2",
		.names = {"0", "ffffffffffffffffffffffffffffffff"}
	};

	cr_assert_eq(
		lines("rule:r-1 sub/\nrule:r-9\nfinding:ffffffffffffffffffffffffffffffff\n!a\n",
	              &e),
		ERR_OK, "%s", e.msg);
	cr_expect(ignored("/w/sub/f", by));
	cr_expect_not(ignored("/w/f", by));
	cr_expect(ignore_match(ig, &w, by, sizeof(by)), "named, whatever comes later");
	w.exact = true;
	cr_expect(ignore_match(ig, &w, by, sizeof(by)));
	w.names[1] = NULL;
	w.rule = "r-9";
	cr_expect_not(ignore_match(ig, &w, by, sizeof(by)), "exact: rules do not count");
	w.exact = false;
	w.path = "/w/z";
	cr_expect(ignore_match(ig, &w, by, sizeof(by)));
}

Test(ignore, lines_that_are_wrong_are_named)
{
	static const char *const wrong[] = {
		"ok\nfinding:123\n", "ok\nrule: x\n", "ok\n/\n", "ok\n!\n",
		"ok\nfinding:FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\n"
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = { 0 };

		cr_expect_eq(lines(wrong[i], &e), ERR_INVALID, "%s", wrong[i]);
		cr_expect(strstr(e.msg, "/w/.ig:2: ") != NULL, "%s", e.msg);
	}
}

/* --- baselines ---------------------------------------------------------------------- */

static char folder[] = "/tmp/vault-baseline-XXXXXX";
static char key[64], file[64];

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(key, sizeof(key), "%s/key", folder);
	snprintf(file, sizeof(file), "%s/base", folder);
}

static void remove_folder(void)
{
	unlink(key);
	unlink(file);
	rmdir(folder);
}

TestSuite(baseline, .timeout = 60, .init = make_folder, .fini = remove_folder);

static const unsigned char print1[16] = { 1 }, print2[16] = { 2 };

Test(baseline, holds_rule_path_and_fingerprint)
{
	struct baseline *b = NULL, *again = NULL;
	unsigned char k1[BASELINE_KEY], k2[BASELINE_KEY];
	struct err e = { 0 };
	struct stat st;

	cr_assert_eq(baseline_new(key, true, &b, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(stat(key, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(baseline_add(b, "r", "p", print1, &e), ERR_OK);
	cr_assert_eq(baseline_add(b, "r", "a", print2, &e), ERR_OK);
	cr_assert_eq(baseline_add(b, "r", "p", print1, &e), ERR_OK);
	cr_assert_eq(baseline_write(b, file, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(baseline_new(key, false, &again, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(baseline_read(again, file, &e), ERR_OK, "%s", e.msg);
	cr_expect(baseline_has(again, "r", "p", print1));
	cr_expect(baseline_has(again, "r", "a", print2));
	cr_expect_not(baseline_has(again, "r", "p", print2));
	cr_expect_not(baseline_has(again, "r", "x", print1));
	cr_expect_not(baseline_has(again, "s", "p", print1));
	baseline_scan_key(b, k1);
	baseline_scan_key(again, k2);
	cr_expect_eq(memcmp(k1, k2, sizeof(k1)), 0);
	baseline_free(b);
	baseline_free(again);
}

static int parse(struct baseline *b, const char *text, struct err *e)
{
	return baseline_parse(b, "base", text, strlen(text), e);
}

Test(baseline, what_is_none_is_refused)
{
	static const char *const none[] = {
		"",
		"[]",
		"{}",
		"{\"version\":2,\"key\":\"\",\"findings\":[]}",
		"{\"version\":1,\"key\":\"0011223344556677\",\"findings\":[]}",
		"{\"version\":1,\"key\":5,\"findings\":[]}",
	};
	struct baseline *b = NULL;
	struct err e = { 0 };

	cr_assert_eq(baseline_new(key, true, &b, &e), ERR_OK, "%s", e.msg);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_expect_eq(parse(b, none[i], &e), ERR_INVALID, "%s", none[i]);
	cr_expect_not(baseline_has(b, "r", "p", print1));
	baseline_free(b);
}

Test(baseline, a_key_that_others_can_read_or_that_is_none_is_refused)
{
	struct baseline *b = NULL;
	struct err e = { 0 };
	FILE *f;

	cr_assert_eq(baseline_new(key, false, &b, &e), ERR_NOENT);
	cr_assert_not_null(f = fopen(key, "w"));
	fputs("0123456789abcdef\n", f);
	fclose(f);
	chmod(key, 0600);
	cr_expect_eq(baseline_new(key, true, &b, &e), ERR_INVALID);
	chmod(key, 0644);
	cr_expect_eq(baseline_new(key, true, &b, &e), ERR_DENIED);
}
