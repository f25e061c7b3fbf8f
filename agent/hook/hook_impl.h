/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HOOK_IMPL_H
#define AGENT_HOOK_IMPL_H
/*
 * hook_impl - what the files of the module share; nobody else includes it.
 *
 * hook.c          the agent's side
 * hook_order.c    what is asked, and whether it is allowed
 * hook_process.c  the process: its loop
 * hook_run.c      one command: its time, its output, its end
 * hook_spawn.c    how it is started
 *
 * Frames (lib/frame.h).  The process says IPC_HOOK_READY once: [names of what its sandbox
 * lacks], or {error: text} and ends.  An IPC_HOOK_RUN is answered by an IPC_HOOK_DONE of
 * its id:
 *
 *   RUN   {generation, binding, timeout_ms, index}: the command of the index-th of the
 *         bindings that the settings had when the process was forked
 *         {generation, binding, timeout_ms, argv: [text], uid}: one of the server's
 *   DONE  {rc, status, output, detail}
 */
#include "child.h"
#include "frame.h"
#include "hook.h"

#define HOOK_FRAMES_MAX (1024u * 1024) /* queued for the other side */
#define HOOK_NAME_MAX   24u            /* of something that a sandbox lacks */
#define HOOK_ARENA      (64u * 1024)

/* A command that may be run. */
struct hook_order {
	uint64_t token;
	const char *const *argv; /* ends with NULL */
	const char *binding;
	const char *dir; /* of the binding */
	unsigned generation;
	int64_t timeout_ms;
	uid_t uid;
	gid_t gid;
	bool own_gid; /* the user's own, and not ${gid} */
};

/** hook_wanted(s): do the settings have any command that may be run? */
bool hook_wanted(const struct settings *s);

/** hook_order_put(a, s, b, generation): the payload that asks for the command of ${b}. */
struct value *hook_order_put(struct arena *a, const struct settings *s,
                             const struct settings_binding *b, unsigned generation);

/** hook_order_take(a, s, v, o, e): what ${v} asks for; ERR_DENIED: not by these settings.
 * ERR_INVALID: it makes no sense. */
int hook_order_take(struct arena *a, const struct settings *s, const struct value *v,
                    struct hook_order *o, struct err *e) MUST_CHECK;

/** hook_serve(s, fd): the process; does not return. */
_Noreturn void hook_serve(const struct settings *s, int fd);

/* A command that runs. */
struct hook_child {
	pid_t pid;
	int out;    /* what it says */
	int failed; /* a struct child_failure if it could not be executed */
};

/** hook_spawn(o, out, e): ${out}'s descriptors are the caller's and do not block. */
int hook_spawn(const struct hook_order *o, struct hook_child *out, struct err *e)
	MUST_CHECK;

struct hook_runs;
typedef void (*hook_ended_fn)(void *ctx, const struct hook_result *r);

/** hook_runs_new(ended, ctx): ${ended} is called for each that was started, once; NULL if
 * out of memory. */
struct hook_runs *hook_runs_new(hook_ended_fn ended, void *ctx) MUST_CHECK;
/** hook_runs_start(r, o, now, e): ERR_BUSY: too many.  Another error: it was not run. */
int hook_runs_start(struct hook_runs *r, const struct hook_order *o, int64_t now,
                    struct err *e) MUST_CHECK;
struct pollfd;
/** hook_runs_poll(r, fds): at most HOOK_RUNS_MAX; returns how many. */
size_t hook_runs_poll(const struct hook_runs *r, struct pollfd *fds);
/** hook_runs_read(r, fd): something was said. */
void hook_runs_read(struct hook_runs *r, int fd);
/** hook_runs_reap(r): children have ended. */
void hook_runs_reap(struct hook_runs *r);
/** hook_runs_due(r, now): end those whose time is over; when to come again, or -1. */
int64_t hook_runs_due(struct hook_runs *r, int64_t now);
/** hook_runs_kill(r): all of them, and what they left behind; nobody is told. */
void hook_runs_kill(struct hook_runs *r);

#endif
