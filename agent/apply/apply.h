/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_APPLY_APPLY_H
#define AGENT_APPLY_APPLY_H
/*
 * apply - tells applications that a binding has a new generation, and judges whether they
 * live with it.
 *
 * A state machine: time comes in as a parameter, effects go out through struct apply_ops,
 * and only from apply_due(); everything else just notes what has happened (and gives the
 * verdict on a generation that is no longer asked about).  It knows bindings,
 * generations, containers and calls, but neither files, Docker nor secrets.
 *
 * A binding at rest has a generation in place that was judged.  A new one opens a round:
 *
 *   debounce -> tell one container, watch it -> the next … -> applied
 *                    \-> the generation before is put back, those that
 *                        were told are told again -> rejected
 *
 * A generation that comes while a round is open supersedes the one before.  One
 * container is never told twice at once, nor is it told by one binding while it is being
 * watched for another.  A container that starts has read what is in place: it is watched,
 * not told.  docs/agent.md, "Telling the application".
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define APPLY_WHY_MAX 128u /* of a reason, with its NUL */
#define APPLY_TRIES   4u   /* of a command that fails */

struct apply;
struct settings_binding;

enum apply_verdict {
	VERDICT_APPLIED,
	VERDICT_REJECTED,
	VERDICT_SUPERSEDED, /* by a newer generation, a revocation or the binding's end:
	                       nobody knows */
};

enum apply_kind {
	APPLY_SIGNAL,  /* the binding's signal to the container's first process */
	APPLY_RESTART, /* the container */
	APPLY_EXEC,    /* the binding's command on the host */
	APPLY_EXEC_IN, /* … in the container */
	APPLY_STOP,    /* the container: its secret was revoked */
	APPLY_LOOK,    /* at the container: answered by apply_looked() */
};

/* Something to be done.  Borrowed for the call. */
struct apply_call {
	uint64_t token; /* for the answer */
	enum apply_kind kind;
	const char *binding;
	const char *container; /* id; NULL for APPLY_EXEC */
	unsigned generation;   /* in place now */
	unsigned attempt;      /* 0, or the how manieth try again of the same */
	bool revoked;          /* not a reload: what on_revoke asks for */
	int64_t timeout_ms;    /* after which it must have been answered */
};

/* What outlives the agent: a few words in the notes of the generation in place. */
struct apply_note {
	bool judged;       /* the generation in place was found good, or is kept anyway */
	unsigned base;     /* not judged: the one before it, kept to be put back; 0: none
	                    */
	unsigned rejected; /* the last that was, 0: none */
	bool retell; /* there may be containers that were not told of it: a rejected one
	                was put back, or Docker was away */
	char why[APPLY_WHY_MAX]; /* of the rejection */
};

struct apply_ops {
	/**
	 * start(ctx, call, e): begin; ERR_OK: apply_done() or apply_looked() will be
	 * called exactly once with its token, soon after timeout_ms at the latest, and
	 * not from within.  Any other code is how the call has ended.
	 */
	int (*start)(void *ctx, const struct apply_call *call, struct err *e);
	/** rollback(ctx, binding, from, to, e): put generation ${to} in the place of
	 * ${from}; done when it returns.  ERR_NOENT: it is no longer there. */
	int (*rollback)(void *ctx, const char *binding, unsigned from, unsigned to,
	                struct err *e);
	/** verdict(ctx, binding, generation, v, why): for each generation exactly once in
	 * the life of the agent; ${why} is "" unless it was rejected. */
	void (*verdict)(void *ctx, const char *binding, unsigned generation,
	                enum apply_verdict v, const char *why);
	/** store(ctx, binding, generation, note): keep in the notes of that generation:
	 * the one in place, or the one that is about to be put back. */
	void (*store)(void *ctx, const char *binding, unsigned generation,
	              const struct apply_note *note);
	/** dice(ctx): 32 random bits. */
	uint32_t (*dice)(void *ctx);
	void *ctx;
};

struct apply_options {
	struct apply_ops ops; /* copied */
	bool docker;          /* is there an Engine that can know containers? */
};

/* A container as the Engine describes it.  Borrowed for the call. */
struct apply_container {
	const char *id;
	const char *name;
	const char *const *bindings; /* that it uses */
	size_t n_bindings;
	bool running;
	int health;  /* enum container_health; a change makes us look again */
	int64_t run; /* names the run: when it started, as the Engine says; 0 if not
	                known */
	int64_t started_at; /* the same by the boot clock, 0 if not known */
};

/* What APPLY_LOOK has seen. */
struct apply_look {
	bool running;
	bool checks;    /* is there a health check? */
	bool unhealthy; /* as the check says */
	bool healthy;   /* … and the newest check that ended succeeded */
	int64_t run;    /* as above; not 0 */
	int64_t started_at;
	int64_t checked_at; /* when the newest check that ended began; boot clock, 0: none
	                     */
};

/** apply_new(o, out, e): nothing is known yet, and the Engine is away. */
int apply_new(const struct apply_options *o, struct apply **out, struct err *e)
	MUST_CHECK;
void apply_free(struct apply *a);

/*
 * Bindings.
 */

/** apply_binding(a, b, e): what holds for it from now on; what is needed is copied.
 * Containers that use a new one have to be described (again) afterwards.  A binding that
 * nobody has introduced is ignored by all that follows. */
int apply_binding(struct apply *a, const struct settings_binding *b, struct err *e)
	MUST_CHECK;
/** apply_forget(a, binding, now): nobody wants it any more; an open round ends
 * superseded. */
void apply_forget(struct apply *a, const char *binding, int64_t now);
/** apply_restore(a, binding, generation, note, now): at start: what an earlier life of
 * the agent left in place, 0: nothing.  ${note} NULL: it was never judged.  Who was told
 * just before is not known: nobody is within min_interval. */
void apply_restore(struct apply *a, const char *binding, unsigned generation,
                   const struct apply_note *note, int64_t now);
/** apply_generation(a, binding, generation, now): it has just been put in place.
 * Numbers only grow. */
void apply_generation(struct apply *a, const char *binding, unsigned generation,
                      int64_t now);
/** apply_revoked(a, binding, left, now): files of it were wiped: on_revoke.  ${left}: the
 * generation that is in place with what is left, 0: nothing is.  A round that is open
 * goes on with what is left: whoever waits for its verdict waits for other secrets, too.
 */
void apply_revoked(struct apply *a, const char *binding, unsigned left, int64_t now);

/** apply_next(a, binding, out): the notes for a generation that is about to be put in
 * place, so that a crash right after that forgets nothing. */
void apply_next(const struct apply *a, const char *binding, struct apply_note *out);
/** apply_keeps(a, binding): the generation that may have to be put back and must stay
 * until then; 0: none. */
unsigned apply_keeps(const struct apply *a, const char *binding);

/*
 * The world.
 */

/** apply_engine(a, known): are all containers known (true), or is the Engine away? */
void apply_engine(struct apply *a, bool known, int64_t now);
/** apply_container(a, c, now, e): a new one, or something about it has changed. */
int apply_container(struct apply *a, const struct apply_container *c, int64_t now,
                    struct err *e) MUST_CHECK;
/** apply_container_gone(a, id, now): it does not exist any more. */
void apply_container_gone(struct apply *a, const char *id, int64_t now);

/**
 * apply_done(a, token, rc, detail, now): a call has ended.  ERR_OK; ERR_NOENT: no such
 * container; ERR_CONFLICT: it does not run; ERR_UNREACHABLE: the Engine is away; anything
 * else: it failed.  ${detail} says how in a few words ("exit status 3"), or is NULL; it
 * ends up at the server and in the log.
 */
void apply_done(struct apply *a, uint64_t token, int rc, const char *detail, int64_t now);
/** apply_looked(a, token, look, now): the answer to APPLY_LOOK, unless it failed. */
void apply_looked(struct apply *a, uint64_t token, const struct apply_look *look,
                  int64_t now);

/** apply_due(a, now): do what is due, the only function that calls ops; when to come
 * again, or -1. */
int64_t apply_due(struct apply *a, int64_t now);

/*
 * What it looks like.
 */

struct apply_row {
	const char *container; /* id; "" for the command on the host */
	const char *name;
	unsigned generation; /* that it knows of; 0: cannot be told */
	const char *state; /* "applied", "waiting", "telling", "watching", "trying again",
	                      "failed", "old", "stopped" */
	int64_t since;     /* boot clock */
};
typedef void (*apply_row_fn)(void *ctx, const struct apply_row *row);

/** apply_rows(a, binding, each, ctx): its containers. */
void apply_rows(const struct apply *a, const char *binding, apply_row_fn each, void *ctx);
/** apply_status(a, binding, now): {state, generation, base, rejected, why, containers:
 * [{id, name, generation, state, for_ms}]}, the caller's; NULL: unknown, or out of
 * memory. */
json_t *apply_status(const struct apply *a, const char *binding, int64_t now) MUST_CHECK;
/** apply_open(a, binding): is a round open, or somebody still to be told? */
bool apply_open(const struct apply *a, const char *binding);

#endif
