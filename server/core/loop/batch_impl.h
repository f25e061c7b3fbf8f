/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_BATCH_IMPL_H
#define SERVER_CORE_BATCH_IMPL_H
/*
 * batch_impl - what the files of the batch share: the queue, the lists of what is undone
 * or follows, the run of one request, the timers.
 */
#include "arena.h"
#include "batch.h"
#include "req.h"
#include "wait.h"

/* One request on its way: lives in its own arena until the reply is handed out. */
struct item {
	struct req r;
	struct wait_entry wait;
	uint64_t peer, id;
	const void *payload;
	size_t n;
	struct value *out;
	bool parked;
	struct arena *run; /* of a run after a wait: what the next one reads anew */
	struct item *next;
};

struct hook {
	void (*fn)(void *arg);
	void *arg;
};

struct hooks {
	struct hook *at;
	size_t n, cap;
};

struct wake {
	enum wait_kind kind;
	unsigned char key[16];
};

struct wakes {
	struct wake *at;
	size_t n, cap;
};

/* What one process has asked, in its order. */
struct lane {
	uint64_t peer;
	struct item *first, **last;
};

#define LANES 8u

/* The queue: a lane for each process, and turns between them and what was woken.  When
 * 10,000 hosts come back at once, a read at the other port waits for one of theirs. */
struct batch {
	struct lane lane[LANES];
	unsigned turn;
	size_t items, bytes;
	struct item *done, **done_last; /* of the batch that runs now */
	struct hooks undo, after;
	struct wakes wakes;
	size_t ran; /* requests of the batch that runs now */
	bool running, push_state, writes;
	bool oom; /* a hook could not be remembered: the batch may not commit */
};

/* Where the lists stood when a savepoint was opened. */
struct mark {
	size_t undo, after, wakes;
	bool push_state;
};

/* queue.c */

/** item_free(it): the request with all it holds. */
void item_free(struct item *it);
/** queue_open(b): no request waits. */
void queue_open(struct batch *b);
/** queue_close(b): forget those that do. */
void queue_close(struct batch *b);
/** next_item(c): whose turn it is: a parked request that may go on, or the oldest of a
 * lane; NULL: none.  The caller owns it. */
struct item *next_item(struct core *c);

/* undo.c */

/** mark_now(b): where the lists stand. */
struct mark mark_now(const struct batch *b);
/** rewind_to(c, m): undo the mirrors and drop what would have followed since ${m}. */
void rewind_to(struct core *c, const struct mark *m);
/** savepoint_mark(c): of audit and state, along with a savepoint of the database. */
void savepoint_mark(struct core *c);
/** savepoint_back(c, m, e): everything is as it was at ${m}; the savepoint stays open. */
int savepoint_back(struct core *c, const struct mark *m, struct err *e) MUST_CHECK;

/* run.c */

/** is_fatal(rc): is this an error of the storage below, after which the transaction
 * itself is lost? */
bool is_fatal(int rc);
/** run_one(it, e): ERR_OK: answered (the reply is in it->r); REQ_PARKED; anything else
 * ends the batch. */
int run_one(struct item *it, struct err *e) MUST_CHECK;

/* timers.c */

/** timers_due(c), aggregates_due(c): is something to be done that nobody asked for? */
bool timers_due(struct core *c);
bool aggregates_due(struct core *c);
/** log_is_long(c, asked): is it time for db_tidy()?  It takes about 1 ms when nobody asks
 * for anything, else longer, but seldom. */
bool log_is_long(const struct core *c, bool asked);
/** run_clock(c): if the wall clock was stepped, what waits follows, before anything new
 * is set by the clock as it is now. */
void run_clock(struct core *c);
/** run_timers(c, e): inside the transaction; an error ends the batch. */
int run_timers(struct core *c, struct err *e) MUST_CHECK;
/** run_steps(c, e): tell the owners of calls how they ended; an error ends the batch. */
int run_steps(struct core *c, struct err *e) MUST_CHECK;

#endif
