/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MACHINE_H
#define SERVER_CORE_MACHINE_H
/*
 * machine - an attempt goes from state to state (the diagram is in rotation.h).
 *
 * Rules that make every crash harmless: the new value is stored before its first use; the
 * intent to call is stored before the call leaves (step.h: after COMMIT); what a call did
 * is asked by `probe`, which changes nothing, whenever it is not known; publishing is one
 * transaction; the old value is revoked only when nobody needs it, or by stated policy;
 * one attempt id from the first to the last.
 *
 * Both values of an attempt are payloads of their own (a data key each) from "generated"
 * to its end, so that trimming the secret's versions takes nothing from it.
 */
#include "rotation.h"
#include "target.h"

#define MACHINE_PATIENCE_MS \
	(3ll * 3600 * 1000) /* retries of one step go on for so long */

/* No wait of an attempt is longer, but that for the end of an old value. */
#define MACHINE_RETRY_MAX_MS  (15ll * 60 * 1000)
#define MACHINE_RETIRE_MAX_MS (60ll * 60 * 1000)

/* Everything that a transition needs. */
struct machine {
	struct core *c;
	struct arena *a;
	struct rotation_attempt t;
	struct rotation_rule rule;
	struct kv_secret s;
	struct target target; /* if has_target */
	bool has_target;
};

/** machine_open(m, c, a, t, e): load rule, secret and target of ${t}.  ERR_NOENT: the
 * secret is gone. */
int machine_open(struct machine *m, struct core *c, struct arena *a,
                 const struct rotation_attempt *t, struct err *e) MUST_CHECK;
/** machine_advance(m, e): the next transition, or the next call, of an attempt whose time
 * has come. */
int machine_advance(struct machine *m, struct err *e) MUST_CHECK;
/** rotation_step_done(…): a step_done_fn: what the target has said. */
int rotation_step_done(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                       const struct step_result *r, struct err *e) MUST_CHECK;

/* --- machine.c: transitions --- */

/** machine_go(m, state, e): enter a state, at once to be acted upon. */
int machine_go(struct machine *m, enum attempt_state state, struct err *e) MUST_CHECK;
/** machine_retry(m, why, e): the same again later, or held when that has gone on for too
 * long. */
int machine_retry(struct machine *m, const char *why, struct err *e) MUST_CHECK;
/** machine_hold(m, why, e): an operator has to decide.  Where nothing has happened at the
 * target yet the attempt fails instead. */
int machine_hold(struct machine *m, const char *why, struct err *e) MUST_CHECK;
/** machine_hold_now(m, why, e): the same wherever it is. */
int machine_hold_now(struct machine *m, const char *why, struct err *e) MUST_CHECK;
/** machine_end(m, state, e): it is over. */
int machine_end(struct machine *m, enum attempt_state state, struct err *e) MUST_CHECK;
/** machine_end_early(m, state, e): the same before the target was asked; what an earlier
 * attempt has left there is retired first. */
int machine_end_early(struct machine *m, enum attempt_state state, struct err *e)
	MUST_CHECK;
/** machine_propagated(m, e): nobody is waited for any more, or the deadline has come. */
int machine_propagated(struct machine *m, struct err *e) MUST_CHECK;
/** machine_room(m, ok, e): may it start to work now? */
int machine_room(struct machine *m, bool *ok, struct err *e) MUST_CHECK;

/* --- machine_call.c --- */

/** machine_ask(m, op, e): call the rotator; stores the attempt. */
int machine_ask(struct machine *m, const char *op, struct err *e) MUST_CHECK;
/** machine_has_admin(m): has the target an administrator beside the account itself? */
bool machine_has_admin(const struct machine *m);
/** machine_is_admins(m): is it that administrator's own credential? */
bool machine_is_admins(const struct machine *m);
/** machine_creates(m): does the target make the value, not we? */
bool machine_creates(const struct machine *m);

/* --- machine_value.c --- */

/** machine_generate(m, e): make the new value and keep it with the old one. */
int machine_generate(struct machine *m, struct err *e) MUST_CHECK;
/** machine_account(m, e): set m->t.account: whose value would be made. */
int machine_account(struct machine *m, struct err *e) MUST_CHECK;
enum machine_slot { SLOT_NEW = 1, SLOT_OLD = 2 };
/** machine_value(m, slot, out, e): the data of the new or the old version. */
int machine_value(struct machine *m, enum machine_slot slot, struct value **out,
                  struct err *e) MUST_CHECK;
/** machine_take(m, fields, e): the target has made these. machine_taken(m, taken, e): has
 * it? */
int machine_taken(struct machine *m, bool *taken, struct err *e) MUST_CHECK;
int machine_take(struct machine *m, const struct value *fields, struct err *e) MUST_CHECK;
/** machine_forget(m, e): destroy both. machine_forget_values(): the same by the attempt's
 * id. */
int machine_forget(struct machine *m, struct err *e) MUST_CHECK;
int machine_forget_values(struct core *c, const unsigned char attempt[16], struct err *e)
	MUST_CHECK;
/** machine_phased(t): are there several publications? */
bool machine_phased(const struct rotation_attempt *t);

/* --- machine_publish.c --- */

/** machine_publish(m, e): the new value becomes the current version, the holders are
 * counted.  ERR_CONFLICT: somebody else has written a value meanwhile; ERR_INVALID,
 * ERR_TOO_BIG: it cannot be.  On failure m->t is as before. */
int machine_publish(struct machine *m, struct err *e) MUST_CHECK;
/** machine_unpublish(m, e): the old value becomes the current version again. */
int machine_unpublish(struct machine *m, struct err *e) MUST_CHECK;
/* Has somebody put the old value back by hand, in a version after the attempt's? */
enum machine_back { BACK_NOT, BACK_PARTLY, BACK_ALL };
/** machine_back(m, now, out, e): *now: that version's data. */
int machine_back(struct machine *m, struct value **now, enum machine_back *out,
                 struct err *e) MUST_CHECK;
/** machine_erase_old(m, e): the old version's payload is destroyed: it opens nothing any
 * more. */
int machine_erase_old(struct machine *m, struct err *e) MUST_CHECK;

#endif
