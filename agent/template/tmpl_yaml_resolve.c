/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_yaml.h"

#include <math.h>
#include <string.h>

#include "tmpl_number.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool word(struct tmpl_str s, struct tv *out)
{
	static const char *const yes[] = { "y",    "Y",    "yes", "Yes", "YES", "true",
		                           "True", "TRUE", "on",  "On",  "ON" };
	static const char *const no[] = { "n",     "N",     "no",  "No",  "NO", "false",
		                          "False", "FALSE", "off", "Off", "OFF" };
	static const char *const null[] = { "", "~", "null", "Null", "NULL" };
	static const struct {
		const char *text;
		double f;
	} floats[] = {
		{".nan",   NAN      },
                { ".NaN",  NAN      },
                { ".NAN",  NAN      },
		{ ".inf",  INFINITY },
                { ".Inf",  INFINITY },
                { ".INF",  INFINITY },
		{ "+.inf", INFINITY },
                { "+.Inf", INFINITY },
                { "+.INF", INFINITY },
		{ "-.inf", -INFINITY},
                { "-.Inf", -INFINITY},
                { "-.INF", -INFINITY},
	};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (tmpl_str_is(s, yes[i]))
			return *out = tv_bool(true), true;
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (tmpl_str_is(s, no[i]))
			return *out = tv_bool(false), true;
	for (size_t i = 0; i < ARRAY_LEN(null); i++)
		if (tmpl_str_is(s, null[i]))
			return *out = tv_nil(), true;
	for (size_t i = 0; i < ARRAY_LEN(floats); i++)
		if (tmpl_str_is(s, floats[i].text))
			return *out = tv_float(floats[i].f), true;
	return false;
}

/* Digits at ${*i}, at least one and at most ${max}: their value, or -1. */
static int some_digits(struct tmpl_str s, size_t *i, size_t max)
{
	size_t from = *i;
	int v = 0;

	while (*i < s.n && *i - from < max && is_digit(s.p[*i]))
		v = v * 10 + (s.p[(*i)++] - '0');
	return *i > from ? v : -1;
}

static bool one(struct tmpl_str s, size_t *i, char c)
{
	if (*i < s.n && s.p[*i] == c)
		return (*i)++, true;
	return false;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* "Z", "+01:00"; nothing where ${zone} is not wanted. */
static bool at_end(struct tmpl_str s, size_t i, bool zone)
{
	int hours, minutes;

	if (!zone || one(s, &i, 'Z'))
		return i == s.n && (!zone || s.p[s.n - 1] == 'Z');
	if (!one(s, &i, '+') && !one(s, &i, '-'))
		return false;
	if (s.n - i != 5 || !is_digit(s.p[i]) || !is_digit(s.p[i + 1]))
		return false;
	hours = some_digits(s, &i, 2);
	if (!one(s, &i, ':') || !is_digit(s.p[i]) || !is_digit(s.p[i + 1]))
		return false;
	minutes = some_digits(s, &i, 2);
	return hours <= 24 && minutes <= 60;
}

/* Dates, and times behind 'T', 't' or a space. */
static bool timestamp(struct tmpl_str s)
{
	size_t i = 0;
	int year = some_digits(s, &i, 4), month, day, hour, minute, second;
	bool zone;

	if (i != 4 || !one(s, &i, '-') || (month = some_digits(s, &i, 2)) < 1 ||
	    month > 12 || !one(s, &i, '-') || (day = some_digits(s, &i, 2)) < 1 ||
	    day > days_in(year, month))
		return false;
	if (i == s.n)
		return true;
	zone = one(s, &i, 'T') || one(s, &i, 't');
	if (!zone && !one(s, &i, ' '))
		return false;
	hour = some_digits(s, &i, 2);
	if (!one(s, &i, ':'))
		return false;
	minute = some_digits(s, &i, 2);
	if (!one(s, &i, ':'))
		return false;
	second = some_digits(s, &i, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
	    second > 59)
		return false;
	if ((one(s, &i, '.') || one(s, &i, ',')) && some_digits(s, &i, 30) < 0)
		return false;
	return at_end(s, i, zone);
}

/* Digits, a fraction, an exponent: nothing of what else Go reads as a float. */
static bool plain_float(const char *p, size_t n)
{
	struct tmpl_str s = { p, n };
	size_t i = 0, whole;

	(void)(one(s, &i, '+') || one(s, &i, '-'));
	whole = i;
	while (i < n && is_digit(p[i]))
		i++;
	whole = i - whole;
	if (one(s, &i, '.')) {
		size_t from = i;

		while (i < n && is_digit(p[i]))
			i++;
		if (whole == 0 && i == from)
			return false;
	} else if (whole == 0) {
		return false;
	}
	if (i < n && (p[i] | 0x20) == 'e') {
		i++;
		(void)(one(s, &i, '+') || one(s, &i, '-'));
		if (i == n)
			return false;
		while (i < n && is_digit(p[i]))
			i++;
	}
	return i == n;
}

static bool number(struct tmpl_str s, struct tv *out)
{
	char plain[128];
	size_t n = 0;
	int64_t i;
	uint64_t u;
	double f;

	if (s.n >= sizeof(plain))
		return false;
	for (size_t k = 0; k < s.n; k++)
		if (s.p[k] != '_')
			plain[n++] = s.p[k];
	if (tmpl_read_int(plain, n, 0, &i))
		return *out = tv_int(i), true;
	if (tmpl_read_uint(plain, n, 0, &u))
		return *out = tv_uint64(u), true;
	if (plain_float(plain, n) && tmpl_read_float(plain, n, &f))
		return *out = tv_float(f), true;
	return false;
}

struct tv tmpl_yaml_resolve(struct tmpl_str s, bool *is_time)
{
	struct tv out = tv_str(s.p, s.n);
	char c = s.n > 0 ? s.p[0] : '\0';
	double f;

	*is_time = false;
	if (word(s, &out))
		return out;
	if (c == '.') {
		if (tmpl_read_float(s.p, s.n, &f))
			out = tv_float(f);
	} else if (is_digit(c) || c == '+' || c == '-') {
		*is_time = timestamp(s);
		if (!*is_time)
			(void)number(s, &out);
	}
	return out;
}

bool tmpl_yaml_base60(struct tmpl_str s)
{
	size_t i = 0, parts = 0;

	(void)(one(s, &i, '+') || one(s, &i, '-'));
	if (i == s.n || !is_digit(s.p[i]))
		return false;
	while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
		i++;
	while (one(s, &i, ':')) {
		bool two = i + 1 < s.n && s.p[i] >= '0' && s.p[i] <= '5' &&
		           is_digit(s.p[i + 1]);

		if (i == s.n || !is_digit(s.p[i]))
			return false;
		i += two ? 2 : 1;
		parts++;
	}
	if (one(s, &i, '.'))
		while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
			i++;
	return parts > 0 && i == s.n;
}
