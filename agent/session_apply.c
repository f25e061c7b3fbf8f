/* SPDX-License-Identifier: Apache-2.0 */
#include "session_apply.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/hook/hook.h"
#include "log.h"
#include "session_apply_impl.h"

static const struct settings_binding *set_of(const struct session *s, const char *name)
{
	size_t i = plan_binding(s->plan, name);

	return i < s->plan->n_bindings ? &s->plan->bindings[i].set : NULL;
}

/* --- what the machine asks for -------------------------------------------------------
 */

static int on_start(void *ctx, const struct apply_call *call, struct err *e)
{
	const struct session_apply *p = ctx;
	const struct settings_binding *b = set_of(p->s, call->binding);

	if (b == NULL)
		return err_set(e, ERR_DENIED, "the binding has gone");
	if (call->kind != APPLY_EXEC)
		return apply_docker_start(p, call, b, e);
	log_info("running the command", LOG_S("binding", call->binding),
	         LOG_N("generation", call->generation), LOG_N("try", call->attempt + 1));
	return hook_run(p->s->o.hook, call->token, b, call->generation, e);
}

static int on_rollback(void *ctx, const char *binding, unsigned from, unsigned to,
                       struct err *e)
{
	const struct session_apply *p = ctx;
	int rc = files_rollback(p->s->o.files, binding, from, to, session_now(p->s), e);

	if (rc == ERR_OK)
		log_warn("the generation before was put back", LOG_S("binding", binding),
		         LOG_N("generation", to), LOG_N("instead_of", from));
	else
		log_error("the generation before could not be put back",
		          LOG_S("binding", binding), LOG_N("generation", to),
		          LOG_S("why", e->msg));
	return rc;
}

static void on_verdict(void *ctx, const char *binding, unsigned generation,
                       enum apply_verdict v, const char *why)
{
	session_verdict(((const struct session_apply *)ctx)->s, binding, generation, v,
	                why);
}

static void on_store(void *ctx, const char *binding, unsigned generation,
                     const struct apply_note *note)
{
	const struct session_apply *p = ctx;
	struct err e = { 0 };

	/* At worst it is judged again after a restart. */
	if (files_note(p->s->o.files, binding, generation, note, &e) != ERR_OK)
		log_warn("a verdict could not be noted", LOG_S("binding", binding),
		         LOG_N("generation", generation), LOG_S("why", e.msg));
}

static uint32_t on_dice(void *ctx UNUSED)
{
	return session_random();
}

/* --- what the files tell -------------------------------------------------------------
 */

static void on_next(void *ctx, const char *binding, struct apply_note *note)
{
	apply_next(((const struct session_apply *)ctx)->machine, binding, note);
}

static bool is_gated(const struct session *s, const char *binding)
{
	const struct settings_binding *b = set_of(s, binding);

	return b != NULL && b->reload != RELOAD_NONE;
}

static void on_placed(void *ctx, const char *binding, unsigned generation)
{
	const struct session_apply *p = ctx;

	/* The machine first: it may have to say that one before was superseded. */
	apply_generation(p->machine, binding, generation, session_now(p->s));
	if (is_gated(p->s, binding))
		session_gate_open(p->s, binding, generation);
}

static unsigned on_keeps(void *ctx, const char *binding)
{
	return apply_keeps(((const struct session_apply *)ctx)->machine, binding);
}

static void on_wiped(void *ctx, const char *binding)
{
	const struct session_apply *p = ctx;

	apply_revoked(p->machine, binding, files_generation(p->s->o.files, binding),
	              session_now(p->s));
}

/* --- the plan ------------------------------------------------------------------------
 */

static void forget_names(struct session_apply *p)
{
	for (size_t i = 0; i < p->n_names; i++)
		free(p->names[i]);
	free(p->names);
	p->names = NULL;
	p->n_names = 0;
}

static bool was_known(const struct session_apply *p, const char *name)
{
	for (size_t i = 0; i < p->n_names; i++)
		if (strcmp(p->names[i], name) == 0)
			return true;
	return false;
}

/* Those of the plan; NULL: out of memory. */
static char **copy_names(const struct plan *plan)
{
	char **names = calloc(plan->n_bindings + 1, sizeof(*names));

	for (size_t i = 0; names != NULL && i < plan->n_bindings; i++)
		if ((names[i] = strdup(plan->bindings[i].set.name)) == NULL) {
			while (i > 0)
				free(names[--i]);
			free(names);
			return NULL;
		}
	return names;
}

/* A binding that is new to the machine may have been in place for long. */
static void introduce(struct session_apply *p, const struct settings_binding *b)
{
	struct session *s = p->s;
	unsigned generation = files_generation(s->o.files, b->name);
	struct apply_note note = files_noted(s->o.files, b->name);

	apply_restore(p->machine, b->name, generation, &note, session_now(s));
	if (generation != 0 && !note.judged && b->reload != RELOAD_NONE)
		session_gate_open(s, b->name, generation);
}

static int take_bindings(struct session_apply *p, struct err *e)
{
	const struct plan *plan = p->s->plan;
	char **names = copy_names(plan);
	int rc;

	if (names == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < p->n_names; i++)
		if (set_of(p->s, p->names[i]) == NULL)
			apply_forget(p->machine, p->names[i], session_now(p->s));
	rc = ERR_OK;
	for (size_t i = 0; i < plan->n_bindings && rc == ERR_OK; i++) {
		const struct settings_binding *b = set_of(p->s, names[i]);

		if (b != NULL && (rc = apply_binding(p->machine, b, e)) == ERR_OK &&
		    !was_known(p, names[i]))
			introduce(p, b);
	}
	forget_names(p);
	p->names = names;
	p->n_names = plan->n_bindings;
	return rc;
}

void session_apply_replan(struct session *s)
{
	struct err e = { 0 };

	if (s->apply == NULL)
		return;
	if (take_bindings(s->apply, &e) != ERR_OK) {
		snprintf(s->error, sizeof(s->error), "planning: %.150s", e.msg);
		log_error("applications may not be told of changes", LOG_S("why", e.msg));
	}
	/* Bindings that are new are not known to be used by anybody. */
	apply_docker_describe_all(s->apply);
}

/* --- the loop ------------------------------------------------------------------------
 */

static int watch_hook(struct session_apply *p, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (!hook_alive(p->s->o.hook))
		return ERR_OK;
	p->hook_fd = ev.data.fd = hook_fd(p->s->o.hook);
	if (epoll_ctl(p->s->epoll_fd, EPOLL_CTL_ADD, p->hook_fd, &ev) != 0)
		return err_sys(e, ERR_IO, errno, "watching the process for commands");
	return ERR_OK;
}

int session_apply_start(struct session *s, struct err *e)
{
	const struct apply_ops ops = {
		.start = on_start,
		.rollback = on_rollback,
		.verdict = on_verdict,
		.store = on_store,
		.dice = on_dice,
	};
	struct session_apply *p = calloc(1, sizeof(*p));
	struct apply_options o = {
		.ops = ops,
		.docker = s->o.settings->docker.socket != NULL,
	};
	struct files_judge judge = {
		.next = on_next,
		.placed = on_placed,
		.keeps = on_keeps,
		.wiped = on_wiped,
		.ctx = p,
	};
	int rc;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->apply = p;
	p->s = s;
	p->hook_fd = -1;
	o.ops.ctx = p;
	if ((rc = apply_new(&o, &p->machine, e)) != ERR_OK ||
	    (rc = take_bindings(p, e)) != ERR_OK)
		return rc;
	files_set_judge(s->o.files, &judge);
	if ((rc = apply_docker_open(p, e)) != ERR_OK)
		return rc;
	return watch_hook(p, e);
}

void session_apply_free(struct session_apply *p)
{
	static const struct files_judge nobody;

	if (p == NULL)
		return;
	apply_docker_close(p);
	files_set_judge(p->s->o.files, &nobody);
	apply_free(p->machine);
	forget_names(p);
	free(p);
}

bool session_apply_event(struct session *s, int fd)
{
	struct session_apply *p = s->apply;
	struct hook_result r;

	if (p == NULL || fd < 0 || fd != p->hook_fd)
		return false;
	while (hook_next(s->o.hook, &r) > 0) {
		s->counts.hook_failures += r.rc != 0 ? 1 : 0;
		apply_done(p->machine, r.token, r.rc, r.detail, session_now(s));
	}
	if (!hook_alive(s->o.hook)) {
		(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, p->hook_fd, NULL);
		p->hook_fd = -1;
		snprintf(s->error, sizeof(s->error),
		         "the process that runs commands has gone");
	}
	return true;
}

int64_t session_apply_due(struct session *s, int64_t now)
{
	return s->apply != NULL ? apply_due(s->apply->machine, now) : -1;
}

/* --- what it looks like --------------------------------------------------------------
 */

static const char *const reload_names[] = {
	[RELOAD_NONE] = "none",       [RELOAD_SIGNAL] = "signal",
	[RELOAD_RESTART] = "restart", [RELOAD_EXEC] = "exec",
	[RELOAD_EXEC_IN] = "exec-in",
};

json_t *session_apply_status(const struct session *s)
{
	json_t *list = json_array();

	for (size_t i = 0; s->apply != NULL && i < s->plan->n_bindings; i++) {
		const struct settings_binding *b = &s->plan->bindings[i].set;
		json_t *o = json_pack("{s:s, s:b, s:s}", "name", b->name, "granted",
		                      s->plan->bindings[i].granted, "reload",
		                      reload_names[b->reload]);
		json_t *more = apply_status(s->apply->machine, b->name, session_now(s));

		if (more != NULL)
			(void)json_object_update_new(o, more);
		(void)json_array_append_new(list, o);
	}
	return list;
}

json_t *session_commands_status(const struct session *s)
{
	json_t *missing;

	if (s->o.hook == NULL)
		return json_null();
	missing = json_array();
	for (size_t i = 0; i < hook_sandbox(s->o.hook)->n; i++)
		(void)json_array_append_new(
			missing, json_string(hook_sandbox(s->o.hook)->missing[i]));
	return json_pack("{s:b, s:o}", "alive", hook_alive(s->o.hook), "not_enforced",
	                 missing);
}
