/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_METRICS_H
#define SERVER_CORE_METRICS_H
/*
 * metrics - what core counts while it works, for sys/metrics.
 *
 * Counting is an addition to a plain number: one thread, no lock, no clock but the two
 * readings around a COMMIT.  Counts begin with the process.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "req.h"

enum metric_outcome { METRIC_OK, METRIC_DENIED, METRIC_ERROR, METRIC_OUTCOMES };

/* How calls of rotators ended. */
enum metric_step {
	METRIC_STEP_OK,
	METRIC_STEP_NOOP,
	METRIC_STEP_ERROR,
	METRIC_STEP_UNKNOWN,
	METRIC_STEP_OUTCOMES
};
#define METRIC_STEP_OPS 13
/* Operations of the rotator contract; the last stands for all others. */
extern const char *const metrics_step_ops[METRIC_STEP_OPS];

/* What schedules of rotations find wrong. */
enum metric_alarm {
	METRIC_ALARM_JUMPED,
	METRIC_ALARM_AHEAD,
	METRIC_ALARM_OVERDUE,
	METRIC_ALARMS
};
/* What became of a notice to a webhook. */
enum metric_webhook {
	METRIC_WEBHOOK_DELIVERED,
	METRIC_WEBHOOK_FAILED, /* tried again later */
	METRIC_WEBHOOK_DROPPED,
	METRIC_WEBHOOKS
};
/* Room for the enums of rotation.h. */
#define METRIC_STRATEGIES 8
#define METRIC_STATES     20
#define METRIC_TOOK       9 /* of a rotation, see metrics_took_le */
extern const int64_t metrics_took_le[METRIC_TOOK - 1]; /* seconds */

#define METRIC_PEERS   64
#define METRIC_BUCKETS 8 /* of a COMMIT, see metrics_commit_le */
extern const int64_t metrics_commit_le[METRIC_BUCKETS - 1]; /* milliseconds */

/* A net process. */
struct metric_peer {
	uint64_t id; /* 0: free */
	bool hosts;  /* of the hosts listener */
	int64_t connections, suspended;
};

struct metrics {
	/* the last row: requests that were no request */
	uint64_t requests[OP__MAX + 1][METRIC_OUTCOMES];
	uint64_t batches, batches_failed, batch_requests;
	uint64_t commit[METRIC_BUCKETS];
	uint64_t commit_ms;
	uint64_t timers;
	int64_t timer_late_ms, timer_late_max_ms;
	uint64_t rejected;
	uint64_t steps[METRIC_STEP_OPS][METRIC_STEP_OUTCOMES];
	uint64_t rotations[METRIC_STRATEGIES][METRIC_STATES];
	uint64_t took[METRIC_TOOK], took_ms, reminded, alarms[METRIC_ALARMS];
	uint64_t webhooks[METRIC_WEBHOOKS];
	struct metric_peer peer[METRIC_PEERS];
};

/** metrics_request(c, op, outcome): one request was recorded; op OP__MAX: malformed. */
void metrics_request(struct core *c, enum op op, const char *outcome);
/** metrics_batch(c, requests, commit_ms, ok): one transaction ended. */
void metrics_batch(struct core *c, size_t requests, int64_t commit_ms, bool ok);
/** metrics_timers(c, late_ms): timers ran so long after they were due. */
void metrics_timers(struct core *c, int64_t late_ms);
/** metrics_step_op(op): the row of an operation. */
int metrics_step_op(const struct value *op);
/** metrics_step(c, op, outcome): a call of a rotator has ended. */
void metrics_step(struct core *c, int op, enum metric_step outcome);
/** metrics_rotation(c, strategy, state): a rotation has entered a state worth counting.
 * metrics_rotation_took(c, ms): one has ended.  metrics_rotation_reminded(c): people were
 * told that a secret is due.  (A transaction that is taken back has counted all the
 * same.)
 */
void metrics_rotation(struct core *c, unsigned strategy, unsigned state);
void metrics_rotation_took(struct core *c, int64_t ms);
void metrics_rotation_reminded(struct core *c);
/** metrics_rotation_alarm(c, alarm): a schedule has found something wrong. */
void metrics_rotation_alarm(struct core *c, enum metric_alarm alarm);
void metrics_webhook(struct core *c, enum metric_webhook what);
/** metrics_peer(c, p): what a net process says of itself; metrics_peer_gone(c, id). */
void metrics_peer(struct core *c, const struct metric_peer *p);
void metrics_peer_gone(struct core *c, uint64_t id);

#endif
