/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_swarm - which secrets go into which services of a Swarm, and how far that is, for
 * operators.
 *
 * A write replaces the whole definition: what it does not name has its default.
 */
#include "api_swarm.h"

#include <string.h>

#include "api_agent.h"
#include "arena.h"
#include "binding.h"
#include "listing.h"
#include "path.h"
#include "rng.h"
#include "swarm.h"

#define SLICE   16
#define SCRATCH ((size_t)16 * 1024 * 1024)

static int name_param(struct req *r, const char **out)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "binding name",
	                   &r->e);

	*out = NULL;
	if (rc != ERR_OK)
		return rc;
	*out = arena_str(r->a, name);
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

static int find(struct req *r, struct swarm_binding *b)
{
	const char *name;
	int rc = name_param(r, &name);

	memset(b, 0, sizeof(*b));
	return rc == ERR_OK ? swarm_find(r->core, r->a, name, b, &r->e) : rc;
}

static void set_time(struct arena *a, struct value *v, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	value_set_str(a, v, key, arena_str(a, text));
}

/* ---- definitions ---- */

static int h_write(struct req *r)
{
	struct binding_take t = { .a = r->a };
	const struct value *before;
	struct swarm_binding b;
	int rc = find(r, &b);

	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (rc == ERR_NOENT && store_count(r->core, KIND_SWARM) >= SWARM_BINDINGS)
		return req_fail(r, ERR_INVALID, "there are %u bindings already",
		                SWARM_BINDINGS);
	before = b.roles;
	if ((rc = binding_take_roles(r, &b.roles)) != ERR_OK ||
	    (rc = swarm_take_spec(&t, b.name, r->body, &r->e)) != ERR_OK)
		return rc;
	b.spec = t.spec;
	if ((rc = swarm_save(r->core, r->a, &b, before, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "binding", b.name);
	req_note_str(r, "secret", swarm_member(r->a, &b, "path"));
	req_note_int(r, "version", b.rev);
	value_set(r->note, "roles", value_copy(r->a, b.roles));
	return ERR_OK;
}

static int h_read(struct req *r)
{
	struct swarm_binding b;
	struct value *d;
	int rc = find(r, &b);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	d = reply_data(r);
	value_set_str(r->a, d, "name", b.name);
	value_set_int(r->a, d, "version", b.rev);
	value_set(d, "roles", value_copy(r->a, b.roles));
	for (const struct value *v = b.spec->first; v != NULL; v = v->next)
		value_setn(d, v->key, v->key_len, value_copy(r->a, v));
	set_time(r->a, d, "created_time", b.created_ms);
	set_time(r->a, d, "updated_time", b.updated_ms);
	return ERR_OK;
}

static int h_delete(struct req *r)
{
	struct swarm_binding b;
	int rc = find(r, &b);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	req_note_str(r, "binding", b.name);
	return swarm_drop(r->core, r->a, &b, &r->e);
}

static int h_list(struct req *r)
{
	static const struct listing_of of = { .kind = KIND_SWARM, .member = "name" };

	return listing_reply(r, &of);
}

static int is_there(struct req *r, bool *exists)
{
	struct swarm_binding b;
	int rc = find(r, &b);

	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int order(struct req *r, bool gc)
{
	struct swarm_binding b;
	int rc = find(r, &b);

	if (rc == ERR_NOENT)
		return req_fail(r, ERR_NOENT, "no such binding");
	if (rc != ERR_OK)
		return rc;
	req_note_str(r, "binding", b.name);
	return swarm_order(r->core, r->a, &b, gc, &r->e);
}

static int h_apply(struct req *r)
{
	return order(r, false);
}

static int h_gc(struct req *r)
{
	return order(r, true);
}

/* ---- how far it is ---- */

struct page {
	struct store_object at[SWARM_CLUSTERS];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct page *p = ctx;

	if (p->n == ARRAY_LEN(p->at))
		return err_set(e, ERR_INTEGRITY, "there are too many clusters");
	p->at[p->n++] = *o;
	return ERR_OK;
}

/* Where a cluster is with a binding, without its services. */
static int summary(struct req *r, struct arena *a, const struct swarm_sync *s,
                   struct value *v)
{
	struct leases held;
	int rc = leases_of_host(r->core, a, s->o.id, &held, &r->e);

	if (rc != ERR_OK)
		return rc;
	value_set_str(a, v, "binding", s->binding);
	value_set_int(a, v, "services_known", s->rows->len);
	for (size_t i = 0; i < held.n; i++) {
		const struct lease *l = &held.at[i];

		value_set_str(a, v, "path", l->path);
		value_set_int(a, v, "current", l->target);
		value_set_int(a, v, "applied", l->applied);
		value_set_str(a, v, "state", lease_state_name(l->state));
		value_set_str(a, v, "detail", l->detail);
	}
	return ERR_OK;
}

static int h_status(struct req *r)
{
	struct page *p = arena_alloc(r->a, sizeof(*p));
	struct value *list = value_array(r->a);
	struct swarm_binding b;
	struct swarm_sync s;
	int rc = find(r, &b);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (p == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	p->n = 0;
	rc = store_by_tag(r->core, r->a, KIND_SWARM_SYNC, b.o.id, 32, collect, p, &r->e);
	for (size_t i = 0; rc == ERR_OK && i < p->n; i++) {
		struct value *v = value_object(r->a);

		if ((rc = swarm_sync_read(r->a, &p->at[i], &s, &r->e)) != ERR_OK ||
		    (rc = summary(r, r->a, &s, v)) != ERR_OK)
			break;
		value_set_str(r->a, v, "cluster", s.cluster);
		value_set(v, "services", swarm_rows_value(r->a, &s));
		value_add(list, v);
	}
	if (rc != ERR_OK)
		return rc;
	value_set_str(r->a, reply_data(r), "name", b.name);
	value_set(reply_data(r), "clusters", list);
	return ERR_OK;
}

/* ---- clusters ---- */

static int h_clusters(struct req *r)
{
	static const struct listing_of of = { .kind = KIND_SWARM_CLUSTER,
		                              .member = "cluster" };

	return listing_reply(r, &of);
}

struct walk {
	unsigned char after[HOST_ID];
	bool started;
	struct value *list;
	int64_t removed;
};

static struct walk *walk_of(struct req *r)
{
	struct walk *w = r->park_state;

	if (w == NULL && (w = arena_alloc(r->a, sizeof(*w))) != NULL) {
		*w = (struct walk){ .list = value_array(r->a) };
		r->park_state = w;
	}
	if (w == NULL)
		req_fail(r, ERR_NOMEM, "out of memory");
	return w;
}

/* The next few bindings of the cluster. */
static int next_page(struct req *r, struct arena *a, const struct swarm_cluster *k,
                     struct walk *w, struct page *p)
{
	int rc = store_by_parent_page(r->core, a, KIND_SWARM_SYNC, k->o.id, 32,
	                              w->started ? w->after : NULL, HOST_ID, SLICE,
	                              collect, p, &r->e);

	w->started = true;
	if (rc == ERR_OK && p->n > 0)
		memcpy(w->after, p->at[p->n - 1].id, HOST_ID);
	return rc;
}

static int park_again(struct req *r)
{
	unsigned char key[16];

	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

static void show_cluster(struct req *r, const struct swarm_cluster *k, struct value *d)
{
	bool led = swarm_led(r->core, k);

	value_set_str(r->a, d, "cluster", k->cluster);
	value_set_int(r->a, d, "epoch", k->epoch);
	value_set_str(r->a, d, "leader", led ? k->host_name : "");
	value_set_str(r->a, d, "node", led ? k->node : "");
	value_set_bool(r->a, d, "raft_leader", led && k->raft);
	set_time(r->a, d, "since", k->since_ms);
}

static int h_cluster(struct req *r)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct page p = { .n = 0 };
	struct walk *w = walk_of(r);
	struct swarm_cluster k;
	struct swarm_sync s;
	int rc = w == NULL || a == NULL
	                 ? ERR_NOMEM
	                 : swarm_cluster_load(r->core, r->a, r->param[0].text, &k, &r->e);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : req_fail(r, rc, "%s", r->e.msg);
	if ((rc = next_page(r, a, &k, w, &p)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < p.n; i++) {
		struct value *v = value_object(a);

		if ((rc = swarm_sync_read(a, &p.at[i], &s, &r->e)) != ERR_OK ||
		    (rc = summary(r, a, &s, v)) != ERR_OK)
			return rc;
		value_add(w->list, value_copy(r->a, v));
	}
	if (p.n == SLICE)
		return park_again(r);
	show_cluster(r, &k, reply_data(r));
	value_set(reply_data(r), "bindings", w->list);
	return ERR_OK;
}

/* It is gone for good: nobody waits for it any more.  An agent of it that is still there
 * begins anew. */
static int h_cluster_delete(struct req *r)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct page p = { .n = 0 };
	struct walk *w = walk_of(r);
	struct swarm_cluster k;
	struct swarm_sync s;
	int rc;

	if (w == NULL || a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = swarm_cluster_load(r->core, r->a, r->param[0].text, &k, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = next_page(r, a, &k, w, &p)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < p.n; i++, w->removed++)
		if ((rc = swarm_sync_read(a, &p.at[i], &s, &r->e)) != ERR_OK ||
		    (rc = swarm_sync_drop(r->core, a, &s, &r->e)) != ERR_OK)
			return rc;
	if (p.n == SLICE)
		return park_again(r);
	req_note_str(r, "cluster", k.cluster);
	req_note_int(r, "bindings", w->removed);
	return store_delete(r->core, &k.o, &r->e);
}

/* ---- routes ---- */

/* clang-format off */
static const struct field fields[] = {
	{ "path",         "string",   "the secret, such as secret/app/db" },
	{ "roles",        "strings",  "host roles whose hosts may sync it" },
	{ "cluster",      "string",   "id of the one Swarm that it is for; none: any" },
	{ "format",       "string",   "raw, env, json or template" },
	{ "field",        "string",   "for format: raw" },
	{ "fields",       "strings",  "for format: env and json; none: all" },
	{ "quote",        "string",   "for format: env: shell or none" },
	{ "template_text", "string",  "for format: template: the text; it names the binding's own secret" },
	{ "targets",      "any",      "array of {target, uid, gid, mode}: where it is in the container" },
	{ "services",     "strings",  "names or ids, beside those with the label vault.sync" },
	{ "window",       "string",   "HH:MM-HH:MM (UTC) in which services may be updated" },
	{ "max_services", "int",      "how many at once, after the first" },
	{ "keep",         "int",      "versions that are kept in the Swarm, the good one included" },
	{ "deadline",     "duration", "of an update; 0: by the service's own settings" },
	{ "soak",         "duration", "how long tasks are watched after an update" },
	{ "gate",         "duration", "after waiting so long for a quiet service, it is deferred" },
	{ "jobs",         "string",   "never or next-run" },
	{ "mode",         "string",   "restart or driver" },
	{ "enforce",      "bool",     "put references back that somebody removed" },
	{ NULL,           NULL,       NULL },
};
static const struct route rows[] = {
	{ "system", M_LIST,   "swarm/bindings",              0,       NULL,                     h_list,            NULL,     "list Swarm bindings" },
	{ "system", M_GET,    "swarm/bindings/:name",        0,       NULL,                     h_read,            NULL,     "one Swarm binding as it was defined" },
	{ "system", M_POST,   "swarm/bindings/:name",        0,       fields,                   h_write,           is_there, "define which services of a Swarm get a secret" },
	{ "system", M_DELETE, "swarm/bindings/:name",        0,       NULL,                     h_delete,          NULL,     "delete a Swarm binding; services keep what they have" },
	{ "system", M_POST,   "swarm/bindings/:name/apply",  0,       NULL,                     h_apply,           NULL,     "try again what has failed" },
	{ "system", M_POST,   "swarm/bindings/:name/gc",     0,       NULL,                     h_gc,              NULL,     "remove old versions from the Swarm now" },
	{ "system", M_GET,    "swarm/bindings/:name/status", 0,       NULL,                     h_status,          NULL,     "which service has which version" },
	{ "system", M_LIST,   "swarm/clusters",              0,       NULL,                     h_clusters,        NULL,     "list Swarms" },
	{ "system", M_GET,    "swarm/clusters/:id",          0,       NULL,                     h_cluster,         NULL,     "who leads a Swarm, and how far its bindings are" },
	{ "system", M_DELETE, "swarm/clusters/:id",          0,       NULL,                     h_cluster_delete,  NULL,     "forget a Swarm" },
	{ "system", M_POST,   "agent/swarm/lead",            R_AGENT, agent_heard_fields,       agent_swarm_lead,  NULL,     "ask to lead a Swarm" },
	{ "system", M_POST,   "agent/swarm/plan",            R_AGENT, agent_heard_fields,       agent_swarm_plan,  NULL,     "what is to be done in a Swarm" },
	{ "system", M_POST,   "agent/swarm/state",           R_AGENT, agent_heard_fields,       agent_swarm_state, NULL,     "how far it is" },
	{ "system", M_POST,   "agent/swarm/tasks",           R_AGENT, agent_heard_fields,       agent_swarm_tasks, NULL,     "which tasks a secret driver has given a value" },
};
/* clang-format on */

const struct route_table routes_swarm = { rows, ARRAY_LEN(rows) };
