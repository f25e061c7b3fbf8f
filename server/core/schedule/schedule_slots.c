/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_slots - the instants that a rule names: series, cron in a zone, blackouts. */
#include "civil.h"
#include "schedule_impl.h"

#define DAY_MS   (CIVIL_DAY * 1000)
#define SEARCH_S (CRON_YEARS * INT64_C(1461) / 4 * CIVIL_DAY)

/* ---- blackouts ---- */

static int64_t midnight(const struct schedule *s, int64_t day)
{
	return zone_first(s->zone, day * CIVIL_DAY) * 1000;
}

int64_t blackout_end(const struct schedule *s, int64_t t)
{
	int64_t day = civil_floor(zone_local(s->zone, civil_floor(t, 1000)), CIVIL_DAY);

	for (size_t i = 0; i < s->blackouts; i++)
		if (day >= s->blackout[i].from && day <= s->blackout[i].to)
			return midnight(s, s->blackout[i].to + 1);
	return t;
}

int64_t blackout_begin(const struct schedule *s, int64_t t)
{
	for (size_t i = 0; i < s->blackouts; i++) {
		int64_t begin = midnight(s, s->blackout[i].from);

		if (begin > t)
			return begin;
	}
	return INT64_MAX;
}

/* ---- every and after ---- */

struct series {
	int64_t first, period;
};

static int64_t series_after(struct series x, int64_t t)
{
	int64_t k;

	if (x.period <= 0 || x.first > SCHEDULE_END_MS || t >= SCHEDULE_END_MS)
		return 0;
	if (t < x.first)
		return x.first;
	k = (t - x.first) / x.period + 1;
	if (k > (SCHEDULE_END_MS - x.first) / x.period)
		return 0;
	return x.first + k * x.period;
}

/* When what was due in the blackout is made up for; 0: not at all. */
static int64_t made_up(const struct schedule *s, struct series x,
                       const struct cron_gap *gap, int64_t begin, int64_t end)
{
	int64_t last, local;

	if (x.period <= DAY_MS || x.first >= end)
		return 0;
	last = x.first + (end - 1 - x.first) / x.period * x.period;
	if (last < begin)
		return 0;
	local = zone_local(s->zone, civil_floor(last, 1000));
	local -= civil_floor(local, CIVIL_DAY) * CIVIL_DAY;
	return zone_first(s->zone, (gap->to + 1) * CIVIL_DAY + local) * 1000 +
	       (last - civil_floor(last, 1000) * 1000);
}

static int64_t series_slot(const struct schedule *s, struct series x, int64_t t)
{
	int64_t next = series_after(x, t), extra = 0;

	for (size_t i = 0; i < s->blackouts; i++) {
		const struct cron_gap *gap = &s->blackout[i];
		int64_t begin = midnight(s, gap->from), end = midnight(s, gap->to + 1);
		int64_t late = made_up(s, x, gap, begin, end);

		if (next >= begin && next < end)
			next = series_after(x, end - 1);
		if (late > t && (extra == 0 || late < extra))
			extra = late;
	}
	return extra != 0 && (next == 0 || extra < next) ? extra : next;
}

/* ---- cron ---- */

/* Times of the day, each as its first instant. */
static int64_t by_clock(const struct schedule *s, const struct cron_gaps *gaps, int64_t t)
{
	int64_t from = zone_local(s->zone, t), limit = from + SEARCH_S;
	int64_t local, at;

	for (from = civil_floor(from, 60) * 60;; from = local + 60) {
		local = cron_match(&s->cron, gaps, from, limit);
		if (local == CRON_NEVER)
			return CRON_NEVER;
		at = zone_first(s->zone, local);
		/* A gap of a day can lead into a blackout. */
		if (at > t && blackout_end(s, at * 1000) == at * 1000)
			return at;
	}
}

/* Absolute time: each instant at which the clock shows what matches. */
static int64_t by_instant(const struct schedule *s, const struct cron_gaps *gaps,
                          int64_t t)
{
	int64_t limit = t + SEARCH_S;
	struct zone_span span;

	for (int64_t at = t + 1; at < limit; at = span.end) {
		int64_t local, end;

		zone_span(s->zone, at, &span);
		end = span.end < limit ? span.end : limit;
		local = cron_match(&s->cron, gaps, at + span.offset, end + span.offset);
		if (local != CRON_NEVER)
			return local - span.offset;
	}
	return CRON_NEVER;
}

static int64_t cron_slot(const struct schedule *s, int64_t t)
{
	const struct cron_gaps gaps = { s->blackout, s->blackouts };
	int64_t from = t < s->anchor_ms ? s->anchor_ms - 1 : t, at;

	if (from >= SCHEDULE_END_MS)
		return 0;
	from = civil_floor(from, 1000);
	at = s->cron.hour_star ? by_instant(s, &gaps, from) : by_clock(s, &gaps, from);
	return at == CRON_NEVER ? 0 : at * 1000;
}

/* ---- any ---- */

static int64_t retry_period(const struct schedule *s)
{
	return s->every_ms < DAY_MS ? s->every_ms : DAY_MS;
}

int64_t slot_after(const struct schedule *s, const struct schedule_past *past, int64_t t)
{
	switch (s->kind) {
	case SCHEDULE_CRON:
		return cron_slot(s, t);
	case SCHEDULE_AFTER:
		return series_slot(s,
		                   (struct series){ since(s, past) + s->every_ms,
		                                    retry_period(s) },
		                   t);
	case SCHEDULE_EVERY:
		break;
	}
	return series_slot(s, (struct series){ s->anchor_ms, s->every_ms }, t);
}

int64_t slot_following(const struct schedule *s, int64_t slot)
{
	if (s->kind == SCHEDULE_AFTER)
		return slot + retry_period(s);
	return slot_after(s, NULL, slot);
}
