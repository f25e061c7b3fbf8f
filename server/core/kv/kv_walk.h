/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KV_WALK_H
#define SERVER_CORE_KV_WALK_H
/*
 * kv_walk - going through everything in a space, in slices that survive a restart.
 */
#include "entry.h"

/* How much one slice may do, in rows written: about two milliseconds. */
#define KV_SLICE_ROWS 48

/** kv_destroy_slice(c, a, space, folder, rows, e): destroy secrets, entries and folders
 * until ${*rows} is used up.  *folder is where to go on: "" at first, then as it was
 * left; NULL when nothing is left. */
int kv_destroy_slice(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                     const char **folder, int *rows, struct err *e) MUST_CHECK;

/** kv_space_empty(c, a, space, empty, e): is there nothing at all in it? */
int kv_space_empty(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                   bool *empty, struct err *e) MUST_CHECK;

/** kv_upgrade_start(c, a, m, e): make a KV version 1 mount one of version 2.  ${m} is
 * changed, to be stored by the caller: it is upgrading if entries have to be converted,
 * for which a job is started. */
int kv_upgrade_start(struct core *c, struct arena *a, struct mount *m, struct err *e)
	MUST_CHECK;
/** kv_upgrade_slice: the job "kv-upgrade" of jobs.c. */
int kv_upgrade_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e) MUST_CHECK;

/** kv_erase_slice: the job "kv-erase". */
int kv_erase_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                   struct err *e) MUST_CHECK;

#endif
