/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes within the session: who may mount one, and when. */
#include <stdio.h>
#include <string.h>

#include "agent/docker/volumes.h"
#include "log.h"
#include "session_docker_impl.h"

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
	const char *why = i < s->plan->n_bindings ? secret_error(s, i) : NULL;

	if (why == NULL)
		why = bind_refusal(d, binding);
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

/* --- who mounts it -------------------------------------------------------------------
 */

/* Its container is in the table, or will be once all are listed: that is what asks the
 * vault.  What is known so far was known before it was started. */
static uint64_t on_want(void *ctx, const char *binding)
{
	struct session_docker *d = ctx;

	log_debug("a volume is wanted", LOG_S("binding", binding));
	return (uint64_t)containers_look(d->table) << 32 | d->asks;
}

/* Those that could be the one that is being started: they mount the volume, and do not
 * run. */
struct mounters {
	bool any, granted, refused;
	size_t may,
		may_not; /* about which the Engine does not answer, as about that one */
	size_t sure;     /* of may_not: the vault has refused it since */
};

static bool mounts(const struct container *c, const char *volume)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].volume != NULL &&
		    strcmp(c->mounts[i].volume, volume) == 0)
			return true;
	return false;
}

/* Without the vault it stays as it was granted in an earlier life. */
static bool may_have(const struct session_docker *d, const struct container *c,
                     const char *binding)
{
	return bind_granted(d, c, binding) &&
	       (bind_certain(d, binding) || d->s->phase != PHASE_READY);
}

static void count(struct session_docker *d, const struct container *c,
                  const char *binding, uint64_t wanted, struct mounters *m)
{
	bool silent = !containers_answers(d->table, c->id, (unsigned)(wanted >> 32));
	bool news = d->answered > (uint32_t)wanted;
	bool granted = may_have(d, c, binding);
	bool refused = !granted && bind_refused(d, c, binding);

	/* It may be another answer by now. */
	d->ask = d->ask || (refused && d->asks == (uint32_t)wanted);
	m->any = true;
	m->granted |= granted;
	m->refused |= refused && news;
	m->may += granted && silent;
	m->may_not += !granted && silent;
	m->sure += refused && news && silent;
}

/* Docker does not say which container mounts a volume.  But it answers no question about
 * the one that it is starting: of several, the others are found out by that. */
static enum volumes_answer judge_mounters(const struct mounters *m)
{
	if (m->may_not == 0 && (m->granted || !m->any))
		return VOLUMES_MOUNT;
	if (m->may_not == 0)
		return m->refused ? VOLUMES_NEVER : VOLUMES_LATER;
	return m->may == 0 && m->sure == m->may_not ? VOLUMES_NEVER : VOLUMES_LATER;
}

static bool is_own(const struct session *s, const char *binding)
{
	size_t i = plan_binding(s->plan, binding);

	return i < s->plan->n_bindings && !s->plan->bindings[i].granted;
}

static enum volumes_answer judge(void *ctx, const char *volume, const char *binding,
                                 uint64_t wanted)
{
	struct session_docker *d = ctx;
	struct mounters m = { .any = false };
	enum volumes_answer is;

	if (is_own(d->s, binding))
		return is_ready(d, binding) ? VOLUMES_MOUNT : VOLUMES_LATER;
	if (!d->s->o.settings->docker.labels)
		return VOLUMES_NEVER;
	if (!containers_looked(d->table, (unsigned)(wanted >> 32)))
		return VOLUMES_LATER;
	for (size_t i = 0; i < containers_count(d->table); i++) {
		const struct container *c = containers_at(d->table, i);

		if (!c->running && mounts(c, volume))
			count(d, c, binding, wanted, &m);
	}
	is = judge_mounters(&m);
	return is == VOLUMES_MOUNT && !is_ready(d, binding) ? VOLUMES_LATER : is;
}

/* --- the plugin ----------------------------------------------------------------------
 */

int mount_open(struct session_docker *d, struct err *e)
{
	const struct settings *set = d->s->o.settings;
	const struct volumes_options o = {
		.socket = set->docker.volumes_socket,
		.run_dir = set->run_dir,
		.state_dir = set->state_dir,
		.ops = {.want = on_want,
                        .judge = judge,
                        .ready = is_ready,
                        .why = why_not,
                        .ctx = d},
	};
	int rc;

	if (!set->docker.volumes)
		return ERR_OK;
	if ((rc = volumes_listen(&o, &d->volumes, e)) != ERR_OK)
		return rc;
	return volumes_attach(d->volumes, d->s->epoll_fd, e);
}
