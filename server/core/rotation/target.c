/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <string.h>

#include "arena.h"
#include "host.h"
#include "kv.h"

const unsigned char target_sys_owner[TARGET_OWNER] = { 0 };

void target_id(struct core *c, const unsigned char owner[TARGET_OWNER], const char *name,
               unsigned char out[32])
{
	store_blind(c, out, "target", owner, TARGET_OWNER, name, strlen(name));
}

static int take_fails(const struct value *b, struct target *out)
{
	const struct value *list = value_get(b, "fails");
	size_t n = 0;

	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     v = v->next)
		if (n == TARGET_FAILS || value_to_int(v, &out->fails[n++]) != 0)
			return -1;
	return 0;
}

static int take_secret(const struct value *b, struct target *out)
{
	const struct value *v = value_get(b, "admin_secret");

	if (v == NULL)
		return 0;
	if (v->type != V_BYTES || v->len != sizeof(out->admin_secret))
		return -1;
	memcpy(out->admin_secret, v->text, v->len);
	out->has_admin_secret = true;
	return 0;
}

int target_read(struct arena *a, const struct store_object *o, struct target *out,
                struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->name = value_cstr_or(a, b, "name", "");
	out->rotator = value_cstr_or(a, b, "rotator", "");
	out->config = value_get(b, "config");
	out->admin = value_get(b, "admin");
	out->describe = value_get(b, "describe");
	out->extra = value_get(b, "extra");
	out->timeout_ms = value_int_or(b, "timeout", TARGET_TIMEOUT_MS);
	out->at_once = value_int_or(b, "at_once", TARGET_AT_ONCE);
	out->archived = value_bool_or(b, "archived", false);
	if (out->config == NULL || out->rotator[0] == '\0' || take_fails(b, out) != 0 ||
	    take_secret(b, out) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "a rotation target's record is malformed");
	return ERR_OK;
}

int target_load(struct core *c, struct arena *a, const unsigned char id[32],
                struct target *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_TARGET, id, 32, &o, e);

	return rc == ERR_OK ? target_read(a, &o, out, e) : rc;
}

int target_find(struct core *c, struct arena *a, const unsigned char owner[TARGET_OWNER],
                const char *name, struct target *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	target_id(c, owner, name, id);
	rc = target_load(c, a, id, out, e);
	if (rc != ERR_NOENT)
		return rc;
	memset(out, 0, sizeof(*out));
	out->o.kind = KIND_TARGET;
	out->o.id_len = sizeof(id);
	memcpy(out->o.id, id, sizeof(id));
	out->o.parent_len = TARGET_OWNER;
	memcpy(out->o.parent, owner, TARGET_OWNER);
	out->name = name;
	out->rotator = "";
	out->config = value_object(a);
	out->timeout_ms = TARGET_TIMEOUT_MS;
	out->at_once = TARGET_AT_ONCE;
	return ERR_NOENT;
}

static void set_copy(struct arena *a, struct value *b, const char *key,
                     const struct value *v)
{
	if (v != NULL)
		value_set(b, key, value_copy(a, v));
}

int target_save(struct core *c, struct arena *a, struct target *t, struct err *e)
{
	struct value *b = value_object(a), *fails = value_array(a);

	value_set_str(a, b, "name", t->name);
	value_set_str(a, b, "rotator", t->rotator);
	value_set_int(a, b, "timeout", t->timeout_ms);
	value_set_int(a, b, "at_once", t->at_once);
	value_set_bool(a, b, "archived", t->archived);
	set_copy(a, b, "config", t->config);
	set_copy(a, b, "admin", t->admin);
	set_copy(a, b, "describe", t->describe);
	set_copy(a, b, "extra", t->extra);
	if (t->has_admin_secret)
		value_set_bytes(a, b, "admin_secret", t->admin_secret,
		                sizeof(t->admin_secret));
	for (size_t i = 0; i < TARGET_FAILS; i++)
		if (t->fails[i] != 0)
			value_add(fails, value_int(a, t->fails[i]));
	value_set(b, "fails", fails);
	t->o.body = b;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &t->o, e);
}

static struct value *strings_of(struct arena *a, const struct value *data)
{
	struct value *out = value_object(a);

	for (const struct value *v = data->first; v != NULL; v = v->next) {
		struct value *copy = v->type == V_STRING ? value_copy(a, v) : NULL;

		if (copy != NULL)
			value_setn(out, arena_dup(a, v->key, v->key_len), v->key_len,
			           copy);
	}
	return out;
}

int target_admin(struct core *c, struct arena *a, const struct target *t,
                 struct value **out, struct err *e)
{
	struct kv_secret s;
	struct value *data;
	int rc;

	*out = t->admin != NULL ? strings_of(a, t->admin) : value_null(a);
	if (!t->has_admin_secret)
		return ERR_OK;
	rc = kv_open_id(c, a, t->admin_secret, &s, e);
	if (rc == ERR_OK)
		rc = kv_read(c, a, &s, 0, &data, e);
	if (rc == ERR_NOENT)
		return err_set(e, ERR_INVALID,
		               "the secret with the administrator's credential of "
		               "target \"%.100s\" has no current version",
		               t->name);
	if (rc == ERR_OK)
		*out = strings_of(a, data);
	return rc;
}

int target_spares_admin(struct core *c, struct arena *a, const struct target *t,
                        const struct value *accounts, const unsigned char secret[32],
                        struct err *e)
{
	struct value *admin;
	const char *name;
	int rc;

	if (accounts == NULL ||
	    (t->has_admin_secret && memcmp(t->admin_secret, secret, 32) == 0))
		return ERR_OK;
	rc = target_admin(c, a, t, &admin, e);
	if (rc == ERR_INVALID) /* nobody is there to be locked out */
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	name = value_cstr_or(a, admin, "username", "");
	for (const struct value *v = accounts->first; v != NULL; v = v->next)
		if (name[0] != '\0' && value_is_str(v, name))
			return err_set(e, ERR_INVALID,
			               "\"%.64s\" is the administrator, who would be "
			               "locked out: rotate the credential that it logs "
			               "in with (admin_path of the target, or "
			               "rotate-root of a database)",
			               name);
	return ERR_OK;
}

/* ---- failed logins ---- */

void target_failed(const struct core *c, struct target *t)
{
	size_t n = 0;

	while (n < TARGET_FAILS && t->fails[n] != 0)
		n++;
	if (n == TARGET_FAILS) {
		memmove(t->fails, t->fails + 1, (TARGET_FAILS - 1) * sizeof(t->fails[0]));
		n--;
	}
	t->fails[n] = c->now_ms;
}

int64_t target_wait_ms(const struct core *c, const struct target *t)
{
	int64_t oldest = t->fails[0];

	if (t->fails[TARGET_FAILS - 1] == 0 || oldest > c->now_ms ||
	    oldest + TARGET_FAILS_MS <= c->now_ms)
		return 0;
	return oldest + TARGET_FAILS_MS - c->now_ms;
}

/* ---- rotators ---- */

struct value *target_request(struct arena *a, const struct target *t, const char *op,
                             const struct value *overlay)
{
	struct value *r = value_object(a), *config = value_object(a);

	for (const struct value *v = t->config->first; v != NULL; v = v->next)
		if (value_getn(overlay, v->key, v->key_len) == NULL)
			value_setn(config, arena_dup(a, v->key, v->key_len), v->key_len,
			           value_copy(a, v));
	for (const struct value *v = overlay != NULL ? overlay->first : NULL; v != NULL;
	     v = v->next)
		value_setn(config, arena_dup(a, v->key, v->key_len), v->key_len,
		           value_copy(a, v));
	value_set_int(a, r, "v", 1);
	value_set_str(a, r, "op", op);
	value_set(r, "config", config);
	return r;
}

static bool says(const struct target *t, const char *list, const char *name)
{
	return value_has_str(value_get(t->describe, list), name);
}

bool target_allows(const struct target *t, const char *strategy)
{
	return value_get(t->describe, "strategies") == NULL ||
	       says(t, "strategies", strategy);
}

bool target_can(const struct target *t, const char *op)
{
	return says(t, "ops", op);
}

static bool allowed(const struct value *patterns, const char *name)
{
	return patterns == NULL || host_role_allows(patterns, name);
}

int target_permits(struct arena *a, const struct target *t, const char *path,
                   const struct value *accounts, struct err *e)
{
	const struct value *names = value_get(t->extra, "allowed_accounts");
	const struct value *v = accounts != NULL ? accounts->first : NULL;

	if (memcmp(t->o.parent, target_sys_owner, TARGET_OWNER) != 0)
		return ERR_OK;
	if (!allowed(value_get(t->extra, "allowed_paths"), path))
		return err_set(e, ERR_DENIED,
		               "target \"%.100s\" does not allow this secret", t->name);
	/* Else the account would be told by the secret. */
	if (names != NULL && v == NULL)
		return err_set(e, ERR_DENIED,
		               "target \"%.100s\" allows certain accounts only: name one",
		               t->name);
	for (; v != NULL; v = v->next)
		if (!allowed(names, value_to_cstr(v, a)))
			return err_set(e, ERR_DENIED,
			               "target \"%.100s\" does not allow this account",
			               t->name);
	return ERR_OK;
}

static int found_one(void *ctx, struct store_object *o, struct err *e)
{
	(void)o;
	(void)e;
	*(bool *)ctx = true;
	return ERR_OK;
}

int target_in_use(struct core *c, struct arena *a, const unsigned char id[32], bool *used,
                  struct err *e)
{
	*used = false;
	return store_by_tag_page(c, a, KIND_ROTATION, id, 32, NULL, 0, 1, found_one, used,
	                         e);
}
