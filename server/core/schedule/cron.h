/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CRON_H
#define SERVER_CORE_CRON_H
/*
 * cron - expressions of five fields, and the clock faces that they match.
 *
 *   minute 0-59 | hour 0-23 | day of month 1-31 | month 1-12, jan-dec |
 *   day of week 0-7, sun-sat (0 and 7 are Sunday)
 *
 * A field is a list of `*`, `a`, `a-b`, each with an optional `/step`; `a/step` runs to
 * the end of the range.  When neither day field begins with `*`, a day matches if one of
 * them does; else both have to (as in Vixie's cron).  This file knows no time zones: it
 * deals in local seconds (civil.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CRON_TEXT_MAX 255u
#define CRON_YEARS    8 /* how far a search looks; whatever is accepted matches in them */
#define CRON_NEVER    INT64_MAX

struct cron {
	uint64_t minute; /* bit n: the value n */
	uint32_t hour, dom, month;
	uint32_t dow;                       /* bits 0 to 6 */
	bool hour_star, dom_star, dow_star; /* the field begins with `*` */
	char text[CRON_TEXT_MAX + 1];       /* the expression, single blanks between */
};

/* Days that are left out, ascending and disjoint, with at least one day between.  With
 * carry the day after them counts as matched: something was due in them. */
struct cron_gap {
	int64_t from, to; /* days since 1970-01-01, both inclusive */
	bool carry;
};
struct cron_gaps {
	const struct cron_gap *gap;
	size_t n;
};

/** cron_parse(s, n, out, e): ERR_INVALID names the field and its text; also for what
 * never matches, or not in each span of CRON_YEARS. */
int cron_parse(const char *s, size_t n, struct cron *out, struct err *e) MUST_CHECK;
/** cron_day(c, day): do month, day of month and day of week match? */
bool cron_day(const struct cron *c, int64_t day);
/** cron_match(c, gaps, from, limit): the first full minute in [from, limit) that matches,
 * in local seconds; CRON_NEVER if there is none.  ${gaps} may be NULL. */
int64_t cron_match(const struct cron *c, const struct cron_gaps *gaps, int64_t from,
                   int64_t limit);

#endif
