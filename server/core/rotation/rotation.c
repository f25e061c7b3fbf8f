/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation.h"

#include <string.h>

#include "arena.h"
#include "audit.h"
#include "jobs.h"
#include "lease.h"
#include "machine.h"
#include "mutant.h"
#include "rng.h"
#include "rotation_event.h"
#include "rotation_state.h"
#include "rotation_tally.h"
#include "text.h"

#define PLAN_HOLDERS 128 /* counted when a rotation is only planned */

/* Each transition has a record of its own beside the one of the request that caused it.
 */
int rotation_record(struct core *c, struct arena *a, const struct rotation_attempt *t,
                    const struct rotation_order *order, const char *outcome,
                    struct err *e)
{
	char request_id[37];
	struct value *note = value_object(a);
	struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = order != NULL && order->actor != NULL ? order->actor : "",
		.accessor = "",
		.remote = "",
		.operation = "rotate",
		.path = arena_printf(a, "sys/rotation/rotate/%s", t->path),
		.outcome = outcome,
		.error = "",
		.note = note,
	};

	rng_uuid4(request_id);
	value_set_bytes(a, note, "attempt", t->o.id, t->o.id_len);
	value_set_str(a, note, "state", rotation_state_name(t->state));
	value_set_str(a, note, "cause", t->cause);
	value_set_int(a, note, "version", t->version);
	value_set_int(a, note, "previous", t->previous);
	value_set_int(a, note, "bits", t->bits);
	value_set_int(a, note, "holders", t->holders);
	value_set_int(a, note, "applied", t->applied);
	if (t->op != NULL && t->op[0] != '\0')
		value_set_str(a, note, "step", t->op);
	if (t->account != NULL && t->account[0] != '\0')
		value_set_str(a, note, "account", t->account);
	if (order != NULL && order->request_id != NULL)
		value_set_str(a, note, "request", order->request_id);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return audit_append(c, &rec, e);
}

static bool waits_for_holders(const struct rotation_attempt *t)
{
	return t->state == ATTEMPT_PROPAGATING || t->state == ATTEMPT_REVERTING ||
	       (t->state == ATTEMPT_HELD && t->stragglers);
}

/* Save what has changed, and go on if nobody is waited for any more. */
static int settle(struct core *c, struct arena *a, const struct rotation_attempt *t,
                  struct err *e)
{
	struct machine m;
	struct rotation_attempt copy = *t;
	int rc;

	if (t->publishing ||
	    ((t->waiting > 0 || t->marking) && !MUTANT(MUTANT_RETIRES_EARLY)) ||
	    !waits_for_holders(t))
		return rotation_attempt_save(c, a, &copy, e);
	rc = machine_open(&m, c, a, t, e);
	if (rc == ERR_NOENT) {
		m.t.error = "the secret is gone";
		return machine_end(&m, ATTEMPT_ABORTED, e);
	}
	return rc == ERR_OK ? machine_propagated(&m, e) : rc;
}

/* The newest attempt of a secret, if it has not ended; *found tells. */
static int under_way(struct core *c, struct arena *a, const unsigned char secret_id[32],
                     struct rotation_attempt *t, bool *found, struct err *e)
{
	struct rotation_rule rule;
	int rc = rotation_rule_load(c, a, secret_id, &rule, e);

	*found = false;
	if (rc != ERR_OK || !rule.has_attempt)
		return rc;
	rc = rotation_attempt_load(c, a, rule.attempt, t, e);
	*found = rc == ERR_OK && !rotation_ended(t);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

int rotation_publishing(struct core *c, struct arena *a,
                        const unsigned char secret_id[32], unsigned char attempt[16],
                        bool *found, struct err *e)
{
	struct rotation_attempt t;
	int rc = under_way(c, a, secret_id, &t, found, e);

	if (rc != ERR_OK || !*found)
		return rc;
	*found = t.publishing;
	memcpy(attempt, t.o.id, 16);
	return ERR_OK;
}

bool rotation_has_grace(const struct rotation_attempt *t)
{
	return t->state == ATTEMPT_RETIRING ||
	       (t->state == ATTEMPT_PROPAGATING && t->overdue);
}

static int may_change(struct core *c, struct arena *a, const unsigned char secret_id[32],
                      bool held, struct err *e)
{
	struct rotation_attempt t;
	struct machine m;
	char id[33];
	bool found;
	int rc = under_way(c, a, secret_id, &t, &found, e);

	if (rc != ERR_OK || !found || t.publishing)
		return rc;
	if (held && t.state == ATTEMPT_HELD)
		return ERR_OK;
	text_hex(t.o.id, 16, id);
	switch (rotation_stage(&t)) {
	case ATTEMPT_CLAIMED:
	case ATTEMPT_GENERATED:
		if ((rc = machine_open(&m, c, a, &t, e)) != ERR_OK)
			return rc;
		m.t.error = "somebody else has written a new version";
		return machine_end_early(&m, ATTEMPT_ABORTED, e);
	case ATTEMPT_SETTING:
	case ATTEMPT_SET:
	case ATTEMPT_TESTED:
	case ATTEMPT_REVERTING:
		if (t.state == ATTEMPT_HELD)
			return err_set(
				e, ERR_INVALID,
				"a rotation of this secret is held, and what its target "
				"has is not certain: attempt %s; 'vaultctl rotation "
				"abort --forget' ends it",
				id);
		return err_set(
			e, ERR_INVALID,
			"a rotation is changing this secret at its target right now: "
			"attempt %s; try again when it has ended",
			id);
	default:
		return ERR_OK;
	}
}

int rotation_may_write(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct err *e)
{
	return may_change(c, a, secret_id, false, e);
}

int rotation_may_drop(struct core *c, struct arena *a, const unsigned char secret_id[32],
                      struct err *e)
{
	return may_change(c, a, secret_id, true, e);
}

int rotation_written(struct core *c, struct arena *a, const unsigned char secret_id[32],
                     struct err *e)
{
	struct rotation_rule rule;
	int64_t end;
	int rc = rotation_rule_load(c, a, secret_id, &rule, e);

	if (rc != ERR_OK || rule.o.version == 0)
		return rc;
	rule.rotated_ms = c->now_ms;
	if (rule.due_since != 0)
		rule.problem = "";
	rule.due_since = 0;
	(void)rotation_rule_plan(&rule, c->now_ms, false, &end);
	return rotation_rule_save(c, a, &rule, e);
}

static bool counts(const struct rotation_attempt *t, int64_t version)
{
	return t->counting == 0 || t->counting == version;
}

/* Those who are waited for have all refused: time changes nothing any more. */
static void hasten(struct core *c, struct rotation_attempt *t)
{
	if (t->state != ATTEMPT_PROPAGATING || t->overdue || t->marking ||
	    t->rejected < t->waiting)
		return;
	t->deadline_ms = c->now_ms;
	t->boot_due_ms = c->boot_ms;
	jobs_dirty(c);
}

int rotation_holders(struct core *c, struct arena *a, const unsigned char attempt[16],
                     const struct rotation_marked *m, struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_load(c, a, attempt, &t, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && rotation_ended(&t)))
		return ERR_OK;
	if (rc != ERR_OK || !counts(&t, m->version))
		return rc;
	t.holders += m->holders;
	t.waiting += m->waiting;
	t.applied += m->holders - m->waiting;
	t.marking = m->more;
	if (t.rejected > 0)
		hasten(c, &t);
	return settle(c, a, &t, e);
}

int rotation_settled(struct core *c, struct arena *a, const unsigned char attempt[16],
                     int64_t version, bool applied, struct err *e)
{
	struct rotation_attempt t;
	int rc;

	if (tally_count(c, attempt, version, applied))
		return ERR_OK;
	rc = rotation_attempt_load(c, a, attempt, &t, e);
	if (rc == ERR_NOENT || (rc == ERR_OK && rotation_ended(&t)))
		return ERR_OK;
	if (rc != ERR_OK || !counts(&t, version))
		return rc;
	if (t.waiting > 0)
		t.waiting--;
	if (applied)
		t.applied++;
	if (tally_begin(c, &t, applied))
		return ERR_OK;
	if (t.rejected > 0)
		hasten(c, &t);
	return settle(c, a, &t, e);
}

int rotation_rejected(struct core *c, struct arena *a, const unsigned char attempt[16],
                      int64_t version, bool rejects, struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_load(c, a, attempt, &t, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && rotation_ended(&t)))
		return ERR_OK;
	if (rc != ERR_OK || !counts(&t, version))
		return rc;
	t.rejected += rejects ? 1 : -1;
	if (t.rejected < 0)
		t.rejected = 0;
	if (rejects)
		hasten(c, &t);
	return rotation_attempt_save(c, a, &t, e);
}

/* ---- starting ---- */

/* An old value that could not be revoked yet is revoked by giving its account a new one.
 */
static int supersede(struct core *c, struct arena *a, const struct rotation_attempt *t,
                     bool *ok, struct err *e)
{
	struct machine m;
	int rc;

	*ok = t->state == ATTEMPT_RETIRE_LATE && t->strategy == STRATEGY_DUAL_USER;
	if (!*ok)
		return ERR_OK;
	if ((rc = machine_open(&m, c, a, t, e)) != ERR_OK)
		return rc;
	step_cancel(c, t->o.id);
	return machine_end(&m, ATTEMPT_LATE, e);
}

static int refuse_if_running(struct core *c, struct arena *a,
                             const struct rotation_rule *rule, bool check, bool *inherits,
                             struct err *e)
{
	struct rotation_attempt t;
	char id[33];
	int rc;

	*inherits = false;
	if (!rule->has_attempt || MUTANT(MUTANT_TWO_CLAIMS))
		return ERR_OK;
	rc = rotation_attempt_load(c, a, rule->attempt, &t, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = rotation_judge(c, a, &t, e)) != ERR_OK || rotation_ended(&t))
		return rc;
	if (!check && ((rc = supersede(c, a, &t, inherits, e)) != ERR_OK || *inherits))
		return rc;
	text_hex(t.o.id, 16, id);
	return err_set(e, ERR_INVALID,
	               "a rotation of this secret is still under way: attempt %s is %s",
	               id, rotation_state_name(t.state));
}

struct old_attempts {
	struct store_object at[2 * ROTATION_KEEP];
	size_t n;
};

static int collect_attempt(void *ctx, struct store_object *o, struct err *e)
{
	struct old_attempts *old = ctx;

	if (old->n == ARRAY_LEN(old->at))
		return err_set(e, ERR_NOENT, "enough");
	old->at[old->n++] = *o;
	return ERR_OK;
}

/* Make room: the oldest attempt of a secret that has many. */
static int forget_old(struct core *c, struct arena *a, const unsigned char secret_id[32],
                      struct err *e)
{
	struct old_attempts old = { .n = 0 };
	int rc = store_by_parent(c, a, KIND_ATTEMPT, secret_id, 32, collect_attempt, &old,
	                         e);

	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	for (rc = ERR_OK; rc == ERR_OK && old.n >= ROTATION_KEEP; old.n--) {
		struct store_object *oldest = &old.at[0];

		for (size_t i = 1; i < old.n; i++)
			if (value_int_or(old.at[i].body, "started", 0) <
			    value_int_or(oldest->body, "started", 0))
				oldest = &old.at[i];
		rc = store_delete(c, oldest, e);
		*oldest = old.at[old.n - 1];
	}
	return rc;
}

static int64_t timeout_of(const struct rotation_rule *rule,
                          const struct rotation_order *order)
{
	if (order->timeout_ms > 0)
		return order->timeout_ms;
	return order->leak && rule->timeout_ms > ROTATION_LEAK_MS ? ROTATION_LEAK_MS
	                                                          : rule->timeout_ms;
}

static void fill(struct machine *m, const struct rotation_order *order)
{
	struct rotation_attempt *t = &m->t;

	t->o.kind = KIND_ATTEMPT;
	t->o.id_len = 16;
	rng_bytes(t->o.id, 16);
	t->o.parent_len = 32;
	memcpy(t->o.parent, m->rule.o.id, 32);
	if (m->rule.target[0] != '\0') {
		t->o.tag_len = 32;
		memcpy(t->o.tag, m->rule.target_id, 32);
	}
	t->path = m->rule.path;
	t->cause = order->cause;
	t->op = t->account = t->error = "";
	t->state = t->held_from = ATTEMPT_CLAIMED;
	t->strategy = m->rule.strategy;
	t->policy = order->leak ? POLICY_PROCEED : m->rule.policy;
	t->timeout_ms = timeout_of(&m->rule, order);
	t->grace_ms = order->leak ? 0 : m->rule.grace_ms;
	t->previous = t->version = m->s.current;
	t->started_ms = m->c->now_ms;
	t->deadline_ms = m->c->now_ms + t->timeout_ms;
	t->boot_start_ms = m->c->boot_ms;
	t->boot_due_ms = m->c->boot_ms + t->timeout_ms;
	t->until_ms = order->until_ms;
	t->forced = order->blind;
}

static int claim(struct machine *m, const struct rotation_order *order, struct err *e)
{
	int rc;

	fill(m, order);
	m->t.alone = machine_is_admins(m);
	memcpy(m->rule.attempt, m->t.o.id, sizeof(m->rule.attempt));
	m->rule.has_attempt = true;
	if ((rc = rotation_attempt_save(m->c, m->a, &m->t, e)) != ERR_OK ||
	    (rc = rotation_rule_save(m->c, m->a, &m->rule, e)) != ERR_OK ||
	    (rc = rotation_event(m->c, m->a, &m->t,
	                         order->leak ? EVENT_LEAKED : EVENT_STARTED, e)) !=
	            ERR_OK)
		return rc;
	return rotation_record(m->c, m->a, &m->t, order, "ok", e);
}

/* Without a target no crash can come between: all of it is one transaction. */
static int publish_at_once(struct machine *m, struct err *e)
{
	int rc = machine_generate(m, e);

	if (rc != ERR_OK || (rc = machine_publish(m, e)) != ERR_OK ||
	    (rc = rotation_attempt_save(m->c, m->a, &m->t, e)) != ERR_OK ||
	    (rc = rotation_record(m->c, m->a, &m->t, NULL, "ok", e)) != ERR_OK)
		return rc;
	return m->t.waiting == 0 && !m->t.marking ? machine_propagated(m, e) : ERR_OK;
}

static int check_order(const struct machine *m, const struct rotation_order *order,
                       struct err *e)
{
	struct kv_secret s = m->s;
	struct value *data;
	int rc;

	if (m->rule.strategy == STRATEGY_MANUAL)
		return err_set(e, ERR_INVALID,
		               "this secret is replaced by people (strategy manual): "
		               "write a new version");
	if (order->check && m->rule.target[0] == '\0')
		return err_set(e, ERR_INVALID,
		               "the secret's rule names no target that could be asked");
	if (m->rule.target[0] != '\0' && !m->has_target)
		return err_set(e, ERR_INVALID, "the rotation target \"%.100s\" is gone",
		               m->rule.target);
	rc = kv_read(m->c, m->a, &s, 0, &data, e);
	return rc == ERR_NOENT
	               ? err_set(e, ERR_INVALID, "the secret has no current version")
	               : rc;
}

static int count_holder(void *ctx, struct store_object *o, struct err *e)
{
	(void)o;
	(void)e;
	++*(int64_t *)ctx;
	return ERR_OK;
}

int rotation_plan(struct core *c, struct arena *a, const unsigned char secret_id[32],
                  struct rotation_plan *out, struct err *e)
{
	const struct rotation_order order = { .cause = "request" };
	struct rotation_attempt none = { .path = "", .account = "" };
	struct machine m;
	int rc;

	memcpy(none.o.parent, secret_id, 32);
	if ((rc = machine_open(&m, c, a, &none, e)) != ERR_OK ||
	    (rc = check_order(&m, &order, e)) != ERR_OK ||
	    (rc = machine_account(&m, e)) != ERR_OK)
		return rc;
	*out = (struct rotation_plan){ .account = m.t.account,
		                       .version = m.s.current + 1 };
	rc = store_by_tag_page(c, a, KIND_LEASE, secret_id, 32, NULL, 0, PLAN_HOLDERS,
	                       count_holder, &out->holders, e);
	out->more = out->holders == PLAN_HOLDERS;
	return rc;
}

int rotation_start(struct core *c, struct arena *a, const unsigned char secret_id[32],
                   const struct rotation_order *order, struct rotation_attempt *out,
                   struct err *e)
{
	struct rotation_attempt none = { .path = "" };
	struct rotation_rule rule;
	struct machine m;
	bool inherits;
	int rc;

	memcpy(none.o.parent, secret_id, 32);
	if ((rc = rotation_rule_load(c, a, secret_id, &rule, e)) != ERR_OK ||
	    (rc = refuse_if_running(c, a, &rule, order->check, &inherits, e)) != ERR_OK ||
	    (rc = machine_open(&m, c, a, &none, e)) != ERR_OK ||
	    (rc = check_order(&m, order, e)) != ERR_OK ||
	    (rc = forget_old(c, a, secret_id, e)) != ERR_OK)
		return rc;
	m.rule.path = kv_full_path(a, &m.s);
	m.t.inherits = inherits;
	rc = claim(&m, order, e);
	if (rc == ERR_OK && m.rule.target[0] == '\0')
		rc = publish_at_once(&m, e);
	*out = m.t;
	return rc;
}

/* ---- deadlines ---- */

int rotation_judge(struct core *c, struct arena *a, struct rotation_attempt *t,
                   struct err *e)
{
	bool same_boot = c->boot_ms >= t->boot_start_ms;
	struct machine m;
	int rc;

	if (t->state != ATTEMPT_PROPAGATING || t->overdue ||
	    (same_boot ? c->boot_ms < t->boot_due_ms : c->now_ms < t->deadline_ms))
		return ERR_OK;
	rc = machine_open(&m, c, a, t, e);
	if (rc == ERR_NOENT) {
		m.t.error = "the secret is gone";
		rc = machine_end(&m, ATTEMPT_ABORTED, e);
	} else if (rc == ERR_OK) {
		rc = machine_propagated(&m, e);
	}
	*t = m.t;
	return rc;
}
