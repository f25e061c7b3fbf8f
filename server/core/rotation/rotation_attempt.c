/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_attempt - the record of one rotation, and what it reports. */
#include <string.h>

#include "arena.h"
#include "lease_impl.h"
#include "readers.h"
#include "rotation.h"
#include "rotation_room.h"
#include "rotation_state.h"
#include "rotation_tally.h"
#include "text.h"

static const char *const state_names[ATTEMPT__MAX] = {
	[ATTEMPT_CLAIMED] = "claimed",
	[ATTEMPT_CHECKING] = "checking",
	[ATTEMPT_GENERATED] = "generated",
	[ATTEMPT_SETTING] = "setting",
	[ATTEMPT_SET] = "set",
	[ATTEMPT_TESTED] = "tested",
	[ATTEMPT_PROPAGATING] = "published",
	[ATTEMPT_RETIRING] = "retiring",
	[ATTEMPT_RETIRE_LATE] = "retire-late",
	[ATTEMPT_REVERTING] = "reverting",
	[ATTEMPT_HELD] = "held",
	[ATTEMPT_CONVERGED] = "converged",
	[ATTEMPT_LATE] = "late",
	[ATTEMPT_FAILED] = "failed",
	[ATTEMPT_REVERTED] = "reverted",
	[ATTEMPT_ABORTED] = "aborted",
};
static const char *const strategy_names[STRATEGY__MAX] = {
	[STRATEGY_GENERATE] = "generate",
	[STRATEGY_SINGLE] = "single",
	[STRATEGY_DUAL_USER] = "dual_user",
	[STRATEGY_DUAL_KEY] = "dual_key",
	[STRATEGY_VERIFY_THEN_SIGN] = "verify_then_sign",
	[STRATEGY_REISSUE] = "reissue",
	[STRATEGY_MANUAL] = "manual",
};
static const char *const policy_names[POLICY__MAX] = {
	[POLICY_WAIT] = "wait",
	[POLICY_PROCEED] = "proceed",
	[POLICY_REVERT] = "revert",
};

const char *rotation_state_name(enum attempt_state s)
{
	return state_names[s];
}

const char *rotation_strategy_name(enum rotation_strategy s)
{
	return strategy_names[s];
}

const char *rotation_policy_name(enum rotation_policy p)
{
	return policy_names[p];
}

static int find_name(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return (int)i;
	return -1;
}

int rotation_strategy_of(const char *name, enum rotation_strategy *out)
{
	int i = find_name(strategy_names, STRATEGY__MAX, name);

	if (i >= 0)
		*out = (enum rotation_strategy)i;
	return i >= 0 ? 0 : -1;
}

int rotation_policy_of(const char *name, enum rotation_policy *out)
{
	int i = find_name(policy_names, POLICY__MAX, name);

	if (i >= 0)
		*out = (enum rotation_policy)i;
	return i >= 0 ? 0 : -1;
}

static int take_state(const char *name, enum attempt_state *out)
{
	int i = find_name(state_names, ATTEMPT__MAX, name);

	if (i >= 0)
		*out = (enum attempt_state)i;
	return i >= 0 ? 0 : -1;
}

/* What is a number or a flag, once for reading and writing. */
#define NUMBERS(X)                     \
	X("version", version)          \
	X("previous", previous)        \
	X("started", started_ms)       \
	X("deadline", deadline_ms)     \
	X("ended", ended_ms)           \
	X("timeout", timeout_ms)       \
	X("grace", grace_ms)           \
	X("boot_start", boot_start_ms) \
	X("boot_due", boot_due_ms)     \
	X("holders", holders)          \
	X("waiting", waiting)          \
	X("applied", applied)          \
	X("rejected", rejected)        \
	X("bits", bits)                \
	X("created", created_ms)       \
	X("phase", phase)              \
	X("tries", tries)              \
	X("values", values)            \
	X("next", next_ms)             \
	X("hold", hold_ms)             \
	X("until", until_ms)           \
	X("offset", offset_ms)         \
	X("life", life)                \
	X("counting", counting)        \
	X("aged", aged_ms)
#define FLAGS(X)                            \
	X("marking", marking)               \
	X("publishing", publishing)         \
	X("overdue", overdue)               \
	X("undo_published", undo_published) \
	X("stragglers", stragglers)         \
	X("undone", undone)                 \
	X("spared", spared)                 \
	X("uncertain", uncertain)           \
	X("lost", lost)                     \
	X("refused", refused)               \
	X("inherits", inherits)             \
	X("alone", alone)                   \
	X("forced", forced)                 \
	X("giving_up", giving_up)
#define TEXTS(X)              \
	X("path", path)       \
	X("cause", cause)     \
	X("op", op)           \
	X("account", account) \
	X("error", error)

int rotation_attempt_read(struct core *c, struct arena *a, const struct store_object *o,
                          struct rotation_attempt *out, struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
#define TAKE_NUMBER(key, member) out->member = value_int_or(b, key, 0);
#define TAKE_FLAG(key, member)   out->member = value_bool_or(b, key, false);
#define TAKE_TEXT(key, member)   out->member = value_cstr_or(a, b, key, "");
	NUMBERS(TAKE_NUMBER)
	FLAGS(TAKE_FLAG)
	TEXTS(TAKE_TEXT)
	out->frozen = value_get(b, "frozen");
	out->readers = value_get(b, "readers");
	if (out->timeout_ms == 0) /* written before there were targets */
		out->timeout_ms = out->deadline_ms - out->started_ms;
	if (o->id_len != 16 || o->parent_len != 32 ||
	    take_state(value_cstr_or(a, b, "state", "?"), &out->state) != 0 ||
	    take_state(value_cstr_or(a, b, "held_from", "claimed"), &out->held_from) !=
	            0 ||
	    rotation_strategy_of(value_cstr_or(a, b, "strategy", "generate"),
	                         &out->strategy) != 0 ||
	    rotation_policy_of(value_cstr_or(a, b, "policy", "wait"), &out->policy) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "a rotation attempt's record is malformed");
	tally_merge(c, out);
	return ERR_OK;
}

int rotation_attempt_load(struct core *c, struct arena *a, const unsigned char id[16],
                          struct rotation_attempt *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_ATTEMPT, id, 16, &o, e);

	if (rc == ERR_OK && (rc = rotation_attempt_read(c, a, &o, out, e)) == ERR_OK)
		(void)rotation_clock_follow(c, out);
	return rc;
}

/* When the timer has to look at it again; 0: something else wakes it, or nothing does. */
static int64_t due_time(const struct rotation_attempt *t)
{
	if (rotation_ended(t) || t->state == ATTEMPT_HELD)
		return 0;
	if (t->state == ATTEMPT_PROPAGATING)
		return t->overdue ? 0 : t->deadline_ms;
	if (t->state == ATTEMPT_REVERTING && t->undo_published && !t->overdue &&
	    (t->waiting > 0 || t->marking))
		return t->deadline_ms;
	return t->next_ms > 0 ? t->next_ms : 1;
}

int rotation_attempt_save(struct core *c, struct arena *a, struct rotation_attempt *t,
                          struct err *e)
{
	struct value *b = value_object(a);
	int rc;

	rotation_clock_mark(c, t);
	value_set_str(a, b, "state", rotation_state_name(t->state));
	value_set_str(a, b, "held_from", rotation_state_name(t->held_from));
	value_set_str(a, b, "strategy", rotation_strategy_name(t->strategy));
	value_set_str(a, b, "policy", rotation_policy_name(t->policy));
#define SET_NUMBER(key, member) value_set_int(a, b, key, t->member);
#define SET_FLAG(key, member)   value_set_bool(a, b, key, t->member);
#define SET_TEXT(key, member) \
	value_set_str(a, b, key, t->member != NULL ? t->member : "");
	NUMBERS(SET_NUMBER)
	FLAGS(SET_FLAG)
	TEXTS(SET_TEXT)
	if (t->frozen != NULL)
		value_set(b, "frozen", value_copy(a, t->frozen));
	if (t->readers != NULL)
		value_set(b, "readers", value_copy(a, t->readers));
	t->o.body = b;
	t->o.due = due_time(t);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = tally_save(c, t, e)) == ERR_OK &&
	    (rc = store_put(c, &t->o, e)) == ERR_OK)
		rotation_room_note(c, t);
	return rc;
}

bool rotation_answerable(const struct rotation_attempt *t)
{
	if (rotation_ended(t) || t->state == ATTEMPT_HELD ||
	    t->state == ATTEMPT_RETIRE_LATE || t->overdue)
		return true;
	return t->state == ATTEMPT_RETIRING && t->grace_ms > 0;
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

	if (!applied && lease_alive(l) && l->state != LEASE_WIPED && l->said < l->wants)
		state = "waiting"; /* it speaks of an older version */
	value_set_str(a, v, "host", l->holder);
	value_set_str(a, v, "lease_id", lease_id_text(a, l));
	value_set_str(a, v, "state", state);
	value_set_int(a, v, "version", l->applied);
	value_set(v, "applied_ms",
	          applied && l->settled_ms >= t->started_ms
	                  ? value_int(a, l->settled_ms - t->started_ms)
	                  : value_null(a));
	value_set_bool(a, v, "late",
	               (t->state == ATTEMPT_LATE || t->overdue) && l->waits);
	value_set_str(a, v, "detail", l->said < l->wants ? "" : l->detail);
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
	value_set_str(a, out, "state",
	              t->state == ATTEMPT_PROPAGATING && t->overdue
	                      ? "late"
	                      : rotation_state_name(t->state));
	value_set_bool(a, out, "ended", rotation_ended(t));
	value_set_bool(a, out, "settled", rotation_answerable(t));
	value_set_str(a, out, "held_from",
	              t->state == ATTEMPT_HELD ? rotation_state_name(t->held_from) : "");
	value_set_int(a, out, "next_ms", rotation_ended(t) ? 0 : t->next_ms);
	value_set_int(a, out, "left_alone_until_ms",
	              t->spared && !rotation_ended(t) ? t->next_ms : 0);
	value_set_str(a, out, "strategy", rotation_strategy_name(t->strategy));
	value_set_str(a, out, "account", t->account);
	value_set_int(a, out, "tries", t->tries);
	value_set_str(a, out, "error", t->error);
	value_set_int(a, out, "started_ms", t->started_ms);
	value_set_int(a, out, "deadline_ms", t->deadline_ms);
	value_set_int(a, out, "took_ms",
	              until > t->started_ms ? until - t->started_ms : 0);
	value_set_int(a, out, "bits", t->bits);
	value_set_int(a, out, "holders_total", t->holders);
	value_set_int(a, out, "holders_applied", t->applied);
	value_set_int(a, out, "holders_waiting", t->waiting);
	value_set_int(a, out, "holders_rejected", t->rejected);
	if (holders != NULL) {
		value_set(out, "holders", holders);
		value_set(out, "untracked_readers", reader_names(c, a, t));
	}
}
