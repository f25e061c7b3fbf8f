/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_due - what the clock brings: attempts that go on, and schedules. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "jobs.h"
#include "lease.h"
#include "log.h"
#include "machine.h"
#include "rng.h"
#include "rotation_alarm.h"
#include "rotation_due.h"
#include "rotation_event.h"
#include "rotation_restored.h"
#include "rotation_room.h"
#include "rotation_state.h"

#define LOOKS_AT_ONCE 16  /* schedules in one run of the timer, until one begins */
#define ADVANCE_MS    3   /* of a batch; then the rest has its turn in the next one */
#define FULL_MS       200 /* between two looks for room */
#define LOOK_MS       1000
#define FAILED_MS     60000 /* what cannot be dealt with is tried so often */

int rotation_open(struct core *c, struct err *e)
{
	c->rotation = calloc(1, sizeof(*c->rotation));
	if (c->rotation != NULL)
		c->rotation->room = rotation_room_new();
	if (c->rotation != NULL && c->rotation->room != NULL)
		return ERR_OK;
	rotation_close(c);
	return err_set(e, ERR_NOMEM, "out of memory");
}

void rotation_close(struct core *c)
{
	if (c->rotation != NULL)
		rotation_room_free(c->rotation->room);
	free(c->rotation);
	c->rotation = NULL;
}

void rotation_unsealed(struct core *c)
{
	struct rotation_room *room = c->rotation->room;

	memset(c->rotation, 0, sizeof(*c->rotation));
	c->rotation->room = room;
	rng_bytes(&c->rotation->life, sizeof(c->rotation->life));
	rotation_room_clear(room);
}

struct rotation_room *rotation_room_of(const struct core *c)
{
	return c->rotation->room;
}

void rotation_recheck_begins(struct core *c)
{
	c->rotation->rechecked = false;
}

void rotation_room_freed(struct core *c)
{
	c->rotation->not_before_ms = 0;
	jobs_dirty(c);
}

int64_t rotation_not_before(const struct core *c)
{
	return c->rotation->not_before_ms;
}

/* ---- attempts ---- */

struct due {
	struct store_object *at;
	size_t n, cap;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct due *d = ctx;

	(void)e;
	if (d->n < d->cap)
		d->at[d->n++] = *o;
	return ERR_OK;
}

/* The longest wait that an attempt can have set itself. */
static int64_t longest_wait(const struct rotation_attempt *t)
{
	if (t->state != ATTEMPT_RETIRING && t->state != ATTEMPT_RETIRE_LATE)
		return MACHINE_RETRY_MAX_MS;
	return t->grace_ms > MACHINE_RETIRE_MAX_MS ? t->grace_ms : MACHINE_RETIRE_MAX_MS;
}

/* A call that a crash or a seal has ended is not waited for; nor is one that is far ahead
 * because the clock was set back meanwhile. */
static int recover_one(struct core *c, struct arena *a, const struct store_object *o,
                       struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_read(c, a, o, &t, e);
	int64_t latest;

	if (rc != ERR_OK || step_under_way(c, t.o.id))
		return rc;
	(void)rotation_clock_follow(c, &t);
	latest = c->now_ms + longest_wait(&t);
	if (t.op[0] == '\0' && t.next_ms <= latest)
		return ERR_OK;
	t.next_ms = t.op[0] == '\0' ? latest : 0;
	t.lost = t.lost || t.op[0] != '\0';
	t.op = "";
	return rotation_attempt_save(c, a, &t, e);
}

static void set_recovered(void *arg)
{
	struct core *c = arg;

	if (c->rotation != NULL)
		c->rotation->recovered = true;
}

#define RECOVER_MAX 64 /* more than can be working */

static int recover(struct core *c, struct arena *a, struct err *e)
{
	struct due d = { .cap = RECOVER_MAX };
	int rc;

	d.at = arena_alloc(a, d.cap * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_ATTEMPT, INT64_MAX, RECOVER_MAX, collect, &d, e);
	for (size_t i = 0; rc == ERR_OK && i < d.n; i++)
		rc = recover_one(c, a, &d.at[i], e);
	if (rc == ERR_OK)
		core_after_commit(c, set_recovered, c);
	return rc;
}

/* The wall clock was stepped ahead: what is left is told by the other one. */
static int still_waiting(struct core *c, struct arena *a, struct rotation_attempt *t,
                         struct err *e)
{
	int rc = rotation_judge(c, a, t, e);

	if (rc != ERR_OK || t->state != ATTEMPT_PROPAGATING || t->overdue ||
	    t->deadline_ms > c->now_ms)
		return rc;
	t->deadline_ms = c->now_ms + (t->boot_due_ms - c->boot_ms);
	return rotation_attempt_save(c, a, t, e);
}

static int advance(struct core *c, struct arena *a, const struct store_object *o,
                   struct err *e)
{
	struct rotation_attempt t;
	struct machine m;
	int rc = rotation_attempt_read(c, a, o, &t, e);

	if (rc != ERR_OK)
		return rc;
	/* It is not due yet, perhaps. */
	if (rotation_clock_follow(c, &t))
		return rotation_attempt_save(c, a, &t, e);
	if (t.state == ATTEMPT_PROPAGATING)
		return still_waiting(c, a, &t, e);
	rc = machine_open(&m, c, a, &t, e);
	if (rc == ERR_NOENT) {
		m.t.error = "the secret is gone";
		return machine_end(&m, ATTEMPT_ABORTED, e);
	}
	return rc == ERR_OK ? machine_advance(&m, e) : rc;
}

/* One that fails takes all that its run has done back with it.  Before it is tried again
 * it is put off, in a run of its own, so that it holds up no other. */
static int failed(struct core *c, const struct store_object *o, int rc)
{
	struct rotation_state *s = c->rotation;

	if (rc == ERR_OK)
		return rc;
	s->has_failed = true;
	s->failed_kind = o->kind;
	s->failed_len = o->id_len;
	memcpy(s->failed, o->id, o->id_len);
	return rc;
}

static int put_off_failed(struct core *c, struct arena *a, struct err *e)
{
	struct rotation_state *s = c->rotation;
	struct store_object o = { .version = 0 };
	int rc;

	s->has_failed = false;
	rc = store_get(c, a, s->failed_kind, s->failed, s->failed_len, &o, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	o.due = c->now_ms + FAILED_MS;
	return store_put(c, &o, e);
}

static int advance_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct due d = { .cap = (size_t)limit };
	int rc;

	d.at = arena_alloc(a, d.cap * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_ATTEMPT, c->now_ms, limit, collect, &d, e);
	for (size_t i = 0; rc == ERR_OK && i < d.n; i++) {
		rc = failed(c, &d.at[i], advance(c, a, &d.at[i], e));
		if (clock_boot(c->clock) - c->boot_ms >= ADVANCE_MS)
			break;
	}
	return rc;
}

/* ---- schedules ---- */

/* What a schedule has brought that is no attempt. */
static int record_due(struct core *c, struct arena *a, const struct rotation_rule *rule,
                      const char *outcome, const char *error, struct err *e)
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
		.outcome = outcome,
		.error = error,
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

/* Set back to an earlier moment: is the value that is served the one the target has? */
static int check_first(struct core *c, struct arena *a, struct rotation_rule *rule,
                       struct err *e)
{
	const struct rotation_order order = { .cause = "check", .check = true };
	struct rotation_attempt t;
	unsigned char id[32];
	struct err why;
	int64_t end;
	int rc, run;

	memcpy(id, rule->o.id, sizeof(id));
	run = rotation_start(c, a, id, &order, &t, &why);
	if (run != ERR_OK && !is_refusal(run)) {
		*e = why;
		return run;
	}
	if ((rc = rotation_rule_load(c, a, id, rule, e)) != ERR_OK)
		return rc;
	/* Whatever comes first is checked first: see the machine. */
	(void)rotation_rule_plan(rule, c->now_ms, false, &end);
	return rotation_rule_save(c, a, rule, e);
}

static int run_slot(struct core *c, struct arena *a, struct rotation_rule *rule,
                    int64_t end, struct err *e)
{
	const struct rotation_order order = { .cause = "schedule", .until_ms = end };
	struct rotation_attempt t;
	int64_t slot = rule->next_slot, ignored;
	unsigned char id[32];
	struct err why;
	int rc, run;

	memcpy(id, rule->o.id, sizeof(id));
	run = rotation_start(c, a, id, &order, &t, &why);
	if (run != ERR_OK && !is_refusal(run)) {
		*e = why;
		return run;
	}
	if ((rc = rotation_rule_load(c, a, id, rule, e)) != ERR_OK)
		return rc;
	if (run != ERR_OK)
		rule->problem = arena_str(a, why.msg);
	else if (rule->target[0] != '\0' && (rc = rotation_pace_begun(c, a, e)) != ERR_OK)
		return rc;
	rule->last_slot = slot;
	(void)rotation_rule_plan(rule, c->now_ms, false, &ignored);
	if (run != ERR_OK &&
	    (rc = record_due(c, a, rule, "error", errclasses[run].wire, e)) != ERR_OK)
		return rc;
	return rotation_rule_save(c, a, rule, e);
}

/* People are told once for each slot, until somebody writes a new version. */
static int remind(struct core *c, struct arena *a, struct rotation_rule *rule,
                  struct err *e)
{
	int64_t ignored;
	int rc;

	if (rule->due_since == 0)
		rule->due_since = c->now_ms;
	rule->last_slot = rule->next_slot;
	rule->problem = ROTATION_DUE_TEXT;
	(void)rotation_rule_plan(rule, c->now_ms, false, &ignored);
	if ((rc = rotation_event_due(c, a, rule, e)) != ERR_OK ||
	    (rc = record_due(c, a, rule, "ok", "", e)) != ERR_OK)
		return rc;
	return rotation_rule_save(c, a, rule, e);
}

static int target_room(struct core *c, struct arena *a, const struct rotation_rule *rule,
                       bool *ok, struct err *e)
{
	struct target t = { .at_once = 1 };
	int rc = ERR_NOENT;

	if (rule->target[0] != '\0')
		rc = target_load(c, a, rule->target_id, &t, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	/* Its administrator waits for the others as an attempt, so that they see it. */
	*ok = true;
	if (rc == ERR_OK && t.has_admin_secret &&
	    memcmp(t.admin_secret, rule->o.id, sizeof(t.admin_secret)) == 0)
		return ERR_OK;
	return rotation_room(c, rc == ERR_OK ? rule->target_id : NULL,
	                     rc == ERR_OK ? t.at_once : 1, ok, e);
}

/* The rule waits with its slot: looked at again when it can be its turn, or when it has
 * none any more. */
static int put_off(struct core *c, struct arena *a, struct rotation_rule *rule,
                   int64_t later, int64_t end, struct err *e)
{
	rule->o.due = later != 0 ? later : rotation_turn_ms(c, FULL_MS);
	if (end > c->now_ms && end < rule->o.due)
		rule->o.due = end;
	return rotation_rule_save(c, a, rule, e);
}

struct looking {
	bool full; /* nothing else can begin now */
	bool done; /* something has begun, which is enough for a batch */
};

static int look_at(struct core *c, struct arena *a, const struct store_object *o,
                   struct looking *l, struct err *e)
{
	struct rotation_rule rule;
	int64_t end, later = 0;
	bool ok, run, told, waited;
	int rc = rotation_rule_read(c, a, o, &rule, e);

	if (rc != ERR_OK)
		return rc;
	waited = o->due > rule.next_ms;
	l->done = true;
	if (rule.unchecked && (rule.next_ms == 0 || rule.o.due < rule.next_ms))
		return check_first(c, a, &rule, e);
	run = rotation_rule_plan(&rule, c->now_ms, c->rotation->stepped, &end);
	if ((rc = rotation_alarm(c, a, &rule, &told, e)) != ERR_OK)
		return rc;
	if ((!run || told) && (rc = rotation_rule_save(c, a, &rule, e)) != ERR_OK)
		return rc;
	l->done = run;
	if (!run)
		return ERR_OK;
	if (rule.strategy == STRATEGY_MANUAL)
		return remind(c, a, &rule, e);
	if ((rc = rotation_room(c, NULL, 1, &ok, e)) != ERR_OK)
		return rc;
	l->full = !ok;
	if (!ok)
		return ERR_OK;
	/* Its turn first: who has had it does not lose it while its target is busy. */
	if (rule.target[0] != '\0' &&
	    (rc = rotation_pace(c, a, waited, &later, e)) != ERR_OK)
		return rc;
	if (later == 0 && (rc = target_room(c, a, &rule, &ok, e)) != ERR_OK)
		return rc;
	l->done = ok && later == 0;
	return l->done ? run_slot(c, a, &rule, end, e)
	               : put_off(c, a, &rule, later, end, e);
}

static int start_due(struct core *c, struct arena *a, struct err *e)
{
	struct due d = { .cap = LOOKS_AT_ONCE };
	struct looking l = { .full = false };
	int rc;

	if (c->now_ms < c->rotation->not_before_ms)
		return ERR_OK;
	d.at = arena_alloc(a, d.cap * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_ROTATION, c->now_ms, LOOKS_AT_ONCE, collect, &d, e);
	for (size_t i = 0; rc == ERR_OK && !l.full && !l.done && i < d.n; i++) {
		rc = failed(c, &d.at[i], look_at(c, a, &d.at[i], &l, e));
		if (clock_boot(c->clock) - c->boot_ms >= ADVANCE_MS)
			break;
	}
	if (d.n == 0)
		c->rotation->stepped = false;
	if (l.full)
		c->rotation->not_before_ms = c->now_ms + FULL_MS;
	return rc;
}

/* ---- time zones ---- */

#define ZONES_MS     60000
#define REPLAN_SLICE 64

int64_t rotation_zones_due(const struct core *c)
{
	const struct rotation_state *s = c->rotation;

	if (!s->replanned || s->following)
		return c->now_ms;
	if (!zones_used(c->zones))
		return 0;
	return s->zones_ms > c->boot_ms ? c->now_ms + s->zones_ms - c->boot_ms
	                                : c->now_ms;
}

static void replan_again(void *arg)
{
	struct core *c = arg;

	if (c->rotation != NULL)
		c->rotation->replanned = c->rotation->replanning = false;
}

/* A slot can come earlier than the timer that was set for it under other rules. */
static int replan(struct core *c, struct arena *a, const struct store_object *o,
                  struct err *e)
{
	struct rotation_rule rule;
	int64_t before = o->due, end;
	bool told;
	int rc = rotation_rule_read(c, a, o, &rule, e);

	/* What is to be checked is due before its slot. */
	if (rc != ERR_OK || !rule.scheduled || rule.unchecked)
		return rc;
	(void)rotation_rule_plan(&rule, c->now_ms, c->rotation->stepped, &end);
	if ((rc = rotation_alarm(c, a, &rule, &told, e)) != ERR_OK)
		return rc;
	return told || rule.o.due != before ? rotation_rule_save(c, a, &rule, e) : ERR_OK;
}

static int replan_slice(struct core *c, struct arena *a, struct err *e)
{
	struct rotation_state *s = c->rotation;
	struct due d = { .cap = REPLAN_SLICE };
	int rc;

	d.at = arena_alloc(a, d.cap * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_each(c, a, KIND_ROTATION, s->replanning ? s->replan_after : NULL,
	                s->replanning ? s->replan_len : 0, REPLAN_SLICE, collect, &d, e);
	for (size_t i = 0; rc == ERR_OK && i < d.n; i++)
		rc = replan(c, a, &d.at[i], e);
	if (rc == ERR_INTEGRITY) {
		/* Timers as they are set are better than none. */
		log_error("slots cannot be computed again", LOG_S("cause", e->msg));
		s->replanned = true;
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	core_undo(c, replan_again, c);
	s->replanned = d.n < REPLAN_SLICE;
	s->replanning = !s->replanned;
	if (s->replanning) {
		memcpy(s->replan_after, d.at[d.n - 1].id, STORE_ID_MAX);
		s->replan_len = d.at[d.n - 1].id_len;
	}
	return ERR_OK;
}

static int watch_zones(struct core *c, struct arena *a, struct err *e)
{
	struct rotation_state *s = c->rotation;

	if (c->boot_ms >= s->zones_ms) {
		s->zones_ms = c->boot_ms + ZONES_MS;
		if (zones_refresh(c->zones)) {
			log_info("time zones", LOG_S("tzdata", zones_version(c->zones)));
			replan_again(c);
		}
	}
	return s->replanned ? ERR_OK : replan_slice(c, a, e);
}

int rotation_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	bool more;
	int rc;

	c->rotation->look_ms = c->boot_ms + LOOK_MS; /* even if this fails */
	if (c->rotation->has_failed)
		return put_off_failed(c, a, e);
	if (!c->rotation->rechecked) {
		if ((rc = rotation_rechecks(c, a, &more, e)) != ERR_OK || more)
			return rc;
		c->rotation->rechecked = true;
	}
	rc = c->rotation->recovered ? ERR_OK : recover(c, a, e);
	if (rc != ERR_OK)
		return rc;
	rotation_watch_clock(c);
	if ((rc = rotation_clock_slice(c, a, e)) != ERR_OK ||
	    (rc = watch_zones(c, a, e)) != ERR_OK ||
	    (rc = advance_due(c, a, limit, e)) != ERR_OK)
		return rc;
	return start_due(c, a, e);
}
