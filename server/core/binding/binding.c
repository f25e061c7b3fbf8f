/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

#include <string.h>

#include "arena.h"
#include "host.h"
#include "lease_impl.h"
#include "token_role.h"

#define SLICE_HOSTS 64

/* ---- records ---- */

static void binding_id(struct core *c, const char *name, unsigned char out[32])
{
	store_blind(c, out, "binding", name, strlen(name), NULL, 0);
}

static bool is_type(const struct value *v, enum value_type type)
{
	return v != NULL && v->type == type;
}

int binding_read(struct arena *a, const struct store_object *o, struct binding *out,
                 struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->name = value_cstr_or(a, b, "name", NULL);
	out->roles = value_get(b, "roles");
	out->images = value_get(b, "images");
	out->spec = value_get(b, "spec");
	out->rev = value_int_or(b, "rev", 0);
	out->created_ms = value_int_or(b, "created", 0);
	out->updated_ms = value_int_or(b, "updated", 0);
	if (out->name == NULL || !is_type(out->roles, V_ARRAY) ||
	    !is_type(out->images, V_ARRAY) || !is_type(out->spec, V_OBJECT))
		return err_set(e, ERR_INTEGRITY, "a binding's record is malformed");
	return ERR_OK;
}

int binding_find(struct core *c, struct arena *a, const char *name, struct binding *out,
                 struct err *e)
{
	struct store_object o;
	unsigned char id[32];
	int rc;

	binding_id(c, name, id);
	rc = store_find(c, a, KIND_BINDING, id, sizeof(id), &o, e);
	if (rc == ERR_OK)
		return binding_read(a, &o, out, e);
	if (rc == ERR_NOENT)
		*out = (struct binding){ .o = o, .name = name, .created_ms = c->now_ms };
	return rc;
}

bool binding_has_role(const struct binding *b, const char *role)
{
	return value_has_str(b->roles, role);
}

bool binding_has_image(const struct binding *b, const char *image)
{
	return b->images->len == 0 || token_glob_any(b->images, image);
}

/* ---- who has to hear of it ---- */

static void mark_id(struct core *c, const char *role, unsigned char out[32])
{
	store_blind(c, out, "binding-role", role, strlen(role), NULL, 0);
}

int binding_role_rev(struct core *c, struct arena *a, const char *role, int64_t *rev,
                     struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int rc;

	*rev = 0;
	mark_id(c, role, id);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &o, e);
	if (rc == ERR_OK)
		*rev = value_int_or(o.body, "rev", 0);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int mark(struct core *c, struct arena *a, const char *role, int64_t rev,
                struct err *e)
{
	struct store_object o;
	unsigned char id[32];
	int rc;

	mark_id(c, role, id);
	rc = store_find(c, a, KIND_SETTING, id, sizeof(id), &o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	o.body = value_object(a);
	value_set_int(a, o.body, "rev", rev);
	return store_put(c, &o, e);
}

static struct value *job_body(struct arena *a, const struct value *roles,
                              const unsigned char *after)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "job", "binding-fanout");
	value_set(b, "roles", value_copy(a, roles));
	if (after != NULL && (after = arena_dup(a, after, HOST_ID)) != NULL)
		value_set_bytes(a, b, "after", after, HOST_ID);
	return b;
}

int binding_wake_roles(struct core *c, struct arena *a, const struct value *roles,
                       struct err *e)
{
	return lease_job_start(c, job_body(a, roles, NULL), c->now_ms, e);
}

/* Those of ${roles} get ${rev} now, their parked watches are woken by a job. */
static int tell(struct core *c, struct arena *a, const struct value *roles, int64_t rev,
                struct err *e)
{
	int rc;

	for (const struct value *v = roles->first; v != NULL; v = v->next) {
		const char *role = value_to_cstr(v, a);

		if (role == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if ((rc = mark(c, a, role, rev, e)) != ERR_OK)
			return rc;
	}
	return binding_wake_roles(c, a, roles, e);
}

int binding_role_changed(struct core *c, struct arena *a, const char *role, struct err *e)
{
	struct value *roles = value_array(a);
	int64_t rev = 0;
	int rc = binding_role_rev(c, a, role, &rev, e);

	if (rc != ERR_OK || rev == 0)
		return rc;
	value_add(roles, value_str(a, role));
	if ((rc = lease_rev(c, a, true, &rev, e)) != ERR_OK)
		return rc;
	return tell(c, a, roles, rev, e);
}

static void add_roles(struct arena *a, struct value *all, const struct value *some)
{
	for (const struct value *v = some != NULL ? some->first : NULL; v != NULL;
	     v = v->next) {
		bool there = false;

		for (const struct value *w = all->first; w != NULL; w = w->next)
			there = there || value_equal(v, w);
		if (!there)
			value_add(all, value_copy(a, v));
	}
}

int binding_save(struct core *c, struct arena *a, struct binding *b,
                 const struct value *before, struct err *e)
{
	struct value *body = value_object(a), *roles = value_array(a);
	int rc = lease_rev(c, a, true, &b->rev, e);

	if (rc != ERR_OK)
		return rc;
	b->updated_ms = c->now_ms;
	value_set_str(a, body, "name", b->name);
	value_set(body, "roles", value_copy(a, b->roles));
	value_set(body, "images", value_copy(a, b->images));
	value_set(body, "spec", value_copy(a, b->spec));
	value_set_int(a, body, "rev", b->rev);
	value_set_int(a, body, "created", b->created_ms);
	value_set_int(a, body, "updated", b->updated_ms);
	add_roles(a, roles, b->roles);
	add_roles(a, roles, before);
	b->o.body = body;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = store_put(c, &b->o, e)) != ERR_OK)
		return rc;
	return tell(c, a, roles, b->rev, e);
}

int binding_drop(struct core *c, struct arena *a, const struct binding *b, struct err *e)
{
	int64_t rev = 0;
	int rc = store_delete(c, &b->o, e);

	if (rc != ERR_OK || (rc = lease_rev(c, a, true, &rev, e)) != ERR_OK)
		return rc;
	return tell(c, a, b->roles, rev, e);
}

/* ---- waking their watches ---- */

struct hosts {
	struct store_object at[SLICE_HOSTS];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct hosts *hs = ctx;

	(void)e;
	hs->at[hs->n++] = *o;
	return ERR_OK;
}

int binding_fanout_slice(struct core *c, struct arena *a, struct store_object *job,
                         bool *done, struct err *e)
{
	const struct binding of = { .roles = value_get(job->body, "roles") };
	const struct value *after = value_get(job->body, "after");
	struct hosts *hs = arena_alloc(a, sizeof(*hs));
	struct host h;
	int rc;

	if (hs == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!is_type(of.roles, V_ARRAY))
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	rc = store_each(c, a, KIND_HOST, after != NULL ? after->text : NULL,
	                after != NULL ? after->len : 0, SLICE_HOSTS, collect, hs, e);
	for (size_t i = 0; rc == ERR_OK && i < hs->n; i++) {
		rc = host_read(a, &hs->at[i], &h, e);
		if (rc == ERR_OK && h.state == HOST_ACTIVE &&
		    binding_has_role(&of, h.role))
			core_wake(c, WAIT_HOST, h.o.id);
	}
	if (rc != ERR_OK)
		return rc;
	*done = hs->n < SLICE_HOSTS;
	if (!*done)
		job->body = job_body(a, of.roles, hs->at[hs->n - 1].id);
	return ERR_OK;
}
