/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_REPORT_H
#define SCANNER_REPORT_H
/*
 * report - findings as people and other programs want them.
 *
 * Every finding becomes a row, the JSON object that docs/scanning.md describes; a report
 * is made of rows.  Whatever comes from files, archives and images is hostile: rows are
 * well-formed UTF-8, and each format escapes them for whoever reads it: a terminal, a
 * browser, a parser of XML.  Secrets are in no report but by reveal.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "scanner/scan.h"

enum report_format {
	REPORT_TABLE,
	REPORT_JSON,
	REPORT_JSONL,
	REPORT_SARIF,
	REPORT_JUNIT,
	REPORT_GITLAB,
	REPORT_HTML,
	REPORT__MAX
};

/** report_format_name(f): "table" … */
const char *report_format_name(enum report_format f);

#define REPORT_ID 16u /* bytes of what report_place_id() makes */

/** report_place_id(out, rule, at, path, f): what names a finding from one scan to the
 * next without a key: a hash of what a report shows of it, so that it tells no more than
 * that.  ${path} is the place's as filter_path() has it. */
void report_place_id(unsigned char out[REPORT_ID], const char *path,
                     const struct finding *f);

/** report_finding(f, at, id, by): its row.  ${by}: what filtered it ("FILE:3"), or NULL.
 * The caller's, as are the rows below. */
json_t *report_finding(const struct finding *f, const struct scan_place *at,
                       const unsigned char id[REPORT_ID], const char *by);
/** report_skip(s): the row of what was not scanned. */
json_t *report_skip(const struct scan_skip *s);
/** report_summary(t, failed): ${failed}: a source could not be read. */
json_t *report_summary(const struct scan_totals *t, bool failed);
/** report_text(s): a JSON text of any bytes: what is no UTF-8 becomes U+FFFD. */
json_t *report_text(const char *s);

struct report {
	const json_t *rows;    /* findings, and what was filtered */
	const json_t *skipped; /* what was not scanned */
	const json_t *summary;
	const char *version; /* of the program */
	time_t begun, ended;
	bool stable; /* fingerprints are keyed with a key that stays */
	bool colour; /* of a table */
};

/** report_sort(rows): by file, line, column and rule, so that the same findings make the
 * same report whichever worker was faster. */
void report_sort(json_t *rows);
/** report_write(out, format, r): a whole report, of any format but REPORT_JSONL, whose
 * rows are written one by one with report_line().  Errors are ${out}'s. */
void report_write(FILE *out, enum report_format format, const struct report *r);
/** report_line(out, row): compact JSON in ASCII and a newline. */
void report_line(FILE *out, const json_t *row);

#endif
