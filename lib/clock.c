/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)

static int64_t read_ms(clockid_t id)
{
	struct timespec t = { 0, 0 };

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_REALTIME);
}

static int64_t system_boot(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_BOOTTIME);
}

const struct clock *clock_system(void)
{
	static const struct clock system_clock = { system_wall, system_boot, NULL };

	return &system_clock;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back: years
 * are counted from March, in eras of 400 years with 146,097 days. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
	int64_t year;
	int month, day;
};

static struct date date_from_days(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;
	struct date d;

	d.day = (int)(of_year - (153 * m + 2) / 5 + 1);
	d.month = (int)(m < 10 ? m + 3 : m - 9);
	d.year = y + era * 400 + (d.month <= 2 ? 1 : 0);
	return d;
}

/* A number of ${width} digits, and what follows it. */
static char *put(char *p, int n, int width, char next)
{
	for (int i = width - 1; i >= 0; i--, n /= 10)
		p[i] = (char)('0' + n % 10);
	p[width] = next;
	return p + width + 1;
}

static char *put_year(char *p, int64_t year)
{
	if (year >= 0 && year <= 9999)
		return put(p, (int)year, 4, '-');
	return p + snprintf(p, CLOCK_RFC3339_MAX, "%04lld-", (long long)year);
}

void clock_rfc3339(int64_t ms, char buf[CLOCK_RFC3339_MAX])
{
	int64_t days = ms / DAY_MS - (ms % DAY_MS < 0 ? 1 : 0);
	int rest = (int)(ms % DAY_MS + (ms % DAY_MS < 0 ? DAY_MS : 0));
	struct date d = date_from_days(days);
	int fraction = rest % 1000, width = 3;
	char *p = put_year(buf, d.year);

	p = put(p, d.month, 2, '-');
	p = put(p, d.day, 2, 'T');
	p = put(p, rest / 3600000, 2, ':');
	p = put(p, rest / 60000 % 60, 2, ':');
	p = put(p, rest / 1000 % 60, 2, fraction != 0 ? '.' : 'Z');
	while (fraction != 0 && fraction % 10 == 0) {
		fraction /= 10;
		width--;
	}
	if (fraction != 0)
		p = put(p, fraction, width, 'Z');
	*p = '\0';
}

struct scan {
	const char *p;
	const char *end;
	bool bad;
};

static int number(struct scan *s, int width, int low, int high)
{
	int n = 0;

	for (int i = 0; i < width; i++) {
		if (s->p == s->end || *s->p < '0' || *s->p > '9') {
			s->bad = true;
			return low;
		}
		n = n * 10 + (*s->p++ - '0');
	}
	s->bad = s->bad || n < low || n > high;
	return n;
}

static void literal(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		s->bad = true;
	else
		s->p++;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t scan_date(struct scan *s)
{
	int year = number(s, 4, 0, 9999);
	int month, day;

	literal(s, '-');
	month = number(s, 2, 1, 12);
	literal(s, '-');
	day = number(s, 2, 1, 31);
	if (s->bad || day > days_in(year, month)) {
		s->bad = true;
		return 0;
	}
	return days_from_date(year, month, day) * DAY_MS;
}

/* Digits past the third are cut. */
static int64_t scan_fraction(struct scan *s)
{
	int64_t ms = 0, weight = 100;

	if (s->p == s->end || *s->p != '.')
		return 0;
	s->p++;
	ms = number(s, 1, 0, 9) * weight;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
		weight /= 10;
		ms += (*s->p++ - '0') * weight;
	}
	return ms;
}

static int64_t scan_time(struct scan *s)
{
	int64_t ms = (int64_t)number(s, 2, 0, 23) * 3600000;

	literal(s, ':');
	ms += (int64_t)number(s, 2, 0, 59) * 60000;
	literal(s, ':');
	ms += (int64_t)number(s, 2, 0, 59) * 1000;
	return ms + scan_fraction(s);
}

static int64_t scan_offset(struct scan *s)
{
	int64_t sign, ms;

	if (s->p < s->end && *s->p == 'Z') {
		s->p++;
		return 0;
	}
	sign = s->p < s->end && *s->p == '-' ? -1 : 1;
	literal(s, sign < 0 ? '-' : '+');
	ms = (int64_t)number(s, 2, 0, 23) * 3600000;
	literal(s, ':');
	ms += (int64_t)number(s, 2, 0, 59) * 60000;
	return sign * ms;
}

int clock_parse_rfc3339(const char *s, size_t n, int64_t *ms)
{
	struct scan scan = { s, s + n, false };
	int64_t when = scan_date(&scan);

	literal(&scan, 'T');
	when += scan_time(&scan);
	when -= scan_offset(&scan);
	if (scan.bad || scan.p != scan.end)
		return -1;
	*ms = when;
	return 0;
}
