/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ct-token [ROUNDS [fault]]: does the time of a token's check tell how much of the token
 * was guessed?  dudect's way: guesses of two classes in random order, and Welch's t
 * between the cycles that their checks take.
 *
 *   near   the first 33 of the 43 random characters are those of a live token
 *   far    they are those of another token, which is none of ours: always the same ones,
 *          since a processor learns what it sees again, whatever that is
 *
 * Both are well formed, and refused by the same code.  With "fault" the check ends in a
 * comparison that stops at the first difference, which t must show.  Prints the largest
 * |t| over several croppings of the slowest measurements.
 */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "rng.h"
#include "storefix.h"
#include "text.h"
#include "token.h"
#include "token_impl.h"

#define PREFIX 6  /* vlt_s_ */
#define NEAR   33 /* characters that a near guess has right */
#define RANDOM 43

struct sample {
	uint32_t cycles;
	bool near;
};

static struct storefix *fix;
static struct token_made live;
static char other[TOKEN_TEXT_LEN + 1];
static volatile bool equal;

static void die(const char *what)
{
	fprintf(stderr, "ct-token: %s\n", what);
	exit(1);
}

static void make_live_token(void)
{
	struct value *policies = value_array(fix->a);
	const struct token_spec spec = {
		.display_name = "ct",
		.path = "auth/token/create",
		.policies = policies,
		.ttl_ms = 3600 * 1000,
	};

	if (storefix_begin(fix) != ERR_OK ||
	    token_create(&fix->c, fix->a, &spec, &live, &fix->e) != ERR_OK ||
	    storefix_commit(fix) != ERR_OK)
		die(fix->e.msg);
}

/* A token that checks as well formed. */
static void guess(bool near, char out[TOKEN_TEXT_LEN + 1])
{
	uint32_t crc;
	unsigned char be[4];

	token_new('s', out);
	memcpy(out, near ? live.text : other, PREFIX + NEAR);
	crc = text_crc32(out, PREFIX + RANDOM);
	for (int i = 0; i < 4; i++)
		be[i] = (unsigned char)(crc >> (24 - 8 * i));
	(void)text_base62(be, sizeof(be), out + PREFIX + RANDOM,
	                  TOKEN_TEXT_LEN - PREFIX - RANDOM);
}

static void stop_at_first_difference(const char *text)
{
	size_t i = 0;

	while (i < TOKEN_TEXT_LEN && text[i] == live.text[i])
		i++;
	equal = i == TOKEN_TEXT_LEN;
}

static uint32_t measure(const char *text, bool fault)
{
	struct store_object o;
	unsigned aux;
	uint64_t start, end;
	int rc;

	arena_reset(fix->a);
	_mm_lfence();
	start = __rdtsc();
	_mm_lfence();
	rc = token_find(&fix->c, fix->a, text, &o, &fix->e);
	if (fault)
		stop_at_first_difference(text);
	end = __rdtscp(&aux);
	if (rc != ERR_NOENT)
		die("a guess is not refused");
	return end - start < UINT32_MAX ? (uint32_t)(end - start) : UINT32_MAX;
}

static int by_cycles(const void *a, const void *b)
{
	uint32_t x = ((const struct sample *)a)->cycles;
	uint32_t y = ((const struct sample *)b)->cycles;

	return (x > y) - (x < y);
}

/* Welch's t of the first ${n}. */
static double welch(const struct sample *s, size_t n)
{
	double mean[2] = { 0 }, square[2] = { 0 }, count[2] = { 0 };

	for (size_t i = 0; i < n; i++) {
		int k = s[i].near;
		double d = s[i].cycles - mean[k];

		mean[k] += d / ++count[k];
		square[k] += d * (s[i].cycles - mean[k]);
	}
	if (count[0] < 2 || count[1] < 2)
		return 0;
	return (mean[0] - mean[1]) / sqrt(square[0] / (count[0] - 1) / count[0] +
	                                  square[1] / (count[1] - 1) / count[1]);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	bool fault = argc > 2 && strcmp(argv[2], "fault") == 0;
	struct sample *s = calloc(rounds > 0 ? rounds : 1, sizeof(*s));
	static const double kept[] = { 0.5, 0.75, 0.9, 0.95, 0.99 };
	double worst = 0;

	if (s == NULL || rounds < 1000 || sodium_init() < 0)
		die("usage: ct-token [ROUNDS [fault]]");
	fix = storefix_new();
	storefix_ready(fix);
	make_live_token();
	token_new('s', other);
	if (storefix_begin(fix) != ERR_OK)
		die(fix->e.msg);
	for (size_t i = 0; i < rounds; i++) {
		char text[TOKEN_TEXT_LEN + 1];
		unsigned char coin;

		rng_bytes(&coin, 1);
		s[i].near = coin & 1;
		guess(s[i].near, text);
		s[i].cycles = measure(text, fault);
	}
	storefix_abort(fix);
	qsort(s, rounds, sizeof(*s), by_cycles);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		worst = fmax(worst, fabs(welch(s, (size_t)((double)rounds * kept[i]))));
	printf("%.2f\n", worst);
	storefix_free(fix);
	free(s);
	return 0;
}
