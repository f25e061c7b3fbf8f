/* SPDX-License-Identifier: Apache-2.0 */
/* api_rotation - rotations of secrets. */
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "text.h"

#define REPORT_SLICE 128
#define LOOK_MS      1000
#define TARGET_WAIT_MS \
	60000 /* how long a request waits for a target, beside the holders */
#define SCRATCH ((size_t)16 * 1024 * 1024)

/* ---- rotations ---- */

/* A request that waits for an attempt, and then reads its holders in slices. */
struct waiting {
	unsigned char secret[32];
	unsigned char attempt[16];
	struct rotation_order order;
	bool wait;
	bool before;      /* what is waited for is the end of the attempt before */
	int64_t until_ms; /* boot clock: then it is answered as it is */
	struct rotation_report report;
};

static int start(struct req *r, struct waiting *w)
{
	struct rotation_attempt t;
	int rc = rotation_start(r->core, r->a, w->secret, &w->order, &t, &r->e);

	if (rc != ERR_OK)
		return rc;
	memcpy(w->attempt, t.o.id, sizeof(w->attempt));
	w->until_ms = r->core->boot_ms + t.timeout_ms;
	if (t.strategy != STRATEGY_GENERATE) /* time for the target */
		w->until_ms += TARGET_WAIT_MS;
	return ERR_OK;
}

/* Others know a value while the one before it is still valid: that ends now, for it may
 * be the one.  *ends: there is such an attempt, and it is in ${w}. */
static int end_grace(struct req *r, struct waiting *w, bool *ends)
{
	struct rotation_attempt t;
	struct rotation_rule rule;
	int rc = rotation_rule_load(r->core, r->a, w->secret, &rule, &r->e);

	*ends = false;
	if (rc != ERR_OK || !rule.has_attempt)
		return rc;
	rc = rotation_attempt_load(r->core, r->a, rule.attempt, &t, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = rotation_judge(r->core, r->a, &t, &r->e)) != ERR_OK ||
	    !rotation_has_grace(&t))
		return rc;
	*ends = true;
	memcpy(w->attempt, t.o.id, sizeof(w->attempt));
	w->until_ms = r->core->boot_ms + TARGET_WAIT_MS;
	return rotation_decide(r->core, r->a, &t, VERDICT_LEAKED, &r->e);
}

static int take_order(struct req *r, struct waiting *w, bool check)
{
	struct kv_secret s;
	bool present;
	int rc;

	w->wait = true;
	w->order = (struct rotation_order){
		.cause = "request",
		.request_id = r->request_id,
		.actor = r->id.display_name,
	};
	if ((rc = req_bool(r, "leaked", &w->order.leak, &present)) != ERR_OK ||
	    (rc = req_duration(r, "timeout", &w->order.timeout_ms, &present)) != ERR_OK ||
	    (present &&
	     (rc = rotation_check_timeout(r, w->order.timeout_ms)) != ERR_OK) ||
	    (rc = req_bool(r, "wait", &w->wait, &present)) != ERR_OK ||
	    (rc = rotation_open_secret(r, &s)) != ERR_OK)
		return rc;
	if (w->order.leak)
		w->order.cause = "leak";
	if (check) {
		w->order.cause = "check";
		w->order.check = true;
	}
	memcpy(w->secret, s.o.id, sizeof(w->secret));
	return ERR_OK;
}

static int begin(struct req *r, bool check)
{
	struct waiting *w = arena_alloc(r->a, sizeof(*w));
	int rc;

	if (w == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = take_order(r, w, check)) != ERR_OK ||
	    (w->order.leak && (rc = end_grace(r, w, &w->before)) != ERR_OK))
		return rc;
	r->park_state = w;
	return w->before ? ERR_OK : start(r, w);
}

/* Until the attempt before has ended, or cannot: then starting says what it is at. */
static int after_grace(struct req *r, struct waiting *w)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_load(r->core, r->a, w->attempt, &t, &r->e);

	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (rc == ERR_OK && t.state == ATTEMPT_RETIRING && r->core->boot_ms < w->until_ms)
		return req_park(r, WAIT_ATTEMPT, w->attempt,
		                r->core->boot_ms + LOOK_MS < w->until_ms
		                        ? r->core->boot_ms + LOOK_MS
		                        : w->until_ms);
	w->before = false;
	return start(r, w);
}

/* The attempt with its holders, as far as ready; parks until it is. */
static int report(struct req *r, struct waiting *w)
{
	struct rotation_attempt t;
	bool done;
	int rc = rotation_attempt_load(r->core, r->a, w->attempt, &t, &r->e);

	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = rotation_judge(r->core, r->a, &t, &r->e)) != ERR_OK)
		return rc;
	if (w->wait && !rotation_answerable(&t) && r->core->boot_ms < w->until_ms)
		return req_park(r, WAIT_ATTEMPT, w->attempt, w->until_ms);
	rc = rotation_report_slice(r->core, r->a, &t, &w->report, REPORT_SLICE, &done,
	                           &r->e);
	if (rc != ERR_OK)
		return rc;
	if (!done)
		return rotation_park_again(r);
	rotation_attempt_value(r->core, r->a, &t, w->report.holders, reply_data(r));
	req_note_bytes(r, "attempt", t.o.id, 16);
	req_note_int(r, "version", t.version);
	req_note_str(r, "state", rotation_state_name(t.state));
	return ERR_OK;
}

/* What would be done, and to whom. */
static int dry_run(struct req *r)
{
	struct rotation_rule rule;
	struct rotation_plan plan;
	bool found;
	int rc = rotation_open_rule(r, &rule, &found);

	if (rc != ERR_OK ||
	    (rc = rotation_plan(r->core, r->a, rule.o.id, &plan, &r->e)) != ERR_OK)
		return rc;
	rotation_rule_value(r->a, &rule, reply_data(r));
	value_set_bool(r->a, reply_data(r), "dry_run", true);
	value_set_str(r->a, reply_data(r), "account", plan.account);
	value_set_int(r->a, reply_data(r), "version", plan.version);
	value_set_int(r->a, reply_data(r), "holders_total", plan.holders);
	value_set_bool(r->a, reply_data(r), "holders_more", plan.more);
	return ERR_OK;
}

static int h_rotate(struct req *r)
{
	struct waiting *w;
	bool dry = false, present;
	int rc = ERR_OK;

	if (r->park_state == NULL &&
	    (rc = req_bool(r, "dry_run", &dry, &present)) != ERR_OK)
		return rc;
	if (dry)
		return dry_run(r);
	if (r->park_state == NULL && (rc = begin(r, false)) != ERR_OK)
		return rc;
	w = r->park_state;
	if (w->before && ((rc = after_grace(r, w)) != ERR_OK || w->before))
		return rc;
	return report(r, w);
}

static int h_check(struct req *r)
{
	int rc;

	if (r->park_state == NULL && (rc = begin(r, true)) != ERR_OK)
		return rc;
	return report(r, r->park_state);
}

/* ---- what operators decide ---- */

static int decide(struct req *r, enum rotation_verdict v)
{
	struct rotation_attempt t;
	struct rotation_rule rule;
	bool found;
	int rc = rotation_open_rule(r, &rule, &found);

	if (rc != ERR_OK)
		return rc;
	if (!rule.has_attempt)
		return req_fail(r, ERR_INVALID,
		                "no rotation of this secret is under way");
	if ((rc = rotation_attempt_load(r->core, r->a, rule.attempt, &t, &r->e)) !=
	            ERR_OK ||
	    (rc = rotation_decide(r->core, r->a, &t, v, &r->e)) != ERR_OK)
		return rc;
	rotation_attempt_value(r->core, r->a, &t, NULL, reply_data(r));
	req_note_bytes(r, "attempt", t.o.id, 16);
	req_note_str(r, "state", rotation_state_name(t.state));
	return ERR_OK;
}

static int h_resume(struct req *r)
{
	return decide(r, VERDICT_RESUME);
}

static int h_adopt(struct req *r)
{
	return decide(r, VERDICT_ADOPT);
}

static int h_abort(struct req *r)
{
	bool forget = false, present;
	int rc = req_bool(r, "forget", &forget, &present);

	return rc == ERR_OK ? decide(r, forget ? VERDICT_FORGET : VERDICT_ABORT) : rc;
}

/* ---- looking ---- */

static int h_attempt(struct req *r)
{
	struct waiting *w = r->park_state;

	if (w == NULL) {
		w = arena_alloc(r->a, sizeof(*w));
		if (w == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if (text_unhex(r->param[0].text, r->param[0].len, w->attempt,
		               sizeof(w->attempt)) != (long)sizeof(w->attempt))
			return req_fail(r, ERR_INVALID,
			                "attempt: 32 hex digits are needed");
		r->park_state = w;
	}
	return report(r, w);
}

static int h_attempt_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct rotation_listing *l = rotation_list_slice(r, scratch, KIND_ATTEMPT);
	struct rotation_attempt t;
	int rc = ERR_OK;

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; rc == ERR_OK && i < l->n; i++) {
		struct value *info = value_object(scratch);
		char *id = arena_alloc(r->a, 33);

		if (id == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = rotation_attempt_read(r->core, scratch, &l->at[i], &t,
		                                &r->e)) != ERR_OK)
			break;
		text_hex(t.o.id, 16, id);
		rotation_attempt_value(r->core, scratch, &t, NULL, info);
		value_add(l->keys, value_str(r->a, id));
		value_set(l->info, id, value_copy(r->a, info));
	}
	return rc == ERR_OK ? rotation_list_end(r, l) : rc;
}

static int h_status(struct req *r)
{
	struct rotation_rule rule;
	struct rotation_attempt t;
	struct value *data, *last;
	bool found;
	int rc = rotation_open_rule(r, &rule, &found);

	if (rc != ERR_OK)
		return rc;
	data = reply_data(r);
	rotation_rule_value(r->a, &rule, data);
	value_set_bool(r->a, data, "configured", found);
	if (!rule.has_attempt)
		return ERR_OK;
	rc = rotation_attempt_load(r->core, r->a, rule.attempt, &t, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = rotation_judge(r->core, r->a, &t, &r->e)) != ERR_OK)
		return rc;
	last = value_object(r->a);
	rotation_attempt_value(r->core, r->a, &t, NULL, last);
	value_set(data, "last", last);
	return ERR_OK;
}

struct history {
	struct req *r;
	struct value *list;
};

static int collect_attempt(void *ctx, struct store_object *o, struct err *e)
{
	struct history *h = ctx;
	struct rotation_attempt t;
	struct value *v = value_object(h->r->a);
	int rc = rotation_attempt_read(h->r->core, h->r->a, o, &t, e);

	if (rc != ERR_OK)
		return rc;
	t.frozen = t.readers = NULL;
	rotation_attempt_value(h->r->core, h->r->a, &t, NULL, v);
	value_add(h->list, v);
	return ERR_OK;
}

/* Newest first; there are at most ROTATION_KEEP. */
static void sort_history(struct value *list)
{
	struct value *sorted = NULL, *v, *next;

	for (v = list->first; v != NULL; v = next) {
		struct value **at = &sorted;

		next = v->next;
		while (*at != NULL && value_int_or(*at, "started_ms", 0) >
		                              value_int_or(v, "started_ms", 0))
			at = &(*at)->next;
		v->next = *at;
		*at = v;
	}
	list->first = sorted;
	for (v = sorted; v != NULL; v = v->next)
		list->last = v;
}

static int h_history(struct req *r)
{
	struct history h = { .r = r, .list = value_array(r->a) };
	struct kv_secret s;
	int rc = rotation_open_secret(r, &s);

	if (rc != ERR_OK || (rc = store_by_parent(r->core, r->a, KIND_ATTEMPT, s.o.id, 32,
	                                          collect_attempt, &h, &r->e)) != ERR_OK)
		return rc;
	sort_history(h.list);
	value_set(reply_data(r), "attempts", h.list);
	return ERR_OK;
}

/* ---- routes ---- */

static const struct field rotate_fields[] = {
	{"timeout",  "duration", "how long holders may take"                        },
	{ "wait",    "bool",     "answer when every holder has the new version"     },
	{ "leaked",  "bool",     "others know the value: no grace, a short deadline"},
	{ "dry_run", "bool",     "say what would be done, and do nothing"           },
	{ NULL,      NULL,       NULL					       },
};
static const struct field check_fields[] = {
	{"timeout", "duration", "how long to try"                            },
	{ "wait",   "bool",     "answer when the target has said what it has"},
	{ NULL,     NULL,       NULL					 },
};
static const struct field abort_fields[] = {
	{"forget", "bool", "end it, whatever the target has"},
	{ NULL,    NULL,   NULL			     },
};

static const struct route rows[] = {
	{"system",  M_POST, "rotation/rotate/*path",  0, rotate_fields, h_rotate,       NULL,
         "make a new value and wait until every holder has it"},
	{ "system", M_POST, "rotation/check/*path",   0, check_fields,  h_check,        NULL,
         "ask the target whether the stored value works"      },
	{ "system", M_POST, "rotation/resume/*path",  0, NULL,          h_resume,       NULL,
         "try a rotation that is held again"                  },
	{ "system", M_POST, "rotation/abort/*path",   0, abort_fields,  h_abort,        NULL,
         "take a rotation back"                               },
	{ "system", M_POST, "rotation/adopt/*path",   0, NULL,          h_adopt,        NULL,
         "have the target's administrator set a fresh value"  },
	{ "system", M_LIST, "rotation/attempts",      0, NULL,          h_attempt_list, NULL,
         "rotations that were made"                           },
	{ "system", M_GET,  "rotation/attempts/:id",  0, NULL,          h_attempt,      NULL,
         "one rotation"				       },
	{ "system", M_GET,  "rotation/history/*path", 0, NULL,          h_history,      NULL,
         "rotations of a secret, newest first"                },
	{ "system", M_GET,  "rotation/status/*path",  0, NULL,          h_status,       NULL,
         "rule, schedule and last rotation of a secret"       },
};

const struct route_table routes_rotation = { rows, ARRAY_LEN(rows) };
