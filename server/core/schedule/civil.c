/* SPDX-License-Identifier: Apache-2.0 */
#include "civil.h"

#define CYCLE_YEARS 400
#define CYCLE_DAYS  146097

bool civil_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_month_days(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && civil_leap(year) ? 1 : 0);
}

/* Days from 1 January of year 0 to 1 January of ${year}, 0 to 400. */
static int64_t year_start(int64_t year)
{
	return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

int64_t civil_days(int64_t year, int month, int64_t day)
{
	static const int before[] = { 0,   31,  59,  90,  120, 151,
		                      181, 212, 243, 273, 304, 334 };
	int64_t cycle = civil_floor(year, CYCLE_YEARS);
	int64_t days = cycle * CYCLE_DAYS + year_start(year - cycle * CYCLE_YEARS) +
	               before[month - 1] + day - 1;

	if (month > 2 && civil_leap(year))
		days++;
	return days - 719528;
}

struct civil civil_date(int64_t days)
{
	int64_t since0 = days + 719528, cycle = civil_floor(since0, CYCLE_DAYS);
	int64_t left = since0 - cycle * CYCLE_DAYS, year = left / 366;
	struct civil d = { .month = 1 };

	/* left / 366 is the year or one too low. */
	if (year_start(year + 1) <= left)
		year++;
	left -= year_start(year);
	while (left >= civil_month_days(year, d.month))
		left -= civil_month_days(year, d.month++);
	d.year = (int)(cycle * CYCLE_YEARS + year);
	d.day = (int)left + 1;
	return d;
}

int civil_weekday(int64_t days)
{
	int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (int)(w < 0 ? w + 7 : w);
}
