/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "rate.h"

#define SECOND INT64_C(1000000)

static struct rate_table *t;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	t = rate_table_new(1024);
	cr_assert_not_null(t);
}

static void teardown(void)
{
	rate_table_free(t);
}

TestSuite(rate, .init = setup, .fini = teardown, .timeout = 20);

static int64_t take(const struct rate_limit *l, const char *key, int64_t now)
{
	return rate_take(t, l, key, strlen(key), now);
}

/* How many of ${n} at one moment are let through. */
static int burst(const struct rate_limit *l, const char *key, int n, int64_t now)
{
	int ok = 0;

	for (int i = 0; i < n; i++)
		ok += take(l, key, now) == 0;
	return ok;
}

Test(rate, a_burst_and_then_the_rate)
{
	struct rate_limit l = rate_limit(10, 5);

	cr_assert_eq(burst(&l, "a", 100, 0), 5);
	cr_assert_eq(burst(&l, "a", 100, SECOND / 10), 1);
	cr_assert_eq(burst(&l, "a", 100, SECOND / 10 * 4), 3);
	cr_assert_eq(burst(&l, "a", 100, 100 * SECOND), 5, "no more than the burst");
}

Test(rate, says_when_it_would_be_let_through)
{
	struct rate_limit l = rate_limit(2, 1);
	int64_t wait;

	cr_assert_eq(take(&l, "a", 7 * SECOND), 0);
	wait = take(&l, "a", 7 * SECOND);
	cr_assert_eq(wait, SECOND / 2);
	cr_assert_neq(take(&l, "a", 7 * SECOND + wait - 1), 0);
	cr_assert_eq(take(&l, "a", 7 * SECOND + wait), 0);
	cr_assert_eq(rate_retry_after(wait), 1);
	cr_assert_eq(rate_retry_after(SECOND), 1);
	cr_assert_eq(rate_retry_after(SECOND + 1), 2);
	cr_assert_eq(rate_retry_after(INT64_MAX), 3600);
}

Test(rate, what_is_refused_costs_nothing)
{
	struct rate_limit l = rate_limit(1, 1);

	cr_assert_eq(take(&l, "a", 0), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_neq(take(&l, "a", i), 0);
	cr_assert_eq(take(&l, "a", SECOND), 0);
}

Test(rate, keys_have_buckets_of_their_own)
{
	struct rate_limit l = rate_limit(1, 3);

	cr_assert_eq(burst(&l, "a", 10, 0), 3);
	cr_assert_eq(burst(&l, "b", 10, 0), 3);
	cr_assert_eq(burst(&l, "", 10, 0), 3);
}

Test(rate, no_limit)
{
	struct rate_limit l = rate_limit(0, 5);

	cr_assert_eq(burst(&l, "a", 10000, 0), 10000);
}

Test(rate, the_least_burst_is_one)
{
	struct rate_limit l = rate_limit(5, 0);

	cr_assert_eq(burst(&l, "a", 10, 0), 1);
}

Test(rate, a_million_a_second_and_more)
{
	struct rate_limit l = rate_limit(4000000, 1000);

	cr_assert_eq(burst(&l, "a", 10000, 0), 1000);
}

/* Strangers push out whoever has almost recovered, not the one who is in debt. */
Test(rate, a_flood_of_strangers_does_not_free_the_one_who_is_limited)
{
	struct rate_limit l = rate_limit(1, 100);
	char key[32];

	cr_assert_eq(burst(&l, "greedy", 1000, 0), 100);
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "stranger %d", i);
		take(&l, key, 1);
	}
	cr_assert_neq(take(&l, "greedy", 2), 0);
}
