/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation_census.h"

#include <string.h>

#include "arena.h"
#include "rotation.h"

#define SLICE   64
#define SCRATCH ((size_t)16 * 1024 * 1024)

struct slice {
	struct store_object at[SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct slice *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static void count_rule(struct core *c, const struct rotation_rule *rule,
                       struct rotation_census *s)
{
	const struct schedule_past past = rotation_rule_past(rule);
	int64_t since = rule->due_since;
	bool old = rule->scheduled && rule->unreadable == NULL && rule->rotated_ms > 0 &&
	           schedule_overdue(&rule->schedule, &past, c->now_ms);

	s->rules++;
	s->scheduled += rule->scheduled;
	s->paused += rule->paused;
	s->missed += rule->missed;
	s->due += rule->due_since != 0;
	if (old && (since == 0 || rule->rotated_ms + rule->schedule.max_age_ms < since))
		since = rule->rotated_ms + rule->schedule.max_age_ms;
	if (since == 0 || rule->paused) /* somebody wants it so */
		return;
	s->overdue++;
	if (c->now_ms - since > s->oldest_overdue_ms)
		s->oldest_overdue_ms = c->now_ms - since;
}

static void count_attempt(const struct rotation_attempt *t, struct rotation_census *s)
{
	if (rotation_ended(t))
		return;
	s->under_way++;
	s->held += t->state == ATTEMPT_HELD;
	s->retire_late += t->state == ATTEMPT_RETIRE_LATE;
	s->late += t->state == ATTEMPT_PROPAGATING && t->overdue;
}

static int count(struct core *c, struct arena *a, const struct store_object *o,
                 struct rotation_census *s, struct err *e)
{
	struct rotation_rule rule;
	struct rotation_attempt t;
	int rc = rotation_rule_read(c, a, o, &rule, e);

	if (rc != ERR_OK)
		return rc;
	if (rule.configured)
		count_rule(c, &rule, s);
	if (!rule.has_attempt)
		return ERR_OK;
	rc = rotation_attempt_load(c, a, rule.attempt, &t, e);
	if (rc == ERR_OK)
		count_attempt(&t, s);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

int rotation_census_slice(struct core *c, struct rotation_census *s, struct err *e)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct slice *rows = a != NULL ? arena_alloc(a, sizeof(*rows)) : NULL;
	int rc;

	if (rows == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rows->n = 0;
	rc = store_each(c, a, KIND_ROTATION, s->after_len > 0 ? s->after : NULL,
	                s->after_len, SLICE, collect, rows, e);
	for (size_t i = 0; rc == ERR_OK && i < rows->n; i++)
		rc = count(c, a, &rows->at[i], s, e);
	if (rc != ERR_OK)
		return rc;
	s->done = rows->n < SLICE;
	if (!s->done) {
		s->after_len = rows->at[SLICE - 1].id_len;
		memcpy(s->after, rows->at[SLICE - 1].id, s->after_len);
	}
	return ERR_OK;
}
