/* SPDX-License-Identifier: Apache-2.0 */
/* api_target - systems whose credentials are rotated. */
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "policy.h"
#include "target.h"
#include "target_ask.h"
#include "vault/limits.h"

#define SCRATCH     ((size_t)16 * 1024 * 1024)
#define TIMEOUT_MIN 1000
#define AT_ONCE_MAX 8

/* ---- what the request says ---- */

static int take_object(struct req *r, const char *name, const struct value **out)
{
	const struct value *v = NULL;
	bool present;
	int rc = req_object(r, name, &v, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (value_size(v) > TARGET_CONFIG_MAX)
		return req_fail(r, ERR_INVALID, "%s: at most %u bytes", name,
		                TARGET_CONFIG_MAX);
	*out = value_copy(r->a, v);
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

/* The configuration is read back; a password belongs where it is not. */
static int take_config(struct req *r, struct target *t)
{
	const struct value *url;
	struct target_url u = { .url = "" };
	int rc = take_object(r, "config", &t->config);

	if (rc != ERR_OK)
		return rc;
	if (value_get(t->config, "password") != NULL)
		return req_fail(r, ERR_INVALID,
		                "config.password: the password belongs into the "
		                "administrator's credential (admin)");
	url = value_get(t->config, "connection_url");
	if (url == NULL || url->type != V_STRING)
		return ERR_OK;
	rc = target_url_take(r->a, value_to_cstr(url, r->a), &u, &r->e);
	if (rc == ERR_NOMEM || (rc == ERR_OK && u.password == NULL))
		return rc;
	return req_fail(r, ERR_INVALID,
	                "config.connection_url: the password belongs into the "
	                "administrator's credential (admin); write "
	                "{{username}}:{{password}} in its place");
}

static int take_admin(struct req *r, struct target *t)
{
	int rc = take_object(r, "admin", &t->admin);

	for (const struct value *v = rc == ERR_OK && t->admin != NULL ? t->admin->first
	                                                              : NULL;
	     v != NULL; v = v->next)
		if (v->type != V_STRING)
			return req_fail(r, ERR_INVALID, "admin: its members are texts");
	if (rc == ERR_OK && t->admin != NULL && t->admin->first == NULL)
		t->admin = NULL;
	return rc;
}

/* What the target's administrator is may be told only by who can read it. */
static bool may_read(const struct req *r, const struct mount *m, const char *rest)
{
	const char *path = arena_printf(r->a, "%s%s%s", m->path,
	                                m->kv_version == 2 ? "data/" : "", rest);

	return path != NULL &&
	       (r->id.root ||
	        (policies_capabilities(r->core, r->id.policies, path, false) &
	         CAP_READ) != 0);
}

static int take_admin_path(struct req *r, struct target *t)
{
	const char *path = NULL, *rest;
	const struct mount *m;
	struct kv_secret s;
	bool present;
	int rc = req_str(r, "admin_path", &path, &present);

	if (rc != ERR_OK || !present)
		return rc;
	t->has_admin_secret = false;
	if (path[0] == '\0')
		return ERR_OK;
	if (value_get(r->body, "admin") != NULL)
		return req_fail(r, ERR_INVALID, "admin or admin_path, not both");
	if ((rc = kv_split(r->core, path, &m, &rest, &r->e)) != ERR_OK)
		return rc;
	if (!may_read(r, m, rest))
		return req_fail(r, ERR_DENIED, "permission denied");
	rc = kv_open(r->core, r->a, m, rest, &s, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID,
		                "admin_path: there is no secret at \"%.180s\"", path);
	if (rc != ERR_OK)
		return rc;
	t->admin = NULL;
	t->has_admin_secret = true;
	memcpy(t->admin_secret, s.o.id, sizeof(t->admin_secret));
	return ERR_OK;
}

static int take_numbers(struct req *r, struct target *t)
{
	bool present;
	int rc;

	if ((rc = req_duration(r, "timeout", &t->timeout_ms, &present)) != ERR_OK ||
	    (rc = req_int(r, "at_once", &t->at_once, &present)) != ERR_OK)
		return rc;
	if (t->timeout_ms < TIMEOUT_MIN || t->timeout_ms > LIMIT_STEP_MS)
		return req_fail(r, ERR_INVALID, "timeout: between 1s and %ds",
		                (int)(LIMIT_STEP_MS / 1000));
	if (t->at_once < 1 || t->at_once > AT_ONCE_MAX)
		return req_fail(r, ERR_INVALID, "at_once: between 1 and %d", AT_ONCE_MAX);
	return ERR_OK;
}

static void keep_extra(struct req *r, struct value *extra, const struct target *t,
                       const char *name, struct value *given, bool present)
{
	const struct value *old = value_get(t->extra, name);

	if (present && given->len > 0)
		value_set(extra, name, value_copy(r->a, given));
	else if (!present && old != NULL)
		value_set(extra, name, value_copy(r->a, old));
}

static int take_allowed(struct req *r, struct target *t)
{
	static const char *const names[] = { "allowed_paths", "allowed_accounts" };
	struct value *extra = value_object(r->a), *list = NULL;
	bool present;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if ((rc = req_strings(r, names[i], &list, &present)) != ERR_OK)
			return rc;
		keep_extra(r, extra, t, names[i], list, present);
	}
	t->extra = extra;
	return ERR_OK;
}

static int take_rotator(struct req *r, struct target *t)
{
	bool present;
	int rc = req_str(r, "rotator", &t->rotator, &present);

	if (rc != ERR_OK)
		return rc;
	if (t->rotator[0] == '\0')
		return req_fail(r, ERR_INVALID,
		                "rotator: which one?  See "
		                "'vaultctl rotator list'");
	if (step_rotator(r->core, t->rotator) == NULL)
		return req_fail(r, ERR_INVALID, "rotator: there is no \"%.64s\"",
		                t->rotator);
	return ERR_OK;
}

static int find(struct req *r, struct target *t, bool *found)
{
	const char *name = r->param[0].text;
	int rc = target_find(r->core, r->a, target_sys_owner, name, t, &r->e);

	*found = rc == ERR_OK;
	if (rc == ERR_NOENT)
		rc = ERR_OK;
	if (rc == ERR_OK && r->param[0].len > TARGET_NAME_MAX)
		return req_fail(r, ERR_INVALID, "a target's name has at most %u bytes",
		                TARGET_NAME_MAX);
	return rc;
}

static struct target_asking *asking(const struct req *r)
{
	return r->park_state;
}

static bool was_refused(const struct req *r)
{
	return asking(r) != NULL && asking(r)->refused;
}

/* May its administrator log in now? */
static int may_log_in(struct req *r, const struct target *stored)
{
	int rc = target_left_alone(r, stored);

	return rc == ERR_OK ? target_settled(r, stored, &asking(r)->until_ms) : rc;
}

/* Describe, then log in as its administrator; then *done. */
static int examine(struct req *r, const struct target *stored, struct target *t,
                   bool verify, bool *done)
{
	int rc = ERR_OK;

	*done = false;
	if (r->park_state == NULL)
		r->park_state = arena_alloc(r->a, sizeof(struct target_asking));
	if (r->park_state == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (verify && asking(r)->what == ASK_NOTHING)
		rc = may_log_in(r, stored);
	return rc == ERR_OK ? target_examine(r, r->park_state, t, verify, done) : rc;
}

/* Whoever may write a target need not know its administrator: the credential is not
 * sent elsewhere without somebody who has it. */
static int check_kept(struct req *r, const struct target *before, const struct target *t)
{
	struct kv_secret s;
	int rc;

	if (before->o.version == 0 || value_get(r->body, "admin") != NULL ||
	    value_get(r->body, "admin_path") != NULL ||
	    (strcmp(before->rotator, t->rotator) == 0 &&
	     value_equal(before->config, t->config)))
		return ERR_OK;
	if (t->admin != NULL)
		return req_fail(r, ERR_INVALID,
		                "admin: say who it is once more, since rotator or config "
		                "are to be others");
	if (!t->has_admin_secret)
		return ERR_OK;
	rc = kv_open_id(r->core, r->a, t->admin_secret, &s, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	return may_read(r, s.mount, s.path)
	               ? ERR_OK
	               : req_fail(r, ERR_DENIED, "permission denied");
}

/* ---- handlers ---- */

static int h_write(struct req *r)
{
	struct target t, before;
	bool found = false, verify = true, present, done = false;
	int rc;

	if ((rc = find(r, &t, &found)) != ERR_OK)
		return rc;
	before = t;
	if ((rc = take_rotator(r, &t)) != ERR_OK || (rc = take_config(r, &t)) != ERR_OK ||
	    (rc = take_admin(r, &t)) != ERR_OK ||
	    (rc = take_admin_path(r, &t)) != ERR_OK ||
	    (rc = check_kept(r, &before, &t)) != ERR_OK ||
	    (rc = take_numbers(r, &t)) != ERR_OK ||
	    (rc = take_allowed(r, &t)) != ERR_OK ||
	    (rc = req_bool(r, "verify", &verify, &present)) != ERR_OK)
		return rc;
	rc = examine(r, &before, &t, verify, &done);
	if (rc == ERR_INVALID && was_refused(r))
		return target_refused(r, &before, arena_str(r->a, r->e.msg));
	if (rc != ERR_OK || !done)
		return rc;
	/* Or it is said anew who it is, and not to be tried. */
	if (asking(r)->admitted || (!verify && value_get(r->body, "admin") != NULL)) {
		memset(t.fails, 0, sizeof(t.fails));
		rc = rotation_spare_no_more(r->core, r->a, t.o.id, &r->e);
		if (rc != ERR_OK)
			return rc;
	}
	req_note_str(r, "rotator", t.rotator);
	return target_save(r->core, r->a, &t, &r->e);
}

static int h_check(struct req *r)
{
	struct target t;
	bool found = false, done = false;
	int rc = find(r, &t, &found);

	if (rc != ERR_OK)
		return rc;
	if (!found)
		return req_fail(r, ERR_NOENT, "there is no rotation target \"%.100s\"",
		                r->param[0].text);
	rc = examine(r, &t, &t, true, &done);
	if (rc == ERR_INVALID && was_refused(r))
		return target_refused(r, &t, arena_str(r->a, r->e.msg));
	if (rc != ERR_OK || !done)
		return rc;
	value_set_bool(r->a, reply_data(r), "ok", true);
	return target_save(r->core, r->a, &t, &r->e);
}

static void set_list(struct req *r, struct value *out, const struct target *t,
                     const char *name)
{
	const struct value *list = value_get(t->extra, name);

	value_set(out, name, list != NULL ? value_copy(r->a, list) : value_array(r->a));
}

static int admin_path(struct req *r, const struct target *t, const char **out)
{
	struct kv_secret s;
	int rc;

	*out = "";
	if (!t->has_admin_secret)
		return ERR_OK;
	rc = kv_open_id(r->core, r->a, t->admin_secret, &s, &r->e);
	if (rc == ERR_OK)
		*out = kv_full_path(r->a, &s);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* Never the administrator's secret: only whose it is. */
static int h_read(struct req *r)
{
	const char *path;
	struct target t;
	struct value *d;
	bool found;
	int rc = find(r, &t, &found);

	if (rc != ERR_OK || !found || (rc = admin_path(r, &t, &path)) != ERR_OK)
		return rc;
	d = reply_data(r);
	value_set_str(r->a, d, "name", t.name);
	value_set_str(r->a, d, "rotator", t.rotator);
	value_set(d, "config", value_copy(r->a, t.config));
	value_set_str(r->a, d, "admin_username",
	              value_cstr_or(r->a, t.admin, "username", ""));
	value_set_str(r->a, d, "admin_path", path);
	value_set_int(r->a, d, "timeout", t.timeout_ms / 1000);
	value_set_int(r->a, d, "at_once", t.at_once);
	set_list(r, d, &t, "allowed_paths");
	set_list(r, d, &t, "allowed_accounts");
	value_set(d, "describe",
	          t.describe != NULL ? value_copy(r->a, t.describe) : value_null(r->a));
	value_set_int(r->a, d, "left_alone", target_wait_ms(r->core, &t) / 1000);
	return ERR_OK;
}

static int h_delete(struct req *r)
{
	struct target t;
	bool found, used;
	int rc = find(r, &t, &found);

	if (rc != ERR_OK || !found)
		return rc;
	if ((rc = target_in_use(r->core, r->a, t.o.id, &used, &r->e)) != ERR_OK)
		return rc;
	if (used)
		return req_fail(r, ERR_INVALID,
		                "target \"%.100s\" is used by rotation rules: unset them "
		                "first",
		                t.name);
	return store_delete(r->core, &t.o, &r->e);
}

static int h_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct rotation_listing *l = rotation_list_slice(r, scratch, KIND_TARGET);

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; i < l->n; i++) {
		const struct store_object *o = &l->at[i];
		struct value *info = value_object(r->a);
		const char *name = arena_str(r->a,
		                             value_cstr_or(scratch, o->body, "name", ""));

		if (memcmp(o->parent, target_sys_owner, TARGET_OWNER) != 0 ||
		    name == NULL)
			continue;
		value_set_str(r->a, info, "rotator",
		              arena_str(r->a,
		                        value_cstr_or(scratch, o->body, "rotator", "")));
		value_add(l->keys, value_str(r->a, name));
		value_set(l->info, name, info);
	}
	return rotation_list_end(r, l);
}

/* ---- routes ---- */

static const struct field target_fields[] = {
	{"rotator",           "string",   "which program reaches it: postgres, mysql …"},
	{ "config",           "object",   "for the rotator: where it is"                 },
	{ "admin",            "object",   "credential of its administrator: never shown" },
	{ "admin_path",       "string",   "or the secret that holds it"                  },
	{ "timeout",          "duration", "of one call"                                  },
	{ "at_once",          "int",      "rotations that may run at the same time"      },
	{ "allowed_paths",    "strings",  "secrets that may name it; none: all"          },
	{ "allowed_accounts", "strings",  "accounts that may be rotated; none: all"      },
	{ "verify",           "bool",     "log in as its administrator first (true)"     },
	{ NULL,               NULL,       NULL					   },
};

static const struct route rows[] = {
	{"system",  M_LIST,   "rotation/targets",             0, NULL,          h_list,   NULL,
         "systems whose credentials are rotated"   },
	{ "system", M_GET,    "rotation/targets/:name",       0, NULL,          h_read,   NULL,
         "one of them"			     },
	{ "system", M_POST,   "rotation/targets/:name",       0, target_fields, h_write,  NULL,
         "set where it is and who administrates it"},
	{ "system", M_DELETE, "rotation/targets/:name",       0, NULL,          h_delete, NULL,
         "forget it"			       },
	{ "system", M_POST,   "rotation/targets/:name/check", 0, NULL,          h_check,  NULL,
         "log in as its administrator"             },
};

const struct route_table routes_target = { rows, ARRAY_LEN(rows) };
