/* SPDX-License-Identifier: Apache-2.0 */
#include "docker_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/settings.h"
#include "clock.h"
#include "containers.h"
#include "docker.h"
#include "util.h"

#define STOP_GRACE_S 10 /* as docker stop; agent/apply waits longer than that */

/* One call, until its answer. */
struct effect {
	struct effect *next;
	struct docker_apply *p;
	uint64_t token;
	enum apply_kind kind;
};

struct docker_apply {
	struct docker_apply_options o;
	struct effect *effects;
};

int docker_apply_new(const struct docker_apply_options *o, struct docker_apply **out,
                     struct err *e)
{
	struct docker_apply *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->o = *o;
	*out = p;
	return ERR_OK;
}

static void take_out(struct effect *f)
{
	struct effect **at = &f->p->effects;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

void docker_apply_free(struct docker_apply *p)
{
	if (p == NULL)
		return;
	while (p->effects != NULL) {
		struct effect *f = p->effects;

		p->effects = f->next;
		docker_forget(p->o.docker, f);
		free(f);
	}
	free(p);
}

/* --- what an inspection says ---------------------------------------------------------
 */

/* Of the Engine's clock, which is this host's, by the boot clock; 0 if there is none. */
static int64_t boot_time(const struct clock *clock, int64_t wall)
{
	int64_t at = clock_boot(clock) - (clock_wall(clock) - wall);

	if (wall <= 0)
		return 0;
	return at > 0 ? at : 1;
}

static int64_t time_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	int64_t ms;

	return s != NULL && clock_parse_rfc3339(s, strlen(s), &ms) == 0 && ms > 0 ? ms
	                                                                          : 0;
}

/* The log has only checks that ended, the newest last. */
static void read_health(const json_t *health, const struct clock *clock,
                        struct apply_look *look)
{
	const char *status = json_string_value(json_object_get(health, "Status"));
	const json_t *log = json_object_get(health, "Log");
	const json_t *last = json_array_size(log) > 0
	                             ? json_array_get(log, json_array_size(log) - 1)
	                             : NULL;
	const json_t *code = json_object_get(last, "ExitCode");

	if (status == NULL || *status == '\0' || strcmp(status, "none") == 0)
		return;
	look->checks = true;
	look->unhealthy = strcmp(status, "unhealthy") == 0;
	look->healthy = strcmp(status, "healthy") == 0 && json_is_integer(code) &&
	                json_integer_value(code) == 0;
	look->checked_at = boot_time(clock, time_at(last, "Start"));
}

bool docker_apply_read(const json_t *doc, const struct clock *clock,
                       struct apply_look *out)
{
	const json_t *state = json_object_get(doc, "State");
	struct apply_look look = { .running = false };
	int64_t started = time_at(state, "StartedAt");

	if (!json_is_object(state))
		return false;
	look.running = json_is_true(json_object_get(state, "Running")) &&
	               !json_is_true(json_object_get(state, "Restarting"));
	look.run = started != 0 ? started : 1;
	look.started_at = boot_time(clock, started);
	read_health(json_object_get(state, "Health"), clock, &look);
	*out = look;
	return true;
}

void docker_apply_describe(const struct container *c, const struct clock *clock,
                           struct apply_container *out)
{
	*out = (struct apply_container){
		.id = c->id,
		.name = c->name,
		.running = c->running,
		.health = c->health,
		.run = c->started_ms,
		.started_at = boot_time(clock, c->started_ms),
	};
}

/* --- calls ---------------------------------------------------------------------------
 */

static void looked(struct effect *f, const struct docker_result *r)
{
	const struct docker_apply_options *o = &f->p->o;
	struct apply_look look;

	if (docker_apply_read(r->doc, o->clock, &look))
		o->looked(o->ctx, f->token, &look);
	else
		o->done(o->ctx, f->token, ERR_INVALID, "Docker's answer cannot be read");
}

static void exited(struct effect *f, const struct docker_result *r)
{
	const struct docker_apply_options *o = &f->p->o;
	char detail[APPLY_WHY_MAX];

	(void)snprintf(detail, sizeof(detail), "exit status %ld, said %s%zu bytes",
	               r->exit_code, r->output_cut ? "more than " : "", r->output_len);
	o->done(o->ctx, f->token, r->exit_code == 0 ? ERR_OK : ERR_IO, detail);
}

static void failed(struct effect *f, const struct docker_result *r)
{
	const struct docker_apply_options *o = &f->p->o;
	int rc = r->rc;

	/* What waited for the Engine in vain was not tried at all. */
	if (rc == ERR_TIMEOUT && !docker_is_up(o->docker))
		rc = ERR_UNREACHABLE;
	/* A command that ended badly is ERR_IO: tried again.  This one was not run. */
	if (rc == ERR_IO && f->kind == APPLY_EXEC_IN)
		rc = ERR_INVALID;
	o->done(o->ctx, f->token, rc, r->e->msg);
}

static void on_done(void *ctx, const struct docker_result *r)
{
	struct effect *f = ctx;

	take_out(f);
	if (r->rc != ERR_OK)
		failed(f, r);
	else if (f->kind == APPLY_LOOK)
		looked(f, r);
	else if (f->kind == APPLY_EXEC_IN)
		exited(f, r);
	else
		f->p->o.done(f->p->o.ctx, f->token, ERR_OK, NULL);
	free(f);
}

static int run_in(struct effect *f, const struct apply_call *call,
                  const struct settings_binding *b, const char *dir, struct err *e)
{
	const char *const *words = b->command.items;
	char binding[320], version[32];
	AUTO_FREE char *where = NULL;
	const char **argv = calloc(b->command.n + 1, sizeof(*argv));
	const char *env[4] = { binding, version };
	int rc;

	(void)snprintf(binding, sizeof(binding), "VAULT_BINDING=%.255s", call->binding);
	(void)snprintf(version, sizeof(version), "VAULT_VERSION=%u", call->generation);
	if (argv == NULL || (dir != NULL && asprintf(&where, "VAULT_DIR=%s", dir) < 0)) {
		free(argv);
		where = NULL;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	env[2] = where;
	for (size_t i = 0; i < b->command.n; i++)
		argv[i] = words[i];
	rc = docker_exec(f->p->o.docker, call->container,
	                 &(struct docker_command){ .argv = argv, .env = env },
	                 call->timeout_ms, on_done, f, e);
	free(argv);
	return rc;
}

static int begin(struct effect *f, const struct apply_call *call,
                 const struct settings_binding *b, const char *dir, struct err *e)
{
	struct docker *d = f->p->o.docker;

	switch (call->kind) {
	case APPLY_SIGNAL:
		return docker_kill(d, call->container,
		                   b->signal != NULL ? b->signal : "HUP",
		                   call->timeout_ms, on_done, f, e);
	case APPLY_RESTART:
		return docker_restart(d, call->container, STOP_GRACE_S, call->timeout_ms,
		                      on_done, f, e);
	case APPLY_STOP:
		return docker_stop(d, call->container, STOP_GRACE_S, call->timeout_ms,
		                   on_done, f, e);
	case APPLY_EXEC_IN:
		return run_in(f, call, b, dir, e);
	case APPLY_LOOK:
		return docker_inspect(d, call->container, call->timeout_ms, on_done, f,
		                      e);
	case APPLY_EXEC:
		break;
	}
	return err_set(e, ERR_USAGE, "this is nothing for Docker");
}

int docker_apply_start(struct docker_apply *p, const struct apply_call *call,
                       const struct settings_binding *b, const char *dir, struct err *e)
{
	struct effect *f;
	int rc;

	if (!docker_is_up(p->o.docker))
		return err_set(e, ERR_UNREACHABLE, "%s", docker_error(p->o.docker));
	if ((f = calloc(1, sizeof(*f))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	f->p = p;
	f->token = call->token;
	f->kind = call->kind;
	if ((rc = begin(f, call, b, dir, e)) != ERR_OK) {
		free(f);
		return rc;
	}
	f->next = p->effects;
	p->effects = f;
	return ERR_OK;
}
