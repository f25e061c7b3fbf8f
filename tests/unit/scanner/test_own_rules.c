/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of users: what their expressions match is found, however they are written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "match/scan_stream.h"

TestSuite(own_rules, .timeout = 60);

static unsigned found;

static void sink(void *ctx, const struct finding *f)
{
	(void)ctx;
	found += *f->decoded == '\0';
}

/* Far from other lines, as a text that is short is looked at anyway. */
static void put_text(char *text, size_t room, const char *line)
{
	size_t n = 0;

	for (unsigned i = 0; i < 30; i++)
		n += (size_t)snprintf(text + n, room - n, "nothing is on this line\n");
	n += (size_t)snprintf(text + n, room - n, "%s\n", line);
	for (unsigned i = 0; i < 30; i++)
		n += (size_t)snprintf(text + n, room - n, "nor is it on these ones\n");
}

/* A rule with the expression and ${more} keys finds ${line}. */
static void finds_with(const char *regex, const char *more, const char *line)
{
	static const struct scan_options options = { .filtered = true };
	static const struct blob blob = { .channel = CHANNEL_FILE, .path = "a.conf" };
	char yaml[1000], text[3000];
	struct rule_set rules = { 0 };
	struct scan_engine *g = NULL;
	struct scan_stream *s;
	struct err e = { 0 };

	snprintf(yaml, sizeof(yaml),
	         "rules:\n  - id: own\n    title: t\n    confidence: H\n"
	         "    regex: '%s'\n%s",
	         regex, more);
	cr_assert_eq(rules_add(&rules, "r", yaml, strlen(yaml), &e), ERR_OK, "%s: %s",
	             regex, e.msg);
	cr_assert_eq(scan_engine_new(&rules, &g, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(s = scan_stream_new(g, &options, sink, NULL));
	put_text(text, sizeof(text), line);
	found = 0;
	cr_assert_eq(scan_stream_begin(s, &blob), ERR_OK);
	cr_assert_eq(scan_stream_feed(s, (const unsigned char *)text, strlen(text)),
	             ERR_OK);
	cr_assert_eq(scan_stream_end(s), ERR_OK);
	cr_expect_eq(found, 1, "%s: %u in %s", regex, found, line);
	scan_stream_free(s);
	scan_engine_free(g);
	rules_free(&rules);
}

static void finds(const char *regex, const char *line)
{
	finds_with(regex, "", line);
}

Test(own_rules, classes_with_names_and_ranges)
{
	finds("corp_[[:digit:]]{5}", "corp_12345");
	finds("corp_[^[:digit:]]{5}", "corp_abcde");
	finds("corp_[^\\b]{5}", "corp_abcde");
	finds("corp_[!-\\/][a-z]{3}", "corp_#abc");
	finds("corp_[\\!-\\/][a-z]{3}", "corp_#abc");
	finds("corp_[+-\\/]x", "corp_,x");
	finds("corp_[\\]-a]x", "corp_^x");
	finds("corp_[]-a]x", "corp_^x");
	finds("corp_[%--]x", "corp_(x");
	finds("corp_[[:x]#", "corp_[#");
}

Test(own_rules, braces_that_are_no_quantifier)
{
	finds("corp_a{2x}#", "corp_a{2x}#");
	finds("corp_a{,2}#", "corp_a{,2}#");
	finds("corp_a{2,3}#", "corp_aa#");
}

Test(own_rules, groups_that_are_too_deep)
{
	char deep[400];
	size_t n;

	for (unsigned depth = 10; depth < 60; depth += 7) {
		n = 0;
		for (unsigned i = 0; i < depth; i++)
			n += (size_t)snprintf(deep + n, sizeof(deep) - n, "(?:");
		n += (size_t)snprintf(deep + n, sizeof(deep) - n, "#corp_a");
		for (unsigned i = 0; i < depth; i++)
			n += (size_t)snprintf(deep + n, sizeof(deep) - n, ")");
		snprintf(deep + n, sizeof(deep) - n, "|other_token");
		finds_with(deep, "    keywords: ['other_']\n", "other_token");
	}
}

Test(own_rules, long_runs_of_small_letters)
{
	finds("zz_[a-z]{30}", "zz_abcdefghijabcdefghijabcdefghij");
	finds("(?i)zz_[A-Z]{30}", "zz_abcdefghijabcdefghijabcdefghij");
	finds("athingthathasalongernamethanmost=#", "athingthathasalongernamethanmost=#");
	finds("[a-f0-9]+thathasalongernamethanmost=", "athathasalongernamethanmost=");
	finds_with("\\b[a-z]{32}\\b", "    keywords: ['zebra']\n    lines: 1\n",
	           "zebra\nabcdefghijklmnopabcdefghijklmnop");
}

Test(own_rules, an_at_sign_before_the_trigger_and_on_other_lines)
{
	finds("[a-z]+@corp-token-[0-9]{8}", "bob@corp-token-12345678");
	finds("\\S+@\\S+ corp_key", "bob@host corp_key");
	finds("(?:corp|)@token([0-9]+)", "corp@token123");
	finds_with("corp_key\\s+@([a-z0-9]+)", "    window: 100\n", "corp_key\n@abc123");
	finds_with("@([0-9]{6})\\b", "    keywords: ['zebra']\n    lines: 1\n",
	           "zebra\n@123456");
}
