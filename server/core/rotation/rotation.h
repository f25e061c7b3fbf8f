/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_H
#define SERVER_CORE_ROTATION_H
/*
 * rotation - replacing a secret's value by a rule, and knowing when every holder has it.
 *
 * KIND_ROTATION (id = secret id): the rule, the schedule and which attempt is under way.
 * KIND_ATTEMPT (parent = secret id, due = deadline while it is under way):
 *
 *   claimed -> propagating (reported as "published") -> converged | late
 *
 * The strategy is `generate`: there is no target to set, so claiming, generating and
 * publishing are one transaction and no crash can come between them.  Holders are the
 * leases that were alive at the publication; each of them remembers the attempt and what
 * it wants. Everything needed to go on is in these rows: a restart changes nothing.
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
#define ROTATION_FIELD_MAX      256u
#define ROTATION_KEEP           10  /* ended attempts kept per secret */
#define ROTATION_FREEZE         500 /* holders written down when an attempt ends */

struct rotation_rule {
	struct store_object o; /* version 0: not stored */
	bool configured;       /* by an operator; else only its attempts are remembered */
	const char *path;
	const char *field; /* "": the only field, or "password" */
	struct generate_rule gen;
	int64_t timeout_ms;
	struct schedule schedule;
	int64_t last_slot, next_slot;
	const char *problem;       /* why the last scheduled run did nothing; "" */
	unsigned char attempt[16]; /* the newest */
	bool has_attempt;
};

enum attempt_state {
	ATTEMPT_CLAIMED,
	ATTEMPT_PROPAGATING,
	ATTEMPT_CONVERGED,
	ATTEMPT_LATE
};

struct rotation_attempt {
	struct store_object o;
	const char *path;
	const char *cause; /* "request" or "schedule" */
	enum attempt_state state;
	int64_t version, previous;
	int64_t started_ms, deadline_ms, ended_ms;
	int64_t boot_start_ms, boot_due_ms;
	int64_t holders, waiting, applied;
	int64_t bits;
	bool marking; /* holders are still being counted */
	const struct value
		*frozen; /* report of the holders as it was at the end, or NULL */
	const struct value *readers; /* the same for readers through the plain API */
};

/** rotation_rule_load(c, a, secret_id, out, e): the rule, or the default one (version 0).
 */
int rotation_rule_load(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct rotation_rule *out, struct err *e) MUST_CHECK;
int rotation_rule_read(struct arena *a, const struct store_object *o,
                       struct rotation_rule *out, struct err *e) MUST_CHECK;
int rotation_rule_save(struct core *c, struct arena *a, struct rotation_rule *rule,
                       struct err *e) MUST_CHECK;
/** rotation_rule_plan(rule, now): set the next slot and the timer from the schedule. */
void rotation_rule_plan(struct rotation_rule *rule, int64_t now);
/** rotation_rule_field(rule, data, field, e): which field of ${data} is made anew. */
int rotation_rule_field(const struct rotation_rule *rule, const struct value *data,
                        struct arena *a, const char **field, struct err *e) MUST_CHECK;

int rotation_attempt_load(struct core *c, struct arena *a, const unsigned char id[16],
                          struct rotation_attempt *out, struct err *e) MUST_CHECK;
int rotation_attempt_read(struct arena *a, const struct store_object *o,
                          struct rotation_attempt *out, struct err *e) MUST_CHECK;
int rotation_attempt_save(struct core *c, struct arena *a, struct rotation_attempt *t,
                          struct err *e) MUST_CHECK;
static inline bool rotation_ended(const struct rotation_attempt *t)
{
	return t->state == ATTEMPT_CONVERGED || t->state == ATTEMPT_LATE;
}

struct rotation_order {
	int64_t timeout_ms; /* 0: the rule's */
	const char *cause;
	const char *request_id;
	const char *actor;
};
/** rotation_start(c, a, secret_id, order, out, e): make a new value and publish it.
 * ERR_INVALID names an attempt that is still under way; ERR_NOENT if the secret has no
 * current version. */
int rotation_start(struct core *c, struct arena *a, const unsigned char secret_id[32],
                   const struct rotation_order *order, struct rotation_attempt *out,
                   struct err *e) MUST_CHECK;
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

/* Leases report. */
/** rotation_publishing(c, a, secret_id, attempt, found, e): the attempt that publishes
 * right now. */
int rotation_publishing(struct core *c, struct arena *a,
                        const unsigned char secret_id[32], unsigned char attempt[16],
                        bool *found, struct err *e) MUST_CHECK;
struct rotation_marked {
	int64_t holders, waiting;
	bool more; /* others follow */
};
/** rotation_holders(c, a, attempt, m, e): so many leases were counted. */
int rotation_holders(struct core *c, struct arena *a, const unsigned char attempt[16],
                     const struct rotation_marked *m, struct err *e) MUST_CHECK;
/** rotation_settled(c, a, attempt, applied, e): one holder need not be waited for any
 * more. */
int rotation_settled(struct core *c, struct arena *a, const unsigned char attempt[16],
                     bool applied, struct err *e) MUST_CHECK;

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
