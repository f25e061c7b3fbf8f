/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_REPORT_IMPL_H
#define SCANNER_REPORT_IMPL_H
/* report_impl - what the formats share; nobody else includes it. */
#include "report.h"

/** report_get(row, member): a text, "" if there is none. */
const char *report_get(const json_t *row, const char *member);
/** report_number(row, member): 0 if there is none. */
long long report_number(const json_t *row, const char *member);
/** report_is_finding(row): or was it filtered? */
bool report_is_finding(const json_t *row);
/** report_rule_title(row): of the rule, whatever secret of the vault it is. */
const char *report_rule_title(const json_t *row);
/** report_set(o, member, value): unless it is empty. */
void report_set(json_t *o, const char *member, const char *value);
/** report_uuid(row, nth, out): a name-based UUID (RFC 9562, version 8) of the finding,
 * the ${nth} of its id. */
#define REPORT_UUID 37u
void report_uuid(const json_t *row, unsigned nth, char out[REPORT_UUID]);
/** report_time(t, out): "2026-01-02T03:04:05", UTC. */
#define REPORT_TIME 20u
void report_time(time_t t, char out[REPORT_TIME]);
/** report_skipped(row, out): what was not scanned, where and why, in a line. */
#define REPORT_SKIPPED 1024u
void report_skipped(const json_t *row, char out[REPORT_SKIPPED]);
/** report_dump(out, o): an indented document in ASCII and a newline. */
void report_dump(FILE *out, const json_t *o);

/** report_plain(out, s): ${s} is UTF-8; controls, what turns the direction of text, and
 * what is invisible come out as escapes, nothing else changes.  Returns the columns. */
unsigned report_plain(FILE *out, const char *s);
/** report_markup(out, s): the same as text or attribute of XML and HTML. */
void report_markup(FILE *out, const char *s);
/** report_columns(s): of report_plain(), without writing. */
unsigned report_columns(const char *s);

void report_table(FILE *out, const struct report *r);
void report_sarif(FILE *out, const struct report *r);
void report_junit(FILE *out, const struct report *r);
void report_gitlab(FILE *out, const struct report *r);
void report_html(FILE *out, const struct report *r);

#endif
