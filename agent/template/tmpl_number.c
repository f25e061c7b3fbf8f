/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "util.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static unsigned prefix_base(char c)
{
	switch (c | 0x20) {
	case 'x':
		return 16;
	case 'o':
		return 8;
	case 'b':
		return 2;
	default:
		return 0;
	}
}

/* May the '_' of a number with ${prefix} bytes of "0x" before it stand where they are? */
static bool underscores_ok(const char *p, size_t n, size_t prefix)
{
	bool after_digit = prefix > 0;

	for (size_t i = prefix; i < n; i++) {
		if (p[i] == '_' && (!after_digit || i + 1 == n || digit(p[i + 1]) > 15))
			return false;
		after_digit = digit(p[i]) <= 15;
	}
	return true;
}

bool tmpl_read_uint(const char *p, size_t n, unsigned base, uint64_t *out)
{
	bool free_form = base == 0;
	uint64_t v = 0;
	size_t i = 0;

	if (free_form) {
		size_t prefix = 0;

		base = 10;
		if (n > 2 && p[0] == '0' && prefix_base(p[1]) != 0) {
			base = prefix_base(p[1]);
			prefix = 2;
		} else if (n > 1 && p[0] == '0') {
			base = 8;
			prefix = 1;
		}
		if (!underscores_ok(p, n, prefix))
			return false;
		i = prefix;
	}
	if (i == n)
		return false;
	for (; i < n; i++) {
		unsigned d = (unsigned)digit(p[i]);

		if (free_form && p[i] == '_')
			continue;
		if (d >= base || v > (UINT64_MAX - d) / base)
			return false;
		v = v * base + d;
	}
	*out = v;
	return true;
}

bool tmpl_read_int(const char *p, size_t n, unsigned base, int64_t *out)
{
	bool negative = n > 0 && p[0] == '-';
	size_t sign = negative || (n > 0 && p[0] == '+') ? 1 : 0;
	uint64_t u;

	if (!tmpl_read_uint(p + sign, n - sign, base, &u) ||
	    u > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*out = negative ? (int64_t)(~u + 1) : (int64_t)u;
	return true;
}

/* The grammar alone; strtod() takes more. */
static bool float_ok(const char *p, size_t n)
{
	bool hex = n > 2 && p[0] == '0' && (p[1] | 0x20) == 'x', exponent = false;
	size_t i = hex ? 2 : 0, digits = 0, dots = 0;

	for (; i < n; i++) {
		char c = p[i];

		if (c == '.' && dots++ == 0)
			continue;
		if (c == '_')
			continue;
		if (digit(c) >= (hex ? 16 : 10))
			break;
		digits++;
	}
	if (digits == 0)
		return false;
	if (i < n && (p[i] | 0x20) == (hex ? 'p' : 'e')) {
		exponent = true;
		i++;
		if (i < n && (p[i] == '+' || p[i] == '-'))
			i++;
		if (i == n || digit(p[i]) > 9)
			return false;
		while (i < n && (digit(p[i]) <= 9 || p[i] == '_'))
			i++;
	}
	return i == n && (!hex || exponent);
}

static bool read_special(const char *p, double *out)
{
	static const struct {
		const char *name;
		double value;
	} words[] = {
		{"inf",        INFINITY },
		{ "+inf",      INFINITY },
		{ "-inf",      -INFINITY},
		{ "infinity",  INFINITY },
		{ "+infinity", INFINITY },
		{ "-infinity", -INFINITY},
		{ "nan",       NAN      },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (text_ieq(p, words[i].name)) {
			*out = words[i].value;
			return true;
		}
	return false;
}

bool tmpl_read_float(const char *p, size_t n, double *out)
{
	char plain[TMPL_FLOAT_MAX];
	size_t sign = n > 0 && (p[0] == '-' || p[0] == '+') ? 1 : 0, len = 0;
	size_t prefix = n > sign + 2 && p[sign] == '0' && prefix_base(p[sign + 1]) != 0
	                        ? 2
	                        : 0;
	double f;

	if (n == 0 || n >= sizeof(plain) || memchr(p, '\0', n) != NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] != '_')
			plain[len++] = p[i];
	plain[len] = '\0';
	if (len == n && read_special(plain, out))
		return true;
	if (!float_ok(p + sign, n - sign) ||
	    (len < n && !underscores_ok(p + sign, n - sign, prefix)))
		return false;
	errno = 0;
	f = strtod(plain, NULL);
	if (errno == ERANGE && isinf(f))
		return false;
	*out = f;
	return true;
}

unsigned tmpl_float_digits(double f, char digits[18], int *exp)
{
	char text[40];
	unsigned n;

	if (f == 0) {
		memcpy(digits, "0", 2);
		*exp = 1;
		return 1;
	}
	for (int precision = 0;; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, f);
		if (precision == 16 || strtod(text, NULL) == f)
			break;
	}
	*exp = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
	digits[0] = text[0];
	n = 1;
	for (const char *p = text + 1; *p != 'e'; p++)
		if (*p != '.')
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	return n;
}

static size_t write_e(const char *digits, unsigned n, int exp, char *out)
{
	size_t len = 0;

	out[len++] = digits[0];
	if (n > 1) {
		out[len++] = '.';
		memcpy(out + len, digits + 1, n - 1);
		len += n - 1;
	}
	return len + (size_t)snprintf(out + len, 8, "e%c%02d", exp < 0 ? '-' : '+',
	                              exp < 0 ? -exp : exp);
}

static size_t write_f(const char *digits, unsigned n, int exp, char *out)
{
	size_t len = 0;

	if (exp <= 0)
		out[len++] = '0';
	for (int i = 0; i < exp; i++)
		out[len++] = (unsigned)i < n ? digits[i] : '0';
	if (exp < (int)n) {
		out[len++] = '.';
		for (int i = exp; i < (int)n; i++)
			out[len++] = i < 0 ? '0' : digits[i];
	}
	out[len] = '\0';
	return len;
}

size_t tmpl_write_float(double f, char format, int min_exp, int max_exp,
                        char out[TMPL_FLOAT_MAX])
{
	char digits[18];
	size_t sign = 0;
	unsigned n;
	int exp;

	if (isnan(f) || isinf(f))
		return (size_t)snprintf(out, TMPL_FLOAT_MAX, "%s",
		                        isnan(f) ? "NaN"
		                        : f > 0  ? "+Inf"
		                                 : "-Inf");
	if (signbit(f))
		out[sign++] = '-';
	n = tmpl_float_digits(fabs(f), digits, &exp);
	if (format == 'e' || (format == 'g' && (exp - 1 < min_exp || exp - 1 >= max_exp)))
		return sign + write_e(digits, n, exp - 1, out + sign);
	return sign + write_f(digits, n, exp, out + sign);
}
