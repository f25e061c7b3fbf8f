/* SPDX-License-Identifier: Apache-2.0 */
/* step_owner - who is told how a call ended: one row per owner. */
#include <assert.h>

#include "db_lease.h"
#include "machine.h"
#include "step_impl.h"
#include "webhook.h"

/* The request looks at the result when it is run again. */
static int for_request(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                       const struct step_result *r, struct err *e)
{
	(void)a;
	return step_keep(c, id, r, e);
}

static step_done_fn *const owners[STEP_OWNER__MAX] = {
	[STEP_FOR_REQUEST] = for_request,
	[STEP_FOR_ROTATION] = rotation_step_done,
	[STEP_FOR_DATABASE] = db_lease_step_done,
	[STEP_FOR_WEBHOOK] = webhook_step_done,
};

step_done_fn *step_owner_done(enum step_owner owner)
{
	assert(owner < STEP_OWNER__MAX && owners[owner] != NULL);
	return owners[owner];
}
