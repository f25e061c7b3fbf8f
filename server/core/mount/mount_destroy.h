/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MOUNT_DESTROY_H
#define SERVER_CORE_MOUNT_DESTROY_H
/*
 * mount_destroy - the end of a mount: its row and its place in the mirror go with the
 * request; what it holds goes in the slices of a job.
 *
 * An engine says in engines[] (mount_destroy.c) what it has to destroy.
 */
#include "mounts.h"

struct store_object;
struct value;

/* A mount that is gone. */
struct mount_gone {
	unsigned char id[MOUNT_ID];
	const char *path, *type; /* what it was */
	const char
		*place; /* where the engine goes on: "" at first; its own, in the arena */
	int rows;       /* what is left of this slice, in rows written */
	int64_t later_ms; /* the next slice comes so much later; 0: at once */
};

/* One slice: destroy until ${g->rows} is used up; *done when nothing is left. */
typedef int (*mount_destroy_fn)(struct core *c, struct arena *a, struct mount_gone *g,
                                bool *done, struct err *e);

/** mount_unmount(c, a, m, e): it serves nothing from now on; starts the job. */
int mount_unmount(struct core *c, struct arena *a, const struct mount *m, struct err *e)
	MUST_CHECK;
/** mount_destroy_slice: the job "unmount" of jobs.c. */
int mount_destroy_slice(struct core *c, struct arena *a, struct store_object *job,
                        bool *done, struct err *e) MUST_CHECK;

#endif
