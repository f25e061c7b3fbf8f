/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SYS_STATE_H
#define SERVER_CORE_SYS_STATE_H
/* sys_state - what health, seal-status and leader say, as told to net after each change.
 */
#include "core.h"

/**
 * sys_state(c, a, out): fill ${out} (an object) with initialized, sealed, t, n, progress,
 * nonce, type, recovery_seal and, when unsealed, cluster_id and cluster_name.
 */
void sys_state(struct core *c, struct arena *a, struct value *out);

#endif
