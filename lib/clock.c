/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_DAY 86400000ll

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

static int64_t system_boot(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_BOOTTIME);
}

const struct clock *clock_system(void)
{
	static const struct clock c = { system_wall, system_boot, NULL };

	return &c;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back: the year
 * starts in March, so that a leap day is its last. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

void clock_rfc3339(int64_t ms, char buf[CLOCK_RFC3339_MAX])
{
	int64_t days = ms / MS_PER_DAY, rest = ms % MS_PER_DAY, y, m, d;
	int n;

	if (rest < 0) {
		rest += MS_PER_DAY;
		days--;
	}
	date_of(days, &y, &m, &d);
	n = snprintf(buf, CLOCK_RFC3339_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, (int)m,
	             (int)d, (int)(rest / 3600000), (int)(rest / 60000 % 60),
	             (int)(rest / 1000 % 60));
	if (rest % 1000 != 0) {
		n += snprintf(buf + n, (size_t)(CLOCK_RFC3339_MAX - n), ".%03d",
		              (int)(rest % 1000));
		while (buf[n - 1] == '0')
			n--;
	}
	snprintf(buf + n, (size_t)(CLOCK_RFC3339_MAX - n), "Z");
}

struct scan {
	const char *p, *end;
	bool bad;
};

static int64_t number(struct scan *s, int width)
{
	int64_t v = 0;

	for (; width > 0; width--) {
		if (s->p == s->end || *s->p < '0' || *s->p > '9') {
			s->bad = true;
			return 0;
		}
		v = v * 10 + (*s->p++ - '0');
	}
	return v;
}

static void literal(struct scan *s, const char *any_of)
{
	if (s->p == s->end || *s->p == '\0' || strchr(any_of, *s->p) == NULL)
		s->bad = true;
	else
		s->p++;
}

static int64_t fraction_ms(struct scan *s)
{
	int64_t ms = 0, unit = 100;

	if (s->p == s->end || *s->p != '.')
		return 0;
	s->p++;
	if (s->p == s->end || *s->p < '0' || *s->p > '9')
		s->bad = true;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
		ms += (*s->p - '0') * unit;
		unit /= 10;
	}
	return ms;
}

static int64_t offset_ms(struct scan *s)
{
	int64_t h, m;
	char sign;

	if (s->p < s->end && (*s->p == 'Z' || *s->p == 'z')) {
		s->p++;
		return 0;
	}
	sign = s->p < s->end ? *s->p : '\0';
	literal(s, "+-");
	h = number(s, 2);
	literal(s, ":");
	m = number(s, 2);
	if (h > 23 || m > 59)
		s->bad = true;
	return (h * 3600000 + m * 60000) * (sign == '-' ? -1 : 1);
}

static bool in_month(int64_t y, int64_t m, int64_t d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	if (m < 1 || m > 12 || d < 1)
		return false;
	return d <= days[m - 1] + (m == 2 && leap);
}

int clock_parse_rfc3339(const char *text, size_t n, int64_t *ms)
{
	struct scan s = { text, text + n, false };
	int64_t y, mo, d, h, mi, sec, frac, off;

	y = number(&s, 4);
	literal(&s, "-");
	mo = number(&s, 2);
	literal(&s, "-");
	d = number(&s, 2);
	literal(&s, "Tt ");
	h = number(&s, 2);
	literal(&s, ":");
	mi = number(&s, 2);
	literal(&s, ":");
	sec = number(&s, 2);
	frac = fraction_ms(&s);
	off = offset_ms(&s);
	if (s.bad || s.p != s.end || !in_month(y, mo, d) || h > 23 || mi > 59 || sec > 60)
		return -1;
	*ms = days_of(y, mo, d) * MS_PER_DAY + h * 3600000 + mi * 60000 + sec * 1000 + frac - off;
	return 0;
}
