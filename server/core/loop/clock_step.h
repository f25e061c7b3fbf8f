/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CLOCK_STEP_H
#define SERVER_CORE_CLOCK_STEP_H
/* clock_step - a descriptor that becomes readable when somebody sets the wall clock, so
 * that what is due by it does not wait for the end of a sleep (timerfd_create(2),
 * TFD_TIMER_CANCEL_ON_SET). */

/** clock_step_open(): the descriptor, or -1: then steps are noticed a minute later. */
int clock_step_open(void);
/** clock_step_seen(fd): it was readable: watch on. */
void clock_step_seen(int fd);

#endif
