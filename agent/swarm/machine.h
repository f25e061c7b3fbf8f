/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_MACHINE_H
#define AGENT_SWARM_MACHINE_H
/*
 * machine - brings the newest version of a secret into the services of a Swarm, judges
 * whether they live with it, and takes it back if they do not.
 *
 * Docker never changes a secret that is mounted: another version is another secret, and
 * services are updated to refer to it.  For each service of a binding:
 *
 *   planned -> gate -> apply -> observe -> soak -> done
 *                 \-> deferred     \--------\--> revert -> rolled-back | broken
 *
 * The first service of a binding goes alone; the others follow when it is done.  When all
 * are, the version is their last good one, and what came before it is deleted once
 * nothing names it any more.  A version that one service does not live with is taken back
 * from all, and never tried again.
 *
 * A state machine: time comes in as a parameter, effects go out through struct
 * machine_ops, and only from machine_due(); what is about to be done is stored before.
 * It is made when this agent begins to lead and freed when it no longer does; another may
 * go on from what was stored.  Safety does not rest on there being one alone: updates are
 * made against the version of the service that was looked at, names of secrets say what
 * is in them, and nothing is deleted that is named anywhere.  It knows neither Docker's
 * wire nor values.  docs/swarm.md.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MACHINE_ID       32u  /* of anything in a Swarm, with its NUL */
#define MACHINE_NAME     65u  /* of a secret, with its NUL */
#define MACHINE_REFS     4u   /* references of one binding in one service */
#define MACHINE_SERVICES 256u /* of one binding: so many rows the vault keeps */
#define MACHINE_REASON   128u
#define MACHINE_OTHERS   25u /* names that a secret can have beside its first */

struct machine;

enum machine_state {
	SWARM_PLANNED,
	SWARM_GATE,     /* waits until the service is quiet, and for its turn */
	SWARM_DEFERRED, /* … for long */
	SWARM_APPLY,    /* stored; the update is made, or was */
	SWARM_OBSERVE,
	SWARM_SOAK,
	SWARM_DONE,
	SWARM_REVERT,
	SWARM_ROLLED_BACK,
	SWARM_BROKEN,     /* does not live with the last good one either */
	SWARM_HELD,       /* the version was found bad elsewhere */
	SWARM_SUPERSEDED, /* its references are somebody else's now */
	SWARM_SKIPPED,    /* a job that an update would run again */
	SWARM_GONE,       /* there is no such service, or it is not of the binding */
	SWARM__STATES
};

/** machine_state_name(s): "planned", "rolled-back", … */
const char *machine_state_name(enum machine_state s);
/** machine_state_parse(text, out): the same backwards. */
bool machine_state_parse(const char *text, enum machine_state *out);

/* What holds for a binding.  Borrowed for the call. */
struct machine_binding {
	const char *name;
	int64_t version;             /* the newest of its secret; 0: there is none yet */
	const char *const *services; /* names or ids; beside the label vault.sync */
	size_t n_services;
	bool named_only; /* … which then is not honoured */
	struct machine_target {
		const char *target; /* where the value is in the container */
		const char *uid, *gid;
		unsigned mode;
	} targets[MACHINE_REFS];
	size_t n_targets;
	unsigned max_services; /* at once, after the first */
	unsigned keep;         /* versions that are kept, the last good one included */
	int64_t deadline_ms;   /* of a roll-out; 0: by the service's own settings */
	int64_t soak_ms;
	int64_t gate_ms; /* after which waiting is called deferred */
	bool jobs;       /* may they be updated, which runs them again? */
	bool enforce;    /* are references that somebody removed put back? */
};

/* What is kept at the vault of a service. */
struct machine_row {
	const char *binding, *service, *name;
	enum machine_state state;
	int64_t version; /* that the state is about */
	int64_t good;    /* last good one; 0: none of ours */
	uint64_t index;  /* of the service when this was decided */
	const char *reason;
};

enum machine_kind {
	MACHINE_STORE,  /* ${row} */
	MACHINE_CREATE, /* the secret of ${binding}, ${version}, ${object}; answered by
	                   machine_created().  ${secret}: one that says to be it, which
	                   is taken if it has the value */
	MACHINE_LOOK,   /* at services ${ids}; NULL: at all, and at secrets */
	MACHINE_UPDATE, /* ${service} at ${index}: ${refs} */
	MACHINE_TOUCH,  /* … without a change, which forgets what it was before */
	MACHINE_DELETE, /* the secret ${secret} */
};

struct machine_change {
	const char *id, *name; /* NULL: the reference goes */
	const struct machine_target *at;
};

/* Something to be done.  Borrowed for the call. */
struct machine_call {
	uint64_t token;
	enum machine_kind kind;
	const char *binding;
	const struct machine_row *row;
	size_t object; /* which of the binding's targets */
	int64_t version;
	unsigned other; /* CREATE: so many of its names are taken by something else */
	const char *service;
	uint64_t index;
	const struct machine_change *refs;
	size_t n_refs;
	const char *const *ids;
	size_t n_ids;
	const char *secret, *secret_name;
	bool known; /* CREATE: ${secret} is ours, whatever its labels say by now */
};

struct machine_ops {
	/** start(ctx, call, e): begin; ERR_OK: it will be answered exactly once, and not
	 * from within.  Any other code is how it has ended. */
	int (*start)(void *ctx, const struct machine_call *call, struct err *e);
	/** window(ctx, binding): may services be updated now? */
	bool (*window)(void *ctx, const char *binding);
	/** dice(ctx): 32 random bits. */
	uint32_t (*dice)(void *ctx);
	void *ctx;
};

/** machine_new(ops, out, e): nothing is known yet. */
int machine_new(const struct machine_ops *ops, struct machine **out, struct err *e)
	MUST_CHECK;
void machine_free(struct machine *m);

/** machine_binding(m, b, now, e): a new one, or something about it has changed. */
int machine_binding(struct machine *m, const struct machine_binding *b, int64_t now,
                    struct err *e) MUST_CHECK;
/** machine_forget(m, name): it was deleted; services keep what they have. */
void machine_forget(struct machine *m, const char *name);
/** machine_restore(m, row, e): what was stored; after its binding, before
 * machine_due(). */
int machine_restore(struct machine *m, const struct machine_row *row, struct err *e)
	MUST_CHECK;
/** machine_purge(m, binding): the versions before the one that is in use are to go as
 * soon as they can, from what services were before, too. */
void machine_purge(struct machine *m, const char *binding, int64_t now);
/** machine_retry(m, binding, now): an operator wants what failed to be tried again. */
void machine_retry(struct machine *m, const char *binding, int64_t now);
/** machine_event(m, service, now): something happened to that service; NULL: to something
 * that may concern us. */
void machine_event(struct machine *m, const char *service, int64_t now);
/** machine_audit(m, binding, now): what its secrets hold may be another value now; they
 * are compared as soon as its services are at rest. */
void machine_audit(struct machine *m, const char *binding, int64_t now);
/** machine_rescan(m, now): events may have been missed. */
void machine_rescan(struct machine *m, int64_t now);

/*
 * Answers.
 */

/** machine_done(m, token, rc, why, now): how a call ended, MACHINE_LOOK after all that
 * was seen.  ERR_OK; ERR_NOENT: there is no such thing; ERR_CONFLICT: it has changed
 * since; ERR_BUSY: it is in use; ERR_DENIED: another leads (STORE); ERR_INVALID: it can
 * never be.  Anything else:
 * nobody knows whether it was done. */
void machine_done(struct machine *m, uint64_t token, int rc, const char *why,
                  int64_t now);
/** machine_created(m, token, id, name, now): the secret is there and has the value. */
void machine_created(struct machine *m, uint64_t token, const char *id, const char *name,
                     int64_t now);
/** machine_taken(m, token, now): something else has its name, or ${secret} has another
 * value. */
void machine_taken(struct machine *m, uint64_t token, int64_t now);

/* A secret with our cluster's label. */
struct machine_secret {
	const char *id, *name, *binding;
	int64_t version;
	size_t object;
};
/** machine_secret(m, s, now, e): seen by a look at all, before its services. */
int machine_secret(struct machine *m, const struct machine_secret *s, int64_t now,
                   struct err *e) MUST_CHECK;

enum machine_update {
	UPDATE_NONE,
	UPDATE_UPDATING,
	UPDATE_COMPLETED,
	UPDATE_PAUSED,
	UPDATE_ROLLING_BACK,
	UPDATE_ROLLED_BACK, /* completed or paused */
};
enum machine_task_state { TASK_COMING, TASK_RUNNING, TASK_FAILED, TASK_ENDED };

struct machine_ref {
	const char *target, *id, *name;
};

struct machine_task {
	const char *id;
	enum machine_task_state state;
	bool wanted;                /* is it to run? */
	const char *const *secrets; /* ids */
	size_t n_secrets;
};

/* A service.  Borrowed for the call. */
struct machine_view {
	const char *id, *name; /* "": there are only tasks of it */
	const char *sync; /* its label vault.sync: names, separated by commas; or NULL */
	uint64_t index;
	bool job;
	enum machine_update update;
	const char *update_text;
	int64_t desired;            /* tasks */
	int64_t running, completed; /* of a job: in its newest run */
	int64_t patience_ms;        /* what a roll-out may take by its own settings */
	const struct machine_ref *refs;
	size_t n_refs;
	bool has_prev; /* is there a PreviousSpec? */
	const struct machine_ref *prev;
	size_t n_prev;
	const struct machine_task *tasks; /* in any state */
	size_t n_tasks;
};
/** machine_seen(m, v, now, e): by a look. */
int machine_seen(struct machine *m, const struct machine_view *v, int64_t now,
                 struct err *e) MUST_CHECK;

/** machine_due(m, now): do what is due, the only function that calls ops; when to come
 * again, or -1.  Whoever comes earlier without having told anything costs nothing. */
int64_t machine_due(struct machine *m, int64_t now);

/** machine_changes(m): another number if what machine_status() says may be another. */
uint64_t machine_changes(const struct machine *m);
/** machine_scanned(m): when all services were looked at last; -1: not yet. */
int64_t machine_scanned(const struct machine *m);
/** machine_deposed(m): did the vault say that another leads?  Nothing is done any more.
 */
bool machine_deposed(const struct machine *m);
/** machine_rest(m): is nothing under way and nothing to be done but looks now and then?
 */
bool machine_rest(const struct machine *m);
/** machine_tally(m, tell, ctx): tells of each binding whose services were all looked at,
 * since it is defined as it is, its version and of how many services it is. */
typedef void (*machine_tally_fn)(void *ctx, const char *binding, int64_t version,
                                 size_t services);
void machine_tally(struct machine *m, machine_tally_fn tell, void *ctx);
/** machine_status(m): [{name, version, failed, why, looked, services: [{id, name, state,
 * version, good, reason}]}], the caller's; NULL if out of memory.  ${looked}: are these
 * all services, by a look at all of them since the binding is defined as it is? */
json_t *machine_status(const struct machine *m) MUST_CHECK;
/** machine_orphans(m): [{name, binding, version, used}], secrets with our cluster's label
 * whose binding is not known; the caller's.  One that nothing names, not ${used}, is
 * deleted after a day. */
json_t *machine_orphans(const struct machine *m) MUST_CHECK;

#endif
