/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

#include "keymem.h"
#include "rng.h"
#include "server/core/seal/shamir.h"

static void setup(void)
{
	struct err e;

	cr_assert(sodium_init() >= 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK);
}

TestSuite(shamir, .init = setup, .timeout = 120);

/* Written the other way round: multiply as polynomials, then divide. */
static uint8_t reference_mul(uint8_t a, uint8_t b)
{
	unsigned p = 0;

	for (int i = 0; i < 8; i++)
		if (b >> i & 1)
			p ^= (unsigned)a << i;
	for (int i = 14; i >= 8; i--)
		if (p >> i & 1)
			p ^= 0x11bu << (i - 8);
	return (uint8_t)p;
}

Test(shamir, all_products_and_inverses)
{
	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++)
			cr_assert_eq(shamir_mul((uint8_t)a, (uint8_t)b),
			             reference_mul((uint8_t)a, (uint8_t)b), "%d * %d", a,
			             b);
	cr_assert_eq(shamir_inv(0), 0);
	for (int a = 1; a < 256; a++)
		cr_assert_eq(shamir_mul((uint8_t)a, shamir_inv((uint8_t)a)), 1, "1 / %d",
		             a);
}

static uint32_t below(uint32_t n)
{
	return randombytes_uniform(n);
}

/* Any ${t} shares in any order. */
static void pick(uint8_t (*y)[SHAMIR_SECRET], int n, int t, uint8_t *x,
                 uint8_t (*chosen)[SHAMIR_SECRET])
{
	int order[255];

	for (int i = 0; i < n; i++)
		order[i] = i;
	for (int i = 0; i < t; i++) {
		int j = i + (int)below((uint32_t)(n - i)), k = order[j];

		order[j] = order[i];
		order[i] = k;
		x[i] = (uint8_t)(k + 1);
		memcpy(chosen[i], y[k], SHAMIR_SECRET);
	}
}

static int round_trip(int n, int t, int used)
{
	uint8_t secret[SHAMIR_SECRET], y[255][SHAMIR_SECRET], chosen[255][SHAMIR_SECRET];
	uint8_t x[255], out[SHAMIR_SECRET];
	struct err e;

	rng_bytes(secret, sizeof(secret));
	cr_assert_eq(shamir_split(secret, n, t, y, &e), ERR_OK, "%s", e.msg);
	pick(y, n, used, x, chosen);
	cr_assert_eq(
		shamir_combine(x, (const uint8_t(*)[SHAMIR_SECRET])chosen, used, out), 0);
	return memcmp(secret, out, sizeof(out)) == 0;
}

Test(shamir, twenty_thousand_three_of_five)
{
	for (int i = 0; i < 20000; i++)
		cr_assert(round_trip(5, 3, 3), "round %d", i);
}

Test(shamir, other_shapes)
{
	static const int shape[][2] = {
		{1,    1  },
                { 2,   2  },
                { 3,   2  },
                { 16,  16 },
		{ 255, 2  },
                { 255, 7  },
                { 255, 255}
	};

	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++)
		cr_assert(round_trip(shape[i][0], shape[i][1], shape[i][1]), "%d of %d",
		          shape[i][1], shape[i][0]);
}

Test(shamir, one_share_too_few_is_not_enough)
{
	for (int i = 0; i < 1000; i++)
		cr_assert_not(round_trip(5, 3, 2), "round %d", i);
}

Test(shamir, refuses_index_zero_and_repeated_shares)
{
	uint8_t y[3][SHAMIR_SECRET] = { { 0 } }, out[SHAMIR_SECRET];

	cr_assert_eq(shamir_combine((const uint8_t[]){ 1, 0, 3 },
	                            (const uint8_t(*)[SHAMIR_SECRET])y, 3, out),
	             -1);
	cr_assert_eq(shamir_combine((const uint8_t[]){ 2, 1, 2 },
	                            (const uint8_t(*)[SHAMIR_SECRET])y, 3, out),
	             -1);
}

Test(shamir, refuses_impossible_counts)
{
	static const int bad[][2] = {
		{0,    0 },
                { 3,   0 },
                { 2,   3 },
                { 256, 2 },
                { -1,  -1}
	};
	uint8_t secret[SHAMIR_SECRET] = { 0 }, y[3][SHAMIR_SECRET];
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(shamir_split(secret, bad[i][0], bad[i][1], y, &e),
		             ERR_INVALID);
}

/* With t = 2 a share is secret + a1 * x: a1 must take every value, 0 included, equally
 * often: never giving 0 would leak a little with every split. */
Test(shamir, top_coefficient_is_uniform)
{
	uint8_t secret[SHAMIR_SECRET] = { 0 }, y[2][SHAMIR_SECRET];
	int seen[256] = { 0 };
	struct err e;

	for (int i = 0; i < 20000; i++) {
		cr_assert_eq(shamir_split(secret, 2, 2, y, &e), ERR_OK);
		for (int b = 0; b < SHAMIR_SECRET; b++)
			seen[y[0][b]]++;
	}
	/* 640,000 samples: 2,500 of each, standard deviation 50; seven of them is never.
	 */
	for (int v = 0; v < 256; v++)
		cr_assert(seen[v] > 2150 && seen[v] < 2850, "value %d: %d times", v,
		          seen[v]);
}

#define DEGREES 5 /* a threshold of five: the secret, and four coefficients */

/* m[k][i]: what share i adds to coefficient k, by multiplying out Lagrange's basis. */
static void interpolation(uint8_t m[DEGREES][DEGREES])
{
	for (int i = 0; i < DEGREES; i++) {
		uint8_t basis[DEGREES] = { 1 }, below_line = 1;
		int degree = 0;

		for (int j = 0; j < DEGREES; j++) {
			if (j == i)
				continue;
			/* times (x - x_j) */
			degree++;
			for (int k = degree; k >= 0; k--)
				basis[k] = (uint8_t)((k > 0 ? basis[k - 1] : 0) ^
				                     reference_mul(basis[k],
				                                   (uint8_t)(j + 1)));
			below_line = reference_mul(below_line,
			                           (uint8_t)((i + 1) ^ (j + 1)));
		}
		for (int k = 0; k < DEGREES; k++)
			m[k][i] = reference_mul(basis[k], shamir_inv(below_line));
	}
}

/* A library that redraws until a coefficient is not 0 tells something with every split:
 * each must be 0 once in 256 times, the top one too. */
Test(shamir, a_million_splits_have_every_coefficient_zero_as_often_as_chance)
{
	const int splits = 1000000 / SHAMIR_SECRET;
	const double samples = (double)splits * SHAMIR_SECRET;
	const double mean = samples / 256, deviation = sqrt(mean * 255 / 256);
	uint8_t m[DEGREES][DEGREES], y[DEGREES][SHAMIR_SECRET], secret[SHAMIR_SECRET];
	int zeros[DEGREES] = { 0 };
	struct err e;

	interpolation(m);
	rng_bytes(secret, sizeof(secret));
	for (int s = 0; s < splits; s++) {
		cr_assert_eq(shamir_split(secret, DEGREES, DEGREES, y, &e), ERR_OK);
		for (int b = 0; b < SHAMIR_SECRET; b++)
			for (int k = 0; k < DEGREES; k++) {
				uint8_t c = 0;

				for (int i = 0; i < DEGREES; i++)
					c ^= shamir_mul(m[k][i], y[i][b]);
				if (k == 0)
					cr_assert_eq(c, secret[b]);
				zeros[k] += c == 0;
			}
	}
	for (int k = 1; k < DEGREES; k++)
		cr_assert(fabs(zeros[k] - mean) < 5 * deviation,
		          "coefficient %d is 0 %d times of %.0f, not %.0f", k, zeros[k],
		          samples, mean);
}
