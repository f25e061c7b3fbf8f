/* SPDX-License-Identifier: Apache-2.0 */
/* What a .dockerignore leaves out, as Docker's own matcher has it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dockerignore.h"

TestSuite(dockerignore, .timeout = 60);

static bool left_out(const char *text, size_t n, const char *path)
{
	struct err e = { 0 };
	struct dockerignore *d = dockerignore_new(text, n, &e);
	bool has;

	cr_assert_not_null(d, "%s", e.msg);
	has = dockerignore_has(d, path);
	dockerignore_free(d);
	return has;
}

struct row {
	char text[64], path[32];
	int out;
};

ParameterizedTestParameters(dockerignore, patterns)
{
	static struct row rows[] = {
  /* Rooted, whether it begins with a slash or not; a directory is all of
  it. */
		{"a",				    "a",                1},
		{ "a",				   "a/b/c",            1},
		{ "a",				   "b/a",              0},
		{ "a",				   "ab",               0},
		{ "/a",				  "a/b",              1},
		{ "a/",				  "a",                1},
		{ "a/b",				 "a/b/c",            1},
		{ "a/b",				 "a",                0},
		{ "./a//./b/../c/",                      "a/c",              1},
		{ "../a",				"a",                0},
		{ "a/../../a",                           "a",                0},
		{ "/../a",			       "a",                1},
		{ ".",				   "a",                0},
		{ "/",				   "a",                0},
		{ "",				    "a",                0},

 /* Lines. */
		{ "# a\na",			      "a",                1},
		{ "#a",				  "#a",               0},
		{ " #a",				 "#a",               1},
		{ "\xef\xbb\xbf"
		  "a",		  "a",                1},
		{ "  a \t\r\n\n b",                      "b",                1},
		{ "  a \t\r\n\n b",                      "a",                1},
		{ "finding:x",                           "finding:x",        1},
		{ "rule:a b",                            "b",                0},
		{ "a b",				 "a b",              1},

 /* Stars. */
		{ "*",				   "a/b",              1},
		{ "*.md",				"x.md",             1},
		{ "*.md",				"d/x.md",           0},
		{ "*/x",				 "d/x",              1},
		{ "*/x",				 "d/e/x",            0},
		{ "*/*/x*",			      "d/e/xy",           1},
		{ "x?",				  "xa",               1},
		{ "x?",				  "x/a",              0},
		{ "x[a-c]",			      "xb",               1},
		{ "x[^a-c]",			     "xb",               0},
		{ "**",				  "a/b",              1},
		{ "**/",				 "a",                1},
		{ "**/x",				"x",                1},
		{ "**/x",				"a/b/x",            1},
		{ "**/x",				"a/bx",             0},
		{ "**/x/*.o",                            "a/x/y.o",          1},
		{ "a/**",				"a/b/c",            1},
		{ "a/**",				"a",                0},
		{ "a/**/z",			      "a/z",              1},
		{ "a/**/z",			      "a/b/c/z",          1},
		{ "a**",				 "ab/c",             1},
		{ "**.go",			       "a/b.go",           1},
		{ "**.go",			       "b.go",             1},
		{ "**.go",			       "b.gob",            0},
		{ "**x/y",			       "a/bx/y",           1},
		{ "**b?",				"a/bc",             1},
		{ "**b?",				"a/bbc",            0},
		{ "a/**b",			       "a/c/b",            1},
		{ "a/**b",			       "a/cb",             0},
		{ "\\*",				 "*",                1},
		{ "\\*",				 "a",                0},

 /* The last one decides. */
		{ "*\n!a",			       "a",                0},
		{ "*\n!a",			       "a/b",              0},
		{ "*\n!a",			       "b",                1},
		{ "*\n!a/b",			     "a/b/c",            0},
		{ "*\n!a/b",			     "a/c",              1},
		{ "!a\n*",			       "a",                1},
		{ "a\n! a/b\na/b/c",                     "a/b/d",            0},
		{ "a\n!a/b\na/b/c",                      "a/b/c",            1},
		{ "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", 1},
		{ "*.md\n!README*.md\nREADME-secret.md", "README.md",        0},
		{ "*\n!/a/",			     "a/b",              0},
		{ "*\n!",				"a",                1},
		{ "*\n/!a",			      "a",                0},
		{ "*\n/ !a",			     "a",                0},
		{ "*\n/ /\n/!\n",                        "a",                1},

 /* What means something else to Docker leaves nothing out. */
		{ "a**b",				"acb",              0},
		{ "a**/b",			       "ac/b",             0},
		{ "[!a]",				"b",                0},
		{ "[[:alpha:]]",                         "b",                0},
		{ "\\d",				 "d",                0},
		{ "***a",				"a",                0},
		{ "x[*]",				"x*",               0},
		{ "x[a",				 "x[a",              0},
		{ "^a",				  "^a",               0},
		{ "*\n!a**b",                            "zz",               0},
		{ "*\n![!a]",                            "zz",               0},
	};

	return cr_make_param_array(struct row, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *r, dockerignore, patterns)
{
	cr_expect_eq(left_out(r->text, strlen(r->text), r->path), r->out, "'%s' for '%s'",
	             r->text, r->path);
}

Test(dockerignore, a_nul_is_in_no_name)
{
	static const char text[] = "a\0b\nc\n*\n!d";

	cr_expect_not(left_out("a\0b", 3, "a"));
	cr_expect(left_out(text, sizeof(text) - 1, "c"));
	cr_expect_not(left_out(text, sizeof(text) - 1, "d"), "what follows it counts");
}

Test(dockerignore, what_is_taken_back_is_known)
{
	static const struct {
		const char *text;
		bool back;
	} cases[] = {
		{"a\n#!b\n", false},
		{ "a\n!b\n", true },
		{ "!a**b\n", true },
		{ "!\n",     false},
	};
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dockerignore *d = dockerignore_new(cases[i].text,
		                                          strlen(cases[i].text), &e);

		cr_assert_not_null(d);
		cr_expect_eq(dockerignore_takes_back(d), cases[i].back, "%s",
		             cases[i].text);
		dockerignore_free(d);
	}
}

Test(dockerignore, too_many_lines_are_an_error)
{
	char *text = malloc(DOCKERIGNORE_MAX);
	struct err e = { 0 };

	cr_assert_not_null(text);
	for (size_t i = 0; i < DOCKERIGNORE_MAX; i++)
		text[i] = "a\n"[i % 2];
	cr_expect_null(dockerignore_new(text, DOCKERIGNORE_MAX, &e));
	cr_expect_neq(e.code, ERR_OK);
	free(text);
}

/* Stars that fail late, for a name with many parts. */
Test(dockerignore, patterns_that_take_long_are_given_up)
{
	static const char slow[] = "**/*a*b*a*b*a*c\n";
	static char text[DOCKERIGNORE_MAX], path[600];
	struct err e = { 0 };
	struct dockerignore *d;
	unsigned calls = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = slow[i % (sizeof(slow) - 1)];
	text[0] = 'z';
	text[1] = '\n';
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = "aaa/"[i % 4];
	d = dockerignore_new(text, sizeof(text), &e);
	cr_assert_not_null(d, "%s", e.msg);
	cr_assert(dockerignore_has(d, "z"));
	while (dockerignore_has(d, "z") && calls++ < 100000)
		cr_assert_not(dockerignore_has(d, path));
	cr_expect_lt(calls, 100000, "it would have gone on for ever");
	dockerignore_free(d);
}

Test(dockerignore, a_path_that_is_too_long_is_not_left_out)
{
	char path[1026];

	memset(path, 'a', 1025);
	path[1025] = '\0';
	cr_expect_not(left_out("*", 1, path));
	path[1024] = '\0';
	cr_expect(left_out("*", 1, path));
}
