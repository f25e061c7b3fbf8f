/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "agent/settings.h"
#include "clock.h"
#include "hook_impl.h"
#include "log.h"

#define BIT(cap) (UINT64_C(1) << (cap))
/* To become somebody else, and to end what runs as somebody else. */
#define CAPS_OTHERS (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL))
/* What commands that run as root are expected to do to files. */
#define CAPS_ROOT                                                   \
	(BIT(CAP_CHOWN) | BIT(CAP_FOWNER) | BIT(CAP_DAC_OVERRIDE) | \
	 BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FSETID))

struct process {
	const struct settings *s;
	struct frame_conn *agent;
	struct hook_runs *runs;
	int signals;
	bool over;
};

static void say(struct process *p, enum ipc_type type, uint64_t id, const struct value *v)
{
	/* An agent that does not read is none. */
	if (v == NULL || frame_put(p->agent, type, id, v) != ERR_OK)
		p->over = true;
}

static void done(struct process *p, const struct hook_result *r)
{
	AUTO_ARENA a = arena_new(HOOK_ARENA);
	struct value *v = a != NULL ? value_object(a) : NULL;

	if (v == NULL) {
		p->over = true;
		return;
	}
	value_set_int(a, v, "rc", r->rc);
	value_set_int(a, v, "status", r->status);
	value_set_int(a, v, "output", r->output);
	value_set_str(a, v, "detail", r->detail);
	say(p, IPC_HOOK_DONE, r->token, v);
}

static void on_end(void *ctx, const struct hook_result *r)
{
	done(ctx, r);
}

/* --- orders --------------------------------------------------------------------------
 */

static int take_order(struct process *p, struct arena *a, const struct frame *f,
                      struct err *e)
{
	struct hook_order o = { .token = f->id };
	struct value *v = NULL;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = value_decode(a, f->payload, f->len, &v, e)) != ERR_OK ||
	    (rc = hook_order_take(a, p->s, v, &o, e)) != ERR_OK)
		return rc;
	return hook_runs_start(p->runs, &o, clock_boot(clock_system()), e);
}

static void on_frame(struct process *p, const struct frame *f)
{
	AUTO_ARENA a = arena_new(HOOK_ARENA);
	struct hook_result refused = { .token = f->id };
	struct err e = { 0 };

	if (f->type != IPC_HOOK_RUN) {
		p->over = true;
		return;
	}
	refused.rc = take_order(p, a, f, &e);
	if (refused.rc == ERR_OK)
		return;
	snprintf(refused.detail, sizeof(refused.detail), "%.120s", e.msg);
	done(p, &refused);
}

static void on_agent(struct process *p)
{
	struct frame f;
	struct err e;
	int more = 0;

	if (frame_read(p->agent, &e) != ERR_OK)
		p->over = true;
	while (!p->over && (more = frame_next(p->agent, &f, &e)) > 0)
		on_frame(p, &f);
	p->over |= more < 0;
}

static void on_signal(struct process *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	hook_runs_reap(p->runs);
}

/* --- the loop ------------------------------------------------------------------------
 */

enum { AT_AGENT, AT_SIGNALS, AT_RUNS };

static void turn(struct process *p)
{
	struct pollfd fds[AT_RUNS + HOOK_RUNS_MAX];
	int64_t now = clock_boot(clock_system()), next = hook_runs_due(p->runs, now);
	size_t n = AT_RUNS + hook_runs_poll(p->runs, fds + AT_RUNS);
	struct err e;

	if (frame_flush(p->agent, &e) != ERR_OK) {
		p->over = true;
		return;
	}
	fds[AT_AGENT] = (struct pollfd){ .fd = frame_conn_fd(p->agent),
		                         .events = POLLIN };
	fds[AT_AGENT].events |= frame_pending(p->agent) > 0 ? POLLOUT : 0;
	fds[AT_SIGNALS] = (struct pollfd){ .fd = p->signals, .events = POLLIN };
	if (poll(fds, (nfds_t)n, next < 0 ? -1 : (int)(next - now) + 1) < 0)
		return;
	if (fds[AT_AGENT].revents != 0)
		on_agent(p);
	for (size_t i = AT_RUNS; i < n; i++)
		if (fds[i].revents != 0)
			hook_runs_read(p->runs, fds[i].fd);
	if (fds[AT_SIGNALS].revents != 0)
		on_signal(p);
}

/* --- start ---------------------------------------------------------------------------
 */

/* The agent decides when this ends: when it has gone. */
static int take_signals(struct process *p, struct err *e)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &set, NULL) != 0 ||
	    (p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return err_sys(e, ERR_IO, errno, "taking signals");
	return ERR_OK;
}

static bool runs_as_root(const struct settings *s)
{
	bool any = s->allowed_root && s->allowed_commands.n > 0;

	for (size_t i = 0; i < s->bindings.n; i++)
		any |= settings_bindings(s)[i].reload == RELOAD_EXEC &&
		       settings_bindings(s)[i].run_uid == 0;
	return any;
}

static int set_up(struct process *p, int fd, struct sandbox_report *report, struct err *e)
{
	const struct sandbox_options o = {
		.profile = SANDBOX_HOOK,
		.caps = CAPS_OTHERS | (runs_as_root(p->s) ? CAPS_ROOT : 0),
		.require = p->s->require_sandbox,
	};
	int rc;

	(void)setsid();
	(void)prctl(PR_SET_NAME, "vault-hook", 0, 0, 0);
	if ((p->agent = frame_conn_new(fd, HOOK_FRAMES_MAX)) == NULL ||
	    (p->runs = hook_runs_new(on_end, p)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = take_signals(p, e)) != ERR_OK)
		return rc;
	sandbox_early(report);
	return sandbox_enter(&o, report, e);
}

static void tell_ready(struct process *p, const struct sandbox_report *report, int rc,
                       const struct err *e)
{
	AUTO_ARENA a = arena_new(HOOK_ARENA);
	struct value *v = NULL, *list;

	if (a != NULL && (v = value_object(a)) != NULL) {
		list = value_array(a);
		for (size_t i = 0; i < report->n; i++)
			value_add(list, value_str(a, report->missing[i]));
		value_set(v, "missing", list);
		if (rc != ERR_OK) {
			value_set_int(a, v, "rc", rc);
			value_set_str(a, v, "error", e->msg);
		}
	}
	say(p, IPC_HOOK_READY, 0, v);
}

_Noreturn void hook_serve(const struct settings *s, int fd)
{
	struct process p = { .s = s, .signals = -1 };
	struct sandbox_report report = { 0 };
	struct err e = { 0 };
	int rc = set_up(&p, fd, &report, &e);

	if (p.agent == NULL || p.runs == NULL)
		_exit(1);
	tell_ready(&p, &report, rc, &e);
	if (rc != ERR_OK) {
		(void)!frame_flush(p.agent, &e);
		_exit(1);
	}
	while (!p.over)
		turn(&p);
	hook_runs_kill(p.runs);
	_exit(0);
}
