/* SPDX-License-Identifier: Apache-2.0 */
#include "db_schema.h"

#include <string.h>

#include "migrations.h"

int schema_init(struct schema *s, int64_t tables, int64_t ours, struct err *e)
{
	s->applied = 0;
	if (ours == 0 && tables != 0)
		return err_set(e, ERR_SCHEMA,
		               "the file is a database of another program");
	return ERR_OK;
}

int schema_row(struct schema *s, int64_t number, const void *digest, size_t n,
               struct err *e)
{
	if (number > (int64_t)migrations_count)
		return err_set(
			e, ERR_SCHEMA,
			"the database has schema %lld, this program knows up to %zu: "
			"use a newer vaultd",
			(long long)number, migrations_count);
	if (number != s->applied + 1)
		return err_set(e, ERR_SCHEMA, "migration %d is missing in the database",
		               s->applied + 1);
	if (digest == NULL || n != sizeof(migrations[0].sha256) ||
	    memcmp(digest, migrations[number - 1].sha256, n) != 0)
		return err_set(
			e, ERR_SCHEMA,
			"migration %lld was applied from another text than this program has",
			(long long)number);
	s->applied = (int)number;
	return ERR_OK;
}
