/* SPDX-License-Identifier: Apache-2.0 */
/* db_unmount - before a database mount goes. */
#include <string.h>

#include "arena.h"
#include "database.h"
#include "kv.h"

#define AT_ONCE 16

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

/* Nobody knows which password the database has. */
static int refuse_held(struct core *c, struct arena *a, const struct target *t,
                       struct err *e)
{
	struct rotation_rule rule;
	struct rotation_attempt last;
	int rc = rotation_rule_load(c, a, t->admin_secret, &rule, e);

	if (rc != ERR_OK || !rule.has_attempt)
		return rc;
	rc = rotation_attempt_load(c, a, rule.attempt, &last, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (last.state != ATTEMPT_HELD)
		return ERR_OK;
	return err_set(
		e, ERR_INVALID,
		"the rotation of the administrator's password of \"%.100s\" is held: "
		"see 'vaultctl rotation status %.100s'",
		t->name, rule.path);
}

/* A credential in the mount's own space cannot be read when the mount is gone, but the
 * accounts that were made still have to be revoked with it. */
static int keep_admin(struct core *c, struct arena *a, const struct store_object *o,
                      struct err *e)
{
	struct value *admin;
	struct target t;
	int rc = target_read(a, o, &t, e);

	if (rc != ERR_OK || !t.has_admin_secret)
		return rc;
	if ((rc = rotation_may_drop(c, a, t.admin_secret, e)) != ERR_OK ||
	    (rc = refuse_held(c, a, &t, e)) != ERR_OK ||
	    (rc = target_admin(c, a, &t, &admin, e)) != ERR_OK)
		return rc;
	t.admin = admin;
	t.has_admin_secret = false;
	return target_save(c, a, &t, e);
}

int database_unmounting(struct core *c, struct arena *a, const struct mount *m,
                        struct err *e)
{
	unsigned char after[32];
	const unsigned char *from = NULL;
	struct some s;
	int rc;

	do {
		s.n = 0;
		rc = store_by_parent_page(c, a, KIND_TARGET, m->id, MOUNT_ID, from,
		                          sizeof(after), AT_ONCE, collect, &s, e);
		for (size_t i = 0; rc == ERR_OK && i < s.n; i++)
			rc = keep_admin(c, a, &s.at[i], e);
		if (s.n > 0)
			from = memcpy(after, s.at[s.n - 1].id, sizeof(after));
	} while (rc == ERR_OK && s.n == AT_ONCE);
	return rc;
}
