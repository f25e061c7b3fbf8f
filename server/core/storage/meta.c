/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"
#include "db.h"
#include "store.h"

int meta_get(struct db *db, struct arena *a, const char *name, unsigned char **out,
             size_t *n, struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_META_GET);
	const void *p;
	bool row;
	int rc;

	db_bind_text(st, 1, name);
	if ((rc = db_step(st, &row, e)) != ERR_OK)
		return rc;
	if (!row)
		return err_set(e, ERR_NOENT, "no setting '%s'", name);
	p = db_blob(st, 0, n);
	*out = arena_dup(a, p, *n);
	return *out != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

int meta_put(struct db *db, const char *name, const void *p, size_t n, struct err *e)
{
	struct stmt *st = db_stmt(db, STMT_META_PUT);

	db_bind_text(st, 1, name);
	db_bind_blob(st, 2, p, n);
	return db_run(st, e);
}

int meta_delete(struct db *db, const char *name, struct err *e)
{
	struct stmt *st = db_stmt(db, STMT_META_DELETE);

	db_bind_text(st, 1, name);
	return db_run(st, e);
}
