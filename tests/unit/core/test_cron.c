/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "civil.h"
#include "cron.h"
#include "util.h"

TestSuite(cron, .timeout = 60);

static struct err e;

struct refused_case {
	char text[64], want[100];
};
ParameterizedTestParameters(cron, names_field_and_text)
{
	/* clang-format off */
	static struct refused_case c[] = {
		{ "", "fewer than five fields (minute, hour, day of month, month, day of week)" },
		{ "* * * *", "fewer than five fields (minute, hour, day of month, month, day of week)" },
		{ "0 * * * * *", "more than five fields (minute, hour, day of month, month, day of week)" },
		{ "@daily", "fewer than five fields (minute, hour, day of month, month, day of week)" },
		{ "60 * * * *", "minute \"60\": not a value of this field" },
		{ "-1 * * * *", "minute \"-1\": not a value of this field" },
		{ "* 24 * * *", "hour \"24\": not a value of this field" },
		{ "* * 0 * *", "day of month \"0\": not a value of this field" },
		{ "* * 32 * *", "day of month \"32\": not a value of this field" },
		{ "* * L * *", "day of month \"L\": not a value of this field" },
		{ "* * * 13 *", "month \"13\": not a value of this field" },
		{ "* * * mai *", "month \"mai\": not a value of this field" },
		{ "* * mon * *", "day of month \"mon\": not a value of this field" },
		{ "* * * * 8", "day of week \"8\": not a value of this field" },
		{ "* * * * monday", "day of week \"monday\": not understood" },
		{ "* * * * 1#2", "day of week \"1#2\": not understood" },
		{ "1, * * * *", "minute \"\": not a value of this field" },
		{ ",1 * * * *", "minute \"\": not a value of this field" },
		{ "1,,2 * * * *", "minute \"\": not a value of this field" },
		{ "5- * * * *", "minute \"5-\": the end of the range is not a value" },
		{ "* 20-4 * * *", "hour \"20-4\": the range runs backwards" },
		{ "* * * * fri-tue", "day of week \"fri-tue\": the range runs backwards" },
		{ "1,2,9-8 * * * *", "minute \"9-8\": the range runs backwards" },
		{ "*/0 * * * *", "minute \"*/0\": the step is not a number above 0" },
		{ "*/ * * * *", "minute \"*/\": the step is not a number above 0" },
		{ "*/x * * * *", "minute \"*/x\": the step is not a number above 0" },
		{ "*/60 * * * *", "minute \"*/60\": the step is longer than the field" },
		{ "* */24 * * *", "hour \"*/24\": the step is longer than the field" },
		{ "*5 * * * *", "minute \"*5\": not understood" },
		{ "*-5 * * * *", "minute \"*-5\": not understood" },
		{ "1-2-3 * * * *", "minute \"1-2-3\": not understood" },
		{ "0000 * * * *", "minute \"0000\": not understood" },
		{ "? * * * *", "minute \"?\": not a value of this field" },
		{ "0 0 30 2 *", "\"0 0 30 2 *\" does not occur within 8 years" },
		{ "0 0 31 4,6,9,11 *", "\"0 0 31 4,6,9,11 *\" does not occur within 8 years" },
		{ "0 0 */30 2 mon", "\"0 0 */30 2 mon\" does not occur within 8 years" },
	};
	/* clang-format on */
	return cr_make_param_array(struct refused_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct refused_case *c, cron, names_field_and_text)
{
	struct cron out;

	cr_assert_eq(cron_parse(c->text, strlen(c->text), &out, &e), ERR_INVALID, "%s",
	             c->text);
	cr_assert_str_eq(e.msg, c->want);
}

Test(cron, a_text_has_an_end)
{
	char text[CRON_TEXT_MAX + 2];
	struct cron out;

	(void)snprintf(text, sizeof(text), "%-256s", "0 3 * * *");
	cr_assert_eq(cron_parse(text, CRON_TEXT_MAX, &out, &e), ERR_OK);
	cr_assert_str_eq(out.text, "0 3 * * *");
	cr_assert_eq(cron_parse(text, CRON_TEXT_MAX + 1, &out, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, "longer than 255 characters");
	cr_assert_eq(cron_parse("0 3 * * *\0", 10, &out, &e), ERR_INVALID);
}

struct bits_case {
	char text[48];
	unsigned long long minute;
	unsigned hour, dom, month, dow;
};
ParameterizedTestParameters(cron, fields_are_sets)
{
	/* clang-format off */
	static struct bits_case c[] = {
		{ "* * * * *", 0xfffffffffffffff, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f },
		{ "5 3 7 2 1", 1ull << 5, 1 << 3, 1 << 7, 1 << 2, 1 << 1 },
		{ "*/20 */8 */15 */6 */3", 1 | 1ull << 20 | 1ull << 40, 1 | 1 << 8 | 1 << 16,
		  1 << 1 | 1 << 16 | 1u << 31, 1 << 1 | 1 << 7, 1 | 1 << 3 | 1 << 6 },
		{ "1-3,50/4 22-23 1-31/10 Jan,MAR-apr Sun,tue-Thu", 0xe | 1ull << 50 | 1ull << 54 | 1ull << 58,
		  3u << 22, 1 << 1 | 1 << 11 | 1 << 21 | 1u << 31, 1 << 1 | 1 << 3 | 1 << 4, 1 | 1 << 2 | 1 << 3 | 1 << 4 },
		{ "0 0 * * 7", 1, 1, 0xfffffffe, 0x1ffe, 1 },
		{ "0 0 * * 5-7", 1, 1, 0xfffffffe, 0x1ffe, 1 | 1 << 5 | 1 << 6 },
		{ "0 0 * * fri-sun", 1, 1, 0xfffffffe, 0x1ffe, 1 | 1 << 5 | 1 << 6 },
		{ "0 0 * * sun-tue", 1, 1, 0xfffffffe, 0x1ffe, 7 },
		{ "0 0 * * 4/2", 1, 1, 0xfffffffe, 0x1ffe, 1 << 4 | 1 << 6 },
		{ "0 0 * * 7/2", 1, 1, 0xfffffffe, 0x1ffe, 1 },
		{ "059 023 031 012 *", 1ull << 59, 1 << 23, 1u << 31, 1 << 12, 0x7f },
	};
	/* clang-format on */
	return cr_make_param_array(struct bits_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct bits_case *c, cron, fields_are_sets)
{
	struct cron out;

	cr_assert_eq(cron_parse(c->text, strlen(c->text), &out, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(out.minute, c->minute, "%s", c->text);
	cr_assert_eq(out.hour, c->hour, "%s", c->text);
	cr_assert_eq(out.dom, c->dom, "%s", c->text);
	cr_assert_eq(out.month, c->month, "%s", c->text);
	cr_assert_eq(out.dow, c->dow, "%s: %x", c->text, out.dow);
}

Test(cron, a_limit_is_one)
{
	struct cron out;
	int64_t noon = civil_days(2026, 11, 27) * CIVIL_DAY + 12 * 3600;

	cr_assert_eq(cron_parse("0 12 * * *", 10, &out, &e), ERR_OK);
	cr_assert_eq(cron_match(&out, NULL, noon, noon + 1), noon);
	cr_assert_eq(cron_match(&out, NULL, noon - 59, noon), CRON_NEVER);
	cr_assert_eq(cron_match(&out, NULL, noon + 1, noon + CIVIL_DAY), CRON_NEVER);
	cr_assert_eq(cron_match(&out, NULL, noon + 1, noon + CIVIL_DAY + 1),
	             noon + CIVIL_DAY);
	/* Before 1970, too. */
	cr_assert_eq(cron_match(&out, NULL, -CIVIL_DAY, 0), -CIVIL_DAY / 2);
}

Test(cron, dates_and_days_agree)
{
	struct civil last = civil_date(civil_days(1600, 1, 1) - 1);

	cr_assert_eq(civil_days(1970, 1, 1), 0);
	cr_assert_eq(civil_days(2026, 11, 27), 20784);
	cr_assert_eq(civil_weekday(20784), 5);
	cr_assert_eq(civil_weekday(-1), 3);
	for (int64_t day = civil_days(1600, 1, 1); day < civil_days(2401, 1, 1); day++) {
		struct civil d = civil_date(day);
		bool next_day = d.day == last.day + 1 && d.month == last.month;

		cr_assert_eq(civil_days(d.year, d.month, d.day), day);
		if (!next_day) {
			cr_assert_eq(d.day, 1);
			cr_assert_eq(last.day, civil_month_days(last.year, last.month));
			cr_assert_eq(d.month, last.month % 12 + 1);
			cr_assert_eq(d.year, last.year + last.month / 12);
		}
		last = d;
	}
}
