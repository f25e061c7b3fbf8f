/* SPDX-License-Identifier: Apache-2.0 */
/* report_junit - JUnit XML: each finding is a test that failed, what was not scanned one
 * that could not be run, and what was filtered one that was skipped. */
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

static void begin_case(FILE *out, const char *file, const char *rule, const json_t *row)
{
	fputs("    <testcase", out);
	attribute(out, "classname", *file != '\0' ? file : "-");
	fputs(" name=\"", out);
	report_markup(out, rule);
	if (row != NULL)
		fprintf(out, " at line %lld, column %lld", report_number(row, "line"),
		        report_number(row, "column"));
	fputs("\" time=\"0\">\n", out);
}

static void finding(FILE *out, const json_t *row)
{
	const char *what = report_is_finding(row) ? "failure" : "skipped";

	begin_case(out, report_get(row, "file"), report_get(row, "rule"), row);
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

static void not_scanned(FILE *out, const json_t *row)
{
	const char *path = report_get(row, "path");

	begin_case(out, *path != '\0' ? path : report_get(row, "source"), "not scanned",
	           NULL);
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
	json_array_foreach((json_t *)r->rows, i, row) finding(out, row);
	json_array_foreach((json_t *)r->skipped, i, row) not_scanned(out, row);
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
}
