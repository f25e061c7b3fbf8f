/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "call_impl.h"
#include "clock.h"
#include "log.h"

/* The request, its tree, and the forms that its values may be said in. */
#define CALL_ARENA   (64u * LIMIT_STEP_REQUEST)
#define CHILDREN_MAX 4096

struct calls *calls_new(const struct calls_options *o)
{
	struct calls *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return NULL;
	cs->o = *o;
	cs->last = &cs->first;
	return cs;
}

static void call_free(struct call *k)
{
	arena_free(k->a);
	free(k);
}

/* Those that were answered. */
static void sweep(struct calls *cs)
{
	struct call **at = &cs->first;

	while (*at != NULL) {
		struct call *k = *at;

		if (k->state == CALL_ENDED) {
			*at = k->next;
			call_free(k);
		} else {
			at = &k->next;
		}
	}
	cs->last = at;
}

void calls_free(struct calls *cs)
{
	if (cs == NULL)
		return;
	while (cs->first != NULL) {
		struct call *k = cs->first;

		cs->first = k->next;
		call_free(k);
	}
	free(cs);
}

/* ---- taking calls ---- */

static const struct value *row_of(const struct calls *cs, const struct value *name)
{
	const struct value *v = cs->o.rotators != NULL ? cs->o.rotators->first : NULL;

	while (v != NULL && !value_equal(value_get(v, "name"), name))
		v = v->next;
	return v;
}

static bool read_call(struct call *k, const void *payload, size_t n)
{
	void *copy = arena_dup(k->a, payload, n);
	const struct value *name;
	struct value *v = NULL;
	struct err e;

	if (copy == NULL || value_decode(k->a, copy, n, &v, &e) != ERR_OK)
		return false;
	name = value_get(v, "rotator");
	k->request = value_get(v, "request");
	k->deadline_ms = clock_boot(clock_system()) + value_int_or(v, "timeout_ms", 0);
	k->name = value_cstr_or(k->a, v, "rotator", "?");
	k->op = value_cstr_or(k->a, k->request, "op", "?");
	k->attempt = value_cstr_or(k->a, k->request, "attempt", "");
	k->row = name != NULL ? row_of(k->calls, name) : NULL;
	return true;
}

void calls_add(struct calls *cs, uint64_t id, const void *payload, size_t n)
{
	struct call *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return; /* core's deadline ends it */
	*k = (struct call){
		.calls = cs, .id = id, .name = "?", .op = "?", .attempt = ""
	};
	k->proc = (struct spawned){ .in = -1, .out = -1, .err = -1 };
	k->a = arena_new(CALL_ARENA);
	if (k->a == NULL) {
		free(k);
		return;
	}
	*cs->last = k;
	cs->last = &k->next;
	if (!read_call(k, payload, n))
		call_unknown(k, false, "the call cannot be understood");
	else if (k->row == NULL)
		call_unknown(k, false, "there is no rotator of this name");
}

void calls_cancel(struct calls *cs, uint64_t id, bool running_too)
{
	for (struct call *k = cs->first; k != NULL; k = k->next) {
		if (k->id != id || k->state == CALL_ENDED)
			continue;
		if (k->state == CALL_QUEUED) {
			k->state = CALL_ENDED;
			continue;
		}
		k->silent = true;
		if (running_too)
			call_end(k, "it was cancelled", clock_boot(clock_system()));
	}
}

void calls_abandon(struct calls *cs)
{
	for (struct call *k = cs->first; k != NULL; k = k->next)
		calls_cancel(cs, k->id, true);
	sweep(cs);
}

size_t calls_running(const struct calls *cs)
{
	return cs->running;
}

/* ---- events ---- */

static bool alive(const struct call *k)
{
	return k->state == CALL_RUNNING || k->state == CALL_ENDING;
}

nfds_t calls_poll(const struct calls *cs, struct pollfd *fds)
{
	nfds_t n = 0;

	for (const struct call *k = cs->first; k != NULL; k = k->next) {
		if (!alive(k))
			continue;
		if (k->proc.in >= 0)
			fds[n++] = (struct pollfd){ k->proc.in, POLLOUT, 0 };
		if (k->proc.out >= 0)
			fds[n++] = (struct pollfd){ k->proc.out, POLLIN, 0 };
		if (k->proc.err >= 0)
			fds[n++] = (struct pollfd){ k->proc.err, POLLIN, 0 };
	}
	return n;
}

static void on_ready(struct call *k, int fd)
{
	if (fd == k->proc.in)
		call_write(k);
	else if (fd == k->proc.out)
		call_read(k);
	else if (fd == k->proc.err)
		call_listen(k);
}

void calls_ready(struct calls *cs, const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		for (struct call *k = cs->first; k != NULL && fds[i].revents != 0;
		     k = k->next)
			if (alive(k))
				on_ready(k, fds[i].fd);
}

int64_t calls_next_ms(const struct calls *cs)
{
	int64_t next = INT64_MAX;

	for (const struct call *k = cs->first; k != NULL; k = k->next) {
		int64_t at = k->state == CALL_ENDED    ? 0
		             : k->state == CALL_ENDING ? k->kill_at_ms
		                                       : k->deadline_ms;

		if (k->state == CALL_QUEUED && cs->running < LIMIT_STEPS_RUNNING)
			at = 0;
		next = at < next ? at : next;
	}
	return next == INT64_MAX ? -1 : next;
}

static void check_deadline(struct call *k, int64_t now)
{
	if (k->state == CALL_QUEUED && k->deadline_ms <= now)
		call_unknown(k, false, "it did not get its turn before the deadline");
	else if (k->state == CALL_RUNNING && k->deadline_ms <= now)
		call_end(k, "it did not reply before the deadline", now);
	else if (k->state == CALL_ENDING && k->kill_at_ms <= now) {
		k->kill_at_ms = INT64_MAX;
		call_kill(k);
	}
}

void calls_tick(struct calls *cs)
{
	int64_t now = clock_boot(clock_system());

	for (struct call *k = cs->first; k != NULL; k = k->next) {
		check_deadline(k, now);
		if (k->state == CALL_QUEUED && cs->running < LIMIT_STEPS_RUNNING)
			call_start(k);
	}
	sweep(cs);
}

/* ---- ends ---- */

static struct call *call_of(const struct calls *cs, pid_t pid)
{
	struct call *k = cs->first;

	while (k != NULL && (!alive(k) || k->proc.pid != pid))
		k = k->next;
	return k;
}

/* Its parent has ended and it is in no group that is still at work. */
static void end_stray(const struct calls *cs, pid_t pid)
{
	pid_t group = getpgid(pid);

	if (group < 0 || call_of(cs, pid) != NULL || call_of(cs, group) != NULL)
		return;
	log_warn("a process that a rotator left behind is killed", LOG_N("pid", pid));
	(void)kill(pid, SIGKILL);
}

static void end_strays(const struct calls *cs, int children)
{
	char list[CHILDREN_MAX + 1], *at = list, *end;
	ssize_t n = children >= 0 ? pread(children, list, CHILDREN_MAX, 0) : -1;

	if (n <= 0)
		return;
	list[n] = '\0';
	/* What is behind the last blank may be half a number; another signal follows. */
	for (;; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at || *end != ' ')
			return;
		if (pid > 1)
			end_stray(cs, (pid_t)pid);
	}
}

void calls_reap(struct calls *cs, int children)
{
	siginfo_t si = { .si_pid = 0 };
	int status;

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid > 0) {
		struct call *k = call_of(cs, si.si_pid);

		/* While it is not reaped nobody else can have its number. */
		if (k != NULL)
			call_kill(k);
		if (waitpid(si.si_pid, &status, 0) == si.si_pid && k != NULL)
			call_ended(k, status);
		si.si_pid = 0;
	}
	end_strays(cs, children);
	sweep(cs);
}
