/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATE_CALL_H
#define SERVER_ROTATE_CALL_H
/*
 * call - the calls of rotators: those that wait for their turn and those that run.
 *
 * A call ends with exactly one answer to core, or with none if it was cancelled.  It
 * keeps its values no longer than it lives.  One thread; the caller polls.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "value.h"
#include "vault/limits.h"

struct calls;

struct calls_options {
	const char *work_dir; /* borrowed, as are the others */
	uid_t trusted;
	const struct value *rotators; /* array of {name, path, sha256, timeout_ms} */
	/* A payload of an IPC_STEP_REPLY. */
	void (*answer)(void *ctx, uint64_t id, const struct value *reply);
	void *ctx;
};

/** calls_new(o): NULL if out of memory. */
struct calls *calls_new(const struct calls_options *o) MUST_CHECK;
/** calls_free(cs): nothing may run any more. */
void calls_free(struct calls *cs);

/** calls_add(cs, id, payload, n): an IPC_STEP; what cannot be run is answered at once. */
void calls_add(struct calls *cs, uint64_t id, const void *payload, size_t n);
/** calls_cancel(cs, id, running_too): forget one that waits; end one that runs, if that
 * is wanted. */
void calls_cancel(struct calls *cs, uint64_t id, bool running_too);
/** calls_abandon(cs): nobody wants to know any more: end all of them. */
void calls_abandon(struct calls *cs);

/** calls_running(cs): processes that have not ended yet. */
size_t calls_running(const struct calls *cs);

#define CALLS_POLL_MAX (3 * LIMIT_STEPS_RUNNING)
/** calls_poll(cs, fds): what to wait for; how many entries were filled in. */
nfds_t calls_poll(const struct calls *cs, struct pollfd *fds);
/** calls_ready(cs, fds, n): after poll(). */
void calls_ready(struct calls *cs, const struct pollfd *fds, nfds_t n);
/** calls_next_ms(cs): boot time of the next deadline, or -1. */
int64_t calls_next_ms(const struct calls *cs);
/** calls_tick(cs): what is due: deadlines, and those whose turn it is. */
void calls_tick(struct calls *cs);
/** calls_reap(cs, children): after SIGCHLD: processes that have ended, and those that a
 * rotator left behind; ${children} is the open /proc/thread-self/children, or -1. */
void calls_reap(struct calls *cs, int children);

#endif
