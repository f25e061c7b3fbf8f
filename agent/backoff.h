/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_BACKOFF_H
#define AGENT_BACKOFF_H
/*
 * backoff - when to try again and when to renew: arithmetic alone.
 *
 * Randomness comes in as a number, so that every function can be tested.  All times are
 * milliseconds; points in time are on the boot clock.
 */
#include <stdint.h>

#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 60000

/** backoff_delay(attempt, rnd): full jitter between 0.5 s and a bound that doubles with
 * each
 * ${attempt} (from 0) up to 60 s. */
int64_t backoff_delay(unsigned attempt, uint32_t rnd);

/** backoff_lost(rnd): what is added once, when a server that we were connected to is
 * gone: up to 10 s, or all hosts would come back at the same moment. */
int64_t backoff_lost(uint32_t rnd);

/** backoff_renew_at(issued, ttl, rnd): after 60 to 80 % of ${ttl}. */
int64_t backoff_renew_at(int64_t issued, int64_t ttl, uint32_t rnd);

/** backoff_renew_retry(ttl, rnd): how long to wait after a failed renewal: at most 5 % of
 * ${ttl} or 30 s, at least 50 ms. */
int64_t backoff_renew_retry(int64_t ttl, uint32_t rnd);

/** backoff_renew_hopeless(issued, ttl): from here on a new lease is asked for instead. */
int64_t backoff_renew_hopeless(int64_t issued, int64_t ttl);

/** backoff_renew_slack(ttl): by how much a renewal may be late, to go along when
 * something else wakes us: up to 10 % of ${ttl} or 60 s. */
int64_t backoff_renew_slack(int64_t ttl);

/** backoff_renew_early(ttl): by how much a renewal may be early, to go along with
 * another: 5 % of ${ttl}, or what the slack is. */
int64_t backoff_renew_early(int64_t ttl);

/** backoff_spread(ttl, rnd): what the first renewal after a start is moved by, so that
 * not all come at once: up to 10 % of ${ttl} or 60 s. */
int64_t backoff_spread(int64_t ttl, uint32_t rnd);

#endif
