/* SPDX-License-Identifier: Apache-2.0 */
/* api_database - the routes of database mounts, and their connections: config/NAME. */
#include <string.h>

#include "arena.h"
#include "database.h"
#include "listing.h"
#include "path.h"
#include "route.h"
#include "target_ask.h"
#include "username_template.h"
#include "vault/limits.h"

#define CANNOT_CREATE "error creating database object: "

/* A write under way: all that the request says is in it from the start. */
struct writing {
	struct target t;
	struct target_asking ask;
	const char *username, *password; /* given anew, or NULL */
	bool verify, url_password;
};

/* ---- what the request says ---- */

/* These are ours; everything else is for the rotator. */
static const char *const own[] = { "name",
	                           "plugin_name",
	                           "plugin_version",
	                           "allowed_roles",
	                           "verify_connection",
	                           "root_rotation_statements",
	                           "password_policy",
	                           "username_template",
	                           "username",
	                           "password" };

static bool is_own(const struct value *v)
{
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (v->key_len == strlen(own[i]) &&
		    memcmp(v->key, own[i], v->key_len) == 0)
			return true;
	return false;
}

static int take_connection(struct req *r, struct writing *w)
{
	struct value *config = value_copy(r->a, w->t.config), *out = value_object(r->a);

	for (const struct value *v = config->first; v != NULL; v = v->next)
		if (value_getn(r->body, v->key, v->key_len) == NULL)
			value_setn(out, v->key, v->key_len, value_copy(r->a, v));
	for (const struct value *v = r->body->first; v != NULL; v = v->next)
		if (!is_own(v))
			value_setn(out, arena_dup(r->a, v->key, v->key_len), v->key_len,
			           value_copy(r->a, v));
	if (value_size(out) > TARGET_CONFIG_MAX)
		return req_fail(r, ERR_INVALID, "at most %u bytes of connection details",
		                TARGET_CONFIG_MAX);
	w->t.config = out;
	return arena_failed(r->a) ? req_fail(r, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* A password in the URL would be read back: it is taken out. */
static int take_url(struct req *r, struct writing *w)
{
	const struct value *v = value_get(w->t.config, "connection_url");
	struct target_url u;
	struct value *out;
	int rc;

	if (v == NULL || v->type != V_STRING)
		return ERR_OK;
	rc = target_url_take(r->a, value_to_cstr(v, r->a), &u, &r->e);
	if (rc != ERR_OK || u.password == NULL)
		return rc;
	w->url_password = true;
	if (w->password == NULL) {
		w->username = w->username != NULL ? w->username : u.user;
		w->password = u.password;
	}
	out = value_object(r->a);
	for (v = w->t.config->first; v != NULL; v = v->next)
		if (v->key_len != strlen("connection_url") ||
		    memcmp(v->key, "connection_url", v->key_len) != 0)
			value_setn(out, v->key, v->key_len, value_copy(r->a, v));
	value_set_str(r->a, out, "connection_url", u.url);
	w->t.config = out;
	return ERR_OK;
}

static int take_account(struct req *r, struct writing *w)
{
	bool present;
	int rc;

	if ((rc = req_str(r, "username", &w->username, &present)) != ERR_OK ||
	    (rc = req_str(r, "password", &w->password, &present)) != ERR_OK)
		return rc;
	return take_url(r, w);
}

static int keep_str(struct req *r, struct value *extra, const struct target *t,
                    const char *name)
{
	const char *text = value_cstr_or(r->a, t->extra, name, "");
	bool present;
	int rc = req_str(r, name, &text, &present);

	if (rc == ERR_OK)
		value_set_str(r->a, extra, name, text);
	return rc;
}

static int check_template(struct req *r, const struct value *extra)
{
	const char *text = value_cstr_or(r->a, extra, "username_template", "");
	char why[ERR_MSG_MAX];
	int rc = text[0] != '\0' ? username_template_check(r->a, text, &r->e) : ERR_OK;

	if (rc != ERR_INVALID)
		return rc;
	memcpy(why, r->e.msg, sizeof(why));
	return req_fail(r, ERR_INVALID, CANNOT_CREATE "%.180s", why);
}

static int take_extra(struct req *r, struct writing *w)
{
	struct value *extra = value_object(r->a), *list = NULL;
	const struct value *statements = value_get(w->t.extra, "root_rotation");
	const struct value *roles = value_get(w->t.extra, "allowed_roles");
	bool present;
	int rc;

	if ((rc = keep_str(r, extra, &w->t, "plugin_name")) != ERR_OK ||
	    (rc = keep_str(r, extra, &w->t, "plugin_version")) != ERR_OK ||
	    (rc = keep_str(r, extra, &w->t, "password_policy")) != ERR_OK ||
	    (rc = keep_str(r, extra, &w->t, "username_template")) != ERR_OK ||
	    (rc = db_list_take(r, "root_rotation_statements", &statements)) != ERR_OK ||
	    (rc = req_strings(r, "allowed_roles", &list, &present)) != ERR_OK)
		return rc;
	if (present)
		roles = list;
	value_set(extra, "allowed_roles",
	          roles != NULL ? value_copy(r->a, roles) : value_array(r->a));
	value_set(extra, "root_rotation",
	          statements != NULL ? value_copy(r->a, statements) : value_array(r->a));
	w->t.extra = extra;
	return check_template(r, extra);
}

static int take_plugin(struct req *r, struct writing *w)
{
	const char *plugin = value_cstr_or(r->a, w->t.extra, "plugin_name", "");
	bool present;
	int rc;

	if (plugin[0] == '\0')
		return req_fail(r, ERR_INVALID, "empty plugin name");
	w->t.rotator = db_rotator(plugin);
	if (step_rotator(r->core, w->t.rotator) == NULL)
		return req_fail(r, ERR_INVALID,
		                CANNOT_CREATE "there is no plugin \"%.64s\"", plugin);
	w->verify = true;
	if ((rc = req_bool(r, "verify_connection", &w->verify, &present)) != ERR_OK)
		return rc;
	w->t.at_once = 4; /* connections, not the accounts of one rotation */
	return ERR_OK;
}

/* ---- the administrator's credential ---- */

/* What was given anew takes the place of a rotated one. */
static int take_admin(struct req *r, struct writing *w)
{
	struct value *admin = value_object(r->a), *old;
	int rc;

	if (w->username == NULL && w->password == NULL)
		return ERR_OK;
	if ((rc = target_admin(r->core, r->a, &w->t, &old, &r->e)) != ERR_OK)
		return rc;
	if (w->username == NULL)
		w->username = value_cstr_or(r->a, old, "username", "");
	if (w->password == NULL)
		w->password = value_cstr_or(r->a, old, "password", "");
	if (w->username[0] != '\0')
		value_set_str(r->a, admin, "username", w->username);
	if (w->password[0] != '\0')
		value_set_str(r->a, admin, "password", w->password);
	w->t.admin = admin->first != NULL ? admin : NULL;
	w->t.has_admin_secret = false;
	return ERR_OK;
}

static int forget_rotated(struct req *r)
{
	const char *path = arena_printf(r->a, DB_ROOT "%s", r->param[0].text);
	struct target stored;
	int rc;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = target_find(r->core, r->a, r->mount->id, r->param[0].text, &stored, &r->e);
	if (rc != ERR_OK || !stored.has_admin_secret)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = rotation_may_drop(r->core, r->a, stored.admin_secret, &r->e)) != ERR_OK)
		return rc;
	return db_secret_drop(r->core, r->a, r->mount, path, &r->e);
}

/* ---- handlers ---- */

static int find(struct req *r, struct target *t)
{
	const char *name = r->param[0].text;

	memset(t, 0, sizeof(*t));
	if (!db_name_ok(name))
		return req_fail(r, ERR_NOENT, "no such connection");
	return target_find(r->core, r->a, r->mount->id, name, t, &r->e);
}

static int exists(struct req *r, bool *yes)
{
	struct target t;
	int rc = find(r, &t);

	*yes = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* NULL and r->e on failure. */
static struct writing *begin(struct req *r)
{
	struct writing *w = arena_alloc(r->a, sizeof(*w));
	int rc;

	if (w == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (!db_name_ok(r->param[0].text)) {
		req_fail(r, ERR_INVALID, "invalid connection name");
		return NULL;
	}
	rc = find(r, &w->t);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return NULL;
	if (take_extra(r, w) != ERR_OK || take_plugin(r, w) != ERR_OK ||
	    take_connection(r, w) != ERR_OK || take_account(r, w) != ERR_OK ||
	    take_admin(r, w) != ERR_OK)
		return NULL;
	r->park_state = w;
	return w;
}

static int store(struct req *r, struct writing *w)
{
	struct target now;
	int rc;

	/* It may have been written or rotated while the rotator was asked. */
	rc = find(r, &now);
	if ((rc == ERR_OK ? now.o.version : 0) != w->t.o.version)
		return req_fail(r, ERR_INVALID,
		                "the connection was changed by somebody else meanwhile");
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (!w->t.has_admin_secret && (rc = forget_rotated(r)) != ERR_OK)
		return rc;
	memcpy(w->t.fails, now.fails, sizeof(w->t.fails));
	if (w->ask.admitted) {
		memset(w->t.fails, 0, sizeof(w->t.fails));
		rc = rotation_spare_no_more(r->core, r->a, w->t.o.id, &r->e);
		if (rc != ERR_OK)
			return rc;
	}
	return target_save(r->core, r->a, &w->t, &r->e);
}

/* May its administrator log in now? */
static int may_log_in(struct req *r, struct writing *w)
{
	struct target stored;
	int rc = find(r, &stored);

	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	rc = target_left_alone(r, &stored);
	return rc == ERR_OK ? target_settled(r, &stored, &w->ask.until_ms) : rc;
}

static int not_verified(struct req *r, const struct writing *w)
{
	struct target stored;
	char *text = arena_printf(
		r->a, CANNOT_CREATE "error verifying connection: %.180s", r->e.msg);
	int rc;

	if (text == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (!w->ask.refused)
		return req_fail(r, ERR_INVALID, "%s", text);
	rc = find(r, &stored);
	return rc == ERR_OK || rc == ERR_NOENT ? target_refused(r, &stored, text) : rc;
}

static int h_write(struct req *r)
{
	struct writing *w = r->park_state;
	bool done;
	int rc;

	if (w == NULL && (w = begin(r)) == NULL)
		return (int)r->e.code;
	if (w->verify && w->ask.what == ASK_NOTHING && (rc = may_log_in(r, w)) != ERR_OK)
		return rc;
	req_note_str(r, "plugin", w->t.rotator);
	rc = target_examine(r, &w->ask, &w->t, w->verify, &done);
	if (rc == REQ_PARKED)
		return rc;
	if (rc != ERR_OK)
		return not_verified(r, w);
	if (!done)
		return ERR_OK;
	if ((rc = store(r, w)) != ERR_OK)
		return rc;
	if (w->url_password)
		reply_warning(
			r,
			"Password found in connection_url, use a templated url to enable "
			"root rotation and prevent read access to password information.");
	return ERR_OK;
}

static void set_details(struct req *r, const struct target *t, const char *username,
                        struct value *out)
{
	const char *naming = value_cstr_or(r->a, t->extra, "username_template", "");
	struct value *details = value_object(r->a);

	for (const struct value *v = t->config != NULL ? t->config->first : NULL;
	     v != NULL; v = v->next)
		value_setn(details, arena_dup(r->a, v->key, v->key_len), v->key_len,
		           value_copy(r->a, v));
	if (username[0] != '\0')
		value_set_str(r->a, details, "username", username);
	if (naming[0] != '\0')
		value_set_str(r->a, details, "username_template", naming);
	value_set(out, "connection_details", details);
}

static int h_read(struct req *r)
{
	struct target t;
	struct value *d, *admin;
	int rc = find(r, &t);

	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK ||
	    (rc = target_admin(r->core, r->a, &t, &admin, &r->e)) != ERR_OK)
		return rc;
	d = reply_data(r);
	value_set_str(r->a, d, "plugin_name",
	              value_cstr_or(r->a, t.extra, "plugin_name", ""));
	value_set_str(r->a, d, "plugin_version",
	              value_cstr_or(r->a, t.extra, "plugin_version", ""));
	value_set(d, "allowed_roles",
	          value_copy(r->a, value_get(t.extra, "allowed_roles")));
	set_details(r, &t, value_cstr_or(r->a, admin, "username", ""), d);
	value_set(d, "root_credentials_rotate_statements",
	          value_copy(r->a, value_get(t.extra, "root_rotation")));
	value_set_str(r->a, d, "password_policy",
	              value_cstr_or(r->a, t.extra, "password_policy", ""));
	return ERR_OK;
}

/* As in Vault, whatever hangs on it: its roles say so when they are used. */
static int h_delete(struct req *r)
{
	struct target t;
	int rc = find(r, &t);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = forget_rotated(r)) != ERR_OK)
		return rc;
	return store_delete(r->core, &t.o, &r->e);
}

static int h_list(struct req *r)
{
	const struct listing_of of = { .kind = KIND_TARGET,
		                       .parent = r->mount->id,
		                       .parent_len = MOUNT_ID,
		                       .member = "name" };

	return listing_reply(r, &of);
}

/* Each call makes a connection of its own: there is none to be closed. */
static int h_reset(struct req *r)
{
	struct target t;
	int rc = find(r, &t);

	if (rc == ERR_OK && t.fails[0] != 0) {
		memset(t.fails, 0, sizeof(t.fails));
		rc = rotation_spare_no_more(r->core, r->a, t.o.id, &r->e);
		return rc == ERR_OK ? target_save(r->core, r->a, &t, &r->e) : rc;
	}
	if (rc != ERR_NOENT)
		return rc;
	return req_fail(r, ERR_INVALID,
	                "failed to find entry for connection with name: \"%.128s\"",
	                r->param[0].text);
}

/* clang-format off */
static const struct field config_fields[] = {
	{ "plugin_name", "string", "kind of database: postgresql-database-plugin …" },
	{ "plugin_version", "string", "kept, not looked at" },
	{ "verify_connection", "bool", "log in first (true)" },
	{ "allowed_roles", "strings", "roles that may use it; \"*\": all" },
	{ "root_rotation_statements", "strings", "how the administrator's password is changed" },
	{ "password_policy", "string", "password policy of what is generated" },
	{ "username_template", "string", "how accounts are named: .DisplayName, .RoleName, random …" },
	{ "connection_url", "string", "where it is, with {{username}} and {{password}}" },
	{ "username", "string", "the administrator" },
	{ "password", "string", "of the administrator: never shown" },
	{ NULL, NULL, NULL },
};
static const struct field role_fields[] = {
	{ "db_name", "string", "name of the connection" },
	{ "creation_statements", "strings", "how an account is made" },
	{ "revocation_statements", "strings", "how it is removed" },
	{ "rollback_statements", "strings", "how one is removed that was not made whole" },
	{ "renew_statements", "strings", "how it lives on" },
	{ "default_ttl", "duration", "lifetime of an account" },
	{ "max_ttl", "duration", "with all renewals" },
	{ "credential_type", "string", "password" },
	{ "credential_config", "object", "password_policy" },
	{ NULL, NULL, NULL },
};
static const struct field static_fields[] = {
	{ "db_name", "string", "name of the connection" },
	{ "username", "string", "the account, which is there already" },
	{ "rotation_period", "duration", "how often its password is changed" },
	{ "rotation_schedule", "string", "or when: five cron fields, UTC" },
	{ "rotation_window", "duration", "how long after that time it may begin" },
	{ "rotation_statements", "strings", "how its password is changed" },
	{ "credential_type", "string", "password" },
	{ "credential_config", "object", "password_policy" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "database", M_LIST, "config", 0, NULL, h_list, NULL, "connections to databases" },
	{ "database", M_GET, "config/:connection", 0, NULL, h_read, NULL,
	  "one of them, without its password" },
	{ "database", M_POST, "config/:connection", R_OPEN_BODY, config_fields, h_write,
	  exists, "set one; what is not listed here is for the rotator" },
	{ "database", M_DELETE, "config/:connection", 0, NULL, h_delete, NULL,
	  "forget one" },
	{ "database", M_POST, "reset/:connection", 0, NULL, h_reset, NULL,
	  "connect anew" },
	{ "database", M_LIST, "roles", 0, NULL, db_h_role_list, NULL,
	  "roles that make accounts" },
	{ "database", M_GET, "roles/:db_role", 0, NULL, db_h_role_read, NULL,
	  "one of them" },
	{ "database", M_POST, "roles/:db_role", 0, role_fields, db_h_role_write,
	  db_role_exists, "set one" },
	{ "database", M_DELETE, "roles/:db_role", 0, NULL, db_h_role_delete, NULL,
	  "forget one" },
	{ "database", M_GET, "creds/:db_role", 0, NULL, db_h_creds, NULL,
	  "make an account, for as long as its lease lives" },
	{ "database", M_LIST, "static-roles", 0, NULL, db_h_static_list, NULL,
	  "roles for accounts that are there" },
	{ "database", M_GET, "static-roles/:db_role", 0, NULL, db_h_static_read, NULL,
	  "one of them" },
	{ "database", M_POST, "static-roles/:db_role", 0, static_fields, db_h_static_write,
	  db_static_exists, "set one; a new one gets a new password at once" },
	{ "database", M_DELETE, "static-roles/:db_role", 0, NULL, db_h_static_delete, NULL,
	  "forget one: the account stays as it is" },
	{ "database", M_GET, "static-creds/:db_role", 0, NULL, db_h_static_creds, NULL,
	  "the credential of a static role" },
	{ "database", M_POST, "rotate-role/:db_role", 0, NULL, db_h_rotate_role, NULL,
	  "change the password of a static role now" },
	{ "database", M_POST, "rotate-root/:connection", 0, NULL, db_h_rotate_root, NULL,
	  "change the administrator's password to one that nobody is shown" },
};
/* clang-format on */

const struct route_table routes_database = { rows, ARRAY_LEN(rows) };
