/* SPDX-License-Identifier: Apache-2.0 */
/* machine_value - the new value of a secret: made, kept, handed over, forgotten. */
#include <string.h>

#include "arena.h"
#include "machine.h"
#include "password_policy.h"
#include "vault/limits.h"

#define DRAWS      1000 /* texts that may be thrown away for a rule's sake */
#define RECENT_LEN 16u

bool machine_phased(const struct rotation_attempt *t)
{
	return t->strategy == STRATEGY_VERIFY_THEN_SIGN;
}

/* ---- keeping ---- */

static void slot_id(struct core *c, const unsigned char attempt[16],
                    unsigned char out[32])
{
	store_blind(c, out, "attempt-value", attempt, 16, NULL, 0);
}

static int keep(struct machine *m, enum machine_slot slot, const struct value *data,
                struct err *e)
{
	unsigned char id[32];
	size_t n;
	unsigned char *p = value_pack(m->a, data, &n);
	int rc;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n > LIMIT_SECRET_VALUE)
		return err_set(e, ERR_TOO_BIG, "secret value is larger than %u bytes",
		               LIMIT_SECRET_VALUE);
	slot_id(m->c, m->t.o.id, id);
	if ((rc = payload_destroy(m->c, id, slot, e)) != ERR_OK)
		return rc;
	return payload_put(m->c, id, slot, m->t.created_ms, p, n, e);
}

int machine_value(struct machine *m, enum machine_slot slot, struct value **out,
                  struct err *e)
{
	unsigned char id[32], *p;
	size_t n;
	int rc;

	slot_id(m->c, m->t.o.id, id);
	rc = payload_get(m->c, m->a, id, slot, m->t.created_ms, &p, &n, e);
	if (rc == ERR_NOENT)
		return err_set(e, ERR_INTEGRITY, "a value of a rotation is missing");
	return rc == ERR_OK ? value_decode(m->a, p, n, out, e) : rc;
}

int machine_forget_values(struct core *c, const unsigned char attempt[16], struct err *e)
{
	unsigned char id[32];
	int rc;

	slot_id(c, attempt, id);
	if ((rc = payload_destroy(c, id, SLOT_NEW, e)) != ERR_OK)
		return rc;
	return payload_destroy(c, id, SLOT_OLD, e);
}

int machine_forget(struct machine *m, struct err *e)
{
	if (m->t.created_ms == 0)
		return ERR_OK;
	m->t.created_ms = 0;
	return machine_forget_values(m->c, m->t.o.id, e);
}

/* ---- making ---- */

static void recent_tag(const struct machine *m, const char *text,
                       unsigned char out[RECENT_LEN])
{
	unsigned char tag[32];

	store_blind(m->c, tag, "rotation-recent", m->rule.o.id, 32, text, strlen(text));
	memcpy(out, tag, RECENT_LEN);
}

static bool is_recent(const struct machine *m, const unsigned char tag[RECENT_LEN])
{
	const struct value *r = m->rule.recent;

	for (size_t i = 0; r != NULL && i + RECENT_LEN <= r->len; i += RECENT_LEN)
		if (memcmp(r->text + i, tag, RECENT_LEN) == 0)
			return true;
	return false;
}

static int remember(struct machine *m, const unsigned char tag[RECENT_LEN], struct err *e)
{
	const struct value *r = m->rule.recent;
	size_t have = r != NULL ? r->len / RECENT_LEN * RECENT_LEN : 0, cut = 0;
	char *p = arena_alloc(m->a, (ROTATION_RECENT + 1) * RECENT_LEN);

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (have >= ROTATION_RECENT * RECENT_LEN)
		cut = have - (ROTATION_RECENT - 1) * RECENT_LEN;
	if (have > cut)
		memcpy(p, r->text + cut, have - cut);
	memcpy(p + have - cut, tag, RECENT_LEN);
	m->rule.recent = value_bytes(m->a, p, have - cut + RECENT_LEN);
	return ERR_OK;
}

/* What the target cannot take, by its own account. */
static const char *forbidden(const struct machine *m)
{
	if (!m->has_target)
		return "";
	return value_cstr_or(m->a, value_get(m->target.describe, "value"), "forbid", "");
}

/* The password policy that makes values: of the rule, or of its target; "": the rule
 * itself says how. */
static const char *policy_of(const struct machine *m)
{
	const char *own = value_cstr_or(m->a, m->rule.config, "password_policy", "");

	if (own[0] != '\0' || !m->has_target)
		return own;
	return value_cstr_or(m->a, m->target.extra, "password_policy", "");
}

static int draw(struct machine *m, const char **out, struct err *e)
{
	const char *policy = policy_of(m);
	char *text;

	if (policy[0] != '\0')
		return password_policy_generate(m->c, m->a, policy, out, e);
	if ((text = arena_alloc(m->a, GENERATE_LENGTH_MAX + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*out = text;
	return generate_text(&m->rule.gen, text, e);
}

/* A text that the rule and the target allow, and that was not made lately.  Texts that do
 * not fit are thrown away whole, so that those that do are equally likely. */
static int new_text(struct machine *m, const char **out, struct err *e)
{
	const char *forbid = forbidden(m), *text = "";
	unsigned char tag[RECENT_LEN];
	int rc;

	for (int i = 0; i < DRAWS; i++) {
		if ((rc = draw(m, &text, e)) != ERR_OK)
			return rc;
		recent_tag(m, text, tag);
		if (strpbrk(text, forbid) != NULL || is_recent(m, tag))
			continue;
		*out = text;
		return remember(m, tag, e);
	}
	return err_set(
		e, ERR_INVALID,
		"the rule leaves no value that the target accepts and that was not "
		"used lately");
}

static int put_text(struct machine *m, struct value *data, const char *field,
                    const char *text, struct err *e)
{
	struct value *v = value_get(data, field);

	if (v == NULL) {
		value_set_str(m->a, data, field, text);
	} else {
		v->type = V_STRING;
		v->text = text;
		v->len = (uint32_t)strlen(text);
		v->first = v->last = NULL;
	}
	return arena_failed(m->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static const char *account_at(const struct machine *m, size_t i)
{
	const struct value *v = value_at(m->rule.accounts, i);

	return v != NULL ? value_to_cstr(v, m->a) : NULL;
}

/* Whose value is made: the only account, or the one that is idle. */
static int choose_account(struct machine *m, struct value *data, struct err *e)
{
	const struct value *v = value_get(data, m->rule.username_field);
	const char *first = account_at(m, 0), *second = account_at(m, 1);

	m->t.account = first != NULL ? first : "";
	if (first == NULL || (v == NULL && m->rule.strategy != STRATEGY_DUAL_USER))
		return ERR_OK;
	if (m->rule.strategy != STRATEGY_DUAL_USER)
		return value_is_str(v, first)
		               ? ERR_OK
		               : err_set(e, ERR_INVALID,
		                         "field \"%.64s\" of the secret does not name the "
		                         "rule's account",
		                         m->rule.username_field);
	if (second == NULL || v == NULL ||
	    (!value_is_str(v, first) && !value_is_str(v, second)))
		return err_set(
			e, ERR_INVALID,
			"field \"%.64s\" of the secret does not name one of the rule's "
			"two accounts",
			m->rule.username_field);
	if (value_is_str(v, first))
		m->t.account = second;
	return put_text(m, data, m->rule.username_field, m->t.account, e);
}

/* The data of the new version, as far as we make it. */
static int new_data(struct machine *m, struct value *data, struct err *e)
{
	const char *field = "", *text = "";
	int rc = choose_account(m, data, e);

	if (rc != ERR_OK || machine_creates(m))
		return rc;
	if ((rc = rotation_rule_field(&m->rule, data, m->a, &field, e)) != ERR_OK ||
	    (rc = new_text(m, &text, e)) != ERR_OK)
		return rc;
	m->t.bits = policy_of(m)[0] != '\0' ? 0 : generate_bits(&m->rule.gen);
	return put_text(m, data, field, text, e);
}

int machine_account(struct machine *m, struct err *e)
{
	struct value *old, *data;
	int rc = kv_read(m->c, m->a, &m->s, 0, &old, e);

	if (rc != ERR_OK)
		return rc;
	data = value_copy(m->a, old);
	return data != NULL ? choose_account(m, data, e)
	                    : err_set(e, ERR_NOMEM, "out of memory");
}

int machine_generate(struct machine *m, struct err *e)
{
	struct value *old, *data;
	int rc = kv_read(m->c, m->a, &m->s, 0, &old, e);

	if (rc == ERR_NOENT)
		return err_set(e, ERR_INVALID, "the secret has no current version");
	if (rc != ERR_OK)
		return rc;
	if (m->t.created_ms == 0)
		m->t.created_ms = m->c->now_ms;
	m->t.previous = m->s.current;
	m->t.version = m->s.current + 1;
	m->t.values++;
	if ((data = value_copy(m->a, old)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = new_data(m, data, e)) != ERR_OK ||
	    (rc = keep(m, SLOT_OLD, old, e)) != ERR_OK)
		return rc;
	return keep(m, SLOT_NEW, data, e);
}

int machine_taken(struct machine *m, bool *taken, struct err *e)
{
	struct value *new = NULL, *old = NULL;
	int rc = machine_value(m, SLOT_NEW, &new, e);

	if (rc != ERR_OK || (rc = machine_value(m, SLOT_OLD, &old, e)) != ERR_OK)
		return rc;
	*taken = !value_equal(new, old);
	return ERR_OK;
}

int machine_take(struct machine *m, const struct value *fields, struct err *e)
{
	struct value *data = NULL;
	int rc = machine_value(m, SLOT_NEW, &data, e);

	for (const struct value *v = fields->first; rc == ERR_OK && v != NULL;
	     v = v->next) {
		char *name = arena_dup(m->a, v->key, v->key_len);

		if (name == NULL || value_to_cstr(v, m->a) == NULL)
			return err_set(e, ERR_INVALID,
			               "the rotator has sent a field that is no text");
		rc = put_text(m, data, name, value_to_cstr(v, m->a), e);
	}
	return rc == ERR_OK ? keep(m, SLOT_NEW, data, e) : rc;
}
