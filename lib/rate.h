/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RATE_H
#define RATE_H
/*
 * rate - how often may one client, token or account do something?
 *
 * One limit is a token bucket, kept as the time at which the bucket would be full again
 * (GCRA), so that an entry is two words.  Keys are kept as a keyed hash: who chooses keys
 * cannot choose where they land.  The table is bounded; when a new key finds its place
 * taken, the entry goes that is nearest to a full bucket, which is the one that loses
 * least by being forgotten.  In memory only; one thread.
 */
#include <stddef.h>
#include <stdint.h>

struct rate_table;

struct rate_limit {
	int64_t cost_us;  /* what one costs in time; 0: no limit */
	int64_t burst_us; /* how far ahead of time one may be */
};

/**
 * rate_limit(per_second, burst): at most ${burst} at once and ${per_second} in the long
 * run; 0 a second is no limit.  A burst below 1 is taken for 1.
 */
struct rate_limit rate_limit(unsigned per_second, unsigned burst);

/** rate_table_new(entries): room for about so many keys; NULL if out of memory. */
struct rate_table *rate_table_new(size_t entries);
void rate_table_free(struct rate_table *t);

/**
 * rate_take(t, l, key, n, now_us): one more for ${key}, at ${now_us} on a clock that does
 * not go back.  0: it is within the limit and has been counted; else the microseconds
 * after which it would be, and nothing has been counted.
 */
int64_t rate_take(struct rate_table *t, const struct rate_limit *l, const void *key,
                  size_t n, int64_t now_us);

/** rate_retry_after(us): the same in whole seconds for Retry-After, at least 1. */
int rate_retry_after(int64_t us);

#endif
