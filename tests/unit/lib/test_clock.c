/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "util.h"

TestSuite(clock, .timeout = 30);

struct stamp {
	int64_t ms;
	const char *text;
};

static const struct stamp stamps[] = {
	{0,			 "1970-01-01T00:00:00Z"    },
	{ 1,			"1970-01-01T00:00:00.001Z"},
	{ 10,		       "1970-01-01T00:00:00.01Z" },
	{ 500,		      "1970-01-01T00:00:00.5Z"  },
	{ -1,		       "1969-12-31T23:59:59.999Z"},
	{ INT64_C(951782399999),    "2000-02-28T23:59:59.999Z"},
	{ INT64_C(951782400000),    "2000-02-29T00:00:00Z"    },
	{ INT64_C(951868800000),    "2000-03-01T00:00:00Z"    },
	{ INT64_C(1787338693123),   "2026-08-21T18:58:13.123Z"},
	{ INT64_C(4107542400000),   "2100-03-01T00:00:00Z"    },
	{ INT64_C(-62135596800000), "0001-01-01T00:00:00Z"    },
	{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
};

Test(clock, rfc3339_is_written_and_read_back)
{
	for (size_t i = 0; i < ARRAY_LEN(stamps); i++) {
		char text[CLOCK_RFC3339_MAX];
		int64_t ms = 4711;

		clock_rfc3339(stamps[i].ms, text);
		cr_expect_str_eq(text, stamps[i].text);
		cr_expect_eq(clock_parse_rfc3339(text, strlen(text), &ms), 0, "%s", text);
		cr_expect_eq(ms, stamps[i].ms, "%s", text);
	}
}

Test(clock, agrees_with_the_c_library_on_every_day_of_four_centuries)
{
	for (int64_t day = -146097 / 2; day < 146097; day += 3) {
		char text[CLOCK_RFC3339_MAX], want[CLOCK_RFC3339_MAX];
		int64_t ms = 0;
		time_t t = (time_t)(day * 86400 + day % 86400);
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		clock_rfc3339((int64_t)t * 1000, text);
		cr_assert_str_eq(text, want);
		cr_assert_eq(clock_parse_rfc3339(text, strlen(text), &ms), 0);
		cr_assert_eq(ms, (int64_t)t * 1000);
	}
}

Test(clock, the_extremes_fit_the_buffer)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(INT64_MAX, text);
	cr_assert_lt(strlen(text), sizeof(text));
	clock_rfc3339(INT64_MIN, text);
	cr_assert_lt(strlen(text), sizeof(text));
}

Test(clock, offsets_and_fractions_are_read)
{
	static const struct stamp cases[] = {
		{0,        "1970-01-01T01:00:00+01:00"         },
		{ 0,       "1969-12-31T18:30:00-05:30"         },
		{ 3600000, "1970-01-01T00:00:00-01:00"         },
		{ 0,       "1970-01-01T00:00:00+00:00"         },
		{ 0,       "1970-01-01T00:00:00-00:00"         },
		{ 123,     "1970-01-01T00:00:00.123456789Z"    },
		{ 999,     "1970-01-01T00:00:00.9999999999999Z"},
		{ 120,     "1970-01-01T00:00:00.12+00:00"      },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = 4711;

		cr_expect_eq(clock_parse_rfc3339(cases[i].text, strlen(cases[i].text),
		                                 &ms),
		             0, "%s", cases[i].text);
		cr_expect_eq(ms, cases[i].ms, "%s", cases[i].text);
	}
}

Test(clock, what_is_no_time_is_refused)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-08-21",
		"2026-08-21T18:58:13",
		"2026-08-21 18:58:13Z",
		"2026-08-21t18:58:13Z",
		"2026-08-21T18:58:13z",
		"2026-8-21T18:58:13Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2024-02-30T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00,5Z",
		"2026-01-01T00:00:00+0100",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+01:60",
		"2026-01-01T00:00:00ZZ",
		"2026-01-01T00:00:00Z ",
		"+2026-01-01T00:00:00Z",
		"-001-01-01T00:00:00Z",
		"2026-01-01T00:00Z",
		"2026-01-01T-1:00:00Z",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms = 4711;

		cr_expect_eq(clock_parse_rfc3339(bad[i], strlen(bad[i]), &ms), -1, "%s",
		             bad[i]);
		cr_expect_eq(ms, 4711, "%s", bad[i]);
	}
}

Test(clock, no_prefix_of_a_time_is_one)
{
	static const char text[] = "2026-08-21T18:58:13.123+01:00";

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_assert_eq(clock_parse_rfc3339(text, n, &(int64_t){ 0 }), -1, "%zu", n);
}

Test(clock, the_system_clocks_run)
{
	const struct clock *c = clock_system();
	int64_t wall = clock_wall(c), boot = clock_boot(c);

	/* 2025-01-01: a wall clock before that is not set. */
	cr_assert_gt(wall, INT64_C(1735689600000));
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	cr_assert_geq(clock_boot(c) - boot, 20);
	cr_assert_lt(clock_boot(c) - boot, 20000);
}
