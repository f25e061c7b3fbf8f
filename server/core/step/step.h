/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_STEP_H
#define SERVER_CORE_STEP_H
/*
 * step - calls of rotators, which the rotate role runs (vault/ipc.h: IPC_STEP).
 *
 * A call is registered inside a batch, next to the rows that say why, and leaves after
 * COMMIT only: the intent is durable before the effect.  How it ended comes back as an
 * event of a later batch, inside its transaction, through the function of its owner
 * (step_owner.c).  Calls live in memory alone:
 *
 *  - While rotate is not there, calls wait for it or for their deadline.
 *  - If it ends, every call that was handed over ends with STEP_UNKNOWN.
 *  - At seal, calls that have not begun are withdrawn, those that run go on, and no
 * result is delivered: not then, and not after the next unseal.  The same goes for a core
 * that ends.  Whoever needs the outcome finds it out from its own rows, by probing.
 *
 * Values are wiped as soon as they were handed on.  Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "value.h"
#include "vault/ipc.h"

#define STEP_ID 16u

/* Who wants to know how a call ended: a row of the table in step_owner.c. */
enum step_owner {
	STEP_FOR_REQUEST,  /* a parked request: step_keep() */
	STEP_FOR_ROTATION, /* an attempt: rotation_step_done() */
	STEP_FOR_DATABASE, /* an account of a database: db_lease_step_done() */
	STEP_FOR_WEBHOOK,  /* a notice: webhook_step_done() */
	STEP_OWNER__MAX
};

struct step_order {
	unsigned char id[STEP_ID]; /* the caller's choice; one call of an id at a time */
	enum step_owner owner;
	const char *rotator;         /* a configured name, see step_rotator() */
	const struct value *request; /* {v, op, attempt, …}, copied; deadline_ms is set by
	                                rotate */
	int64_t timeout_ms;          /* for all of it, from now; 1 to LIMIT_STEP_MS */
};

enum step_outcome {
	STEP_REPLY,   /* the rotator has answered */
	STEP_UNKNOWN, /* it may have done its work or not */
};
enum step_status { STEP_OK, STEP_NOOP, STEP_ERROR };
enum step_class {
	STEP_CLASS_NONE, /* no error */
	STEP_RETRYABLE,
	STEP_REJECTED_VALUE,
	STEP_AUTH,
	STEP_PERMANENT,
};
/* What a probe says of a credential. */
enum step_probe { STEP_PROBE_UNKNOWN, STEP_PROBE_VALID, STEP_PROBE_INVALID };

/* Borrowed for the time of the call that hands it over. */
struct step_result {
	enum step_outcome outcome;
	bool started;       /* false: nothing was run, so nothing has happened */
	const char *reason; /* STEP_UNKNOWN: why, for people; else "" */
	/* STEP_REPLY: */
	enum step_status status;
	enum step_class class;      /* never NONE with STEP_ERROR */
	const char *message;        /* for people; "" */
	const struct value *fields; /* object of strings, or NULL */
	enum step_probe current, pending, previous;
	const struct value *describe; /* object, as the rotator said it, or NULL */
	int64_t retry_after_ms;       /* 0: it did not say */
	const unsigned char *sha256;  /* of the executable, 32 bytes, or NULL */
};

/** How an owner hears of it, inside a savepoint of the batch's transaction.  ${a} lives
 * as long as the call.  An error rolls the savepoint back, and the result is delivered
 * again a second later, STEP_TRIES times. */
typedef int step_done_fn(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                         const struct step_result *r, struct err *e);
#define STEP_TRIES 10

/**
 * step_call(c, o, e): make a call after COMMIT; forgotten if the savepoint is rolled
 * back. ERR_SEALED; ERR_NOENT: no such rotator; ERR_BUSY: too many calls, or one of this
 * id; ERR_TOO_BIG, ERR_NOMEM.
 */
int step_call(struct core *c, const struct step_order *o, struct err *e) MUST_CHECK;

/** step_cancel(c, id): after COMMIT: nobody wants to know any more; a rotator that runs
 * is ended.  Nothing is delivered. */
void step_cancel(struct core *c, const unsigned char id[STEP_ID]);

/** step_under_way(c, id): has this call been registered, and not been delivered? */
bool step_under_way(const struct core *c, const unsigned char id[STEP_ID]);
/** step_linked(c): is the rotate role there? */
bool step_linked(const struct core *c);
/** step_busy(c): calls that wait or run. */
size_t step_busy(const struct core *c);

/* For a request that waits: req_park(r, WAIT_STEP, id, deadline).  It is run again when
 * the result is there, takes it, and must do with STEP_UNKNOWN if there is none. */
/** step_keep(c, id, r, e): in an owner's function: keep a copy of ${r} for the request
 * that waits for ${id} and wake it after COMMIT.  Wiped when it is taken, when that
 * request ends, and after STEP_KEEP_MS. */
int step_keep(struct core *c, const unsigned char id[STEP_ID],
              const struct step_result *r, struct err *e) MUST_CHECK;
#define STEP_KEEP_MS 60000
/** step_take(c, a, id, out): the kept result, once, copied to ${a}; ERR_NOENT: there is
 * none (yet), ERR_NOMEM. */
int step_take(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
              struct step_result *out) MUST_CHECK;
/** step_forget(c, id): the request that waited has ended: called by the queue.  A call
 * for a request is cancelled with it; those of other owners go on. */
void step_forget(struct core *c, const unsigned char id[STEP_ID]);

/* ---- rotators ---- */

/** step_rotators(c): array of {name, path, builtin: bool, sha256: bytes32 or null,
 * timeout_ms}, sorted by name; never NULL. */
const struct value *step_rotators(const struct core *c);
/** step_rotator(c, name): its row, or NULL. */
const struct value *step_rotator(const struct core *c, const char *name);

/* ---- for the loop ---- */

/* The way to rotate; the simulator and tests have one of their own. */
struct step_link {
	/* Send a frame; a failure is the end of the link (step_link_down()). */
	int (*send)(void *ctx, enum ipc_type type, uint64_t id, const struct value *v);
	void *ctx;
};

int steps_open(struct core *c, struct err *e) MUST_CHECK;
void steps_close(struct core *c);
/** steps_sealed(c): the keys are dropped: so is every call. */
void steps_sealed(struct core *c);
/** step_link_up(c, link), step_link_down(c, ctx): rotate is there (copied); the one of
 * that link's ${ctx} is not any more. */
void step_link_up(struct core *c, const struct step_link *link);
void step_link_down(struct core *c, const void *ctx);
/** step_reply(c, number, payload, n): an IPC_STEP_REPLY; what is malformed counts as
 * unknown, and what nobody waits for is dropped. */
void step_reply(struct core *c, uint64_t number, const void *payload, size_t n);

/** steps_due(c): is there something to deliver? */
bool steps_due(struct core *c);
/** steps_next_ms(c): boot time of the next thing to do, 0: at once, -1: none. */
int64_t steps_next_ms(struct core *c);
/** steps_take(c): the next result to deliver, in no particular order; NULL: none.
 * steps_deliver(c, s, e): call its owner, inside a savepoint; steps_failed(c, s): that
 * was rolled back. */
struct step *steps_take(struct core *c);
int steps_deliver(struct core *c, struct step *s, struct err *e) MUST_CHECK;
void steps_failed(struct core *c, struct step *s);

#endif
