/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_H
#define SERVER_CORE_ROTATION_H
/*
 * rotation - replacing a secret's value by a rule, at its target too, and knowing when
 * every holder has it.
 *
 * KIND_ROTATION (id = secret id): the rule, the schedule and which attempt is the newest.
 * KIND_ATTEMPT (parent = secret id, tag = target id, due = when it is looked at again):
 *
 *   claimed -> generated -> setting -> set -> tested -> published -> retiring ->
 * converged |            |        |        |          |            +-> retire-late
 *                 +--> aborted +--------+--------+          +-> reverting -> reverted
 *                                  reverting -> failed           any -> held
 *
 * Each arrow is one transaction with its audit record, and everything needed to go on is
 * in these rows: after a crash the machine (machine.h) looks at the state, asks the
 * target by `probe` what the world is like, and goes on.  What it makes is stored before
 * it is used, and what it is about to do is stored before it is done.
 *
 * A rule without a target has nothing to set: claiming, generating and publishing are one
 * transaction.  Holders are the leases that were alive at the publication; each of them
 * remembers the attempt and what it wants.
 */
#include <stdbool.h>
#include <stdint.h>

#include "generate.h"
#include "kv.h"
#include "req.h"
#include "schedule.h"
#include "store.h"

#define ROTATION_TIMEOUT_MS     60000
#define ROTATION_TIMEOUT_MAX_MS (24ll * 3600 * 1000)
#define ROTATION_GRACE_MS       10000 /* unless said otherwise, where values overlap */
#define ROTATION_GRACE_MAX_MS   (400ll * 24 * 3600 * 1000)
#define ROTATION_LEAK_MS        (2ll * 60 * 1000) /* deadline after a leak */
#define ROTATION_FIELD_MAX      256u
#define ROTATION_KEEP           10  /* ended attempts kept per secret */
#define ROTATION_FREEZE         500 /* holders written down when an attempt ends */
#define ROTATION_RECENT         10  /* values that are not made again */

/* The problem of a rule whose secret people have to replace. */
#define ROTATION_DUE_TEXT "due: a new version is to be written"

/* How a value is replaced without an outage depends on what the target can do. */
enum rotation_strategy {
	STRATEGY_GENERATE,  /* no target: only the consumers use it */
	STRATEGY_SINGLE,    /* one account: setting the new value ends the old one */
	STRATEGY_DUAL_USER, /* two accounts that take turns */
	STRATEGY_DUAL_KEY,  /* the target accepts two values at once */
	STRATEGY_VERIFY_THEN_SIGN, /* consumers learn the new one before anybody uses it
	                            */
	STRATEGY_REISSUE,          /* each value lives for its own time: certificates */
	STRATEGY_MANUAL,           /* people replace it: they are only reminded */
	STRATEGY__MAX
};

/* What happens when not every holder has applied the new value by the deadline. */
enum rotation_policy {
	POLICY_WAIT,    /* the old value stays valid until they have */
	POLICY_PROCEED, /* the old value is retired all the same */
	POLICY_REVERT,  /* everyone goes back to the old value */
	POLICY__MAX
};

/** rotation_strategy_name(s), rotation_policy_name(p): as the API writes them.
 * rotation_strategy_of(name, out), rotation_policy_of(): 0, or -1 for no such name. */
const char *rotation_strategy_name(enum rotation_strategy s);
const char *rotation_policy_name(enum rotation_policy p);
int rotation_strategy_of(const char *name, enum rotation_strategy *out);
int rotation_policy_of(const char *name, enum rotation_policy *out);
/** rotation_overlaps(s): are old and new value valid at the same time for a while? */
static inline bool rotation_overlaps(enum rotation_strategy s)
{
	return s == STRATEGY_DUAL_USER || s == STRATEGY_DUAL_KEY ||
	       s == STRATEGY_VERIFY_THEN_SIGN || s == STRATEGY_REISSUE;
}

enum rotation_alarm {
	ALARM_JUMPED = 1,  /* more than one period has passed at once */
	ALARM_AHEAD = 2,   /* the last slot is yet to come: the clock was moved back */
	ALARM_OVERDUE = 4, /* the value is older than max_age */
};

struct rotation_rule {
	struct store_object o; /* version 0: not stored */
	bool configured;       /* by an operator; else only its attempts are remembered */
	const char *path;
	const char *field; /* "": the only field, or "password" */
	struct generate_rule gen;
	enum rotation_strategy strategy;
	enum rotation_policy policy;
	const char *target; /* its name; "": none */
	unsigned char target_id[32];
	const struct value *accounts; /* array of one or two names, or NULL */
	const char *username_field;   /* that holds the account's name */
	const struct value *config; /* for the rotator, laid over the target's; or NULL */
	int64_t timeout_ms;
	int64_t grace_ms; /* how long the old value stays valid when all have the new one
	                   */
	struct schedule schedule;
	bool scheduled;                 /* there is a schedule */
	const struct value *unreadable; /* one whose zone is not on this system: kept, not
	                                   run; or NULL */
	int64_t last_slot;              /* decided up to here */
	int64_t next_slot, next_ms;     /* planned: the slot and its moment; 0: none */
	int64_t missed;                 /* slots that nobody ran */
	unsigned raised, alarms;        /* what the last plan has found wrong, and what of
	                                   it was told: bits of enum rotation_alarm */
	int64_t rotated_ms;             /* when the value was last replaced; 0: never */
	int64_t due_since;   /* STRATEGY_MANUAL: the slot that nobody has met yet; 0: none
	                      */
	bool paused;         /* no scheduled runs */
	bool unchecked;      /* the vault was set back: ask the target first */
	int64_t failed_runs; /* in a row */
	const char *problem; /* why the last scheduled run did nothing; "" */
	const struct value *recent; /* bytes: 16 per value that was made, newest last */
	unsigned char attempt[16];  /* the newest */
	bool has_attempt;
};

enum attempt_state {
	ATTEMPT_CLAIMED,   /* waits for its turn */
	ATTEMPT_CHECKING,  /* asks whether the current value still works; changes nothing
	                    */
	ATTEMPT_GENERATED, /* the new value is stored, nobody has seen it */
	ATTEMPT_SETTING,   /* the target may have it */
	ATTEMPT_SET,       /* the target has it */
	ATTEMPT_TESTED,    /* it works */
	ATTEMPT_PROPAGATING, /* it is the current version; holders are waited for */
	ATTEMPT_RETIRING,    /* the old value is to be revoked */
	ATTEMPT_RETIRE_LATE, /* that failed; it is tried again */
	ATTEMPT_REVERTING,   /* the new value is taken back */
	ATTEMPT_HELD,        /* an operator has to decide */
	ATTEMPT_CONVERGED,
	ATTEMPT_LATE,
	ATTEMPT_FAILED,   /* the old value is the valid one */
	ATTEMPT_REVERTED, /* the old value is the valid one again */
	ATTEMPT_ABORTED,
	ATTEMPT__MAX
};

struct rotation_attempt {
	struct store_object o;
	const char *path;
	const char *cause; /* "request", "schedule", "leak", "check" */
	enum rotation_strategy strategy;
	enum rotation_policy policy;
	enum attempt_state state, held_from;
	int64_t version, previous;
	int64_t started_ms, deadline_ms, ended_ms;
	int64_t timeout_ms, grace_ms;
	int64_t boot_start_ms, boot_due_ms;
	int64_t holders, waiting, applied;
	int64_t rejected; /* of those that wait: they have refused the new version */
	int64_t counting; /* which version they are counted for */
	int64_t tallied;  /* in waiting and applied, but not in the row: rotation_tally.h
	                   */
	int64_t bits;
	int64_t aged_ms;     /* when the old value had come; 0: not known */
	int64_t created_ms;  /* of the payloads that keep the values; 0: there are none */
	bool marking;        /* holders are still being counted */
	bool publishing;     /* within the transaction that does */
	bool overdue;        /* the deadline has passed with holders missing */
	bool undo_published; /* reverting: the old value is the current version again */
	bool stragglers;     /* held: holders have not gone back to it; when they have, it
	                        goes on */
	bool undone;         /* reverting: the target says that it did */
	bool spared;         /* until next_ms: the target is left alone */
	bool uncertain;      /* what the last call did is not known: probe first */
	bool lost;           /* a call was under way when core ended, or a create ended
	                        without saying whether it made a value */
	bool refused;        /* the target said no to a value that it may have already */
	bool inherits;       /* it took the place of one whose old value still works */
	bool alone;      /* it is of the target's administrator, as whom others log in */
	bool forced;     /* set it although the old value does not work */
	bool giving_up;  /* the target refuses for good: find out what it has, and end */
	int64_t phase;   /* of STRATEGY_VERIFY_THEN_SIGN: 1 announce, 2 use, 3 forget */
	int64_t tries;   /* in this state */
	int64_t values;  /* how many were made: a target may refuse one */
	int64_t next_ms; /* not before; 0: at once */
	int64_t offset_ms, life; /* what its times are by: see rotation_clock_mark() */
	int64_t hold_ms;         /* when retrying ends */
	int64_t until_ms;        /* end of the window in which it may begin; 0: none */
	const char *op;          /* what was asked of the target last; "" */
	const char *account;     /* whose value it is; "" */
	const char *error;       /* the newest, without values; "" */
	const struct value
		*frozen; /* report of the holders as it was at the end, or NULL */
	const struct value *readers; /* the same for readers through the plain API */
};

/** rotation_rule_load(c, a, secret_id, out, e): the rule, or the default one (version 0).
 */
int rotation_rule_load(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct rotation_rule *out, struct err *e) MUST_CHECK;
int rotation_rule_read(struct core *c, struct arena *a, const struct store_object *o,
                       struct rotation_rule *out, struct err *e) MUST_CHECK;
int rotation_rule_save(struct core *c, struct arena *a, struct rotation_rule *rule,
                       struct err *e) MUST_CHECK;
/** rotation_rule_past(rule): what the schedule has to know. */
struct schedule_past rotation_rule_past(const struct rotation_rule *rule);
/** rotation_rule_plan(rule, now, stepped): set the next slot and the timer from the
 * schedule; true: its time is now, and *end is that of its window (0: none). */
bool rotation_rule_plan(struct rotation_rule *rule, int64_t now, bool stepped,
                        int64_t *end);
/** rotation_rule_field(rule, data, field, e): which field of ${data} is made anew. */
int rotation_rule_field(const struct rotation_rule *rule, const struct value *data,
                        struct arena *a, const char **field, struct err *e) MUST_CHECK;

int rotation_attempt_load(struct core *c, struct arena *a, const unsigned char id[16],
                          struct rotation_attempt *out, struct err *e) MUST_CHECK;
int rotation_attempt_read(struct core *c, struct arena *a, const struct store_object *o,
                          struct rotation_attempt *out, struct err *e) MUST_CHECK;
int rotation_attempt_save(struct core *c, struct arena *a, struct rotation_attempt *t,
                          struct err *e) MUST_CHECK;
static inline bool rotation_ended(const struct rotation_attempt *t)
{
	return t->state >= ATTEMPT_CONVERGED;
}
/** rotation_stage(t): where it is, or was when it was held. */
static inline enum attempt_state rotation_stage(const struct rotation_attempt *t)
{
	return t->state == ATTEMPT_HELD ? t->held_from : t->state;
}
/** rotation_answerable(t): whoever waits for the rotation learns no more by waiting: it
 * has ended, is held, or all that is left is to retire the old value later. */
bool rotation_answerable(const struct rotation_attempt *t);
/** rotation_record(c, a, t, order, outcome, e): the audit record of a transition.
 * ${order} may be NULL. */
struct rotation_order;
int rotation_record(struct core *c, struct arena *a, const struct rotation_attempt *t,
                    const struct rotation_order *order, const char *outcome,
                    struct err *e) MUST_CHECK;

struct rotation_order {
	int64_t timeout_ms; /* 0: the rule's */
	const char *cause;
	const char *request_id;
	const char *actor;
	bool leak;        /* the value is known to others: no grace, a short deadline */
	int64_t until_ms; /* it may not begin later; 0: it may */
	bool check;       /* only ask the target whether the current value works */
	bool blind;       /* the current value does not work: it never was the target's */
};
/** rotation_start(c, a, secret_id, order, out, e): claim an attempt.  Without a target
 * the new value is published at once; with one the machine goes on by itself. ERR_INVALID
 * names an attempt that is still under way; ERR_NOENT if the secret has no current
 * version. */
int rotation_start(struct core *c, struct arena *a, const unsigned char secret_id[32],
                   const struct rotation_order *order, struct rotation_attempt *out,
                   struct err *e) MUST_CHECK;
/* What a rotation would do. */
struct rotation_plan {
	const char *account;
	int64_t version, holders;
	bool more; /* more holders than were counted */
};
/** rotation_plan(c, a, secret_id, out, e): without doing it; fails like rotation_start().
 */
int rotation_plan(struct core *c, struct arena *a, const unsigned char secret_id[32],
                  struct rotation_plan *out, struct err *e) MUST_CHECK;
/** rotation_judge(c, a, t, e): end an attempt whose deadline has come by the boot clock
 * (or by the wall clock, after a reboot). */
int rotation_judge(struct core *c, struct arena *a, struct rotation_attempt *t,
                   struct err *e) MUST_CHECK;

/** rotation_forget(c, a, secret_id, e): the secret is gone for good: so are its rule and
 * its attempts; who waits for one is run again. */
int rotation_forget(struct core *c, struct arena *a, const unsigned char secret_id[32],
                    struct err *e) MUST_CHECK;
/** rotation_moved(c, a, secret_id, path, e): the secret has another path now. */
int rotation_moved(struct core *c, struct arena *a, const unsigned char secret_id[32],
                   const char *path, struct err *e) MUST_CHECK;

/** rotation_may_write(c, a, secret_id, e): may somebody else write a version of this
 * secret?  ERR_INVALID while the target is being changed, or what it has is not known:
 * the new version would be replaced by what the target has.  An attempt that has not
 * asked the target yet is aborted. */
int rotation_may_write(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct err *e) MUST_CHECK;
/** rotation_may_drop(c, a, secret_id, e): may an operator who knows what the target has
 * drop this secret?  The same, but one that is held does not hinder. */
int rotation_may_drop(struct core *c, struct arena *a, const unsigned char secret_id[32],
                      struct err *e) MUST_CHECK;

/** rotation_written(c, a, secret_id, e): there is a new version, whoever wrote it: the
 * age of the value starts anew. */
int rotation_written(struct core *c, struct arena *a, const unsigned char secret_id[32],
                     struct err *e) MUST_CHECK;

/* What an operator may do with an attempt. */
enum rotation_verdict {
	VERDICT_RESUME, /* try again where it was held */
	VERDICT_LEAKED, /* its old value may be known to others: that ends now */
	VERDICT_ABORT,  /* take it back */
	VERDICT_FORGET, /* end it, whatever the target has */
	VERDICT_ADOPT,  /* set a fresh value by the target's administrator */
};
/** rotation_has_grace(t): is the new value in use, and the old one still valid? */
bool rotation_has_grace(const struct rotation_attempt *t);
/** rotation_decide(c, a, t, v, e): ERR_INVALID says why that cannot be done now. */
int rotation_decide(struct core *c, struct arena *a, struct rotation_attempt *t,
                    enum rotation_verdict v, struct err *e) MUST_CHECK;

/* The credential that a target's administrator logs in with. */
struct rotation_of_admin {
	unsigned char attempt[16]; /* its newest rotation */
	bool now;    /* is it changed now?  Whoever logs in may be refused */
	bool lately; /* … or was it since a call could have begun that ends now? */
};
/** rotation_of_admin(c, a, target, out, e): all false where it is in no secret. */
struct target;
int rotation_of_admin(struct core *c, struct arena *a, const struct target *target,
                      struct rotation_of_admin *out, struct err *e) MUST_CHECK;

/* Leases report. */
/** rotation_publishing(c, a, secret_id, attempt, found, e): the attempt that publishes
 * right now. */
int rotation_publishing(struct core *c, struct arena *a,
                        const unsigned char secret_id[32], unsigned char attempt[16],
                        bool *found, struct err *e) MUST_CHECK;
struct rotation_marked {
	int64_t version; /* that they are to have */
	int64_t holders, waiting;
	bool more; /* others follow */
};
/** rotation_holders(c, a, attempt, m, e): so many leases were counted. */
int rotation_holders(struct core *c, struct arena *a, const unsigned char attempt[16],
                     const struct rotation_marked *m, struct err *e) MUST_CHECK;
/** rotation_settled(c, a, attempt, version, applied, e): one holder need not be waited
 * for any more to have ${version}.  What was counted for another version, which the
 * attempt has published before, is left out here and there. */
int rotation_settled(struct core *c, struct arena *a, const unsigned char attempt[16],
                     int64_t version, bool applied, struct err *e) MUST_CHECK;

/** rotation_rejected(c, a, attempt, version, rejects, e): one holder that is waited for
 * has refused ${version}, or has not any more.  When nobody is left who may still take
 * it, the deadline is now. */
int rotation_rejected(struct core *c, struct arena *a, const unsigned char attempt[16],
                      int64_t version, bool rejects, struct err *e) MUST_CHECK;

/** rotation_spare_no_more(c, a, target, e): what waits because of failed logins at the
 * target with this id (32 bytes) goes on now. */
int rotation_spare_no_more(struct core *c, struct arena *a, const unsigned char *target,
                           struct err *e) MUST_CHECK;

/* Reports; the holders may be many, so they come in slices. */
struct rotation_report {
	struct value *holders; /* array */
	unsigned char after[16];
	bool started;
};
/** rotation_report_slice(c, a, t, rep, limit, done, e): ${limit} more leases. */
int rotation_report_slice(struct core *c, struct arena *a,
                          const struct rotation_attempt *t, struct rotation_report *rep,
                          int limit, bool *done, struct err *e) MUST_CHECK;
/** rotation_attempt_value(c, a, t, holders, out): fill ${out} with the report. */
void rotation_attempt_value(struct core *c, struct arena *a,
                            const struct rotation_attempt *t, struct value *holders,
                            struct value *out);
const char *rotation_state_name(enum attempt_state s);
/** rotation_freeze(c, a, t, e): write down the holders of an attempt that ends. */
int rotation_freeze(struct core *c, struct arena *a, struct rotation_attempt *t,
                    struct err *e) MUST_CHECK;

#endif
