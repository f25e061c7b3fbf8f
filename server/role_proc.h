/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROLE_PROC_H
#define SERVER_ROLE_PROC_H
/*
 * role_proc - one child process of the supervisor and the control socket to it.
 *
 * A role is this very program, executed anew as "vaultd --role NAME" with an empty
 * environment, its control socket as descriptor 3 and nothing else inherited but stderr.
 * What it sends is read without blocking and only ever taken for control frames; what it
 * is sent may block for ROLE_SEND_SECONDS at most.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "err.h"
#include "frame.h"

#define ROLE_CONTROL_FD   3
#define ROLE_SEND_SECONDS 5

enum role_kind { ROLE_CORE, ROLE_NET_API, ROLE_NET_HOSTS, ROLE_ROTATE, ROLE_TLSKEY };

enum role_state {
	ROLE_STARTING, /* no IPC_READY yet */
	ROLE_READY,
	ROLE_DRAINING,
};

struct role_proc {
	pid_t pid; /* 0: the entry is free */
	enum role_kind kind;
	enum role_state state;
	struct frame_conn *control; /* NULL once it said something wrong or hung up */
	uint64_t peer;              /* its number, never used twice */
	int64_t kill_at;            /* boot ms after which it gets SIGKILL; -1: never */
	bool linked;                /* has been given a socket to the present core */
	struct value *ready;        /* what IPC_READY said, in ready_arena */
	struct arena *ready_arena;
	char failed[ERR_MSG_MAX]; /* what IPC_FAILED said, or empty */
};

/** role_name(kind): the argument of --role: "core", "net", "rotate" or "tlskey". */
const char *role_name(enum role_kind kind);

/** role_spawn(p, kind, e): start the process; ${p} is overwritten. */
int role_spawn(struct role_proc *p, enum role_kind kind, struct err *e) MUST_CHECK;

/** role_send(p, type, v, fd, e): one control frame, with ${fd} attached unless -1 (not
 * closed here). */
int role_send(struct role_proc *p, enum ipc_type type, const struct value *v, int fd,
              struct err *e) MUST_CHECK;

/**
 * role_receive(p): read what is there and note IPC_READY (state, ready) and IPC_FAILED
 * (failed).  True if the process has just become ready.  Anything but a control frame,
 * and the end of the stream, ends the conversation: the process is killed if it still
 * runs.
 */
bool role_receive(struct role_proc *p);

/** role_ended(p): has the process ended?  It can still be received from until it is
 * reaped. */
bool role_ended(const struct role_proc *p);

/** role_reap(p): wait for its end; what waitpid() said. */
int role_reap(struct role_proc *p);

/** role_kill(p): SIGKILL. */
void role_kill(const struct role_proc *p);

/** role_forget(p): release everything of a process that was reaped; the entry is free
 * again. */
void role_forget(struct role_proc *p);

/** role_describe_end(status, out, cap): "ended with status 3", "was killed by signal 9".
 */
void role_describe_end(int status, char *out, size_t cap);

#endif
