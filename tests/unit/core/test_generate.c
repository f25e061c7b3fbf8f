/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <string.h>

#include "keymem.h"
#include "server/core/rotation/generate.h"

static void setup(void)
{
	struct err e;

	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK);
}

TestSuite(generate, .init = setup, .timeout = 60);

struct rule_case {
	char name[24];
	long length;
	unsigned classes;
	char alphabet[100];
	char error[72]; /* "": fine */
	int bits;
};

static struct generate_rule rule_of(const struct rule_case *c)
{
	struct generate_rule r = { .length = c->length, .classes = c->classes };

	memcpy(r.alphabet, c->alphabet,
	       strlen(c->alphabet) + 1 > sizeof(r.alphabet) ? sizeof(r.alphabet)
	                                                    : strlen(c->alphabet) + 1);
	return r;
}

ParameterizedTestParameters(generate, rules)
{
	/* clang-format off */
	static struct rule_case c[] = {
		{ "hex", 32, 0, "0123456789abcdef", "", 128 },
		{ "one of two", 1, 0, "ab", "", 1 },
		{ "three of two", 3, 0, "ab", "", 3 },
		{ "pin", 4, CLASS_DIGIT, "", "", 13 },
		{ "two classes in two", 2, CLASS_LOWER | CLASS_DIGIT, "", "", 9 },
		{ "default", 32, CLASS_DEFAULT, "", "", 190 },
		{ "four in four", 4, CLASS__ALL, "", "", 22 },
		{ "longest", 512, CLASS__ALL, "", "", 3355 },
		{ "empty", 0, CLASS_LOWER, "", "length: 1 to 512", 0 },
		{ "negative", -1, CLASS_LOWER, "", "length: 1 to 512", 0 },
		{ "too long", 513, CLASS_LOWER, "", "length: 1 to 512", 0 },
		{ "no class, no alphabet", 8, 0, "", "alphabet: at least two characters are needed", 0 },
		{ "single", 8, 0, "a", "alphabet: at least two characters are needed", 0 },
		{ "twice", 8, 0, "aba", "alphabet: a character occurs twice", 0 },
		{ "space", 8, 0, "a b", "alphabet: only printable ASCII characters, no space", 0 },
		{ "not ASCII", 8, 0, "a\xc3\xa4", "alphabet: only printable ASCII characters, no space", 0 },
		{ "control", 8, 0, "a\tb", "alphabet: only printable ASCII characters, no space", 0 },
		{ "no room", 3, CLASS__ALL, "", "length: too short to hold a character of every class", 0 },
		{ "unknown class", 8, 16, "", "classes: lower, upper, digit, symbol", 0 },
	};
	/* clang-format on */
	return cr_make_param_array(struct rule_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct rule_case *c, generate, rules)
{
	struct generate_rule r = rule_of(c);
	char out[GENERATE_LENGTH_MAX + 1] = "untouched";
	struct err e = { .msg = "" };
	int rc = generate_text(&r, out, &e);

	cr_assert_str_eq(e.msg, c->error, "%s: %s", c->name, e.msg);
	cr_assert_eq(rc, c->error[0] == '\0' ? ERR_OK : ERR_INVALID, "%s", c->name);
	if (rc != ERR_OK) {
		cr_assert_str_eq(out, "untouched");
		return;
	}
	cr_assert_eq(strlen(out), (size_t)c->length);
	cr_assert_eq(generate_bits(&r), c->bits, "%s: %lld bits", c->name,
	             (long long)generate_bits(&r));
}

Test(generate, class_names)
{
	cr_assert_eq(generate_class("lower", 5), CLASS_LOWER);
	cr_assert_eq(generate_class("symbol", 6), CLASS_SYMBOL);
	cr_assert_eq(generate_class("lowe", 4), 0);
	cr_assert_eq(generate_class("", 0), 0);
	cr_assert_str_eq(generate_class_name(CLASS_DIGIT), "digit");
}

/* Chi-square of ${counts} against equal shares. */
static double chi_square(const long *counts, size_t n, long total)
{
	double expect = (double)total / (double)n, sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ((double)counts[i] - expect) * ((double)counts[i] - expect) /
		       expect;
	return sum;
}

/* Five standard deviations above the mean of the distribution (mean n - 1, variance 2(n -
 * 1)). */
static double limit_for(size_t n)
{
	double k = (double)(n - 1), root = 1;

	for (int i = 0; i < 40; i++)
		root = (root + 2 * k / root) / 2;
	return k + 5 * root;
}

struct alphabet_case {
	char chars[100];
};
ParameterizedTestParameters(generate, every_character_is_equally_likely)
{
	/* Sizes that do not divide 256: without rejection the first 256 mod n come more
	 * often. */
	static struct alphabet_case c[] = {
		{ "abc" },
		{ "0123456789" },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" },
		{ "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
		  "abcdefghijklmnopqrstuvwxyz{|}~" },
	};
	return cr_make_param_array(struct alphabet_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct alphabet_case *c, generate, every_character_is_equally_likely)
{
	struct generate_rule r = { .length = 500 };
	size_t n = strlen(c->chars);
	long counts[GENERATE_ALPHABET_MAX] = { 0 }, total = 0;
	char out[GENERATE_LENGTH_MAX + 1];
	struct err e;

	memcpy(r.alphabet, c->chars, n + 1);
	for (size_t round = 0; round < 6 * n; round++) {
		cr_assert_eq(generate_text(&r, out, &e), ERR_OK);
		for (const char *p = out; *p != '\0'; p++) {
			counts[strchr(c->chars, *p) - c->chars]++;
			total++;
		}
	}
	cr_assert_lt(chi_square(counts, n, total), limit_for(n), "%zu characters: %f", n,
	             chi_square(counts, n, total));
}

Test(generate, required_classes_occur_without_favourite_places)
{
	struct generate_rule r = { .length = 2, .classes = CLASS_LOWER | CLASS_DIGIT };
	long counts[26 * 10 * 2] = { 0 };
	const long rounds = 200000;
	char out[GENERATE_LENGTH_MAX + 1];
	struct err e;

	for (long i = 0; i < rounds; i++) {
		bool digit_first;
		char d, l;

		cr_assert_eq(generate_text(&r, out, &e), ERR_OK);
		digit_first = out[0] <= '9';
		d = digit_first ? out[0] : out[1];
		l = digit_first ? out[1] : out[0];
		cr_assert(d >= '0' && d <= '9' && l >= 'a' && l <= 'z', "%s", out);
		counts[((d - '0') * 26 + (l - 'a')) * 2 + digit_first]++;
	}
	cr_assert_lt(chi_square(counts, ARRAY_LEN(counts), rounds),
	             limit_for(ARRAY_LEN(counts)));
}

Test(generate, hard_rules_are_met_every_time)
{
	struct generate_rule r = { .length = 4, .classes = CLASS__ALL };
	char out[GENERATE_LENGTH_MAX + 1];
	struct err e;

	for (int i = 0; i < 20000; i++) {
		int lower = 0, upper = 0, digit = 0;

		cr_assert_eq(generate_text(&r, out, &e), ERR_OK, "%s", e.msg);
		for (const char *p = out; *p != '\0'; p++) {
			lower += *p >= 'a' && *p <= 'z';
			upper += *p >= 'A' && *p <= 'Z';
			digit += *p >= '0' && *p <= '9';
		}
		cr_assert(lower == 1 && upper == 1 && digit == 1, "%s", out);
	}
}
