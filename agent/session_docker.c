/* SPDX-License-Identifier: Apache-2.0 */
#include "session_docker.h"

#include <stdio.h>
#include <string.h>

#include "agent/docker/docker.h"
#include "agent/docker/volumes.h"
#include "log.h"
#include "session_docker_impl.h"

/* --- volumes -------------------------------------------------------------------------
 */

/* Its container is in the table, or will be: that is what asks. */
static void on_want(void *ctx UNUSED, const char *binding)
{
	log_debug("a volume is wanted", LOG_S("binding", binding));
}

/* All of its files, so that nobody starts with half of them. */
static bool is_ready(void *ctx, const char *binding)
{
	const struct session *s = ((const struct session_docker *)ctx)->s;
	size_t i = plan_binding(s->plan, binding);

	if (i == s->plan->n_bindings || files_generation(s->o.files, binding) == 0)
		return false;
	for (size_t f = 0; f < s->plan->n_files; f++)
		for (size_t p = 0;
		     s->plan->files[f].binding == i && p < s->plan->files[f].n; p++)
			if (!files_has(s->o.files, i, s->plan->files[f].paths[p]))
				return false;
	return true;
}

/* What keeps the binding's secrets away. */
static const char *secret_error(const struct session *s, size_t binding)
{
	for (size_t f = 0; f < s->plan->n_files; f++)
		for (size_t p = 0;
		     s->plan->files[f].binding == binding && p < s->plan->files[f].n;
		     p++) {
			size_t at = s->plan->files[f].paths[p];

			if (s->holdings[at].error[0] != '\0')
				return s->holdings[at].error;
		}
	return NULL;
}

static const char *why_not(void *ctx, const char *binding)
{
	const struct session_docker *d = ctx;
	const struct session *s = d->s;
	size_t i = plan_binding(s->plan, binding);
	const char *why = i < s->plan->n_bindings ? secret_error(s, i)
	                                          : bind_refusal(d, binding);

	for (size_t k = 0; why == NULL && k < s->plan->n_refused; k++)
		if (strcmp(s->plan->refused[k].name, binding) == 0)
			why = s->plan->refused[k].why;
	if (why != NULL)
		return why;
	if (s->phase != PHASE_READY)
		return "the vault cannot be reached";
	if (i == s->plan->n_bindings && !s->o.settings->docker.labels)
		return "it is not in the host's file, and docker.labels is off";
	return d->error[0] != '\0' ? d->error : NULL;
}

static const char *binding_of(void *ctx, const char *volume)
{
	return volumes_binding(((const struct session_docker *)ctx)->volumes, volume);
}

static int open_volumes(struct session_docker *d, struct err *e)
{
	const struct settings *set = d->s->o.settings;
	const struct volumes_options o = {
		.socket = set->docker.volumes_socket,
		.run_dir = set->run_dir,
		.state_dir = set->state_dir,
		.ops = {.want = on_want, .ready = is_ready, .why = why_not, .ctx = d},
	};
	int rc;

	if (!set->docker.volumes)
		return ERR_OK;
	if ((rc = volumes_listen(&o, &d->volumes, e)) != ERR_OK)
		return rc;
	return volumes_attach(d->volumes, d->s->epoll_fd, e);
}

/* --- containers ----------------------------------------------------------------------
 */

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
	if ((rc = open_volumes(d, e)) != ERR_OK || (rc = open_table(d, e)) != ERR_OK ||
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
