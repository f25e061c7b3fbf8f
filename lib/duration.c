/* SPDX-License-Identifier: Apache-2.0 */
#include "duration.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  (1000 * NS_PER_MS)
#define NS_PER_H  (3600 * NS_PER_S)

/* As in Go, everything is counted in nanoseconds: no more than some 292 years. */
struct scan {
	const char *p;
	const char *end;
	int64_t ns;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool all_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p == end;
}

/* Longer names first: "ms" is no "m". */
static int64_t unit_ns(struct scan *s)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ns",         1            },
		{ "us",        1000         },
		{ "\xc2\xb5s", 1000         }, /* micro sign */
		{ "\xce\xbcs", 1000         }, /* Greek mu */
		{ "ms",        NS_PER_MS    },
		{ "s",         NS_PER_S     },
		{ "m",         60 * NS_PER_S},
		{ "h",         NS_PER_H     },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t n = strlen(units[i].name);

		if ((size_t)(s->end - s->p) >= n && memcmp(s->p, units[i].name, n) == 0) {
			s->p += n;
			return units[i].ns;
		}
	}
	return 0;
}

static bool digits(struct scan *s, int64_t *n)
{
	*n = 0;
	for (; s->p < s->end && is_digit(*s->p); s->p++)
		if (__builtin_mul_overflow(*n, 10, n) ||
		    __builtin_add_overflow(*n, *s->p - '0', n))
			return false;
	return true;
}

/* What the digits from ${p} on are worth behind the point: Go's arithmetic, so that its
 * rounding is ours. */
static int64_t fraction(const char *p, int64_t unit)
{
	int64_t digits_seen = 0, more;
	double scale = 1;

	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(digits_seen, 10, &more) ||
		    __builtin_add_overflow(more, *p - '0', &more))
			break;
		digits_seen = more;
		scale *= 10;
	}
	return (int64_t)((double)digits_seen * ((double)unit / scale));
}

/* One number with its unit.  A unit always follows, so fraction() stops at the latest
 * there. */
static bool term(struct scan *s)
{
	const char *from = s->p, *point;
	int64_t whole, unit;
	bool any;

	if (!digits(s, &whole))
		return false;
	point = s->p;
	any = s->p != from;
	if (s->p < s->end && *s->p == '.') {
		for (s->p++; s->p < s->end && is_digit(*s->p); s->p++)
			;
		any = any || s->p - point > 1;
	}
	unit = any ? unit_ns(s) : 0;
	if (unit == 0 || __builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(s->ns, whole, &s->ns))
		return false;
	return *point != '.' ||
	       !__builtin_add_overflow(s->ns, fraction(point + 1, unit), &s->ns);
}

static bool counted(struct scan *s, int64_t unit)
{
	return digits(s, &s->ns) && !__builtin_mul_overflow(s->ns, unit, &s->ns);
}

static bool scan(struct scan *s)
{
	if (s->p == s->end)
		return false;
	if (all_digits(s->p, s->end))
		return counted(s, NS_PER_S);
	if (s->end - s->p > 1 && s->end[-1] == 'd' && all_digits(s->p, s->end - 1))
		return counted(s, 24 * NS_PER_H);
	while (s->p < s->end)
		if (!term(s))
			return false;
	return true;
}

int duration_parse(const char *s, size_t n, int64_t *ms, struct err *e)
{
	struct scan sc = { s, s, 0 };
	bool negative;

	if (n == 0) {
		*ms = 0;
		return ERR_OK;
	}
	sc.end = s + n;
	negative = s[0] == '-';
	if (negative || s[0] == '+')
		sc.p++;
	if (!scan(&sc))
		return err_set(e, ERR_INVALID,
		               "not a duration (such as \"90s\", \"1h30m\" or \"30d\")");
	*ms = (negative ? -sc.ns : sc.ns) / NS_PER_MS;
	return ERR_OK;
}

/* ${n} / 10^${digits} without trailing zeroes. */
static int decimal(char *out, size_t cap, uint64_t n, unsigned scale)
{
	uint64_t whole = n / scale, rest = n % scale;
	unsigned width = 0;

	for (unsigned s = scale; s > 1; s /= 10)
		width++;
	while (width > 0 && rest % 10 == 0) {
		rest /= 10;
		width--;
	}
	if (width == 0)
		return snprintf(out, cap, "%llu", (unsigned long long)whole);
	return snprintf(out, cap, "%llu.%0*llu", (unsigned long long)whole, (int)width,
	                (unsigned long long)rest);
}

void duration_format(int64_t ms, char buf[DURATION_TEXT_MAX])
{
	uint64_t u = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	uint64_t minutes = u / 60000;
	size_t at = 0;

	if (u != 0 && u < 1000) {
		(void)snprintf(buf, DURATION_TEXT_MAX, "%s%llums", ms < 0 ? "-" : "",
		               (unsigned long long)u);
		return;
	}
	if (ms < 0)
		buf[at++] = '-';
	if (minutes >= 60)
		at += (size_t)snprintf(buf + at, DURATION_TEXT_MAX - at, "%lluh",
		                       (unsigned long long)minutes / 60);
	if (minutes > 0)
		at += (size_t)snprintf(buf + at, DURATION_TEXT_MAX - at, "%llum",
		                       (unsigned long long)minutes % 60);
	at += (size_t)decimal(buf + at, DURATION_TEXT_MAX - at, u % 60000, 1000);
	(void)snprintf(buf + at, DURATION_TEXT_MAX - at, "s");
}
