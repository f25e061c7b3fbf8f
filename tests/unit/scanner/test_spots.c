/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a text are looked at a second time.  That nothing else can hold a match
 * is what test_engine.c is about. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "match/stream_impl.h"

static const char rules_text[] =
	"rules:\n"
	"  - id: word\n    title: t\n    regex: 'acme:([a-z]+)'\n"
	"  - id: lines\n    title: t\n    regex: '(?i)head\\s+\\w+\\s+tail\\d'\n"
	"    triggers: ['tail']\n    lines_span: 3\n"
	"  - id: near\n    title: t\n    regex: 'name:[a-z]{0,20}pwd'\n"
	"    triggers: ['pwd']\n    reach: 30\n"
	"  - id: url\n    title: t\n    regex: 'https?://\\S+@[a-z]+'\n"
	"    anchors: ['://']\n"
	"  - id: before\n    title: t\n    regex: '[a-z]+@[a-z]+wharf:[0-9]+'\n"
	"    anchors: ['wharf:']\n"
	"  - id: token\n    title: t\n    regex: '\\btok_[0-9A-Za-z]{24}\\b'\n"
	"  - id: keyed\n    title: t\n    regex: '\\b[0-9a-f]{32}\\b'\n"
	"    keywords: ['zebra']\n    lines: 2\n";

static struct rule_set set;
static struct scan_engine *g;
static struct spots *s;
static struct literals_scratch *scratch;
static struct hits hits;
static char text[9000];

static void setup(void)
{
	struct err e = { 0 };

	cr_assert_eq(rules_add_own(&set, "r", rules_text, sizeof(rules_text) - 1, &e),
	             ERR_OK, "%s", e.msg);
	cr_assert_eq(scan_engine_new(&set, &g, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(s = spots_new());
	cr_assert_not_null(scratch = literals_scratch_new(g->trigger_literals));
}

static void teardown(void)
{
	literals_scratch_free(scratch);
	spots_free(s);
	free(hits.v);
	scan_engine_free(g);
	rules_free(&set);
}

/* Lines that nothing is looked for in, with ${what} in the middle; where that is. */
static size_t around(const char *what)
{
	size_t n = 0, at;

	while (n < 4000)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "just a line, %zu\n",
		                      n);
	at = n;
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", what);
	while (n < 8000)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "just a line, %zu\n",
		                      n);
	return at;
}

static void look(void)
{
	const size_t n = strlen(text);
	const struct text t = { .p = (const unsigned char *)text, .n = n, .to = n };

	spots_find(s, g, scratch, &t, &hits);
}

/* Bytes in spots; all of ${part}, from ${at} on, have to be. */
static size_t found(size_t at, const char *part)
{
	const char *p = strstr(text + at, part);
	size_t from, to, all = 0;
	bool in = false;

	cr_assert_not_null(p);
	look();
	for (unsigned kind = 0; kind < SPOT_KINDS; kind++)
		for (size_t next = 0; spots_next(s, kind, &next, &from, &to);) {
			all += to - from;
			in |= (size_t)(p - text) >= from &&
			      (size_t)(p - text) + strlen(part) <= to;
		}
	cr_assert_eq(in, all > 0, "%s: %zu", part, all);
	return all;
}

TestSuite(spots, .init = setup, .fini = teardown, .timeout = 60);

Test(spots, nothing)
{
	cr_assert_eq(found(around("nothing to see"), "nothing"), 0);
}

/* An anchor with a trigger in it is found with this, and is looked for nowhere else. */
Test(spots, anchors_that_are_triggers)
{
	size_t at = around("use ACME:x, and more of it");

	cr_assert_eq(found(at, "ACME"), 0);
	cr_assert_eq(hits.n, 0, "in its case");
	at = around("use acme:x, and more of it");
	cr_assert_eq(found(at, "acme"), 0);
	cr_assert_eq(hits.n, 1);
	cr_assert_eq(hits.v[0].at, at + strlen("use acme:"));
	cr_assert_str_eq(g->literals[hits.v[0].id].text, "acme:");
	snprintf(text, sizeof(text), "a short one: acme:x");
	look();
	cr_assert_eq(hits.n, 1, "where all is a spot");
}

/* What ends in the zone, and is followed by what has to follow, as far as that is known.
 */
Test(spots, anchors_of_the_zone)
{
	const size_t at = around("use acme:x acme:1"), end = at + strlen("use acme:");
	struct text t = { .p = (const unsigned char *)text, .n = strlen(text) };

	for (size_t from = end - 2; from <= end + 1; from++)
		for (size_t to = from; to <= end + 2; to++) {
			t.from = from;
			t.to = to;
			spots_find(s, g, scratch, &t, &hits);
			cr_assert_eq(hits.n, from < end && to >= end, "%zu to %zu", from,
			             to);
		}
}

Test(spots, lines_before)
{
	static const char match[] =
		"head           \n  x                       \n               tail1";
	size_t n = found(around(match), match);

	cr_assert(n > 0 && n < 250, "%zu", n);
}

Test(spots, as_far_as_it_says)
{
	size_t at = around("name:abcdefghijklmnopqrstpwd");
	size_t n = found(at, "name:abcdefghijklmnopqrstpwd");

	cr_assert(n > 0 && n < 120, "%zu", n);
}

Test(spots, what_a_match_needs)
{
	cr_assert_eq(found(around("see https://host/path?a=b"), "https"), 0);
	cr_assert_eq(found(around("see https://host/path\n a@b"), "https"), 0,
	             "on another line");
	cr_assert_gt(found(around("see https://u:p@host"), "https://u:p@host"), 0);
	cr_assert_eq(found(around("write to me@here, see https://host"), "https"), 0,
	             "it is written behind the trigger");
	cr_assert_gt(found(around("so bob@thewharf:22"), "bob@thewharf:22"), 0);
	cr_assert_eq(found(around("so thewharf:22"), "wharf"), 0);
}

/* Anywhere on the line, however long that is, and at the end of the text. */
Test(spots, what_a_match_needs_is_far_away)
{
	for (int n = 1; n < 300; n++) {
		char match[700];

		snprintf(match, sizeof(match), "https://%*s@b", n, "");
		cr_assert_gt(found(around(match), "https"), 0, "%d", n);
		snprintf(match, sizeof(match), "https://%*s\n@b", n, "");
		cr_assert_eq(found(around(match), "https"), 0, "%d", n);
		snprintf(text + 8000, sizeof(text) - 8000, "\nhttps://%*s", n, "@");
		cr_assert_gt(found(8000, "https"), 0, "%d", n);
	}
}

Test(spots, runs)
{
	cr_assert_eq(found(around("tok_0123456789abcdef"), "tok_"), 0, "too short");
	cr_assert_gt(found(around("x: tok_0123456789abcdefghijABCD"),
	                   "x: tok_0123456789abcdefghijABCD"),
	             0);
}

/* Whatever bytes around it are asked for, to the block. */
Test(spots, where_a_run_is)
{
	const char *run = "tok_0123456789abcdefghijABCD";
	const size_t at = around(run), end = at + strlen(run), n = strlen(text);

	look();
	for (size_t from = 0; from <= at; from += 13)
		for (size_t to = end; to <= n; to += 17)
			cr_assert(spots_run(s, from, to), "%zu to %zu", from, to);
	cr_assert_not(spots_run(s, 0, at - 64));
	cr_assert_not(spots_run(s, end + 64, n));
	cr_assert_not(spots_run(s, at, at));
	cr_assert(spots_run(s, 0, n + 1), "that was not looked at");
	snprintf(text, sizeof(text), "a short one: acme:x");
	look();
	cr_assert(spots_run(s, 0, 10), "nor was this");
}

/* The line around a run, wherever that is in it. */
Test(spots, lines_of_any_length)
{
	for (int n = 0; n < 300; n++)
		for (int k = n % 7; k < 300; k += 37) {
			char match[700];
			size_t at, from, to, next = 0, end;

			snprintf(match, sizeof(match), "%*sABCDEFGHIJKLMNOPQRSTUV%*s", n,
			         "", k, "");
			at = around(match);
			end = at + strlen(match);
			look();
			cr_assert(spots_next(s, SPOT_RUN, &next, &from, &to));
			cr_assert_eq(from, at - at % LITERALS_GRAIN, "%d, %d", n, k);
			cr_assert_eq(to, end - end % LITERALS_GRAIN + LITERALS_GRAIN,
			             "%d, %d", n, k);
			cr_assert_not(spots_next(s, SPOT_RUN, &next, &from, &to));
		}
}

/* Two of them in 64 bytes, wherever these begin. */
Test(spots, runs_on_two_lines)
{
	static const char second[] = "tok_abcdefghijklmnopqrstuvwX";

	for (unsigned i = 0; i < 70; i++) {
		char match[200];

		snprintf(match, sizeof(match), "%*s\nABCDEFGHIJKLMNOPQRSTUV\n%s", (int)i,
		         "", second);
		cr_assert_gt(found(around(match), second), 0, "%u", i);
	}
}

Test(spots, keywords_near_longer_runs)
{
	static const char match[] = "zebra               \nx               \n"
				    "0123456789abcdef0123456789abcdef\ny\nz";
	size_t at = around(match);

	cr_assert_gt(found(at, match), 0);
	cr_assert(spots_wide(s, at));
	cr_assert_not(spots_wide(s, at - 200));
	cr_assert_not(spots_wide(s, 0));
	at = around("zebra               \n0123456789abcdef0123456789ab");
	look();
	cr_assert_not(spots_wide(s, at), "a run that is too short for it");
}

Test(spots, a_short_text_is_one)
{
	size_t from, to;

	for (unsigned kind = 0; kind < SPOT_KINDS; kind++) {
		size_t next = 0;

		snprintf(text, sizeof(text), "nothing to see");
		look();
		cr_assert(spots_next(s, kind, &next, &from, &to));
		cr_assert_eq(from, 0);
		cr_assert_eq(to, strlen(text));
		cr_assert_not(spots_next(s, kind, &next, &from, &to));
		*text = '\0';
		look();
		next = 0;
		cr_assert_not(spots_next(s, kind, &next, &from, &to));
	}
}

Test(spots, one_line_that_never_ends)
{
	size_t from, to, next = 0, all = 0;

	memset(text, 'A', sizeof(text) - 1);
	memcpy(text + 8000, "tail1", 5);
	look();
	while (spots_next(s, SPOT_RUN, &next, &from, &to))
		all += to - from;
	cr_assert_eq(all, strlen(text), "all of it is a run");
	for (size_t i = 0; i < sizeof(text) - 1; i += 8)
		text[i] = ' ';
	memcpy(text + 8000, "tail1", 5);
	look();
	next = 0;
	cr_assert_not(spots_next(s, SPOT_RUN, &next, &from, &to));
	next = 0;
	cr_assert(spots_next(s, SPOT_TEXT, &next, &from, &to));
	cr_assert_lt(from, 16);
	cr_assert_leq(to, 8064);
}

/* From its beginning to any place, wherever the zone is. */
/* As they are found without knowing any. */
Test(spots, where_a_line_is)
{
	unsigned seed = 1, known = 0;
	size_t n = 0, from, to;
	struct text t = { .p = (const unsigned char *)text };

	while (n + 400 < sizeof(text)) {
		const size_t some = (seed = seed * 1103515245 + 12345) >> 16 & 0xff;

		memset(text + n, 'a', some);
		n += some;
		text[n++] = '\n';
	}
	t.n = t.to = n;
	for (unsigned k = 0; k < 2; k++, t.from = n / 2, t.to = n - 1000) {
		spots_find(s, g, scratch, &t, &hits);
		for (size_t at = 0; at < n; at++) {
			if (!spots_line(s, at, &from, &to))
				continue;
			known++;
			cr_assert_eq(from, lines_start(&t, at, n), "zone %u: %zu", k, at);
			cr_assert_eq(to, lines_end(&t, at, n), "zone %u: %zu", k, at);
		}
	}
	cr_assert_gt(known, n / 2);
}

Test(spots, line_feeds_are_known)
{
	static unsigned char lines[SPOT_BEFORE * 2 + 500];
	const size_t n = sizeof(lines);
	const size_t zones[][2] = {
		{0,                 n                },
		{ 100,              5000             },
		{ 0,                200              },
		{ 300,              301              },
		{ SPOT_BEFORE + 77, SPOT_BEFORE + 300}
	};

	for (size_t i = 0; i < n; i++)
		lines[i] = i * i % 31 == 5 ? '\n' : 'x';
	for (size_t k = 0; k < sizeof(zones) / sizeof(*zones); k++) {
		const struct text t = {
			.p = lines, .n = n, .from = zones[k][0], .to = zones[k][1]
		};
		size_t sum = 0;

		spots_find(s, g, scratch, &t, &hits);
		for (size_t i = 0; i <= n; sum += i < n && lines[i] == '\n', i++)
			cr_assert_eq(spots_lines(s, &t, i), sum, "zone %zu: %zu", k, i);
	}
}
