/* SPDX-License-Identifier: Apache-2.0 */
/* Both engines against a third, which is too simple to be wrong. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "match/literals.h"

TestSuite(literals, .timeout = 120);

#define TEXTS 60
#define SIZE  3000

static char texts[TEXTS][20];
static const char *list[TEXTS];
static unsigned char text[SIZE + 1];

/* A sum over all occurrences in which their order does not matter. */
static void count(void *ctx, unsigned id, size_t end)
{
	*(uint64_t *)ctx += (uint64_t)(id + 1) * 1000003u * (end + 7) + 1;
}

static uint64_t by_hand(size_t n)
{
	uint64_t sum = 0;
	size_t len;

	for (unsigned i = 0; i < TEXTS; i++)
		for (size_t at = 0; at + (len = strlen(list[i])) <= n; at++) {
			size_t k = 0;

			while (k < len && tolower(text[at + k]) == list[i][k])
				k++;
			if (k == len)
				count(&sum, i, at + len);
		}
	return sum;
}

static uint64_t by_engine(enum literals_engine engine, size_t n)
{
	struct err e = { 0 };
	struct literals *l;
	struct literals_scratch *s;
	uint64_t sum = 0;

	cr_assert_eq(literals_new(list, TEXTS, engine, &l, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(s = literals_scratch_new(l));
	literals_find(l, s, text, n, count, &sum);
	literals_scratch_free(s);
	literals_free(l);
	return sum;
}

/* Few letters, so that texts overlap, end in one another and occur often. */
static void fill(unsigned letters)
{
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t n = 2 + randombytes_uniform(10);

		for (size_t k = 0; k < n; k++)
			texts[i][k] = (char)('a' + randombytes_uniform(letters));
		texts[i][n] = '\0';
		list[i] = texts[i];
	}
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (unsigned char)((randombytes_uniform(2) ? 'a' : 'A') +
		                          randombytes_uniform(letters));
}

Test(literals, both_engines_find_all)
{
	for (int round = 0; round < 40; round++) {
		size_t n = randombytes_uniform(SIZE);

		fill(2 + randombytes_uniform(8));
		/* Vectorscan tells a text that is in the list twice once for each. */
		cr_assert_eq(by_engine(LITERALS_AUTOMATON, n), by_hand(n));
		cr_assert_eq(by_engine(LITERALS_VECTOR, n), by_hand(n));
	}
}

Test(literals, any_bytes)
{
	fill(26);
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (unsigned char)randombytes_uniform(256);
	memcpy(text + 100, texts[3], strlen(texts[3]));
	cr_assert_eq(by_engine(LITERALS_AUTOMATON, SIZE), by_hand(SIZE));
	cr_assert_eq(by_engine(LITERALS_VECTOR, SIZE), by_hand(SIZE));
	cr_assert_neq(by_hand(SIZE), 0);
}
