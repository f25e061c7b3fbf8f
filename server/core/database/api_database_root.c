/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_database_root - rotate-root/NAME: the administrator's own password.
 *
 * The credential moves into a secret of the mount that nobody is served, and the machine
 * rotates it like any other, as the account itself: the new password is stored before the
 * database hears of it, and after a crash a probe tells which one the database has.
 */
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "database.h"
#include "kv.h"

static int answer(struct req *r, const char *text)
{
	reply_errors(r, 500, arena_str(r->a, text), NULL);
	return ERR_OK;
}

static int keep(struct req *r, struct target *t, const struct value *admin,
                struct kv_secret *s)
{
	const char *path = arena_printf(r->a, DB_ROOT "%s", t->name);
	int64_t version;
	int rc;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (t->has_admin_secret)
		return kv_open(r->core, r->a, r->mount, path, s, &r->e);
	if ((rc = kv_write(r->core, r->a, r->mount, path, admin, -1, &version, &r->e)) !=
	            ERR_OK ||
	    (rc = kv_open(r->core, r->a, r->mount, path, s, &r->e)) != ERR_OK)
		return rc;
	t->admin = NULL;
	t->has_admin_secret = true;
	memcpy(t->admin_secret, s->o.id, sizeof(t->admin_secret));
	return target_save(r->core, r->a, t, &r->e);
}

static int set_rule(struct req *r, const struct target *t, const struct kv_secret *s,
                    const char *username)
{
	const struct value *statements = value_get(t->extra, "root_rotation");
	struct rotation_rule rule;
	struct value *config;
	int rc = db_secret_rule(r->core, r->a, s, t, username, &rule, &r->e);

	if (rc != ERR_OK || (rc = rotation_refuse_under_way(r, &rule)) != ERR_OK)
		return rc;
	if (statements != NULL && statements->len > 0) {
		config = value_object(r->a);
		value_set(config, "statements", value_copy(r->a, statements));
		rule.config = config;
	}
	return rotation_rule_save(r->core, r->a, &rule, &r->e);
}

static int begin(struct req *r)
{
	struct db_waiting *w = arena_alloc(r->a, sizeof(*w));
	const char *username;
	struct value *admin;
	struct kv_secret s;
	struct target t;
	int rc = target_find(r->core, r->a, r->mount->id, r->param[0].text, &t, &r->e);

	if (w == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (rc == ERR_NOENT)
		return req_fail(
			r, ERR_INVALID,
			"failed to find entry for connection with name: \"%.128s\"",
			r->param[0].text);
	if (rc != ERR_OK ||
	    (rc = target_admin(r->core, r->a, &t, &admin, &r->e)) != ERR_OK)
		return rc;
	username = value_cstr_or(r->a, admin, "username", "");
	if (username[0] == '\0')
		return answer(r, "unable to rotate root credentials: no username in "
		                 "configuration");
	if (value_get(admin, "password") == NULL)
		return answer(r, "unable to rotate root credentials: no password in "
		                 "configuration");
	if ((rc = keep(r, &t, admin, &s)) != ERR_OK ||
	    (rc = set_rule(r, &t, &s, username)) != ERR_OK)
		return rc;
	return db_rotate(r, s.o.id, false, w);
}

int db_h_rotate_root(struct req *r)
{
	struct db_waiting *w = r->park_state;
	const char *why;
	bool ok;
	int rc;

	if (w == NULL)
		return begin(r);
	rc = db_rotated(r, w, &ok, &why);
	return rc != ERR_OK || ok ? rc : answer(r, why);
}
