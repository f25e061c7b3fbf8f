/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_MACHINE_IMPL_H
#define AGENT_SWARM_MACHINE_IMPL_H
/* machine_impl - what the files of the module share; nobody else includes it. */
#include "machine.h"

#define POLL_MS        2000
#define POLL_LONG_MS   60000
#define EVENT_MS       5 /* several come at once */
#define OBSERVE_MIN_MS 120000
#define TRIES_MAX      10u
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define SCAN_MS        300000 /* and up to a fifth more */
#define SCAN_SOON_MS   2000
#define SCAN_GAP_MS    30000
#define GRACE_MS       600000   /* garbage stays so long */
#define ORPHAN_MS      86400000 /* … of a binding that is not known */
#define QUIET_MS       30000    /* before references are put back */
#define DRIFTS_MAX     3u       /* in an hour */
#define HOUR_MS        3600000
#define FAILED_MAX     16u
#define LOOK_MAX       32u /* services in one look */

struct pair {
	char id[MACHINE_ID]; /* "": there is none */
	char name[MACHINE_NAME];
};

struct svc {
	struct binding *b;
	char id[MACHINE_ID];
	char name[MACHINE_NAME];
	enum machine_state state;
	int64_t version, good;
	char reason[MACHINE_REASON];
	uint64_t call;   /* under way, 0: none */
	bool store_due;  /* before anything else is done */
	bool update_due; /* APPLY, REVERT: as soon as that is stored */
	bool unsure;     /* APPLY: nobody knows whether the update was made */
	bool touch_due;  /* purge */
	bool storing;    /* what the call is */
	bool fresh;      /* there is a look that was not judged yet */
	bool base_known; /* are ${base} what a revert goes back to? */
	bool base_lost;  /* … or does nobody know? */
	bool relook;     /* what was seen while a call was under way counts for nothing */
	bool asked;      /* by the look that is under way */
	uint64_t ignore; /* a look that began before something was changed */
	unsigned tries;  /* in a row that failed */
	unsigned missed; /* updates in a row that were not made, or nobody knows */
	int64_t retry_at;   /* -1: none */
	int64_t look_at;    /* -1: not needed */
	int64_t until;      /* GATE, OBSERVE, REVERT: patience; SOAK: its end */
	int64_t soak_until; /* SOAK: patience */
	int64_t drift_at;   /* somebody changed the references: put back then; -1 */
	int64_t drifts[DRIFTS_MAX]; /* when that was done, -1 */
	struct pair want[MACHINE_REFS], base[MACHINE_REFS];
	/* What the newest look has shown. */
	unsigned scan; /* which look at all had it */
	uint64_t index;
	bool job, busy, converged, evidence, ill, has_prev;
	int64_t past; /* oldest version of the binding that its past names; 0: none */
	enum machine_update update;
	char update_text[MACHINE_REASON];
	int64_t patience_ms;
	struct pair now[MACHINE_REFS], prev[MACHINE_REFS];
	char failed[FAILED_MAX][MACHINE_ID]; /* tasks that are known to have failed */
	size_t n_failed;
};

struct object {
	struct pair p;
	bool ready;       /* it was seen to have the value, by this machine */
	unsigned other;   /* so many of its names are taken */
	bool adopting;    /* the call is about one that was found by its labels */
	bool shunned;     /* such a one was not what it said */
	bool auditing;    /* the call asks whether it still is what it was */
	int64_t audit_at; /* 0: to be said */
	uint64_t call;    /* 0: none */
	unsigned tries;
	int64_t retry_at;
};

struct binding {
	char *name;
	int64_t version, failed; /* failed: the newest version that was found bad */
	char why[MACHINE_REASON];
	char **services;
	size_t n_services;
	size_t tally;                                /* machine_tally() */
	struct machine_target targets[MACHINE_REFS]; /* texts are its own */
	size_t n_targets;
	struct object objects[MACHINE_REFS];
	unsigned max_services, keep;
	int64_t deadline_ms, soak_ms, gate_ms;
	bool jobs, enforce, purge, named_only;
	bool crowded; /* by the look that is under way: it is of more than it may be */
	bool looked;  /* at all services, since it is defined like this */
};

struct secret {
	struct pair p;
	char *binding;
	int64_t version;
	size_t object;
	int64_t since; /* when it was first found to be of no use; -1: it is */
	unsigned scan;
	uint64_t call;
	int64_t retry_at;
	bool doomed; /* to be deleted */
};

struct machine {
	struct machine_ops ops;
	uint64_t tokens, changes;
	bool deposed;
	unsigned scan;      /* number of the newest look at all */
	bool scanned;       /* one of them has ended well */
	bool rescan;        /* another is to follow the one that is under way */
	int64_t scan_at;    /* the next */
	int64_t scan_ended; /* the last */
	uint64_t look;      /* under way */
	bool look_all;
	int64_t next; /* when something is due; -1: never */
	bool told;    /* … or at once: something has come in since */
	json_t *used; /* ids that are named somewhere, as keys; of this look at all */
	struct binding **bindings;
	size_t n_bindings;
	struct svc **svcs;
	size_t n_svcs;
	struct secret **secrets;
	size_t n_secrets;
};

/** machine_want(m, at): be called again at ${at}. */
void machine_want(struct machine *m, int64_t at);
/** machine_reason(out, text): printable ASCII of it, cut to fit. */
void machine_reason(char out[MACHINE_REASON], const char *text);
/** machine_backoff(m, tries): 1 to 30 s, with jitter. */
int64_t machine_backoff(struct machine *m, unsigned tries);
/** machine_start(m, call, e): with a token of its own; the token, 0: it has ended. */
uint64_t machine_start(struct machine *m, struct machine_call *call, int *rc,
                       struct err *e);
/** machine_find_secret(m, binding, version, object): or NULL. */
struct secret *machine_find_secret(const struct machine *m, const char *binding,
                                   int64_t version, size_t object);
/** machine_find_binding(m, name): or NULL. */
struct binding *machine_find_binding(const struct machine *m, const char *name);
/** machine_svc(m, b, id, e): that service of the binding, made if need be; NULL: no
 * memory. */
struct svc *machine_svc(struct machine *m, struct binding *b, const char *id,
                        struct err *e);
/** machine_find_secret_id(m, id): or NULL. */
struct secret *machine_find_secret_id(const struct machine *m, const char *id);
/** machine_was_good(m, b, version): have all services of the binding lived with it? */
bool machine_was_good(const struct machine *m, const struct binding *b, int64_t version);
/** machine_settled(s): is the binding's newest version there, or not to be? */
bool machine_settled(const struct svc *s);

/* machine_judge.c: one service. */

/** machine_set(s, state, reason): another state, to be stored before anything is done. */
void machine_set(struct svc *s, enum machine_state state, const char *reason);
/** machine_look_again(s, at): at ${at} at the latest. */
void machine_look_again(struct svc *s, int64_t at);
/** machine_in_flight(s): is it being changed, or watched after that? */
bool machine_in_flight(const struct svc *s);
/** machine_next_turn(m, now): somebody's turn is over. */
void machine_next_turn(struct machine *m, int64_t now);
/** machine_patience(s): how long a roll-out may take. */
int64_t machine_patience(const struct svc *s);
/** machine_begin_observe(s, now): the update was made. */
void machine_begin_observe(struct svc *s, int64_t now);
/** machine_judge(m, s, now): what a look has shown, in the state that it is in. */
void machine_judge(struct machine *m, struct svc *s, int64_t now);

/* machine_step.c: the same, what is done. */

/** machine_svc_due(m, s, now): what its state wants. */
void machine_svc_due(struct machine *m, struct svc *s, int64_t now);
/** machine_svc_done(m, s, rc, why, now): its call has ended. */
void machine_svc_done(struct machine *m, struct svc *s, int rc, const char *why,
                      int64_t now);
/** machine_promote(m, b): if all services are done the version is their good one. */
void machine_promote(struct machine *m, struct binding *b);

/* machine_object.c: the secrets of the newest version. */

/** machine_objects_due(m, b, now): make them if they are needed. */
void machine_objects_due(struct machine *m, struct binding *b, int64_t now);
/** machine_object_done(m, token, rc, why, now): a call about one has ended badly. */
void machine_object_done(struct machine *m, uint64_t token, int rc, const char *why,
                         int64_t now);
/** machine_audit_due(m, now): are they still what they were? */
void machine_audit_due(struct machine *m, int64_t now);
/** machine_doubt(m, s, now): it is not in the list any more, or not as it was. */
void machine_doubt(struct machine *m, const struct secret *s, int64_t now);

/* machine_look.c: what is seen. */

/** machine_look_due(m, now): begin to look if that is due. */
void machine_look_due(struct machine *m, int64_t now);
/** machine_look_done(m, rc, now): the look has ended. */
void machine_look_done(struct machine *m, int rc, int64_t now);

/* machine_gc.c: what is of no use. */

/** machine_collect(m, now): after a look at all: what may go. */
void machine_collect(struct machine *m, int64_t now);
/** machine_gc_due(m, now): delete it. */
void machine_gc_due(struct machine *m, int64_t now);
/** machine_gc_done(m, s, rc, now) */
void machine_gc_done(struct machine *m, struct secret *s, int rc, int64_t now);
void machine_secret_free(struct secret *s);

#endif
