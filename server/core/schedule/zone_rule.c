/* SPDX-License-Identifier: Apache-2.0 */
#include "zone_rule.h"

#include <string.h>

#include "civil.h"

#define EVENTS 10 /* two a year in the five years around */
/* Before the year 1 and after the year 9999 nobody changes his clock. */
#define YEARS_BEGIN INT64_C(-62135596800)
#define YEARS_END   INT64_C(253402300800)

struct reader {
	const char *s;
	size_t n;
};

static bool take(struct reader *r, char c)
{
	if (r->n == 0 || r->s[0] != c)
		return false;
	r->s++;
	r->n--;
	return true;
}

/* Up to three digits. */
static bool take_number(struct reader *r, int low, int high, int *out)
{
	int n = 0;
	size_t i = 0;

	for (; i < r->n && i < 3 && r->s[i] >= '0' && r->s[i] <= '9'; i++)
		n = n * 10 + (r->s[i] - '0');
	r->s += i;
	r->n -= i;
	*out = n;
	return i > 0 && n >= low && n <= high;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_time(struct reader *r, int hours_max, int32_t *out)
{
	bool negative = take(r, '-');
	int h, m = 0, s = 0;

	if (!negative)
		(void)take(r, '+');
	if (!take_number(r, 0, hours_max, &h))
		return false;
	if (take(r, ':') && !take_number(r, 0, 59, &m))
		return false;
	if (r->s[-1] != ':' && take(r, ':') && !take_number(r, 0, 59, &s))
		return false;
	*out = h * 3600 + m * 60 + s;
	if (negative)
		*out = -*out;
	return true;
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, or <letters, digits, + and ->. */
static bool take_name(struct reader *r, char out[ZONE_ABBR_MAX + 1])
{
	bool quoted = take(r, '<');
	size_t i = 0;

	while (i < r->n && (letter(r->s[i]) || (quoted && r->s[i] != '>'))) {
		char c = r->s[i];

		if (i >= ZONE_ABBR_MAX ||
		    (!letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-'))
			return false;
		out[i++] = c;
	}
	out[i] = '\0';
	r->s += i;
	r->n -= i;
	return i >= 3 && (!quoted || take(r, '>'));
}

static bool take_change(struct reader *r, struct zone_change *out)
{
	bool ok;

	if (!take(r, ','))
		return false;
	if (take(r, 'M')) {
		out->kind = ZONE_DAY_MONTH;
		ok = take_number(r, 1, 12, &out->month) && take(r, '.') &&
		     take_number(r, 1, 5, &out->week) && take(r, '.') &&
		     take_number(r, 0, 6, &out->day);
	} else if (take(r, 'J')) {
		out->kind = ZONE_DAY_JULIAN;
		ok = take_number(r, 1, 365, &out->day);
	} else {
		out->kind = ZONE_DAY_YEAR;
		ok = take_number(r, 0, 365, &out->day);
	}
	out->time = 2 * 3600;
	if (ok && take(r, '/'))
		ok = take_time(r, 167, &out->time);
	return ok;
}

int zone_rule_parse(const char *s, size_t n, struct zone_rule *out)
{
	struct reader r = { s, n };

	memset(out, 0, sizeof(*out));
	if (!take_name(&r, out->std) || !take_time(&r, 24, &out->std_offset))
		return -1;
	out->std_offset = -out->std_offset; /* POSIX counts west of Greenwich */
	if (r.n == 0)
		return 0;
	out->has_dst = true;
	out->dst_offset = out->std_offset + 3600;
	if (!take_name(&r, out->dst))
		return -1;
	if (r.n > 0 && r.s[0] != ',') {
		if (!take_time(&r, 24, &out->dst_offset))
			return -1;
		out->dst_offset = -out->dst_offset;
	}
	if (!take_change(&r, &out->start) || !take_change(&r, &out->end))
		return -1;
	return r.n == 0 ? 0 : -1;
}

/* ---- when ---- */

static int64_t change_day(const struct zone_change *c, int64_t year)
{
	int64_t first;
	int day;

	switch (c->kind) {
	case ZONE_DAY_JULIAN:
		return civil_days(year, 1, c->day) +
		       (civil_leap(year) && c->day >= 60 ? 1 : 0);
	case ZONE_DAY_YEAR:
		return civil_days(year, 1, 1) + c->day;
	case ZONE_DAY_MONTH:
		break;
	}
	first = civil_days(year, c->month, 1);
	day = (c->day - civil_weekday(first) + 7) % 7 + (c->week - 1) * 7;
	if (day >= civil_month_days(year, c->month))
		day -= 7; /* the fifth is the last */
	return first + day;
}

struct event {
	int64_t at;
	bool dst; /* what begins */
};

/* At one instant the end of a summer comes before the start of the next: that is how a
 * rule says "always". */
static bool later(const struct event *x, const struct event *y)
{
	return x->at != y->at ? x->at > y->at : x->dst && !y->dst;
}

static void add_event(struct event list[EVENTS], size_t n, struct event ev)
{
	for (; n > 0 && later(&list[n - 1], &ev); n--)
		list[n] = list[n - 1];
	list[n] = ev;
}

void zone_rule_span(const struct zone_rule *r, int64_t t, struct zone_span *out)
{
	struct event list[EVENTS] = { { 0 } };
	size_t n = 0, i = 0;
	int64_t year;
	bool dst;

	*out = (struct zone_span){ INT64_MIN, INT64_MAX, r->std_offset, false, r->std };
	if (!r->has_dst || t < YEARS_BEGIN || t >= YEARS_END)
		return;
	year = civil_date(civil_floor(t, CIVIL_DAY)).year;
	for (int64_t y = year - 2; y <= year + 2; y++) {
		int64_t on = change_day(&r->start, y) * CIVIL_DAY + r->start.time;
		int64_t off = change_day(&r->end, y) * CIVIL_DAY + r->end.time;

		add_event(list, n++, (struct event){ on - r->std_offset, true });
		add_event(list, n++, (struct event){ off - r->dst_offset, false });
	}
	while (i < n && list[i].at <= t)
		i++;
	/* The years around reach further than any time of change. */
	dst = i > 0 ? list[i - 1].dst : !list[0].dst;
	out->begin = i > 0 ? list[i - 1].at : INT64_MIN;
	out->end = i < n ? list[i].at : INT64_MAX;
	if (dst) {
		out->offset = r->dst_offset;
		out->dst = true;
		out->abbr = r->dst;
	}
}
