/* SPDX-License-Identifier: Apache-2.0 */
#include "approle.h"

#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "path.h"
#include "rng.h"
#include "vault/limits.h"

#define JOB   "approle-purge"
#define SLICE 64

static const struct value *array_or_empty(struct arena *a, const struct value *body,
                                          const char *key)
{
	const struct value *v = value_get(body, key);

	return v != NULL && v->type == V_ARRAY ? v : value_array(a);
}

int approle_family(const struct store_object *o, unsigned char out[APPROLE_FAMILY],
                   struct err *e)
{
	const struct value *v = value_get(o->body, "family");

	if (v == NULL || v->type != V_BYTES || v->len != APPROLE_FAMILY)
		return err_set(e, ERR_INTEGRITY, "a role is malformed");
	memcpy(out, v->text, APPROLE_FAMILY);
	return ERR_OK;
}

static int read_role(struct arena *a, struct approle *p, struct err *e)
{
	const struct value *b = p->o.body;

	p->name = value_cstr_or(a, b, "name", "");
	p->role_id = value_cstr_or(a, b, "role_id", "");
	p->bind_secret_id = value_bool_or(b, "bind_secret_id", true);
	p->local = value_bool_or(b, "local", false);
	p->cidrs = array_or_empty(a, b, "cidrs");
	p->num_uses = value_int_or(b, "num_uses", 0);
	p->ttl_ms = value_int_or(b, "ttl", 0);
	p->old_policies = value_bool_or(b, "old_policies", false);
	p->old_period = value_bool_or(b, "old_period", false);
	token_params_load(a, b, &p->params);
	return approle_family(&p->o, p->family, e);
}

static int new_role(struct core *c, struct arena *a, const struct mount *m,
                    const char *name, struct approle *p, struct err *e)
{
	char role_id[37];

	(void)c;
	rng_uuid4(role_id);
	rng_bytes(p->family, sizeof(p->family));
	p->o.kind = KIND_APPROLE;
	p->o.id_len = p->o.tag_len = 32;
	memcpy(p->o.parent, m->id, MOUNT_ID);
	p->o.parent_len = MOUNT_ID;
	p->name = arena_str(a, name);
	p->role_id = arena_str(a, role_id);
	p->bind_secret_id = true;
	p->cidrs = value_array(a);
	token_params_init(a, &p->params);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory")
	                       : err_set(e, ERR_NOENT, "no such role");
}

int approle_load(struct core *c, struct arena *a, const struct mount *m, const char *name,
                 struct approle *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	memset(out, 0, sizeof(*out));
	store_blind(c, id, "approle", m->id, MOUNT_ID, name, strlen(name));
	rc = store_get(c, a, KIND_APPROLE, id, sizeof(id), &out->o, e);
	if (rc == ERR_NOENT) {
		memcpy(out->o.id, id, sizeof(id));
		return new_role(c, a, m, name, out, e);
	}
	return rc == ERR_OK ? read_role(a, out, e) : rc;
}

struct first {
	struct store_object o;
	bool found;
};

static int take_first(void *ctx, struct store_object *o, struct err *e)
{
	struct first *f = ctx;

	(void)e;
	f->o = *o;
	f->found = true;
	return ERR_OK;
}

static void role_id_tag(struct core *c, const struct mount *m, const char *role_id,
                        unsigned char tag[32])
{
	store_blind(c, tag, "approle-role-id", m->id, MOUNT_ID, role_id, strlen(role_id));
}

static int find_role_id(struct core *c, struct arena *a, const unsigned char tag[32],
                        struct first *f, struct err *e)
{
	f->found = false;
	return store_by_tag_page(c, a, KIND_APPROLE, tag, 32, NULL, 0, 1, take_first, f,
	                         e);
}

int approle_by_role_id(struct core *c, struct arena *a, const struct mount *m,
                       const char *role_id, struct approle *out, struct err *e)
{
	unsigned char tag[32];
	struct first f;
	int rc;

	role_id_tag(c, m, role_id, tag);
	if ((rc = find_role_id(c, a, tag, &f, e)) != ERR_OK)
		return rc;
	if (!f.found)
		return err_set(e, ERR_NOENT, "no such role");
	memset(out, 0, sizeof(*out));
	out->o = f.o;
	return read_role(a, out, e);
}

int approle_save(struct core *c, struct arena *a, const struct mount *m,
                 struct approle *p, struct err *e)
{
	struct value *b = value_object(a);
	struct first f;
	int rc;

	role_id_tag(c, m, p->role_id, p->o.tag);
	if ((rc = find_role_id(c, a, p->o.tag, &f, e)) != ERR_OK)
		return rc;
	if (f.found && memcmp(f.o.id, p->o.id, sizeof(p->o.id)) != 0)
		return err_set(e, ERR_INVALID, "role_id is in use by another role");
	value_set_str(a, b, "name", p->name);
	value_set_str(a, b, "role_id", p->role_id);
	value_set_bytes(a, b, "family", p->family, sizeof(p->family));
	value_set_bool(a, b, "bind_secret_id", p->bind_secret_id);
	value_set_bool(a, b, "local", p->local);
	value_set(b, "cidrs", value_copy(a, p->cidrs));
	value_set_int(a, b, "num_uses", p->num_uses);
	value_set_int(a, b, "ttl", p->ttl_ms);
	value_set_bool(a, b, "old_policies", p->old_policies);
	value_set_bool(a, b, "old_period", p->old_period);
	token_params_save(a, &p->params, b);
	p->o.body = b;
	return store_put(c, &p->o, e);
}

int approle_purge_slice(struct core *c, struct arena *a, struct store_object *job,
                        bool *done, struct err *e)
{
	unsigned char family[APPROLE_FAMILY];
	int rc = approle_family(job, family, e);

	(void)a;
	return rc == ERR_OK ? approle_secrets_drop(c, family, SLICE, done, e) : rc;
}

int approle_delete(struct core *c, struct arena *a, const struct approle *p,
                   struct err *e)
{
	struct value *body;
	unsigned char job[16];
	bool done = false;
	int rc;

	if ((rc = store_delete(c, &p->o, e)) != ERR_OK ||
	    (rc = approle_secrets_drop(c, p->family, SLICE, &done, e)) != ERR_OK || done)
		return rc;
	body = value_object(a);
	value_set_bytes(a, body, "family", p->family, sizeof(p->family));
	return job_start(c, a, JOB, body, job, e);
}

int approle_named(struct req *r, struct approle *out)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "role name", &r->e);

	if (rc != ERR_OK)
		return rc;
	req_note_str(r, "role", name);
	rc = approle_load(r->core, r->a, r->mount, name, out, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_NOENT, "role \"%s\" does not exist", name);
	return rc;
}

int approle_renew(struct req *r, const struct login_memory *m, struct token_params *p)
{
	const struct value *family = value_get(m->data, "family");
	struct approle role;
	int rc = approle_load(r->core, r->a, m->mount, m->role, &role, &r->e);

	/* One of the same name that was made since is another role. */
	if (rc == ERR_NOENT ||
	    (rc == ERR_OK &&
	     (family == NULL || family->len != sizeof(role.family) ||
	      memcmp(family->text, role.family, sizeof(role.family)) != 0)))
		return req_fail(r, ERR_INVALID,
		                "role \"%s\" does not exist during renewal", m->role);
	if (rc == ERR_OK)
		*p = role.params;
	return rc;
}
