/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts that leave their target alone after failed logins. */
#include <string.h>

#include "rotation.h"
#include "step.h"
#include "store.h"
#include "target.h"

#define LOOK_MAX 256 /* attempts that are due in time: far more than may work */

struct spared {
	const unsigned char *target;
	struct store_object *at;
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct spared *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static int wake(struct core *c, struct arena *a, const struct store_object *o,
                const unsigned char *target, struct err *e)
{
	struct rotation_attempt t;
	struct rotation_rule rule;
	int rc = rotation_attempt_read(c, a, o, &t, e);

	if (rc != ERR_OK || !t.spared || rotation_ended(&t) || step_under_way(c, t.o.id))
		return rc;
	rc = rotation_rule_load(c, a, t.o.parent, &rule, e);
	if (rc != ERR_OK || memcmp(rule.target_id, target, sizeof(rule.target_id)) != 0)
		return rc == ERR_NOENT ? ERR_OK : rc;
	t.spared = false;
	t.next_ms = 0;
	return rotation_attempt_save(c, a, &t, e);
}

int rotation_spare_no_more(struct core *c, struct arena *a, const unsigned char *target,
                           struct err *e)
{
	struct spared s = { .target = target };
	int rc;

	if ((s.at = arena_alloc(a, LOOK_MAX * sizeof(*s.at))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_ATTEMPT, c->now_ms + TARGET_FAILS_MS, LOOK_MAX, collect,
	               &s, e);
	for (size_t i = 0; rc == ERR_OK && i < s.n; i++)
		rc = wake(c, a, &s.at[i], target, e);
	return rc;
}
