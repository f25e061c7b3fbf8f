/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SCHEDULE_IMPL_H
#define SERVER_CORE_SCHEDULE_IMPL_H
/* schedule_impl - slots without jitter, windows and what was missed. */
#include "schedule.h"

/* The end of the year 9999: no slot is later. */
#define SCHEDULE_END_MS INT64_C(253402300799999)

/** slot_after(s, past, t): the first slot of the rule after ${t}, not before the anchor,
 * not in a blackout; 0 if there is none.  ${past} matters for `after` alone. */
int64_t slot_after(const struct schedule *s, const struct schedule_past *past, int64_t t);
/** slot_following(s, slot): the one after ${slot}, if that one does not succeed. */
int64_t slot_following(const struct schedule *s, int64_t slot);
/** blackout_end(s, t): the end of the blackout that ${t} is in, or ${t}. */
int64_t blackout_end(const struct schedule *s, int64_t t);
/** blackout_begin(s, t): of the first blackout that begins after ${t}; INT64_MAX. */
int64_t blackout_begin(const struct schedule *s, int64_t t);
/** since(s, past): what age and `after` count from. */
static inline int64_t since(const struct schedule *s, const struct schedule_past *past)
{
	return past->last_success > 0 ? past->last_success : s->anchor_ms;
}

#endif
