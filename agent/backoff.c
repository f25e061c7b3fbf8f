/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

#define RENEW_RETRY_MIN_MS 50
#define RENEW_RETRY_MAX_MS 30000
#define SPREAD_MAX_MS      60000
#define LOST_MAX_MS        10000

/* A share of n between 0 and all of it; 64 by 32 bits would overflow for a huge n. */
static int64_t part_of(int64_t n, uint32_t rnd)
{
	if (n <= 0)
		return 0;
	return n / UINT32_MAX * rnd +
	       (int64_t)((uint64_t)(n % UINT32_MAX) * rnd / UINT32_MAX);
}

static int64_t at_most(int64_t n, int64_t max)
{
	return n < max ? n : max;
}

int64_t backoff_delay(unsigned attempt, uint32_t rnd)
{
	int64_t bound = attempt < 7 ? (int64_t)(2 * BACKOFF_MIN_MS) << attempt
	                            : BACKOFF_MAX_MS;

	bound = at_most(bound, BACKOFF_MAX_MS);
	return BACKOFF_MIN_MS + part_of(bound - BACKOFF_MIN_MS, rnd);
}

int64_t backoff_lost(uint32_t rnd)
{
	return part_of(LOST_MAX_MS, rnd);
}

int64_t backoff_renew_at(int64_t issued, int64_t ttl, uint32_t rnd)
{
	return issued + ttl / 5 * 3 + part_of(ttl / 5, rnd);
}

int64_t backoff_renew_retry(int64_t ttl, uint32_t rnd)
{
	int64_t delay = part_of(at_most(ttl / 20, RENEW_RETRY_MAX_MS), rnd);

	return delay < RENEW_RETRY_MIN_MS ? RENEW_RETRY_MIN_MS : delay;
}

int64_t backoff_renew_hopeless(int64_t issued, int64_t ttl)
{
	return issued + ttl / 20 * 19;
}

int64_t backoff_renew_slack(int64_t ttl)
{
	return at_most(ttl / 10, SPREAD_MAX_MS);
}

int64_t backoff_renew_early(int64_t ttl)
{
	int64_t slack = backoff_renew_slack(ttl);

	return ttl / 20 > slack ? ttl / 20 : slack;
}

int64_t backoff_spread(int64_t ttl, uint32_t rnd)
{
	return part_of(at_most(ttl / 10, SPREAD_MAX_MS), rnd);
}
