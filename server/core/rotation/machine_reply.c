/* SPDX-License-Identifier: Apache-2.0 */
/* machine_reply - what a target has said, and what follows from it. */
#include <string.h>

#include "arena.h"
#include "machine.h"
#include "mutant.h"
#include "rotation_event.h"

#define VALUES_MAX   3 /* a target may refuse so many */
#define RETIRE_TRIES 3 /* then it is late */
#define RETIRE_MS    5000

static bool done(const struct step_result *r)
{
	return r->outcome == STEP_REPLY && r->status != STEP_ERROR;
}

static const char *why(const struct step_result *r)
{
	if (r->outcome == STEP_UNKNOWN)
		return r->reason != NULL ? r->reason : "";
	return r->message != NULL ? r->message : "";
}

static bool is_class(const struct step_result *r, enum step_class class)
{
	return r->outcome == STEP_REPLY && r->status == STEP_ERROR && r->class == class;
}

/* Not before the time that the target has asked for. */
static int again(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc = machine_retry(m, why(r), e);

	if (rc != ERR_OK || r->retry_after_ms <= 0 || m->t.state == ATTEMPT_HELD ||
	    m->t.next_ms >= m->c->now_ms + r->retry_after_ms)
		return rc;
	m->t.next_ms = m->c->now_ms + r->retry_after_ms;
	return rotation_attempt_save(m->c, m->a, &m->t, e);
}

static int count_failure(struct machine *m, struct err *e)
{
	target_failed(m->c, &m->target);
	return target_save(m->c, m->a, &m->target, e);
}

/* What a probe has cost: a login that works makes most targets forget those of the same
 * account that did not. */
static int count_probe(struct machine *m, const struct step_result *r, struct err *e)
{
	const enum step_probe said[] = { r->pending, r->current, r->previous };
	bool any = false;
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		any = any || said[i] == STEP_PROBE_VALID;
		n += said[i] == STEP_PROBE_INVALID;
	}
	if (any && m->t.strategy != STRATEGY_DUAL_USER)
		n = r->pending == STEP_PROBE_INVALID;
	for (int i = 0; i < n; i++)
		target_failed(m->c, &m->target);
	return n > 0 ? target_save(m->c, m->a, &m->target, e) : ERR_OK;
}

/* The target does not take this value: make another one. */
static int other_value(struct machine *m, const char *said, struct err *e)
{
	int rc;

	m->t.error = arena_str(m->a, said);
	m->t.refused = m->t.lost = false;
	if (m->t.values >= VALUES_MAX) {
		m->t.giving_up = m->t.uncertain = true;
		return machine_retry(m, m->t.error, e);
	}
	if ((rc = machine_generate(m, e)) != ERR_OK)
		return rc == ERR_INVALID ? machine_hold(m, arena_str(m->a, e->msg), e)
		                         : rc;
	/* Where the old value is dead, there is no way back to before the target was
	 * asked. */
	return machine_go(m, m->t.forced ? ATTEMPT_SETTING : ATTEMPT_GENERATED, e);
}

/* ---- setting ---- */

static int was_created(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (r->fields == NULL || r->fields->first == NULL)
		return machine_hold(
			m,
			"the rotator says that it has made a value, but sends "
			"none",
			e);
	rc = machine_take(m, r->fields, e);
	if (rc == ERR_INVALID || rc == ERR_TOO_BIG)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	return rc == ERR_OK ? machine_go(m, ATTEMPT_SET, e) : rc;
}

/* One that takes several values at once may have this one by an earlier call: another
 * would leave it there. */
static int value_refused(struct machine *m, const struct step_result *r, struct err *e)
{
	bool new = m->t.tries == 0 && !m->t.lost;
	int rc;

	/* The rotator has tried to log in with what it may have set before. */
	if (!new && (rc = count_failure(m, e)) != ERR_OK)
		return rc;
	if (m->t.strategy != STRATEGY_DUAL_KEY || m->t.refused || (new && !m->t.forced))
		return other_value(m, why(r), e);
	m->t.refused = m->t.uncertain = true;
	return again(m, r, e);
}

static int was_set(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (done(r))
		return machine_creates(m)
		               ? was_created(m, r, e)
		               : machine_go(m,
		                            MUTANT(MUTANT_UNTESTED) ? ATTEMPT_TESTED
		                                                    : ATTEMPT_SET,
		                            e);
	if (MUTANT(MUTANT_UNKNOWN_FAILS) && r->outcome == STEP_UNKNOWN)
		return machine_end(m, ATTEMPT_FAILED, e);
	if (r->outcome == STEP_UNKNOWN && !r->started && m->t.tries == 0)
		m->t.uncertain = false;
	/* A value may have been made.  That outlives what operators decide, and what the
	 * target refuses afterwards. */
	if (machine_creates(m) &&
	    ((r->outcome == STEP_UNKNOWN && r->started) || is_class(r, STEP_RETRYABLE)))
		m->t.lost = true;
	if (is_class(r, STEP_REJECTED_VALUE) && !machine_creates(m))
		return value_refused(m, r, e);
	if (is_class(r, STEP_AUTH)) {
		rc = count_failure(m, e);
		return rc == ERR_OK ? machine_hold(m, why(r), e) : rc;
	}
	if (is_class(r, STEP_PERMANENT) || is_class(r, STEP_REJECTED_VALUE)) {
		/* an earlier call may have */
		if (machine_creates(m) && m->t.lost)
			return machine_hold(m, why(r), e);
		if (machine_creates(m)) {
			m->t.error = arena_str(m->a, why(r));
			return machine_end(m, ATTEMPT_FAILED, e);
		}
		m->t.giving_up = true;
	}
	return again(m, r, e);
}

/* Which of the values works decides; nothing is concluded from what is not known. */
static int was_probed(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (!done(r))
		return is_class(r, STEP_PERMANENT) ? machine_hold(m, why(r), e)
		                                   : again(m, r, e);
	if ((rc = count_probe(m, r, e)) != ERR_OK)
		return rc;
	if (r->pending == STEP_PROBE_VALID)
		return machine_go(m, ATTEMPT_SET, e);
	if (m->t.refused && r->pending == STEP_PROBE_INVALID)
		return other_value(m, m->t.error, e);
	if ((r->pending == STEP_PROBE_UNKNOWN ||
	     (r->current == STEP_PROBE_UNKNOWN && !m->t.forced)) &&
	    !MUTANT(MUTANT_PROBE_GUESSED))
		return machine_retry(m, "the target does not say which value it has", e);
	/* Forced, and nothing to log in with: there never was an old value of ours. */
	if (m->t.giving_up && (r->current == STEP_PROBE_VALID ||
	                       (m->t.forced && r->current == STEP_PROBE_UNKNOWN)))
		return machine_end(m, ATTEMPT_FAILED, e);
	if (r->current == STEP_PROBE_VALID || (m->t.forced && !m->t.giving_up) ||
	    (r->previous == STEP_PROBE_VALID && machine_has_admin(m))) {
		m->t.uncertain = false;
		return machine_retry(m, m->t.error, e);
	}
	return machine_hold(m,
	                    "neither the new nor the old value works at the target: "
	                    "'vaultctl rotation adopt' sets a fresh one by its "
	                    "administrator",
	                    e);
}

static int was_checked(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (!done(r))
		return again(m, r, e);
	if ((rc = count_probe(m, r, e)) != ERR_OK)
		return rc;
	m->rule.unchecked = m->rule.unchecked && r->current == STEP_PROBE_UNKNOWN;
	if (r->current == STEP_PROBE_VALID && strcmp(m->t.cause, "check") == 0)
		return machine_end(m, ATTEMPT_CONVERGED, e);
	if (r->current == STEP_PROBE_VALID) {
		rc = rotation_rule_save(m->c, m->a, &m->rule, e);
		return rc == ERR_OK ? machine_go(m, ATTEMPT_CLAIMED, e) : rc;
	}
	if (r->current == STEP_PROBE_UNKNOWN)
		return machine_retry(m, "the target does not say which value it has", e);
	if ((rc = rotation_rule_save(m->c, m->a, &m->rule, e)) != ERR_OK)
		return rc;
	return machine_hold_now(
		m,
		"the stored value does not work at the target: 'vaultctl rotation adopt' "
		"sets a fresh one by its administrator",
		e);
}

/* ---- testing ---- */

/* It is set, and bad. */
static int test_failed(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc = is_class(r, STEP_AUTH) ? count_failure(m, e) : ERR_OK;

	m->t.error = arena_str(m->a, why(r));
	m->t.undone = false;
	return rc == ERR_OK ? machine_go(m, ATTEMPT_REVERTING, e) : rc;
}

static int was_tested(struct machine *m, const struct step_result *r, struct err *e)
{
	if (done(r))
		return machine_go(m, ATTEMPT_TESTED, e);
	if (r->outcome == STEP_UNKNOWN || is_class(r, STEP_RETRYABLE))
		return again(m, r, e);
	return test_failed(m, r, e);
}

/* ---- taking back ---- */

static int end_undone(struct machine *m, struct err *e)
{
	return machine_end(m, m->t.undo_published ? ATTEMPT_REVERTED : ATTEMPT_FAILED, e);
}

static int undo_probed(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (!done(r))
		return again(m, r, e);
	if ((rc = count_probe(m, r, e)) != ERR_OK)
		return rc;
	if (r->current == STEP_PROBE_VALID)
		return end_undone(m, e);
	if (r->current == STEP_PROBE_UNKNOWN)
		return machine_retry(m, "the target does not say which value it has", e);
	return machine_hold(m, "the old value was set back, and does not work", e);
}

/* What the target had made, or has made now, is known: it can be retired. */
static int undo_created(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (r->outcome == STEP_UNKNOWN || is_class(r, STEP_RETRYABLE))
		return again(m, r, e);
	if (!done(r) || r->fields == NULL || r->fields->first == NULL)
		return machine_hold(m, done(r) ? "the rotator sends no value" : why(r),
		                    e);
	rc = machine_take(m, r->fields, e);
	if (rc == ERR_INVALID || rc == ERR_TOO_BIG)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	return rc == ERR_OK ? machine_go(m, ATTEMPT_REVERTING, e) : rc;
}

static int was_undone(struct machine *m, const struct step_result *r, struct err *e)
{
	int rc;

	if (strcmp(m->t.op, "probe") == 0)
		return undo_probed(m, r, e);
	if (strcmp(m->t.op, "create") == 0)
		return undo_created(m, r, e);
	if (done(r) && m->t.strategy != STRATEGY_SINGLE)
		return end_undone(m, e);
	if (done(r)) {
		m->t.undone = true;
		return machine_go(m, ATTEMPT_REVERTING, e);
	}
	/* Targets with a memory of old passwords refuse them. */
	if (is_class(r, STEP_REJECTED_VALUE) && m->t.values < VALUES_MAX) {
		m->t.forced = true;
		return other_value(m, why(r), e);
	}
	if (r->outcome == STEP_UNKNOWN || is_class(r, STEP_RETRYABLE))
		return again(m, r, e);
	if (is_class(r, STEP_AUTH) && (rc = count_failure(m, e)) != ERR_OK)
		return rc;
	return machine_hold(m, why(r), e);
}

/* ---- retiring ---- */

static int was_retired(struct machine *m, const struct step_result *r, struct err *e)
{
	int64_t wait = RETIRE_MS;
	int rc;

	if (done(r)) {
		if ((rc = machine_erase_old(m, e)) != ERR_OK)
			return rc;
		return machine_end(m, m->t.overdue ? ATTEMPT_LATE : ATTEMPT_CONVERGED, e);
	}
	m->t.error = arena_dup(m->a, why(r), strnlen(why(r), 256));
	m->t.tries++;
	m->t.op = "";
	for (int64_t i = 1; i < m->t.tries && wait < MACHINE_RETIRE_MAX_MS; i++)
		wait *= 2;
	m->t.next_ms = m->c->now_ms +
	               (wait < MACHINE_RETIRE_MAX_MS ? wait : MACHINE_RETIRE_MAX_MS);
	if (m->t.tries >= RETIRE_TRIES && m->t.state == ATTEMPT_RETIRING) {
		m->t.state = ATTEMPT_RETIRE_LATE;
		core_wake(m->c, WAIT_ATTEMPT, m->t.o.id);
		if ((rc = rotation_event(m->c, m->a, &m->t, EVENT_RETIRE_LATE, e)) !=
		    ERR_OK)
			return rc;
	}
	if ((rc = rotation_attempt_save(m->c, m->a, &m->t, e)) != ERR_OK)
		return rc;
	return rotation_record(m->c, m->a, &m->t, NULL, "error", e);
}

/* ---- all of them ---- */

static int heard(struct machine *m, const struct step_result *r, struct err *e)
{
	switch (m->t.state) {
	case ATTEMPT_CHECKING:
		return was_checked(m, r, e);
	case ATTEMPT_SETTING:
		return strcmp(m->t.op, "probe") == 0 ? was_probed(m, r, e)
		                                     : was_set(m, r, e);
	case ATTEMPT_SET:
		return was_tested(m, r, e);
	case ATTEMPT_REVERTING:
		return was_undone(m, r, e);
	case ATTEMPT_RETIRING:
	case ATTEMPT_RETIRE_LATE:
		return was_retired(m, r, e);
	default: /* aborted meanwhile */
		return ERR_OK;
	}
}

int rotation_step_done(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                       const struct step_result *r, struct err *e)
{
	struct rotation_attempt t;
	struct machine m;
	int rc = rotation_attempt_load(c, a, id, &t, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && (rotation_ended(&t) || t.op[0] == '\0')))
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	rc = machine_open(&m, c, a, &t, e);
	if (rc == ERR_NOENT) {
		m.t.error = "the secret is gone";
		return machine_end(&m, ATTEMPT_ABORTED, e);
	}
	return rc == ERR_OK ? heard(&m, r, e) : rc;
}
