/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_host_report - reports of agents, and where a secret is.
 *
 * Hosts are known by their leases: what they have acknowledged counts.  Containers are
 * known by what their host reports.
 */
#include "api_host_report.h"

#include <string.h>

#include "api_agent.h"
#include "arena.h"
#include "host_report.h"
#include "kv_leased.h"
#include "rng.h"
#include "swarm.h"
#include "text.h"
#include "vault/limits.h"

#define SLICE   16 /* each comes with a report */
#define SCRATCH ((size_t)16 * 1024 * 1024)

/* ---- a report ---- */

struct taking {
	struct req *r;
	const struct host_report *last;
	size_t containers;
	const struct value
		*at; /* secret of the last report where the next is looked for */
};

static int bad(struct req *r, const char *what)
{
	return req_fail(r, ERR_INVALID, "report: %s", what);
}

/* NULL: the member is no printable text of at most ${max} bytes. */
static const char *text_of(struct req *r, const struct value *v, const char *key,
                           size_t max)
{
	const struct value *m = value_get(v, key);
	const char *s = m != NULL ? value_to_cstr(m, r->a) : "";

	return s != NULL && strlen(s) <= max && text_printable(s, strlen(s)) ? s : NULL;
}

static bool number_of(const struct value *v, const char *key, int64_t *out)
{
	const struct value *m = value_get(v, key);

	*out = 0;
	return m == NULL ||
	       (m->type == V_NUMBER && value_to_int(m, out) == 0 && *out >= 0);
}

/* The containers that the last report has for ${path}.  Reports name secrets in the same
 * order: the search goes on where it ended. */
static const struct value *before(struct taking *t, const char *path)
{
	const struct value *all = t->last->secrets, *s = t->at;

	for (size_t n = all != NULL ? all->len : 0; n > 0; n--) {
		if (s == NULL)
			s = all->first;
		if (value_is_str(value_get(s, "path"), path)) {
			t->at = s->next;
			return value_get(s, "containers");
		}
		s = s->next;
	}
	return NULL;
}

/* Since when a container is what it is now: known from the last report that said so. */
static int64_t since(const struct value *old, const struct value *now, int64_t now_ms)
{
	for (const struct value *v = old != NULL ? old->first : NULL; v != NULL;
	     v = v->next)
		if (value_equal(value_get(v, "id"), value_get(now, "id")))
			return value_equal(value_get(v, "state"),
			                   value_get(now, "state")) &&
			                       value_equal(value_get(v, "version"),
			                                   value_get(now, "version"))
			               ? value_int_or(v, "since", now_ms)
			               : now_ms;
	return now_ms;
}

static int take_container(struct taking *t, const struct value *v,
                          const struct value *old, struct value *list)
{
	struct req *r = t->r;
	struct value *out = value_object(r->a);
	const char *id = text_of(r, v, "id", REPORT_TEXT_MAX);
	const char *name = text_of(r, v, "name", REPORT_TEXT_MAX);
	const char *state = text_of(r, v, "state", 32);
	int64_t version;

	if (v->type != V_OBJECT || id == NULL || id[0] == '\0' || name == NULL ||
	    state == NULL || !number_of(v, "version", &version))
		return bad(r, "a container is {id, name, version, state}");
	if (++t->containers > REPORT_CONTAINERS_MAX)
		return bad(r, "too many containers");
	value_set_str(r->a, out, "id", id);
	value_set_str(r->a, out, "name", name);
	value_set_int(r->a, out, "version", version);
	value_set_str(r->a, out, "state", state);
	value_set_int(r->a, out, "since", since(old, out, r->core->now_ms));
	value_add(list, out);
	return ERR_OK;
}

static int take_secret(struct taking *t, const struct value *v, struct value *list)
{
	struct req *r = t->r;
	struct value *out = value_object(r->a), *containers = value_array(r->a);
	const struct value *given = value_get(v, "containers"), *old;
	const char *path = text_of(r, v, "path", LIMIT_PATH);
	int rc = ERR_OK;

	if (v->type != V_OBJECT || path == NULL || path[0] == '\0' ||
	    (given != NULL && given->type != V_ARRAY))
		return bad(r, "a secret is {path, containers}");
	old = before(t, path);
	for (const struct value *x = given != NULL ? given->first : NULL;
	     rc == ERR_OK && x != NULL; x = x->next)
		rc = take_container(t, x, old, containers);
	value_set_str(r->a, out, "path", path);
	value_set(out, "containers", containers);
	value_add(list, out);
	return rc;
}

static int take_secrets(struct taking *t, const struct value *given, struct value *list)
{
	int rc = ERR_OK;

	if (given == NULL)
		return ERR_OK;
	if (given->type != V_ARRAY || given->len > LIMIT_AGENT_ITEMS)
		return bad(t->r, "secrets: an array of at most 1000");
	for (const struct value *v = given->first; rc == ERR_OK && v != NULL; v = v->next)
		rc = take_secret(t, v, list);
	return rc;
}

static int save(struct req *r, struct host_report *rep, const struct value *data)
{
	struct taking t = { .r = r, .last = rep };
	struct value *b = value_object(r->a), *secrets = value_array(r->a);
	const char *error = text_of(r, data, "last_error", REPORT_ERROR_MAX);
	int64_t rev, lag, stale;
	int rc;

	if (error == NULL || !number_of(data, "rev", &rev) ||
	    !number_of(data, "lag_ms", &lag) || !number_of(data, "stale", &stale))
		return bad(r, "rev, lag_ms and stale are numbers, last_error is "
		              "printable text");
	if ((rc = take_secrets(&t, value_get(data, "secrets"), secrets)) != ERR_OK)
		return rc;
	value_set_int(r->a, b, "generation", rep->generation);
	value_set_int(r->a, b, "boot", rep->boot_ms);
	value_set_int(r->a, b, "at", r->core->now_ms);
	value_set_int(r->a, b, "rev", rev);
	value_set_int(r->a, b, "lag", lag);
	value_set_int(r->a, b, "stale", stale);
	value_set_str(r->a, b, "error", error);
	value_set(b, "secrets", secrets);
	rep->o.body = b;
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	return store_put(r->core, &rep->o, &r->e);
}

static int note_version(struct req *r, struct host *h, const struct value *data)
{
	const char *version = text_of(r, data, "agent_version", HOST_VERSION_MAX);

	if (version == NULL)
		return bad(r, "agent_version is printable text");
	if (version[0] == '\0' || strcmp(version, h->agent_version) == 0)
		return ERR_OK;
	h->agent_version = version;
	return host_save(r->core, r->a, h, &r->e);
}

int agent_take_report(struct req *r)
{
	const struct value *data;
	struct host_report rep;
	struct host h;
	int64_t boot_ms, generation;
	bool stop;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_heard_in(r, &h, "report", &data, &generation)) != ERR_OK)
		return rc;
	if (!number_of(data, "boot_ms", &boot_ms))
		return bad(r, "boot_ms is a number");
	rc = host_report_load(r->core, r->a, h.o.id, &rep, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	/* One that was held back on its way says nothing new. */
	if (generation < rep.generation ||
	    (generation == rep.generation && boot_ms <= rep.boot_ms))
		return ERR_OK;
	rep.generation = generation;
	rep.boot_ms = boot_ms;
	if ((rc = save(r, &rep, data)) != ERR_OK)
		return rc;
	return note_version(r, &h, data);
}

/* ---- where ---- */

struct where {
	unsigned char secret[32];
	struct value *hosts;
	unsigned char after[LEASE_ID];
	bool started;
};

static int start(struct req *r, struct where **out)
{
	struct where *w = r->park_state;
	int rc;

	*out = w;
	if (w != NULL)
		return ERR_OK;
	if ((w = arena_alloc(r->a, sizeof(*w))) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = kv_leased_id(r->core, r->param[0].text, w->secret, &r->e);
	if (rc != ERR_OK)
		return rc;
	w->hosts = value_array(r->a);
	r->park_state = *out = w;
	return ERR_OK;
}

static void set_time(struct arena *a, struct value *v, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms == 0) {
		value_set(v, key, value_null(a));
		return;
	}
	clock_rfc3339(ms, text);
	value_set_str(a, v, key, arena_str(a, text));
}

static struct value *containers(struct arena *a, const struct value *list)
{
	struct value *out = value_array(a);

	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     v = v->next) {
		struct value *x = value_object(a);

		value_set_str(a, x, "id", value_cstr_or(a, v, "id", ""));
		value_set_str(a, x, "name", value_cstr_or(a, v, "name", ""));
		value_set_int(a, x, "version", value_int_or(v, "version", 0));
		value_set_str(a, x, "state", value_cstr_or(a, v, "state", ""));
		set_time(a, x, "since", value_int_or(v, "since", 0));
		value_add(out, x);
	}
	return out;
}

static int add_host(struct req *r, struct where *w, const struct lease *l)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct host_report rep;
	struct value *v;
	int rc;

	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (!lease_alive(l) && l->state == LEASE_WIPED)
		return ERR_OK;
	rc = host_report_load(r->core, a, l->o.parent, &rep, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	v = value_object(a);
	value_set_str(a, v, "host", l->holder);
	value_set_int(a, v, "version", l->applied);
	value_set_int(a, v, "fetched", l->version);
	value_set_int(a, v, "current", l->target);
	value_set_str(a, v, "state", lease_state_name(l->state));
	set_time(a, v, "since", l->since_ms);
	value_set_str(a, v, "detail", l->detail);
	set_time(a, v, "reported", rep.at_ms);
	value_set(v, "containers", containers(a, host_report_of(&rep, l->path)));
	if (l->cluster[0] != '\0' &&
	    (rc = swarm_where(r->core, a, l, v, &r->e)) != ERR_OK)
		return rc;
	value_add(w->hosts, value_copy(r->a, v));
	return ERR_OK;
}

int host_where(struct req *r)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct leases ls = { .a = a };
	unsigned char key[16];
	struct where *w;
	int rc = start(r, &w);

	if (rc != ERR_OK)
		return rc;
	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = store_by_tag_page(r->core, a, KIND_LEASE, w->secret, sizeof(w->secret),
	                       w->started ? w->after : NULL, LEASE_ID, SLICE,
	                       lease_collect, &ls, &r->e);
	for (size_t i = 0; rc == ERR_OK && i < ls.n; i++)
		rc = add_host(r, w, &ls.at[i]);
	if (rc != ERR_OK)
		return rc;
	w->started = true;
	if (ls.n == SLICE) {
		memcpy(w->after, ls.at[ls.n - 1].o.id, LEASE_ID);
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	value_set_str(r->a, reply_data(r), "path", r->param[0].text);
	value_set(reply_data(r), "hosts", w->hosts);
	return ERR_OK;
}
