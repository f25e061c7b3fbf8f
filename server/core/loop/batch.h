/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_BATCH_H
#define SERVER_CORE_BATCH_H
/*
 * batch - the loop step: collect, BEGIN, one savepoint per request, audit, COMMIT, reply.
 * Owns the queue of submitted requests, the undo list of mirrors in memory, and what runs
 * after COMMIT. core.h declares what others call; this header is for core.c.
 */
#include "core.h"

int batch_open(struct core *c, struct err *e) MUST_CHECK;
/** batch_close(c): drops what is queued and parked, without replies. */
void batch_close(struct core *c);
/** batch_alone(c, fn, arg, e): run ${fn} in a transaction of its own, with audit and
 * state flushed as for a batch; ${fn}'s error rolls everything back. */
int batch_alone(struct core *c, int (*fn)(struct core *c, void *arg, struct err *e),
                void *arg, struct err *e) MUST_CHECK;

#endif
