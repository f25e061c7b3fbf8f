/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_rule - the stored rule of a secret, its schedule, and which field it is about.
 */
#include <string.h>

#include "arena.h"
#include "rotation.h"

static void defaults(struct rotation_rule *out)
{
	memset(out, 0, sizeof(*out));
	out->path = out->field = out->problem = out->target = "";
	out->username_field = "username";
	out->gen.length = 32;
	out->gen.classes = CLASS_DEFAULT;
	out->timeout_ms = ROTATION_TIMEOUT_MS;
}

static int take_text(const struct value *b, const char *key, char *out, size_t cap)
{
	const struct value *v = value_get(b, key);

	if (v == NULL)
		return 0;
	if (v->type != V_STRING || v->len >= cap)
		return -1;
	memcpy(out, v->text, v->len);
	out[v->len] = '\0';
	return 0;
}

static int take_bytes(const struct value *b, const char *key, unsigned char *out,
                      size_t n, bool *has)
{
	const struct value *v = value_get(b, key);

	*has = v != NULL;
	if (v == NULL)
		return 0;
	if (v->type != V_BYTES || v->len != n)
		return -1;
	memcpy(out, v->text, n);
	return 0;
}

/* What there is of a rule with a target. */
static int take_target(struct arena *a, const struct value *b, struct rotation_rule *out)
{
	bool has;

	out->target = value_cstr_or(a, b, "target", "");
	out->username_field = value_cstr_or(a, b, "username_field", "username");
	out->accounts = value_get(b, "accounts");
	out->config = value_get(b, "config");
	out->recent = value_get(b, "recent");
	out->grace_ms = value_int_or(b, "grace", 0);
	out->paused = value_bool_or(b, "paused", false);
	out->unchecked = value_bool_or(b, "unchecked", false);
	out->failed_runs = value_int_or(b, "failed_runs", 0);
	out->rotated_ms = value_int_or(b, "rotated", 0);
	out->due_since = value_int_or(b, "due_since", 0);
	if (rotation_strategy_of(value_cstr_or(a, b, "strategy", "generate"),
	                         &out->strategy) != 0 ||
	    rotation_policy_of(value_cstr_or(a, b, "policy", "wait"), &out->policy) != 0)
		return -1;
	return take_bytes(b, "target_id", out->target_id, sizeof(out->target_id), &has);
}

/* As it was first stored: a period alone. */
static void take_period(const struct value *b, struct schedule *out)
{
	out->anchor_ms = value_int_or(b, "anchor", 0);
	out->every_ms = value_int_or(b, "every", 0);
	out->jitter_ms = value_int_or(b, "jitter", 0);
}

static int take_schedule(struct core *c, struct rotation_rule *out, struct err *e)
{
	const struct value *b = out->o.body, *v = value_get(b, "schedule");
	int rc = ERR_OK;

	if (v != NULL)
		rc = schedule_parse(v, c->zones, 0, &out->schedule, e);
	else
		take_period(b, &out->schedule);
	out->scheduled = v != NULL || out->schedule.every_ms > 0;
	if (rc == ERR_INVALID) {
		memset(&out->schedule, 0, sizeof(out->schedule));
		out->unreadable = v;
		rc = ERR_OK;
	}
	memcpy(out->schedule.seed, out->o.id, sizeof(out->schedule.seed));
	return rc;
}

int rotation_rule_read(struct core *c, struct arena *a, const struct store_object *o,
                       struct rotation_rule *out, struct err *e)
{
	const struct value *b = o->body;

	defaults(out);
	out->o = *o;
	out->configured = value_bool_or(b, "configured", false);
	out->path = value_cstr_or(a, b, "path", "");
	out->field = value_cstr_or(a, b, "field", "");
	out->problem = value_cstr_or(a, b, "problem", "");
	out->gen.length = value_int_or(b, "length", 0);
	out->gen.classes = (unsigned)value_int_or(b, "classes", 0);
	out->timeout_ms = value_int_or(b, "timeout", ROTATION_TIMEOUT_MS);
	out->last_slot = value_int_or(b, "last_slot", 0);
	out->next_slot = value_int_or(b, "next_slot", 0);
	out->next_ms = value_int_or(b, "next", 0);
	out->missed = value_int_or(b, "missed", 0);
	out->alarms = (unsigned)value_int_or(b, "alarms", 0);
	if (o->id_len != 32 || take_target(a, b, out) != 0 ||
	    take_bytes(b, "attempt", out->attempt, sizeof(out->attempt),
	               &out->has_attempt) != 0 ||
	    take_text(b, "alphabet", out->gen.alphabet, sizeof(out->gen.alphabet)) != 0)
		return err_set(e, ERR_INTEGRITY, "a rotation rule's record is malformed");
	return take_schedule(c, out, e);
}

int rotation_rule_load(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct rotation_rule *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_ROTATION, secret_id, 32, &o, e);

	if (rc == ERR_OK)
		return rotation_rule_read(c, a, &o, out, e);
	if (rc != ERR_NOENT)
		return rc;
	defaults(out);
	out->o.kind = KIND_ROTATION;
	out->o.id_len = 32;
	memcpy(out->o.id, secret_id, 32);
	memcpy(out->schedule.seed, secret_id, sizeof(out->schedule.seed));
	return ERR_OK;
}

static void set_target(struct arena *a, struct value *b, const struct rotation_rule *rule)
{
	value_set_str(a, b, "strategy", rotation_strategy_name(rule->strategy));
	value_set_str(a, b, "policy", rotation_policy_name(rule->policy));
	value_set_str(a, b, "target", rule->target);
	value_set_str(a, b, "username_field", rule->username_field);
	value_set_bytes(a, b, "target_id", rule->target_id, sizeof(rule->target_id));
	value_set_int(a, b, "grace", rule->grace_ms);
	value_set_bool(a, b, "paused", rule->paused);
	value_set_bool(a, b, "unchecked", rule->unchecked);
	value_set_int(a, b, "failed_runs", rule->failed_runs);
	value_set_int(a, b, "rotated", rule->rotated_ms);
	value_set_int(a, b, "due_since", rule->due_since);
	if (rule->accounts != NULL)
		value_set(b, "accounts", value_copy(a, rule->accounts));
	if (rule->config != NULL)
		value_set(b, "config", value_copy(a, rule->config));
	if (rule->recent != NULL)
		value_set(b, "recent", value_copy(a, rule->recent));
}

int rotation_rule_save(struct core *c, struct arena *a, struct rotation_rule *rule,
                       struct err *e)
{
	struct value *b = value_object(a);

	value_set_bool(a, b, "configured", rule->configured);
	value_set_str(a, b, "path", rule->path);
	value_set_str(a, b, "field", rule->field);
	value_set_str(a, b, "problem", rule->problem);
	value_set_int(a, b, "length", rule->gen.length);
	value_set_int(a, b, "classes", rule->gen.classes);
	value_set_str(a, b, "alphabet", arena_str(a, rule->gen.alphabet));
	value_set_int(a, b, "timeout", rule->timeout_ms);
	if (rule->scheduled)
		value_set(b, "schedule",
		          rule->unreadable != NULL ? value_copy(a, rule->unreadable)
		                                   : schedule_value(a, &rule->schedule));
	value_set_int(a, b, "last_slot", rule->last_slot);
	value_set_int(a, b, "next_slot", rule->next_slot);
	value_set_int(a, b, "next", rule->next_ms);
	value_set_int(a, b, "missed", rule->missed);
	value_set_int(a, b, "alarms", rule->alarms);
	set_target(a, b, rule);
	if (rule->has_attempt)
		value_set_bytes(a, b, "attempt", rule->attempt, sizeof(rule->attempt));
	rule->o.body = b;
	rule->o.tag_len = rule->target[0] != '\0' ? sizeof(rule->target_id) : 0;
	memcpy(rule->o.tag, rule->target_id, rule->o.tag_len);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &rule->o, e);
}

struct schedule_past rotation_rule_past(const struct rotation_rule *rule)
{
	return (struct schedule_past){ .last_slot = rule->last_slot,
		                       .last_success = rule->rotated_ms,
		                       .planned_slot = rule->next_slot,
		                       .planned_moment = rule->next_ms };
}

/* When it will be too old: somebody has to be told, even if nothing is to be done. */
static int64_t overdue_ms(const struct rotation_rule *rule, int64_t now)
{
	int64_t at = rule->rotated_ms + rule->schedule.max_age_ms;

	return rule->schedule.max_age_ms > 0 && rule->rotated_ms > 0 && at > now ? at : 0;
}

bool rotation_rule_plan(struct rotation_rule *rule, int64_t now, bool stepped,
                        int64_t *end)
{
	struct schedule_past past = rotation_rule_past(rule);
	struct schedule_plan plan;

	*end = 0;
	past.stepped = stepped;
	rule->o.due = rule->next_slot = rule->next_ms = 0;
	rule->raised = 0;
	if (!rule->scheduled || rule->paused || rule->unreadable != NULL) {
		rule->alarms = 0;
		return false;
	}
	schedule_missed(&rule->schedule, &past, now, &plan);
	rule->raised = (plan.jumped ? ALARM_JUMPED : 0) | (plan.ahead ? ALARM_AHEAD : 0) |
	               (plan.overdue ? ALARM_OVERDUE : 0);
	rule->alarms &= rule->raised;
	rule->missed += plan.missed;
	if (plan.settled > rule->last_slot)
		rule->last_slot = plan.settled;
	rule->o.due = overdue_ms(rule, now);
	if (plan.call == SCHEDULE_NEVER)
		return false;
	rule->next_slot = plan.next.slot;
	rule->next_ms = plan.next.moment;
	if (rule->o.due == 0 || rule->next_ms < rule->o.due)
		rule->o.due = rule->next_ms;
	if (!plan.next.forced && plan.next.end != INT64_MAX)
		*end = plan.next.end;
	return plan.call == SCHEDULE_RUN;
}

int rotation_rule_field(const struct rotation_rule *rule, const struct value *data,
                        struct arena *a, const char **field, struct err *e)
{
	if (rule->field[0] != '\0') {
		*field = rule->field;
		return ERR_OK;
	}
	if (data->len == 1) {
		*field = arena_dup(a, data->first->key, data->first->key_len);
		return *field != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
	}
	if (value_get(data, "password") != NULL) {
		*field = "password";
		return ERR_OK;
	}
	return err_set(e, ERR_INVALID,
	               "the secret has several fields: say which one to make anew with "
	               "`vaultctl rotation set PATH --field NAME`");
}
