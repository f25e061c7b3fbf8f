/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_forget - what becomes of rules and attempts when their secret goes or moves.
 */
#include <string.h>

#include "arena.h"
#include "machine.h"
#include "rotation_room.h"

#define AT_ONCE (2 * ROTATION_KEEP)

struct some {
	struct store_object at[AT_ONCE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct some *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static int attempts_of(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct some *out, struct err *e)
{
	out->n = 0;
	return store_by_parent_page(c, a, KIND_ATTEMPT, secret_id, 32, NULL, 0, AT_ONCE,
	                            collect, out, e);
}

static int delete_rule(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct err *e)
{
	struct store_object o = { .version = 0 };
	int rc = store_get(c, a, KIND_ROTATION, secret_id, 32, &o, e);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	return store_delete(c, &o, e);
}

/* What it has changed at its target stays there: nobody has the values any more. */
static int record_end(struct core *c, struct arena *a, const struct store_object *o,
                      struct err *e)
{
	struct rotation_attempt t;
	int rc = rotation_attempt_read(c, a, o, &t, e);

	if (rc != ERR_OK || rotation_ended(&t))
		return rc;
	t.state = ATTEMPT_ABORTED;
	return rotation_record(c, a, &t, NULL, "error", e);
}

static int forget_attempt(struct core *c, struct arena *a, const struct store_object *o,
                          struct err *e)
{
	int rc = record_end(c, a, o, e);

	if (rc != ERR_OK || (rc = machine_forget_values(c, o->id, e)) != ERR_OK)
		return rc;
	core_wake(c, WAIT_ATTEMPT, o->id);
	step_cancel(c, o->id);
	rotation_room_left(c, o->id);
	return store_delete(c, o, e);
}

int rotation_forget(struct core *c, struct arena *a, const unsigned char secret_id[32],
                    struct err *e)
{
	struct some s;
	int rc = delete_rule(c, a, secret_id, e);

	do {
		if (rc == ERR_OK)
			rc = attempts_of(c, a, secret_id, &s, e);
		for (size_t i = 0; rc == ERR_OK && i < s.n; i++) {
			rc = forget_attempt(c, a, &s.at[i], e);
		}
	} while (rc == ERR_OK && s.n == AT_ONCE);
	return rc;
}

/* Attempts that have ended keep the path that they had. */
int rotation_moved(struct core *c, struct arena *a, const unsigned char secret_id[32],
                   const char *path, struct err *e)
{
	struct rotation_rule rule;
	struct rotation_attempt t;
	int rc = rotation_rule_load(c, a, secret_id, &rule, e);

	if (rc != ERR_OK || rule.o.version == 0)
		return rc;
	rule.path = path;
	if ((rc = rotation_rule_save(c, a, &rule, e)) != ERR_OK || !rule.has_attempt)
		return rc;
	rc = rotation_attempt_load(c, a, rule.attempt, &t, e);
	if (rc == ERR_NOENT || (rc == ERR_OK && rotation_ended(&t)))
		return ERR_OK;
	t.path = path;
	return rc == ERR_OK ? rotation_attempt_save(c, a, &t, e) : rc;
}
