/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MOUNT_MOVE_H
#define SERVER_CORE_MOUNT_MOVE_H
/*
 * mount_move - moving a mount: its path changes with the request, since what it holds
 * hangs on its id; what remembers full paths follows in the slices of a job.
 *
 * Leases end, as in Vault: what a host may have is said by path, and the new one has not
 * been asked for.  What an operator revoked stays revoked.  Rotation rules move along.
 */
#include "mounts.h"

struct store_object;

#define MOVE_ID_TEXT 37u /* like a UUID, with its NUL */

/** mount_move(c, a, m, to, id, e): ${m} is at ${to} from now on; ${id} asks how far it
 * is. */
int mount_move(struct core *c, struct arena *a, const struct mount *m, const char *to,
               char id[MOVE_ID_TEXT], struct err *e) MUST_CHECK;

struct mount_move {
	const char *from, *to;
	bool done;
};
/** mount_move_state(c, a, id, out, e): for a day after it was done; ERR_NOENT. */
int mount_move_state(struct core *c, struct arena *a, const char *id,
                     struct mount_move *out, struct err *e) MUST_CHECK;

/** mount_move_slice: the job "remount" of jobs.c. */
int mount_move_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e) MUST_CHECK;

#endif
