/* SPDX-License-Identifier: Apache-2.0 */
/* The sieve, with vector instructions and without, against comparing at each byte. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "match/buckets.h"
#include "match/sieve.h"

TestSuite(sieve, .timeout = 120);

#define TEXTS 200
#define SIZE  9000 /* more than two chunks */

static char texts[TEXTS][24];
static struct literal list[TEXTS];
static unsigned char text[SIZE];
static uint64_t marks[SIZE / LITERALS_GRAIN / 64 + 1];
/* What is searched, as far as it matters what follows, and the places that it is in. */
static const unsigned char *searched;
static size_t searched_n;
static const uint64_t *places;

static bool goes_on(const struct literal *l, size_t end)
{
	if (l->next.n > searched_n - end)
		return false;
	for (size_t k = end; k < end + l->next.n; k++)
		if (!rule_has_byte(&l->next.of, searched[k]))
			return false;
	return true;
}

static bool is_marked(const uint64_t *in, size_t at)
{
	const size_t grain = at / LITERALS_GRAIN;

	return in == NULL || (in[grain / 64] >> grain % 64 & 1);
}

static bool all_marked(const uint64_t *in, size_t from, size_t to)
{
	while (from < to && is_marked(in, from))
		from++;
	return from == to;
}

/* A sum over all occurrences in which their order does not matter. */
static void count(void *ctx, unsigned id, size_t end)
{
	if (goes_on(&list[id], end) && all_marked(places, end - list[id].n, end))
		*(uint64_t *)ctx += (uint64_t)(id + 1) * 1000003u * (end + 7) + 1;
}

static bool begins(const struct literal *l, const unsigned char *p)
{
	for (size_t k = 0; k < l->n; k++)
		if ((l->exact ? p[k] : tolower(p[k])) != (unsigned char)l->text[k])
			return false;
	return true;
}

static uint64_t by_hand_in(const uint64_t *in, size_t texts_n, const unsigned char *p,
                           size_t n)
{
	uint64_t sum = 0;

	searched = p;
	searched_n = n;
	places = in;
	for (unsigned i = 0; i < texts_n; i++)
		for (size_t at = 0; at + list[i].n <= n; at++)
			if (begins(&list[i], p + at))
				count(&sum, i, at + list[i].n);
	return sum;
}

static uint64_t by_hand(size_t texts_n, const unsigned char *p, size_t n)
{
	return by_hand_in(NULL, texts_n, p, n);
}

/* Its buckets are chosen for one kind of processor or the other. */
static struct sieve *sieve_of(size_t n)
{
	const enum cpu best = cpu_best();
	struct err e = { 0 };
	struct sieve *s = NULL;

	cr_assert(sieve_fits(list, n));
	cpu_limit(randombytes_uniform(2) ? CPU_AVX2 : best);
	cr_assert_eq(sieve_new(list, n, &s, &e), ERR_OK, "%s", e.msg);
	cpu_limit(best);
	return s;
}

/* With what each kind of processor has. */
static void find_all_ways(const struct sieve *s, const uint64_t *in, uint64_t wanted,
                          const unsigned char *p, size_t n)
{
	const enum cpu best = cpu_best();

	searched = p;
	searched_n = n;
	places = in;
	for (enum cpu way = CPU_PLAIN; way <= best; way++) {
		uint64_t sum = 0;

		cpu_limit(way);
		sieve_find(s, p, n, in, count, &sum);
		cr_expect_eq(sum, wanted, "%zu bytes, %s", n, cpu_name(way));
	}
	cpu_limit(best);
}

/* ${n} bytes from ${p}, anywhere, and nothing after them, so that it shows if more are
 * read. */
static void compare_in(const struct sieve *s, const uint64_t *in, uint64_t wanted,
                       const unsigned char *p, size_t n)
{
	const size_t before = randombytes_uniform(64);
	unsigned char *room = malloc(before + n + (before + n == 0));

	cr_assert_not_null(room);
	memcpy(room + before, p, n);
	find_all_ways(s, in, wanted, room + before, n);
	free(room);
}

static void compare(const struct sieve *s, uint64_t wanted, const unsigned char *p,
                    size_t n)
{
	compare_in(s, NULL, wanted, p, n);
}

static void put(unsigned i, size_t n, bool exact, unsigned letters)
{
	for (size_t k = 0; k < n; k++)
		texts[i][k] = (char)((exact && randombytes_uniform(2) ? 'A' : 'a') +
		                     (int)randombytes_uniform(letters));
	texts[i][n] = '\0';
	list[i] = (struct literal){ .text = texts[i], .n = (uint16_t)n, .exact = exact };
}

/* Few letters, so that texts overlap, end in one another and occur often. */
static void fill(size_t texts_n, unsigned letters)
{
	for (unsigned i = 0; i < texts_n; i++)
		put(i, BUCKETS_LEAST + randombytes_uniform(18),
		    randombytes_uniform(3) == 0, letters);
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (unsigned char)((randombytes_uniform(2) ? 'a' : 'A') +
		                          (int)randombytes_uniform(letters));
}

Test(sieve, finds_all)
{
	for (int round = 0; round < 60; round++) {
		const size_t texts_n = 1 + randombytes_uniform(TEXTS);
		const size_t n = randombytes_uniform(SIZE + 1);
		struct sieve *s;

		fill(texts_n, 2 + randombytes_uniform(25));
		s = sieve_of(texts_n);
		compare(s, by_hand(texts_n, text, n), text, n);
		sieve_free(s);
	}
}

/* Whatever lies in places that are marked. */
Test(sieve, in_some_places)
{
	for (int round = 0; round < 60; round++) {
		const size_t texts_n = 1 + randombytes_uniform(TEXTS);
		const size_t n = randombytes_uniform(SIZE + 1);
		struct sieve *s;

		fill(texts_n, 2 + randombytes_uniform(25));
		randombytes_buf(marks, sizeof(marks));
		for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
			marks[i] &= randombytes_uniform(3) ? marks[i] << 5 & marks[i] << 9
			                                   : marks[i];
		s = sieve_of(texts_n);
		compare_in(s, marks, by_hand_in(marks, texts_n, text, n), text, n);
		memset(marks, 0, sizeof(marks));
		compare_in(s, marks, 0, text, n);
		memset(marks, 0xff, sizeof(marks));
		compare_in(s, marks, by_hand(texts_n, text, n), text, n);
		sieve_free(s);
	}
}

/* More candidates, and more text, than are looked at together. */
Test(sieve, in_much_text)
{
	static unsigned char much[300000];
	static uint64_t all[sizeof(much) / LITERALS_GRAIN / 64 + 1];
	struct sieve *s;

	for (unsigned letters = 1; letters <= 20; letters += 19) {
		fill(20, 20);
		put(0, 3, false, 1);
		for (size_t i = 0; i < sizeof(much); i++)
			much[i] = (unsigned char)('a' + randombytes_uniform(letters));
		randombytes_buf(all, sizeof(all));
		s = sieve_of(20);
		compare_in(s, all, by_hand_in(all, 20, much, sizeof(much)), much,
		           sizeof(much));
		sieve_free(s);
	}
}

/* One text, again and again, so far from each other that all numbers that there are room
 * for are used up before the room is. */
Test(sieve, in_text_with_few)
{
	static unsigned char few[300000];
	static uint64_t all[sizeof(few) / LITERALS_GRAIN / 64 + 1];
	struct sieve *s;

	fill(20, 26);
	put(0, 8, false, 26);
	memset(few, '.', sizeof(few));
	for (size_t at = 0; at + 8 <= sizeof(few); at += 90)
		memcpy(few + at, texts[0], 8);
	memset(all, 0xff, sizeof(all));
	s = sieve_of(20);
	compare_in(s, all, by_hand_in(all, 20, few, sizeof(few)), few, sizeof(few));
	sieve_free(s);
}

/* Two bytes will do if it is known what follows them. */
Test(sieve, what_is_followed)
{
	for (int round = 0; round < 40; round++) {
		struct sieve *s;

		fill(TEXTS, 2 + randombytes_uniform(25));
		for (unsigned i = 0; i < TEXTS; i += 1 + randombytes_uniform(9)) {
			put(i, BUCKETS_BARE + randombytes_uniform(3), i % 2 == 0, 10);
			list[i].next.n = 1 + randombytes_uniform(20);
			randombytes_buf(&list[i].next.of, sizeof(list[i].next.of));
			list[i].next.of.w[0] &= ~UINT64_C(1);
		}
		for (size_t i = 0; i < SIZE; i += 1 + randombytes_uniform(9))
			text[i] = (unsigned char)randombytes_uniform(256);
		s = sieve_of(TEXTS);
		compare(s, by_hand(TEXTS, text, SIZE), text, SIZE);
		sieve_free(s);
	}
}

/* What is beside letters is not taken for their other case: '@' is no '`'. */
Test(sieve, any_bytes)
{
	struct sieve *s;

	for (int round = 0; round < 20; round++) {
		for (unsigned i = 0; i < TEXTS; i++) {
			const size_t n = 3 + randombytes_uniform(3);

			put(i, n, i % 2 == 0, 26);
			for (size_t k = 0; k < n; k++)
				texts[i][k] = (char)tolower(
					(int)(1 + randombytes_uniform(255)));
		}
		randombytes_buf(text, sizeof(text));
		for (size_t at = 0; at + 40 < SIZE; at += 40) {
			const unsigned i = randombytes_uniform(TEXTS);

			memcpy(text + at, texts[i], list[i].n);
			text[at + randombytes_uniform(list[i].n)] ^=
				randombytes_uniform(2) ? 0x20 : 0x80;
			memcpy(text + at + 20, texts[i], list[i].n);
		}
		s = sieve_of(TEXTS);
		compare(s, by_hand(TEXTS, text, SIZE), text, SIZE);
		sieve_free(s);
	}
}

/* One text at every place around the ends of blocks, chunks and the whole. */
Test(sieve, every_place)
{
	static const size_t sizes[] = { 3,  4,  8,  63,  64,  65,  67,
		                        76, 77, 78, 131, 141, 200, 4200 };
	struct sieve *s;

	fill(20, 26);
	put(20, 3, false, 26);
	put(21, 20, false, 26);
	s = sieve_of(22);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++)
		for (size_t at = sizes[k] > 300 ? 3900 : 0; at < sizes[k]; at++)
			for (unsigned i = 20; i < 22; i++) {
				const size_t left = sizes[k] - at;
				uint64_t sum = 0;

				memset(text, '.', sizes[k]);
				memcpy(text + at, texts[i],
				       list[i].n < left ? list[i].n : left);
				for (unsigned t = 0; t < 22 && list[i].n <= left; t++)
					for (size_t b = at;
					     b + list[t].n <= at + list[i].n; b++)
						if (begins(&list[t], text + b))
							count(&sum, t, b + list[t].n);
				compare(s, sum, text, sizes[k]);
			}
	sieve_free(s);
}

/* What is before a text is not of it, even if it is there. */
static void begins_before(bool rare)
{
	struct sieve *s;

	fill(30, 26);
	put(0, 20, false, 26);
	/* A window that is far from the beginning. */
	if (rare)
		memcpy(texts[0], "eeeeeeeeeeeeeeeeqzjx", 20);
	s = sieve_of(30);
	for (size_t at = 1; at < 20; at++)
		for (size_t n = 100; n <= 200; n += 100) {
			memcpy(text, texts[0], 20);
			find_all_ways(s, NULL, by_hand(30, text + at, n), text + at, n);
		}
	sieve_free(s);
}

Test(sieve, begins_before)
{
	begins_before(false);
	begins_before(true);
}

/* Text of nothing but hits, or of what differs in its last byte alone. */
Test(sieve, hostile_text)
{
	struct sieve *s;

	for (unsigned i = 0; i < 40; i++) {
		memset(texts[i], 'a', 20);
		texts[i][3 + i % 18] = '\0';
		list[i] = (struct literal){ .text = texts[i],
			                    .n = (uint16_t)(3 + i % 18) };
	}
	s = sieve_of(40);
	memset(text, 'A', SIZE);
	compare(s, by_hand(40, text, SIZE), text, SIZE);
	for (size_t i = 0; i < SIZE; i += 3)
		text[i] = 'b';
	compare(s, 0, text, SIZE);
	sieve_free(s);
}

/* The buckets that take all bytes of a text, from ${at} on. */
static unsigned taken(const struct buckets *b, const char *of, size_t at)
{
	unsigned in = UINT16_MAX;

	for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
		in &= b->take[k][(unsigned char)of[at + k]];
	return in;
}

/* A byte with a lower half of some byte that a bucket takes, and an upper half of one, is
 * taken, too. */
static void takes_by_halves(const struct buckets *b)
{
	for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
		for (unsigned c = 0; c < BUCKETS_BYTES; c++) {
			unsigned lower = 0, upper = 0;

			for (unsigned o = 0; o < BUCKETS_BYTES; o++) {
				lower |= o % 16 == c % 16 ? b->take[k][o] : 0u;
				upper |= o / 8 == c / 8 ? b->take[k][o] : 0u;
			}
			cr_assert_eq(b->take[k][c], lower & upper, "%02x at %u", c, k);
		}
}

/* Windows are what is seldom in text, not what is of seldom bytes; and not what another
 * one begins with, too. */
Test(sieve, windows_are_chosen_by_what_is_seldom)
{
	static const char *const of[] = { "ringnir", "quiz", "quizy" };
	struct buckets chosen;
	uint16_t windows[3];

	for (unsigned i = 0; i < 3; i++)
		list[i] = (struct literal){ .text = of[i], .n = (uint16_t)strlen(of[i]) };
	for (unsigned by = BUCKETS_BY_BYTE; by <= BUCKETS_BY_HALVES; by++)
		for (unsigned rounds = 0; rounds < 3; rounds++) {
			cr_assert_eq(buckets_choose((enum buckets_by)by, list, 3, rounds,
			                            windows, &chosen),
			             ERR_OK);
			cr_assert_neq(windows[0], 0);
			cr_assert_neq(windows[2], 0);
			for (unsigned i = 0; i < 3; i++)
				cr_assert_neq(taken(&chosen, of[i], windows[i]), 0,
				              "%s is in no bucket", of[i]);
		}
}

Test(sieve, halves_of_bytes_tell_what_a_bucket_takes)
{
	struct buckets chosen;
	uint16_t windows[TEXTS];

	fill(TEXTS, 26);
	for (unsigned rounds = 0; rounds < 3; rounds++) {
		cr_assert_eq(buckets_choose(BUCKETS_BY_HALVES, list, TEXTS, rounds,
		                            windows, &chosen),
		             ERR_OK);
		takes_by_halves(&chosen);
		for (unsigned i = 0; i < TEXTS; i++)
			cr_assert_neq(taken(&chosen, texts[i], windows[i]), 0);
	}
}

/* The sum of what literals.h finds in all of the text. */
static uint64_t by_literals(enum literals_engine engine)
{
	struct literals *l = NULL;
	struct literals_scratch *scratch;
	struct err e = { 0 };
	uint64_t sum = 0;

	cr_assert_eq(literals_new(list, TEXTS, engine, &l, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(scratch = literals_scratch_new(l));
	literals_find(l, scratch, text, SIZE, count, &sum);
	literals_scratch_free(scratch);
	literals_free(l);
	return sum;
}

Test(sieve, only_for_some_texts)
{
	fill(TEXTS, 10);
	cr_assert(!sieve_fits(list, 0));
	cr_assert(sieve_fits(list, TEXTS));
	put(7, BUCKETS_BARE, false, 10);
	cr_assert(!sieve_fits(list, TEXTS), "followed by nothing");
	memset(&list[7].next.of, 0xff, sizeof(list[7].next.of));
	list[7].next.n = 1;
	cr_assert(sieve_fits(list, TEXTS));
	list[7].next.n = 0;
	/* Others are found all the same. */
	cr_assert_eq(by_literals(LITERALS_UNORDERED), by_hand(TEXTS, text, SIZE));
}

Test(sieve, by_the_interface_of_literals)
{
	fill(TEXTS, 20);
	cr_assert_eq(by_literals(LITERALS_UNORDERED), by_hand(TEXTS, text, SIZE));
	cr_assert_eq(by_literals(LITERALS_SIEVE), by_hand(TEXTS, text, SIZE));
}
