/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SCHEDULE_H
#define SERVER_CORE_SCHEDULE_H
/*
 * schedule - when something that happens every so often happens next.
 *
 * A slot is anchor + k * every (k >= 1); its moment is the slot plus a delay that depends
 * on nothing but the seed and the slot, so that a restart computes the same one.  The
 * next slot follows from the schedule, never from how long the last run took; slots that
 * passed while nobody looked are run once.
 */
#include <stdint.h>

#define SCHEDULE_EVERY_MIN_MS 1000
#define SCHEDULE_EVERY_MAX_MS (3660ll * 24 * 3600 * 1000)

struct schedule {
	int64_t anchor_ms;
	int64_t every_ms;  /* 0: never */
	int64_t jitter_ms; /* less than every_ms */
	unsigned char seed[16];
};

/** schedule_next(s, last, now): the first slot after both ${last} and ${now}; 0 if there
 * is none. */
int64_t schedule_next(const struct schedule *s, int64_t last, int64_t now);
/** schedule_moment(s, slot): when it is to be run: slot <= moment <= slot + jitter. */
int64_t schedule_moment(const struct schedule *s, int64_t slot);

#endif
