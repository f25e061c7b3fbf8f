/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PACE_H
#define AGENT_PACE_H
/*
 * pace - how often something may be said: one each ${every} ms in the long run, some of
 * them in quick succession.
 */
#include <stdint.h>

struct pace {
	int64_t paid_until; /* what was said so far is accounted for until then */
};

/** pace_at(p, every, burst): the first moment, not negative, at which the next may be
 * said. */
static inline int64_t pace_at(const struct pace *p, int64_t every, int64_t burst)
{
	int64_t at = p->paid_until - (burst - 1) * every;

	return at > 0 ? at : 0;
}

/** pace_spend(p, every, now): one was said. */
static inline void pace_spend(struct pace *p, int64_t every, int64_t now)
{
	p->paid_until = (p->paid_until > now ? p->paid_until : now) + every;
}

#endif
