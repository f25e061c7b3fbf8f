/* SPDX-License-Identifier: Apache-2.0 */
/* Between the machine that tells applications (agent/apply) and their containers. */
#include <stdio.h>
#include <string.h>

#include "agent/docker/docker_apply.h"
#include "log.h"
#include "session_apply_impl.h"
#include "session_docker.h"

#define DIR_MAX 4096u

/* --- what the machine asks for -------------------------------------------------------
 */

/* Where the container has the binding's files: "" if it mounts them nowhere. */
static void find_dir(const struct session *s, const struct apply_call *call,
                     char dir[DIR_MAX])
{
	const struct container *c = containers_find(session_docker_table(s),
	                                            call->container);

	dir[0] = '\0';
	for (size_t i = 0; c != NULL && i < c->n_mounts && dir[0] == '\0'; i++) {
		const struct container_mount *m = &c->mounts[i];

		if (strcmp(m->binding, call->binding) == 0 && !m->pinned)
			snprintf(dir, DIR_MAX, "%s", m->destination);
		else if (m->binding[0] == '\0')
			snprintf(dir, DIR_MAX, "%s/%s", m->destination, call->binding);
	}
}

static void log_call(const struct session *s, const struct apply_call *call)
{
	static const char *const texts[] = {
		[APPLY_SIGNAL] = "sending a signal",
		[APPLY_RESTART] = "restarting a container",
		[APPLY_EXEC_IN] = "running the command in a container",
		[APPLY_STOP] = "stopping a container",
	};
	const struct container *c = containers_find(session_docker_table(s),
	                                            call->container);

	if (call->kind != APPLY_LOOK)
		log_info(texts[call->kind], LOG_S("binding", call->binding),
		         LOG_S("container", c != NULL ? c->name : call->container),
		         LOG_N("generation", call->generation),
		         LOG_N("try", call->attempt + 1));
}

int apply_docker_start(const struct session_apply *p, const struct apply_call *call,
                       const struct settings_binding *b, struct err *e)
{
	char dir[DIR_MAX];

	if (p->docker == NULL)
		return err_set(e, ERR_UNREACHABLE, "there is no Docker Engine");
	find_dir(p->s, call, dir);
	log_call(p->s, call);
	return docker_apply_start(p->docker, call, b, dir[0] != '\0' ? dir : NULL, e);
}

static void on_done(void *ctx, uint64_t token, int rc, const char *detail)
{
	const struct session_apply *p = ctx;

	apply_done(p->machine, token, rc, detail, session_now(p->s));
}

static void on_looked(void *ctx, uint64_t token, const struct apply_look *look)
{
	const struct session_apply *p = ctx;

	apply_looked(p->machine, token, look, session_now(p->s));
}

/* --- what becomes of containers ------------------------------------------------------
 */

static void describe(const struct session_apply *p, const struct container *c)
{
	const struct plan *plan = p->s->plan;
	AUTO_FREE const char **uses = calloc(plan->n_bindings + 1, sizeof(*uses));
	struct apply_container out;
	struct err e = { 0 };

	docker_apply_describe(c, p->s->clock, &out);
	out.bindings = uses;
	out.n_bindings = 0;
	for (size_t i = 0; uses != NULL && i < plan->n_bindings; i++)
		if (session_container_uses(p->s, c, plan->bindings[i].set.name))
			uses[out.n_bindings++] = plan->bindings[i].set.name;
	if (uses == NULL ||
	    apply_container(p->machine, &out, session_now(p->s), &e) != ERR_OK)
		log_error("a container may not be told of changes",
		          LOG_S("container", c->name), LOG_S("why", "out of memory"));
}

void apply_docker_describe_all(struct session_apply *p)
{
	const struct containers *table = session_docker_table(p->s);

	for (size_t i = 0; table != NULL && i < containers_count(table); i++)
		describe(p, containers_at(table, i));
}

static void on_changed(void *ctx, const struct container *c, enum containers_change what)
{
	const struct session_apply *p = ctx;

	if (what == CONTAINER_GONE)
		apply_container_gone(p->machine, c->id, session_now(p->s));
	else
		describe(p, c);
}

static void on_engine(void *ctx, bool known)
{
	const struct session_apply *p = ctx;

	apply_engine(p->machine, known, session_now(p->s));
}

static void on_uses(void *ctx)
{
	apply_docker_describe_all(ctx);
}

/* --- life ----------------------------------------------------------------------------
 */

int apply_docker_open(struct session_apply *p, struct err *e)
{
	const struct session_docker_listener l = {
		.changed = on_changed, .engine = on_engine, .uses = on_uses, .ctx = p
	};
	const struct docker_apply_options o = {
		.docker = session_docker_engine(p->s),
		.clock = p->s->clock,
		.done = on_done,
		.looked = on_looked,
		.ctx = p,
	};
	int rc;

	if (o.docker == NULL)
		return ERR_OK;
	if ((rc = docker_apply_new(&o, &p->docker, e)) != ERR_OK)
		return rc;
	session_docker_listen(p->s, &l);
	return ERR_OK;
}

void apply_docker_close(struct session_apply *p)
{
	static const struct session_docker_listener nobody;

	if (p->docker == NULL)
		return;
	session_docker_listen(p->s, &nobody);
	docker_apply_free(p->docker);
}
