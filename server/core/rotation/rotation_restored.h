/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_RESTORED_H
#define SERVER_CORE_ROTATION_RESTORED_H
#include <stdbool.h>

#include "core.h"
#include "store.h"

/** rotation_restored(c, a, e): the database was restored from a backup: start a job that
 * has every rule with a target checked before it rotates anything. */
int rotation_restored(struct core *c, struct arena *a, struct err *e) MUST_CHECK;
/** rotation_recheck_slice(…): a job_fn. */
int rotation_recheck_slice(struct core *c, struct arena *a, struct store_object *job,
                           bool *done, struct err *e) MUST_CHECK;
/** rotation_rechecks(c, a, yes, e): is that job still at it?  Nothing rotates meanwhile.
 */
int rotation_rechecks(struct core *c, struct arena *a, bool *yes, struct err *e)
	MUST_CHECK;

#endif
