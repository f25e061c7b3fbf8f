/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATE_CALL_IMPL_H
#define SERVER_ROTATE_CALL_IMPL_H
/*
 * call_impl - what the files of calls share.
 *
 * call.c       the list: turns, deadlines, cancelling, poll
 * call_run.c   start and end of one: processes, answers
 * call_pipe.c  its three pipes, and the lines that it logs
 */
#include "buf.h"
#include "call.h"
#include "err.h"
#include "scrub.h"
#include "spawn.h"

enum call_state {
	CALL_QUEUED,
	CALL_RUNNING,
	CALL_ENDING, /* has been told to end */
	CALL_ENDED,  /* answered, to be freed */
};

struct call {
	struct call *next;
	struct calls *calls;
	enum call_state state;
	uint64_t id;
	bool silent; /* cancelled: nobody waits for an answer */
	struct arena *a;
	const struct value *row;     /* of the rotator */
	const struct value *request; /* in ${a} */
	const char *name, *op, *attempt;
	int64_t deadline_ms; /* boot clock, as all times here */
	int64_t kill_at_ms;  /* CALL_ENDING */
	const char *why;     /* CALL_ENDING: reason of the unknown outcome */
	struct spawned proc; /* descriptors are -1 when they are closed */
	struct buf in, out, said;
	size_t logged; /* bytes that it has said so far, taken or not */
	bool cut;      /* it has said more than is logged */
	struct scrub scrub;
	unsigned char sha256[32];
	char dir[4096];
};

struct calls {
	struct calls_options o;
	struct call *first, **last; /* in the order that they came in */
	size_t running;
};

/* call_run.c */
/** call_start(k): its turn: from CALL_QUEUED to CALL_RUNNING, or answered. */
void call_start(struct call *k);
/** call_end(k, why, now): tell its process group to end; ${why} is a literal. */
void call_end(struct call *k, const char *why, int64_t now);
/** call_kill(k): SIGKILL to its process group. */
void call_kill(const struct call *k);
/** call_ended(k, status): its process has ended and was reaped. */
void call_ended(struct call *k, int status);
/** call_unknown(k, started, fmt, ...): answer so, and be done with it. */
void call_unknown(struct call *k, bool started, const char *fmt, ...) PRINTF(3, 4);

/* call_pipe.c */
/** call_write(k), call_read(k), call_listen(k): standard input, output and error, as far
 * as they go without waiting. */
void call_write(struct call *k);
void call_read(struct call *k);
void call_listen(struct call *k);
/** call_last_words(k): log what is left, complete or not. */
void call_last_words(struct call *k);
/** call_close(fd): close and mark so. */
void call_close(int *fd);

#endif
