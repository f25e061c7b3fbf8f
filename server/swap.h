/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SWAP_H
#define SERVER_SWAP_H
/* swap - may the kernel write this process's memory to a swap device? */

/** swap_state(): "off" (no swap, or none for this control group) or "exposed". */
const char *swap_state(void);

/** swap_state_in(swaps, cgroup, root): the same from other files than /proc/swaps,
 * /proc/self/cgroup and below /sys/fs/cgroup. */
const char *swap_state_in(const char *swaps, const char *cgroup, const char *root);

#endif
