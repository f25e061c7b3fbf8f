/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation_event.h"

#include <string.h>

#include "arena.h"
#include "metrics.h"
#include "text.h"
#include "webhook.h"

static const char *const names[EVENT__MAX] = {
	[EVENT_DUE] = "due",         [EVENT_DONE] = "done",
	[EVENT_FAILED] = "failed",   [EVENT_HELD] = "held",
	[EVENT_LATE] = "late",       [EVENT_RETIRE_LATE] = "retire_late",
	[EVENT_LEAKED] = "leaked",   [EVENT_OVERDUE] = "overdue",
	[EVENT_JUMPED] = "jumped",   [EVENT_AHEAD] = "ahead",
	[EVENT_STARTED] = "started",
};

_Static_assert(STRATEGY__MAX <= METRIC_STRATEGIES, "sys/metrics has no room for them");
_Static_assert(ATTEMPT__MAX <= METRIC_STATES, "sys/metrics has no room for them");

const char *rotation_event_name(enum rotation_event event)
{
	return names[event];
}

int rotation_event_of(const char *name, size_t n)
{
	for (int i = 0; i < EVENT__MAX; i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return i;
	return -1;
}

static bool is_check(const struct rotation_attempt *t)
{
	return strcmp(t->cause, "check") == 0;
}

static struct value *hosts(struct arena *a, const struct rotation_attempt *t)
{
	struct value *v = value_object(a);

	value_set_int(a, v, "total", t->holders);
	value_set_int(a, v, "applied", t->applied);
	value_set_int(a, v, "waiting", t->waiting);
	return v;
}

/* Never a value, and no text that came from elsewhere: a target's words stay here. */
static struct value *notice(struct arena *a, const struct rotation_attempt *t,
                            const char *state)
{
	struct value *v = value_object(a);
	char *id = arena_alloc(a, 33);

	value_set_str(a, v, "path", t->path);
	if (t->o.id_len == 16 && id != NULL) {
		text_hex(t->o.id, 16, id);
		value_set_str(a, v, "attempt", id);
	} else {
		value_set(v, "attempt", value_null(a));
	}
	value_set_str(a, v, "state", state);
	value_set_str(a, v, "strategy", rotation_strategy_name(t->strategy));
	value_set_str(a, v, "cause", t->cause);
	value_set_int(a, v, "version", t->version);
	value_set(v, "hosts", hosts(a, t));
	return v;
}

static int tell(struct core *c, struct arena *a, enum rotation_event event,
                const char *path, struct value *v, struct err *e)
{
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return webhook_notice(c, a,
	                      &(struct webhook_event){ .bit = 1u << event,
	                                               .name = names[event],
	                                               .path = path,
	                                               .body = v },
	                      e);
}

int rotation_event(struct core *c, struct arena *a, const struct rotation_attempt *t,
                   enum rotation_event event, struct err *e)
{
	bool late = event == EVENT_LATE;

	if (is_check(t) && event != EVENT_HELD)
		return ERR_OK;
	metrics_rotation(c, t->strategy, late ? ATTEMPT_LATE : t->state);
	if (event == EVENT_STARTED)
		return ERR_OK;
	return tell(c, a, event, t->path,
	            notice(a, t, late ? "late" : rotation_state_name(t->state)), e);
}

int rotation_event_end(struct core *c, struct arena *a, const struct rotation_attempt *t,
                       struct err *e)
{
	bool good = t->state == ATTEMPT_CONVERGED || t->state == ATTEMPT_LATE;

	if (is_check(t))
		return ERR_OK;
	metrics_rotation_took(c, t->ended_ms - t->started_ms);
	/* Who is late was told when the deadline had come. */
	if (t->state == ATTEMPT_LATE && t->waiting > 0)
		return ERR_OK;
	return rotation_event(c, a, t, good ? EVENT_DONE : EVENT_FAILED, e);
}

int rotation_event_alarm(struct core *c, struct arena *a,
                         const struct rotation_rule *rule, enum rotation_event event,
                         struct err *e)
{
	const struct rotation_attempt none = { .path = rule->path,
		                               .cause = "schedule",
		                               .strategy = rule->strategy };

	return tell(c, a, event, rule->path, notice(a, &none, names[event]), e);
}

int rotation_event_due(struct core *c, struct arena *a, const struct rotation_rule *rule,
                       struct err *e)
{
	metrics_rotation_reminded(c);
	return rotation_event_alarm(c, a, rule, EVENT_DUE, e);
}
