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
static struct literal list[TEXTS];
static unsigned char text[SIZE + 1];

/* A sum over all occurrences in which their order does not matter. */
static void count(void *ctx, unsigned id, size_t end)
{
	*(uint64_t *)ctx += (uint64_t)(id + 1) * 1000003u * (end + 7) + 1;
}

static void count_followed(void *ctx, unsigned id, size_t end)
{
	if (literal_followed(&list[id], text, SIZE, end))
		count(ctx, id, end);
}

static bool begins(const struct literal *l, const unsigned char *p)
{
	for (size_t k = 0; k < l->n; k++)
		if ((l->exact ? p[k] : tolower(p[k])) != l->text[k])
			return false;
	return true;
}

static bool goes_on(const struct literal *l, size_t end)
{
	for (size_t k = end; k < end + l->next.n && k < SIZE; k++)
		if (!rule_has_byte(&l->next.of, text[k]))
			return false;
	return true;
}

static uint64_t by_hand(size_t n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < TEXTS; i++)
		for (size_t at = 0; at + list[i].n <= n; at++)
			if (begins(&list[i], text + at) &&
			    goes_on(&list[i], at + list[i].n))
				count(&sum, i, at + list[i].n);
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
	literals_find(l, s, text, n, count_followed, &sum);
	literals_scratch_free(s);
	literals_free(l);
	return sum;
}

/* Few letters, so that texts overlap, end in one another and occur often. */
static void fill(unsigned letters)
{
	for (unsigned i = 0; i < TEXTS; i++) {
		struct literal *l = &list[i];

		*l = (struct literal){ .text = texts[i],
			               .exact = randombytes_uniform(3) == 0 };
		l->n = (uint16_t)(2 + randombytes_uniform(10));
		for (size_t k = 0; k < l->n; k++)
			texts[i][k] =
				(char)((l->exact && randombytes_uniform(2) ? 'A' : 'a') +
			               randombytes_uniform(letters));
		texts[i][l->n] = '\0';
		l->next.n = randombytes_uniform(2) ? randombytes_uniform(4) : 0;
		for (unsigned k = 0; l->next.n > 0 && k < 4; k++)
			l->next.of.w[k] = ~(UINT64_C(1) << randombytes_uniform(64));
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
	list[3].next.n = 0;
	memcpy(text + 100, texts[3], list[3].n);
	cr_assert_eq(by_engine(LITERALS_AUTOMATON, SIZE), by_hand(SIZE));
	cr_assert_eq(by_engine(LITERALS_VECTOR, SIZE), by_hand(SIZE));
	cr_assert_neq(by_hand(SIZE), 0);
}
