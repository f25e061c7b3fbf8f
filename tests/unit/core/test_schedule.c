/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "schedulefix.h"

TestSuite(schedule, .init = setup, .fini = teardown, .timeout = 60);

/* ---- every ---- */

struct next_case {
	char name[56];
	long long anchor, every, last, now, want;
};
ParameterizedTestParameters(schedule, next_slot)
{
	/* clang-format off */
	static struct next_case c[] = {
		{ "never", 1000, 0, 0, 5000, 0 },
		{ "the anchor itself, when it lies ahead", 1000, 500, 0, 10, 1000 },
		{ "set now: the first is one period on", 1000, 500, 0, 1000, 1500 },
		{ "between slots", 1000, 500, 1500, 1700, 2000 },
		{ "exactly on a slot", 1000, 500, 1500, 2000, 2500 },
		{ "a late run does not shift the schedule", 1000, 500, 1500, 1999, 2000 },
		{ "missed slots are not run one by one", 1000, 500, 1500, 9100, 9500 },
		{ "a slot never comes twice when the clock steps back", 1000, 500, 3000, 1200, 3500 },
		{ "no overflow", 1000, 0x7fffffffffffffffLL, 0, 2000, 0 },
		{ "the last of the year 9999", 1000, 253402300798000, 0, 2000, 253402300799000 },
		{ "none after the year 9999", 1000, 253402300799000, 0, 2000, 0 },
	};
	/* clang-format on */
	return cr_make_param_array(struct next_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct next_case *c, schedule, next_slot)
{
	const struct schedule s = { .anchor_ms = c->anchor, .every_ms = c->every };
	const struct schedule_past past = { .last_slot = c->last };
	struct schedule_slot got;

	cr_assert_eq(schedule_next(&s, &past, c->now, &got), c->want != 0);
	cr_assert_eq(got.slot, c->want, "%s: %lld", c->name, (long long)got.slot);
}

/* ---- moments ---- */

Test(schedule, jitter_is_the_same_each_time_and_within_bounds)
{
	struct schedule s = { .every_ms = 86400000, .jitter_ms = 600000, .seed = { 7 } };
	int64_t first = 0, lowest = INT64_MAX, highest = 0;
	int different = 0;

	for (int64_t k = 1; k <= 500; k++) {
		int64_t slot = k * s.every_ms, late = schedule_moment(&s, slot) - slot;

		cr_assert(late >= 0 && late < s.jitter_ms);
		cr_assert_eq(schedule_moment(&s, slot) - slot, late);
		different += k > 1 && late != first;
		first = k == 1 ? late : first;
		lowest = late < lowest ? late : lowest;
		highest = late > highest ? late : highest;
	}
	cr_assert_gt(different, 400);
	cr_assert_lt(lowest, 60000);
	cr_assert_gt(highest, 540000);
	s.seed[0] = 8;
	different = 0;
	for (int64_t k = 1; k <= 20; k++) {
		struct schedule other = s;

		other.seed[0] = 7;
		different += schedule_moment(&s, k * s.every_ms) !=
		             schedule_moment(&other, k * s.every_ms);
	}
	cr_assert_gt(different, 15, "two secrets do not run at the same moment");
}

Test(schedule, jitter_leaves_half_the_window_to_the_work)
{
	struct schedule s = { .every_ms = 86400000, .window_ms = 600000, .seed = { 9 } };
	int64_t highest = 0;

	for (int mode = 0; mode < 2; mode++) {
		s.jitter_auto = mode == 0;
		s.jitter_ms = mode == 0 ? 0 : 3600000;
		for (int64_t k = 1; k <= 500; k++) {
			int64_t late = schedule_moment(&s, k * s.every_ms) -
			               k * s.every_ms;

			cr_assert_lt(late, 300000);
			highest = late > highest ? late : highest;
		}
		cr_assert_gt(highest, 280000);
	}
	/* The next slot ends a window, too. */
	s.every_ms = 60000;
	for (int64_t k = 1; k <= 100; k++)
		cr_assert_lt(schedule_moment(&s, k * 60000) - k * 60000, 30000);
}

Test(schedule, without_jitter_the_slot_is_the_moment)
{
	const struct schedule s = { .anchor_ms = 5, .every_ms = 10 };

	cr_assert_eq(schedule_moment(&s, 25), 25);
}

/* ---- cron ---- */

struct cron_case {
	char spec[64], now[28], want[4][28];
};
ParameterizedTestParameters(schedule, cron_slots)
{
	/* clang-format off */
	static struct cron_case c[] = {
		/* forward on 29 March 2026 at 01:00Z: 02:00 to 03:00 is left out */
		{ "cron=30 2 * * *;tz=Europe/Berlin", "2026-03-27T12:00:00Z",
		  { "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z" } },
		{ "cron=0 2,3 * * *;tz=Europe/Berlin", "2026-03-28T03:00:00Z",
		  { "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z" } },
		{ "cron=0 * * * *;tz=Europe/Berlin", "2026-03-28T23:30:00Z",
		  { "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z" } },
		{ "cron=30 * * * *;tz=Europe/Berlin", "2026-03-28T23:30:00Z",
		  { "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z" } },
		/* back on 25 October 2026 at 01:00Z: 02:00 to 03:00 comes twice */
		{ "cron=30 2 * * *;tz=Europe/Berlin", "2026-10-24T12:00:00Z",
		  { "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z" } },
		{ "cron=30 2 * * *;tz=Europe/Berlin", "2026-10-25T00:40:00Z",
		  { "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z" } },
		{ "cron=0 3 * * *;tz=Europe/Berlin", "2026-10-25T00:40:00Z",
		  { "2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z" } },
		{ "cron=30 */1 * * *;tz=Europe/Berlin", "2026-10-25T00:00:00Z",
		  { "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z" } },
		{ "cron=0 0 * * *;tz=America/St_Johns", "2026-03-07T12:00:00Z",
		  { "2026-03-08T03:30:00Z", "2026-03-09T02:30:00Z", "2026-03-10T02:30:00Z" } },
		/* the clock at St. John's once changed at one minute past midnight */
		{ "cron=1 0 * * *;tz=America/St_Johns", "2010-03-13T12:00:00Z",
		  { "2010-03-14T03:31:00Z", "2010-03-15T02:31:00Z" } },
		/* half an hour: 02:00 to 02:30 is left out, 01:30 to 02:00 comes twice */
		{ "cron=15 2 * * *;tz=Australia/Lord_Howe", "2026-10-03T12:00:00Z",
		  { "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z" } },
		{ "cron=45 1 * * *;tz=Australia/Lord_Howe", "2026-04-04T12:00:00Z",
		  { "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z" } },
		{ "cron=45 * * * *;tz=Australia/Lord_Howe", "2026-04-04T14:00:00Z",
		  { "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z" } },
		{ "cron=0 0 * * *;tz=Asia/Kathmandu", "2026-01-01T00:00:00Z",
		  { "2026-01-01T18:15:00Z", "2026-01-02T18:15:00Z" } },
		/* no 30 December 2011 there: what it had falls on the first instant after */
		{ "cron=0 12 30 12 *;tz=Pacific/Apia", "2011-01-01T00:00:00Z",
		  { "2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z" } },
		{ "cron=0 12 * * *;tz=Pacific/Apia", "2011-12-29T12:00:00Z",
		  { "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z" } },
		{ "cron=0 */12 * * *;tz=Pacific/Apia", "2011-12-29T12:00:00Z",
		  { "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z" } },
		/* back for Ramadan on 15 February 2026 at 02:00Z, forward on 22 March */
		{ "cron=30 2 * * *;tz=Africa/Casablanca", "2026-02-14T12:00:00Z",
		  { "2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z" } },
		{ "cron=30 2 * * *;tz=Africa/Casablanca", "2026-03-21T12:00:00Z",
		  { "2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z" } },
		/* where clocks change at midnight */
		{ "cron=0 0 * * *;tz=America/Havana", "2026-03-07T12:00:00Z",
		  { "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z" } },
		/* the calendar */
		{ "cron=0 3 29 2 *", "2026-01-01T00:00:00Z",
		  { "2028-02-29T03:00:00Z", "2032-02-29T03:00:00Z" } },
		{ "cron=0 3 29 2 *", "2096-03-01T00:00:00Z",
		  { "2104-02-29T03:00:00Z", "2108-02-29T03:00:00Z" } },
		{ "cron=0 0 31 * *", "2026-01-31T00:00:00Z",
		  { "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z", "2026-08-31T00:00:00Z" } },
		{ "cron=0 0 13 * fri", "2026-02-01T00:00:00Z",
		  { "2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z" } },
		{ "cron=0 0 */10 * fri", "2026-05-01T00:00:00Z",
		  { "2026-07-31T00:00:00Z", "2026-08-21T00:00:00Z", "2026-09-11T00:00:00Z" } },
		{ "cron=0 3 * * 1-5", "2026-11-27T05:00:00Z",
		  { "2026-11-30T03:00:00Z", "2026-12-01T03:00:00Z" } },
		/* far beyond the last transition that files hold */
		{ "cron=30 2 * * *;tz=Europe/Berlin", "2099-03-28T12:00:00Z",
		  { "2099-03-29T01:00:00Z", "2099-03-30T00:30:00Z" } },
		/* dates without a window that is open */
		{ "cron=0 3 * * *;blackout=2026-12-24/2026-12-26", "2026-12-23T00:00:00Z",
		  { "2026-12-23T03:00:00Z", "2026-12-27T03:00:00Z", "2026-12-28T03:00:00Z" } },
		{ "cron=0 3 25 * *;blackout=2026-12-24/2026-12-26", "2026-12-23T00:00:00Z",
		  { "2026-12-27T03:00:00Z", "2027-01-25T03:00:00Z" } },
		{ "cron=0 3 28 * *;blackout=2026-12-24/2026-12-26", "2026-12-23T00:00:00Z",
		  { "2026-12-28T03:00:00Z", "2027-01-28T03:00:00Z" } },
	};
	/* clang-format on */
	return cr_make_param_array(struct cron_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct cron_case *c, schedule, cron_slots)
{
	struct schedule s = parse(c->spec, "2000-01-01T00:00:00Z");
	struct schedule_past past = { .last_slot = at(c->now) };
	struct schedule_slot got;

	for (size_t i = 0; i < ARRAY_LEN(c->want) && c->want[i][0] != '\0'; i++) {
		cr_assert(schedule_next(&s, &past, past.last_slot, &got));
		cr_assert_str_eq(show(got.slot), c->want[i], "%s after %s: %s", c->spec,
		                 show(past.last_slot), show(got.slot));
		past.last_slot = got.slot;
	}
}

Test(schedule, no_slot_comes_before_the_anchor)
{
	static const char *const specs[] = {
		"cron=0 3 * * *;anchor=2026-05-01T03:00:00Z",
		"cron=0 */3 * * *;anchor=2026-05-01T03:00:00Z",
		"cron=0 * * * *;anchor=2026-05-01T02:00:00.001Z",
		"every=1h;anchor=2026-05-01T03:00:00Z",
	};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct schedule s = parse(specs[i], "2026-01-01T00:00:00Z");
		const struct schedule_past past = { .last_slot =
			                                    at("2026-01-01T00:00:00Z") };
		struct schedule_slot got;

		cr_assert(schedule_next(&s, &past, past.last_slot, &got));
		cr_assert_str_eq(show(got.slot), "2026-05-01T03:00:00Z", "%s", specs[i]);
	}
}

/* ---- age, intervals ---- */

Test(schedule, after_counts_from_the_last_success_and_tries_again_each_day)
{
	struct schedule s = parse("after=20d", "2026-01-01T00:00:00Z");
	struct schedule_past past = { .last_slot = s.anchor_ms };
	struct schedule_slot got;

	cr_assert(schedule_next(&s, &past, s.anchor_ms, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-21T00:00:00Z");
	past.last_slot = got.slot;
	cr_assert(schedule_next(&s, &past, got.slot, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-22T00:00:00Z", "it failed");
	past = (struct schedule_past){ got.slot, at("2026-01-22T00:10:00Z"), 0, 0,
		                       false };
	cr_assert(schedule_next(&s, &past, got.slot, &got));
	cr_assert_str_eq(show(got.slot), "2026-02-11T00:10:00Z");
	past.last_success = at("2026-02-01T12:00:00Z");
	cr_assert(schedule_next(&s, &past, past.last_success, &got));
	cr_assert_str_eq(show(got.slot), "2026-02-21T12:00:00Z", "renewed by hand");
}

Test(schedule, after_leaves_a_blackout_the_day_it_ends)
{
	struct schedule s =
		parse("after=20d;tz=Europe/Berlin;blackout=2026-01-20/2026-01-25",
	              "2026-01-01T05:00:00Z");
	struct schedule_past past = { .last_slot = s.anchor_ms };
	struct schedule_slot got;

	cr_assert(schedule_next(&s, &past, s.anchor_ms, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-26T05:00:00Z");
}

struct every_case {
	char spec[96], now[28], want[3][28];
};
ParameterizedTestParameters(schedule, every_and_blackouts)
{
	/* clang-format off */
	static struct every_case c[] = {
		{ "every=30d;anchor=2026-01-01T03:00:00Z", "2026-06-01T00:00:00Z",
		  { "2026-06-30T03:00:00Z", "2026-07-30T03:00:00Z" } },
		/* absolute: clocks do not matter */
		{ "every=24h;anchor=2026-03-27T02:30:00Z;tz=Europe/Berlin", "2026-03-28T00:00:00Z",
		  { "2026-03-28T02:30:00Z", "2026-03-29T02:30:00Z", "2026-03-30T02:30:00Z" } },
		/* made up for once, at the same time of day */
		{ "every=7d;anchor=2026-12-01T03:00:00Z;blackout=2026-12-10/2026-12-25", "2026-12-02T00:00:00Z",
		  { "2026-12-08T03:00:00Z", "2026-12-26T03:00:00Z", "2026-12-29T03:00:00Z" } },
		{ "every=7d;anchor=2026-12-01T03:00:00Z;blackout=2026-12-10/2026-12-25", "2026-12-26T02:00:00Z",
		  { "2026-12-26T03:00:00Z", "2026-12-29T03:00:00Z" } },
		{ "every=7d;anchor=2026-12-01T03:00:00Z;blackout=2026-12-10/2026-12-25", "2026-12-26T03:00:00Z",
		  { "2026-12-29T03:00:00Z" } },
		/* nothing was due in it */
		{ "every=7d;anchor=2026-12-01T03:00:00Z;blackout=2026-12-09/2026-12-14", "2026-12-08T04:00:00Z",
		  { "2026-12-15T03:00:00Z" } },
		/* the next one comes soon by itself */
		{ "every=6h;anchor=2026-12-01T03:00:00Z;blackout=2026-12-10/2026-12-25", "2026-12-09T20:00:00Z",
		  { "2026-12-09T21:00:00Z", "2026-12-26T03:00:00Z", "2026-12-26T09:00:00Z" } },
		{ "every=5h;anchor=2026-12-01T03:00:00Z;blackout=2026-12-10", "2026-12-09T20:00:00Z",
		  { "2026-12-09T21:00:00Z", "2026-12-11T03:00:00Z", "2026-12-11T08:00:00Z" } },
		{ "every=5h;anchor=2026-12-01T03:00:00Z;blackout=2026-12-10", "2026-12-11T18:00:00Z",
		  { "2026-12-11T23:00:00Z", "2026-12-12T04:00:00Z" } },
		/* days that touch are one */
		{ "every=7d;anchor=2026-12-01T03:00:00Z;blackout=2026-12-16 2026-12-15 2026-12-17/2026-12-20",
		  "2026-12-09T00:00:00Z", { "2026-12-21T03:00:00Z", "2026-12-22T03:00:00Z" } },
		/* days of the zone: it is still the 14th in New York */
		{ "every=7d;anchor=2026-12-01T03:00:00Z;tz=America/New_York;blackout=2026-12-15",
		  "2026-12-09T00:00:00Z", { "2026-12-15T03:00:00Z", "2026-12-22T03:00:00Z" } },
	};
	/* clang-format on */
	return cr_make_param_array(struct every_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct every_case *c, schedule, every_and_blackouts)
{
	struct schedule s = parse(c->spec, "2026-01-01T00:00:00Z");
	struct schedule_past past = { .last_slot = at(c->now) };
	struct schedule_slot got;

	for (size_t i = 0; i < ARRAY_LEN(c->want) && c->want[i][0] != '\0'; i++) {
		cr_assert(schedule_next(&s, &past, past.last_slot, &got));
		cr_assert_str_eq(show(got.slot), c->want[i], "%s: %s", c->spec,
		                 show(got.slot));
		past.last_slot = got.slot;
	}
}

Test(schedule, min_interval_passes_slots_over)
{
	struct schedule s = parse("cron=0 * * * *;min_interval=3h",
	                          "2026-01-01T00:00:00Z");
	struct schedule_past past = { at("2026-01-01T10:00:00Z"),
		                      at("2026-01-01T10:00:00Z"), 0, 0, false };
	struct schedule_slot got;

	cr_assert(schedule_next(&s, &past, past.last_slot, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-01T13:00:00Z", "the interval is over");
	past.last_success++;
	cr_assert(schedule_next(&s, &past, past.last_slot, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-01T14:00:00Z");
}

Test(schedule, max_age_makes_a_slot_of_its_own)
{
	struct schedule s = parse("cron=0 3 1 * *;max_age=10d", "2026-01-01T03:00:00Z");
	struct schedule_past past = { .last_slot = s.anchor_ms };
	struct schedule_slot got;

	cr_assert(schedule_next(&s, &past, s.anchor_ms, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-11T03:00:00Z");
	cr_assert(got.forced);
	past.last_slot = got.slot;
	cr_assert(schedule_next(&s, &past, got.slot, &got));
	cr_assert_str_eq(show(got.slot), "2026-02-01T03:00:00Z", "once");
	cr_assert_not(got.forced);
	past.last_slot = s.anchor_ms;
	s.missed = SCHEDULE_LATE_SKIP;
	cr_assert(schedule_next(&s, &past, s.anchor_ms, &got));
	cr_assert_str_eq(show(got.slot), "2026-02-01T03:00:00Z", "never outside");
	s = parse("cron=0 3 1 * *;max_age=10d;blackout=2026-01-10/2026-01-15",
	          "2026-01-01T03:00:00Z");
	cr_assert(schedule_next(&s, &past, s.anchor_ms, &got));
	cr_assert_str_eq(show(got.slot), "2026-01-16T00:00:00Z", "not in a blackout");
	cr_assert_not(schedule_overdue(&s, &past, at("2026-01-11T02:59:59Z")));
	cr_assert(schedule_overdue(&s, &past, at("2026-01-11T03:00:00Z")));
}

Test(schedule, a_window_ends_at_the_next_slot_and_at_a_blackout)
{
	struct schedule s = parse("cron=0 */4 * * *;window=2h;blackout=2026-01-02",
	                          "2026-01-01T00:00:00Z");

	cr_assert_eq(schedule_window_end(&s, at("2026-01-01T04:00:00Z")),
	             at("2026-01-01T06:00:00Z"));
	s.window_ms = 12ll * 3600 * 1000;
	cr_assert_eq(schedule_window_end(&s, at("2026-01-01T04:00:00Z")),
	             at("2026-01-01T08:00:00Z"));
	s.window_ms = 0;
	cr_assert_eq(schedule_window_end(&s, at("2026-01-01T16:00:00Z")),
	             at("2026-01-01T20:00:00Z"));
	cr_assert_eq(schedule_window_end(&s, at("2026-01-01T20:00:00Z")),
	             at("2026-01-02T00:00:00Z"));
	s = parse("after=10d;window=0", "2026-01-01T00:00:00Z");
	cr_assert_eq(schedule_window_end(&s, at("2026-01-11T00:00:00Z")),
	             at("2026-01-12T00:00:00Z"));
}

Test(schedule, a_preview_is_what_will_be)
{
	struct schedule s = parse("cron=30 2 * * *;tz=Europe/Berlin;window=2h",
	                          "2026-03-27T12:00:00Z");
	struct schedule_past past = { .last_slot = s.anchor_ms };
	struct schedule_view view[5];
	int64_t now = s.anchor_ms;

	memset(s.seed, 3, sizeof(s.seed));
	cr_assert_eq(schedule_preview(&s, &past, now, view, 5), 5);
	cr_assert_str_eq(view[0].local, "2026-03-28 02:30:00 +0100 CET");
	cr_assert_str_eq(view[1].local, "2026-03-29 03:00:00 +0200 CEST");
	cr_assert_str_eq(view[2].local, "2026-03-30 02:30:00 +0200 CEST");
	for (int i = 0; i < 5; i++) {
		struct schedule_plan plan;

		schedule_missed(&s, &past, now, &plan);
		cr_assert_eq(plan.call, SCHEDULE_WAIT);
		cr_assert_eq(plan.next.slot, view[i].slot.slot);
		cr_assert_eq(plan.next.moment, view[i].slot.moment);
		now = plan.next.moment;
		schedule_missed(&s, &past, now, &plan);
		cr_assert_eq(plan.call, SCHEDULE_RUN);
		cr_assert_eq(plan.next.slot, view[i].slot.slot);
		past.last_slot = plan.next.slot;
		past.last_success = now;
	}
	s = (struct schedule){ 0 };
	cr_assert_eq(schedule_preview(&s, &past, now, view, 5), 0, "never");
}
