/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_EVENT_H
#define SERVER_CORE_ROTATION_EVENT_H
/* rotation_event - what operators and their machines want to hear of: counted for
 * sys/metrics, and told to webhooks in the transaction in which it happens. */
#include "rotation.h"

enum rotation_event {
	EVENT_DUE,  /* a secret that people replace is to be replaced */
	EVENT_DONE, /* every holder has the new value, the old one is gone */
	EVENT_FAILED,
	EVENT_HELD,
	EVENT_LATE,
	EVENT_RETIRE_LATE,
	EVENT_LEAKED,  /* a rotation has begun because others know the value */
	EVENT_OVERDUE, /* a value is older than its max_age */
	EVENT_JUMPED,  /* more than one period of a schedule has passed at once */
	EVENT_AHEAD,   /* a schedule's last slot is yet to come: the clock is behind */
	EVENT_STARTED, /* counted alone */
	EVENT__MAX
};

/** rotation_event_name(event): as the API writes it. */
const char *rotation_event_name(enum rotation_event event);
/** rotation_event_of(name): -1 for no such name. */
int rotation_event_of(const char *name, size_t n);

/** rotation_event(c, a, t, event, e): ${t} has just entered its state.  Checks are
 * counted and told only if something is wrong. */
int rotation_event(struct core *c, struct arena *a, const struct rotation_attempt *t,
                   enum rotation_event event, struct err *e) MUST_CHECK;
/** rotation_event_end(c, a, t, e): the same for an attempt that has ended. */
int rotation_event_end(struct core *c, struct arena *a, const struct rotation_attempt *t,
                       struct err *e) MUST_CHECK;
/** rotation_event_due(c, a, rule, e): a reminder. */
int rotation_event_due(struct core *c, struct arena *a, const struct rotation_rule *rule,
                       struct err *e) MUST_CHECK;
/** rotation_event_alarm(c, a, rule, event, e): its schedule has found something wrong. */
int rotation_event_alarm(struct core *c, struct arena *a,
                         const struct rotation_rule *rule, enum rotation_event event,
                         struct err *e) MUST_CHECK;

#endif
