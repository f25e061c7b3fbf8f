/* SPDX-License-Identifier: Apache-2.0 */
/* report_table - for people at a terminal. */
#include <string.h>

#include "report_impl.h"

struct field {
	const char *title, *member;
};

#define PLAIN "\033[0m"
#define BOLD  "\033[1m"
#define DIM   "\033[2m"

static const struct field found[] = {
	{"SEVERITY", "severity"  },
        { "RULE",    "rule"      },
        { "FILE",    "file"      },
	{ "LINE",    "line"      },
        { "SOURCE",  "source"    },
        { "STATE",   "visibility"},
	{ "SECRET",  "secret"    },
        { "EXCERPT", "excerpt"   },
};
static const struct field filtered[] = {
	{"FILTERED", "reason"     },
        { "BY",      "filtered_by"},
        { "RULE",    "rule"       },
	{ "FILE",    "file"       },
        { "LINE",    "line"       },
        { "SOURCE",  "source"     },
	{ "EXCERPT", "excerpt"    },
};
static const struct field missing[] = {
	{"NOT SCANNED", "path"  },
	{ "SOURCE",     "source"},
	{ "REASON",     "reason"},
};
#define FIELDS_MAX ARRAY_LEN(found)

static const char *cell(const json_t *row, const char *member, char number[24])
{
	const json_t *v = json_object_get(row, member);
	const char *s;

	if (json_is_integer(v)) {
		snprintf(number, 24, "%lld", (long long)json_integer_value(v));
		return number;
	}
	s = report_get(row, member);
	return *s != '\0' ? s : "-";
}

static const char *colour_of(const char *member, const char *value)
{
	static const struct {
		const char *severity, *colour;
	} colours[] = {
		{"critical", "\033[1;31m"},
		{ "high",    "\033[31m"  },
		{ "medium",  "\033[33m"  },
		{ "low",     "\033[36m"  },
	};

	if (strcmp(member, "file") == 0 || strcmp(member, "path") == 0)
		return BOLD;
	if (strcmp(member, "excerpt") == 0)
		return DIM;
	for (size_t i = 0; strcmp(member, "severity") == 0 && i < ARRAY_LEN(colours); i++)
		if (strcmp(value, colours[i].severity) == 0)
			return colours[i].colour;
	return NULL;
}

static void put(FILE *out, const char *text, const char *colour, unsigned width)
{
	unsigned n;

	if (colour != NULL)
		fputs(colour, out);
	n = report_plain(out, text);
	if (colour != NULL)
		fputs(PLAIN, out);
	for (; n < width; n++)
		fputc(' ', out);
}

static bool belongs(const json_t *row, const struct field *fields)
{
	if (fields == missing)
		return true;
	return report_is_finding(row) == (fields == found);
}

/* Columns that no row has anything in are left out. */
static bool widths(const json_t *rows, const struct field *fields, size_t n,
                   unsigned *width)
{
	char number[24];
	bool any = false;
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		if (!belongs(row, fields))
			continue;
		any = true;
		for (size_t k = 0; k < n; k++) {
			const char *s = cell(row, fields[k].member, number);
			unsigned w = strcmp(s, "-") != 0 ? report_columns(s) : 0;

			width[k] = w > width[k] ? w : width[k];
		}
	}
	for (size_t k = 0; k < n; k++)
		if (width[k] > 0 && width[k] < strlen(fields[k].title))
			width[k] = (unsigned)strlen(fields[k].title);
	return any;
}

static void part(FILE *out, const struct report *r, const json_t *rows,
                 const struct field *fields, size_t n)
{
	unsigned width[FIELDS_MAX] = { 0 };
	char number[24];
	const json_t *row;
	size_t i, last = 0;

	if (!widths(rows, fields, n, width))
		return;
	for (size_t k = 0; k < n; k++)
		last = width[k] > 0 ? k : last;
	for (size_t k = 0; k <= last; k++)
		if (width[k] > 0)
			put(out, fields[k].title, r->colour ? BOLD : NULL,
			    k < last ? width[k] + 2 : 0);
	fputc('\n', out);
	json_array_foreach((json_t *)rows, i, row)
	{
		if (!belongs(row, fields))
			continue;
		for (size_t k = 0; k <= last; k++) {
			const char *s = cell(row, fields[k].member, number);

			if (width[k] > 0)
				put(out, s,
				    r->colour ? colour_of(fields[k].member, s) : NULL,
				    k < last ? width[k] + 2 : 0);
		}
		fputc('\n', out);
	}
}

void report_table(FILE *out, const struct report *r)
{
	part(out, r, r->rows, found, ARRAY_LEN(found));
	part(out, r, r->rows, filtered, ARRAY_LEN(filtered));
	part(out, r, r->skipped, missing, ARRAY_LEN(missing));
}
