/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SCAN_PROGRESS_H
#define CLI_SCAN_PROGRESS_H
/*
 * scan_progress - one line on standard error that says how far a scan is.
 *
 * Each state is one write() of a whole line, ten a second at most; the line is gone when
 * anything else is written, and at the end.
 */
#include "scanner/scan.h"

struct scan_progress_bar;

/** scan_progress_new(): NULL if out of memory: then nothing is shown. */
struct scan_progress_bar *scan_progress_new(void) MUST_CHECK;
/** scan_progress_free(b): clears it; NULL is allowed, as below. */
void scan_progress_free(struct scan_progress_bar *b);
/** scan_progress_show(b, p): now, unless it was shown a moment ago. */
void scan_progress_show(struct scan_progress_bar *b, const struct scan_progress *p);
/** scan_progress_clear(b): the line is empty, the cursor at its beginning. */
void scan_progress_clear(struct scan_progress_bar *b);
/** scan_progress_text(p, seconds, columns, out, cap): the line itself. */
void scan_progress_text(const struct scan_progress *p, double seconds, unsigned columns,
                        char *out, size_t cap);

#endif
