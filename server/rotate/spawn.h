/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATE_SPAWN_H
#define SERVER_ROTATE_SPAWN_H
/*
 * spawn - one rotator as a process: clean environment, empty directory, own process
 * group, limits, three pipes and no other descriptor (a script keeps the one of its own
 * text).
 */
#include <sys/types.h>

#include "err.h"
#include "vet.h"

struct spawn_order {
	const char *name; /* argv[0] */
	const char *dir;  /* working directory */
	const struct vetted *file;
};

struct spawned {
	pid_t pid;        /* also its process group */
	int in, out, err; /* our ends, non-blocking and close-on-exec */
};

/** spawn_run(o, out, e): start it.  ERR_IO. */
int spawn_run(const struct spawn_order *o, struct spawned *out, struct err *e) MUST_CHECK;

#endif
