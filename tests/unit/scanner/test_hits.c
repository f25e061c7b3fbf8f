/* SPDX-License-Identifier: Apache-2.0 */
/* Anchors in spots: in place and side by side, in ascending order. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "match/stream_impl.h"

#define SIZE ((size_t)300000) /* several times what is put side by side */

static struct {
	struct rule_set rules;
	struct scan_engine *g;
	struct scan_stream *s;
	unsigned char text[SIZE];
	size_t first;       /* anchor that is in it and counts */
	struct hit *hit[2]; /* in place, and side by side */
	size_t n[2];
} t;

static void setup(void)
{
	static const struct scan_options options = { .filtered = false };
	struct err e = { 0 };

	cr_assert_eq(rules_builtin(&t.rules, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(scan_engine_new(&t.rules, &t.g, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(t.s = scan_stream_new(t.g, &options, NULL, NULL));
}

static void teardown(void)
{
	for (unsigned k = 0; k < 2; k++)
		free(t.hit[k]);
	scan_stream_free(t.s);
	scan_engine_free(t.g);
	rules_free(&t.rules);
}

TestSuite(hits, .init = setup, .fini = teardown, .timeout = 120);

static size_t put(size_t at, const char *s, size_t n)
{
	n = n < SIZE - at ? n : SIZE - at;
	memcpy(t.text + at, s, n);
	return at + n;
}

/* Anchors ${first} to ${end}, one in three of them alone, on lines that are ${most} bytes
 * long or longer. */
static void fill(size_t first, size_t end, unsigned most)
{
	char run[64];
	size_t at = 0, line = 0;

	t.first = first;
	while (at < SIZE) {
		const size_t one = first + randombytes_uniform((uint32_t)(end - first));
		const struct literal *l = &t.g->literals[one];
		const size_t n = 10 + randombytes_uniform(sizeof(run) - 10);

		for (size_t i = 0; i < n; i++)
			run[i] = "0123456789abcdefABC"[randombytes_uniform(19)];
		at = put(at, l->text, l->n);
		at = put(at, run, randombytes_uniform(3) ? n : 0);
		at = put(at, "  ", 1 + randombytes_uniform(2));
		if (at - line > most) {
			at = put(at, "\n", 1);
			line = at;
		}
	}
	/* Of what a text ends with, it is not known what follows. */
	memset(t.text + SIZE - sizeof(run), ' ', sizeof(run));
}

/* All of the zone ${from} to ${to}, as number ${k}. */
static void find(unsigned k, size_t from, size_t to)
{
	const struct text text = { .p = t.text, .n = SIZE, .from = from, .to = to };
	const struct hit *h;
	size_t at = 0;

	spots_find(t.s->spots, t.g, t.s->trigger_scratch, &text,
	           &t.s->hits[ANCHOR_ANYWHERE]);
	hits_find(t.s, &text);
	t.n[k] = 0;
	t.hit[k] = realloc(t.hit[k], SIZE * sizeof(*t.hit[k]));
	cr_assert_not_null(t.hit[k]);
	while ((h = hits_next(t.s)) != NULL) {
		cr_assert_geq(h->at, at, "in ascending order");
		cr_assert(h->at > from && h->at <= to);
		at = h->at;
		t.hit[k][t.n[k]] = *h;
		t.n[k] += h->id >= t.first;
	}
	cr_assert_not(t.s->failed);
}

/* Here lists are searched by what has to be given spots side by side. */
static void look_side_by_side(struct literals *own[SPOT_KINDS])
{
	struct err e = { 0 };

	for (unsigned k = 0; k < SPOT_KINDS; k++) {
		size_t n;
		const struct literal *list = literals_list(t.g->anchors[k], &n);

		own[k] = t.g->anchors[k];
		cr_assert_eq(literals_new(list, n, LITERALS_AUTOMATON, &t.g->anchors[k],
		                          &e),
		             ERR_OK);
	}
}

static void look_in_place(struct literals *own[SPOT_KINDS])
{
	for (unsigned k = 0; k < SPOT_KINDS; k++) {
		literals_free(t.g->anchors[k]);
		t.g->anchors[k] = own[k];
	}
}

static int by_place(const void *x, const void *y)
{
	const struct hit *a = x, *b = y;

	return a->at != b->at ? (a->at > b->at) - (a->at < b->at)
	                      : (a->id > b->id) - (a->id < b->id);
}

/* In place, ${most} are found that are in a spot in part. */
static void compare(size_t from, size_t to, size_t most)
{
	struct literals *own[SPOT_KINDS];
	size_t missed = 0;

	find(0, from, to);
	look_side_by_side(own);
	find(1, from, to);
	look_in_place(own);
	qsort(t.hit[0], t.n[0], sizeof(*t.hit[0]), by_place);
	cr_assert_gt(t.n[1], (to - from) / 200);
	for (size_t i = 0; i < t.n[1]; i++)
		missed += bsearch(&t.hit[1][i], t.hit[0], t.n[0], sizeof(*t.hit[0]),
		                  by_place) == NULL;
	cr_assert_eq(missed, 0);
	cr_assert_leq(t.n[0], t.n[1] + most);
}

Test(hits, of_lines)
{
	for (unsigned round = 0; round < 5; round++) {
		const size_t from = randombytes_uniform(SIZE / 2);

		fill(0, t.g->n, 50 + randombytes_uniform(500));
		compare(0, SIZE, SIZE / 200);
		compare(from, from + 1000 + randombytes_uniform(SIZE / 3), SIZE / 200);
	}
}

/* Spots that are longer than what is put side by side. */
Test(hits, of_long_lines)
{
	for (unsigned round = 0; round < 12; round++) {
		fill(t.g->first_of[ANCHOR_IN_RUN], t.g->first_of[ANCHOR_IN_RUN + 1],
		     250000);
		compare(0, SIZE, 0);
	}
}
