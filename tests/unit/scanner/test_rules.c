/* SPDX-License-Identifier: Apache-2.0 */
/* Files of rules: what is taken, what is refused and where, and anchors. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rules/rules.h"

TestSuite(rules, .timeout = 60);

static struct rule_set set;

static int add(const char *text, struct err *e)
{
	return rules_add(&set, "my.yaml", text, strlen(text), e);
}

static void refused(const char *text, const char *why)
{
	struct err e = { 0 };
	size_t before = set.n;

	cr_expect_eq(add(text, &e), ERR_INVALID, "%s", text);
	cr_expect(strstr(e.msg, why) != NULL, "%s: %s", text, e.msg);
	cr_expect_eq(set.n, before);
}

#define RULE(more) "rules:\n  - id: a\n    title: A\n    regex: 'abc[0-9]{5}'\n" more

Test(rules, what_is_refused_and_where)
{
	refused("rules:\n  - id: [\n", "my.yaml:");
	refused("rules: 5\n", "one key, rules");
	refused("other:\n  - id: a\n", "one key, rules");
	refused("- a\n", "one key, rules");
	refused("", "one key, rules");
	refused("rules:\n  - just text\n", "a rule is a mapping");
	refused("rules:\n  - id: a\n    title: A\n", "my.yaml:2:5: a rule needs id");
	refused(RULE("    confidense: H\n"), "my.yaml:5:17: confidense: unknown key");
	refused(RULE("    confidence: X\n"), "my.yaml:5:17: confidence: no such word");
	refused(RULE("    window: -3\n"), "my.yaml:5:13: window: a number");
	refused(RULE("    window: 99999999999\n"), "my.yaml:5:13: window: a number");
	refused(RULE("    entropy: 9\n"), "my.yaml:5:14: entropy:");
	refused(RULE("    keywords: aws\n"), "my.yaml:5:15: keywords: a list");
	refused(RULE("    keywords: [[a]]\n"), "my.yaml:5:15: keywords: a list");
	refused(RULE("    allow: maybe\n"), "my.yaml:5:12: allow: true or false");
	refused(RULE("    anchors: [x]\n"), "anchors: two bytes");
	refused(RULE("    examples: {other: [a]}\n"), "examples: unknown key");
	refused("rules:\n  - id: a\n    title: A\n    regex: '[0-9]{5}'\n",
	        "has no literal");
	refused("rules:\n  - id: Bad\n    title: A\n    regex: abcdef\n",
	        "id: lower case");
}

#define REGEX(re) "rules:\n  - id: a\n    title: A\n    regex: '" re "'\n"

Test(rules, expressions_that_the_engine_does_not_take)
{
	refused(REGEX("abc(d"), "my.yaml:4:12: regex: missing closing parenthesis");
	refused(REGEX("abc(?=d)"), "my.yaml:4:12: regex: of groups only");
	refused(REGEX("(?<!x)abc"), "of groups only");
	refused(REGEX("(?P<n>abc)d"), "of groups only");
	refused(REGEX("(?>abc)d"), "of groups only");
	refused(REGEX("(?#x)abc"), "of groups only");
	refused(REGEX("abc(?R)?"), "of groups only");
	refused(REGEX("(abc)?(?(1)d|e)"), "of groups only");
	refused(REGEX("(?x) a b c"), "of groups only");
	refused(REGEX("(abc)\\1"), "of escapes only");
	refused(REGEX("\\x61bcdef"), "of escapes only");
	refused(REGEX("abc\\Kdef"), "of escapes only");
	refused(REGEX("\\Qabc\\E"), "of escapes only");
	refused(REGEX("abc[\\x61]"), "of escapes only");
	refused(REGEX("(*COMMIT)abc"), "no verbs");
	refused(REGEX("abc()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()"),
	        "more than 31 groups");
	refused(RULE("    validator: crc33\n"), "my.yaml:5:16: validator: there is none");
}

Test(rules, expressions_that_only_look_so)
{
	static const char *const fine[] = {
		REGEX("abc[(?=]d"),     REGEX("abc[](*]d"),
		REGEX("abc\\(?=d"),     REGEX("abc[^](?!]d"),
		REGEX("(?i)abc"),       REGEX("(?i:abc)d"),
		REGEX("abc\\\\K"),      REGEX("abc[[:digit:](?=]d"),
		REGEX("abc[\\]](?:d)"),
	};

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct err e = { 0 };

		cr_expect_eq(add(fine[i], &e), ERR_OK, "%s: %s", fine[i], e.msg);
	}
	cr_assert_gt(set.n, 0);
	cr_expect(set.at[0].checked);
}

Test(rules, a_rule_of_the_same_name_replaces)
{
	struct err e = { 0 };

	cr_assert_eq(add(RULE(""), &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(add("rules:\n  - id: b\n    title: B\n    regex: bcdef\n", &e),
	             ERR_OK);
	cr_assert_eq(add(RULE("    confidence: L\n    lines_span: 3\n"), &e), ERR_OK);
	cr_assert_eq(set.n, 2);
	cr_assert_eq(set.at[0].confidence, CONFIDENCE_LOW);
	cr_assert_eq(set.at[0].lines_span, 3);
	cr_assert_eq(set.at[0].index, 0);
	cr_assert_eq(rules_find(&set, "b"), &set.at[1]);
	cr_assert_null(rules_find(&set, "c"));
	rules_free(&set);
}

Test(rules, those_that_are_built_in)
{
	struct err e = { 0 };

	cr_assert_eq(rules_builtin(&set, &e), ERR_OK, "%s", e.msg);
	cr_assert_gt(set.n, 250);
	for (size_t i = 0; i < set.n; i++)
		cr_expect(set.at[i].positive.n > 0 || set.at[i].collect_pem,
		          "%s has no example", set.at[i].id);
	rules_free(&set);
}

static void anchors(const char *regex, const char *want)
{
	struct texts t = { 0 };
	char got[2000] = "";

	cr_assert_eq(rule_anchors(regex, &t), 0);
	for (size_t i = 0; i < t.n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
		         i > 0 ? " " : "", t.at[i]);
	cr_expect_str_eq(got, want, "%s: %s", regex, got);
	texts_free(&t);
}

Test(rules, literals_of_expressions)
{
	anchors("ghp_[0-9A-Za-z]{36}", "ghp_");
	anchors("(?:AKIA|ASIA)[A-Z2-7]{16}", "AKIA ASIA");
	anchors("gh[us]_[0-9A-Za-z]{36}", "ghu_ ghs_");
	anchors("[0-9A-Za-z+/]{76}\\+ASt[0-9]{5}", "+ASt");
	anchors("x?ab(?:cd)?ef[0-9]+", "abcdef abef");
	anchors("(?i)pass(?:word|wd)?\\s*=", "pass");
	anchors("(?:ab){2}[0-9]", "abab");
	anchors("[0-9]{40}", "");
	anchors("abc|[0-9]{40}", "");
	anchors("abc*", "ab");
	anchors("(?:abc)*[0-9]", "");
	anchors("\\babc\\d$", "abc");
	anchors("a(?=bcd)efg", "efg");
	anchors("[^a]bcd", "bcd");
	anchors("[]a]bcd", "]bcd abcd");
	anchors("abc.def(?:ghij|klmn)", "defghij defklmn");
	anchors("(", "");
	anchors("[", "");
	anchors("\\", "");
	anchors("a{", "a{");
}
