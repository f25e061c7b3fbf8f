/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MIGRATIONS_H
#define SERVER_CORE_MIGRATIONS_H
/*
 * migrations - the schema's history, compiled in.
 *
 * The table is generated at build time from migrations/NNNN_name.sql, in order and
 * without gaps; the digest of each file is recorded in the database when it is applied
 * and compared at every start.  Read-only data, no dependencies.
 */
#include <stddef.h>

struct migration {
	int number;               /* 1, 2, 3 … */
	const char *name;         /* the file's name without number and suffix */
	const char *sql;          /* the whole file, NUL-terminated */
	unsigned char sha256[32]; /* of the file's bytes */
};

/** migrations: migrations_count rows by rising number, then one with number 0. */
extern const struct migration migrations[];
extern const size_t migrations_count;
#endif
