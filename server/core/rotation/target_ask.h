/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TARGET_ASK_H
#define SERVER_CORE_TARGET_ASK_H
/* target_ask - a request that asks the rotator of a target, and waits for what it says.
 */
#include "req.h"
#include "step.h"
#include "target.h"

struct target_asking {
	unsigned char id[STEP_ID];
	enum { ASK_NOTHING, ASK_DESCRIBE, ASK_LOGIN } what;
	const struct value *describe;
	bool refused;     /* the target does not let its administrator in */
	bool admitted;    /* it does */
	int64_t until_ms; /* of target_settled() */
};

/** target_examine(r, w, t, verify, done): have the rotator describe itself, then
 * (${verify}) log in as the administrator of ${t}, if that can be done; then *done, and
 * t->describe is what it has said.  ${w} is all zero at first, and survives parking. */
int target_examine(struct req *r, struct target_asking *w, struct target *t, bool verify,
                   bool *done) MUST_CHECK;

/** target_left_alone(r, stored): ERR_RATE while its administrator has failed to log in so
 * often that the next failure could lock it out.  ${stored} is as target_find() has found
 * it; the failures of one that is not stored (version 0) are remembered until the next
 * restart. */
int target_left_alone(struct req *r, const struct target *stored) MUST_CHECK;
/** target_settled(r, stored, until_ms): wait, if the credential that its administrator
 * logs in with is being changed.  REQ_PARKED: run again; ERR_BUSY: not in the target's
 * time.
 * ${*until_ms} is kept from run to run, 0 at first. */
int target_settled(struct req *r, const struct target *stored, int64_t *until_ms)
	MUST_CHECK;
/** target_refused(r, stored, text): its administrator was not let in: count that, unless
 * its credential was being changed, and answer 400 with ${text} all the same, so that the
 * count is kept. */
int target_refused(struct req *r, struct target *stored, const char *text) MUST_CHECK;

#endif
