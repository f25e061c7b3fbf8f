/* SPDX-License-Identifier: Apache-2.0 */
/* mount_row - the stored form of a mount; fields that older releases did not write have
 * the value that they acted by. */
#include <string.h>

#include "arena.h"
#include "mount_impl.h"

static struct mount_packed pack(struct arena *a, const struct value *v)
{
	struct mount_packed out = { NULL, 0 };

	if (v != NULL && v->type == V_OBJECT && v->len > 0)
		out.p = value_pack(a, v, &out.n);
	return out;
}

static void read_lockout(const struct value *v, struct mount_lockout *l)
{
	l->set = v != NULL;
	l->disabled = value_bool_or(v, "disabled", false);
	l->attempts = value_int_or(v, "attempts", MOUNT_LOCKOUT_ATTEMPTS);
	l->duration_ms = value_int_or(v, "duration", MOUNT_LOCKOUT_MS);
	l->reset_ms = value_int_or(v, "reset", MOUNT_LOCKOUT_MS);
}

static void read_config(struct arena *a, const struct value *b, bool auth,
                        struct mount_config *k)
{
	k->default_ttl_ms = value_int_or(b, "default_ttl", 0);
	k->max_ttl_ms = value_int_or(b, "max_ttl", 0);
	k->force_no_cache = value_bool_or(b, "no_cache", false);
	k->listing = value_cstr_or(a, b, "listing", "");
	k->token_type = value_cstr_or(a, b, "token_type", auth ? "default-service" : "");
	read_lockout(value_get(b, "lockout"), &k->lockout);
	k->lists = pack(a, value_get(b, "lists"));
}

/* Before options were stored every KV mount was one of version 2. */
static struct mount_packed read_options(struct arena *a, const struct value *b,
                                        int version)
{
	const struct value *given = value_get(b, "options");
	struct value *o;

	if (given != NULL || version == 0)
		return pack(a, given);
	o = value_object(a);
	value_set_str(a, o, "version", version == 2 ? "2" : "1");
	return pack(a, o);
}

int mount_read(struct arena *a, const struct store_object *o, struct mount *m,
               struct err *e)
{
	const struct value *b = o->body;

	*m = (struct mount){
		.path = value_cstr_or(a, b, "path", ""),
		.type = value_cstr_or(a, b, "type", ""),
		.kv_version = (int)value_int_or(b, "version", 0),
		.upgrading = value_bool_or(b, "upgrading", false),
		.local = value_bool_or(b, "local", false),
		.seal_wrap = value_bool_or(b, "seal_wrap", false),
		.external_entropy = value_bool_or(b, "entropy", false),
		.accessor = value_cstr_or(a, b, "accessor", ""),
		.uuid = value_cstr_or(a, b, "uuid", ""),
		.description = value_cstr_or(a, b, "description", ""),
	};
	if (o->id_len != MOUNT_ID || m->path[0] == '\0')
		return err_set(e, ERR_INTEGRITY, "a mount's record is malformed");
	memcpy(m->id, o->id, MOUNT_ID);
	m->engine = mount_engine(m->type, m->kv_version, m->upgrading);
	m->options = read_options(a, b, m->kv_version);
	read_config(a, b, mount_is_auth(m), &m->config);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static void set_flag(struct arena *a, struct value *b, const char *key, bool v)
{
	if (v)
		value_set_bool(a, b, key, v);
}

static void set_number(struct arena *a, struct value *b, const char *key, int64_t n)
{
	if (n != 0)
		value_set_int(a, b, key, n);
}

static void set_packed(struct arena *a, struct value *b, const char *key,
                       const struct mount_packed *k)
{
	if (k->n > 0)
		value_set(b, key, value_encoded(a, k->p, k->n));
}

static struct value *lockout_value(struct arena *a, const struct mount_lockout *l)
{
	struct value *v = value_object(a);

	value_set_bool(a, v, "disabled", l->disabled);
	value_set_int(a, v, "attempts", l->attempts);
	value_set_int(a, v, "duration", l->duration_ms);
	value_set_int(a, v, "reset", l->reset_ms);
	return v;
}

static struct value *body_of(struct arena *a, const struct mount *m)
{
	const struct mount_config *k = &m->config;
	struct value *b = value_object(a);

	value_set_str(a, b, "path", m->path);
	value_set_str(a, b, "type", m->type);
	value_set_int(a, b, "version", m->kv_version);
	value_set_str(a, b, "accessor", m->accessor);
	value_set_str(a, b, "uuid", m->uuid);
	value_set_str(a, b, "description", m->description);
	set_flag(a, b, "upgrading", m->upgrading);
	set_flag(a, b, "local", m->local);
	set_flag(a, b, "seal_wrap", m->seal_wrap);
	set_flag(a, b, "entropy", m->external_entropy);
	set_number(a, b, "default_ttl", k->default_ttl_ms);
	set_number(a, b, "max_ttl", k->max_ttl_ms);
	set_flag(a, b, "no_cache", k->force_no_cache);
	if (k->listing[0] != '\0')
		value_set_str(a, b, "listing", k->listing);
	if (k->token_type[0] != '\0')
		value_set_str(a, b, "token_type", k->token_type);
	if (k->lockout.set)
		value_set(b, "lockout", lockout_value(a, &k->lockout));
	set_packed(a, b, "lists", &k->lists);
	/* An empty one says that there are none; see read_options(). */
	if (m->options.n > 0)
		set_packed(a, b, "options", &m->options);
	else
		value_set(b, "options", value_object(a));
	return b;
}

static int open_row(struct core *c, struct arena *a, const struct mount *m,
                    struct store_object *o, struct err *e)
{
	int rc;

	memset(o, 0, sizeof(*o));
	rc = store_get(c, a, KIND_MOUNT, m->id, MOUNT_ID, o, e);
	if (rc == ERR_NOENT) {
		memset(o, 0, sizeof(*o));
		o->kind = KIND_MOUNT;
		o->id_len = MOUNT_ID;
		memcpy(o->id, m->id, MOUNT_ID);
		return ERR_OK;
	}
	return rc;
}

int mount_store(struct core *c, struct arena *a, const struct mount *m, struct err *e)
{
	struct store_object o;
	int rc = open_row(c, a, m, &o, e);

	if (rc != ERR_OK)
		return rc;
	o.body = body_of(a, m);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &o, e);
}

int mount_unstore(struct core *c, struct arena *a, const struct mount *m, struct err *e)
{
	struct store_object o;
	int rc = open_row(c, a, m, &o, e);

	return rc == ERR_OK && o.version != 0 ? store_delete(c, &o, e) : rc;
}
