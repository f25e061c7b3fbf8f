/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_restored - the database is of an earlier moment than the targets are: every
 * value is held against its target before it is rotated. */
#include "rotation_restored.h"

#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "rotation.h"

#define SLICE 32

int rotation_restored(struct core *c, struct arena *a, struct err *e)
{
	unsigned char id[16];

	return job_start(c, a, "rotation-recheck", value_object(a), id, e);
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
	return rotation_rule_save(c, a, &rule, e);
}

int rotation_recheck_slice(struct core *c, struct arena *a, struct store_object *job,
                           bool *done, struct err *e)
{
	const struct value *after = value_get(job->body, "after");
	struct page p = { .n = 0 };
	struct value *body = value_object(a);
	int rc = store_each(c, a, KIND_ROTATION, after != NULL ? after->text : NULL,
	                    after != NULL ? after->len : 0, SLICE, collect, &p, e);

	for (size_t i = 0; rc == ERR_OK && i < p.n; i++)
		rc = mark(c, a, &p.at[i], e);
	if (rc != ERR_OK)
		return rc;
	*done = p.n < SLICE;
	if (*done)
		return ERR_OK;
	value_set_str(a, body, "job", "rotation-recheck");
	value_set_bytes(a, body, "after", arena_dup(a, p.at[SLICE - 1].id, 32), 32);
	job->body = body;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}
