/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_db - records out of a database file or a backup.
 *
 * Rows are read from the table itself in the order of their key, never through an index.
 * A database without a write-ahead log is opened where it is, and declared immutable;
 * else it and its log are copied into a private directory and opened there, so that the
 * original is not touched.  A backup is a header of 4 KiB, then the database.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "text.h"
#include "verify.h"

#define BACKUP_HEADER 4096
#define MAGIC         "SQLite format 3"
#define LOCK_FIRST    0x40000000L /* where SQLite locks: pending, reserved, shared */
#define LOCK_LENGTH   512
#define COPY_CHUNK    ((size_t)16 * 1024 * 1024)

struct vdb {
	sqlite3 *db;
	sqlite3_stmt *heads, *records;
	char dir[64]; /* of the copy; "" if there is none */
	char path[PATH_MAX];
};

static void remove_copy(struct vdb *v)
{
	char wal[PATH_MAX + 8];

	if (v->dir[0] == '\0')
		return;
	snprintf(wal, sizeof(wal), "%s-wal", v->path);
	unlink(wal);
	unlink(v->path);
	rmdir(v->dir);
	v->dir[0] = '\0';
}

static void close_db(void *ctx)
{
	struct vdb *v = ctx;

	sqlite3_finalize(v->heads);
	sqlite3_finalize(v->records);
	sqlite3_close(v->db);
	remove_copy(v);
	free(v);
}

static int open_file(const char *path, int *fd, off_t *size, struct err *e)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%.150s",
		               path);
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%.150s is no regular file", path);
	*size = st.st_size;
	return ERR_OK;
}

static int check_magic(int fd, off_t at, const char *path, const char *what,
                       struct err *e)
{
	char head[sizeof(MAGIC)];

	if (pread(fd, head, sizeof(head), at) != (ssize_t)sizeof(head) ||
	    memcmp(head, MAGIC, sizeof(MAGIC)) != 0)
		return err_set(e, ERR_INVALID, "%.150s is no %s", path, what);
	return ERR_OK;
}

/* Does a server have the file open? */
static int check_unlocked(int fd, const char *path, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK,
		           .l_whence = SEEK_SET,
		           .l_start = LOCK_FIRST,
		           .l_len = LOCK_LENGTH };

	/* Asking needs no right to write. */
	if (fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK)
		return err_set(
			e, ERR_BUSY,
			"%.150s is in use by process %ld: stop the server, or verify a "
			"backup or an export",
			path, (long)l.l_pid);
	return ERR_OK;
}

static int copy_bytes(int from, off_t at, off_t end, const char *to, struct err *e)
{
	AUTO_CLOSE int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "%.150s", to);
	while (at < end) {
		size_t n = (size_t)(end - at) < COPY_CHUNK ? (size_t)(end - at)
		                                           : COPY_CHUNK;
		ssize_t done = sendfile(fd, from, &at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_sys(e, ERR_IO, done < 0 ? errno : EIO,
			               "copying to %.150s", to);
	}
	return ERR_OK;
}

static int make_dir(struct vdb *v, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || strlen(tmp) > 32)
		tmp = "/tmp";
	snprintf(v->dir, sizeof(v->dir), "%s/vaultctl-verify-XXXXXX", tmp);
	if (mkdtemp(v->dir) == NULL) {
		v->dir[0] = '\0';
		return err_sys(e, ERR_IO, errno, "cannot make a directory in %s", tmp);
	}
	snprintf(v->path, sizeof(v->path), "%s/copy.db", v->dir);
	return ERR_OK;
}

/* The write-ahead log beside a database; *fd is -1 if there is none with anything in it.
 */
static int open_wal(const char *path, int *fd, off_t *size, struct err *e)
{
	char wal[PATH_MAX];
	int rc;

	if ((size_t)snprintf(wal, sizeof(wal), "%s-wal", path) >= sizeof(wal))
		return err_set(e, ERR_INVALID, "a path that is too long");
	rc = open_file(wal, fd, size, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc == ERR_OK && *size == 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

static int copy_with_wal(struct vdb *v, int fd, off_t size, int wal, off_t wal_size,
                         struct err *e)
{
	char to[PATH_MAX + 8];
	int rc;

	if ((rc = make_dir(v, e)) != ERR_OK ||
	    (rc = copy_bytes(fd, 0, size, v->path, e)) != ERR_OK)
		return rc;
	snprintf(to, sizeof(to), "%s-wal", v->path);
	return copy_bytes(wal, 0, wal_size, to, e);
}

/* Where to open the database of a stopped server; sets *immutable. */
static int place_db(struct vdb *v, const char *path, bool *immutable, struct err *e)
{
	AUTO_CLOSE int fd = -1, wal = -1;
	off_t size = 0, wal_size = 0;
	int rc;

	if ((rc = open_file(path, &fd, &size, e)) != ERR_OK ||
	    (rc = check_magic(fd, 0, path, "database", e)) != ERR_OK ||
	    (rc = check_unlocked(fd, path, e)) != ERR_OK ||
	    (rc = open_wal(path, &wal, &wal_size, e)) != ERR_OK)
		return rc;
	*immutable = wal < 0;
	if (wal >= 0)
		return copy_with_wal(v, fd, size, wal, wal_size, e);
	if (realpath(path, v->path) == NULL)
		return err_sys(e, ERR_IO, errno, "%.150s", path);
	return ERR_OK;
}

static int place_backup(struct vdb *v, const char *path, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	off_t size = 0;
	int rc;

	if ((rc = open_file(path, &fd, &size, e)) != ERR_OK ||
	    (rc = check_magic(fd, BACKUP_HEADER, path, "backup", e)) != ERR_OK ||
	    (rc = make_dir(v, e)) != ERR_OK)
		return rc;
	return copy_bytes(fd, BACKUP_HEADER, size, v->path, e);
}

static int fail(struct vdb *v, struct err *e)
{
	return err_set(e, ERR_INVALID, "the database cannot be read: %.150s",
	               v->db != NULL ? sqlite3_errmsg(v->db) : "out of memory");
}

static int file_uri(const char *path, bool immutable, char *out, size_t cap,
                    struct err *e)
{
	static const char before[] = "file:";
	const char *after = immutable ? "?immutable=1" : "";
	size_t n = text_percent(path, strlen(path), "/", NULL);

	if (strlen(before) + n + strlen(after) >= cap)
		return err_set(e, ERR_INVALID, "a path that is too long");
	(void)snprintf(out, cap, "%s", before);
	(void)text_percent(path, strlen(path), "/", out + strlen(before));
	memcpy(out + strlen(before) + n, after, strlen(after) + 1);
	return ERR_OK;
}

/* A hostile file may call a view "audit": only the tables' own rows are read. */
static int check_tables(struct vdb *v, struct err *e)
{
	static const char sql[] =
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
		"name IN ('audit', 'checkpoint') AND rootpage > 0";
	sqlite3_stmt *st = NULL;
	bool ok = sqlite3_prepare_v2(v->db, sql, -1, &st, NULL) == SQLITE_OK &&
	          sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int(st, 0) == 2;

	sqlite3_finalize(st);
	return ok ? ERR_OK : err_set(e, ERR_INVALID, "not the database of a vault");
}

static int open_sqlite(struct vdb *v, bool immutable, struct err *e)
{
	/* Exclusive: the index of the write-ahead log stays in memory. */
	static const char setup[] =
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
		"PRAGMA cell_size_check = ON";
	char uri[3 * PATH_MAX];
	int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
	            (immutable ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
	int rc;

	if ((rc = file_uri(v->path, immutable, uri, sizeof(uri), e)) != ERR_OK)
		return rc;
	if (sqlite3_open_v2(uri, &v->db, flags, NULL) != SQLITE_OK)
		return fail(v, e);
	sqlite3_db_config(v->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (sqlite3_exec(v->db, setup, NULL, NULL, NULL) != SQLITE_OK)
		return fail(v, e);
	if ((rc = check_tables(v, e)) != ERR_OK)
		return rc;
	if (sqlite3_prepare_v2(
		    v->db, "SELECT size, note FROM checkpoint NOT INDEXED ORDER BY size",
		    -1, &v->heads, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(
		    v->db,
		    "SELECT idx, leaf, digest, envelope FROM audit NOT INDEXED "
		    "ORDER BY idx",
		    -1, &v->records, NULL) != SQLITE_OK)
		return fail(v, e);
	return ERR_OK;
}

static enum verify_next next_head(void *ctx, struct verify_head *out, struct err *e)
{
	struct vdb *v = ctx;
	int rc = sqlite3_step(v->heads);

	if (rc == SQLITE_DONE)
		return VERIFY_END;
	if (rc != SQLITE_ROW) {
		(void)fail(v, e);
		return VERIFY_FAILED;
	}
	out->note = sqlite3_column_blob(v->heads, 1);
	out->n = (size_t)sqlite3_column_bytes(v->heads, 1);
	return out->note != NULL ? VERIFY_ITEM : VERIFY_DAMAGED;
}

static const unsigned char *hash_column(sqlite3_stmt *st, int col)
{
	const unsigned char *p = sqlite3_column_blob(st, col);

	return sqlite3_column_bytes(st, col) == 32 ? p : NULL;
}

static enum verify_next next_record(void *ctx, struct verify_record *out, struct err *e)
{
	struct vdb *v = ctx;
	int rc = sqlite3_step(v->records);

	if (rc == SQLITE_DONE)
		return VERIFY_END;
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
		return VERIFY_DAMAGED;
	if (rc != SQLITE_ROW) {
		(void)fail(v, e);
		return VERIFY_FAILED;
	}
	memset(out, 0, sizeof(*out));
	out->index = (uint64_t)sqlite3_column_int64(v->records, 0);
	out->leaf = hash_column(v->records, 1);
	out->digest = hash_column(v->records, 2);
	out->envelope = sqlite3_column_blob(v->records, 3);
	out->envelope_len = (size_t)sqlite3_column_bytes(v->records, 3);
	return out->leaf != NULL && out->digest != NULL && out->envelope != NULL
	               ? VERIFY_ITEM
	               : VERIFY_DAMAGED;
}

static int open_at(const char *path, bool backup, struct verify_source *src,
                   struct err *e)
{
	struct vdb *v = calloc(1, sizeof(*v));
	bool immutable = true;
	int rc;

	if (v == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = backup ? place_backup(v, path, e) : place_db(v, path, &immutable, e);
	if (rc == ERR_OK)
		rc = open_sqlite(v, immutable, e);
	if (rc != ERR_OK) {
		close_db(v);
		return rc;
	}
	*src = (struct verify_source){ next_head, next_record, close_db, v };
	return ERR_OK;
}

int verify_open_db(const char *path, struct verify_source *src, struct err *e)
{
	return open_at(path, false, src, e);
}

int verify_open_backup(const char *path, struct verify_source *src, struct err *e)
{
	return open_at(path, true, src, e);
}
