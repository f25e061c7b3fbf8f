/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "schedulefix.h"

TestSuite(schedule_parse, .init = setup, .fini = teardown, .timeout = 60);

struct refused_case {
	char spec[96], want[110];
};
ParameterizedTestParameters(schedule_parse, names_what_is_wrong)
{
	/* clang-format off */
	static struct refused_case c[] = {
		{ "tz=UTC", "exactly one of cron, every and after" },
		{ "every=1h;cron=0 3 * * *", "exactly one of cron, every and after" },
		{ "every=1h;color=red", "\"color\" is no field of a schedule" },
		{ "every=soon", "every: a duration, such as \"2h\" or 7200" },
		{ "every=-1h", "every: a duration, such as \"2h\" or 7200" },
		{ "every=10ms", "every: between 1s and 3660d" },
		{ "after=9999d", "after: between 1s and 3660d" },
		{ "cron=0 3 * *", "cron: fewer than five fields (minute, hour, day of month, month, day of week)" },
		{ "cron=0 25 * * *", "cron: hour \"25\": not a value of this field" },
		{ "cron=0 0 30 2 *", "cron: \"0 0 30 2 *\" does not occur within 8 years" },
		{ "every=1h;tz=Europe/Bonn", "tz: \"Europe/Bonn\" is no time zone of this system (see /usr/share/zoneinfo)" },
		{ "every=1h;tz=../../../etc/localtime", "tz: \"../../../etc/localtime\" is no time zone of this system (see /usr/share/zoneinfo)" },
		{ "every=1h;tz=right/UTC", "tz: \"right/UTC\": the time zone counts leap seconds" },
		{ "every=1h;tz=zone.tab", "tz: \"zone.tab\" is no time zone of this system (see /usr/share/zoneinfo)" },
		{ "every=1h;tz=leapseconds", "tz: \"leapseconds\": not a time zone file of version 2 or later" },
		{ "every=1h;tz=Europe", "tz: \"Europe\" is no time zone of this system (see /usr/share/zoneinfo)" },
		{ "every=1h;window=400d", "window: at most 366d" },
		{ "every=1h;jitter=some", "jitter: \"auto\", \"none\" or a duration" },
		{ "every=1h;jitter=400d", "jitter: at most 366d" },
		{ "every=1h;blackout=2026-12-24/2026-12-23", "blackout: dates from 1970 on, such as \"2026-12-24\" or \"2026-12-20/2027-01-03\", of at most 366 days" },
		{ "every=1h;blackout=2026-02-29", "blackout: dates from 1970 on, such as \"2026-12-24\" or \"2026-12-20/2027-01-03\", of at most 366 days" },
		{ "every=1h;blackout=2026-01-01/2027-01-02", "blackout: dates from 1970 on, such as \"2026-12-24\" or \"2026-12-20/2027-01-03\", of at most 366 days" },
		{ "every=1h;missed=later", "missed: \"next\", \"run\" or \"skip\"" },
		{ "every=1h;anchor=yesterday", "anchor: a time, such as \"2026-01-31T03:00:00Z\"" },
		{ "every=1d;max_age=1d", "max_age: longer than the period" },
		{ "every=1d;min_interval=25h", "min_interval: at most the period" },
		{ "cron=0 3 * * *;max_age=1d;min_interval=1d", "max_age: longer than min_interval" },
	};
	/* clang-format on */
	return cr_make_param_array(struct refused_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct refused_case *c, schedule_parse, names_what_is_wrong)
{
	struct schedule s;

	cr_assert_eq(schedule_parse(object(c->spec), zones, 1, &s, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, c->want);
}

Test(schedule_parse, takes_nothing_but_its_types)
{
	static const char *const fields[] = { "cron",         "tz",       "window",
		                              "jitter",       "blackout", "max_age",
		                              "min_interval", "missed",   "anchor" };
	struct schedule s;

	cr_assert_eq(schedule_parse(NULL, zones, 1, &s, &e), ERR_INVALID);
	cr_assert_eq(schedule_parse(value_array(a), zones, 1, &s, &e), ERR_INVALID);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct value *v = value_object(a);

		if (i > 0)
			value_set_str(a, v, "every", "1h");
		value_set(v, fields[i], value_bool(a, true));
		cr_assert_eq(schedule_parse(v, zones, 1, &s, &e), ERR_INVALID);
		cr_assert_eq(strncmp(e.msg, fields[i], strlen(fields[i])), 0, "%s",
		             e.msg);
		v = value_object(a);
		value_set_str(a, v, i > 0 ? "every" : "after", "1h");
		value_set(v, fields[i], value_null(a));
		cr_assert_eq(schedule_parse(v, zones, 1, &s, &e), ERR_OK, "%s", e.msg);
	}
}

Test(schedule_parse, at_most_so_many_blackouts)
{
	struct value *v = object("every=1h"), *list = value_array(a);
	struct schedule s;

	for (int i = 0; i < SCHEDULE_BLACKOUTS; i++)
		value_add(list, value_str(a, arena_printf(a, "20%02d-01-01", 99 - i)));
	value_set(v, "blackout", list);
	cr_assert_eq(schedule_parse(v, zones, 1, &s, &e), ERR_OK);
	cr_assert_eq(s.blackouts, SCHEDULE_BLACKOUTS);
	for (size_t i = 1; i < s.blackouts; i++)
		cr_assert_gt(s.blackout[i].from, s.blackout[i - 1].to);
	value_add(list, value_str(a, "2020-01-01"));
	cr_assert_eq(schedule_parse(v, zones, 1, &s, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, "blackout: at most 32");
}

struct text {
	char spec[160];
};
ParameterizedTestParameters(schedule_parse, what_is_written_back_means_the_same)
{
	static struct text c[] = {
		{ "cron=0 3 * * 1-5" },
		{ "cron=*/5  0-6\t1,15 JAN-mar fri-sun;tz=Europe/Berlin" },
		{ "every=30d;window=0;jitter=none;missed=run" },
		{ "every=90s;jitter=1500ms;anchor=2026-01-01T00:00:00.25+01:00" },
		{ "after=20d;max_age=45d;min_interval=1h;missed=skip" },
		{ "cron=0 0 24 12 *;blackout=2026-12-25 2026-12-20/2026-12-24 2027-05-01" },
	};
	return cr_make_param_array(struct text, c, ARRAY_LEN(c));
}
ParameterizedTest(struct text *c, schedule_parse, what_is_written_back_means_the_same)
{
	struct schedule s = parse(c->spec, "2026-11-27T05:00:00.125Z"), again;
	struct value *v = schedule_value(a, &s), *twice;

	cr_assert_eq(schedule_parse(v, zones, 7, &again, &e), ERR_OK, "%s", e.msg);
	twice = schedule_value(a, &again);
	cr_assert(value_equal(v, twice));
	cr_assert_eq(s.kind, again.kind);
	cr_assert_eq(s.anchor_ms, again.anchor_ms);
	cr_assert_eq(s.zone, again.zone);
	cr_assert_eq(s.missed, again.missed);
	cr_assert_eq(s.jitter_auto, again.jitter_auto);
	cr_assert_eq(s.jitter_ms, again.jitter_ms);
	cr_assert_eq(s.blackouts, again.blackouts);
	for (size_t i = 0; i < s.blackouts; i++)
		cr_assert_eq(s.blackout[i].carry, again.blackout[i].carry);
	cr_assert_not(arena_failed(a));
}

Test(schedule_parse, writes_back_one_form)
{
	struct schedule s = parse("cron= 0 3\t*  * mon;blackout=2026-12-24 2026-12-25",
	                          "2026-11-27T05:00:00Z");
	struct value *v = schedule_value(a, &s), *list = value_get(v, "blackout");

	cr_assert(value_is_str(value_get(v, "cron"), "0 3 * * mon"));
	cr_assert(value_is_str(value_get(v, "tz"), "UTC"));
	cr_assert(value_is_str(value_get(v, "window"), "1h0m0s"));
	cr_assert(value_is_str(value_get(v, "jitter"), "auto"));
	cr_assert(value_is_str(value_get(v, "missed"), "next"));
	cr_assert(value_is_str(value_get(v, "anchor"), "2026-11-27T05:00:00Z"));
	cr_assert_eq(list->len, 1);
	cr_assert(value_is_str(list->first, "2026-12-24/2026-12-25"));
}

Test(schedule_parse, vaults_schedules)
{
	struct schedule s;
	struct schedule_past past = { 0 };
	struct schedule_slot next;

	cr_assert_eq(schedule_vault("0 3 * * SAT", 3600000, at("2026-11-27T05:00:00Z"),
	                            &s, &e),
	             ERR_OK);
	past.last_slot = s.anchor_ms;
	cr_assert(schedule_next(&s, &past, s.anchor_ms, &next));
	cr_assert_str_eq(show(next.slot), "2026-11-28T03:00:00Z");
	cr_assert_eq(next.moment, next.slot);
	cr_assert_eq(next.end, next.slot + 3600000);
	cr_assert_eq(schedule_vault("0 3 * * SAT", 0, 1, &s, &e), ERR_OK);
	cr_assert_eq(schedule_vault("0 3 * * SAT", 3599000, 1, &s, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, "rotation_window must be 3600 seconds or more");
	cr_assert_eq(schedule_vault("0 3 * * SAT", -1, 1, &s, &e), ERR_INVALID);
	cr_assert_eq(schedule_vault("@daily", 0, 1, &s, &e), ERR_INVALID);
	cr_assert_eq(strncmp(e.msg, "could not parse rotation_schedule: ", 35), 0);
}
