/* SPDX-License-Identifier: Apache-2.0 */
/* What rule_lead() says of an expression, held against what PCRE2 finds. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <criterion/criterion.h>
#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rules/rules.h"

TestSuite(beginnings, .timeout = 60);

static struct lead lead(const char *regex)
{
	struct lead l;

	cr_assert_eq(rule_lead(regex, &l), 0);
	return l;
}

static void is(const char *regex, const char *want)
{
	struct lead l = lead(regex);
	char got[512] = "";

	for (size_t i = 0, n = 0; i < l.begin.n; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s ", l.begin.at[i]);
	cr_assert_str_eq(got, want, "%s: %s", regex, got);
	texts_free(&l.begin);
}

Test(beginnings, texts)
{
	is("ghp_[0-9A-Za-z]{36}", "ghp_ ");
	is("(?i)(?:pass(?:word|wd)?|pwd)\\s*=", "pass pwd ");
	is("sk_(?:live|test)_[a-z]+", "sk_live_ sk_test_ ");
	is("gh[pous]_x", "gho_x ghp_x ghs_x ghu_x ");
	is("\\bAPI_?-?KEY", "API_-KEY API_KEY API-KEY APIKEY ");
	is("a?bcd", "abcd bcd ");
	is("[0-9]{8}abc", "");
	is("x*abc", "");
	is("(?:abc|d)e", "");
	is("(?<!x)abc", "");
	is("a{3}b", "");
	is("", "");
}

/* Without the texts, for what asks for the rest. */
static struct lead rest(const char *regex)
{
	struct lead l = lead(regex);

	texts_free(&l.begin);
	return l;
}

static bool may_follow(const char *regex, char c)
{
	const struct lead l = rest(regex);

	return rule_has_byte(&l.after_word, (unsigned char)c);
}

static bool may_follow_prose(const char *regex, char c)
{
	const struct lead l = rest(regex);

	return rule_has_byte(&l.after_prose, (unsigned char)c);
}

Test(beginnings, first_byte_that_is_not_of_a_word)
{
	cr_assert(may_follow("key[\\w.-]{0,9}[\"']?\\s*=", '"'));
	cr_assert(may_follow("key[\\w.-]{0,9}[\"']?\\s*=", '='));
	cr_assert(may_follow("key[\\w.-]{0,9}[\"']?\\s*=", '\t'));
	cr_assert_not(may_follow("key[\\w.-]{0,9}[\"']?\\s*=", '('));
	cr_assert(may_follow("(?:key|pass phrase)=", ' '));
	cr_assert(may_follow("abc[^x]", '('));
	cr_assert(may_follow("token_[a-z]+", '%'), "it can end before");
	cr_assert_not(may_follow("abc\\S=", ' '));
	cr_assert(may_follow("abc.=", ' '));
	cr_assert(may_follow("(?<![/\\w])key\\(", '('));
	cr_assert_not(may_follow("(?<![/\\w])key\\(", '/'),
	              "what looks around takes none");
	cr_assert_not(may_follow("key(?!=)(?=\\()\\(", '='));
	cr_assert(may_follow("(?<name>key)=", '('), "not understood");
}

static unsigned run(const char *regex, const char *members)
{
	struct lead l = lead(regex);

	for (const char *c = members; *c != '\0'; c++)
		cr_assert(rule_has_byte(&l.run.of, (unsigned char)*c), "%s: %c", regex,
		          *c);
	texts_free(&l.begin);
	return l.run.n;
}

Test(beginnings, first_byte_that_is_not_of_prose)
{
	static const char key[] = "key[\\w.]{0,9}[\"']?\\s*(?:String )?=>?";

	cr_assert(may_follow_prose(key, '='));
	cr_assert(may_follow_prose(key, '\n'));
	cr_assert_not(may_follow_prose(key, ','));
	cr_assert_not(may_follow_prose(key, '('));
	cr_assert(may_follow_prose("the key is \\S+", ','), "it can end before");
}

Test(beginnings, runs_that_every_match_has)
{
	cr_assert_eq(run("s\\.[0-9A-Za-z]{24}", "09AZaz"), 24);
	cr_assert_eq(run("x[a-f]{8,}y[0-9a-f]{32}", "0a"), 32);
	cr_assert_eq(run("(?i)x([A-F_]{20})", "AFaf_"), 20, "in a group; any case");
	cr_assert_eq(run("(?:a|([0-9]{20}))b", ""), 0);
	cr_assert_eq(run("(?:[a-f]{9}|[0-9]{20})[x-z]{12}", "x"), 12);
	cr_assert_eq(run("[x-z]{12}|[0-9]{20}", ""), 0);
	cr_assert_eq(run("[0-9]{20}|a", ""), 0);
	cr_assert_eq(run("(?:a[0-9]{20})?a", ""), 0);
	cr_assert_eq(run("(?![0-9]{20})a", ""), 0);
	cr_assert_eq(run("[0-9]{0,20}", ""), 0);
}

static unsigned stretch(const char *regex, enum rule_byte_set set)
{
	return rest(regex).stretch[set];
}

Test(beginnings, bytes_of_a_set_that_follow_each_other_in_every_match)
{
	cr_assert_eq(stretch("ghp_[0-9A-Za-z]{36}", RULE_ALNUM), 36);
	cr_assert_eq(stretch("ghp_[0-9A-Za-z]{36}", RULE_URL), 40, "the head counts");
	cr_assert_eq(stretch("\\bAKIA[A-Z2-7]{16}\\b", RULE_ALNUM), 20);
	cr_assert_eq(stretch("[0-9a-f]{8}-[0-9a-f]{4}x", RULE_URL), 14);
	cr_assert_eq(stretch("[0-9a-f]{8}-[0-9a-f]{4}x", RULE_ALNUM), 8);
	cr_assert_eq(stretch("(?:ab[cd]){5}", RULE_ALNUM), 15);
	cr_assert_eq(stretch("(?:ab.cd){5}", RULE_ALNUM), 4, "end and begin");
	cr_assert_eq(stretch("ab.cd", RULE_ALNUM), 2);
	cr_assert_eq(stretch("(?:abc|d)ef", RULE_ALNUM), 3, "the shorter one");
	cr_assert_eq(stretch("(?:abc|-)efgh", RULE_ALNUM), 4);
	cr_assert_eq(stretch("ab(?:cd)?ef", RULE_ALNUM), 4);
	cr_assert_eq(stretch("ab(?:-)?ef", RULE_ALNUM), 2);
	cr_assert_eq(stretch("ab\\s*ef", RULE_ALNUM), 2);
	cr_assert_eq(stretch("ab[0-9]*ef", RULE_ALNUM), 4);
	cr_assert_eq(stretch("ab[0-9]{3,}ef", RULE_ALNUM), 7);
	cr_assert_eq(stretch("ab\\d{3}(?![a-z]{9})ef", RULE_ALNUM), 7);
	cr_assert_eq(stretch("[\\w/+]{40}", RULE_BASE64), 0, "'_' is not of it");
	cr_assert_eq(stretch("[0-9A-Za-z/+]{40}=", RULE_BASE64), 40);
	cr_assert_eq(stretch("(?i)KEY_[A-F]{30}", RULE_URL), 34);
	cr_assert_eq(stretch("[^ ]{40}", RULE_ALNUM), 0);
	cr_assert_eq(stretch("[[:alnum:]]{40}", RULE_ALNUM), 0, "not understood");
	cr_assert_eq(stretch("[a-z]{9999}", RULE_ALNUM), 4096, "as long as they get");
}

/* Has every match a byte of ${set}, and of no smaller one? */
static bool must(const char *regex, const char *set)
{
	const struct lead l = rest(regex);
	struct bytes want = { { 0 } };

	for (; *set != '\0'; set++)
		want.w[(unsigned char)*set / 64] |= UINT64_C(1)
		                                    << (unsigned char)*set % 64;
	for (unsigned i = 0; i < l.musts.n; i++)
		if (memcmp(&l.musts.of[i], &want, sizeof(want)) == 0)
			return true;
	return false;
}

Test(beginnings, bytes_that_every_match_has)
{
	cr_assert(must("https?://\\S+@[a-z]+", "@"));
	cr_assert(must("(?:a@|b@c)d", "@"));
	cr_assert(must("(?:a@)+", "@"));
	cr_assert(must("a[@:]b", "@:"));
	cr_assert(must("a(?:[@:]|=>)b", "@:="));
	cr_assert(must("a(?:[@:]|@>)b", "@:"));
	cr_assert(must("(?:a@|b)d=", "="));
	cr_assert(must("a['\"]?=\\s*(?:\"x|'y)", "\"'"));
	cr_assert_not(must("(?:a@|b)d", "@"));
	cr_assert_not(must("a@?b", "@"));
	cr_assert_not(must("a@*b", "@"));
	cr_assert_not(must("a@{0,2}b", "@"));
	cr_assert_not(must("a(?!@)b", "@"));
	cr_assert(must("a(?=\\S{0,9}[@:])b", "@:"), "what follows on the line has it");
	cr_assert_not(must("a(?=[^x]{0,9}@)b", "@"), "the next line may have it");
	cr_assert_not(must("a(?=.*@)b", "@"), "'.' is not known to stay on the line");
	cr_assert_not(must("a(?:(?=@)b)?c", "@"));
	cr_assert_not(must("a(?<=[@])b", "@"));
	cr_assert_not(must("a(?!\\S{0,9}@)b", "@"));
	cr_assert_not(must("a[@x]b", "@"));
	cr_assert_not(must("a[@x]b", "@x"), "in most lines");
	cr_assert_not(must("a[^@]b", "@"));
	cr_assert_not(must("a@b[@:]", "@:"), "says less than the '@'");
	cr_assert_eq(rest("a@#%&!b").musts.n, RULE_MUSTS, "no more are kept");
	cr_assert(must("a.b-c_d\"e'f@", "@"), "but the rarest are");
}

static bool opens(const char *regex, const char *text)
{
	const struct opening o = rest(regex).opening;

	return rule_has_byte(&o.one, (unsigned char)text[0]) &&
	       rule_has_byte(&o.two, (unsigned char)text[1]);
}

Test(beginnings, the_first_two_bytes)
{
	cr_assert(opens("abc", "ab") && !opens("abc", "ac") && !opens("abc", "bb"));
	cr_assert(opens("(?i)abc", "aB") && !opens("(?i)abc", "ac"));
	cr_assert(opens("a?bc", "ab") && opens("a?bc", "bc"));
	cr_assert(opens("[ab]+c", "ab") && opens("[ab]+c", "bc") &&
	          !opens("[ab]+c", "ad"));
	cr_assert(opens("[ab]{2}c", "ab") && opens("(?:ab|c)d", "cd"));
	cr_assert(opens("(?:a|bc)*de", "aa") && opens("(?:a|bc)*de", "ad") &&
	          opens("(?:a|bc)*de", "de") && !opens("(?:a|bc)*de", "ca"));
	cr_assert(opens("\\bab", "ab") && !opens("\\bab", "ba"));
	cr_assert(opens("(?<![/\\w])ab", "ab") && !opens("(?<![/\\w])ab", "/a"));
	cr_assert(opens("a*", "xy") && opens("a", "ax"), "all of it is shorter");
	cr_assert(opens("(?<n>a)b", "xy") && opens("\\x41b", "xy"), "not understood");
	cr_assert_not(rest("a(?:b|^)c").opening.line, "nothing begins with it");
	cr_assert(opens("a(?:b|^)c", "ac"));
	cr_assert(rest("(?im)(?:^|[, ])-a").opening.line);
	cr_assert(opens("(?:^|[, ])-a", ",-") && !opens("(?:^|[, ])-a", "-a"));
	cr_assert(rest("\\b(?:x|(?:^a))").opening.line);
}

Test(beginnings, of_lines)
{
	cr_assert(rest("(?im)^[a-z]+=").at_line);
	cr_assert(rest("^a|b").at_line == false, "one of several");
	cr_assert(rest("^(?:a|b)c").at_line);
	cr_assert(rest("(?m)(?:^|x)c").at_line == false);
	cr_assert(rest("^?a").at_line == false);
	cr_assert(rest("(?:^)a").at_line == false, "not understood");
	cr_assert(rest("a^b").at_line == false);
}

static unsigned follows(const char *regex, const char *members)
{
	struct lead l = lead(regex);

	for (const char *c = members; *c != '\0'; c++)
		cr_assert(rule_has_byte(&l.next.of, (unsigned char)*c), "%s: %c", regex,
		          *c);
	texts_free(&l.begin);
	return l.next.n;
}

Test(beginnings, runs_that_follow_them)
{
	cr_assert_eq(follows("ghp_[0-9A-Za-z]{36}", "09AZaz"), 36);
	cr_assert_eq(follows("(?i)s[ks]_[a-f]{9}x", "afAF"), 9);
	cr_assert_eq(follows("\\bSK[0-9a-f]{32}", "0a"), 32, "two bytes will do");
	cr_assert_eq(follows("abc[0-9]+", "5"), 1);
	cr_assert_eq(follows("hooks.net/[0-9a-f]{32}", ""), 0, "longer than a head");
	cr_assert_eq(follows("abcdefgh/[0-9a-f]{32}", ""), 0, "just as long");
	cr_assert_eq(follows("abc(?:def)?[x-z0-9]{32}", ""), 0,
	             "one head begins the other");
	cr_assert_eq(follows("abc[de]{32}", ""), 0, "its first is of the head");
	cr_assert_eq(follows("abc|def[0-9a-f]{32}", ""), 0);
	cr_assert_eq(follows("abc(?=x)[0-9a-f]{32}", ""), 0);
	cr_assert_eq(follows("abc[0-9a-f]{0,32}", ""), 0);
}

static bool all_of(const struct run *r, const char *s)
{
	for (unsigned i = 0; i < r->n; i++)
		if (!rule_has_byte(&r->of, (unsigned char)s[i]))
			return false;
	return true;
}

static bool begins_so(const struct texts *t, const struct run *next, const char *s,
                      size_t n)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t m = strlen(t->at[i]);

		if (m + next->n <= n && strncasecmp(s, t->at[i], m) == 0 &&
		    all_of(next, s + m))
			return true;
	}
	return false;
}

static bool has_one_of(const struct bytes *set, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rule_has_byte(set, (unsigned char)s[i]))
			return true;
	return false;
}

static size_t check_matches(const struct rule *u, pcre2_code *re, const char *text)
{
	pcre2_match_data *md = pcre2_match_data_create(64, NULL);
	size_t n = strlen(text), at = 0, found = 0;
	struct lead l = lead(u->regex);

	while (at <= n && pcre2_match(re, (PCRE2_SPTR)text, n, at, 0, md, NULL) > 0) {
		const PCRE2_SIZE *v = pcre2_get_ovector_pointer(md);
		size_t i = v[0], run = 0, longest = 0;

		for (size_t k = v[0]; k < v[1]; k++) {
			run = rule_has_byte(&u->run.of, (unsigned char)text[k]) ? run + 1
			                                                        : 0;
			longest = run > longest ? run : longest;
		}
		cr_assert_geq(longest, u->run.n, "%s: %s", u->id, text + v[0]);
		cr_assert(!l.at_line || v[0] == 0 || text[v[0] - 1] == '\n', "%s: %s",
		          u->id, text + v[0]);
		for (unsigned k = 0; k < l.musts.n; k++)
			cr_assert(has_one_of(&l.musts.of[k], text + v[0], v[1] - v[0]),
			          "%s: %s", u->id, text + v[0]);
		cr_assert((l.opening.line && (v[0] == 0 || text[v[0] - 1] == '\n')) ||
		                  opens(u->regex, text + v[0]),
		          "%s: %s", u->id, text + v[0]);
		cr_assert(l.begin.n == 0 ||
		                  begins_so(&l.begin, &l.next, text + v[0], v[1] - v[0]),
		          "%s: %s", u->id, text + v[0]);
		for (unsigned k = 0; k < 2; k++) {
			const struct bytes *skipped = k == 0 ? &rule_word : &rule_prose;
			const struct bytes *may = k == 0 ? &l.after_word : &l.after_prose;

			while (i < v[1] && rule_has_byte(skipped, (unsigned char)text[i]))
				i++;
			cr_assert(i == v[1] || rule_has_byte(may, (unsigned char)text[i]),
			          "%s: '%c' in %s", u->id, text[i], text + v[0]);
		}
		found++;
		at = v[1] > at ? v[1] : at + 1;
	}
	texts_free(&l.begin);
	pcre2_match_data_free(md);
	return found;
}

Test(beginnings, hold_for_all_matches_of_all_rules_in_all_examples)
{
	struct rule_set set;
	struct err e = { 0 };
	size_t found = 0;

	cr_assert_eq(rules_builtin(&set, &e), ERR_OK, "%s", e.msg);
	for (size_t i = 0; i < set.n; i++) {
		PCRE2_SIZE where;
		int code;
		pcre2_code *re = pcre2_compile((PCRE2_SPTR)set.at[i].regex,
		                               PCRE2_ZERO_TERMINATED, 0, &code, &where,
		                               NULL);

		cr_assert_not_null(re, "%s", set.at[i].id);
		(void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
		for (size_t k = 0; k < set.n; k++) {
			for (size_t x = 0; x < set.at[k].positive.n; x++)
				found += check_matches(&set.at[i], re,
				                       set.at[k].positive.at[x]);
			for (size_t x = 0; x < set.at[k].negative.n; x++)
				found += check_matches(&set.at[i], re,
				                       set.at[k].negative.at[x]);
		}
		pcre2_code_free(re);
	}
	cr_assert_gt(found, 2 * set.n);
	rules_free(&set);
}
