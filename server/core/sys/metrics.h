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
#define METRIC_STEP_OPS 12
/* Operations of the rotator contract; the last stands for all others. */
extern const char *const metrics_step_ops[METRIC_STEP_OPS];

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
/** metrics_peer(c, p): what a net process says of itself; metrics_peer_gone(c, id). */
void metrics_peer(struct core *c, const struct metric_peer *p);
void metrics_peer_gone(struct core *c, uint64_t id);

#endif
