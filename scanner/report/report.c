/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "report_impl.h"

const char *report_format_name(enum report_format f)
{
	static const char *const names[REPORT__MAX] = { "table", "json",  "jsonl",
		                                        "sarif", "junit", "gitlab",
		                                        "html" };

	return names[f];
}

/* In ASCII: nothing in it moves a cursor or turns a line. */
void report_line(FILE *out, const json_t *row)
{
	(void)json_dumpf(row, out,
	                 JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	fputc('\n', out);
}

void report_skipped(const json_t *row, char out[REPORT_SKIPPED])
{
	(void)snprintf(out, REPORT_SKIPPED, "not scanned: %.300s %.300s: %.300s",
	               report_get(row, "source"), report_get(row, "path"),
	               report_get(row, "reason"));
}

void report_dump(FILE *out, const json_t *o)
{
	(void)json_dumpf(o, out,
	                 JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	fputc('\n', out);
}

static int by_text(const json_t *a, const json_t *b, const char *member)
{
	return strcmp(report_get(a, member), report_get(b, member));
}

static int by_place(const void *x, const void *y)
{
	static const char *const first[] = { "source", "file" };
	static const char *const last[] = { "rule", "layer", "decoded", "excerpt" };
	const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
	long long by = 0;

	for (size_t i = 0; by == 0 && i < ARRAY_LEN(first); i++)
		by = by_text(a, b, first[i]);
	if (by == 0)
		by = report_number(a, "line") - report_number(b, "line");
	if (by == 0)
		by = report_number(a, "column") - report_number(b, "column");
	for (size_t i = 0; by == 0 && i < ARRAY_LEN(last); i++)
		by = by_text(a, b, last[i]);
	return by < 0 ? -1 : by > 0;
}

void report_sort(json_t *rows)
{
	size_t n = json_array_size(rows), i;
	json_t **list = calloc(n + 1, sizeof(json_t *)), *row;

	if (list == NULL)
		return;
	json_array_foreach(rows, i, row) list[i] = json_incref(row);
	qsort(list, n, sizeof(json_t *), by_place);
	json_array_clear(rows);
	for (i = 0; i < n; i++)
		json_array_append_new(rows, list[i]);
	free(list);
}

static void report_json(FILE *out, const struct report *r)
{
	json_t *o = json_copy((json_t *)r->summary);

	json_object_set(o, "results", (json_t *)r->rows);
	json_object_set(o, "skipped", (json_t *)r->skipped);
	report_dump(out, o);
	json_decref(o);
}

void report_write(FILE *out, enum report_format format, const struct report *r)
{
	static void (*const writers[REPORT__MAX])(FILE *, const struct report *) = {
		[REPORT_TABLE] = report_table,   [REPORT_JSON] = report_json,
		[REPORT_SARIF] = report_sarif,   [REPORT_JUNIT] = report_junit,
		[REPORT_GITLAB] = report_gitlab, [REPORT_HTML] = report_html,
	};

	if (writers[format] != NULL)
		writers[format](out, r);
}
