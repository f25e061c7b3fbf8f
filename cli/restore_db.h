/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RESTORE_DB_H
#define CLI_RESTORE_DB_H
/* restore_db - the two things that a restore asks of a database: how far its audit log
 * goes, and a mark that the server finds when it is unsealed. */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/** restore_db_check(path, audit_size, e): intact (SQLite's own check); *audit_size
 * records.  ERR_BUSY if a server uses it. */
int restore_db_check(const char *path, int64_t *audit_size, struct err *e) MUST_CHECK;
/** restore_db_mark(path, p, n, e): store the encoded object ${p} as the plain setting
 * "restored". */
int restore_db_mark(const char *path, const void *p, size_t n, struct err *e) MUST_CHECK;

#endif
