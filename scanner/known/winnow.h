/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_WINNOW_H
#define SCANNER_WINNOW_H
/*
 * winnow - the positions of a text where a known value can have its anchor
 * (lib/leaktag.h).
 *
 * Those are the ones whose leak_select() is smallest in a window of LEAK_WINDOW
 * positions, of the windows whose LEAK_RUN bytes are all leak_solid().  Where two hashes
 * are the same or nearly so, both count: some more positions than need be, and never one
 * less.
 */
#include <stddef.h>
#include <stdint.h>

#include "leaktag.h"

#define WINNOW_MAX    4096u
#define WINNOW_AHEAD  (LEAK_RUN - 1)
#define WINNOW_BEHIND (LEAK_WINDOW + 3) /* more than its windows: whole vectors */

/** winnow(select, p, n, out): a bit for each of the positions p[0] to p[n - 1]; ${n} is a
 * multiple of 64, at most WINNOW_MAX.  Bytes from p[-WINNOW_BEHIND] to
 * p[n - 1 + WINNOW_AHEAD] are read. */
void winnow(uint16_t select, const unsigned char *p, size_t n, uint64_t *out);
/** winnow_plain(select, p, n, out): the same, on any processor. */
void winnow_plain(uint16_t select, const unsigned char *p, size_t n, uint64_t *out);

#endif
