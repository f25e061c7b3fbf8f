/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_admin - is the credential being changed that a target's administrator logs in
 * with?  Then a login that is refused says nothing of whoever has caused it. */
#include <string.h>

#include "rotation.h"
#include "target.h"

#define SLACK_MS 5000

/* The target has the one value or the other, and the secret perhaps another one still. */
static bool is_changing(const struct rotation_attempt *t)
{
	switch (t->state) {
	case ATTEMPT_GENERATED:
	case ATTEMPT_SETTING:
	case ATTEMPT_SET:
	case ATTEMPT_TESTED:
		return true;
	case ATTEMPT_REVERTING:
		return !t->undo_published;
	default:
		return false;
	}
}

static int64_t settled_ms(const struct rotation_attempt *t)
{
	return rotation_ended(t) ? t->ended_ms : t->deadline_ms - t->timeout_ms;
}

int rotation_of_admin(struct core *c, struct arena *a, const struct target *target,
                      struct rotation_of_admin *out, struct err *e)
{
	struct rotation_rule rule;
	struct rotation_attempt t;
	int64_t since;
	int rc;

	*out = (struct rotation_of_admin){ 0 };
	if (!target->has_admin_secret)
		return ERR_OK;
	rc = rotation_rule_load(c, a, target->admin_secret, &rule, e);
	if (rc != ERR_OK || !rule.has_attempt)
		return rc;
	rc = rotation_attempt_load(c, a, rule.attempt, &t, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	memcpy(out->attempt, t.o.id, sizeof(out->attempt));
	out->now = is_changing(&t);
	since = c->now_ms - settled_ms(&t);
	out->lately = out->now ||
	              (t.state != ATTEMPT_CLAIMED && t.state != ATTEMPT_HELD &&
	               since < target->timeout_ms + SLACK_MS);
	return ERR_OK;
}
