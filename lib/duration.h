/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DURATION_H
#define DURATION_H
/* duration - durations as Vault reads and writes them (Go's time.ParseDuration,
 * plus Nd). */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* As in Go: what nanoseconds can count, some 292 years.  Sums with a time do not
 * overflow. */
#define DURATION_MAX_S (INT64_MAX / INT64_C(1000000000))

/**
 * duration_parse(s, n, ms, e): "" = 0, digits = seconds, "30d" alone, or decimal+unit
 * sequences of ns us µs ms s m h ("1h30m", "1.5h"), optionally signed.  Overflow is an
 * error.
 */
int duration_parse(const char *s, size_t n, int64_t *ms, struct err *e) MUST_CHECK;

#define DURATION_TEXT_MAX 48
/** duration_format(ms, buf): Go's String(): "0s", "3h25m19s", "1.5s", "250ms". */
void duration_format(int64_t ms, char buf[DURATION_TEXT_MAX]);

#endif
