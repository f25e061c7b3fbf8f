/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_ALARM_H
#define SERVER_CORE_ROTATION_ALARM_H
/* rotation_alarm - what a schedule finds wrong goes to the log, the metrics and the
 * webhooks, once each time that it begins. */
#include "rotation.h"

/** rotation_alarm(c, a, rule, told, e): after rotation_rule_plan(): raise what is new;
 * *told: ${rule} is to be saved for it. */
int rotation_alarm(struct core *c, struct arena *a, struct rotation_rule *rule,
                   bool *told, struct err *e) MUST_CHECK;

#endif
