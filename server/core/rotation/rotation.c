/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "lease.h"
#include "rng.h"
#include "text.h"
#include "vault/limits.h"

#define STARTS_AT_ONCE 4 /* scheduled rotations in one run of the timer */

/* Each transition has a record of its own beside the one of the request that caused it.
 */
static int record(struct core *c, struct arena *a, const struct rotation_attempt *t,
                  const struct rotation_order *order, const char *outcome, struct err *e)
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
	if (order != NULL && order->request_id != NULL)
		value_set_str(a, note, "request", order->request_id);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return audit_append(c, &rec, e);
}

static int end_attempt(struct core *c, struct arena *a, struct rotation_attempt *t,
                       struct err *e)
{
	int rc;

	t->state = t->waiting > 0 || t->marking ? ATTEMPT_LATE : ATTEMPT_CONVERGED;
	t->ended_ms = c->now_ms;
	core_wake(c, WAIT_ATTEMPT, t->o.id);
	if ((rc = rotation_freeze(c, a, t, e)) != ERR_OK ||
	    (rc = rotation_attempt_save(c, a, t, e)) != ERR_OK)
		return rc;
	return record(c, a, t, NULL, t->state == ATTEMPT_LATE ? "error" : "ok", e);
}

/* Save what has changed, and end the attempt if nobody is waited for any more. */
static int settle(struct core *c, struct arena *a, struct rotation_attempt *t,
                  struct err *e)
{
	if (t->state == ATTEMPT_PROPAGATING && t->waiting == 0 && !t->marking)
		return end_attempt(c, a, t, e);
	return rotation_attempt_save(c, a, t, e);
}

int rotation_publishing(struct core *c, struct arena *a,
                        const unsigned char secret_id[32], unsigned char attempt[16],
                        bool *found, struct err *e)
{
	struct rotation_rule rule;
	struct rotation_attempt t;
	int rc = rotation_rule_load(c, a, secret_id, &rule, e);

	*found = false;
	if (rc != ERR_OK || !rule.has_attempt)
		return rc;
	rc = rotation_attempt_load(c, a, rule.attempt, &t, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	*found = t.state == ATTEMPT_CLAIMED;
	memcpy(attempt, rule.attempt, sizeof(rule.attempt));
	return ERR_OK;
}

int rotation_holders(struct core *c, struct arena *a, const unsigned char attempt[16],
                     const struct rotation_marked *m, struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_load(c, a, attempt, &t, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && rotation_ended(&t)))
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	t.holders += m->holders;
	t.waiting += m->waiting;
	t.applied += m->holders - m->waiting;
	t.marking = m->more;
	return settle(c, a, &t, e);
}

int rotation_settled(struct core *c, struct arena *a, const unsigned char attempt[16],
                     bool applied, struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_load(c, a, attempt, &t, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && rotation_ended(&t)))
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	if (t.waiting > 0)
		t.waiting--;
	if (applied)
		t.applied++;
	return settle(c, a, &t, e);
}

/* ---- starting ---- */

static int refuse_if_running(struct core *c, struct arena *a,
                             const struct rotation_rule *rule, struct err *e)
{
	struct rotation_attempt t;
	char id[33];
	int rc;

	if (!rule->has_attempt)
		return ERR_OK;
	rc = rotation_attempt_load(c, a, rule->attempt, &t, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = rotation_judge(c, a, &t, e)) != ERR_OK || rotation_ended(&t))
		return rc;
	text_hex(t.o.id, 16, id);
	return err_set(e, ERR_INVALID,
	               "a rotation of this secret is still under way: attempt %s", id);
}

/* The data of the current version with one field made anew. */
static int new_data(struct core *c, struct arena *a, struct kv_secret *s,
                    const struct rotation_rule *rule, struct value **out, struct err *e)
{
	const char *field;
	struct value *data, *copy, *target;
	char *text;
	int rc = kv_read(c, a, s, 0, &data, e);

	if (rc == ERR_NOENT)
		return err_set(e, ERR_INVALID, "the secret has no current version");
	if (rc != ERR_OK ||
	    (rc = rotation_rule_field(rule, data, a, &field, e)) != ERR_OK)
		return rc;
	copy = value_copy(a, data);
	text = arena_alloc(a, GENERATE_LENGTH_MAX + 1);
	if (copy == NULL || text == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = generate_text(&rule->gen, text, e)) != ERR_OK)
		return rc;
	target = value_get(copy, field);
	if (target == NULL) {
		value_set_str(a, copy, field, text);
	} else {
		target->type = V_STRING;
		target->text = text;
		target->len = (uint32_t)strlen(text);
		target->first = target->last = NULL;
	}
	if (value_size(copy) > LIMIT_SECRET_VALUE)
		return err_set(e, ERR_TOO_BIG, "secret value is larger than %u bytes",
		               LIMIT_SECRET_VALUE);
	*out = copy;
	return ERR_OK;
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

static int claim(struct core *c, struct arena *a, struct rotation_rule *rule,
                 const struct rotation_order *order, struct rotation_attempt *t,
                 struct err *e)
{
	int64_t timeout = order->timeout_ms > 0 ? order->timeout_ms : rule->timeout_ms;
	int rc;

	t->o.kind = KIND_ATTEMPT;
	t->o.id_len = 16;
	rng_bytes(t->o.id, 16);
	t->o.parent_len = 32;
	memcpy(t->o.parent, rule->o.id, 32);
	t->path = rule->path;
	t->cause = order->cause;
	t->state = ATTEMPT_CLAIMED;
	t->version = t->previous + 1;
	t->started_ms = c->now_ms;
	t->deadline_ms = c->now_ms + timeout;
	t->boot_start_ms = c->boot_ms;
	t->boot_due_ms = c->boot_ms + timeout;
	t->bits = generate_bits(&rule->gen);
	memcpy(rule->attempt, t->o.id, sizeof(rule->attempt));
	rule->has_attempt = true;
	if ((rc = rotation_attempt_save(c, a, t, e)) != ERR_OK)
		return rc;
	return rotation_rule_save(c, a, rule, e);
}

static int publish(struct core *c, struct arena *a, const struct kv_secret *s,
                   const struct value *data, struct rotation_attempt *t, struct err *e)
{
	unsigned char id[16];
	int64_t version;
	int rc;

	memcpy(id, t->o.id, sizeof(id));
	if ((rc = kv_write(c, a, s->mount, s->path, data, s->current, &version, e)) !=
	            ERR_OK ||
	    (rc = rotation_attempt_load(c, a, id, t, e)) != ERR_OK)
		return rc;
	t->version = version;
	t->state = ATTEMPT_PROPAGATING;
	return ERR_OK;
}

int rotation_start(struct core *c, struct arena *a, const unsigned char secret_id[32],
                   const struct rotation_order *order, struct rotation_attempt *out,
                   struct err *e)
{
	struct rotation_rule rule;
	struct rotation_attempt t = { .holders = 0 };
	struct kv_secret s;
	struct value *data = NULL;
	int rc;

	if ((rc = kv_open_id(c, a, secret_id, &s, e)) != ERR_OK ||
	    (rc = rotation_rule_load(c, a, secret_id, &rule, e)) != ERR_OK ||
	    (rc = refuse_if_running(c, a, &rule, e)) != ERR_OK ||
	    (rc = rotation_rule_load(c, a, secret_id, &rule, e)) != ERR_OK ||
	    (rc = new_data(c, a, &s, &rule, &data, e)) != ERR_OK ||
	    (rc = forget_old(c, a, secret_id, e)) != ERR_OK)
		return rc;
	rule.path = kv_full_path(a, &s);
	t.previous = s.current;
	if ((rc = claim(c, a, &rule, order, &t, e)) != ERR_OK ||
	    (rc = publish(c, a, &s, data, &t, e)) != ERR_OK ||
	    (rc = record(c, a, &t, order, "ok", e)) != ERR_OK ||
	    (rc = settle(c, a, &t, e)) != ERR_OK)
		return rc;
	*out = t;
	return ERR_OK;
}

/* ---- time ---- */

int rotation_judge(struct core *c, struct arena *a, struct rotation_attempt *t,
                   struct err *e)
{
	bool same_boot = c->boot_ms >= t->boot_start_ms;

	if (rotation_ended(t))
		return ERR_OK;
	if (same_boot ? c->boot_ms >= t->boot_due_ms : c->now_ms >= t->deadline_ms)
		return end_attempt(c, a, t, e);
	return ERR_OK;
}

struct due {
	struct store_object *at;
	size_t n;
};

static int collect_due(void *ctx, struct store_object *o, struct err *e)
{
	struct due *d = ctx;

	(void)e;
	d->at[d->n++] = *o;
	return ERR_OK;
}

static int judge_due(struct core *c, struct arena *a, const struct store_object *o,
                     struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_read(a, o, &t, e);

	if (rc != ERR_OK || (rc = rotation_judge(c, a, &t, e)) != ERR_OK ||
	    rotation_ended(&t))
		return rc;
	/* The wall clock was stepped ahead: what is left is told by the other one. */
	t.deadline_ms = c->now_ms + (t.boot_due_ms - c->boot_ms);
	return rotation_attempt_save(c, a, &t, e);
}

static int record_problem(struct core *c, struct arena *a,
                          const struct rotation_rule *rule, int code, struct err *e)
{
	char request_id[37];
	const struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = "",
		.remote = "",
		.operation = "rotate",
		.path = arena_printf(a, "sys/rotation/rotate/%s", rule->path),
		.outcome = "error",
		.error = errclasses[code].wire,
	};

	rng_uuid4(request_id);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return audit_append(c, &rec, e);
}

/* What a rule cannot do now, it does in its next slot; the reason is kept with it. */
static bool is_refusal(int rc)
{
	return rc == ERR_NOENT || rc == ERR_INVALID || rc == ERR_TOO_BIG;
}

static int run_slot(struct core *c, struct arena *a, const struct store_object *o,
                    struct err *e)
{
	const struct rotation_order order = { .cause = "schedule" };
	struct rotation_rule rule;
	struct rotation_attempt t;
	unsigned char id[32];
	struct err why;
	int rc, run;

	memcpy(id, o->id, sizeof(id));
	run = rotation_start(c, a, id, &order, &t, &why);
	if (run != ERR_OK && !is_refusal(run)) {
		*e = why;
		return run;
	}
	if ((rc = rotation_rule_load(c, a, id, &rule, e)) != ERR_OK)
		return rc;
	rule.problem = run != ERR_OK ? arena_str(a, why.msg) : "";
	rule.last_slot = rule.next_slot;
	rotation_rule_plan(&rule, c->now_ms);
	if (run != ERR_OK && (rc = record_problem(c, a, &rule, run, e)) != ERR_OK)
		return rc;
	return rotation_rule_save(c, a, &rule, e);
}

int rotation_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct due late = { .at = arena_alloc(a, (size_t)limit *
		                                         sizeof(struct store_object)) };
	struct due slots = { .at = arena_alloc(a, STARTS_AT_ONCE *
		                                          sizeof(struct store_object)) };
	int rc;

	if (late.at == NULL || slots.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_ATTEMPT, c->now_ms, limit, collect_due, &late, e);
	for (size_t i = 0; rc == ERR_OK && i < late.n; i++)
		rc = judge_due(c, a, &late.at[i], e);
	if (rc == ERR_OK)
		rc = store_due(c, a, KIND_ROTATION, c->now_ms, STARTS_AT_ONCE,
		               collect_due, &slots, e);
	for (size_t i = 0; rc == ERR_OK && i < slots.n; i++)
		rc = run_slot(c, a, &slots.at[i], e);
	return rc;
}
