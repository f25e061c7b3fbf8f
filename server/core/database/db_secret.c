/* SPDX-License-Identifier: Apache-2.0 */
/* db_secret - credentials in the mount's own space, which the rotation machine changes.
 */
#include <string.h>

#include "arena.h"
#include "database.h"
#include "kv_impl.h"

#define WAIT_MS 60000 /* for a database */
#define LOOK_MS 1000
#define TRIES   3 /* then whoever waits learns why; the machine goes on */

int db_secret_drop(struct core *c, struct arena *a, const struct mount *m,
                   const char *path, struct err *e)
{
	struct kv_meta meta = { 0 };
	struct kv_later later;
	struct kv_secret s;
	int rc = kv_open(c, a, m, path, &s, e);

	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = kv_meta_read(a, s.o.body, &meta, e)) != ERR_OK ||
	    (rc = rotation_forget(c, a, s.o.id, e)) != ERR_OK)
		return rc;
	return kv_delete_all(c, a, &s, &meta, &later, e);
}

int db_secret_rule(struct core *c, struct arena *a, const struct kv_secret *s,
                   const struct target *t, const char *username,
                   struct rotation_rule *rule, struct err *e)
{
	struct value *accounts = value_array(a);
	int rc = rotation_rule_load(c, a, s->o.id, rule, e);

	value_add(accounts, value_str(a, username));
	if (rc != ERR_OK ||
	    (rc = target_spares_admin(c, a, t, accounts, s->o.id, e)) != ERR_OK)
		return rc;
	rule->configured = true;
	rule->path = kv_full_path(a, s);
	rule->field = "password";
	rule->username_field = "username";
	rule->gen = (struct generate_rule){ .length = 20, .classes = CLASS_DEFAULT };
	rule->strategy = STRATEGY_SINGLE;
	rule->policy = POLICY_WAIT;
	rule->target = t->name;
	memcpy(rule->target_id, t->o.id, sizeof(rule->target_id));
	rule->accounts = accounts;
	rule->config = NULL;
	rule->problem = "";
	rule->failed_runs = 0;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

int db_rotate(struct req *r, const unsigned char secret_id[32], bool blind,
              struct db_waiting *w)
{
	const struct rotation_order order = {
		.cause = "request",
		.request_id = r->request_id,
		.actor = r->id.display_name,
		.blind = blind,
	};
	struct rotation_attempt t;
	int rc = rotation_start(r->core, r->a, secret_id, &order, &t, &r->e);

	if (rc != ERR_OK)
		return rc;
	memcpy(w->attempt, t.o.id, sizeof(w->attempt));
	w->until_ms = r->core->boot_ms + WAIT_MS;
	r->park_state = w;
	return req_park(r, WAIT_ATTEMPT, w->attempt, r->core->boot_ms + LOOK_MS);
}

static bool is_good(const struct rotation_attempt *t)
{
	return t->state == ATTEMPT_CONVERGED || t->state == ATTEMPT_LATE ||
	       t->state == ATTEMPT_PROPAGATING;
}

int db_rotated(struct req *r, struct db_waiting *w, bool *ok, const char **why)
{
	struct rotation_attempt t;
	bool stuck, over = r->core->boot_ms >= w->until_ms;
	int rc = rotation_attempt_load(r->core, r->a, w->attempt, &t, &r->e);

	*ok = false;
	*why = "the rotation was given up";
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	req_note_bytes(r, "attempt", t.o.id, 16);
	req_note_str(r, "state", rotation_state_name(t.state));
	*ok = is_good(&t);
	stuck = t.tries >= TRIES && t.error[0] != '\0';
	if (!*ok && !rotation_answerable(&t) && !stuck && !over)
		return req_park(r, WAIT_ATTEMPT, w->attempt, r->core->boot_ms + LOOK_MS);
	if (t.error[0] != '\0')
		*why = t.error;
	else if (!rotation_answerable(&t))
		*why = "the database has not answered in time";
	return ERR_OK;
}
