/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_FARM_H
#define TESTS_SIM_FARM_H
/*
 * farm - a world of secrets with rotation rules, and of targets that have them too.
 *
 * The rotate role is played here: a call is done and answered, done and not answered, not
 * done, done late, or refused.  Operators rotate, abort, resume, adopt, write by hand and
 * seal; hosts take what they are given; power fails.  There is no second implementation
 * to compare with: what must be true of each secret and each account is known without one
 * (farm_oracle.c), at any time, and when the faults are over and everything has run to
 * its end.
 */
#include "rotation.h"
#include "sim.h"

#define FARM_SECRETS  9
#define FARM_ACCOUNTS 9
#define FARM_CALLS    64
#define FARM_VALUE    192
#define FARM_SEEN     4096
#define FARM_LOCK     6 /* failed logins in a row, and nobody gets in any more … */
#define FARM_LOCK_MS  (10ll * 60 * 1000) /* … if they come within this time */

/* What goes wrong with a call. */
enum farm_fault {
	FARM_FINE,
	FARM_SILENT,    /* done, and nobody hears of it */
	FARM_LOST,      /* not done, and nobody hears of that */
	FARM_RETRYABLE, /* not done, and said so */
	FARM_REJECTED,  /* the target does not take the value */
	FARM_AUTH,      /* nor the administrator */
	FARM_PERMANENT,
	FARM_GARBLED, /* it says that it has set the value, and has set another */
};

/* How a secret is rotated. */
struct farm_plan {
	const char *path, *strategy, *target; /* target: NULL: none */
	int account, accounts;                /* the first of so many */
	const char *grace, *every, *policy;   /* NULL: not said */
};
extern const struct farm_plan farm_plans[FARM_SECRETS];

struct farm_account {
	char name[16];
	char value[2][FARM_VALUE];
	char maker[2][33]; /* the attempt that had it made */
	int failed;        /* logins in a row … */
	int64_t failed_at; /* … since then, by the boot clock */
};

struct farm_call {
	uint64_t number;
	struct arena *a; /* of the request */
	const struct value *request;
	const char *op, *attempt;
	int secret;
	int64_t not_before; /* boot clock */
};

/* What the vault says of a secret right now. */
struct farm_view {
	bool there; /* it has an attempt */
	char attempt[33];
	char cause[16], error[256];
	enum attempt_state state, held_from;
	int64_t version, started_ms; /* of the attempt */
	int64_t until_ms;            /* retrying ends */
	int64_t due_ms;              /* it is looked at again */
	bool wait;                   /* the holders' word counts, whatever the hour */
	int64_t current;             /* the version that is served */
	char user[16], value[FARM_VALUE];
	int64_t note; /* a field that operators write by hand */
	int attempts; /* that have not ended */
};

struct farm_secret {
	struct farm_view view;
	bool excused;  /* something happened that may hold this attempt */
	bool waived;   /* an operator goes on without the hosts that are missing */
	bool held;     /* it was when it was last looked at */
	bool tampered; /* the target's value was changed behind the vault's back */
	int64_t note, note_maybe;         /* acknowledged; sent, and not answered */
	char set_by[33], set[FARM_VALUE]; /* which value which attempt has set */
	int scheduled;                    /* attempts that a schedule has begun */
};

struct farm_seen {
	unsigned char attempt[16];
	enum attempt_state state;
	bool recorded;
};

struct farm {
	const struct value *rotators;
	struct arena *a;
	bool faultless;     /* calls are done, at once */
	bool heard;         /* what is done now is answered */
	int64_t down_until; /* boot clock: no target answers */
	int64_t stepped;    /* how far the wall clock was set forward in all */
	struct farm_account account[FARM_ACCOUNTS];
	struct farm_call call[FARM_CALLS];
	int calls;
	struct farm_secret secret[FARM_SECRETS];
	struct farm_seen *seen; /* every state that was observed */
	int nseen;
	int link; /* its address is that of the link */
};

/* farm.c */
/** farm_trace(w, fmt, ...): a line for who looks for the cause of a failure (--trace).
 */
void farm_trace(const struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** farm_run(w, seed): all of one seed; w->failure tells. */
void farm_run(struct world *w, uint64_t seed);
/** farm_look(w): ask the vault for every secret's view, and judge it; false if power
 * failed. */
bool farm_look(struct world *w);

/** farm_pass(w, ms): time passes. farm_hosts(w, lazy): each host acts, one of ${lazy}
 * times. farm_order(w, i, verb, body, a): what an operator asks for a secret; the status.
 */
void farm_pass(struct world *w, int64_t ms);
void farm_hosts(struct world *w, uint32_t lazy);
int farm_order(struct world *w, int i, const char *verb, struct value *body,
               struct arena *a);

/* farm_end.c */
/** farm_finish(w): without faults, until everything has ended, and judge that. */
void farm_finish(struct world *w);

/* farm_target.c */
void farm_link(struct world *w);
/** farm_work(w): do what was asked, with or without faults. */
void farm_work(struct world *w);
/** farm_lost(w): rotate, or core, has ended: what runs is done or not, and nobody hears.
 */
void farm_lost(struct world *w);
/** farm_works(w, name, value): does it open the account? */
bool farm_works(struct world *w, const char *name, const char *value);

/* farm_oracle.c */
/** farm_judge(w, i): what must be true of a secret at any time. */
void farm_judge(struct world *w, int i);
/** farm_judge_retire(w, i, call): may the old value go? */
void farm_judge_retire(struct world *w, int i, const struct value *request);
/** farm_judge_end(w): what must be true when everything has ended. */
void farm_judge_end(struct world *w);
void farm_observe(struct world *w, int i);

#endif
