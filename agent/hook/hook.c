/* SPDX-License-Identifier: Apache-2.0 */
#include "hook.h"

#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/settings.h"
#include "hook_impl.h"
#include "log.h"

#define READY_MS 10000

struct hook {
	struct settings s; /* as the process knows them; those of the agent may change */
	pid_t pid;
	struct frame_conn *conn;
	bool gone;
	struct sandbox_report sandbox;
	char names[SANDBOX_MISSING_MAX][HOOK_NAME_MAX];
	size_t n; /* under way */
	uint64_t tokens[HOOK_RUNS_MAX];
};

/* --- start ---------------------------------------------------------------------------
 */

/* Of what the agent has, the process gets the three standard descriptors and its end. */
_Noreturn static void child(const struct settings *s, int fd)
{
	if ((fd > 3 && close_range(3, (unsigned)fd - 1, 0) != 0) ||
	    close_range((unsigned)fd + 1, ~0u, 0) != 0)
		_exit(1);
	hook_serve(s, fd);
}

static void note_missing(struct hook *h, const struct value *list)
{
	if (list == NULL || list->type != V_ARRAY)
		return;
	for (const struct value *v = list->first;
	     v != NULL && h->sandbox.n < SANDBOX_MISSING_MAX; v = v->next) {
		char *name = h->names[h->sandbox.n];

		if (v->type != V_STRING)
			continue;
		snprintf(name, HOOK_NAME_MAX, "%.*s", (int)v->len, v->text);
		h->sandbox.missing[h->sandbox.n++] = name;
	}
}

static int take_ready(struct hook *h, const struct frame *f, struct err *e)
{
	AUTO_ARENA a = arena_new(HOOK_ARENA);
	struct value *v = NULL;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (f->type != IPC_HOOK_READY)
		return err_set(e, ERR_INTERNAL, "it does not say that it is ready");
	if ((rc = value_decode(a, f->payload, f->len, &v, e)) != ERR_OK)
		return rc;
	note_missing(h, value_get(v, "missing"));
	if (value_get(v, "error") == NULL)
		return ERR_OK;
	return err_set(e, (enum errcode)value_int_or(v, "rc", ERR_INTERNAL), "%.200s",
	               value_cstr_or(a, v, "error", ""));
}

static int await_ready(struct hook *h, struct err *e)
{
	struct pollfd pfd = { .fd = frame_conn_fd(h->conn), .events = POLLIN };
	struct frame f;
	int rc, more;

	do {
		if (poll(&pfd, 1, READY_MS) <= 0)
			return err_set(e, ERR_TIMEOUT, "it does not start");
		if ((rc = frame_read(h->conn, e)) != ERR_OK)
			return rc;
		if ((more = frame_next(h->conn, &f, e)) < 0)
			return (int)e->code;
	} while (more == 0);
	return take_ready(h, &f, e);
}

static int start(struct hook *h, struct err *e)
{
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, ERR_IO, errno, "making a socket");
	h->pid = fork();
	if (h->pid == 0)
		child(&h->s, pair[1]);
	close(pair[1]);
	if (h->pid < 0)
		rc = err_sys(e, ERR_IO, errno, "forking");
	else if ((h->conn = frame_conn_new(pair[0], HOOK_FRAMES_MAX)) == NULL)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else
		return await_ready(h, e);
	close(pair[0]);
	return rc;
}

int hook_start(const struct settings *s, struct hook **out, struct err *e)
{
	struct hook *h;

	*out = NULL;
	if (!hook_wanted(s))
		return ERR_OK;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	h->s = *s;
	if (start(h, e) != ERR_OK) {
		hook_free(h);
		return err_wrap(e, "the process that runs commands");
	}
	*out = h;
	return ERR_OK;
}

void hook_free(struct hook *h)
{
	if (h == NULL)
		return;
	/* That ends it, and it ends what it runs. */
	frame_conn_free(h->conn);
	if (h->pid > 0 && !h->gone)
		(void)waitpid(h->pid, NULL, 0);
	free(h);
}

int hook_fd(const struct hook *h)
{
	return frame_conn_fd(h->conn);
}

bool hook_alive(const struct hook *h)
{
	return h != NULL && !h->gone;
}

const struct sandbox_report *hook_sandbox(const struct hook *h)
{
	return &h->sandbox;
}

/* --- commands ------------------------------------------------------------------------
 */

static void is_gone(struct hook *h)
{
	int status = 0;

	h->gone = true;
	(void)waitpid(h->pid, &status, WNOHANG);
	log_error("the process that runs commands has gone: no more are run until the "
	          "agent is started again",
	          LOG_N("pid", h->pid), LOG_N("wait_status", status));
}

static int ask(struct hook *h, uint64_t token, const struct value *v, struct err *e)
{
	if (v == NULL || frame_put(h->conn, IPC_HOOK_RUN, token, v) != ERR_OK)
		return err_set(e, ERR_NOMEM, "out of memory");
	h->tokens[h->n++] = token;
	/* What the socket does not take now goes with the next one, or with hook_next();
	 * all that can be under way fits into it. */
	if (frame_flush(h->conn, e) != ERR_OK) {
		h->n--;
		is_gone(h);
		return err_set(e, ERR_UNREACHABLE,
		               "the process that runs commands has gone");
	}
	return ERR_OK;
}

int hook_run(struct hook *h, uint64_t token, const struct settings_binding *b,
             unsigned generation, struct err *e)
{
	AUTO_ARENA a = arena_new(HOOK_ARENA);

	if (h == NULL || b->reload != RELOAD_EXEC || b->command.n == 0)
		return err_set(e, ERR_DENIED, "there is no command to run");
	if (h->gone)
		return err_set(e, ERR_UNREACHABLE,
		               "the process that runs commands has gone");
	if (h->n >= HOOK_RUNS_MAX)
		return err_set(e, ERR_BUSY, "too many commands run at once");
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return ask(h, token, hook_order_put(a, &h->s, b, generation), e);
}

static bool forget(struct hook *h, uint64_t call)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->tokens[i] == call) {
			h->tokens[i] = h->tokens[--h->n];
			return true;
		}
	return false;
}

static int take_done(struct hook *h, const struct frame *f, struct hook_result *out)
{
	AUTO_ARENA a = arena_new(HOOK_ARENA);
	struct value *v = NULL;
	struct err e;

	if (a == NULL || f->type != IPC_HOOK_DONE || !forget(h, f->id))
		return -1;
	*out = (struct hook_result){ .token = f->id, .rc = ERR_INTERNAL };
	if (value_decode(a, f->payload, f->len, &v, &e) != ERR_OK)
		return -1;
	out->rc = (int)value_int_or(v, "rc", ERR_INTERNAL);
	out->status = (int)value_int_or(v, "status", 0);
	out->output = value_int_or(v, "output", 0);
	snprintf(out->detail, sizeof(out->detail), "%s",
	         value_cstr_or(a, v, "detail", ""));
	return 0;
}

/* Those that nobody will answer any more. */
static int next_lost(struct hook *h, struct hook_result *out)
{
	if (h->n == 0)
		return 0;
	*out = (struct hook_result){ .token = h->tokens[--h->n], .rc = ERR_UNREACHABLE };
	snprintf(out->detail, sizeof(out->detail),
	         "the process that runs commands has gone");
	return 1;
}

int hook_next(struct hook *h, struct hook_result *out)
{
	struct frame f;
	struct err e;
	int more;

	if (h->gone)
		return next_lost(h, out);
	more = frame_next(h->conn, &f, &e);
	if (more == 0 &&
	    (frame_read(h->conn, &e) != ERR_OK || frame_flush(h->conn, &e) != ERR_OK))
		more = -1;
	else if (more == 0)
		more = frame_next(h->conn, &f, &e);
	if (more > 0 && take_done(h, &f, out) == 0)
		return 1;
	if (more == 0)
		return 0;
	is_gone(h);
	return next_lost(h, out);
}
