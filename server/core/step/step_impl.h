/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_STEP_IMPL_H
#define SERVER_CORE_STEP_IMPL_H
/* step_impl - what the files of the room share; nobody else includes it. */
#include "arena.h"
#include "step.h"
#include "vault/limits.h"

#define STEP_REPLY_ARENA (8u * LIMIT_STEP_REPLY)

enum step_state {
	REGISTERED, /* in a batch that has not committed */
	WAITING,    /* for rotate */
	SENT,
	DONE,       /* to be delivered */
	DELIVERING, /* in a batch that has not committed */
};

struct step {
	struct step *next;
	struct core *core;
	enum step_state state;
	unsigned char id[STEP_ID];
	enum step_owner owner;
	bool cancelled; /* dropped with the COMMIT of the batch that runs */
	uint64_t number;
	int64_t deadline_ms;         /* boot clock */
	struct arena *a;             /* of the request, then of the reply */
	const struct value *rotator; /* until it is sent, as is the request, encoded */
	const struct value *request;
	int op; /* for the metrics */
	struct step_result result;
	int tries;
	int64_t not_before_ms; /* boot clock: of the next try to deliver */
};

/* A result that a request will take. */
struct kept {
	struct kept *next;
	struct core *core;
	unsigned char id[STEP_ID];
	bool committed;
	int64_t until_ms; /* boot clock */
	struct arena *a;
	struct step_result result;
};

struct steps {
	struct step *first;
	struct kept *kept;
	size_t n;
	uint64_t last_number;
	struct step_link link; /* send NULL: rotate is not there */
	struct arena *a;
	struct value *rotators;
};

/** step_drop(s): forget a call, with all it holds. */
void step_drop(struct step *s);
/** step_kept_drop(k): the same for a result. */
void step_kept_drop(struct kept *k);
/** step_settle(c): a core_after_commit() function: what the batch has registered is for
 * good. */
void step_settle(void *c);
/** step_finish_unknown(s, started, reason): it ended without a word; ${reason} is a
 * literal. */
void step_finish_unknown(struct step *s, bool started, const char *reason);
/** step_tell_cancel(s, running_too): withdraw it from rotate, if it is there. */
void step_tell_cancel(const struct step *s, bool running_too);

/** step_result_read(a, payload, n, out): the result in an IPC_STEP_REPLY; what is
 * malformed reads as STEP_UNKNOWN.  Everything is in ${a}. */
void step_result_read(struct arena *a, const void *payload, size_t n,
                      struct step_result *out);
/** step_result_copy(a, r, out): a deep copy; judge ${a} by arena_failed(). */
void step_result_copy(struct arena *a, const struct step_result *r,
                      struct step_result *out);
/** step_result_unknown(started, reason, out): nothing was said; ${reason} is borrowed. */
void step_result_unknown(bool started, const char *reason, struct step_result *out);

/** step_owner_done(owner): the function of an owner, never NULL. */
step_done_fn *step_owner_done(enum step_owner owner);

#endif
