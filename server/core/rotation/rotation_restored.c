/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_restored - the database is of an earlier moment than the targets are: every
 * value is held against its target before it is rotated. */
#include "rotation_restored.h"

#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "rotation.h"
#include "rotation_state.h"

#define SLICE 32
#define JOB   "rotation-recheck"

int rotation_restored(struct core *c, struct arena *a, struct err *e)
{
	unsigned char id[16];

	rotation_recheck_begins(c);
	return job_start(c, a, JOB, value_object(a), id, e);
}

static int find_job(void *ctx, struct store_object *o, struct err *e)
{
	bool *found = ctx;

	(void)e;
	*found = *found || value_is_str(value_get(o->body, "job"), JOB);
	return ERR_OK;
}

int rotation_rechecks(struct core *c, struct arena *a, bool *yes, struct err *e)
{
	*yes = false;
	return store_due(c, a, KIND_JOB, INT64_MAX, 0, find_job, yes, e);
}

struct page {
	struct store_object at[SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct page *p = ctx;

	(void)e;
	p->at[p->n++] = *o;
	return ERR_OK;
}

/* What it has set and proved, it has in a past that the target does not share: it asks
 * again.  What is about to end a value asks people first: see the machine. */
static int doubt(struct core *c, struct arena *a, const struct rotation_rule *rule,
                 struct err *e)
{
	struct rotation_attempt t;
	int rc;

	if (!rule->has_attempt)
		return ERR_OK;
	rc = rotation_attempt_load(c, a, rule->attempt, &t, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (t.state != ATTEMPT_GENERATED && t.state != ATTEMPT_SETTING &&
	    t.state != ATTEMPT_SET && t.state != ATTEMPT_TESTED)
		return ERR_OK;
	t.state = ATTEMPT_SETTING;
	t.uncertain = true;
	t.op = "";
	t.tries = t.next_ms = 0;
	return rotation_attempt_save(c, a, &t, e);
}

/* Only what has a target can differ from it. */
static int mark(struct core *c, struct arena *a, const struct store_object *o,
                struct err *e)
{
	struct rotation_rule rule;
	int rc = rotation_rule_read(c, a, o, &rule, e);

	if (rc != ERR_OK || rule.target[0] == '\0')
		return rc;
	rule.unchecked = true;
	rule.o.due = c->now_ms;
	rc = rotation_rule_save(c, a, &rule, e);
	return rc == ERR_OK ? doubt(c, a, &rule, e) : rc;
}

int rotation_recheck_slice(struct core *c, struct arena *a, struct store_object *job,
                           bool *done, struct err *e)
{
	const struct value *after = value_get(job->body, "after");
	struct page p = { .n = 0 };
	struct value *body = value_object(a);
	int rc = store_each(c, a, KIND_ROTATION, after != NULL ? after->text : NULL,
	                    after != NULL ? after->len : 0, SLICE, collect, &p, e);

	for (size_t i = 0; rc == ERR_OK && i < p.n; i++) {
		/* What cannot be read rotates no more, and hinders nobody. */
		if ((rc = mark(c, a, &p.at[i], e)) == ERR_INTEGRITY)
			rc = ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	*done = p.n < SLICE;
	if (*done)
		return ERR_OK;
	value_set_str(a, body, "job", JOB);
	value_set_bytes(a, body, "after", arena_dup(a, p.at[SLICE - 1].id, 32), 32);
	job->body = body;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}
