/* SPDX-License-Identifier: Apache-2.0 */
/* Password policies: what may be written, and what comes out. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "keymem.h"
#include "server/core/policy/password_policy.h"

static void setup(void)
{
	struct err e;

	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK);
}

TestSuite(password_policy, .init = setup, .timeout = 60);

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define AB    "rule \"charset\" { charset = \"ab\" }"
#define BAD   "invalid password policy: "

struct text_case {
	char name[32];
	char text[420];
	char error[160]; /* "": fine */
};

ParameterizedTestParameters(password_policy, texts)
{
	/* clang-format off */
	static struct text_case c[] = {
		{ "Vault's manual", "length = 20\n\nrule \"charset\" {\n  charset = \"" LOWER "\"\n  min-chars = 1\n}\n\n"
		  "rule \"charset\" {\n  charset = \"0123456789\"\n  min-chars = 1\n}\n", "" },
		{ "one line", "length=4 " AB, "" },
		{ "comments", "# a\nlength = 8 // b\n/* c */ " AB, "" },
		{ "heredoc", "length = 8\nrule \"charset\" { charset = <<X\nX\n }", BAD "line 2: no charset specified" },
		{ "json", "{\"length\": 8, \"rule\": {\"charset\": {\"charset\": \"ab\", \"min-chars\": 1}}}", "" },
		{ "json lists", "{\"length\": 8, \"rule\": [{\"charset\": [{\"charset\": \"ab\"}]}, {\"charset\": {\"charset\": \"cd\"}}]}", "" },
		{ "other scripts", "length = 8 rule \"charset\" { charset = \"\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91\" }", "" },
		{ "longest", "length = 100 " AB, "" },
		{ "too long", "length = 101 " AB, "passwords must be between 4 and 100 characters" },
		{ "too short", "length = 3 " AB, "passwords must be between 4 and 100 characters" },
		{ "empty", "", BAD "2 errors occurred:\n\t* length must be > 0\n\t* no charset specified\n\n" },
		{ "no rule", "length = 8", BAD "1 error occurred:\n\t* no charset specified\n\n" },
		{ "no length", AB, BAD "1 error occurred:\n\t* length must be > 0\n\n" },
		{ "negative", "length = -1 " AB, BAD "1 error occurred:\n\t* length must be > 0\n\n" },
		{ "no room", "length = 8 rule \"charset\" { charset = \"ab\" min-chars = 5 } rule \"charset\" { charset = \"cd\" min-chars = 4 }",
		  BAD "1 error occurred:\n\t* specified rules require at least 9 characters but 8 is specified\n\n" },
		{ "huge", "length = 99999999999999999999 " AB, BAD "line 1: length: expected a whole number" },
		{ "text for a number", "length = \"8\" " AB, BAD "line 1: length: expected a number" },
		{ "fraction", "length = 8.5 " AB, BAD "line 1: length: expected a whole number" },
		{ "sign alone", "length = - " AB, BAD "line 1: length: expected a whole number" },
		{ "tab", "length = 8 rule \"charset\" { charset = \"a\\tb\" }",
		  BAD "1 error occurred:\n\t* non-printable character in charset\n\n" },
		{ "invisible", "length = 8 rule \"charset\" { charset = \"a\xe2\x80\x8b\" }",
		  BAD "1 error occurred:\n\t* non-printable character in charset\n\n" },
		{ "a slip", "length = 8 rule \"charset\" { charset = \"ab\" min_chars = 1 }", BAD "line 1: invalid key \"min_chars\"" },
		{ "another slip", "lenght = 8 " AB, BAD "line 1: invalid key \"lenght\"" },
		{ "below zero", "length = 8 rule \"charset\" { charset = \"ab\" min-chars = -1 }", BAD "line 1: min-chars must not be negative" },
		{ "no such rule", "length = 8\nrule \"regex\" { }", BAD "line 2: unrecognized rule type regex" },
		{ "rule without a kind", "length = 8 rule { }", BAD "line 1: rule: expected its kind in quotes" },
		{ "open", "length = 8 rule \"charset\" { charset = \"ab\"", BAD "line 1: block not closed" },
		{ "rest", "{\"length\": 8, \"rule\": {\"charset\": {\"charset\": \"ab\"}}} x", BAD "line 1: text after the end" },
		{ "a list that is none", "length = 8 rule \"charset\" { charset = [\"ab\"] }", BAD "line 1: charset: expected a string" },
		{ "rare", "length = 20 rule \"charset\" { charset = \"" LOWER "\" } rule \"charset\" { charset = \"-\" min-chars = 6 }",
		  BAD "fewer than one in 8192 random texts would meet the rules: make it longer, or demand less" },
		{ "a common one", "length = 16 rule \"charset\" { charset = \"" LOWER "\" min-chars = 4 } "
		  "rule \"charset\" { charset = \"ABCDEFGHIJKLMNOPQRSTUVWXYZ\" min-chars = 4 } "
		  "rule \"charset\" { charset = \"0123456789\" min-chars = 4 } rule \"charset\" { charset = \"!#$%&*+-=?@^_\" min-chars = 4 }", "" },
	};
	/* clang-format on */
	return cr_make_param_array(struct text_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct text_case *c, password_policy, texts)
{
	struct generate_mix m;
	struct err e = { .msg = "" };
	int rc = password_policy_parse(c->text, strlen(c->text), &m, &e);

	cr_assert_str_eq(e.msg, c->error, "%s: %s", c->name, e.msg);
	cr_assert_eq(rc, c->error[0] == '\0' ? ERR_OK : ERR_INVALID, "%s", c->name);
}

/* A text that grows. */
struct built {
	char text[4096];
	size_t n;
};

static PRINTF(2, 3) void add(struct built *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	b->n += (size_t)vsnprintf(b->text + b->n, sizeof(b->text) - b->n, fmt, ap);
	va_end(ap);
	cr_assert_lt(b->n, sizeof(b->text));
}

static void refused(const struct built *b, const char *error)
{
	struct generate_mix m;
	struct err e;

	cr_assert_eq(password_policy_parse(b->text, b->n, &m, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, error);
}

Test(password_policy, rules_and_characters_are_bounded)
{
	struct built many = { .n = 0 }, wide = { .n = 0 };
	struct generate_mix m;
	struct err e;

	add(&many, "length = 20 ");
	for (int i = 0; i < 17; i++)
		add(&many, "rule \"charset\" { charset = \"%c\" }\n", 'a' + i);
	refused(&many, BAD "line 17: more than 16 rules");
	add(&wide, "length = 20 rule \"charset\" { charset = \"");
	for (unsigned cp = 0x4e00; cp < 0x4e00 + 256; cp++)
		add(&wide, "\\u%04x", cp);
	add(&wide, "\" }");
	cr_assert_eq(password_policy_parse(wide.text, wide.n, &m, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_eq(m.n, 256);
	cr_assert_eq(m.chars[255], 0x4eff);
	wide.n -= 3;
	add(&wide, "z\" }");
	refused(&wide, BAD "line 1: charset is too long: limited to 256 characters");
}

/* Every rule demands so much that there are more states than can be gone through. */
Test(password_policy, what_cannot_be_weighed_up_is_refused)
{
	struct built b = { .n = 0 };

	add(&b, "length = 100 ");
	for (int i = 0; i < 8; i++)
		add(&b, "rule \"charset\" { charset = \"%c%c\" min-chars = 12 }\n",
		    'a' + i, 'A' + i);
	refused(&b, BAD "the rules demand too much to be weighed up");
}

static struct generate_mix parsed(const char *text)
{
	struct generate_mix m;
	struct err e;

	cr_assert_eq(password_policy_parse(text, strlen(text), &m, &e), ERR_OK, "%s",
	             e.msg);
	return m;
}

/* Sets that overlap: of the 4^4 texts over "abcd" with two of "abc" and one of "cd" each,
 * all come, and equally often. */
Test(password_policy, every_password_that_fits_is_equally_likely)
{
	struct generate_mix m = parsed(
		"length = 4 rule \"charset\" { charset = \"abc\" min-chars = 2 } "
		"rule \"charset\" { charset = \"cd\" min-chars = 1 } "
		"rule \"charset\" { charset = \"aad\" }");
	long counts[256] = { 0 }, fit = 0, rounds = 60000;
	double share, expect, sum = 0;
	struct err e;

	cr_assert_eq(m.n, 4);
	for (int t = 0; t < 256; t++) {
		int abc = 0, cd = 0;

		for (int i = 0; i < 4; i++) {
			abc += (t >> 2 * i & 3) <= 2;
			cd += (t >> 2 * i & 3) >= 2;
		}
		counts[t] = abc >= 2 && cd >= 1 ? 0 : -1;
		fit += counts[t] == 0;
	}
	cr_assert_eq(generate_mix_share(&m, &share, &e), ERR_OK);
	cr_assert_float_eq(share * 256, (double)fit, 1e-9, "%f of %ld", share * 256, fit);
	for (long i = 0; i < rounds; i++) {
		uint32_t out[4];
		unsigned t = 0;

		cr_assert_eq(generate_mix_text(&m, out, &e), ERR_OK);
		for (int k = 0; k < 4; k++)
			t |= (out[k] - 'a') << 2 * k;
		cr_assert_lt(t, 256);
		cr_assert_geq(counts[t], 0, "a password that does not fit");
		counts[t]++;
	}
	expect = (double)rounds / (double)fit;
	for (int t = 0; t < 256; t++)
		if (counts[t] >= 0)
			sum += ((double)counts[t] - expect) *
			       ((double)counts[t] - expect) / expect;
	/* chi-square with fit - 1 (about 190) degrees of freedom: mean that, deviation
	 * about 20 */
	cr_assert_lt(sum, (double)fit + 110, "%f", sum);
}

/* The rarest that is accepted is found every time. */
Test(password_policy, a_rare_password_is_found)
{
	struct generate_mix m = parsed(
		"length = 20 rule \"charset\" { charset = \"" LOWER
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\" } "
		"rule \"charset\" { charset = \"-\" min-chars = 4 }");
	uint32_t out[100];
	double share = 0;
	struct err e;

	cr_assert_eq(generate_mix_share(&m, &share, &e), ERR_OK);
	cr_assert(share > GENERATE_SHARE_MIN && share < 1.0 / 2000, "%f", share);
	for (int i = 0; i < 200; i++) {
		int dashes = 0;

		cr_assert_eq(generate_mix_text(&m, out, &e), ERR_OK, "%s", e.msg);
		for (int k = 0; k < 20; k++)
			dashes += out[k] == '-';
		cr_assert_geq(dashes, 4);
	}
}
