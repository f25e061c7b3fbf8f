/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_agent_swarm - the agents on the managers of a Swarm: who leads, what is to be done,
 * and how far it is.
 */
#include <string.h>

#include "api_swarm.h"
#include "arena.h"
#include "audit.h"
#include "duration.h"
#include "rng.h"
#include "swarm.h"
#include "text.h"
#include "vault/limits.h"

#define SLICE    16 /* bindings of a plan in one run */
#define PLAN_MAX ((size_t)4 * 1024 * 1024)
#define SCRATCH  ((size_t)16 * 1024 * 1024)

/* What all three requests have in common. */
struct asking {
	struct host h;
	struct host_asked asked;
	struct swarm_cluster k;
	int64_t epoch;
	bool driver; /* for the secret driver, on any of the managers */
};

static int find_cluster(struct req *r, const struct value *said, struct swarm_cluster *k)
{
	const char *cluster = value_cstr_or(r->a, said, "cluster", "");
	int rc;

	if (!swarm_cluster_ok(cluster))
		return req_fail(r, ERR_INVALID, "cluster: the id of a Swarm is needed");
	rc = swarm_cluster_load(r->core, r->a, cluster, k, &r->e);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static bool leads(const struct req *r, const struct asking *q)
{
	return swarm_leads(r->core, &q->k, &q->h) && q->k.epoch == q->epoch;
}

static struct value *answer(struct req *r, const struct asking *q, bool leader)
{
	struct value *data = value_object(r->a);

	value_set_str(r->a, data, "cluster", q->k.cluster);
	value_set_bool(r->a, data, "leader", leader);
	value_set_int(r->a, data, "epoch", q->k.epoch);
	req_note_str(r, "cluster", q->k.cluster);
	req_note_int(r, "epoch", q->k.epoch);
	value_set_bool(r->a, r->note, "leader", leader);
	return data;
}

/* ---- who leads ---- */

static int take_node(struct req *r, const struct value *said, struct swarm_ask *ask)
{
	ask->node = value_cstr_or(r->a, said, "node", "");
	ask->raft = value_bool_or(said, "raft_leader", false);
	ask->resign = value_bool_or(said, "resign", false);
	ask->boot_ms = value_int_or(said, "boot_ms", -1);
	if (ask->node[0] != '\0' && !swarm_cluster_ok(ask->node))
		return req_fail(r, ERR_INVALID, "node: the id of a node is needed");
	return ERR_OK;
}

int agent_swarm_lead(struct req *r)
{
	struct asking q = { .epoch = 0 };
	struct swarm_ask ask = { .h = &q.h };
	const struct value *said;
	const char *reason = "";
	struct value *data;
	bool stop, led;
	int rc = host_self(r, &q.h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &q.h, "swarm-lead", &q.asked, &said)) != ERR_OK)
		return rc;
	ask.generation = q.asked.generation;
	if ((rc = take_node(r, said, &ask)) != ERR_OK ||
	    (rc = find_cluster(r, said, &q.k)) != ERR_OK ||
	    (rc = swarm_elect(r->core, r->a, &q.k, &ask, &reason, &r->e)) != ERR_OK)
		return rc;
	/* Every five seconds, by each manager. */
	if (!q.k.changed)
		req_unrecorded(r);
	led = swarm_led(r->core, &q.k);
	data = answer(r, &q, swarm_leads(r->core, &q.k, &q.h));
	value_set_int(r->a, data, "ttl_ms", SWARM_TTL_MS);
	value_set_str(r->a, data, "holder", led ? q.k.host_name : "");
	value_set_str(r->a, data, "node", led ? q.k.node : "");
	value_set_str(r->a, data, "reason", reason);
	return host_say(r, &q.h, &q.asked, data);
}

/* ---- what is to be done ---- */

struct plan {
	unsigned char after[32];
	bool started;
	size_t total;
	struct value *bindings, *states;
};

struct page {
	struct store_object at[SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct page *p = ctx;

	(void)e;
	p->at[p->n++] = *o;
	return ERR_OK;
}

static void set_ms(struct arena *a, struct value *v, const char *key, const char *text)
{
	int64_t ms = 0;
	struct err e;

	if (duration_parse(text, strlen(text), &ms, &e) != ERR_OK)
		ms = 0;
	value_set_int(a, v, key, ms);
}

static struct value *described(struct arena *a, const struct swarm_binding *b)
{
	static const char *const as_it_is[] = {
		"path",          "format",  "field",    "fields",  "quote",
		"template_text", "targets", "services", "window",  "max_services",
		"keep",          "jobs",    "mode",     "enforce",
	};
	struct value *v = value_object(a);

	value_set_str(a, v, "name", b->name);
	value_set_int(a, v, "revision", b->rev);
	for (size_t i = 0; i < ARRAY_LEN(as_it_is); i++) {
		const struct value *m = value_get(b->spec, as_it_is[i]);

		if (m != NULL)
			value_set(v, as_it_is[i], value_copy(a, m));
	}
	set_ms(a, v, "deadline_ms", swarm_member(a, b, "deadline"));
	set_ms(a, v, "soak_ms", swarm_member(a, b, "soak"));
	set_ms(a, v, "gate_ms", swarm_member(a, b, "gate"));
	value_set_int(a, v, "apply", b->apply);
	value_set_int(a, v, "gc", b->gc);
	return v;
}

static bool is_item_error(int rc)
{
	return rc == ERR_DENIED || rc == ERR_NOENT || rc == ERR_INVALID;
}

/* Its lease into ${v}, or why there is none. */
static int add_lease(struct req *r, struct arena *a, const struct asking *q,
                     const struct swarm_binding *b, struct swarm_sync *s, struct value *v)
{
	struct host_role role;
	struct swarm_lease_ask ask = { &q->h, &role, swarm_member(a, b, "path") };
	struct lease l;
	struct err why;
	int rc = host_role_of(r->core, a, &q->h, &role, &r->e);

	if (rc != ERR_OK)
		return rc;
	rc = swarm_sync_lease(r->core, a, s, &ask, &l, &why);
	if (is_item_error(rc)) {
		value_set_str(a, v, "error", arena_str(a, why.msg));
		return ERR_OK;
	}
	if (rc != ERR_OK) {
		r->e = why;
		return rc;
	}
	value_set_str(a, v, "lease_id", lease_id_text(a, &l));
	value_set_int(a, v, "version", l.target);
	return ERR_OK;
}

static void add_states(struct arena *a, const struct swarm_sync *s, struct value *list)
{
	for (const struct value *x = s->rows->first; x != NULL; x = x->next) {
		struct value *row = value_copy(a, x);

		value_set_str(a, row, "binding", s->binding);
		value_add(list, row);
	}
}

static int plan_one(struct req *r, const struct asking *q, struct plan *p,
                    const struct swarm_binding *b)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct value *v, *states;
	struct swarm_sync s;
	int rc;

	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = swarm_sync_load(r->core, a, q->k.cluster, b->name, &s, &r->e);
	/* Stored from the start: by it one that fetches is known. */
	if (rc == ERR_NOENT)
		rc = swarm_sync_save(r->core, a, &s, &r->e);
	if (rc != ERR_OK)
		return rc;
	v = described(a, b);
	states = value_array(a);
	p->total += value_size(v) + (q->driver ? 0 : value_size(s.rows));
	if (p->total > PLAN_MAX)
		value_set_str(a, v, "error", "the cluster has too much bound");
	else if ((rc = add_lease(r, a, q, b, &s, v)) != ERR_OK)
		return rc;
	else if (!q->driver)
		add_states(a, &s, states);
	for (const struct value *x = states->first; x != NULL; x = x->next)
		value_add(p->states, value_copy(r->a, x));
	value_add(p->bindings, value_copy(r->a, v));
	return arena_failed(a) ? req_fail(r, ERR_NOMEM, "out of memory") : ERR_OK;
}

static bool is_asked_for(const struct asking *q, const struct swarm_binding *b)
{
	return swarm_serves(b, q->h.role, q->k.cluster) &&
	       (!q->driver || swarm_by_driver(b));
}

/* ${more}: there may be others. */
static int plan_some(struct req *r, const struct asking *q, struct plan *p, bool *more)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct page page = { .n = 0 };
	struct swarm_binding b;
	int rc;

	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = store_each(r->core, a, KIND_SWARM, p->started ? p->after : NULL,
	                sizeof(p->after), SLICE, collect, &page, &r->e);
	for (size_t i = 0; rc == ERR_OK && i < page.n; i++) {
		rc = swarm_read(a, &page.at[i], &b, &r->e);
		if (rc == ERR_OK && is_asked_for(q, &b))
			rc = plan_one(r, q, p, &b);
	}
	*more = page.n == SLICE;
	if (page.n > 0)
		memcpy(p->after, page.at[page.n - 1].id, sizeof(p->after));
	p->started = true;
	return rc;
}

static int say_plan(struct req *r, const struct asking *q, const struct plan *p)
{
	struct value *data = answer(r, q, leads(r, q));
	int64_t rev = 0;
	int rc = lease_rev(r->core, r->a, false, &rev, &r->e);

	if (rc != ERR_OK)
		return rc;
	value_set_int(r->a, data, "rev", rev);
	value_set(data, "bindings", p->bindings);
	value_set(data, "states", p->states);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	req_note_int(r, "bindings", p->bindings->len);
	return host_say(r, &q->h, &q->asked, data);
}

int agent_swarm_plan(struct req *r)
{
	struct asking q = { .epoch = 0 };
	struct plan *p = r->park_state;
	const struct value *said;
	unsigned char key[16];
	bool stop, more = false;
	int rc = host_self(r, &q.h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &q.h, "swarm-plan", &q.asked, &said)) != ERR_OK ||
	    (rc = find_cluster(r, said, &q.k)) != ERR_OK)
		return rc;
	q.epoch = value_int_or(said, "epoch", -1);
	q.driver = value_bool_or(said, "driver", false);
	/* A cluster that nobody has led is none that the vault knows. */
	if (q.driver ? q.k.o.version == 0 : !leads(r, &q))
		return host_say(r, &q.h, &q.asked, answer(r, &q, false));
	if (p == NULL) {
		if ((p = arena_alloc(r->a, sizeof(*p))) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		*p = (struct plan){ .bindings = value_array(r->a),
			            .states = value_array(r->a) };
		r->park_state = p;
	}
	if ((rc = plan_some(r, &q, p, &more)) != ERR_OK)
		return rc;
	if (!more)
		return say_plan(r, &q, p);
	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

/* ---- how far it is ---- */

/* What a statement says of one binding, put together. */
struct told {
	struct swarm_sync s;
	bool known; /* it is there, and for this host */
	struct told *next;
};

struct hearing {
	struct req *r;
	const struct asking *q;
	struct told *all;
};

static int bad(struct hearing *x, const char *what)
{
	return req_fail(x->r, ERR_INVALID, "state: %s", what);
}

/* NULL and r->e on failure. */
static struct told *told_of(struct hearing *x, const struct value *v)
{
	struct req *r = x->r;
	const char *name = v->type == V_OBJECT ? value_cstr_or(r->a, v, "binding", "")
	                                       : "";
	struct swarm_binding b;
	struct told *t;
	int rc;

	if (name[0] == '\0' || strlen(name) > LIMIT_NAME) {
		bad(x, "each row and each look names its binding");
		return NULL;
	}
	for (t = x->all; t != NULL; t = t->next)
		if (strcmp(t->s.binding, name) == 0)
			return t;
	if ((t = arena_alloc(r->a, sizeof(*t))) == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	rc = swarm_find(r->core, r->a, name, &b, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return NULL;
	t->known = rc == ERR_OK && swarm_serves(&b, x->q->h.role, x->q->k.cluster);
	rc = swarm_sync_load(r->core, r->a, x->q->k.cluster, name, &t->s, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return NULL;
	t->next = x->all;
	x->all = t;
	return t;
}

static int hear_row(struct hearing *x, const struct value *v)
{
	struct req *r = x->r;
	const struct swarm_said said = { v, x->q->epoch, r->core->now_ms };
	struct told *t = told_of(x, v);

	if (t == NULL)
		return (int)r->e.code;
	return swarm_sync_take(r->a, &t->s, &said, &r->e);
}

static int hear_look(struct hearing *x, const struct value *v)
{
	struct told *t = told_of(x, v);

	if (t == NULL)
		return (int)x->r->e.code;
	t->s.version = value_int_or(v, "version", -1);
	t->s.services = value_int_or(v, "services", -1);
	if (t->s.version < 0 || t->s.services < 0)
		return bad(x, "version and services of a look are numbers");
	return ERR_OK;
}

static int hear_all(struct hearing *x, const struct value *data, const char *key,
                    int (*hear)(struct hearing *, const struct value *))
{
	const struct value *list = value_get(data, key);
	int rc = ERR_OK;

	if (list == NULL || list->type == V_NULL)
		return ERR_OK;
	if (list->type != V_ARRAY || list->len > SWARM_ROWS)
		return req_fail(x->r, ERR_INVALID, "state: %s: an array of at most %u",
		                key, SWARM_ROWS);
	for (const struct value *v = list->first; rc == ERR_OK && v != NULL; v = v->next)
		rc = hear(x, v);
	return rc;
}

static int keep(struct hearing *x)
{
	struct req *r = x->r;
	int64_t n = 0;
	int rc = ERR_OK;

	for (struct told *t = x->all; rc == ERR_OK && t != NULL; t = t->next) {
		if (!t->known)
			continue;
		rc = swarm_sync_save(r->core, r->a, &t->s, &r->e);
		n++;
	}
	req_note_int(r, "bindings", n);
	return rc;
}

/* For the record: which service is where. */
static void note_rows(struct req *r, const struct value *data)
{
	const struct value *list = value_get(data, "rows");
	struct value *out = value_array(r->a);

	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     v = v->next)
		value_add(out,
		          value_str(r->a,
		                    arena_printf(r->a, "%s/%s@%lld %s",
		                                 value_cstr_or(r->a, v, "binding", ""),
		                                 value_cstr_or(r->a, v, "service", ""),
		                                 (long long)value_int_or(v, "version", 0),
		                                 value_cstr_or(r->a, v, "state", ""))));
	value_set(r->note, "rows", out);
}

int agent_swarm_state(struct req *r)
{
	struct asking q = { .epoch = 0 };
	struct hearing x = { .r = r, .q = &q };
	const struct value *said;
	struct value *data;
	int64_t boot_ms;
	bool stop, ok;
	int rc = host_self(r, &q.h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &q.h, "swarm-state", &q.asked, &said)) != ERR_OK)
		return rc;
	q.epoch = value_int_or(said, "epoch", -1);
	rc = find_cluster(r, said, &q.k);
	if (rc != ERR_OK || (rc = hear_all(&x, said, "rows", hear_row)) != ERR_OK ||
	    (rc = hear_all(&x, said, "looks", hear_look)) != ERR_OK)
		return rc;
	boot_ms = value_int_or(said, "boot_ms", -1);
	/* One that was held back on its way would undo what was said since. */
	ok = leads(r, &q) && swarm_is_news(&q.k, &q.h, q.asked.generation, boot_ms);
	if (ok && ((rc = keep(&x)) != ERR_OK ||
	           (rc = swarm_heard(r->core, r->a, &q.k, q.asked.generation, boot_ms,
	                             &r->e)) != ERR_OK))
		return rc;
	data = answer(r, &q, ok);
	value_set_bool(r->a, data, "stored", ok);
	value_set_bool(r->a, r->note, "stored", ok);
	note_rows(r, said);
	return host_say(r, &q.h, &q.asked, data);
}

/* ---- who was given a value by a secret driver ---- */

/* What is said of bindings that are gone, or not for the host, is passed over. */
static int hear_task(struct req *r, const struct asking *q, const struct value *v,
                     struct value *out)
{
	static const char *const texts[] = { "binding", "service", "task" };
	const char *is[ARRAY_LEN(texts)];
	struct swarm_binding b;
	int64_t version;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		is[i] = v->type == V_OBJECT ? value_cstr_or(r->a, v, texts[i], "") : "";
		if (is[i][0] == '\0' || strlen(is[i]) > SWARM_NAME_MAX ||
		    !text_printable(is[i], strlen(is[i])))
			return req_fail(r, ERR_INVALID, "tasks: each names its %s",
			                texts[i]);
	}
	version = value_int_or(v, "version", 0);
	if (version <= 0)
		return req_fail(r, ERR_INVALID, "tasks: version is a number");
	rc = swarm_find(r->core, r->a, is[0], &b, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (is_asked_for(q, &b))
		value_add(out,
		          value_str(r->a, arena_printf(r->a, "%s/%s/%s@%lld %s", is[0],
		                                       is[1], is[2], (long long)version,
		                                       value_bool_or(v, "ended", false)
		                                               ? "ended"
		                                               : "given")));
	return ERR_OK;
}

int agent_swarm_tasks(struct req *r)
{
	struct asking q = { .driver = true };
	const struct value *said, *list;
	struct value *out = value_array(r->a), *data;
	bool stop;
	int rc = host_self(r, &q.h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &q.h, "swarm-tasks", &q.asked, &said)) != ERR_OK ||
	    (rc = find_cluster(r, said, &q.k)) != ERR_OK)
		return rc;
	list = value_get(said, "tasks");
	if (list == NULL || list->type != V_ARRAY || list->len > SWARM_ROWS)
		return req_fail(r, ERR_INVALID, "tasks: an array of at most %u",
		                SWARM_ROWS);
	for (const struct value *v = list->first; rc == ERR_OK && v != NULL; v = v->next)
		rc = hear_task(r, &q, v, out);
	if (rc != ERR_OK)
		return rc;
	data = value_object(r->a);
	value_set_int(r->a, data, "heard", out->len);
	req_note_str(r, "cluster", q.k.cluster);
	value_set(r->note, "tasks", out);
	return host_say(r, &q.h, &q.asked, data);
}
