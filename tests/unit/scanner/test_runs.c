/* SPDX-License-Identifier: Apache-2.0 */
/* Long runs and line ends: all ways to find them against counting bytes. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "cpu.h"
#include "match/open_find.h"
#include "match/run_find.h"
#include "match/runs.h"
#include "rules/rules.h"

TestSuite(runs, .timeout = 120);

#define SIZE  6000
#define WHOLE 2500 /* more than what is looked at by any of them at once */

static unsigned char text[SIZE + 1];
#define BLOCKS (SIZE / RUNS_BLOCK + 1)
static struct {
	uint64_t lines[BLOCKS], some[BLOCKS / 64 + 1];
	struct runs_block block[BLOCKS];
} wanted, got;
static const struct runs out = { got.lines, got.some, got.block };

static bool mixed(const unsigned char *p, size_t from, size_t to)
{
	for (; from < to; from++)
		if ((p[from] >= '0' && p[from] <= '9') ||
		    (p[from] >= 'A' && p[from] <= 'Z'))
			return true;
	return false;
}

/* Runs of one set, byte by byte: what of one is in each block. */
static void note(const unsigned char *p, size_t n, enum rule_byte_set set, unsigned least,
                 bool wide)
{
	for (size_t at = 0, to; at < n; at = to + 1) {
		for (to = at; to < n && rule_has_byte(&rule_set_of[set], p[to]);)
			to++;
		for (size_t b = at / RUNS_BLOCK * RUNS_BLOCK; b < to; b += RUNS_BLOCK) {
			struct runs_block *w = &wanted.block[b / RUNS_BLOCK];
			struct runs_long *all = wide ? &w->wide : &w->run;
			const size_t end = to < b + RUNS_BLOCK ? to : b + RUNS_BLOCK;
			const size_t near = b >= RUNS_BLOCK ? b - RUNS_BLOCK : 0;
			const size_t begin = at > b ? at : b;

			if (end - at < least || !mixed(p, at > near ? at : near, end))
				continue;
			if (all->first == RUNS_NONE || all->last < end - 1 - b)
				all->last = (uint8_t)(end - 1 - b);
			if (begin - b < all->first)
				all->first = (uint8_t)(begin - b);
		}
	}
}

static void by_hand(const unsigned char *p, size_t n)
{
	memset(wanted.lines, 0, sizeof(wanted.lines));
	memset(wanted.block, RUNS_NONE, sizeof(wanted.block));
	for (size_t i = 0; i < n; i++)
		wanted.lines[i / RUNS_BLOCK] |= (uint64_t)(p[i] == '\n')
		                                << i % RUNS_BLOCK;
	note(p, n, RULE_ALNUM, RULE_RUN_ALNUM, false);
	note(p, n, RULE_URL, RULE_RUN_URL, false);
	note(p, n, RULE_BASE64, RULE_RUN_BASE64, false);
	note(p, n, RULE_ALNUM, RULE_WIDE_ALNUM, true);
}

static bool has_some(size_t i)
{
	return got.some[i / 64] >> i % 64 & 1;
}

static void compare(const unsigned char *p, size_t n, const char *how)
{
	for (size_t i = 0; i * RUNS_BLOCK < n; i++) {
		const struct runs_block *w = &wanted.block[i], *g = &got.block[i];

		cr_assert_eq(got.lines[i], wanted.lines[i], "%s: block %zu of %zu", how,
		             i, n);
		cr_assert_eq(has_some(i), w->run.first != RUNS_NONE,
		             "%s: block %zu of %zu", how, i, n);
		cr_assert(!has_some(i) || memcmp(g, w, sizeof(*g)) == 0,
		          "%s: block %zu of %zu: %u to %u, not %u to %u:\n%.*s", how, i,
		          n, g->run.first, g->run.last, w->run.first, w->run.last, (int)n,
		          (const char *)p);
	}
	for (size_t i = (n + RUNS_BLOCK - 1) / RUNS_BLOCK; i % 64 != 0; i++)
		cr_assert(!has_some(i), "%s: block %zu of %zu", how, i, n);
}

static void check(const unsigned char *p, size_t n)
{
	const enum cpu best = cpu_best();
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	by_hand(p, n);
	for (enum cpu way = CPU_PLAIN; way <= best; way++) {
		cpu_limit(way);
		memset(&got, 0xaa, sizeof(got));
		runs_find(p, n, &out);
		compare(p, n, cpu_name(way));
		cr_assert_eq(runs_lines(got.lines, n), lines, "%s: %zu bytes",
		             cpu_name(way), n);
	}
	cpu_limit(best);
}

/* Runs of one kind after the other, with something between most of them. */
static void fill(void)
{
	static const char *const kinds[] = { "aZ09mQpP",
		                             "a-Z_09",
		                             "a+Z/09",
		                             "aA0-_+/",
		                             "abcxyz",
		                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab_-Z",
		                             " .,:@[`{\x7f\x80\xff" };
	size_t at = 0;

	while (at < SIZE) {
		const char *kind = kinds[randombytes_uniform(7)];
		size_t n = 1 + randombytes_uniform(randombytes_uniform(4) ? 70 : 300);

		for (; n > 0 && at < SIZE; n--)
			text[at++] = (unsigned char)
				kind[randombytes_uniform((uint32_t)strlen(kind))];
		if (at < SIZE && randombytes_uniform(3) != 0)
			text[at++] = (unsigned char)"\n \n.="[randombytes_uniform(5)];
	}
}

Test(runs, all_ways_find_what_counting_does)
{
	for (unsigned round = 0; round < 3000; round++) {
		const size_t from = randombytes_uniform(100);

		fill();
		check(text + from, randombytes_uniform(SIZE - 100));
	}
}

Test(runs, all_bytes_are_of_their_sets)
{
	for (unsigned c = 0; c < 256; c++) {
		memset(text, (int)c, WHOLE);
		check(text, WHOLE);
	}
}

Test(runs, as_long_as_it_has_to_be)
{
	for (size_t at = 0; at < 140; at++)
		for (size_t n = RULE_RUN_ALNUM - 1; n <= RULE_WIDE_ALNUM; n++) {
			memset(text, '.', WHOLE);
			memset(text + at, 'X', n);
			check(text, WHOLE);
			runs_find(text, WHOLE, &out);
			cr_assert_eq(has_some((at + n - 1) / RUNS_BLOCK),
			             n >= RULE_RUN_ALNUM);
		}
}

/* Of all runs in ${from} to ${to}, byte by byte. */
static size_t first_run(const struct run *run, size_t from, size_t to)
{
	for (size_t at = from, n = 0; at < to; at++) {
		n = rule_has_byte(&run->of, text[at]) ? n + 1 : 0;
		if (n == run->n)
			return at + 1 - n;
	}
	return to;
}

/* Runs of a set, of all lengths up to about ${most}, that one or two bytes part. */
static size_t fill_runs(const struct bytes *of, unsigned most)
{
	size_t n = 100 + randombytes_uniform(500), left = 0;

	for (size_t at = 0; at<n; at++, left -= left> 0) {
		const bool in = left > 0;

		if (!in && randombytes_uniform(2) == 0)
			left = 1 + randombytes_uniform(most);
		do
			text[at] = (unsigned char)randombytes_uniform(256);
		while (rule_has_byte(of, text[at]) != in);
	}
	return n;
}

Test(runs, of_a_rule)
{
	const struct bytes sets[] = {
		rule_set_of[RULE_ALNUM],
		rule_set_of[RULE_BASE64],
		{ { 0x03ff000000000000, 0x7e0000007e, 0, 0 } },
		{ { ~UINT64_C(0x8400000400), UINT64_MAX, UINT64_MAX, UINT64_MAX } },
		{ { 1, 0, 0xff00ff0000000001, 0x8000000000000000 } },
	};

	for (unsigned round = 0; round < 20000; round++) {
		const struct bytes *of = &sets[round % 5];
		const struct run run = { 1 + randombytes_uniform(140), *of };
		const struct run_finder f = run_find_of(&run);
		const size_t n = fill_runs(of, run.n + 3);
		const size_t from = randombytes_uniform((uint32_t)n);
		const size_t to = from + randombytes_uniform((uint32_t)(n - from) + 1);
		unsigned char *p = malloc(n);
		size_t want = first_run(&run, from, to);

		/* No byte that is not of the text is looked at. */
		cr_assert_not_null(p);
		memcpy(p, text, n);
		cr_assert_eq(run_find_plain(&f, p, from, to), want);
		cr_assert_eq(run_find(&f, p, n, from, to), want, "%u in %zu to %zu",
		             run.n, from, to);
		free(p);
	}
}

/* What a match may begin with is found as in plain C, and nothing behind the text is
 * looked at. */
Test(runs, what_a_match_opens_with)
{
	const struct bytes sets[] = {
		rule_set_of[RULE_ALNUM],
		{ { 1, 0, 0xff00ff0000000001, 0x8000000000000000 } },
		{ { UINT64_C(0x800000000400), 0x7e0000007e, 0, 0 } },
		{ { 0 } },
	};
	unsigned found = 0;

	for (unsigned round = 0; round < 20000; round++) {
		const struct opening o = { sets[round % 4], sets[round / 4 % 4],
			                   round % 3 == 0 };
		const struct open_finder f = open_find_of(&o);
		const size_t n = 1 + randombytes_uniform(300);
		const size_t first = randombytes_uniform((uint32_t)n);
		const size_t from = first + randombytes_uniform((uint32_t)(n - first));
		const size_t to = from + randombytes_uniform((uint32_t)(n - from) + 1);
		const unsigned rare = 1 + randombytes_uniform(20);
		unsigned char *p = malloc(n);
		size_t want;

		cr_assert_not_null(p);
		for (size_t i = 0; i < n; i++)
			p[i] = randombytes_uniform(rare) == 0
			               ? (unsigned char)randombytes_uniform(256)
			               : '.';
		want = open_find_plain(&f, p, n, from, to, first);
		cr_assert_eq(open_find(&f, p, n, from, to, first), want,
		             "%zu to %zu of %zu", from, to, n);
		found += want < to;
		free(p);
	}
	cr_assert(found > 300 && found < 19000, "%u", found);
}

Test(runs, where_a_match_opens)
{
	const unsigned char p[] = "a--b\n-c";
	struct opening o = { .line = false };
	struct open_finder f;

	o.one.w['-' / 64] = o.two.w['-' / 64] = UINT64_C(1) << '-';
	o.two.w['c' / 64] = UINT64_C(1) << ('c' - 64);
	f = open_find_of(&o);
	cr_assert_eq(open_find(&f, p, 7, 0, 7, 0), 1);
	cr_assert_eq(open_find(&f, p, 7, 2, 7, 0), 5);
	cr_assert_eq(open_find(&f, p, 6, 2, 6, 0), 6, "one byte alone");
	o.line = true;
	f = open_find_of(&o);
	cr_assert_eq(open_find(&f, p, 7, 0, 7, 0), 0, "here a line begins");
	cr_assert_eq(open_find(&f, p, 7, 3, 7, 3), 3, "and here, as it is said");
	cr_assert_eq(open_find(&f, p, 7, 3, 7, 2), 5);
}
