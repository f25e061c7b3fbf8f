/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TZIF_H
#define SERVER_CORE_TZIF_H
/*
 * tzif - the contents of a time zone file (RFC 8536, version 2 and later).
 *
 * The reader is total: any bytes give a zone or an error.  It refuses version 1 files
 * (32 bits), and those with leap seconds, whose times are not POSIX times.
 */
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "zone_rule.h"

#define TZIF_MAX (64u * 1024) /* bytes of a file; the largest real one has 4 kB */

struct tzif;

/** tzif_read(p, n, out, e): ERR_INVALID or ERR_NOMEM; nothing of ${p} is kept. */
int tzif_read(const void *p, size_t n, struct tzif **out, struct err *e) MUST_CHECK;
/** tzif_free(z): NULL is allowed. */
void tzif_free(struct tzif *z);
/** tzif_span(z, t, out): the stretch around ${t}: begin <= t < end. */
void tzif_span(const struct tzif *z, int64_t t, struct zone_span *out);

#endif
