/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation_alarm.h"

#include "log.h"
#include "metrics.h"
#include "rotation_event.h"

static const struct alarm {
	unsigned bit;
	enum rotation_event event;
	enum metric_alarm metric;
	const char *text;
} alarms[] = {
	{ALARM_JUMPED,   EVENT_JUMPED,  METRIC_ALARM_JUMPED,
         "more than one period of a rotation's schedule has passed at once"},
	{ ALARM_AHEAD,   EVENT_AHEAD,   METRIC_ALARM_AHEAD,
         "a rotation's last slot is yet to come: the clock is behind"      },
	{ ALARM_OVERDUE, EVENT_OVERDUE, METRIC_ALARM_OVERDUE,
         "a secret is older than its rotation's max_age"                   },
};

/* After a step of the clock several may be true at once, of many rules: one line each. */
static void tell(const struct rotation_rule *rule, unsigned new)
{
	const struct alarm *first = NULL;

	for (size_t i = 0; first == NULL && i < ARRAY_LEN(alarms); i++)
		if ((new &alarms[i].bit) != 0)
			first = &alarms[i];
	if (first == NULL)
		return;
	if ((new &ALARM_OVERDUE & ~first->bit) != 0)
		log_warn(first->text, LOG_S("path", rule->path),
		         LOG_N("missed", rule->missed), LOG_S("also", "max_age"));
	else
		log_warn(first->text, LOG_S("path", rule->path),
		         LOG_N("missed", rule->missed));
}

int rotation_alarm(struct core *c, struct arena *a, struct rotation_rule *rule,
                   bool *told, struct err *e)
{
	unsigned new = rule->raised & ~rule->alarms;
	int rc = ERR_OK;

	*told = new != 0;
	rule->alarms = rule->raised;
	tell(rule, new);
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(alarms); i++) {
		if ((new &alarms[i].bit) == 0)
			continue;
		metrics_rotation_alarm(c, alarms[i].metric);
		rc = rotation_event_alarm(c, a, rule, alarms[i].event, e);
	}
	return rc;
}
