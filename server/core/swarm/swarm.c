/* SPDX-License-Identifier: Apache-2.0 */
#include "swarm.h"

#include <string.h>

#include "arena.h"
#include "binding.h"
#include "text.h"

/* ---- records ---- */

int swarm_read(struct arena *a, const struct store_object *o, struct swarm_binding *out,
               struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->name = value_cstr_or(a, b, "name", NULL);
	out->roles = value_get(b, "roles");
	out->spec = value_get(b, "spec");
	out->rev = value_int_or(b, "rev", 0);
	out->apply = value_int_or(b, "apply", 0);
	out->gc = value_int_or(b, "gc", 0);
	out->created_ms = value_int_or(b, "created", 0);
	out->updated_ms = value_int_or(b, "updated", 0);
	if (out->name == NULL || out->roles == NULL || out->roles->type != V_ARRAY ||
	    out->spec == NULL || out->spec->type != V_OBJECT)
		return err_set(e, ERR_INTEGRITY, "a Swarm binding's record is malformed");
	return ERR_OK;
}

int swarm_find(struct core *c, struct arena *a, const char *name,
               struct swarm_binding *out, struct err *e)
{
	struct store_object o;
	unsigned char id[32];
	int rc;

	store_blind(c, id, "swarm", name, strlen(name), NULL, 0);
	rc = store_find(c, a, KIND_SWARM, id, sizeof(id), &o, e);
	if (rc == ERR_OK)
		return swarm_read(a, &o, out, e);
	if (rc == ERR_NOENT)
		*out = (struct swarm_binding){ .o = o,
			                       .name = name,
			                       .created_ms = c->now_ms };
	return rc;
}

bool swarm_serves(const struct swarm_binding *b, const char *role, const char *cluster)
{
	const struct value *only = value_get(b->spec, "cluster");

	return value_has_str(b->roles, role) &&
	       (only == NULL || value_is_str(only, cluster));
}

bool swarm_by_driver(const struct swarm_binding *b)
{
	return value_is_str(value_get(b->spec, "mode"), "driver");
}

const char *swarm_member(struct arena *a, const struct swarm_binding *b, const char *key)
{
	return value_cstr_or(a, b->spec, key, "");
}

int swarm_fp(struct core *c, struct arena *a, const struct lease *l,
             const struct value *data, struct value *out, struct err *e)
{
	struct value *of = value_object(a);
	unsigned char tag[32], *packed;
	char text[SWARM_FP + 1];
	size_t n;

	value_set_str(a, of, "holder", l->holder);
	value_set_int(a, of, "version", l->version);
	value_set(of, "data", value_copy(a, data));
	packed = value_pack(a, of, &n);
	if (packed == NULL || arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	store_blind(c, tag, "swarm-fp", packed, n, NULL, 0);
	text_hex(tag, SWARM_FP / 2, text);
	value_set_str(a, out, "fp", arena_str(a, text));
	return ERR_OK;
}

/* ---- who has to hear of it ---- */

/* One that is not there yet has no version. */
static int mark_read(struct core *c, struct arena *a, const unsigned char id[32],
                     struct store_object *o, struct err *e)
{
	int rc = store_find(c, a, KIND_SETTING, id, 32, o, e);

	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int mark(struct core *c, struct arena *a, const unsigned char id[32], int64_t rev,
                struct err *e)
{
	struct store_object o;
	int rc = mark_read(c, a, id, &o, e);

	if (rc != ERR_OK)
		return rc;
	o.body = value_object(a);
	value_set_int(a, o.body, "rev", rev);
	return store_put(c, &o, e);
}

static void role_mark(struct core *c, const char *role, unsigned char out[32])
{
	store_blind(c, out, "swarm-role", role, strlen(role), NULL, 0);
}

static void host_mark(struct core *c, const unsigned char host[HOST_ID],
                      unsigned char out[32])
{
	store_blind(c, out, "swarm-host", host, HOST_ID, NULL, 0);
}

int swarm_rev(struct core *c, struct arena *a, const struct host *h, int64_t *rev,
              struct err *e)
{
	unsigned char ids[2][32];
	struct store_object o;
	int rc = ERR_OK;

	*rev = 0;
	role_mark(c, h->role, ids[0]);
	host_mark(c, h->o.id, ids[1]);
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(ids); i++) {
		o = (struct store_object){ .version = 0 };
		rc = mark_read(c, a, ids[i], &o, e);
		if (rc == ERR_OK && value_int_or(o.body, "rev", 0) > *rev)
			*rev = value_int_or(o.body, "rev", 0);
	}
	return rc;
}

static int tell(struct core *c, struct arena *a, const struct value *roles, int64_t rev,
                struct err *e)
{
	unsigned char id[32];
	int rc;

	for (const struct value *v = roles->first; v != NULL; v = v->next) {
		const char *role = value_to_cstr(v, a);

		if (role == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		role_mark(c, role, id);
		if ((rc = mark(c, a, id, rev, e)) != ERR_OK)
			return rc;
	}
	return binding_wake_roles(c, a, roles, e);
}

static int tell_leader(struct core *c, struct arena *a, const char *cluster, int64_t rev,
                       struct err *e)
{
	struct swarm_cluster k;
	unsigned char id[32];
	int rc = swarm_cluster_load(c, a, cluster, &k, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && !k.held))
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	host_mark(c, k.host, id);
	core_wake(c, WAIT_HOST, k.host);
	return mark(c, a, id, rev, e);
}

int swarm_lease_changed(struct core *c, struct arena *a, const struct lease *l,
                        struct err *e)
{
	struct swarm_binding b;
	struct store_object o;
	struct swarm_sync s;
	int64_t rev = 0;
	int rc = lease_rev(c, a, false, &rev, e);

	if (rc != ERR_OK || (rc = tell_leader(c, a, l->cluster, rev, e)) != ERR_OK)
		return rc;
	rc = store_get(c, a, KIND_SWARM_SYNC, l->o.parent, HOST_ID, &o, e);
	if (rc == ERR_OK && (rc = swarm_sync_read(a, &o, &s, e)) == ERR_OK)
		rc = swarm_find(c, a, s.binding, &b, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || !swarm_by_driver(&b))
		return rc;
	return tell(c, a, b.roles, rev, e);
}

int swarm_role_changed(struct core *c, struct arena *a, const char *role, struct err *e)
{
	struct value *roles = value_array(a);
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int64_t rev = 0;
	int rc;

	role_mark(c, role, id);
	rc = mark_read(c, a, id, &o, e);
	if (rc != ERR_OK || o.version == 0)
		return rc;
	value_add(roles, value_str(a, role));
	if ((rc = lease_rev(c, a, true, &rev, e)) != ERR_OK)
		return rc;
	return tell(c, a, roles, rev, e);
}

/* ---- changes ---- */

static void add_roles(struct arena *a, struct value *all, const struct value *some)
{
	for (const struct value *v = some != NULL ? some->first : NULL; v != NULL;
	     v = v->next)
		value_add(all, value_copy(a, v));
}

static int put(struct core *c, struct arena *a, struct swarm_binding *b, struct err *e)
{
	struct value *body = value_object(a);

	value_set_str(a, body, "name", b->name);
	value_set(body, "roles", value_copy(a, b->roles));
	value_set(body, "spec", value_copy(a, b->spec));
	value_set_int(a, body, "rev", b->rev);
	value_set_int(a, body, "apply", b->apply);
	value_set_int(a, body, "gc", b->gc);
	value_set_int(a, body, "created", b->created_ms);
	value_set_int(a, body, "updated", b->updated_ms);
	b->o.body = body;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &b->o, e);
}

int swarm_save(struct core *c, struct arena *a, struct swarm_binding *b,
               const struct value *before, struct err *e)
{
	struct value *roles = value_array(a);
	int rc = lease_rev(c, a, true, &b->rev, e);

	if (rc != ERR_OK)
		return rc;
	b->updated_ms = c->now_ms;
	add_roles(a, roles, b->roles);
	add_roles(a, roles, before);
	rc = put(c, a, b, e);
	return rc == ERR_OK ? tell(c, a, roles, b->rev, e) : rc;
}

int swarm_order(struct core *c, struct arena *a, struct swarm_binding *b, bool gc,
                struct err *e)
{
	int64_t rev = 0;
	int rc = lease_rev(c, a, true, &rev, e);

	if (rc != ERR_OK)
		return rc;
	*(gc ? &b->gc : &b->apply) = rev;
	rc = put(c, a, b, e);
	return rc == ERR_OK ? tell(c, a, b->roles, rev, e) : rc;
}

struct syncs {
	struct store_object at[SWARM_CLUSTERS];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct syncs *s = ctx;

	if (s->n == SWARM_CLUSTERS)
		return err_set(e, ERR_INTEGRITY,
		               "a Swarm binding is in too many clusters");
	s->at[s->n++] = *o;
	return ERR_OK;
}

int swarm_drop(struct core *c, struct arena *a, const struct swarm_binding *b,
               struct err *e)
{
	struct syncs *all = arena_alloc(a, sizeof(*all));
	struct swarm_sync s;
	int64_t rev = 0;
	int rc;

	if (all == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	all->n = 0;
	rc = store_by_tag(c, a, KIND_SWARM_SYNC, b->o.id, 32, collect, all, e);
	for (size_t i = 0; rc == ERR_OK && i < all->n; i++)
		if ((rc = swarm_sync_read(a, &all->at[i], &s, e)) == ERR_OK)
			rc = swarm_sync_drop(c, a, &s, e);
	if (rc != ERR_OK || (rc = store_delete(c, &b->o, e)) != ERR_OK ||
	    (rc = lease_rev(c, a, true, &rev, e)) != ERR_OK)
		return rc;
	return tell(c, a, b->roles, rev, e);
}
