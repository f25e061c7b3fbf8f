/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ZONE_RULE_H
#define SERVER_CORE_ZONE_RULE_H
/*
 * zone_rule - POSIX TZ strings ("CET-1CEST,M3.5.0,M10.5.0/3"), as the footers of TZif
 * files have them: what holds after the last transition that is written down.  Times of
 * change may be from -167 to 167 hours (RFC 8536 section 3.3.1).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_ABBR_MAX 15u

/* A stretch of time in which the offset does not change. */
struct zone_span {
	int64_t begin, end; /* [begin, end) in seconds UTC; INT64_MIN, INT64_MAX: open */
	int32_t offset;     /* seconds east of UTC */
	bool dst;
	const char *abbr; /* borrowed from the zone */
};

enum zone_day {
	ZONE_DAY_JULIAN, /* Jn: 1-365, 29 February is not counted */
	ZONE_DAY_YEAR,   /* n: 0-365 */
	ZONE_DAY_MONTH   /* Mm.w.d: the w-th (5: last) weekday d of the month */
};
struct zone_change {
	enum zone_day kind;
	int day;         /* n, or the weekday */
	int month, week; /* of ZONE_DAY_MONTH */
	int32_t time;    /* seconds after midnight, on the clock before the change */
};
struct zone_rule {
	char std[ZONE_ABBR_MAX + 1], dst[ZONE_ABBR_MAX + 1];
	int32_t std_offset, dst_offset;
	bool has_dst;
	struct zone_change start, end; /* of daylight saving time */
};

/** zone_rule_parse(s, n, out): 0, or -1 if it is no complete POSIX TZ string (the name of
 * a DST without its rule is not). */
int zone_rule_parse(const char *s, size_t n, struct zone_rule *out);
/** zone_rule_span(r, t, out): the stretch around ${t}, perhaps cut short. */
void zone_rule_span(const struct zone_rule *r, int64_t t, struct zone_span *out);

#endif
