/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CMD_SCAN_H
#define CLI_CMD_SCAN_H
/*
 * cmd_scan - what the files of the leak scanner's commands share: one run, and what it
 * prints.
 */
#include <jansson.h>
#include <stdbool.h>

#include "cli.h"
#include "scan_vault.h"
#include "scanner/scan.h"

enum scan_format { SCAN_TABLE, SCAN_JSON, SCAN_JSONL };

/* Exit statuses of vaultctl scan. */
enum { SCAN_CLEAN, SCAN_FOUND, SCAN_WRONG_USAGE, SCAN_BAD_SOURCE, SCAN_INCOMPLETE };

struct scan_run {
	struct cli *c;
	enum scan_format format;
	struct scan *scan;
	json_t *rows;    /* findings, for a table or one document */
	json_t *skipped; /* what was not scanned, likewise */
	json_t *known;   /* findings of the vault's own values, until they are named */
	json_t *ids;     /* of these */
	struct scan_vault *vault; /* NULL: its values are not looked for */
	bool sandbox_said;
};

/** scan_out_listener(): what a run hands to the scanner. */
const struct scan_listener *scan_out_listener(void);
/** scan_out_known(r, rotate): names the vault's own values that were found, as far as the
 * caller may read them, and has them rotated if that is asked for.  false: that failed.
 */
bool scan_out_known(struct scan_run *r, bool rotate);
/** scan_out_end(r, totals, failed): the table or document, and the last line. */
void scan_out_end(struct scan_run *r, const struct scan_totals *totals, bool failed);

#endif
