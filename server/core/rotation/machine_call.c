/* SPDX-License-Identifier: Apache-2.0 */
/* machine_call - what a rotator is told: exactly the values that one step needs. */
#include <string.h>

#include "arena.h"
#include "machine.h"
#include "text.h"

#define TEST_MS  5000 /* between setting and publishing nobody may be able to log in */
#define SLACK_MS 5000 /* then the call is taken for lost */

bool machine_creates(const struct machine *m)
{
	if (m->rule.strategy == STRATEGY_REISSUE)
		return true;
	return m->rule.strategy == STRATEGY_DUAL_KEY && m->has_target &&
	       target_can(&m->target, "create");
}

bool machine_is_admins(const struct machine *m)
{
	return m->has_target && m->target.has_admin_secret &&
	       memcmp(m->target.admin_secret, m->t.o.parent, 32) == 0;
}

bool machine_has_admin(const struct machine *m)
{
	return m->target.admin != NULL ||
	       (m->target.has_admin_secret && !machine_is_admins(m));
}

/* Of a value that we make: account and value; of one that the target makes: all of it. */
static struct value *fields_of(struct machine *m, const struct value *data)
{
	struct value *out = value_object(m->a);
	const struct value *name, *v;
	const char *field;
	struct err ignored;

	if (machine_creates(m)) {
		for (v = data->first; v != NULL; v = v->next)
			if (v->type == V_STRING)
				value_setn(out, v->key, v->key_len, value_copy(m->a, v));
		return out;
	}
	name = value_get(data, m->rule.username_field);
	if (name != NULL && name->type == V_STRING)
		value_set(out, "username", value_copy(m->a, name));
	else if (m->t.account[0] != '\0')
		value_set_str(m->a, out, "username", m->t.account);
	if (rotation_rule_field(&m->rule, data, m->a, &field, &ignored) == ERR_OK &&
	    (v = value_get(data, field)) != NULL && v->type == V_STRING)
		value_set(out, "password", value_copy(m->a, v));
	return out;
}

static struct value *credential(struct machine *m, const struct value *data,
                                int64_t version)
{
	struct value *v = value_object(m->a);

	if (data == NULL)
		return value_null(m->a);
	value_set_int(m->a, v, "version", version);
	value_set(v, "fields", fields_of(m, data));
	return v;
}

/* The version before the current one, if it can still be read: what a target has that was
 * set back.  Of two accounts it is the idle one's, whose value was scrambled: trying it
 * would only be one more failed login. */
static int before_old(struct machine *m, struct value **out, struct err *e)
{
	int rc;

	*out = NULL;
	if (m->t.previous < 2 || m->s.current != m->t.previous ||
	    m->t.strategy == STRATEGY_DUAL_USER)
		return ERR_OK;
	rc = kv_read(m->c, m->a, &m->s, m->t.previous - 1, out, e);
	if (rc == ERR_NOENT)
		*out = NULL;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static bool about_current(const struct machine *m)
{
	return m->t.state == ATTEMPT_CHECKING;
}

/* Who is "current" depends on which way the step goes. */
static int set_credentials(struct machine *m, const char *op, struct value *r,
                           struct err *e)
{
	struct value *new = NULL, *old = NULL, *before = NULL;
	bool undoing = m->t.state == ATTEMPT_REVERTING && strcmp(op, "retire") == 0;
	bool retiring = !undoing && strcmp(op, "retire") == 0;
	int64_t nv = m->t.version, ov = m->t.previous;
	int rc;

	if (about_current(m)) {
		rc = kv_read(m->c, m->a, &m->s, 0, &old, e);
		ov = m->s.current;
	} else if ((rc = machine_value(m, SLOT_NEW, &new, e)) == ERR_OK) {
		rc = machine_value(m, SLOT_OLD, &old, e);
	}
	if (rc == ERR_OK && strcmp(op, "probe") == 0 && !about_current(m))
		rc = before_old(m, &before, e);
	if (rc != ERR_OK)
		return rc;
	value_set(r, "current",
	          retiring ? credential(m, new, nv) : credential(m, old, ov));
	value_set(r, "pending",
	          retiring || undoing ? value_null(m->a) : credential(m, new, nv));
	if (retiring)
		value_set(r, "previous", credential(m, old, ov));
	else if (undoing)
		value_set(r, "previous", credential(m, new, nv));
	else
		value_set(r, "previous", credential(m, before, ov - 1));
	return ERR_OK;
}

/* Which accounts may be touched is told by the rule, never by a field of the secret. */
static struct value *overlay(struct machine *m)
{
	struct value *o = m->rule.config != NULL ? value_copy(m->a, m->rule.config)
	                                         : value_object(m->a);
	const struct value *accounts = m->rule.accounts;

	if (o != NULL)
		value_set_str(m->a, o, "strategy", rotation_strategy_name(m->t.strategy));
	if (o == NULL || accounts == NULL)
		return o;
	if (m->rule.strategy == STRATEGY_DUAL_USER)
		value_set(o, "accounts", value_copy(m->a, accounts));
	else if (accounts->first != NULL)
		value_set(o, "account", value_copy(m->a, accounts->first));
	return o;
}

/* No call before this one can have set this value: whoever refuses it does not have it.
 * Of a target that takes two, 'adopt' sets the one again that may be there. */
static bool is_first(const struct machine *m, const char *op)
{
	bool again = m->t.forced && m->t.strategy == STRATEGY_DUAL_KEY;

	return strcmp(op, "set") == 0 && !m->t.uncertain && !m->t.lost && !again &&
	       m->t.tries == 0;
}

static int build(struct machine *m, const char *op, struct value **out, struct err *e)
{
	struct value *admin, *r;
	char *id = arena_alloc(m->a, 33);
	int rc = target_admin(m->c, m->a, &m->target, &admin, e);

	if (rc != ERR_OK)
		return rc;
	r = target_request(m->a, &m->target, op, overlay(m));
	if (id == NULL || r == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	text_hex(m->t.o.id, 16, id);
	value_set_str(m->a, r, "attempt", id);
	value_set_str(m->a, r, "secret", m->t.path);
	value_set_int(m->a, r, "version", m->t.version);
	value_set(r, "admin", machine_is_admins(m) ? value_null(m->a) : admin);
	if (is_first(m, op))
		value_set_bool(m->a, r, "first", true);
	if ((rc = set_credentials(m, op, r, e)) != ERR_OK)
		return rc;
	*out = r;
	return arena_failed(m->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* What may change the target is uncertain from before it is asked until it has answered.
 */
static bool changes(const char *op)
{
	return strcmp(op, "set") == 0 || strcmp(op, "create") == 0;
}

int machine_ask(struct machine *m, const char *op, struct err *e)
{
	struct step_order order = { .owner = STEP_FOR_ROTATION };
	struct value *request = NULL;
	int64_t timeout = m->target.timeout_ms;
	int rc;

	if (strcmp(op, "test") == 0 && m->t.strategy == STRATEGY_SINGLE &&
	    timeout > TEST_MS)
		timeout = TEST_MS;
	if ((rc = build(m, op, &request, e)) == ERR_OK) {
		memcpy(order.id, m->t.o.id, sizeof(order.id));
		order.rotator = m->target.rotator;
		order.request = request;
		order.timeout_ms = timeout;
		rc = step_call(m->c, &order, e);
	}
	if (rc == ERR_BUSY || rc == ERR_SEALED)
		return machine_retry(m, e->msg, e);
	if (rc == ERR_NOENT || rc == ERR_INVALID || rc == ERR_TOO_BIG)
		return machine_hold(m, arena_str(m->a, e->msg), e);
	if (rc != ERR_OK)
		return rc;
	if (m->t.state == ATTEMPT_GENERATED) {
		m->t.state = ATTEMPT_SETTING;
		m->t.tries = 0;
	}
	m->t.op = op;
	m->t.uncertain = m->t.uncertain || changes(op);
	m->t.next_ms = m->c->now_ms + timeout + SLACK_MS;
	if ((rc = rotation_attempt_save(m->c, m->a, &m->t, e)) != ERR_OK)
		return rc;
	return rotation_record(m->c, m->a, &m->t, NULL, "ok", e);
}
