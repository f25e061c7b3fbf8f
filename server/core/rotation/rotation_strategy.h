/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_STRATEGY_H
#define SERVER_CORE_ROTATION_STRATEGY_H
/* rotation_strategy - which strategy, target and accounts a rule may have. */
#include "rotation.h"

/** rotation_take_strategy(r, rule): what the request says of strategy, target, accounts,
 * policy and grace; judged against what the target's rotator can do. */
int rotation_take_strategy(struct req *r, struct rotation_rule *rule) MUST_CHECK;
/** rotation_strategy_value(a, rule, out): the same for people. */
void rotation_strategy_value(struct arena *a, const struct rotation_rule *rule,
                             struct value *out);

#endif
