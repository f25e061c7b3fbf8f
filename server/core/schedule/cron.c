/* SPDX-License-Identifier: Apache-2.0 */
#include "cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "civil.h"

enum field { F_MINUTE, F_HOUR, F_DOM, F_MONTH, F_DOW, F__COUNT };

static const struct field_rule {
	const char *label;
	unsigned low, high;
	const char *names; /* three letters each, from low on */
} rules[F__COUNT] = {
	[F_MINUTE] = {"minute",        0, 59, ""                                    },
	[F_HOUR] = { "hour",         0, 23, ""                                    },
	[F_DOM] = { "day of month", 1, 31, ""                                    },
	[F_MONTH] = { "month",        1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	[F_DOW] = { "day of week",  0, 7,  "sunmontuewedthufrisat"               },
};

struct span {
	const char *s;
	size_t n;
};

static int refuse(struct err *e, enum field f, struct span text, const char *why)
{
	return err_set(e, ERR_INVALID, "%s \"%.*s\": %s", rules[f].label,
	               text.n > 40 ? 40 : (int)text.n, text.s, why);
}

/* ---- one field ---- */

/* A number or a name; false: neither, or out of range. */
static bool take_value(enum field f, struct span *at, unsigned *out)
{
	const struct field_rule *r = &rules[f];
	unsigned n = 0;
	size_t i = 0;

	for (const char *name = r->names; *name != '\0'; name += 3) {
		if (at->n < 3 || strncasecmp(at->s, name, 3) != 0)
			continue;
		*out = r->low + (unsigned)(name - r->names) / 3;
		at->s += 3;
		at->n -= 3;
		return true;
	}
	for (; i < at->n && i < 3 && at->s[i] >= '0' && at->s[i] <= '9'; i++)
		n = n * 10 + (unsigned)(at->s[i] - '0');
	*out = n;
	at->s += i;
	at->n -= i;
	return i > 0 && n >= r->low && n <= r->high;
}

static bool take_char(struct span *at, char c)
{
	if (at->n == 0 || at->s[0] != c)
		return false;
	at->s++;
	at->n--;
	return true;
}

static bool take_step(struct span *at, unsigned *out)
{
	unsigned n = 0;
	size_t i = 0;

	for (; i < at->n && i < 3 && at->s[i] >= '0' && at->s[i] <= '9'; i++)
		n = n * 10 + (unsigned)(at->s[i] - '0');
	*out = n;
	at->s += i;
	at->n -= i;
	return n > 0;
}

/* One item of the list: `*`, `a` or `a-b`, with or without a step. */
static int take_item(enum field f, struct span item, uint64_t *bits, struct err *e)
{
	const struct field_rule *r = &rules[f];
	struct span at = item;
	unsigned from = r->low, to = r->high, step = 1;
	bool single = false;

	if (f == F_DOW)
		to = 6;
	if (!take_char(&at, '*')) {
		if (!take_value(f, &at, &from))
			return refuse(e, f, item, "not a value of this field");
		single = !take_char(&at, '-');
		if (!single && !take_value(f, &at, &to))
			return refuse(e, f, item, "the end of the range is not a value");
		if (!single && f == F_DOW && to == 0 && from > 0)
			to = 7; /* fri-sun */
		if (single && from > to)
			to = from; /* 7 */
		if (from > to)
			return refuse(e, f, item, "the range runs backwards");
	}
	if (take_char(&at, '/')) {
		if (!take_step(&at, &step))
			return refuse(e, f, item, "the step is not a number above 0");
		if (step > r->high - r->low)
			return refuse(e, f, item, "the step is longer than the field");
	} else if (single) {
		to = from;
	}
	if (at.n != 0)
		return refuse(e, f, item, "not understood");
	for (unsigned v = from; v <= to; v += step)
		*bits |= UINT64_C(1) << v;
	return ERR_OK;
}

static int take_field(enum field f, struct span text, uint64_t *bits, struct err *e)
{
	struct span rest = text;
	int rc;

	*bits = 0;
	for (;;) {
		const char *comma = memchr(rest.s, ',', rest.n);
		struct span item = { rest.s,
			             comma != NULL ? (size_t)(comma - rest.s) : rest.n };

		if ((rc = take_item(f, item, bits, e)) != ERR_OK)
			return rc;
		if (comma == NULL)
			return ERR_OK;
		rest.n -= item.n + 1;
		rest.s = comma + 1;
	}
}

/* ---- the expression ---- */

/* Splits at blanks and tabs; returns how many fields there are, at most one too many. */
static size_t split(const char *s, size_t n, struct span out[F__COUNT])
{
	size_t fields = 0, at = 0;

	for (;;) {
		size_t start;

		while (at < n && (s[at] == ' ' || s[at] == '\t'))
			at++;
		if (at == n || fields > F__COUNT)
			return fields;
		start = at;
		while (at < n && s[at] != ' ' && s[at] != '\t')
			at++;
		if (fields < F__COUNT)
			out[fields] = (struct span){ s + start, at - start };
		fields++;
	}
}

static bool day_matches(const struct cron *c, struct civil d, int weekday)
{
	bool dom = c->dom >> d.day & 1, dow = c->dow >> weekday & 1;

	if (!(c->month >> d.month & 1))
		return false;
	return c->dom_star || c->dow_star ? dom && dow : dom || dow;
}

/* The last day of the month that matches, or ${last}; *gap: the longest pause so far. */
static int64_t follow_month(const struct cron *c, struct civil d, int64_t last,
                            int64_t *gap)
{
	int64_t before = civil_days(d.year, d.month, 1) - 1;
	int length = civil_month_days(d.year, d.month);
	int weekday = civil_weekday(before);

	for (d.day = 1; d.day <= length; d.day++) {
		if (!day_matches(c, d, (weekday + d.day) % 7))
			continue;
		if (before + d.day - last > *gap)
			*gap = before + d.day - last;
		last = before + d.day;
	}
	return last;
}

/* Nothing that is accepted pauses for longer than a search looks: over the 400 years
 * after which the calendar repeats, two matching days are never further apart. */
static int check_occurs(const struct cron *c, struct err *e)
{
	const int end = 2400 + CRON_YEARS;
	int64_t last = civil_days(2000, 1, 1), gap = 0;

	/* The commonest need no look at the calendar: those that some day of each week
	 * matches, and those that some day of each month of a year does. */
	if (c->dom == 0xfffffffe || (!c->dom_star && !c->dow_star) ||
	    (c->dow == 0x7f && (c->dom & 0x1ffffffe) != 0))
		return ERR_OK;
	for (int year = 2000; year < end; year++)
		for (int month = 1; month <= 12; month++)
			if (c->month >> month & 1)
				last = follow_month(c, (struct civil){ year, month, 1 },
				                    last, &gap);
	if (civil_days(end, 1, 1) - last > gap)
		gap = civil_days(end, 1, 1) - last;
	if (gap > CRON_YEARS * INT64_C(1461) / 4)
		return err_set(e, ERR_INVALID, "\"%s\" does not occur within %d years",
		               c->text, CRON_YEARS);
	return ERR_OK;
}

static void keep_text(const struct span part[F__COUNT], char *out)
{
	for (size_t i = 0; i < F__COUNT; i++) {
		memcpy(out, part[i].s, part[i].n);
		out += part[i].n;
		*out++ = i + 1 < F__COUNT ? ' ' : '\0';
	}
}

int cron_parse(const char *s, size_t n, struct cron *out, struct err *e)
{
	struct span part[F__COUNT];
	uint64_t bits[F__COUNT];
	size_t fields = split(s, n, part);
	int rc;

	if (n > CRON_TEXT_MAX)
		return err_set(e, ERR_INVALID, "longer than %u characters",
		               CRON_TEXT_MAX);
	if (fields != F__COUNT)
		return err_set(e, ERR_INVALID,
		               "%s than five fields (minute, hour, day of month, month, "
		               "day of week)",
		               fields < F__COUNT ? "fewer" : "more");
	for (enum field f = 0; f < F__COUNT; f++)
		if ((rc = take_field(f, part[f], &bits[f], e)) != ERR_OK)
			return rc;
	memset(out, 0, sizeof(*out));
	out->minute = bits[F_MINUTE];
	out->hour = (uint32_t)bits[F_HOUR];
	out->dom = (uint32_t)bits[F_DOM];
	out->month = (uint32_t)bits[F_MONTH];
	out->dow = (uint32_t)((bits[F_DOW] | bits[F_DOW] >> 7) & 0x7f);
	out->hour_star = part[F_HOUR].s[0] == '*';
	out->dom_star = part[F_DOM].s[0] == '*';
	out->dow_star = part[F_DOW].s[0] == '*';
	keep_text(part, out->text);
	return check_occurs(out, e);
}

/* ---- matching ---- */

bool cron_day(const struct cron *c, int64_t day)
{
	return day_matches(c, civil_date(day), civil_weekday(day));
}

/* Does ${day} count, and what do the gaps have to say about it? */
static bool day_counts(const struct cron *c, const struct cron_gaps *gaps, int64_t day)
{
	for (size_t i = 0; gaps != NULL && i < gaps->n; i++) {
		const struct cron_gap *g = &gaps->gap[i];

		if (day >= g->from && day <= g->to)
			return false;
		if (day == g->to + 1 && g->carry)
			return true;
	}
	return cron_day(c, day);
}

/* The first matching second of the day that is not before ${from}, or -1. */
static int64_t within_day(const struct cron *c, int64_t from)
{
	int64_t minute = from % 3600 / 60, hour = from / 3600;

	for (; hour < 24; hour++, minute = 0) {
		uint64_t left = c->minute >> minute;

		if ((c->hour >> hour & 1) && left != 0)
			return hour * 3600 + (minute + __builtin_ctzll(left)) * 60;
	}
	return -1;
}

int64_t cron_match(const struct cron *c, const struct cron_gaps *gaps, int64_t from,
                   int64_t limit)
{
	int64_t start = civil_floor(from + 59, 60) * 60;
	int64_t day = civil_floor(start, CIVIL_DAY), second = start - day * CIVIL_DAY;

	for (; day * CIVIL_DAY < limit; day++, second = 0) {
		int64_t at;

		if (!day_counts(c, gaps, day) || (at = within_day(c, second)) < 0)
			continue;
		at += day * CIVIL_DAY;
		return at < limit ? at : CRON_NEVER;
	}
	return CRON_NEVER;
}
