/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "agent/backoff.h"
#include "util.h"

#define HOUR 3600000ll

TestSuite(backoff, .timeout = 20);

Test(backoff, waits_longer_each_time_up_to_a_minute)
{
	static const int64_t most[] = {
		1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000
	};

	for (unsigned i = 0; i < ARRAY_LEN(most); i++) {
		cr_assert_eq(backoff_delay(i, UINT32_MAX), most[i], "attempt %u: %lld", i,
		             (long long)backoff_delay(i, UINT32_MAX));
		cr_assert_eq(backoff_delay(i, 0), 500);
	}
	cr_assert_eq(backoff_delay(4000000000u, UINT32_MAX), 60000);
}

Test(backoff, spreads_all_hosts_that_lost_a_server)
{
	cr_assert_eq(backoff_lost(0), 0);
	cr_assert_eq(backoff_lost(UINT32_MAX), 10000);
}

Test(backoff, spreads_evenly)
{
	int64_t mid = backoff_delay(6, UINT32_MAX / 2);

	cr_assert(mid > 30000 && mid < 30500, "%lld", (long long)mid);
}

Test(backoff, renews_between_60_and_80_percent)
{
	cr_assert_eq(backoff_renew_at(1000, 24 * HOUR, 0), 1000 + 24 * HOUR / 5 * 3);
	cr_assert_eq(backoff_renew_at(1000, 24 * HOUR, UINT32_MAX),
	             1000 + 24 * HOUR / 5 * 4);
	cr_assert_eq(backoff_renew_at(0, 10000, UINT32_MAX / 2), 6999);
}

Test(backoff, retries_a_renewal_within_5_percent_or_30_seconds)
{
	cr_assert_eq(backoff_renew_retry(10000, UINT32_MAX), 500);
	cr_assert_eq(backoff_renew_retry(24 * HOUR, UINT32_MAX), 30000);
	cr_assert_eq(backoff_renew_retry(24 * HOUR, 0), 50);
	cr_assert_eq(backoff_renew_retry(0, UINT32_MAX), 50);
}

Test(backoff, gives_a_renewal_up_at_95_percent)
{
	cr_assert_eq(backoff_renew_hopeless(100, 1000), 100 + 950);
}

Test(backoff, spreads_over_10_percent_or_a_minute)
{
	cr_assert_eq(backoff_spread(10000, UINT32_MAX), 1000);
	cr_assert_eq(backoff_spread(24 * HOUR, UINT32_MAX), 60000);
	cr_assert_eq(backoff_spread(24 * HOUR, 0), 0);
}

Test(backoff, lets_renewals_go_along_with_others)
{
	cr_assert_eq(backoff_renew_slack(10000), 1000);
	cr_assert_eq(backoff_renew_slack(24 * HOUR), 60000);
	cr_assert_eq(backoff_renew_early(10000), 1000);
	cr_assert_eq(backoff_renew_early(24 * HOUR), 24 * HOUR / 20);
	/* The latest is before it is given up. */
	for (int64_t ttl = 1000; ttl < 48 * HOUR; ttl = ttl * 3 / 2)
		cr_assert_lt(backoff_renew_at(0, ttl, UINT32_MAX) +
		                     backoff_renew_slack(ttl),
		             backoff_renew_hopeless(0, ttl));
}

Test(backoff, survives_absurd_times)
{
	cr_assert_geq(backoff_renew_at(0, INT64_MAX, UINT32_MAX), INT64_MAX / 5 * 3);
	cr_assert_eq(backoff_renew_retry(-5, UINT32_MAX), 50);
}
