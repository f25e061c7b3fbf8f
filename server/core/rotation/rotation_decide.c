/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_decide - what operators decide about an attempt that is under way. */
#include "arena.h"
#include "machine.h"
#include "rotation_state.h"

/* Neither a grace nor those who are late count. */
static int end_old(struct machine *m, struct err *e)
{
	if (!rotation_has_grace(&m->t))
		return err_set(e, ERR_INVALID, "the rotation is %s",
		               rotation_state_name(m->t.state));
	m->t.grace_ms = 0;
	if (m->t.state == ATTEMPT_PROPAGATING) {
		m->t.policy = POLICY_PROCEED;
		return machine_propagated(m, e);
	}
	if (m->t.tries == 0)
		m->t.next_ms = 0;
	return rotation_attempt_save(m->c, m->a, &m->t, e);
}

/* It was to be, and the secret had a value that was not to be overwritten. */
static bool taking_back(const struct rotation_attempt *t)
{
	return t->state == ATTEMPT_HELD && t->held_from == ATTEMPT_PROPAGATING &&
	       t->overdue && t->policy == POLICY_REVERT;
}

static int resume(struct machine *m, struct err *e)
{
	/* Holders are missing, and the policy is to wait: the operator decides otherwise.
	 */
	if (m->t.state == ATTEMPT_PROPAGATING && m->t.overdue) {
		m->t.policy = POLICY_PROCEED;
		return machine_propagated(m, e);
	}
	/* Nor does anybody cut a grace short by mistake. */
	if (m->t.state != ATTEMPT_HELD &&
	    (m->t.tries == 0 || m->t.next_ms <= m->c->now_ms))
		return err_set(e, ERR_INVALID, "the rotation is not held: it is %s",
		               rotation_state_name(m->t.state));
	m->t.hold_ms = m->c->now_ms + MACHINE_PATIENCE_MS;
	m->t.giving_up = false;
	if (taking_back(&m->t))
		return rotation_take_back(m, e);
	if (m->t.state == ATTEMPT_HELD) {
		bool uncertain = m->t.uncertain || m->t.held_from == ATTEMPT_SETTING;
		int rc = machine_go(m, m->t.held_from, e);

		if (rc == ERR_OK && m->rule.unchecked &&
		    (m->t.state == ATTEMPT_RETIRING ||
		     m->t.state == ATTEMPT_RETIRE_LATE ||
		     m->t.state == ATTEMPT_REVERTING)) {
			m->rule.unchecked = false;
			rc = rotation_rule_save(m->c, m->a, &m->rule, e);
		}
		if (rc != ERR_OK)
			return rc;
		m->t.uncertain = uncertain;
	}
	m->t.next_ms = 0;
	return rotation_attempt_save(m->c, m->a, &m->t, e);
}

static int abort_attempt(struct machine *m, struct err *e)
{
	m->t.error = "aborted by an operator";
	switch (rotation_stage(&m->t)) {
	case ATTEMPT_CLAIMED:
	case ATTEMPT_GENERATED:
	case ATTEMPT_CHECKING:
		step_cancel(m->c, m->t.o.id);
		return machine_end_early(m, ATTEMPT_ABORTED, e);
	case ATTEMPT_SETTING:
	case ATTEMPT_SET:
	case ATTEMPT_TESTED:
		step_cancel(m->c, m->t.o.id);
		m->t.undone = false;
		return machine_go(m, ATTEMPT_REVERTING, e);
	case ATTEMPT_PROPAGATING:
		if (!rotation_overlaps(m->t.strategy))
			return err_set(
				e, ERR_INVALID,
				"the old value is dead already: rotate again instead");
		return rotation_take_back(m, e);
	default:
		return err_set(e, ERR_INVALID,
		               "the rotation is %s: it is too late to take it back",
		               rotation_state_name(m->t.state));
	}
}

/* Is it held because no value is known to work? */
static bool can_adopt(const struct machine *m)
{
	if (m->t.state != ATTEMPT_HELD)
		return false;
	return m->t.held_from == ATTEMPT_SETTING || m->t.held_from == ATTEMPT_CHECKING ||
	       (m->t.held_from == ATTEMPT_REVERTING && m->t.strategy == STRATEGY_SINGLE);
}

static int adopt(struct machine *m, struct err *e)
{
	/* A second value beside one that the target may have would be one too many. */
	bool same = m->t.held_from == ATTEMPT_SETTING &&
	            m->t.strategy == STRATEGY_DUAL_KEY;
	int rc;

	if (!can_adopt(m))
		return err_set(
			e, ERR_INVALID,
			"nothing to adopt: the rotation is %s, not held because its "
			"values do not work",
			rotation_state_name(m->t.state));
	if (!machine_has_admin(m))
		return err_set(
			e, ERR_INVALID,
			"target \"%.100s\" has no administrator who could set a value",
			m->rule.target);
	m->t.forced = true;
	m->t.giving_up = m->t.refused = false;
	m->t.values = 0;
	if (!same && (rc = machine_generate(m, e)) != ERR_OK)
		return rc;
	return machine_go(m, ATTEMPT_SETTING, e);
}

int rotation_decide(struct core *c, struct arena *a, struct rotation_attempt *t,
                    enum rotation_verdict v, struct err *e)
{
	struct machine m;
	int rc;

	if (rotation_ended(t))
		return err_set(e, ERR_INVALID, "no rotation of this secret is under way");
	if ((rc = machine_open(&m, c, a, t, e)) != ERR_OK)
		return rc;
	switch (v) {
	case VERDICT_RESUME:
		rc = resume(&m, e);
		break;
	case VERDICT_LEAKED:
		rc = end_old(&m, e);
		break;
	case VERDICT_ABORT:
		rc = abort_attempt(&m, e);
		break;
	case VERDICT_ADOPT:
		rc = adopt(&m, e);
		break;
	default:
		m.t.error = "given up by an operator; what the target has is not known";
		step_cancel(c, t->o.id);
		rc = machine_end(&m, ATTEMPT_ABORTED, e);
		break;
	}
	*t = m.t;
	return rc;
}
