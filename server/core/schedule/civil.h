/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CIVIL_H
#define SERVER_CORE_CIVIL_H
/*
 * civil - dates of the Gregorian calendar as numbers: days since 1970-01-01, and seconds
 * on a clock face ("local" times: what a clock on the wall shows, as if it were UTC).
 */
#include <stdbool.h>
#include <stdint.h>

#define CIVIL_DAY INT64_C(86400)
/* The years that we compute with; times outside of them are refused or "never". */
#define CIVIL_YEAR_MIN 1
#define CIVIL_YEAR_MAX 9999

struct civil {
	int year;
	int month; /* 1-12 */
	int day;   /* 1-31 */
};

/** civil_days(year, month, day): days since 1970-01-01; ${day} need not be in the month.
 */
int64_t civil_days(int64_t year, int month, int64_t day);
/** civil_date(days): the inverse. */
struct civil civil_date(int64_t days);
/** civil_month_days(year, month): 28 to 31. */
int civil_month_days(int64_t year, int month);
/** civil_leap(year): has it a 29 February? */
bool civil_leap(int64_t year);
/** civil_weekday(days): 0 is Sunday. */
int civil_weekday(int64_t days);

/** civil_floor(t, unit): ${t} / ${unit}, rounded down; the remainder is never negative.
 */
static inline int64_t civil_floor(int64_t t, int64_t unit)
{
	return t / unit - (t % unit < 0 ? 1 : 0);
}

#endif
