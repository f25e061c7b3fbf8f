/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_POOL_IMPL_H
#define SCANNER_POOL_IMPL_H
/* pool_impl - what the two files of the pool share; nobody else includes it. */
#include <poll.h>
#include <sys/types.h>

#include "pool.h"
#include "status.h"

#define POOL_WORKERS_MAX 64u
#define POOL_DEPTH       2u /* jobs that a worker has: one that runs, one that waits */
#define POOL_FRUITLESS   5u /* deaths in a row before any job begins */

struct pool_worker {
	pid_t pid;
	int sock;
	struct worker_status *status; /* shared mapping, kept over replacements */
	struct job *job[POOL_DEPTH];  /* the first one runs */
	unsigned jobs;
	const char *killed; /* why we did */
	bool reset;
	bool leaving; /* a job could not be sent to it */
	/* its progress as last seen */
	uint64_t beats;
	int64_t seen_ms;
};

struct pool {
	struct pool_options o;
	struct pool_events ev;
	void *ctx;
	struct pool_worker worker[POOL_WORKERS_MAX];
	unsigned n;
	struct held *held;         /* NULL: there is no such memory */
	struct job *first, **last; /* waiting */
	unsigned waiting;
	uint32_t next_id;
	unsigned fruitless;
	bool broken; /* workers do not start: ${why} */
	struct err why;
};

/** pool_spawn(p, w, e): fork a worker for the free slot ${w}. */
int pool_spawn(struct pool *p, struct pool_worker *w, struct err *e) MUST_CHECK;
/** pool_reap(p, w): the worker has gone or must go: its jobs are reported or queued
 * again, its slot is free. */
void pool_reap(struct pool *p, struct pool_worker *w);
/** pool_check_stall(p, w, now_ms): kill it if it makes no progress. */
void pool_check_stall(struct pool *p, struct pool_worker *w, int64_t now_ms);
/** pool_requeue(p, j): ahead of all that wait. */
void pool_requeue(struct pool *p, struct job *j);

#endif
