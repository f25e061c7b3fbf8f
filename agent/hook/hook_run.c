/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command after it was started.
 *
 * Its process leads a session and a group, which gets SIGTERM when its time is over and
 * SIGKILL HOOK_GRACE_MS later.  What is left of the group when that process ends is
 * killed with it; what has left the group, too, and became our child (we are a
 * subreaper), is killed when nothing else runs that it could belong to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "hook_impl.h"

#define READ_SIZE    65536u
#define LAST_READS   4    /* what it said last; whoever floods is not waited for */
#define KILLED_MS    1000 /* then it is said to have ended, whether it has or not */
#define CHILDREN_MAX 16384u

enum run_state {
	RUN_ON,
	RUN_TERM,  /* has been asked to end */
	RUN_KILL,  /* has been killed */
	RUN_STUCK, /* … and answered: the kernel does not let go of it */
};

struct run {
	struct run *next;
	enum run_state state;
	uint64_t token;
	struct hook_child child; /* descriptors are -1 when they are closed */
	int64_t timeout_ms;
	int64_t due; /* of what comes next in ${state} */
	int64_t said;
};

struct hook_runs {
	hook_ended_fn ended;
	void *ctx;
	struct run *first;
	size_t n;
	int children; /* /proc/thread-self/children, -1: the kernel has no such file */
};

struct hook_runs *hook_runs_new(hook_ended_fn ended, void *ctx)
{
	struct hook_runs *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->ended = ended;
	r->ctx = ctx;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r->children = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	return r;
}

int hook_runs_start(struct hook_runs *r, const struct hook_order *o, int64_t now,
                    struct err *e)
{
	struct run *run;
	int rc;

	if (r->n >= HOOK_RUNS_MAX)
		return err_set(e, ERR_BUSY, "too many commands run at once");
	if ((run = calloc(1, sizeof(*run))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = hook_spawn(o, &run->child, e)) != ERR_OK) {
		free(run);
		return rc;
	}
	run->token = o->token;
	run->timeout_ms = o->timeout_ms;
	run->due = now + o->timeout_ms;
	run->next = r->first;
	r->first = run;
	r->n++;
	return ERR_OK;
}

static void send(const struct run *run, int sig)
{
	/* It may not have come to lead its group yet. */
	(void)kill(-run->child.pid, sig);
	(void)kill(run->child.pid, sig);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- output --------------------------------------------------------------------------
 */

size_t hook_runs_poll(const struct hook_runs *r, struct pollfd *fds)
{
	size_t n = 0;

	for (const struct run *run = r->first; run != NULL; run = run->next)
		if (run->child.out >= 0)
			fds[n++] = (struct pollfd){ .fd = run->child.out,
				                    .events = POLLIN };
	return n;
}

/* How much it says is told, and nothing of what: it may be a value. */
static bool read_some(struct run *run)
{
	static char text[READ_SIZE];
	ssize_t n = read(run->child.out, text, sizeof(text));

	if (n > 0) {
		run->said += n;
		explicit_bzero(text, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&run->child.out);
	return false;
}

void hook_runs_read(struct hook_runs *r, int fd)
{
	for (struct run *run = r->first; run != NULL; run = run->next)
		if (run->child.out == fd) {
			(void)read_some(run);
			return;
		}
}

/* --- ends ----------------------------------------------------------------------------
 */

static void describe(struct hook_result *res, int rc, const char *fmt, ...) PRINTF(3, 4);
static void describe(struct hook_result *res, int rc, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	res->rc = rc;
	va_start(ap, fmt);
	vsnprintf(res->detail, sizeof(res->detail), fmt, ap);
	va_end(ap);
	n = strlen(res->detail);
	if (res->output > 0)
		snprintf(res->detail + n, sizeof(res->detail) - n, ", said %lld bytes",
		         (long long)res->output);
}

static void describe_failure(struct hook_result *res, const struct child_failure *f)
{
	const char *why = strerrordesc_np(f->error);

	why = why != NULL ? why : "unknown error";
	if (f->step == CHILD_STEP_EXEC && (f->error == ENOENT || f->error == ENOTDIR))
		describe(res, ERR_NOENT, "there is no such program");
	else if (f->step == CHILD_STEP_EXEC)
		describe(res, ERR_DENIED, "it cannot be executed: %s", why);
	else if (f->step == CHILD_STEP_USER)
		describe(res, ERR_DENIED, "it cannot run as its user: %s", why);
	else
		describe(res, ERR_IO, "it could not be started: %s", why);
}

static void describe_end(const struct run *run, struct hook_result *res)
{
	struct child_failure f;

	if (run->child.failed >= 0 &&
	    read(run->child.failed, &f, sizeof(f)) == (ssize_t)sizeof(f)) {
		res->status = 0;
		describe_failure(res, &f);
	} else if (run->state != RUN_ON) {
		describe(res, ERR_TIMEOUT, "it did not end in %lld ms",
		         (long long)run->timeout_ms);
	} else if (WIFSIGNALED(res->status)) {
		describe(res, ERR_IO, "killed by signal %d", WTERMSIG(res->status));
	} else {
		describe(res, WEXITSTATUS(res->status) == 0 ? ERR_OK : ERR_IO,
		         "exit status %d", WEXITSTATUS(res->status));
	}
}

static void answer(struct hook_runs *r, struct run *run, int status)
{
	struct hook_result res = { .token = run->token, .status = status };

	for (int i = 0; i < LAST_READS && run->child.out >= 0 && read_some(run); i++)
		;
	res.output = run->said;
	describe_end(run, &res);
	close_fd(&run->child.out);
	close_fd(&run->child.failed);
	r->ended(r->ctx, &res);
}

static void end(struct hook_runs *r, struct run **at, int status)
{
	struct run *run = *at;

	if (run->state != RUN_STUCK)
		answer(r, run, status);
	close_fd(&run->child.out);
	close_fd(&run->child.failed);
	*at = run->next;
	r->n--;
	free(run);
}

static void kill_strays(const struct hook_runs *r)
{
	static char text[CHILDREN_MAX];
	ssize_t n = r->children < 0 ? -1 : pread(r->children, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (char *p = text, *end; *p != '\0'; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		end += *end == ' ' ? 1 : 0;
		/* Ours until we have reaped it, so the number is nobody else's. */
		if (pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
	}
}

void hook_runs_reap(struct hook_runs *r)
{
	siginfo_t info = { 0 };

	/* A look first: while it is not reaped, its group's number is its own. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0) {
		struct run **at = &r->first;
		int status = 0;

		while (*at != NULL && (*at)->child.pid != info.si_pid)
			at = &(*at)->next;
		if (*at != NULL)
			(void)kill(-info.si_pid, SIGKILL);
		if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid && *at != NULL)
			end(r, at, status);
		info.si_pid = 0;
	}
	if (r->n == 0)
		kill_strays(r);
}

/* --- time ----------------------------------------------------------------------------
 */

static void run_due(struct hook_runs *r, struct run *run, int64_t now)
{
	switch (run->state) {
	case RUN_ON:
		run->state = RUN_TERM;
		run->due = now + HOOK_GRACE_MS;
		send(run, SIGTERM);
		/* One that was stopped has to hear it. */
		send(run, SIGCONT);
		break;
	case RUN_TERM:
		run->state = RUN_KILL;
		run->due = now + KILLED_MS;
		send(run, SIGKILL);
		break;
	case RUN_KILL:
		answer(r, run, 0);
		run->state = RUN_STUCK;
		run->due = INT64_MAX;
		break;
	case RUN_STUCK:
		break;
	}
}

int64_t hook_runs_due(struct hook_runs *r, int64_t now)
{
	int64_t next = INT64_MAX;

	for (struct run *run = r->first; run != NULL; run = run->next) {
		if (now >= run->due)
			run_due(r, run, now);
		if (run->due < next)
			next = run->due;
	}
	return next == INT64_MAX ? -1 : next;
}

void hook_runs_kill(struct hook_runs *r)
{
	for (const struct run *run = r->first; run != NULL; run = run->next)
		send(run, SIGKILL);
	/* Children become ours as their parents die; each round ends a generation. */
	do {
		kill_strays(r);
	} while (waitpid(-1, NULL, r->children >= 0 ? 0 : WNOHANG) > 0 || errno == EINTR);
}
