/* SPDX-License-Identifier: Apache-2.0 */
#include "session_docker.h"

#include <stdio.h>
#include <string.h>

#include "agent/docker/docker.h"
#include "agent/docker/volumes.h"
#include "log.h"
#include "session_docker_impl.h"

/* --- containers ----------------------------------------------------------------------
 */

static const char *binding_of(void *ctx, const char *volume)
{
	return volumes_binding(((const struct session_docker *)ctx)->volumes, volume);
}

static void on_changed(void *ctx, const struct container *c, enum containers_change what)
{
	struct session_docker *d = ctx;

	d->changes++;
	bind_changed(d, c, what);
	if (d->l.changed != NULL)
		d->l.changed(d->l.ctx, c, what);
}

static int open_table(struct session_docker *d, struct err *e)
{
	const struct settings *set = d->s->o.settings;
	const struct containers_options o = {
		.socket = set->docker.socket,
		.run_dir = set->run_dir,
		.labels = set->docker.labels,
		.driver = d->volumes != NULL ? volumes_driver(d->volumes) : NULL,
		.binding_of = binding_of,
		.multi = d->s->multi,
		.clock = d->s->clock,
		.changed = on_changed,
		.ctx = d,
	};

	return containers_new(&o, &d->table, e);
}

int session_docker_open(struct session *s, struct err *e)
{
	struct session_docker *d;
	int rc;

	if (s->o.settings->docker.socket == NULL)
		return ERR_OK;
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->docker = d;
	d->s = s;
	d->changes = 1;
	d->names = json_array();
	d->own = json_array();
	if ((rc = mount_open(d, e)) != ERR_OK || (rc = open_table(d, e)) != ERR_OK ||
	    (rc = bind_open(d, e)) != ERR_OK)
		return rc;
	session_docker_replan(s);
	return ERR_OK;
}

void session_docker_free(struct session_docker *d)
{
	if (d == NULL)
		return;
	containers_free(d->table);
	volumes_free(d->volumes);
	bind_close(d);
	json_decref(d->names);
	json_decref(d->own);
	free(d);
}

/* --- the plan ------------------------------------------------------------------------
 */

/* Names of containers that bindings of the plan give, the caller's. */
static json_t *names_of(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_bindings; i++) {
		const struct config_list *names = &p->bindings[i].set.containers;

		for (size_t k = 0; k < names->n; k++)
			json_array_append_new(
				list,
				json_string(((const char *const *)names->items)[k]));
	}
	return list;
}

/* Of the host's own bindings, the caller's. */
static json_t *own_of(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_bindings; i++)
		if (!p->bindings[i].granted)
			json_array_append_new(list, json_string(p->bindings[i].set.name));
	return list;
}

static int look_for(struct session_docker *d, const json_t *names, struct err *e)
{
	size_t n = json_array_size(names);
	const char **list = calloc(n + 1, sizeof(*list));
	int rc;

	if (list == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		list[i] = json_string_value(json_array_get(names, i));
	rc = containers_name(d->table, list, n, e);
	free(list);
	return rc;
}

void session_docker_replan(struct session *s)
{
	struct session_docker *d = s->docker;
	json_t *names, *own;
	struct err e = { ERR_OK, "" };

	if (d == NULL)
		return;
	d->changes++;
	names = names_of(s->plan);
	own = own_of(s->plan);
	d->ask = d->ask || !json_equal(own, d->own);
	if (!json_equal(names, d->names) && look_for(d, names, &e) != ERR_OK)
		log_error("containers are not looked for by name", LOG_S("why", e.msg));
	json_decref(d->names);
	json_decref(d->own);
	d->names = names;
	d->own = own;
}

/* --- the loop ------------------------------------------------------------------------
 */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t session_docker_due(struct session *s, int64_t now)
{
	struct session_docker *d = s->docker;
	int64_t next;
	bool known;

	if (d == NULL)
		return -1;
	next = containers_due(d->table, now);
	known = containers_known(d->table);
	if (known != d->known && d->l.engine != NULL)
		d->l.engine(d->l.ctx, known);
	d->known = known;
	next = earlier(next, bind_due(d, now));
	if (d->volumes != NULL)
		next = earlier(next, volumes_due(d->volumes, now));
	return next;
}

int64_t session_docker_flush(struct session *s, int64_t now)
{
	return s->docker != NULL ? docker_due(containers_docker(s->docker->table), now)
	                         : -1;
}

bool session_docker_event(struct session *s, int fd, unsigned events)
{
	return s->docker != NULL && s->docker->volumes != NULL &&
	       volumes_event(s->docker->volumes, fd, events);
}

void session_docker_listen(struct session *s, const struct session_docker_listener *l)
{
	if (s->docker != NULL)
		s->docker->l = *l;
}

struct docker *session_docker_engine(const struct session *s)
{
	return s->docker != NULL ? containers_docker(s->docker->table) : NULL;
}

uint64_t session_docker_changes(const struct session *s)
{
	return s->docker != NULL ? s->docker->changes : 0;
}

struct containers *session_docker_table(const struct session *s)
{
	return s->docker != NULL ? s->docker->table : NULL;
}

static bool is_named(const struct settings_binding *b, const char *name)
{
	const char *const *names = b->containers.items;

	for (size_t i = 0; i < b->containers.n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool session_container_uses(const struct session *s, const struct container *c,
                            const char *binding)
{
	size_t i = plan_binding(s->plan, binding);
	const struct plan_binding *b = &s->plan->bindings[i];

	if (s->docker == NULL || i == s->plan->n_bindings)
		return false;
	if (is_named(&b->set, c->name))
		return true;
	if (!b->granted)
		return container_uses(c, binding);
	for (size_t k = 0; k < c->n_mounts; k++)
		if (strcmp(c->mounts[k].binding, binding) == 0)
			return true;
	return bind_granted(s->docker, c, binding);
}

json_t *session_docker_status(const struct session *s)
{
	json_t *o = s->docker != NULL ? containers_status(s->docker->table) : NULL;

	if (o != NULL)
		bind_status(s->docker, o);
	return o;
}
