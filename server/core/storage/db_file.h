/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DB_FILE_H
#define SERVER_CORE_DB_FILE_H
/* db_file - the database file before SQLite sees it: file system, owner, mode. */
#include "db.h"

/** db_file_prepare(o, e): create the file (0600) if allowed, and check it.  ERR_NOENT,
 * ERR_DENIED (mode, owner, link, network file system) and ERR_IO say what to do. */
int db_file_prepare(const struct db_options *o, struct err *e) MUST_CHECK;

/** db_file_sync(path, e): fsync a file and the directory it is in. */
int db_file_sync(const char *path, struct err *e) MUST_CHECK;

#endif
