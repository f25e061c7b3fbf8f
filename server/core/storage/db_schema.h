/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DB_SCHEMA_H
#define SERVER_CORE_DB_SCHEMA_H
/*
 * db_schema - may this program use a database that says it has these migrations?
 *
 * Pure comparison with the table that is compiled in; knows no SQL.
 */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct schema {
	int applied; /* migrations that the database has */
};

/** schema_init(s, tables, ours, e): a file with ${tables} tables, indexes and views, one
 * of which is the table of migrations if ${ours}.  Someone else's database is ERR_SCHEMA.
 */
int schema_init(struct schema *s, int64_t tables, int64_t ours, struct err *e) MUST_CHECK;

/** schema_row(s, number, digest, n, e): the next row of that table.  ERR_SCHEMA if it is
 * newer than this program, missing, or not what this program has under that number. */
int schema_row(struct schema *s, int64_t number, const void *digest, size_t n,
               struct err *e) MUST_CHECK;

#endif
