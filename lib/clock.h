/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLOCK_H
#define CLOCK_H
/*
 * clock - the only source of time.  Tests and the simulator replace the functions.
 * All times are milliseconds.  Expiry is judged by the earlier of wall and boot time
 * where both are known.
 */
#include <stddef.h>
#include <stdint.h>

struct clock {
	int64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC */
	int64_t (*boot_ms)(void *ctx); /* CLOCK_BOOTTIME: never steps, counts suspend */
	void *ctx;
};

/** clock_system(): the real clocks; a static object. */
const struct clock *clock_system(void);

/** clock_wall(c), clock_boot(c): read a clock. */
static inline int64_t clock_wall(const struct clock *c)
{
	return c->wall_ms(c->ctx);
}
static inline int64_t clock_boot(const struct clock *c)
{
	return c->boot_ms(c->ctx);
}

#define CLOCK_RFC3339_MAX 40
/**
 * clock_rfc3339(ms, buf): write ${ms} (wall) as RFC 3339 UTC with nanoseconds, trailing
 * zeros of the fraction cut as Go's RFC3339Nano does, into ${buf} of CLOCK_RFC3339_MAX.
 */
void clock_rfc3339(int64_t ms, char buf[CLOCK_RFC3339_MAX]);

/** clock_parse_rfc3339(s, n, ms): the inverse (any offset, optional fraction); 0,
 * or -1. */
int clock_parse_rfc3339(const char *s, size_t n, int64_t *ms);

#endif
