/* SPDX-License-Identifier: Apache-2.0 */
/* Files of rules: what is taken, what is refused and where, and anchors. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"
#include "whole_file.h"

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

static void same_texts(const char *id, const struct texts *a, const struct texts *b)
{
	cr_assert_eq(a->n, b->n, "%s", id);
	for (size_t i = 0; i < a->n; i++)
		cr_expect_str_eq(a->at[i], b->at[i], "%s", id);
}

static void same_text(const char *id, const char *a, const char *b)
{
	cr_assert_eq(a == NULL, b == NULL, "%s", id);
	if (a != NULL)
		cr_expect_str_eq(a, b, "%s", id);
}

/* All but the texts, as bytes: also what a rule will get one day. */
static void bare(const struct rule *u, struct rule *out)
{
	const struct texts none = { 0 };

	memcpy(out, u, sizeof(*out));
	out->id = out->title = out->family = out->regex = NULL;
	out->validator = out->example_path = NULL;
	out->anchors = out->keywords = out->files = out->triggers = none;
	out->positive = out->negative = none;
	out->embedded = out->checked = true;
}

static void same_rule(const struct rule *a, const struct rule *b)
{
	struct rule x, y;

	same_text(a->id, a->id, b->id);
	same_text(a->id, a->title, b->title);
	same_text(a->id, a->family, b->family);
	same_text(a->id, a->regex, b->regex);
	same_text(a->id, a->validator, b->validator);
	same_text(a->id, a->example_path, b->example_path);
	same_texts(a->id, &a->anchors, &b->anchors);
	same_texts(a->id, &a->keywords, &b->keywords);
	same_texts(a->id, &a->files, &b->files);
	same_texts(a->id, &a->triggers, &b->triggers);
	same_texts(a->id, &a->positive, &b->positive);
	same_texts(a->id, &a->negative, &b->negative);
	bare(a, &x);
	bare(b, &y);
	cr_expect(memcmp(&x, &y, sizeof(x)) == 0, "%s", a->id);
}

/* In the order that the build has them in. */
static void parse_all(struct rule_set *out)
{
	struct err e = { 0 };
	glob_t files;
	char *text;
	size_t n;

	cr_assert_eq(glob("scanner/rules/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		cr_assert_eq(whole_file(files.gl_pathv[i], RULES_FILE_MAX, &text, &n, &e),
		             ERR_OK, "%s", e.msg);
		cr_assert_eq(rules_add_own(out, files.gl_pathv[i], text, n, &e), ERR_OK,
		             "%s", e.msg);
		free(text);
	}
	globfree(&files);
}

Test(rules, those_that_are_built_in_are_what_their_files_say)
{
	struct rule_set parsed = { 0 };
	struct err e = { 0 };

	parse_all(&parsed);
	cr_assert_eq(rules_builtin(&set, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(set.n, parsed.n);
	for (size_t i = 0; i < set.n; i++) {
		cr_expect(set.at[i].embedded && set.at[i].checked);
		same_rule(&set.at[i], &parsed.at[i]);
	}
	rules_free(&parsed);
	rules_free(&set);
}

Test(rules, those_that_are_built_in_can_be_replaced)
{
	struct rule_set other = { 0 };
	struct err e = { 0 };
	const char *text = "rules:\n  - id: age-secret\n    title: X\n"
			   "    regex: AGE-SECRET-KEY-1[0-9A-Z]{58}\n";
	const struct rule *u;

	cr_assert_eq(rules_builtin(&set, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(rules_builtin(&other, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(rules_find(&set, "age-secret"));
	cr_assert_eq(add(text, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(set.n, other.n);
	u = rules_find(&set, "age-secret");
	cr_expect_str_eq(u->title, "X");
	cr_expect_not(u->embedded);
	cr_expect_eq(u->index, rules_find(&other, "age-secret")->index);
	cr_expect_str_neq(rules_find(&other, "age-secret")->title, "X");
	rules_free(&set);
	rules_free(&other);
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
