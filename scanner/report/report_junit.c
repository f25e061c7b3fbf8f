/* SPDX-License-Identifier: Apache-2.0 */
/* report_junit - JUnit XML: each finding is a test that failed, what was not scanned one
 * that could not be run, and what was filtered one that was skipped.  Of tests with one
 * class and name, CI systems show the first alone: no two have both in common. */
#include <string.h>

#include "report_impl.h"

static void attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	report_markup(out, value);
	fputc('"', out);
}

static void line(FILE *out, const char *what, const char *value)
{
	if (*value == '\0')
		return;
	fprintf(out, "%s: ", what);
	report_markup(out, value);
	fputc('\n', out);
}

static void details(FILE *out, const json_t *row)
{
	static const char *const members[] = {
		"severity", "confidence", "checksum",    "channel", "source",
		"layer",    "visibility", "later_layer", "decoded", "secret",
		"version",  "state",      "excerpt",     "id",
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		line(out, members[i], report_get(row, members[i]));
}

struct suite {
	FILE *out;
	json_t *seen; /* how many of a class and name */
};

static unsigned nth(json_t *seen, const char *class, const char *name)
{
	json_t *key = json_sprintf("%s\n%s", class, name);
	json_int_t n = json_integer_value(json_object_get(seen, json_string_value(key)));

	json_object_set_new(seen, json_string_value(key), json_integer(n + 1));
	json_decref(key);
	return (unsigned)n;
}

static void begin_case(const struct suite *s, const char *class, const char *name)
{
	unsigned n = nth(s->seen, class, name);

	fputs("    <testcase", s->out);
	attribute(s->out, "classname", class);
	fputs(" name=\"", s->out);
	report_markup(s->out, name);
	if (n > 0)
		fprintf(s->out, " (%u)", n + 1);
	fputs("\" time=\"0\">\n", s->out);
}

/* Its class is where the file is: the same path is in many images and commits. */
static void begin_finding(const struct suite *s, const json_t *row)
{
	const char *file = report_get(row, "file"), *source = report_get(row, "source");
	const char *between = *file != '\0' && *source != '\0' ? ": " : "";
	json_t *class = json_sprintf("%s%s%s", source, between, file);
	char name[256];

	snprintf(name, sizeof(name), "%.128s at line %lld, column %lld",
	         report_get(row, "rule"), report_number(row, "line"),
	         report_number(row, "column"));
	begin_case(s, json_string_length(class) > 0 ? json_string_value(class) : "-",
	           name);
	json_decref(class);
}

static void finding(const struct suite *s, const json_t *row)
{
	const char *what = report_is_finding(row) ? "failure" : "skipped";
	FILE *out = s->out;

	begin_finding(s, row);
	fprintf(out, "      <%s", what);
	if (report_is_finding(row)) {
		attribute(out, "type", report_get(row, "severity"));
		attribute(out, "message", report_get(row, "title"));
		fputs(">\n", out);
		details(out, row);
		fprintf(out, "      </%s>\n", what);
	} else {
		attribute(out, "message", report_get(row, "reason"));
		fputs("/>\n", out);
	}
	fputs("    </testcase>\n", out);
}

static void not_scanned(const struct suite *s, const json_t *row)
{
	const char *path = report_get(row, "path");
	const char *class = *path != '\0' ? path : report_get(row, "source");
	FILE *out = s->out;

	begin_case(s, *class != '\0' ? class : "-", "not scanned");
	fputs("      <error type=\"not_scanned\"", out);
	attribute(out, "message", report_get(row, "reason"));
	fputs(">\n", out);
	line(out, "source", report_get(row, "source"));
	line(out, "layer", report_get(row, "layer"));
	fputs("      </error>\n    </testcase>\n", out);
}

void report_junit(FILE *out, const struct report *r)
{
	size_t failed = 0, errors = json_array_size(r->skipped),
	       all = json_array_size(r->rows) + errors, i;
	/* A source that cannot be read at all has no row. */
	bool broken = errors == 0 &&
	              !json_is_true(json_object_get(r->summary, "complete"));
	bool clean = all == 0 && !broken;
	const struct suite s = { out, json_object() };
	char began[REPORT_TIME];
	const json_t *row;

	json_array_foreach((json_t *)r->rows, i, row) failed += report_is_finding(row);
	all += broken || clean;
	report_time(r->begun, began);
	fprintf(out,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	        "<testsuites>\n"
	        "  <testsuite name=\"vaultctl scan\" tests=\"%zu\" failures=\"%zu\" "
	        "errors=\"%zu\" skipped=\"%zu\" timestamp=\"%s\" time=\"%lld\">\n",
	        all, failed, errors + broken, json_array_size(r->rows) - failed, began,
	        (long long)(r->ended - r->begun));
	json_array_foreach((json_t *)r->rows, i, row) finding(&s, row);
	json_array_foreach((json_t *)r->skipped, i, row) not_scanned(&s, row);
	if (broken)
		fputs("    <testcase classname=\"-\" name=\"not scanned\" time=\"0\">\n"
		      "      <error type=\"not_scanned\" message=\"a source could not be "
		      "read\"/>\n    </testcase>\n",
		      out);
	if (clean)
		fputs("    <testcase classname=\"-\" name=\"no secrets found\" "
		      "time=\"0\"/>\n",
		      out);
	fputs("  </testsuite>\n</testsuites>\n", out);
	json_decref(s.seen);
}
