/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_JOBS_H
#define SERVER_CORE_JOBS_H
/*
 * jobs - due timers, and long work that is cut into slices (KIND_JOB rows, so that it
 * survives a restart).
 */
#include "core.h"
#include "store.h"

/* One slice: at most ~3 ms.  Change job->body as progress; set *done when nothing is
 * left, else the next slice is due at once unless job->due says when. */
typedef int (*job_fn)(struct core *c, struct arena *a, struct store_object *job,
                      bool *done, struct err *e);

/** job_start(c, a, name, body, id, e): store a job of the kind ${name} (a row of the
 * table in jobs.c), due at once.
 * ${id} (16 bytes) may be used with WAIT_JOB, which is woken when it is done. */
int job_start(struct core *c, struct arena *a, const char *name, struct value *body,
              unsigned char id[16], struct err *e) MUST_CHECK;

/** job_wait(r, jobs, n): "return job_wait(…)": what the request does is done when these
 * jobs are; the reply comes then.  The request is settled (req_settle()). */
int job_wait(struct req *r, const unsigned char (*jobs)[16], size_t n) MUST_CHECK;
/** job_waiting(r, rc): is this the continuation of such a request?  Then *rc is what to
 * return.  A handler that waits asks this first. */
bool job_waiting(struct req *r, int *rc);

/** jobs_begin(c, first), jobs_step(c, step, e), jobs_end(c, first): everything that is
 * due, inside the batch's transaction, in bounded time; jobs_begin() says in how many
 * steps.  A step that fails is rolled back alone and tried again a second later: then
 * jobs_end() is not called. */
int jobs_begin(struct core *c, int64_t *first);
int jobs_step(struct core *c, int step, struct err *e) MUST_CHECK;
void jobs_end(struct core *c, int64_t first);
/** jobs_next_ms(c): wall time of the next due thing, 0 = nothing. Cached; jobs_dirty()
 * after writes. */
int64_t jobs_next_ms(struct core *c);
void jobs_dirty(struct core *c);
/** jobs_unsealed(c): at unseal: the check of all rows is due. */
void jobs_unsealed(struct core *c);

int jobs_open(struct core *c, struct err *e) MUST_CHECK;
void jobs_close(struct core *c);

/* The table of job kinds is in jobs.c; modules provide the functions: */
int lease_fanout_slice(struct core *c, struct arena *a, struct store_object *job,
                       bool *done, struct err *e);
int token_revoke_slice(struct core *c, struct arena *a, struct store_object *job,
                       bool *done, struct err *e);
int approle_purge_slice(struct core *c, struct arena *a, struct store_object *job,
                        bool *done, struct err *e);

#endif
