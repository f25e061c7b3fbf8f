/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHILD_H
#define CHILD_H
/*
 * child - another program as a process of ours: a clean environment, limits, a group of
 * its own, no descriptor but those that it is given, no new privileges, and its end with
 * ours.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Whom it runs as. */
struct child_user {
	uid_t uid;
	gid_t gid;
	bool own_gid; /* the user's own by the account database, and not ${gid} */
};

/* 0: as ours; there is never a core file. */
struct child_limits {
	uint64_t memory;    /* bytes of address space */
	uint64_t file_size; /* bytes of a file that it writes */
	uint64_t files;     /* descriptors */
};

struct child_order {
	const char *path; /* absolute; or NULL: */
	int fd;           /* the program itself; it is CHILD_PROGRAM_FD there, */
	bool script;      /* and stays open for an interpreter that opens it again */
	const char *const *argv, *const *env; /* end with NULL */
	const char *dir;                      /* where it begins */
	int in, out, err;                     /* its first three; -1: /dev/null */
	int report; /* the end of a pipe for a struct child_failure, or -1 */
	const struct child_user *user; /* NULL: as ours */
	struct child_limits limits;
	bool session; /* a session of its own; else a process group */
	bool private; /* what it makes is for its user alone */
};

#define CHILD_PROGRAM_FD 3
#define CHILD_NOT_RUN    127 /* its exit status if it could not be executed */

/* What keeps it from being executed.  Written to ${report} at once; without one a line of
 * text goes to ${err}. */
enum child_step { CHILD_STEP_USER = 1, CHILD_STEP_PREPARE, CHILD_STEP_EXEC };
struct child_failure {
	int step; /* enum child_step */
	int error;
};

/** child_start(o, pid, e): ${pid} is its process group, too.  Descriptors stay the
 * caller's.  The caller has one thread.  ERR_IO. */
int child_start(const struct child_order *o, pid_t *pid, struct err *e) MUST_CHECK;

/** child_signals(): as a program expects them: nothing is caught, ignored or blocked. */
void child_signals(void);

/** child_pipe(fd, ours, e): a pipe; both ends are closed by exec, and fd[ours] does not
 * block.  ERR_IO. */
int child_pipe(int fd[2], int ours, struct err *e) MUST_CHECK;
/** child_pipe_close(fd): what is left of it. */
void child_pipe_close(int fd[2]);

#endif
