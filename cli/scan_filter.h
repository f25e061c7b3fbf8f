/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SCAN_FILTER_H
#define CLI_SCAN_FILTER_H
/*
 * scan_filter - what the user of a scan wants left out: baselines and ignore files, as
 * the flags of the command name them.
 */
#include "cli.h"
#include "scanner/report/report.h"

struct scan_filter;

/** scan_filter_new(c, out, e): reads what the flags name, and .vaultscanignore here and
 * in the directories that are scanned. */
int scan_filter_new(const struct cli *c, struct scan_filter **out, struct err *e)
	MUST_CHECK;
/** scan_filter_free(f): NULL is allowed. */
void scan_filter_free(struct scan_filter *f);

/** scan_filter_key(f): of the fingerprints, or NULL: any. */
const unsigned char *scan_filter_key(const struct scan_filter *f);
/** scan_filter_keyed(f): do fingerprints stay from one scan to the next? */
bool scan_filter_keyed(const struct scan_filter *f);

/** scan_filter_judge(f, one, at): DROP_NONE, DROP_BASELINE or DROP_SUPPRESSED; and notes
 * it for a baseline that is to be written. */
enum drop scan_filter_judge(struct scan_filter *f, const struct finding *one,
                            const struct scan_place *at);
/** scan_filter_by(f, one): what the last finding was left out by, "FILE:LINE"; NULL if it
 * was not. */
const char *scan_filter_by(const struct scan_filter *f, const struct finding *one);
/** scan_filter_id(f, one, at, out): what the finding is called. */
void scan_filter_id(const struct scan_filter *f, const struct finding *one,
                    const struct scan_place *at, unsigned char out[REPORT_ID]);

/** scan_filter_finish(f, e): writes the baseline, if one is asked for. */
int scan_filter_finish(struct scan_filter *f, struct err *e) MUST_CHECK;

#endif
