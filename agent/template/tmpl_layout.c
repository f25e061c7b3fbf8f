/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_layout.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const months[] = { "January",   "February", "March",    "April",
	                              "May",       "June",     "July",     "August",
	                              "September", "October",  "November", "December" };
static const char *const days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
	                            "Thursday", "Friday", "Saturday" };

struct moment {
	struct tm tm;
	unsigned ms;
};

enum part {
	PART_YEAR,
	PART_YEAR2,
	PART_MONTH_NAME,
	PART_MONTH_NAME3,
	PART_MONTH2,
	PART_MONTH,
	PART_DAY_NAME,
	PART_DAY_NAME3,
	PART_YDAY_SPACED,
	PART_YDAY3,
	PART_DAY_SPACED,
	PART_DAY2,
	PART_DAY,
	PART_HOUR24,
	PART_HOUR12_2,
	PART_HOUR12,
	PART_MINUTE2,
	PART_MINUTE,
	PART_SECOND2,
	PART_SECOND,
	PART_PM,
	PART_PM_LOWER,
	PART_ZONE,
	PART_Z,
	PART_ZERO_COLON_SECONDS,
	PART_ZERO_SECONDS,
	PART_ZERO_COLON,
	PART_ZERO,
	PART_ZERO_HOURS,
};

/* The longer before what it begins with. */
static const struct {
	const char *text;
	enum part part;
} parts[] = {
	{"January",    PART_MONTH_NAME        },
	{ "Jan",       PART_MONTH_NAME3       },
	{ "Monday",    PART_DAY_NAME          },
	{ "Mon",       PART_DAY_NAME3         },
	{ "MST",       PART_ZONE              },
	{ "2006",      PART_YEAR              },
	{ "__2",       PART_YDAY_SPACED       },
	{ "_2",        PART_DAY_SPACED        },
	{ "002",       PART_YDAY3             },
	{ "01",        PART_MONTH2            },
	{ "02",        PART_DAY2              },
	{ "03",        PART_HOUR12_2          },
	{ "04",        PART_MINUTE2           },
	{ "05",        PART_SECOND2           },
	{ "06",        PART_YEAR2             },
	{ "15",        PART_HOUR24            },
	{ "1",         PART_MONTH             },
	{ "2",         PART_DAY               },
	{ "3",         PART_HOUR12            },
	{ "4",         PART_MINUTE            },
	{ "5",         PART_SECOND            },
	{ "PM",        PART_PM                },
	{ "pm",        PART_PM_LOWER          },
	{ "-07:00:00", PART_ZERO_COLON_SECONDS},
	{ "-070000",   PART_ZERO_SECONDS      },
	{ "-07:00",    PART_ZERO_COLON        },
	{ "-0700",     PART_ZERO              },
	{ "-07",       PART_ZERO_HOURS        },
	{ "Z07:00:00", PART_Z                 },
	{ "Z070000",   PART_Z                 },
	{ "Z07:00",    PART_Z                 },
	{ "Z0700",     PART_Z                 },
	{ "Z07",       PART_Z                 },
};

static bool starts(struct tmpl_str s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* How long a fraction of a second is, with its '.' or ','; 0 if none is here. */
static size_t fraction(struct tmpl_str s)
{
	size_t n = 1;

	if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') ||
	    (s.p[1] != '0' && s.p[1] != '9'))
		return 0;
	while (n < s.n && s.p[n] == s.p[1])
		n++;
	return n < s.n && s.p[n] >= '0' && s.p[n] <= '9' ? 0 : n;
}

static void put_fraction(struct tmpl_buf *b, unsigned ms, const char *layout, size_t n)
{
	char digits[8];
	size_t kept = n - 1 < 9 ? n - 1 : 9, from = 3;

	snprintf(digits, sizeof(digits), "%03u", ms % 1000);
	if (layout[1] == '9') {
		kept = kept < from ? kept : from;
		while (kept > 0 && digits[kept - 1] == '0')
			kept--;
		if (kept == 0)
			return;
	}
	tmpl_putc(b, layout[0]);
	tmpl_put(b, digits, kept < from ? kept : from);
	if (kept > from)
		tmpl_pad(b, kept - from, '0');
}

static void put_date(struct tmpl_buf *b, const struct tm *tm, enum part part)
{
	char text[32] = "";

	switch (part) {
	case PART_YEAR:
		snprintf(text, sizeof(text), "%04d", tm->tm_year + 1900);
		break;
	case PART_YEAR2:
		snprintf(text, sizeof(text), "%02d", (tm->tm_year + 1900) % 100);
		break;
	case PART_MONTH_NAME:
		tmpl_puts(b, months[tm->tm_mon]);
		break;
	case PART_MONTH_NAME3:
		tmpl_put(b, months[tm->tm_mon], 3);
		break;
	case PART_MONTH2:
		snprintf(text, sizeof(text), "%02d", tm->tm_mon + 1);
		break;
	case PART_MONTH:
		snprintf(text, sizeof(text), "%d", tm->tm_mon + 1);
		break;
	case PART_DAY_NAME:
		tmpl_puts(b, days[tm->tm_wday]);
		break;
	case PART_DAY_NAME3:
		tmpl_put(b, days[tm->tm_wday], 3);
		break;
	case PART_YDAY_SPACED:
		snprintf(text, sizeof(text), "%3d", tm->tm_yday + 1);
		break;
	case PART_YDAY3:
		snprintf(text, sizeof(text), "%03d", tm->tm_yday + 1);
		break;
	case PART_DAY_SPACED:
		snprintf(text, sizeof(text), "%2d", tm->tm_mday);
		break;
	case PART_DAY2:
		snprintf(text, sizeof(text), "%02d", tm->tm_mday);
		break;
	default:
		snprintf(text, sizeof(text), "%d", tm->tm_mday);
		break;
	}
	tmpl_puts(b, text);
}

static void put_clock(struct tmpl_buf *b, const struct tm *tm, enum part part)
{
	int hour12 = tm->tm_hour % 12 == 0 ? 12 : tm->tm_hour % 12;
	char text[32] = "";

	switch (part) {
	case PART_HOUR24:
		snprintf(text, sizeof(text), "%02d", tm->tm_hour);
		break;
	case PART_HOUR12_2:
		snprintf(text, sizeof(text), "%02d", hour12);
		break;
	case PART_HOUR12:
		snprintf(text, sizeof(text), "%d", hour12);
		break;
	case PART_MINUTE2:
		snprintf(text, sizeof(text), "%02d", tm->tm_min);
		break;
	case PART_MINUTE:
		snprintf(text, sizeof(text), "%d", tm->tm_min);
		break;
	case PART_SECOND2:
		snprintf(text, sizeof(text), "%02d", tm->tm_sec);
		break;
	case PART_SECOND:
		snprintf(text, sizeof(text), "%d", tm->tm_sec);
		break;
	case PART_PM:
		tmpl_puts(b, tm->tm_hour >= 12 ? "PM" : "AM");
		break;
	case PART_PM_LOWER:
		tmpl_puts(b, tm->tm_hour >= 12 ? "pm" : "am");
		break;
	case PART_ZONE:
		tmpl_puts(b, "UTC");
		break;
	case PART_Z:
		tmpl_puts(b, "Z");
		break;
	case PART_ZERO_COLON_SECONDS:
		tmpl_puts(b, "+00:00:00");
		break;
	case PART_ZERO_SECONDS:
		tmpl_puts(b, "+000000");
		break;
	case PART_ZERO_COLON:
		tmpl_puts(b, "+00:00");
		break;
	case PART_ZERO:
		tmpl_puts(b, "+0000");
		break;
	default:
		tmpl_puts(b, "+00");
		break;
	}
	tmpl_puts(b, text);
}

/* "Jan" of "January" counts, that of "Janus" too; "_2006" is '_' and a year; "Mon" and
 * "Jan" before a small letter are text. */
static bool is_part(struct tmpl_str s, size_t i)
{
	size_t n = strlen(parts[i].text);

	if (!starts(s, parts[i].text))
		return false;
	if (parts[i].part == PART_DAY_SPACED && starts(s, "_2006"))
		return false;
	if (parts[i].part == PART_MONTH_NAME3 || parts[i].part == PART_DAY_NAME3)
		return s.n == n || s.p[n] < 'a' || s.p[n] > 'z';
	return true;
}

static size_t put_part(struct tmpl_buf *b, const struct moment *m, struct tmpl_str s)
{
	size_t n = fraction(s);

	if (n > 0) {
		put_fraction(b, m->ms, s.p, n);
		return n;
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!is_part(s, i))
			continue;
		if (parts[i].part < PART_HOUR24)
			put_date(b, &m->tm, parts[i].part);
		else
			put_clock(b, &m->tm, parts[i].part);
		return strlen(parts[i].text);
	}
	tmpl_putc(b, s.p[0]);
	return 1;
}

void tmpl_put_time(struct tmpl_buf *b, int64_t ms, struct tmpl_str layout)
{
	time_t seconds = (time_t)(ms / 1000);
	struct moment m = { .ms = (unsigned)(ms % 1000) };
	char text[32];

	if (layout.p == NULL) {
		snprintf(text, sizeof(text), "%lld", (long long)seconds);
		tmpl_puts(b, text);
		return;
	}
	if (gmtime_r(&seconds, &m.tm) == NULL)
		return;
	while (layout.n > 0) {
		size_t n = put_part(b, &m, layout);

		layout.p += n;
		layout.n -= n;
	}
}
