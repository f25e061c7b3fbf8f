/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "db_file.h"
#include "db_sqlite.h"

struct db_copy {
	struct db *src;
	struct db dst; /* for its handle and error mapping alone */
	sqlite3_backup *backup;
	bool created;
	char path[PATH_MAX];
};

/* Not synced on the way: a copy that is not finished is worth nothing. */
static int open_target(struct db_copy *cp, struct err *e)
{
	AUTO_CLOSE int fd =
		open(cp->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "%s", cp->path);
	cp->created = true;
	rc = sqlite3_open_v2(cp->path, &cp->dst.h,
	                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
	                             SQLITE_OPEN_EXRESCODE,
	                     NULL);
	if (rc != SQLITE_OK)
		return db_fail(&cp->dst, rc, "opening the copy", e);
	return db_exec(&cp->dst,
	               "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF;"
	               "PRAGMA journal_mode = MEMORY;",
	               "configuring the copy", e);
}

int db_copy_start(struct db *db, const char *path, struct db_copy **out, struct err *e)
{
	struct db_copy *cp = calloc(1, sizeof(*cp));
	int n, rc;

	if (cp == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	cp->src = db;
	n = snprintf(cp->path, sizeof(cp->path), "%s", path);
	if (n < 0 || (size_t)n >= sizeof(cp->path))
		rc = err_set(e, ERR_INVALID, "path is too long");
	else
		rc = open_target(cp, e);
	if (rc == ERR_OK &&
	    (cp->backup = sqlite3_backup_init(cp->dst.h, "main", db->h, "main")) == NULL)
		rc = db_fail(&cp->dst, sqlite3_extended_errcode(cp->dst.h),
		             "starting the copy", e);
	if (rc == ERR_OK)
		*out = cp;
	else
		db_copy_abort(cp);
	return rc;
}

int db_copy_step(struct db_copy *cp, int pages, bool *done, struct err *e)
{
	int rc = sqlite3_backup_step(cp->backup, pages);

	*done = rc == SQLITE_DONE;
	if (rc == SQLITE_OK || rc == SQLITE_DONE)
		return ERR_OK;
	return db_fail(&cp->dst, rc, "copying the database", e);
}

static void release(struct db_copy *cp)
{
	if (cp->backup != NULL)
		(void)sqlite3_backup_finish(cp->backup);
	sqlite3_close_v2(cp->dst.h);
	free(cp);
}

static int make_whole(struct db_copy *cp, struct err *e)
{
	int rc = sqlite3_backup_finish(cp->backup);

	cp->backup = NULL;
	if (rc != SQLITE_OK)
		return db_fail(&cp->dst, rc, "finishing the copy", e);
	/* One file that needs no log beside it. */
	rc = db_exec(&cp->dst, "PRAGMA journal_mode = DELETE", "finishing the copy", e);
	if (rc != ERR_OK)
		return rc;
	sqlite3_close_v2(cp->dst.h);
	cp->dst.h = NULL;
	return ERR_OK;
}

int db_copy_end(struct db_copy *cp, struct err *e)
{
	int rc = make_whole(cp, e);

	if (rc == ERR_OK)
		release(cp);
	else
		db_copy_abort(cp);
	return rc;
}

void db_copy_abort(struct db_copy *cp)
{
	if (cp == NULL)
		return;
	if (cp->created)
		(void)unlink(cp->path);
	release(cp);
}

int db_backup(struct db *db, const char *path, struct err *e)
{
	struct db_copy *cp = NULL;
	bool done;
	int rc;

	rc = db_copy_start(db, path, &cp, e);
	if (cp == NULL)
		return rc;
	rc = db_copy_step(cp, -1, &done, e);
	if (rc != ERR_OK || !done) {
		db_copy_abort(cp);
		return rc != ERR_OK ? rc : err_set(e, ERR_BUSY, "the database is busy");
	}
	rc = db_copy_end(cp, e);
	return rc == ERR_OK ? db_file_sync(path, e) : rc;
}
