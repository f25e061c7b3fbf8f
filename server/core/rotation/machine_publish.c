/* SPDX-License-Identifier: Apache-2.0 */
/* machine_publish - a value becomes the current version of the secret, in one transaction
 * with the attempt that made it. */
#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "machine.h"
#include "mutant.h"

#define SUFFIX_NEXT     "_next"
#define SUFFIX_PREVIOUS "_previous"

/* The deadline of the holders starts when they can know of it. */
static void start_clock(struct machine *m)
{
	m->t.deadline_ms = m->c->now_ms + m->t.timeout_ms;
	m->t.boot_start_ms = m->c->boot_ms;
	m->t.boot_due_ms = m->c->boot_ms + m->t.timeout_ms;
	m->t.holders = m->t.waiting = m->t.applied = m->t.rejected = 0;
	m->t.marking = m->t.overdue = false;
	m->t.counting = m->s.current + 1;
	m->t.frozen = NULL;
	m->t.tries = 0;
	m->t.next_ms = 0;
	m->t.op = "";
	m->t.uncertain = false;
}

/* Write ${data} as the new current version; leases count themselves into the attempt. */
static int write_version(struct machine *m, const struct value *data,
                         enum attempt_state state, struct err *e)
{
	unsigned char id[16];
	int64_t version = 0;
	int rc;

	memcpy(id, m->t.o.id, sizeof(id));
	start_clock(m);
	m->t.state = state;
	m->t.publishing = true;
	if ((rc = rotation_attempt_save(m->c, m->a, &m->t, e)) != ERR_OK ||
	    (rc = rotation_rule_save(m->c, m->a, &m->rule, e)) != ERR_OK ||
	    (rc = kv_write(m->c, m->a, m->s.mount, m->s.path, data, m->s.current,
	                   &version, e)) != ERR_OK ||
	    (rc = rotation_attempt_load(m->c, m->a, id, &m->t, e)) != ERR_OK ||
	    (rc = rotation_rule_load(m->c, m->a, m->rule.o.id, &m->rule, e)) != ERR_OK)
		return rc;
	m->t.publishing = false;
	m->s.current = version;
	return ERR_OK;
}

static char *with(struct machine *m, const char *field, const char *suffix)
{
	return arena_printf(m->a, "%s%s", field, suffix);
}

static void put(struct machine *m, struct value *out, const struct value *v)
{
	char *key = arena_dup(m->a, v->key, v->key_len);

	if (key != NULL)
		value_setn(out, key, v->key_len, value_copy(m->a, v));
}

static bool differs(const struct value *v, const struct value *from)
{
	const struct value *was = value_getn(from, v->key, v->key_len);

	return was == NULL || !value_equal(was, v);
}

/* ${base}, with those members of ${over} in it that are not the same in ${without}. */
static struct value *laid_over(struct machine *m, const struct value *base,
                               const struct value *over, const struct value *without)
{
	struct value *out = value_object(m->a);

	for (const struct value *v = base->first; v != NULL; v = v->next) {
		const struct value *o = value_getn(over, v->key, v->key_len);

		put(m, out, o != NULL && differs(o, without) ? o : v);
	}
	for (const struct value *o = over->first; o != NULL; o = o->next)
		if (value_getn(base, o->key, o->key_len) == NULL && differs(o, without))
			put(m, out, o);
	return out;
}

/* An object without the members that ${field} has for its other values. */
static struct value *bare(struct machine *m, const struct value *data, const char *field)
{
	const char *next = with(m, field, SUFFIX_NEXT);
	const char *previous = with(m, field, SUFFIX_PREVIOUS);
	struct value *out = value_object(m->a);

	if (next == NULL || previous == NULL)
		return NULL;
	for (const struct value *v = data->first; v != NULL; v = v->next) {
		char *key = arena_dup(m->a, v->key, v->key_len);

		if (key == NULL)
			return NULL;
		if (strcmp(key, next) != 0 && strcmp(key, previous) != 0)
			value_setn(out, key, v->key_len, value_copy(m->a, v));
	}
	return out;
}

static bool same_member(const struct value *x, const struct value *y, const char *key)
{
	const struct value *vx = value_get(x, key), *vy = value_get(y, key);

	return vx != NULL && vy != NULL && value_equal(vx, vy);
}

static void replace(struct machine *m, struct value *d, const char *field,
                    const struct value *by)
{
	struct value *at = value_get(d, field), *v = value_copy(m->a, by);

	if (at == NULL || v == NULL)
		return;
	v->key = at->key;
	v->key_len = at->key_len;
	v->next = at->next;
	*at = *v;
}

/* Announce (old value, and the next one), use (new value, and the previous one), forget.
 * What else the secret holds is as people have written it meanwhile. */
static int phase_data(struct machine *m, const struct value *new, const struct value *old,
                      struct value **out, struct err *e)
{
	const char *field;
	struct value *d, *now = NULL;
	int rc = rotation_rule_field(&m->rule, bare(m, old, m->rule.field), m->a, &field,
	                             e);

	if (rc == ERR_OK) /* as it is since the last publication */
		rc = kv_open_id(m->c, m->a, m->s.o.id, &m->s, e);
	if (rc == ERR_OK)
		rc = kv_read(m->c, m->a, &m->s, 0, &now, e);
	if (rc == ERR_NOENT)
		return err_set(e, ERR_CONFLICT, "the secret has no current version");
	if (rc != ERR_OK)
		return rc;
	if (m->t.phase < 3 && !same_member(now, old, field))
		return err_set(e, ERR_CONFLICT, "somebody else has written a new value");
	d = bare(m, MUTANT(MUTANT_OVERWRITES) ? old : now, field);
	if (d == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (m->t.phase == 1) {
		value_set(d, with(m, field, SUFFIX_NEXT),
		          value_copy(m->a, value_get(new, field)));
	} else if (m->t.phase == 2) {
		replace(m, d, field, value_get(new, field));
		value_set(d, with(m, field, SUFFIX_PREVIOUS),
		          value_copy(m->a, value_get(old, field)));
	}
	*out = d;
	return arena_failed(m->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* What somebody else has written since the value was made stays: the attempt changes its
 * own fields alone. */
static int newest_data(struct machine *m, struct value *new, struct value *old,
                       struct value **out, struct err *e)
{
	struct value *now;
	int rc = kv_read(m->c, m->a, &m->s, 0, &now, e);

	if (rc == ERR_NOENT)
		now = old; /* deleted meanwhile */
	else if (rc != ERR_OK)
		return rc;
	*out = laid_over(m, now, new, old);
	return arena_failed(m->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static int publish(struct machine *m, struct err *e)
{
	struct value *data = NULL, *new, *old;
	int rc = machine_value(m, SLOT_NEW, &new, e);

	if (rc != ERR_OK || (rc = machine_value(m, SLOT_OLD, &old, e)) != ERR_OK)
		return rc;
	if (machine_phased(&m->t)) {
		m->t.phase++;
		rc = phase_data(m, new, old, &data, e);
	} else {
		rc = newest_data(m, new, old, &data, e);
	}
	if (rc != ERR_OK)
		return rc;
	if (m->t.phase <= 1)
		m->t.aged_ms = m->rule.rotated_ms;
	m->rule.rotated_ms = m->c->now_ms;
	rc = write_version(m, data, ATTEMPT_PROPAGATING, e);
	m->t.version = m->s.current;
	if (MUTANT(MUTANT_VALUE_LOST) && rc == ERR_OK)
		rc = machine_forget_values(m->c, m->t.o.id, e);
	return rc;
}

int machine_publish(struct machine *m, struct err *e)
{
	const struct rotation_attempt before = m->t;
	struct store_object o;
	int rc = publish(m, e);

	/* It was not: the attempt is where it has been. */
	if (rc != ERR_OK) {
		o = m->t.o;
		m->t = before;
		m->t.o = o;
	}
	return rc;
}

/* How much of what tells the new value from the old one does ${now} have from the old? */
static enum machine_back compare(const struct value *now, const struct value *old,
                                 const struct value *new)
{
	size_t differ = 0, as_old = 0;

	for (const struct value *v = new->first; v != NULL; v = v->next) {
		const struct value *was = value_getn(old, v->key, v->key_len);
		const struct value *is = value_getn(now, v->key, v->key_len);

		if (was == NULL || value_equal(was, v))
			continue;
		differ++;
		as_old += is != NULL && value_equal(is, was);
	}
	return as_old == 0 ? BACK_NOT : as_old == differ ? BACK_ALL : BACK_PARTLY;
}

int machine_back(struct machine *m, struct value **now, enum machine_back *out,
                 struct err *e)
{
	struct value *old, *new;
	int rc;

	*out = BACK_NOT;
	*now = NULL;
	if (m->s.current <= m->t.version)
		return ERR_OK;
	rc = kv_read(m->c, m->a, &m->s, 0, now, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = machine_value(m, SLOT_OLD, &old, e)) != ERR_OK ||
	    (rc = machine_value(m, SLOT_NEW, &new, e)) != ERR_OK)
		return rc;
	*out = compare(*now, old, new);
	return ERR_OK;
}

/* Are the fields that the attempt has changed as it, or its predecessor, has set them? */
static bool is_ours(const struct value *now, const struct value *new,
                    const struct value *old)
{
	for (const struct value *v = new->first; v != NULL; v = v->next) {
		const struct value *at = value_getn(now, v->key, v->key_len);
		const struct value *was = value_getn(old, v->key, v->key_len);

		if (differs(v, old) &&
		    (at == NULL ||
		     !(value_equal(at, v) || (was != NULL && value_equal(at, was)))))
			return false;
	}
	return true;
}

static int old_data(struct machine *m, struct value **out, struct err *e)
{
	struct value *new, *old, *now;
	const char *field;
	int rc = machine_value(m, SLOT_NEW, &new, e);

	if (rc != ERR_OK || (rc = machine_value(m, SLOT_OLD, &old, e)) != ERR_OK)
		return rc;
	rc = kv_read(m->c, m->a, &m->s, 0, &now, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (rc == ERR_NOENT || !is_ours(now, new, old))
		return err_set(
			e, ERR_INVALID,
			"the secret's newest version is neither the old value nor the "
			"new one: write one of them again and 'vaultctl rotation "
			"resume', or 'vaultctl rotation abort --forget'");
	if (machine_phased(&m->t)) {
		rc = rotation_rule_field(&m->rule, bare(m, old, m->rule.field), m->a,
		                         &field, e);
		if (rc != ERR_OK)
			return rc;
		now = bare(m, now, field);
	}
	*out = laid_over(m, now, old, new);
	return arena_failed(m->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

int machine_unpublish(struct machine *m, struct err *e)
{
	struct value *data = NULL;
	int rc = old_data(m, &data, e);

	if (rc != ERR_OK)
		return rc;
	m->t.undo_published = true;
	rc = write_version(m, data, ATTEMPT_REVERTING, e);
	/* The value is no younger for it. */
	m->rule.rotated_ms = m->t.aged_ms;
	return rc == ERR_OK ? rotation_rule_save(m->c, m->a, &m->rule, e) : rc;
}

/* With the steps between, where there are several: they hold the old value too. */
int machine_erase_old(struct machine *m, struct err *e)
{
	struct kv_meta meta = { 0 };
	struct kv_secret s;
	bool changed = false;
	int rc;

	if ((rc = kv_open_id(m->c, m->a, m->s.o.id, &s, e)) != ERR_OK ||
	    (rc = kv_meta_read(m->a, s.o.body, &meta, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < meta.n; i++) {
		struct kv_version *v = &meta.versions[i];

		if (v->destroyed || v->number < m->t.previous ||
		    v->number >= m->t.version || v->number == meta.current)
			continue;
		v->destroyed = changed = true;
		if ((rc = payload_destroy(m->c, s.o.id, v->number, e)) != ERR_OK)
			return rc;
	}
	return changed ? kv_save(m->c, m->a, &s, &meta, e) : ERR_OK;
}
