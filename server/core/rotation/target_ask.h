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
	bool refused; /* the target does not let its administrator in */
};

/** target_examine(r, w, t, verify, done): have the rotator describe itself, then
 * (${verify}) log in as the administrator of ${t}, if that can be done; then *done, and
 * t->describe is what it has said.  ${w} is all zero at first, and survives parking. */
int target_examine(struct req *r, struct target_asking *w, struct target *t, bool verify,
                   bool *done) MUST_CHECK;

#endif
