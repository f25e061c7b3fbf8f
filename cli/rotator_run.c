/* SPDX-License-Identifier: Apache-2.0 */
#include "rotator_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* The read end that fills up, or the write end that empties. */
struct stream {
	int fd;
	char *p;
	size_t len, cap;
};

struct child {
	pid_t pid;
	struct stream in, out, err;
	int64_t start_us;
	bool flooded;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void close_stream(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* --- starting --- */

static int spawn(struct child *c, const struct rotator_call *call, const int fds[3],
                 struct err *e)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
	char home[256], tmp[256], *env[] = { path, lang, home, tmp, NULL };
	char name[] = "rotator", *argv[] = { name, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int rc;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGALRM);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	snprintf(home, sizeof(home), "HOME=%s", call->dir);
	snprintf(tmp, sizeof(tmp), "TMPDIR=%s", call->dir);
	posix_spawn_file_actions_addchdir_np(&actions, call->dir);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                                        POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	rc = posix_spawn(&c->pid, call->program, &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc == 0 ? ERR_OK
	               : err_sys(e, rc == ENOENT ? ERR_NOENT : ERR_IO, rc, "%.120s",
	                         call->program);
}

static int start(struct child *c, const struct rotator_call *call, struct err *e)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, theirs[3], rc = ERR_OK;

	for (int i = 0; i < 3 && rc == ERR_OK; i++)
		if (pipe2(pipes[i], O_CLOEXEC) != 0)
			rc = err_sys(e, ERR_IO, errno, "pipe");
	theirs[0] = pipes[0][0];
	theirs[1] = pipes[1][1];
	theirs[2] = pipes[2][1];
	c->start_us = now_us();
	if (rc == ERR_OK)
		rc = spawn(c, call, theirs, e);
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	c->in.fd = pipes[0][1];
	c->out.fd = pipes[1][0];
	c->err.fd = pipes[2][0];
	if (c->in.fd >= 0)
		fcntl(c->in.fd, F_SETFL, O_NONBLOCK);
	return rc;
}

/* --- talking --- */

static void feed(struct child *c)
{
	ssize_t n = write(c->in.fd, c->in.p + c->in.len, c->in.cap - c->in.len);

	if (n > 0)
		c->in.len += (size_t)n;
	/* It may have an answer before it has read everything. */
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || c->in.len == c->in.cap)
		close_stream(&c->in);
}

static void drain(struct child *c, struct stream *s)
{
	ssize_t n = read(s->fd, s->p + s->len, s->cap - s->len);

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close_stream(s);
		return;
	}
	s->len += (size_t)n;
	if (s->len == s->cap) {
		c->flooded = true;
		close_stream(s);
	}
}

/* Until both outputs are closed; false when the time is over. */
static bool talk(struct child *c, int64_t end_us)
{
	while (c->out.fd >= 0 || c->err.fd >= 0) {
		struct pollfd fds[] = {
			{.fd = c->in.fd,   .events = POLLOUT},
			{ .fd = c->out.fd, .events = POLLIN },
			{ .fd = c->err.fd, .events = POLLIN },
		};
		int64_t left = end_us - now_us();
		struct timespec t = { .tv_sec = left / 1000000,
			              .tv_nsec = left % 1000000 * 1000 };

		if (left <= 0)
			return false;
		if (ppoll(fds, 3, &t, NULL) <= 0)
			continue;
		if (fds[0].revents != 0)
			feed(c);
		if (fds[1].revents != 0)
			drain(c, &c->out);
		if (fds[2].revents != 0)
			drain(c, &c->err);
		if (c->flooded)
			return true;
	}
	return true;
}

/* Its end, which is near: it has closed its outputs, or was killed. */
static bool wait_until(struct child *c, int64_t end_us, int *status)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (waitpid(c->pid, status, WNOHANG) == 0) {
		if (now_us() > end_us)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* --- judging --- */

static bool expected_signal(int number)
{
	return number == SIGALRM || number == SIGTERM || number == SIGKILL;
}

static void judge(struct child *c, int status, struct rotator_result *r)
{
	if (c->flooded) {
		r->end = ROTATOR_FLOODED;
		return;
	}
	r->end = ROTATOR_NO_REPLY;
	if (WIFSIGNALED(status) && !expected_signal(WTERMSIG(status)))
		r->end = ROTATOR_CRASHED;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return;
	r->reply = json_loadb(c->out.p, c->out.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(r->reply)) {
		r->end = ROTATOR_REPLIED;
		return;
	}
	json_decref(r->reply);
	r->reply = NULL;
}

static void signal_all(const struct child *c, int number)
{
	(void)kill(-c->pid, number); /* with what it has started */
	(void)kill(c->pid, number);
}

/* As vaultd does it: SIGTERM at the deadline, SIGKILL after the grace.  Or SIGKILL at the
 * chosen moment. */
static void see_to_its_end(struct child *c, const struct rotator_call *call,
                           struct rotator_result *r)
{
	int64_t deadline_us = c->start_us + call->deadline_ms * 1000,
		grace_us = deadline_us + ROTATOR_GRACE_MS * 1000;
	bool chosen = call->kill_us >= 0 && c->start_us + call->kill_us < deadline_us;
	int status = 0;

	if (chosen)
		deadline_us = c->start_us + call->kill_us;
	if (talk(c, deadline_us) && !c->flooded && wait_until(c, deadline_us, &status)) {
		judge(c, status, r);
		return;
	}
	if (!chosen && !c->flooded) {
		signal_all(c, SIGTERM);
		if (talk(c, grace_us) && wait_until(c, grace_us, &status)) {
			judge(c, status, r);
			return;
		}
	}
	signal_all(c, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	r->end = c->flooded ? ROTATOR_FLOODED : chosen ? ROTATOR_KILLED : ROTATOR_LATE;
}

static int with_buffers(struct child *c, const struct rotator_call *call,
                        struct rotator_result *r, struct err *e)
{
	int rc = start(c, call, e);

	if (rc != ERR_OK)
		return rc;
	see_to_its_end(c, call, r);
	r->took_us = now_us() - c->start_us;
	return ERR_OK;
}

int rotator_run(const struct rotator_call *call, struct rotator_result *out,
                struct err *e)
{
	struct child c = { .in = { .fd = -1 }, .out = { .fd = -1 }, .err = { .fd = -1 } };
	int rc;

	*out = (struct rotator_result){ 0 };
	c.in.p = (char *)(uintptr_t)call->input;
	c.in.cap = call->input_len;
	c.out.cap = c.err.cap = ROTATOR_OUTPUT_MAX + 1;
	c.out.p = calloc(1, c.out.cap + 1);
	c.err.p = calloc(1, c.err.cap + 1);
	if (c.out.p == NULL || c.err.p == NULL)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else
		rc = with_buffers(&c, call, out, e);
	close_stream(&c.in);
	close_stream(&c.out);
	close_stream(&c.err);
	if (c.out.p != NULL)
		sodium_memzero(c.out.p, c.out.cap);
	free(c.out.p);
	out->err = c.err.p;
	out->err_len = c.err.len;
	return rc;
}

void rotator_result_clear(struct rotator_result *r)
{
	json_decref(r->reply);
	if (r->err != NULL)
		sodium_memzero(r->err, r->err_len);
	free(r->err);
	*r = (struct rotator_result){ 0 };
}
