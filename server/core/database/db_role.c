/* SPDX-License-Identifier: Apache-2.0 */
/* db_role - roles of a database engine: those that make accounts, and static ones. */
#include <string.h>

#include "arena.h"
#include "database.h"
#include "listing.h"
#include "text.h"

bool db_name_ok(const char *s)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t n = strlen(s);

	if (n == 0 || n > DB_NAME_MAX || strchr(word, s[0]) == NULL ||
	    strchr(word, s[n - 1]) == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strchr(word, s[i]) == NULL && s[i] != '-' && s[i] != '.')
			return false;
	return true;
}

static const struct value *list_of(struct arena *a, const struct value *b,
                                   const char *key)
{
	const struct value *v = value_get(b, key);

	return v != NULL && v->type == V_ARRAY ? v : value_array(a);
}

static void read_body(struct arena *a, struct db_role *out)
{
	const struct value *b = out->o.body, *config = value_get(b, "config");

	out->name = value_cstr_or(a, b, "name", "");
	out->is_static = value_bool_or(b, "static", false);
	out->db_name = value_cstr_or(a, b, "db_name", "");
	out->config = config != NULL ? config : value_object(a);
	out->creation = list_of(a, b, "creation");
	out->revocation = list_of(a, b, "revocation");
	out->rollback = list_of(a, b, "rollback");
	out->renew = list_of(a, b, "renew");
	out->rotation = list_of(a, b, "rotation");
	out->default_ttl_ms = value_int_or(b, "default_ttl", 0);
	out->max_ttl_ms = value_int_or(b, "max_ttl", 0);
	out->username = value_cstr_or(a, b, "username", "");
	out->period_ms = value_int_or(b, "period", 0);
	out->schedule = value_cstr_or(a, b, "schedule", "");
	out->window_ms = value_int_or(b, "window", 0);
}

int db_role_find(struct core *c, struct arena *a, const unsigned char mount_id[MOUNT_ID],
                 const char *name, struct db_role *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	memset(out, 0, sizeof(*out));
	store_blind(c, id, "db-role", mount_id, MOUNT_ID, name, strlen(name));
	rc = store_get(c, a, KIND_DB_ROLE, id, sizeof(id), &out->o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (rc == ERR_NOENT) {
		out->o = (struct store_object){ .kind = KIND_DB_ROLE, .id_len = 32 };
		memcpy(out->o.id, id, sizeof(id));
		out->o.parent_len = MOUNT_ID;
		memcpy(out->o.parent, mount_id, MOUNT_ID);
	}
	read_body(a, out);
	if (rc == ERR_NOENT)
		out->name = name;
	return rc;
}

static void set_list(struct arena *a, struct value *b, const char *key,
                     const struct value *list)
{
	if (list->len > 0)
		value_set(b, key, value_copy(a, list));
}

int db_role_save(struct core *c, struct arena *a, struct db_role *role, struct err *e)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "name", role->name);
	value_set_bool(a, b, "static", role->is_static);
	value_set_str(a, b, "db_name", role->db_name);
	value_set(b, "config", value_copy(a, role->config));
	if (role->is_static) {
		value_set_str(a, b, "username", role->username);
		set_list(a, b, "rotation", role->rotation);
		value_set_int(a, b, "period", role->period_ms);
		value_set_str(a, b, "schedule", role->schedule);
		value_set_int(a, b, "window", role->window_ms);
	} else {
		set_list(a, b, "creation", role->creation);
		set_list(a, b, "revocation", role->revocation);
		set_list(a, b, "rollback", role->rollback);
		set_list(a, b, "renew", role->renew);
		value_set_int(a, b, "default_ttl", role->default_ttl_ms);
		value_set_int(a, b, "max_ttl", role->max_ttl_ms);
	}
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	role->o.body = b;
	return store_put(c, &role->o, e);
}

int db_role_named(struct req *r, bool want_static, struct db_role *out)
{
	const char *name = r->param[0].text;
	int rc = db_role_find(r->core, r->a, r->mount->id, name, out, &r->e);

	if (rc == ERR_OK && out->is_static != want_static)
		return req_fail(r, ERR_NOENT, "no such role");
	return rc;
}

int db_role_begin(struct req *r, bool want_static, struct db_role *out, bool *is_new)
{
	const char *name = r->param[0].text;
	int rc;

	if (!db_name_ok(name))
		return req_fail(r, ERR_INVALID, "invalid role name");
	rc = db_role_find(r->core, r->a, r->mount->id, name, out, &r->e);
	*is_new = rc == ERR_NOENT;
	if (rc == ERR_OK && out->is_static != want_static)
		return req_fail(r, ERR_INVALID,
		                "Role and Static Role names must be unique");
	out->is_static = want_static;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

int db_role_take_credential(struct req *r, struct db_role *role)
{
	const struct value *config = NULL;
	const char *type = "password";
	bool present;
	int rc;

	if ((rc = req_str(r, "credential_type", &type, &present)) != ERR_OK ||
	    (rc = req_object(r, "credential_config", &config, &present)) != ERR_OK)
		return rc;
	if (strcmp(type, "password") != 0)
		return req_fail(r, ERR_INVALID, "invalid credential_type \"%.40s\"",
		                type);
	if (!present)
		return ERR_OK;
	for (const struct value *v = config->first; v != NULL; v = v->next)
		if (v->type != V_STRING || v->key_len != strlen("password_policy") ||
		    memcmp(v->key, "password_policy", v->key_len) != 0)
			return req_fail(r, ERR_INVALID,
			                "credential_config validation failed: only "
			                "password_policy, a text, is known");
	role->config = value_copy(r->a, config);
	return role->config != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

int db_list_take(struct req *r, const char *field, const struct value **out)
{
	struct value *one, *list = NULL;
	const struct value *v = value_get(r->body, field);
	bool present;
	int rc;

	/* A statement may have commas: a single text is one statement. */
	if (v != NULL && v->type == V_STRING) {
		one = value_array(r->a);
		if (v->len > 0)
			value_add(one, value_copy(r->a, v));
		*out = one;
		return ERR_OK;
	}
	rc = req_strings(r, field, &list, &present);
	if (rc == ERR_OK && present)
		*out = value_copy(r->a, list);
	return rc;
}

static bool is_dynamic(const struct core *c, const struct store_object *o)
{
	(void)c;
	return !value_bool_or(o->body, "static", false);
}

static bool is_static(const struct core *c, const struct store_object *o)
{
	return !is_dynamic(c, o);
}

int db_roles_reply(struct req *r, bool want_static)
{
	const struct listing_of of = { .kind = KIND_DB_ROLE,
		                       .parent = r->mount->id,
		                       .parent_len = MOUNT_ID,
		                       .member = "name",
		                       .shown = want_static ? is_static : is_dynamic };

	return listing_reply(r, &of);
}
