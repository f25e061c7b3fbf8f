/* SPDX-License-Identifier: Apache-2.0 */
#include "duration.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000ll

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	/* two-letter names first: "ms" before "m" */
	{ "ns", 1 },           { "us", 1000 },         { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 },
	{ "ms", NS_PER_MS },   { "s", 1000000000ll },  { "m", 60000000000ll },
	{ "h", 3600000000000ll },
};

static int bad(struct err *e)
{
	return err_set(e, ERR_INVALID, "not a duration such as 30s, 1h30m or 7d");
}

static bool all_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

static int whole(const char *s, size_t n, int64_t unit_ms, int64_t *ms, struct err *e)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s[i] - '0', &v))
			return bad(e);
	if (__builtin_mul_overflow(v, unit_ms, &v))
		return bad(e);
	*ms = v;
	return ERR_OK;
}

/* One "1.5h" at *s; its nanoseconds are added to *sum. */
static int term(const char **s, const char *end, int64_t *sum)
{
	int64_t v = 0, scale = 1, ns, part;
	const char *from = *s;
	size_t u;

	for (; *s < end && **s >= '0' && **s <= '9'; (*s)++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **s - '0', &v))
			return -1;
	if (*s < end && **s == '.') {
		from++;
		for ((*s)++; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
			/* what is below the precision of Go's own parser is cut, as there */
			if (scale < 1000000000ll && v < 1000000000ll) {
				v = v * 10 + (**s - '0');
				scale *= 10;
			}
		}
	}
	if (*s <= from)
		return -1;
	for (u = 0; u < ARRAY_LEN(units); u++) {
		size_t len = strlen(units[u].name);

		if ((size_t)(end - *s) >= len && memcmp(*s, units[u].name, len) == 0)
			break;
	}
	if (u == ARRAY_LEN(units))
		return -1;
	*s += strlen(units[u].name);
	if (__builtin_mul_overflow(v, units[u].ns / scale > 0 ? units[u].ns / scale : 1, &part))
		return -1;
	if (units[u].ns / scale == 0)
		part = v * units[u].ns / scale;
	ns = part;
	return __builtin_add_overflow(*sum, ns, sum) ? -1 : 0;
}

int duration_parse(const char *s, size_t n, int64_t *ms, struct err *e)
{
	const char *end = s + n;
	int64_t sum = 0;
	bool neg;

	if (n == 0) {
		*ms = 0;
		return ERR_OK;
	}
	if (all_digits(s, n))
		return whole(s, n, 1000, ms, e);
	if (s[n - 1] == 'd' && all_digits(s, n - 1))
		return whole(s, n - 1, 86400000, ms, e);
	neg = s[0] == '-';
	s += s[0] == '-' || s[0] == '+';
	if (neg && all_digits(s, (size_t)(end - s))) {
		if (whole(s, (size_t)(end - s), 1000, &sum, e) != ERR_OK)
			return bad(e);
		*ms = -sum;
		return ERR_OK;
	}
	if (s == end)
		return bad(e);
	while (s < end)
		if (term(&s, end, &sum) != 0)
			return bad(e);
	sum /= NS_PER_MS;
	*ms = neg ? -sum : sum;
	return ERR_OK;
}

/* "1.5" of ${v} in units of ${unit}: no trailing zeros. */
static int decimal(char *out, size_t cap, int64_t v, int64_t unit)
{
	int n = snprintf(out, cap, "%lld", (long long)(v / unit));
	int64_t rest = v % unit;

	if (rest == 0)
		return n;
	n += snprintf(out + n, cap - (size_t)n, ".%03lld", (long long)rest);
	while (out[n - 1] == '0')
		out[--n] = '\0';
	return n;
}

void duration_format(int64_t ms, char buf[DURATION_TEXT_MAX])
{
	uint64_t u = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	int64_t v = (int64_t)(u / 1000), rest = (int64_t)(u % 1000);
	size_t n = 0;

	buf[0] = '\0';
	if (ms < 0)
		buf[n++] = '-';
	if (ms == 0) {
		snprintf(buf, DURATION_TEXT_MAX, "0s");
		return;
	}
	if (v == 0) {
		snprintf(buf + n, DURATION_TEXT_MAX - n, "%lldms", (long long)rest);
		return;
	}
	if (v >= 3600)
		n += (size_t)snprintf(buf + n, DURATION_TEXT_MAX - n, "%lldh",
		                      (long long)(v / 3600));
	if (v >= 60)
		n += (size_t)snprintf(buf + n, DURATION_TEXT_MAX - n, "%lldm",
		                      (long long)(v / 60 % 60));
	n += (size_t)decimal(buf + n, DURATION_TEXT_MAX - n, v % 60 * 1000 + rest, 1000);
	snprintf(buf + n, DURATION_TEXT_MAX - n, "s");
}
