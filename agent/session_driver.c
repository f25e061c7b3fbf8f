/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret driver within the session: which bindings it serves, and their values, which
 * are fetched when they change, never when Docker asks.
 *
 * Every manager has them, since Docker asks the one that leads the Swarm, and another may
 * in a moment.  Without the vault what is in memory is good for max_stale.
 */
#include <stdio.h>
#include <string.h>

#include "agent/docker/volumes.h"
#include "log.h"
#include "session_docker_impl.h"
#include "session_swarm_impl.h"

#define PLAN_MS     600000
#define AGAIN_MS    30000
#define FETCH_ITEMS 16u
#define TASKS_MS    1000
#define VALUE_ARENA (64u * 1024 * 1024)
#define RETRY       "retry_at"  /* of a binding: its value is fetched again */
#define ASKED       "asked_for" /* it is in the request that is under way */
#define ANEW        "anew"      /* what is here was made by another definition */

/* --- the plan ------------------------------------------------------------------------
 */

bool session_driver_plan_due(struct session *s, int64_t now)
{
	const struct session_swarm *d = s->swarm;

	return d != NULL && d->driver != NULL && d->known && d->about.manager &&
	       s->phase == PHASE_READY && (d->want_driven || now >= d->driven_at);
}

json_t *session_driver_plan_body(struct session *s)
{
	struct session_swarm *d = s->swarm;

	d->want_driven = false;
	d->driven_at = session_now(s) + PLAN_MS;
	return json_pack("{s:s, s:b}", "cluster", d->about.cluster, "driver", 1);
}

static int tell_one(struct session_swarm *d, const json_t *b, const json_t *before,
                    struct driver_binding *to)
{
	const json_t *list = json_object_get(b, "services");
	size_t n = json_array_size(list);
	const char **services = calloc(n + 1, sizeof(*services));

	if (services == NULL)
		return -1;
	*to = (struct driver_binding){
		.name = reply_str(b, "name"),
		.services = services,
		.keep = (unsigned)reply_int(b, "keep", 1),
		.other = before != NULL && !json_equal(json_object_get(b, "path"),
		                                       json_object_get(before, "path")),
		.why = reply_str(b, "error"),
	};
	for (size_t i = 0; i < n; i++)
		if (json_string_value(json_array_get(list, i)) != NULL)
			services[to->n_services++] =
				json_string_value(json_array_get(list, i));
	if (to->why != NULL)
		swarm_settle(d, to->name, 0, ERR_NOENT, to->why);
	return 0;
}

/* Everybody who may ask, and for what. */
static int tell(struct session_swarm *d, const json_t *before, struct err *e)
{
	size_t n = 0;
	struct driver_binding *list = calloc(json_object_size(d->driven) + 1,
	                                     sizeof(*list));
	const char *name;
	const json_t *b;
	int rc = list != NULL ? ERR_OK : ERR_NOMEM;

	json_object_foreach(d->driven, name, b)
	{
		if (rc == ERR_OK &&
		    tell_one(d, b, json_object_get(before, name), &list[n]) != 0)
			rc = ERR_NOMEM;
		n += rc == ERR_OK;
	}
	rc = rc == ERR_OK ? driver_plan(d->driver, list, n, e)
	                  : err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)list[i].services);
	free(list);
	return rc;
}

static void keep(struct session_swarm *d, const char *name, json_t *b,
                 const json_t *before)
{
	bool same = before == NULL ||
	            reply_int(before, "revision", 0) == reply_int(b, "revision", 0);

	if (!same || json_is_true(json_object_get(before, ANEW)))
		json_object_set_new(b, ANEW, json_true());
	json_object_set(d->driven, name, b);
}

int session_driver_plan_done(struct session *s, const json_t *doc, struct err *e)
{
	struct session_swarm *d = s->swarm;
	const json_t *data = json_object_get(doc, "data"), *b;
	const json_t *list = json_object_get(data, "bindings");
	AUTO_JSON before = NULL;
	size_t i;

	if (!swarm_is_here(d, data))
		return ERR_OK;
	before = d->driven;
	if ((d->driven = json_object()) == NULL) {
		d->driven = json_incref(before);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	json_array_foreach(list, i, b)
	{
		const char *name = reply_str(b, "name");

		if (name != NULL && strlen(name) <= LIMIT_NAME && swarm_is_driver(b))
			keep(d, name, (json_t *)(uintptr_t)b,
			     json_object_get(before, name));
	}
	if (list == NULL) /* nobody has led it yet */
		d->known = false;
	else
		session_prove(s, json_object_get(data, "checkpoint"));
	d->driven_heard = session_now(s);
	return tell(d, before, e);
}

void session_driver_plan_failed(struct session *s, long status UNUSED,
                                const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;

	log_warn("the secret driver's bindings were refused", LOG_S("why", e->msg));
	d->driven_at = session_now(s) + AGAIN_MS;
}

/* --- values --------------------------------------------------------------------------
 */

static bool lacks(const struct session_swarm *d, const char *name, const json_t *b)
{
	int64_t version = reply_int(b, "version", 0);

	return version > 0 && reply_str(b, "lease_id") != NULL &&
	       (!driver_has(d->driver, name, version) ||
	        json_is_true(json_object_get(b, ANEW)));
}

/* When it is to be fetched; -1: it is here. */
static int64_t due_at(const struct session_swarm *d, const char *name, const json_t *b)
{
	return lacks(d, name, b) ? reply_int(b, RETRY, 0) : -1;
}

bool session_driver_fetch_due(struct session *s, int64_t now)
{
	const struct session_swarm *d = s->swarm;
	const char *name;
	const json_t *b;

	if (d == NULL || d->driver == NULL || !session_takes_values(s))
		return false;
	if (json_object_size(d->missed) > 0)
		return true;
	json_object_foreach(d->driven, name, b)
	{
		int64_t at = due_at(d, name, b);

		if (at >= 0 && at <= now)
			return true;
	}
	return false;
}

/* Each of those in a request of its own: they are few. */
static json_t *old_version_body(struct session_swarm *d)
{
	void *it = json_object_iter(d->missed);
	const char *name = json_object_iter_key(it);
	const json_t *b = json_object_get(d->driven, name);
	const char *lease = reply_str(b, "lease_id");

	(void)snprintf(d->fetching, sizeof(d->fetching), "%s", name);
	d->fetching_version = json_integer_value(json_object_iter_value(it));
	json_object_del(d->missed, d->fetching);
	return json_pack("{s:[s], s:I}", "leases", lease != NULL ? lease : "", "version",
	                 (json_int_t)d->fetching_version);
}

json_t *session_driver_fetch_body(struct session *s)
{
	struct session_swarm *d = s->swarm;
	json_t *ids = NULL;
	const char *name;
	json_t *b;

	if (json_object_size(d->missed) > 0)
		return old_version_body(d);
	d->fetching[0] = '\0';
	ids = json_array();
	json_object_foreach(d->driven, name, b)
	{
		int64_t at = due_at(d, name, b);
		bool now = at >= 0 && at <= session_now(s) &&
		           json_array_size(ids) < FETCH_ITEMS;

		json_object_set_new(b, ASKED, json_boolean(now));
		if (now)
			json_array_append_new(ids, json_string(reply_str(b, "lease_id")));
	}
	return json_pack("{s:o}", "leases", ids);
}

/* ${old}: exactly that one, if it is not 0. */
static void take(struct session_swarm *d, const char *name, json_t *b,
                 const json_t *items, int64_t old)
{
	struct swarm_value v = { .a = arena_new(VALUE_ARENA) };
	struct err e = { ERR_OK, "" };
	int64_t least = old != 0 ? old : reply_int(b, "version", 0);
	int rc = v.a != NULL
	                 ? swarm_open(d, b, swarm_item(items, reply_str(b, "lease_id")),
	                              least, &v, &e)
	                 : err_set(&e, ERR_NOMEM, "out of memory");

	if (rc == ERR_OK && old != 0 && v.version != old)
		rc = err_set(&e, ERR_INTEGRITY, "it is another version");
	if (rc == ERR_OK)
		rc = driver_put(d->driver, name, v.version, v.p, v.n, &e);
	if (rc == ERR_OK && old == 0)
		json_object_del(b, ANEW);
	if (rc != ERR_OK) {
		log_warn("no value for the secret driver", LOG_S("binding", name),
		         LOG_N("version", least), LOG_S("why", e.msg));
		json_object_set_new(b, RETRY, json_integer(session_now(d->s) + AGAIN_MS));
	} else if (old == 0 && v.version > reply_int(b, "version", 0)) {
		json_object_set_new(b, "version", json_integer(v.version));
		session_swarm_again(d->s);
	}
	arena_free(v.a);
	swarm_settle(d, name, v.version, rc, e.msg);
}

int session_driver_fetch_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	struct session_swarm *d = s->swarm;
	const json_t *items = json_object_get(json_object_get(doc, "data"), "items");
	const char *name;
	json_t *b;

	if (d->fetching[0] != '\0') {
		if ((b = json_object_get(d->driven, d->fetching)) != NULL)
			take(d, d->fetching, b, items, d->fetching_version);
		return ERR_OK;
	}
	json_object_foreach(d->driven, name,
	                    b) if (json_is_true(json_object_get(b, ASKED)))
		take(d, name, b, items, 0);
	return ERR_OK;
}

void session_driver_fetch_failed(struct session *s, long status UNUSED,
                                 const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;
	const char *name;
	json_t *b;

	log_warn("no values for the secret driver", LOG_S("why", e->msg));
	json_object_foreach(d->driven, name,
	                    b) if (json_is_true(json_object_get(b, ASKED)))
		json_object_set_new(b, RETRY, json_integer(session_now(s) + AGAIN_MS));
}

/* A task of a service that is on another version than the current one, and whose value
 * came before this agent was started. */
static void on_missing(void *ctx, const char *binding, int64_t version)
{
	struct session_swarm *d = ctx;
	const json_t *b = json_object_get(d->driven, binding);

	if (b == NULL || version == 0 || reply_str(b, "lease_id") == NULL)
		return;
	if (version < reply_int(b, "version", 0))
		json_object_set_new(d->missed, binding, json_integer(version));
	else
		d->want_driven = true;
}

/* --- who has what --------------------------------------------------------------------
 */

/* Tasks start in numbers: a little later it is one message for all. */
bool session_driver_tasks_due(struct session *s, int64_t now)
{
	struct session_swarm *d = s->swarm;

	return d != NULL && d->driver != NULL && d->known && s->phase == PHASE_READY &&
	       now >= d->tasks_at && driver_has_news(d->driver);
}

json_t *session_driver_tasks_body(struct session *s)
{
	struct session_swarm *d = s->swarm;

	d->tasks_at = session_now(s) + TASKS_MS;
	return json_pack("{s:s, s:o}", "cluster", d->about.cluster, "tasks",
	                 driver_news(d->driver));
}

int session_driver_tasks_done(struct session *s, const json_t *doc UNUSED,
                              struct err *e UNUSED)
{
	driver_heard(s->swarm->driver, true);
	return ERR_OK;
}

void session_driver_tasks_failed(struct session *s, long status UNUSED,
                                 const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;

	log_warn("the vault was not told which tasks have a value", LOG_S("why", e->msg));
	driver_heard(d->driver, false);
	d->tasks_at = session_now(s) + AGAIN_MS;
}

/* --- life ----------------------------------------------------------------------------
 */

/* With the volume plugin at the same socket, both are one plugin. */
static struct plugin *shared(const struct session *s)
{
	const struct settings *set = s->o.settings;

	if (s->docker == NULL || s->docker->volumes == NULL ||
	    strcmp(set->docker.volumes_socket, set->swarm.driver_socket) != 0)
		return NULL;
	return volumes_plugin(s->docker->volumes);
}

int swarm_driver_open(struct session_swarm *d, struct err *e)
{
	const struct driver_options o = {
		.socket = d->s->o.settings->swarm.driver_socket,
		.plugin = shared(d->s),
		.clock = d->s->clock,
		.ops = {.missing = on_missing, .ctx = d},
	};
	int rc;

	if (!d->s->o.settings->swarm.driver)
		return ERR_OK;
	if ((rc = driver_open(&o, &d->driver, e)) != ERR_OK)
		return rc;
	return driver_attach(d->driver, d->s->epoll_fd, e);
}

void swarm_driver_close(struct session_swarm *d)
{
	driver_free(d->driver);
	json_decref(d->driven);
	json_decref(d->missed);
}

/* What is under way is for nobody then. */
static void forget_plan(struct session_swarm *d)
{
	json_object_clear(d->driven);
	json_object_clear(d->missed);
	d->fetching[0] = '\0';
	d->driven_heard = 0;
	d->want_driven = true;
}

void swarm_driver_cluster(struct session_swarm *d)
{
	if (d->driver == NULL || d->about.cluster[0] == '\0')
		return;
	if (driver_cluster(d->driver, d->about.cluster))
		forget_plan(d);
}

void swarm_driver_forget(struct session_swarm *d, const char *why)
{
	if (d->driver == NULL)
		return;
	driver_forget(d->driver, why);
	forget_plan(d);
}

int64_t swarm_driver_due(struct session_swarm *d, int64_t now)
{
	int64_t next = -1, stale = d->s->o.settings->max_stale_ms + PLAN_MS;
	const char *name;
	const json_t *b;

	if (d->driver == NULL)
		return -1;
	if (d->driven_heard != 0 && now - d->driven_heard >= stale) {
		swarm_driver_forget(d, "the vault was not heard for too long");
	}
	if (d->driven_heard != 0)
		next = d->driven_heard + stale;
	if (d->s->phase != PHASE_READY)
		return next;
	if (d->known && driver_has_news(d->driver) && (next < 0 || d->tasks_at < next))
		next = d->tasks_at;
	if (d->known && d->about.manager && (next < 0 || d->driven_at < next))
		next = d->driven_at;
	json_object_foreach(d->driven, name, b)
	{
		int64_t at = due_at(d, name, b);

		if (at > now && (next < 0 || at < next))
			next = at;
	}
	return next;
}

const char *swarm_driver_name(const struct session_swarm *d)
{
	const char *name = d->s->o.settings->swarm.driver_name;

	if (d->driver == NULL || !d->about.leader)
		return NULL;
	return name != NULL ? name : driver_name(d->driver);
}
