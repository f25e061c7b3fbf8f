/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <string.h>

#include "arena.h"
#include "mutant.h"
#include "rng.h"
#include "rotation_event.h"
#include "rotation_state.h"

#define RETRY_MS      5000
#define RETRY_FAST_MS 1000 /* of a target whose only value may be dead already */
#define ROOM_MS       250
#define ERROR_MAX     256

int machine_open(struct machine *m, struct core *c, struct arena *a,
                 const struct rotation_attempt *t, struct err *e)
{
	int rc;

	memset(m, 0, sizeof(*m));
	m->c = c;
	m->a = a;
	m->t = *t;
	if ((rc = rotation_rule_load(c, a, t->o.parent, &m->rule, e)) != ERR_OK)
		return rc;
	if (m->rule.target[0] != '\0') {
		rc = target_load(c, a, m->rule.target_id, &m->target, e);
		if (rc != ERR_OK && rc != ERR_NOENT)
			return rc;
		m->has_target = rc == ERR_OK;
	}
	return kv_open_id(c, a, t->o.parent, &m->s, e);
}

static int save(struct machine *m, const char *outcome, struct err *e)
{
	int rc = rotation_attempt_save(m->c, m->a, &m->t, e);

	if (rc != ERR_OK || MUTANT(MUTANT_UNRECORDED))
		return rc;
	return rotation_record(m->c, m->a, &m->t, NULL, outcome, e);
}

int machine_go(struct machine *m, enum attempt_state state, struct err *e)
{
	m->t.state = state;
	m->t.tries = 0;
	m->t.next_ms = 0;
	m->t.uncertain = false;
	m->t.spared = false;
	m->t.stragglers = false;
	m->t.op = "";
	return save(m, "ok", e);
}

/* The text of an error, as far as it is kept. */
static const char *cut(struct machine *m, const char *text)
{
	char *s = arena_dup(m->a, text, strnlen(text, ERROR_MAX));

	return s != NULL ? s : "";
}

/* ---- ends ---- */

static bool before_target(enum attempt_state s)
{
	return s == ATTEMPT_CLAIMED || s == ATTEMPT_CHECKING || s == ATTEMPT_GENERATED;
}

int machine_end(struct machine *m, enum attempt_state state, struct err *e)
{
	bool good = state == ATTEMPT_CONVERGED || state == ATTEMPT_LATE;
	int rc;

	m->t.state = state;
	m->t.ended_ms = m->c->now_ms;
	m->t.op = "";
	if (good)
		m->t.error = "";
	core_wake(m->c, WAIT_ATTEMPT, m->t.o.id);
	if ((m->t.frozen == NULL &&
	     (rc = rotation_freeze(m->c, m->a, &m->t, e)) != ERR_OK) ||
	    (rc = machine_forget(m, e)) != ERR_OK)
		return rc;
	m->rule.failed_runs = good ? 0 : m->rule.failed_runs + 1;
	m->rule.problem = m->t.error;
	if ((rc = rotation_rule_save(m->c, m->a, &m->rule, e)) != ERR_OK)
		return rc;
	rotation_room_freed(m->c);
	rc = rotation_event_end(m->c, m->a, &m->t, e);
	return rc == ERR_OK ? save(m, state == ATTEMPT_CONVERGED ? "ok" : "error", e)
	                    : rc;
}

int machine_end_early(struct machine *m, enum attempt_state state, struct err *e)
{
	int rc;

	if (!m->t.inherits)
		return machine_end(m, state, e);
	/* The idle account is scrambled, and with it the value that was left alive. */
	m->t.inherits = false;
	if (m->t.created_ms == 0 && (rc = machine_generate(m, e)) != ERR_OK)
		return rc == ERR_INVALID || rc == ERR_TOO_BIG || rc == ERR_NOENT
		               ? machine_end(m, state, e)
		               : rc;
	m->t.undone = false;
	return machine_go(m, ATTEMPT_REVERTING, e);
}

int machine_hold(struct machine *m, const char *why, struct err *e)
{
	if (!before_target(m->t.state))
		return machine_hold_now(m, why, e);
	m->t.error = cut(m, why);
	return machine_end_early(m, ATTEMPT_FAILED, e);
}

int machine_hold_now(struct machine *m, const char *why, struct err *e)
{
	int rc;

	m->t.error = cut(m, why);
	m->t.held_from = m->t.state;
	m->t.state = ATTEMPT_HELD;
	core_wake(m->c, WAIT_ATTEMPT, m->t.o.id);
	rotation_room_freed(m->c);
	rc = rotation_event(m->c, m->a, &m->t, EVENT_HELD, e);
	return rc == ERR_OK ? save(m, "error", e) : rc;
}

/* Full jitter: anything up to twice the last, so that many do not come back together. */
static int64_t backoff(const struct machine *m, int64_t first, int64_t most)
{
	int64_t span = first;
	uint32_t r;

	for (int64_t i = 1; i < m->t.tries && span < most; i++)
		span *= 2;
	if (span > most)
		span = most;
	rng_bytes(&r, sizeof(r));
	return span / 4 + (int64_t)(r % (uint32_t)(span - span / 4 + 1));
}

static bool is_urgent(const struct machine *m)
{
	return m->t.strategy == STRATEGY_SINGLE &&
	       (m->t.state == ATTEMPT_SETTING || m->t.state == ATTEMPT_SET ||
	        m->t.state == ATTEMPT_REVERTING);
}

int machine_retry(struct machine *m, const char *why, struct err *e)
{
	/* Patience counts from the first failure: a state may begin days after the
	 * attempt. */
	if (m->t.tries++ == 0)
		m->t.hold_ms = m->c->now_ms + MACHINE_PATIENCE_MS;
	m->t.error = cut(m, why);
	m->t.op = "";
	if (m->c->now_ms >= m->t.hold_ms)
		return machine_hold(m, m->t.error, e);
	m->t.next_ms = m->c->now_ms + backoff(m, is_urgent(m) ? RETRY_FAST_MS : RETRY_MS,
	                                      MACHINE_RETRY_MAX_MS);
	return save(m, "error", e);
}

/* ---- limits ---- */

int machine_room(struct machine *m, bool *ok, struct err *e)
{
	if (m->t.alone)
		return rotation_room_alone(m->c, m->rule.target_id, m->t.o.id, ok, e);
	return rotation_room(m->c, m->has_target ? m->rule.target_id : NULL,
	                     m->has_target ? m->target.at_once : 1, ok, e);
}

/* Nobody is locked out of a target because we have tried too often. */
static int64_t lockout_wait(const struct machine *m)
{
	return m->has_target && !MUTANT(MUTANT_NO_LOGIN_BUDGET)
	               ? target_wait_ms(m->c, &m->target)
	               : 0;
}

/* ---- from state to state ---- */

static bool window_closed(const struct machine *m)
{
	return m->t.until_ms != 0 && m->c->now_ms >= m->t.until_ms;
}

static int after_claim(struct machine *m, struct err *e)
{
	bool ok;
	int rc;

	if (window_closed(m)) {
		m->t.error = "its window closed before it could begin";
		return machine_end_early(m, ATTEMPT_ABORTED, e);
	}
	/* What was allowed when the rule was written need not be now, or here. */
	if (m->has_target) {
		rc = target_permits(m->a, &m->target, kv_full_path(m->a, &m->s),
		                    m->rule.accounts, e);
		if (rc != ERR_OK)
			return rc == ERR_DENIED
			               ? machine_hold(m, arena_str(m->a, e->msg), e)
			               : rc;
	}
	if ((rc = machine_room(m, &ok, e)) != ERR_OK)
		return rc;
	if (!ok) {
		m->t.next_ms = rotation_turn_ms(m->c, ROOM_MS);
		return rotation_attempt_save(m->c, m->a, &m->t, e);
	}
	if (strcmp(m->t.cause, "check") == 0 || (m->rule.unchecked && m->has_target))
		return machine_go(m, ATTEMPT_CHECKING, e);
	rc = machine_generate(m, e);
	if (rc == ERR_INVALID || rc == ERR_TOO_BIG || rc == ERR_NOENT)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	return rc == ERR_OK ? machine_go(m, ATTEMPT_GENERATED, e) : rc;
}

static int publish(struct machine *m, struct err *e)
{
	int rc = machine_publish(m, e);

	if (rc == ERR_TOO_BIG || rc == ERR_INVALID)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	if (rc == ERR_CONFLICT) {
		m->t.error = arena_str(m->a, e->msg);
		return machine_end(m, ATTEMPT_ABORTED, e);
	}
	if (rc != ERR_OK || (rc = save(m, "ok", e)) != ERR_OK)
		return rc;
	if (m->t.alone) /* whoever waits to log in with it */
		core_wake(m->c, WAIT_ATTEMPT, m->t.o.id);
	return m->t.waiting == 0 && !m->t.marking ? machine_propagated(m, e) : ERR_OK;
}

static int after_generated(struct machine *m, struct err *e)
{
	if (m->rule.target[0] == '\0')
		return publish(m, e);
	if (window_closed(m)) {
		m->t.error = "its window closed before it could begin";
		return machine_end(m, ATTEMPT_ABORTED, e);
	}
	return machine_ask(m, machine_creates(m) ? "create" : "set", e);
}

/* Not about whatever account the secret names now. */
static int in_checking(struct machine *m, struct err *e)
{
	int rc = machine_account(m, e);

	if (rc == ERR_INVALID || rc == ERR_NOENT)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	return rc == ERR_OK ? machine_ask(m, "probe", e) : rc;
}

/* What the last call did is not known: look first.  What the target makes is found again
 * by the attempt's id, by creating once more. */
static int in_setting(struct machine *m, struct err *e)
{
	if (machine_creates(m))
		return machine_ask(m, "create", e);
	if (MUTANT(MUTANT_GENERATES_AGAIN) && m->t.uncertain) {
		int rc = machine_generate(m, e);

		return rc == ERR_OK ? machine_ask(m, "set", e) : rc;
	}
	return machine_ask(m, m->t.uncertain ? "probe" : "set", e);
}

/* The vault was restored: what it is about to end may be the only value that works. */
static int hold_set_back(struct machine *m, struct err *e)
{
	return machine_hold(
		m,
		"the vault was set back to an earlier moment: make sure that the value "
		"that is served works; 'vaultctl rotation resume' then goes on",
		e);
}

/* Of an account that was taken over no old value is known: there is none to set back. */
static int nothing_to_set_back(struct machine *m, bool *nothing, struct err *e)
{
	const struct value *v;
	struct value *old;
	const char *field;
	int rc;

	*nothing = false;
	if (!m->t.forced || m->t.strategy != STRATEGY_SINGLE)
		return ERR_OK;
	if ((rc = machine_value(m, SLOT_OLD, &old, e)) != ERR_OK ||
	    (rc = rotation_rule_field(&m->rule, old, m->a, &field, e)) != ERR_OK)
		return rc;
	v = value_get(old, field);
	*nothing = v == NULL || v->type != V_STRING || v->len == 0;
	return ERR_OK;
}

static int in_reverting(struct machine *m, struct err *e)
{
	bool nothing, taken;
	int rc;

	/* Once held for that, it goes on when they have, or is resumed without them. */
	if (m->t.undo_published && !m->t.overdue && (m->t.waiting > 0 || m->t.marking)) {
		m->t.overdue = m->t.stragglers = true;
		return machine_hold(
			m, "not every holder has gone back to the old value in time", e);
	}
	if (!m->has_target || m->t.strategy == STRATEGY_REISSUE)
		return machine_end(
			m, m->t.undo_published ? ATTEMPT_REVERTED : ATTEMPT_FAILED, e);
	if (m->rule.unchecked)
		return hold_set_back(m, e);
	/* What the target may have made has to be found before it can be retired. */
	if (machine_creates(m)) {
		rc = machine_taken(m, &taken, e);
		if (rc != ERR_OK || !taken)
			return rc == ERR_OK ? machine_ask(m, "create", e) : rc;
	}
	if (m->t.strategy != STRATEGY_SINGLE)
		return machine_ask(m, "retire", e);
	if ((rc = nothing_to_set_back(m, &nothing, e)) != ERR_OK)
		return rc;
	if (nothing)
		return machine_end(m, ATTEMPT_FAILED, e);
	return machine_ask(m, m->t.undone ? "probe" : "revert", e);
}

static int in_retiring(struct machine *m, struct err *e)
{
	enum machine_back back;
	struct value *now;
	int rc;

	if (machine_phased(&m->t))
		return publish(m, e);
	if (m->rule.unchecked)
		return hold_set_back(m, e);
	if ((rc = machine_back(m, &now, &back, e)) != ERR_OK)
		return rc;
	if (back == BACK_ALL) {
		m->t.error = "somebody has put the old value back";
		return rotation_take_back(m, e);
	}
	if (back == BACK_PARTLY)
		return machine_hold(
			m,
			"the secret's newest version, written by somebody else, has parts "
			"of the value that was to be retired: it is left alone; 'vaultctl "
			"rotation abort --forget' ends this rotation",
			e);
	return machine_ask(m, "retire", e);
}

static int act(struct machine *m, struct err *e)
{
	switch (m->t.state) {
	case ATTEMPT_CLAIMED:
		return after_claim(m, e);
	case ATTEMPT_CHECKING:
		return in_checking(m, e);
	case ATTEMPT_GENERATED:
		return after_generated(m, e);
	case ATTEMPT_SETTING:
		return in_setting(m, e);
	case ATTEMPT_SET:
		return machine_ask(m, "test", e);
	case ATTEMPT_TESTED:
		return publish(m, e);
	case ATTEMPT_RETIRING:
	case ATTEMPT_RETIRE_LATE:
		return in_retiring(m, e);
	case ATTEMPT_REVERTING:
		return in_reverting(m, e);
	default:
		return rotation_judge(m->c, m->a, &m->t, e);
	}
}

static bool calls(const struct machine *m)
{
	switch (m->t.state) {
	case ATTEMPT_CLAIMED:
	case ATTEMPT_TESTED:
	case ATTEMPT_PROPAGATING:
		return false;
	default:
		return m->rule.target[0] != '\0';
	}
}

/* Nobody is asked for an answer any more that has not come. */
static int wait_for_others(struct machine *m, struct err *e)
{
	m->t.op = "";
	m->t.next_ms = rotation_turn_ms(m->c, ROOM_MS);
	return rotation_attempt_save(m->c, m->a, &m->t, e);
}

int machine_advance(struct machine *m, struct err *e)
{
	int64_t wait;
	bool ok = true;
	int rc;

	if (step_under_way(m->c, m->t.o.id)) {
		m->t.next_ms = m->c->now_ms + ROOM_MS;
		return rotation_attempt_save(m->c, m->a, &m->t, e);
	}
	if (calls(m) && !m->has_target)
		return machine_hold(m, "the rotation target of this secret is gone", e);
	if (calls(m) && (rc = rotation_may_ask(m->c, &m->t, &ok, e)) != ERR_OK)
		return rc;
	if (!ok)
		return wait_for_others(m, e);
	if (calls(m) && (wait = lockout_wait(m)) > 0) {
		m->t.next_ms = m->c->now_ms + wait;
		m->t.spared = true;
		if (m->t.error[0] == '\0') /* else that says why */
			m->t.error = "the target is left alone after failed logins";
		return save(m, "error", e);
	}
	m->t.spared = false;
	return act(m, e);
}

/* ---- holders ---- */

/* Nothing is left to be done at the target, or nothing may be. */
static bool retires(const struct machine *m)
{
	if (machine_phased(&m->t))
		return m->t.phase < 3;
	return m->t.strategy == STRATEGY_DUAL_USER ||
	       m->t.strategy == STRATEGY_DUAL_KEY ||
	       (m->t.strategy == STRATEGY_REISSUE && m->has_target &&
	        target_can(&m->target, "retire"));
}

static int finish(struct machine *m, struct err *e)
{
	int rc = ERR_OK;

	if (m->t.strategy != STRATEGY_GENERATE)
		rc = machine_erase_old(m, e);
	if (rc != ERR_OK)
		return rc;
	return machine_end(m, m->t.overdue ? ATTEMPT_LATE : ATTEMPT_CONVERGED, e);
}

static int retire_later(struct machine *m, struct err *e)
{
	int rc = rotation_freeze(m->c, m->a, &m->t, e);

	if (rc != ERR_OK)
		return rc;
	m->t.state = ATTEMPT_RETIRING;
	m->t.tries = 0;
	m->t.op = "";
	m->t.next_ms = m->c->now_ms + m->t.grace_ms;
	core_wake(m->c, WAIT_ATTEMPT, m->t.o.id);
	return save(m, "ok", e);
}

/* The deadline has come with holders missing. */
static int judge_late(struct machine *m, struct err *e)
{
	int rc = rotation_event(m->c, m->a, &m->t, EVENT_LATE, e);

	if (rc != ERR_OK)
		return rc;
	m->t.overdue = true;
	core_wake(m->c, WAIT_ATTEMPT, m->t.o.id);
	if (!retires(m))
		return finish(m, e);
	switch (m->t.policy) {
	case POLICY_PROCEED:
		return retire_later(m, e);
	case POLICY_REVERT:
		m->t.error = m->t.rejected > 0
		                     ? "a holder has rejected the new value"
		                     : "not every holder has applied the new value in "
		                       "time";
		return rotation_take_back(m, e);
	default:
		rotation_room_freed(m->c);
		return save(m, "error", e);
	}
}

int machine_propagated(struct machine *m, struct err *e)
{
	bool late = !MUTANT(MUTANT_RETIRES_EARLY) && (m->t.waiting > 0 || m->t.marking);

	/* Held for those who had not gone back. */
	if (m->t.state == ATTEMPT_HELD)
		return machine_go(m, m->t.held_from, e);
	if (m->t.state == ATTEMPT_REVERTING) {
		if (!late)
			m->t.next_ms = 0;
		return late ? in_reverting(m, e)
		            : rotation_attempt_save(m->c, m->a, &m->t, e);
	}
	if (late)
		return judge_late(m, e);
	if (!retires(m))
		return finish(m, e);
	/* The next publication of several follows at once, the last one after the grace.
	 */
	if (machine_phased(&m->t) && m->t.phase == 1)
		return publish(m, e);
	return retire_later(m, e);
}

int rotation_take_back(struct machine *m, struct err *e)
{
	int rc = machine_unpublish(m, e);

	if (rc == ERR_INVALID)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	if (rc != ERR_OK || (rc = save(m, "error", e)) != ERR_OK)
		return rc;
	return ERR_OK;
}
