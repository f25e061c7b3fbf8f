/* SPDX-License-Identifier: Apache-2.0 */
#include "clock_step.h"

#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* The timer itself is never to end: far away, and within what 32 bits of seconds hold. */
static int arm(int fd)
{
	const struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
	                       NULL);
}

int clock_step_open(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0 && arm(fd) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void clock_step_seen(int fd)
{
	uint64_t expired;

	/* Fails with ECANCELED after a step. */
	if (read(fd, &expired, sizeof(expired)) >= 0)
		return;
	(void)arm(fd);
}
