/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CMD_SCAN_H
#define CLI_CMD_SCAN_H
/*
 * cmd_scan - what the files of the leak scanner's commands share: one run, and what it
 * prints.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "scan_filter.h"
#include "scan_progress.h"
#include "scan_vault.h"
#include "scanner/report/report.h"
#include "scanner/scan.h"

/* Exit statuses of vaultctl scan. */
enum { SCAN_CLEAN, SCAN_FOUND, SCAN_WRONG_USAGE, SCAN_BAD_SOURCE, SCAN_INCOMPLETE };

struct scan_run {
	struct cli *c;
	enum report_format format;
	FILE *out;      /* the report */
	char *out_path; /* the file that it becomes, or NULL: standard output */
	char *out_temporary;
	bool colour;
	time_t begun;
	struct scan *scan;
	struct scan_filter *filter;
	struct scan_progress_bar *progress; /* NULL: none is shown */
	json_t *rows;                       /* findings, for what is written as a whole */
	json_t *skipped;                    /* what was not scanned, likewise */
	json_t *known; /* findings of the vault's own values, until they are named */
	json_t *ids;   /* of these */
	struct scan_vault *vault; /* NULL: its values are not looked for */
	bool sandbox_said;
};

/** scan_out_open(r, e): where the report goes, by the command's flags. */
int scan_out_open(struct scan_run *r, struct err *e) MUST_CHECK;
/** scan_out_close(r, e): all of it is written, and a file is in its place; or as it was
 * before. */
int scan_out_close(struct scan_run *r, struct err *e) MUST_CHECK;
/** scan_out_drop(r): there will be no report; also when it has been closed. */
void scan_out_drop(struct scan_run *r);
/** scan_out_say(r, fmt, ...): a line of talk, beside the progress bar. */
void scan_out_say(struct scan_run *r, const char *fmt, ...) PRINTF(2, 3);
/** scan_out_listener(): what a run hands to the scanner. */
const struct scan_listener *scan_out_listener(void);
/** scan_out_known(r, rotate): names the vault's own values that were found, as far as the
 * caller may read them, and has them rotated if that is asked for.  false: that failed.
 */
bool scan_out_known(struct scan_run *r, bool rotate);
/** scan_out_end(r, totals, failed): the table or document, and the last line. */
void scan_out_end(struct scan_run *r, const struct scan_totals *totals, bool failed);

#endif
