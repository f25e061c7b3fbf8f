/* SPDX-License-Identifier: Apache-2.0 */
/* The sieve, with vector instructions and without, against comparing at each byte. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "match/buckets.h"
#include "match/sieve.h"

TestSuite(sieve, .timeout = 120);

#define TEXTS 200
#define SIZE  9000 /* more than two chunks */

static char texts[TEXTS][24];
static struct literal list[TEXTS];
static unsigned char text[SIZE];

/* A sum over all occurrences in which their order does not matter. */
static void count(void *ctx, unsigned id, size_t end)
{
	*(uint64_t *)ctx += (uint64_t)(id + 1) * 1000003u * (end + 7) + 1;
}

static bool begins(const struct literal *l, const unsigned char *p)
{
	for (size_t k = 0; k < l->n; k++)
		if ((l->exact ? p[k] : tolower(p[k])) != (unsigned char)l->text[k])
			return false;
	return true;
}

static uint64_t by_hand(size_t texts_n, const unsigned char *p, size_t n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < texts_n; i++)
		for (size_t at = 0; at + list[i].n <= n; at++)
			if (begins(&list[i], p + at))
				count(&sum, i, at + list[i].n);
	return sum;
}

static struct sieve *sieve_of(size_t n)
{
	struct err e = { 0 };
	struct sieve *s = NULL;

	cr_assert(sieve_fits(list, n));
	cr_assert_eq(sieve_new(list, n, &s, &e), ERR_OK, "%s", e.msg);
	return s;
}

/* ${n} bytes from ${p}, anywhere, and nothing after them, so that it shows if more are
 * read. */
static void compare(const struct sieve *s, uint64_t wanted, const unsigned char *p,
                    size_t n)
{
	const size_t before = randombytes_uniform(64);
	unsigned char *room = malloc(before + n + (before + n == 0));
	uint64_t fast = 0, plain = 0;

	cr_assert_not_null(room);
	memcpy(room + before, p, n);
	sieve_find(s, room + before, n, count, &fast);
	sieve_find_plain(s, room + before, n, count, &plain);
	free(room);
	cr_assert_eq(plain, wanted, "%zu bytes", n);
	cr_assert_eq(fast, wanted, "%zu bytes", n);
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
	static const size_t sizes[] = { 3, 4, 8, 63, 64, 65, 76, 77, 78, 141, 200, 4200 };
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
			uint64_t fast = 0, plain = 0;
			uint64_t wanted;

			memcpy(text, texts[0], 20);
			wanted = by_hand(30, text + at, n);
			sieve_find(s, text + at, n, count, &fast);
			sieve_find_plain(s, text + at, n, count, &plain);
			cr_assert_eq(fast, wanted, "from %zu on", at);
			cr_assert_eq(plain, wanted, "from %zu on", at);
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

/* Windows are what is seldom in text, not what is of seldom bytes; and not what another
 * one begins with, too. */
Test(sieve, windows_are_chosen_by_what_is_seldom)
{
	static const char *const of[] = { "ringnir", "quiz", "quizy" };
	struct err e = { 0 };
	struct buckets chosen;
	uint16_t windows[3];

	for (unsigned i = 0; i < 3; i++)
		list[i] = (struct literal){ .text = of[i], .n = (uint16_t)strlen(of[i]) };
	for (unsigned rounds = 0; rounds < 3; rounds++) {
		cr_assert_eq(buckets_choose(list, 3, rounds, windows, &chosen, &e),
		             ERR_OK);
		cr_assert_neq(windows[0], 0);
		cr_assert_neq(windows[2], 0);
		for (unsigned i = 0; i < 3; i++) {
			unsigned in = UINT16_MAX;

			for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
				in &= chosen.take[k]
				                 [(unsigned char)of[i][windows[i] + k]];
			cr_assert_neq(in, 0, "%s is in no bucket", of[i]);
		}
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
	put(7, BUCKETS_LEAST - 1, false, 10);
	cr_assert(!sieve_fits(list, TEXTS));
	/* Others are found all the same. */
	cr_assert_eq(by_literals(LITERALS_UNORDERED), by_hand(TEXTS, text, SIZE));
}

Test(sieve, by_the_interface_of_literals)
{
	fill(TEXTS, 20);
	cr_assert_eq(by_literals(LITERALS_UNORDERED), by_hand(TEXTS, text, SIZE));
	cr_assert_eq(by_literals(LITERALS_SIEVE), by_hand(TEXTS, text, SIZE));
}
