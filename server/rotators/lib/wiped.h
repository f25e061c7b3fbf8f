/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_WIPED_H
#define ROTATORS_WIPED_H
/*
 * wiped - where the JSON documents of a rotator live: locked key memory (lib/keymem)
 * while there is some, the heap after that; wiped when freed, either way.
 */

/** wiped_init(): before the first use of jansson. */
void wiped_init(void);

#endif
