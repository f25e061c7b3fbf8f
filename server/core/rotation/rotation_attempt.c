/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_attempt - the record of one rotation, and what it reports. */
#include <string.h>

#include "arena.h"
#include "lease_impl.h"
#include "readers.h"
#include "rotation.h"
#include "text.h"

static const char *const state_names[] = {
	[ATTEMPT_CLAIMED] = "claimed",
	[ATTEMPT_PROPAGATING] = "published",
	[ATTEMPT_CONVERGED] = "converged",
	[ATTEMPT_LATE] = "late",
};

const char *rotation_state_name(enum attempt_state s)
{
	return state_names[s];
}

static int take_state(const char *name, enum attempt_state *out)
{
	for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*out = (enum attempt_state)i;
			return 0;
		}
	}
	return -1;
}

int rotation_attempt_read(struct arena *a, const struct store_object *o,
                          struct rotation_attempt *out, struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->path = value_cstr_or(a, b, "path", "");
	out->cause = value_cstr_or(a, b, "cause", "");
	out->version = value_int_or(b, "version", 0);
	out->previous = value_int_or(b, "previous", 0);
	out->started_ms = value_int_or(b, "started", 0);
	out->deadline_ms = value_int_or(b, "deadline", 0);
	out->ended_ms = value_int_or(b, "ended", 0);
	out->boot_start_ms = value_int_or(b, "boot_start", 0);
	out->boot_due_ms = value_int_or(b, "boot_due", 0);
	out->holders = value_int_or(b, "holders", 0);
	out->waiting = value_int_or(b, "waiting", 0);
	out->applied = value_int_or(b, "applied", 0);
	out->bits = value_int_or(b, "bits", 0);
	out->marking = value_bool_or(b, "marking", false);
	out->frozen = value_get(b, "frozen");
	out->readers = value_get(b, "readers");
	if (o->id_len != 16 || o->parent_len != 32 ||
	    take_state(value_cstr_or(a, b, "state", "?"), &out->state) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "a rotation attempt's record is malformed");
	return ERR_OK;
}

int rotation_attempt_load(struct core *c, struct arena *a, const unsigned char id[16],
                          struct rotation_attempt *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_ATTEMPT, id, 16, &o, e);

	return rc == ERR_OK ? rotation_attempt_read(a, &o, out, e) : rc;
}

int rotation_attempt_save(struct core *c, struct arena *a, struct rotation_attempt *t,
                          struct err *e)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "path", t->path);
	value_set_str(a, b, "cause", t->cause);
	value_set_str(a, b, "state", rotation_state_name(t->state));
	value_set_int(a, b, "version", t->version);
	value_set_int(a, b, "previous", t->previous);
	value_set_int(a, b, "started", t->started_ms);
	value_set_int(a, b, "deadline", t->deadline_ms);
	value_set_int(a, b, "ended", t->ended_ms);
	value_set_int(a, b, "boot_start", t->boot_start_ms);
	value_set_int(a, b, "boot_due", t->boot_due_ms);
	value_set_int(a, b, "holders", t->holders);
	value_set_int(a, b, "waiting", t->waiting);
	value_set_int(a, b, "applied", t->applied);
	value_set_int(a, b, "bits", t->bits);
	value_set_bool(a, b, "marking", t->marking);
	if (t->frozen != NULL)
		value_set(b, "frozen", value_copy(a, t->frozen));
	if (t->readers != NULL)
		value_set(b, "readers", value_copy(a, t->readers));
	t->o.body = b;
	t->o.due = rotation_ended(t) ? 0 : t->deadline_ms;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &t->o, e);
}

/* ---- reports ---- */

static struct value *reader_names(struct core *c, struct arena *a,
                                  const struct rotation_attempt *t)
{
	struct value *names = value_array(a), *list;

	if (t->readers != NULL)
		return value_copy(a, t->readers);
	list = readers_list(c, a, t->o.parent);
	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     v = v->next)
		value_add(names, value_str(a, value_cstr_or(a, v, "who", "")));
	return names;
}

static struct value *holder_value(struct arena *a, const struct rotation_attempt *t,
                                  const struct lease *l)
{
	struct value *v = value_object(a);
	bool applied = !l->waits && l->applied >= l->wants;
	const char *state = lease_state_name(applied && lease_alive(l) ? LEASE_APPLIED
	                                                               : l->state);

	if (!applied && l->state == LEASE_APPLIED)
		state = "waiting"; /* has applied an older version */
	value_set_str(a, v, "host", l->holder);
	value_set_str(a, v, "lease_id", lease_id_text(a, l));
	value_set_str(a, v, "state", state);
	value_set_int(a, v, "version", l->applied);
	value_set(v, "applied_ms",
	          applied && l->settled_ms >= t->started_ms
	                  ? value_int(a, l->settled_ms - t->started_ms)
	                  : value_null(a));
	value_set_bool(a, v, "late", t->state == ATTEMPT_LATE && l->waits);
	value_set_str(a, v, "detail", l->detail);
	return v;
}

int rotation_report_slice(struct core *c, struct arena *a,
                          const struct rotation_attempt *t, struct rotation_report *rep,
                          int limit, bool *done, struct err *e)
{
	AUTO_ARENA scratch = arena_new((size_t)limit * 65536);
	struct leases ls = { .a = scratch };
	int rc;

	*done = true;
	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (rep->holders == NULL)
		rep->holders = t->frozen != NULL ? value_copy(a, t->frozen)
		                                 : value_array(a);
	if (t->frozen != NULL)
		return ERR_OK;
	rc = store_by_tag_page(c, scratch, KIND_LEASE, t->o.parent, 32,
	                       rep->started ? rep->after : NULL, sizeof(rep->after),
	                       limit, lease_collect, &ls, e);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < ls.n; i++) {
		const struct lease *l = &ls.at[i];

		if (l->wants != 0 && memcmp(l->attempt, t->o.id, sizeof(l->attempt)) == 0)
			value_add(rep->holders,
			          value_copy(a, holder_value(scratch, t, l)));
	}
	*done = ls.n < (size_t)limit;
	if (!*done)
		memcpy(rep->after, ls.at[ls.n - 1].o.id, sizeof(rep->after));
	rep->started = true;
	return ERR_OK;
}

int rotation_freeze(struct core *c, struct arena *a, struct rotation_attempt *t,
                    struct err *e)
{
	struct rotation_report rep = { .holders = NULL };
	bool done = false;
	int rc = ERR_OK;

	t->readers = reader_names(c, a, t);
	if (t->holders > ROTATION_FREEZE)
		return ERR_OK;
	while (rc == ERR_OK && !done)
		rc = rotation_report_slice(c, a, t, &rep, 64, &done, e);
	if (rc == ERR_OK)
		t->frozen = rep.holders;
	return rc;
}

void rotation_attempt_value(struct core *c, struct arena *a,
                            const struct rotation_attempt *t, struct value *holders,
                            struct value *out)
{
	char *id = arena_alloc(a, 33);
	int64_t until = rotation_ended(t) ? t->ended_ms : c->now_ms;

	if (id == NULL)
		return;
	text_hex(t->o.id, 16, id);
	value_set_str(a, out, "attempt_id", id);
	value_set_str(a, out, "path", t->path);
	value_set_str(a, out, "cause", t->cause);
	value_set_int(a, out, "version", t->version);
	value_set_int(a, out, "previous_version", t->previous);
	value_set_str(a, out, "state", rotation_state_name(t->state));
	value_set_int(a, out, "started_ms", t->started_ms);
	value_set_int(a, out, "deadline_ms", t->deadline_ms);
	value_set_int(a, out, "took_ms",
	              until > t->started_ms ? until - t->started_ms : 0);
	value_set_int(a, out, "bits", t->bits);
	value_set_int(a, out, "holders_total", t->holders);
	value_set_int(a, out, "holders_applied", t->applied);
	value_set_int(a, out, "holders_waiting", t->waiting);
	if (holders != NULL) {
		value_set(out, "holders", holders);
		value_set(out, "untracked_readers", reader_names(c, a, t));
	}
}
