/* SPDX-License-Identifier: Apache-2.0 */
/* api_database_static - static-roles/NAME, static-creds/NAME, rotate-role/NAME: accounts
 * that are there already, whose passwords the rotation machine changes. */
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "database.h"
#include "kv.h"

#define PERIOD_MIN_MS 5000
#define WINDOW_MIN_MS (3600ll * 1000)

int db_static_exists(struct req *r, bool *exists)
{
	struct db_role role;
	int rc = db_role_named(r, true, &role);

	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* ---- what the request says ---- */

static int take_username(struct req *r, struct db_role *role, bool is_new)
{
	const char *name = "";
	bool present;
	int rc = req_str(r, "username", &name, &present);

	if (rc != ERR_OK)
		return rc;
	if (is_new && name[0] == '\0')
		return req_fail(
			r, ERR_INVALID,
			"username is a required field to create a static account");
	if (!is_new && present && strcmp(name, role->username) != 0)
		return req_fail(r, ERR_INVALID, "cannot update static account username");
	if (is_new)
		role->username = name;
	return ERR_OK;
}

static int check_window(struct req *r, const struct db_role *role)
{
	if (role->window_ms == 0)
		return ERR_OK;
	if (role->schedule[0] == '\0')
		return req_fail(r, ERR_INVALID,
		                "rotation_window is invalid with use of rotation_period");
	if (role->window_ms < WINDOW_MIN_MS)
		return req_fail(r, ERR_INVALID,
		                "rotation_window must be 3600 seconds or more");
	return ERR_OK;
}

/* The way that is said takes the place of the other one. */
static int take_times(struct req *r, struct db_role *role, bool is_new)
{
	const char *schedule = "";
	int64_t period = 0;
	bool has_period, has_schedule, has_window;
	int rc;

	if ((rc = req_duration(r, "rotation_period", &period, &has_period)) != ERR_OK ||
	    (rc = req_str(r, "rotation_schedule", &schedule, &has_schedule)) != ERR_OK)
		return rc;
	has_schedule = has_schedule && schedule[0] != '\0';
	if (has_period && has_schedule)
		return req_fail(r, ERR_INVALID,
		                "mutually exclusive fields rotation_period and "
		                "rotation_schedule were both specified; only one of them "
		                "can be provided");
	if (is_new && !has_period && !has_schedule)
		return req_fail(r, ERR_INVALID,
		                "one of rotation_schedule or rotation_period must be "
		                "provided to create a static account");
	if (has_period && period < PERIOD_MIN_MS)
		return req_fail(r, ERR_INVALID,
		                "rotation_period must be 5 seconds or more");
	if (has_period) {
		role->period_ms = period;
		role->schedule = "";
		role->window_ms = 0;
	} else if (has_schedule) {
		role->period_ms = 0;
		role->schedule = schedule;
	}
	if ((rc = req_duration(r, "rotation_window", &role->window_ms, &has_window)) !=
	    ERR_OK)
		return rc;
	return check_window(r, role);
}

static int take_role(struct req *r, struct db_role *role, bool is_new)
{
	bool present;
	int rc = req_str(r, "db_name", &role->db_name, &present);

	if (rc != ERR_OK)
		return rc;
	if (role->db_name[0] == '\0')
		return req_fail(r, ERR_INVALID, "database name is a required field");
	if ((rc = take_username(r, role, is_new)) != ERR_OK ||
	    (rc = take_times(r, role, is_new)) != ERR_OK ||
	    (rc = db_list_take(r, "rotation_statements", &role->rotation)) != ERR_OK)
		return rc;
	return db_role_take_credential(r, role);
}

/* ---- the secret behind it ---- */

static const char *secret_path(struct req *r, const struct db_role *role)
{
	return arena_printf(r->a, DB_STATIC "%s", role->name);
}

static int open_secret(struct req *r, const struct db_role *role, struct kv_secret *s)
{
	const char *path = secret_path(r, role);

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	return kv_open(r->core, r->a, r->mount, path, s, &r->e);
}

/* The first version says whose it is; its password is not known to anybody. */
static int make_secret(struct req *r, const struct db_role *role, struct kv_secret *s)
{
	struct value *data = value_object(r->a);
	const char *path = secret_path(r, role);
	int64_t version;
	int rc;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	value_set_str(r->a, data, "username", role->username);
	rc = kv_write(r->core, r->a, r->mount, path, data, -1, &version, &r->e);
	return rc == ERR_OK ? open_secret(r, role, s) : rc;
}

static int set_schedule(struct req *r, const struct db_role *role,
                        struct rotation_rule *rule)
{
	int64_t now = r->core->now_ms, end;
	int rc = ERR_OK;

	memset(&rule->schedule, 0, sizeof(rule->schedule));
	if (role->schedule[0] != '\0')
		rc = schedule_vault(role->schedule, role->window_ms, now, &rule->schedule,
		                    &r->e);
	if (rc != ERR_OK)
		return rc;
	if (role->schedule[0] == '\0') {
		rule->schedule.kind = SCHEDULE_AFTER;
		rule->schedule.every_ms = role->period_ms;
		rule->schedule.anchor_ms = now;
	}
	memcpy(rule->schedule.seed, rule->o.id, sizeof(rule->schedule.seed));
	rule->scheduled = true;
	rule->unreadable = NULL;
	rule->last_slot = now;
	rule->next_slot = rule->next_ms = rule->missed = 0;
	(void)rotation_rule_plan(rule, now, false, &end);
	return ERR_OK;
}

/* What the rotator is told beside the connection's own settings. */
static const struct value *overlay(struct arena *a, const struct db_role *role)
{
	const char *policy = value_cstr_or(a, role->config, "password_policy", "");
	struct value *o = value_object(a);

	if (role->rotation->len > 0)
		value_set(o, "statements", value_copy(a, role->rotation));
	if (policy[0] != '\0')
		value_set_str(a, o, "password_policy", policy);
	return o->first != NULL ? o : NULL;
}

static int set_rule(struct req *r, const struct db_role *role, const struct target *t,
                    const struct kv_secret *s)
{
	struct rotation_rule rule;
	int rc = db_secret_rule(r->core, r->a, s, t, role->username, &rule, &r->e);

	if (rc != ERR_OK || (rc = rotation_refuse_under_way(r, &rule)) != ERR_OK)
		return rc;
	rule.config = overlay(r->a, role);
	if ((rc = set_schedule(r, role, &rule)) != ERR_OK)
		return rc;
	return rotation_rule_save(r->core, r->a, &rule, &r->e);
}

/* ---- writing ---- */

static int begin(struct req *r)
{
	struct db_waiting *w = arena_alloc(r->a, sizeof(*w));
	struct db_role role;
	struct kv_secret s;
	struct target t;
	bool is_new, ok;
	int rc;

	if (w == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = db_role_begin(r, true, &role, &is_new)) != ERR_OK ||
	    (rc = take_role(r, &role, is_new)) != ERR_OK)
		return rc;
	rc = db_config_for_role(r, role.db_name, role.name, &t, &ok);
	if (rc != ERR_OK || !ok ||
	    (rc = db_role_save(r->core, r->a, &role, &r->e)) != ERR_OK)
		return rc;
	rc = is_new ? make_secret(r, &role, &s) : open_secret(r, &role, &s);
	if (rc != ERR_OK || (rc = set_rule(r, &role, &t, &s)) != ERR_OK)
		return rc;
	req_note_str(r, "username", role.username);
	w->is_new = is_new;
	return is_new ? db_rotate(r, s.o.id, true, w) : ERR_OK;
}

static int forget(struct req *r, struct db_role *role)
{
	const char *path = secret_path(r, role);
	int rc;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = db_secret_drop(r->core, r->a, r->mount, path, &r->e);
	return rc == ERR_OK ? store_delete(r->core, &role->o, &r->e) : rc;
}

static int fail(struct req *r, const char *why)
{
	reply_errors(r, 500, arena_str(r->a, why), NULL);
	return ERR_OK;
}

int db_h_static_write(struct req *r)
{
	struct db_waiting *w = r->park_state;
	struct db_role role;
	const char *why;
	bool ok;
	int rc;

	if (w == NULL)
		return begin(r);
	if ((rc = db_rotated(r, w, &ok, &why)) != ERR_OK || ok)
		return rc;
	/* Nothing is left of what never worked. */
	rc = db_role_named(r, true, &role);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (rc == ERR_OK && (rc = forget(r, &role)) != ERR_OK)
		return rc;
	return fail(r, why);
}

/* ---- reading ---- */

static void set_times(struct req *r, const struct db_role *role, struct value *d)
{
	if (role->schedule[0] == '\0') {
		value_set_int(r->a, d, "rotation_period", role->period_ms / 1000);
		return;
	}
	value_set_str(r->a, d, "rotation_schedule", role->schedule);
	if (role->window_ms != 0)
		value_set_int(r->a, d, "rotation_window", role->window_ms / 1000);
}

static int open_rule(struct req *r, const struct db_role *role, struct kv_secret *s,
                     struct rotation_rule *rule)
{
	int rc = open_secret(r, role, s);

	return rc == ERR_OK ? rotation_rule_load(r->core, r->a, s->o.id, rule, &r->e)
	                    : rc;
}

int db_h_static_read(struct req *r)
{
	struct rotation_rule rule;
	struct db_role role;
	struct kv_secret s;
	struct value *d;
	int rc = db_role_named(r, true, &role);

	if (rc != ERR_OK || (rc = open_rule(r, &role, &s, &rule)) != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	d = reply_data(r);
	value_set_str(r->a, d, "db_name", role.db_name);
	value_set_str(r->a, d, "username", role.username);
	value_set(d, "rotation_statements", value_copy(r->a, role.rotation));
	value_set_str(r->a, d, "credential_type", "password");
	if (role.config->first != NULL)
		value_set(d, "credential_config", value_copy(r->a, role.config));
	set_times(r, &role, d);
	if (rule.rotated_ms != 0)
		value_set(d, "last_vault_rotation", rotation_time(r->a, rule.rotated_ms));
	return ERR_OK;
}

int db_h_static_delete(struct req *r)
{
	struct db_role role;
	int rc = db_role_named(r, true, &role);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	return forget(r, &role);
}

int db_h_static_list(struct req *r)
{
	return db_roles_reply(r, true);
}

static void set_credential(struct req *r, const struct value *data,
                           const struct rotation_rule *rule, struct value *d)
{
	int64_t left = rule->next_ms - r->core->now_ms;

	value_set_str(r->a, d, "username", value_cstr_or(r->a, data, "username", ""));
	value_set_str(r->a, d, "password", value_cstr_or(r->a, data, "password", ""));
	value_set(d, "last_vault_rotation", rotation_time(r->a, rule->rotated_ms));
	value_set_int(r->a, d, "ttl",
	              rule->next_ms != 0 && left > 0 ? (left + 999) / 1000 : 0);
}

int db_h_static_creds(struct req *r)
{
	struct rotation_rule rule;
	struct db_role role;
	struct kv_secret s;
	struct value *data;
	struct target t;
	bool ok;
	int rc = db_role_named(r, true, &role);

	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "unknown role: %.128s", r->param[0].text);
	if (rc != ERR_OK)
		return rc;
	rc = db_config_for_role(r, role.db_name, role.name, &t, &ok);
	if (rc != ERR_OK || !ok)
		return rc;
	if ((rc = open_rule(r, &role, &s, &rule)) != ERR_OK ||
	    (rc = kv_read(r->core, r->a, &s, 0, &data, &r->e)) != ERR_OK)
		return rc;
	/* While the request that makes it waits for the first rotation. */
	if (value_get(data, "password") == NULL)
		return req_fail(r, ERR_INVALID, "unknown role: %.128s", role.name);
	kv_note_reader(r, &s);
	set_credential(r, data, &rule, reply_data(r));
	set_times(r, &role, reply_data(r));
	req_note_int(r, "version", s.current);
	return ERR_OK;
}

/* ---- rotating now ---- */

int db_h_rotate_role(struct req *r)
{
	struct db_waiting *w = r->park_state;
	struct db_role role;
	struct kv_secret s;
	const char *why;
	bool ok;
	int rc;

	if (w != NULL) {
		rc = db_rotated(r, w, &ok, &why);
		return rc != ERR_OK || ok ? rc : fail(r, why);
	}
	rc = db_role_named(r, true, &role);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "no static role found for role name");
	if (rc != ERR_OK || (rc = open_secret(r, &role, &s)) != ERR_OK)
		return rc;
	if ((w = arena_alloc(r->a, sizeof(*w))) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	return db_rotate(r, s.o.id, false, w);
}
