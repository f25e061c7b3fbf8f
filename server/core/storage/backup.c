/* SPDX-License-Identifier: Apache-2.0 */
#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "audit.h"
#include "audit_state.h"
#include "db.h"
#include "merkle.h"
#include "rng.h"
#include "sha256.h"
#include "store_row.h"
#include "text.h"

#define COPY_PAGES   256
#define CHECK_ROWS   256
#define CHUNK        (512u * 1024)
#define ABANDONED_MS 10000

struct backup {
	struct core *c;
	unsigned char id[16];
	char scratch[PATH_MAX]; /* the copy */
	char part[BACKUP_NAME_MAX + 8];
	int (*phase)(struct backup *b, struct err *e);
	struct db_copy *copying;
	struct db *db; /* the copy, read-only */
	struct state_walk walk;
	struct merkle_frontier *tree;
	struct backup_manifest m;
	char checkpoint[1024];
	int dirfd, in, out;
	int64_t at;
	struct sha256 image, whole;
	unsigned char written[32]; /* digest of what was written */
	struct backup_result result;
	bool done;
	struct err e;
	int64_t touched_ms; /* boot clock of the last slice */
};

static int bad_copy(struct err *e, const char *what)
{
	return err_set(e, ERR_VERIFY, "the copy is not good: %s", what);
}

static int system_error(struct err *e, const char *what)
{
	return err_sys(e, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, errno,
	               "%s", what);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void clean_up(struct backup *b)
{
	db_copy_abort(b->copying);
	db_close(b->db);
	b->copying = NULL;
	b->db = NULL;
	free(b->tree);
	b->tree = NULL;
	close_fd(&b->in);
	close_fd(&b->out);
	if (b->scratch[0] != '\0')
		(void)unlink(b->scratch);
	if (b->dirfd >= 0 && b->part[0] != '\0')
		(void)unlinkat(b->dirfd, b->part, 0);
	close_fd(&b->dirfd);
	b->part[0] = b->scratch[0] = '\0';
}

static void backup_free(struct backup *b)
{
	if (b == NULL)
		return;
	clean_up(b);
	free(b);
}

void backup_close(struct core *c)
{
	backup_free(c->backup);
	c->backup = NULL;
}

/* ---- the phases, last first ---- */

static int write_all(int fd, const unsigned char *p, size_t n, off_t at, struct err *e)
{
	while (n > 0) {
		ssize_t w = pwrite(fd, p, n, at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return system_error(e, "writing the backup");
		p += w;
		n -= (size_t)w;
		at += w;
	}
	return ERR_OK;
}

static int publish(struct backup *b, struct err *e)
{
	if (renameat(b->dirfd, b->part, b->dirfd, b->result.name) != 0 ||
	    fsync(b->dirfd) != 0)
		return system_error(e, "publishing the backup");
	b->part[0] = '\0';
	clean_up(b);
	b->done = true;
	return ERR_OK;
}

/* What is in the file, as opposed to what was meant to be written. */
static int read_back(struct backup *b, struct err *e)
{
	unsigned char *buf = malloc(CHUNK), digest[32];
	ssize_t n;

	if (buf == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = pread(b->out, buf, CHUNK, b->at);
	if (n > 0) {
		size_t skip = b->at == 0 ? BACKUP_HEADER : 0;

		sha256_add(&b->whole, buf, (size_t)n);
		sha256_add(&b->image, buf + skip, (size_t)n - skip);
		b->at += n;
	}
	free(buf);
	if (n < 0)
		return system_error(e, "reading the backup");
	if (n > 0)
		return ERR_OK;
	sha256_end(&b->image, digest);
	sha256_end(&b->whole, b->result.sha256);
	if (b->at != b->result.size ||
	    memcmp(digest, b->m.image_sha256, sizeof(digest)) != 0)
		return bad_copy(e, "the file does not hold what was written");
	return publish(b, e);
}

static int finish_file(struct backup *b, struct err *e)
{
	unsigned char header[BACKUP_HEADER];
	int rc;

	sha256_end(&b->image, b->m.image_sha256);
	b->m.image_size = b->at;
	b->result.size = b->at + BACKUP_HEADER;
	if ((rc = backup_header(b->c, &b->m, header, e)) != ERR_OK ||
	    (rc = write_all(b->out, header, sizeof(header), 0, e)) != ERR_OK)
		return rc;
	if (fsync(b->out) != 0)
		return system_error(e, "syncing the backup");
	sha256_start(&b->image);
	sha256_start(&b->whole);
	b->at = 0;
	b->phase = read_back;
	return ERR_OK;
}

static int write_image(struct backup *b, struct err *e)
{
	unsigned char *buf = malloc(CHUNK);
	ssize_t n;
	int rc = ERR_OK;

	if (buf == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = pread(b->in, buf, CHUNK, b->at);
	if (n < 0)
		rc = system_error(e, "reading the copy");
	if (n > 0) {
		sha256_add(&b->image, buf, (size_t)n);
		rc = write_all(b->out, buf, (size_t)n, b->at + BACKUP_HEADER, e);
		/* Start writing now, so that the sync at the end finds little to do. */
		(void)sync_file_range(b->out, b->at + BACKUP_HEADER, n,
		                      SYNC_FILE_RANGE_WRITE);
		b->at += n;
	}
	free(buf);
	return rc == ERR_OK && n == 0 ? finish_file(b, e) : rc;
}

static int begin_file(struct backup *b, struct err *e)
{
	snprintf(b->part, sizeof(b->part), "%s.part", b->result.name);
	b->in = open(b->scratch, O_RDONLY | O_CLOEXEC);
	b->out = openat(b->dirfd, b->part,
	                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (b->in < 0 || b->out < 0)
		return system_error(e, "creating the backup");
	sha256_start(&b->image);
	b->at = 0;
	b->phase = write_image;
	return ERR_OK;
}

/* ---- verification of the copy ---- */

static int check_head(struct backup *b, struct err *e)
{
	STMT_AUTO st = db_stmt(b->db, STMT_CHECKPOINT_LAST);
	unsigned char root[32];
	const void *note;
	size_t n;
	bool row;
	int rc;

	if (b->at != b->m.audit_size)
		return bad_copy(e, "the audit log has another length");
	merkle_root(b->tree, root);
	if (memcmp(root, b->m.audit_root, sizeof(root)) != 0)
		return bad_copy(e, "the audit log has another root");
	if ((rc = db_step(st, &row, e)) != ERR_OK)
		return rc;
	if (!row)
		return bad_copy(e, "it has no signed tree head");
	note = db_blob(st, 1, &n);
	if (n != strlen(b->checkpoint) || memcmp(note, b->checkpoint, n) != 0)
		return bad_copy(e, "its signed tree head is another one");
	return ERR_OK;
}

static int check_record(struct backup *b, struct stmt *st, struct err *e)
{
	const unsigned char *plain;
	unsigned char leaf[32];
	struct audit_row row;
	size_t n;
	int rc;

	if ((rc = audit_row_get(st, &row, e)) != ERR_OK ||
	    (rc = audit_row_open(b->c, &row, &plain, &n, e)) != ERR_OK)
		return rc;
	audit_leaf(row.index, row.digest, row.envelope, row.n, leaf);
	if (row.index != b->at || memcmp(leaf, row.leaf, sizeof(leaf)) != 0)
		return err_set(e, ERR_VERIFY, "the copy is not good: audit record %lld",
		               (long long)b->at);
	(void)merkle_push(b->tree, leaf, NULL);
	b->at++;
	return ERR_OK;
}

static int check_records(struct backup *b, bool *last, struct err *e)
{
	STMT_AUTO st = db_stmt(b->db, STMT_AUDIT_RANGE);
	int64_t until = b->at + CHECK_ROWS;
	bool row;
	int rc;

	db_bind_int(st, 1, b->at);
	db_bind_int(st, 2, INT64_MAX);
	db_bind_int(st, 3, CHECK_ROWS);
	while ((rc = db_step(st, &row, e)) == ERR_OK && row)
		if ((rc = check_record(b, st, e)) != ERR_OK)
			return rc;
	*last = b->at < until;
	return rc;
}

static int check_audit(struct backup *b, struct err *e)
{
	bool last = false;
	int rc = check_records(b, &last, e);

	if (rc != ERR_OK || !last)
		return rc;
	return (rc = check_head(b, e)) == ERR_OK ? begin_file(b, e) : rc;
}

static int check_rows(struct backup *b, struct err *e)
{
	struct state_head head;
	bool done, present;
	int rc = state_walk_step(b->c, b->db, &b->walk, CHECK_ROWS, &done, e);

	if (rc != ERR_OK || !done)
		return rc;
	if ((rc = state_head_read(b->c, b->db, &head, &present, e)) != ERR_OK)
		return rc;
	if (!present || head.rows != b->walk.rows ||
	    sodium_memcmp(head.mac, b->walk.mac, STATE_MAC) != 0)
		return bad_copy(e, "its rows are not those that were written");
	b->tree = calloc(1, sizeof(*b->tree));
	if (b->tree == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	b->at = 0;
	b->phase = check_audit;
	return ERR_OK;
}

static int open_copy(struct backup *b, struct err *e)
{
	const struct db_options o = { .path = b->scratch,
		                      .read_only = true,
		                      .no_create = true };
	int rc = db_open(&o, &b->db, e);

	if (rc != ERR_OK)
		return rc;
	b->m.schema = db_schema(b->db);
	b->phase = check_rows;
	return ERR_OK;
}

/* ---- the copy ---- */

/* The copy equals the database as it is between these two batches. */
static int note_heads(struct backup *b, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	const char *note;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	note = audit_checkpoint(b->c, a);
	if (note == NULL || strlen(note) >= sizeof(b->checkpoint))
		return err_set(e, ERR_INTERNAL, "the signed tree head is too long");
	memcpy(b->checkpoint, note, strlen(note) + 1);
	b->m.checkpoint = b->checkpoint;
	b->m.audit_size = audit_size(b->c);
	audit_root(b->c, b->m.audit_root);
	b->result.audit_size = b->m.audit_size;
	return ERR_OK;
}

static int copy_pages(struct backup *b, struct err *e)
{
	struct db_copy *cp = b->copying;
	bool done;
	int rc = db_copy_step(cp, COPY_PAGES, &done, e);

	if (rc != ERR_OK || !done)
		return rc;
	if ((rc = note_heads(b, e)) != ERR_OK)
		return rc;
	b->copying = NULL;
	b->phase = open_copy;
	return db_copy_end(cp, e);
}

static int begin_copy(struct backup *b, struct err *e)
{
	int rc;

	if ((b->dirfd = backup_dir(b->c, e)) < 0)
		return e->code;
	snprintf(b->scratch, sizeof(b->scratch), "%s/backups/.scratch",
	         b->c->opt.data_dir);
	(void)unlink(b->scratch); /* of a process that was killed */
	if ((rc = db_copy_start(b->c->db, b->scratch, &b->copying, e)) == ERR_OK)
		b->phase = copy_pages;
	return rc;
}

static void make_name(struct backup *b)
{
	time_t s = (time_t)(b->m.created_ms / 1000);
	char id[9], stamp[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	text_hex(b->id, 4, id);
	snprintf(b->result.name, sizeof(b->result.name), "vault-%s-%s" BACKUP_SUFFIX,
	         stamp, id);
}

bool backup_running(const struct core *c)
{
	const struct backup *b = c->backup;

	/* One whose client has gone is not driven any more. */
	return b != NULL && !b->done && c->boot_ms - b->touched_ms < ABANDONED_MS;
}

int backup_start(struct core *c, unsigned char id[16], struct err *e)
{
	struct backup *b;

	if (backup_running(c))
		return err_set(e, ERR_BUSY, "a backup is being taken already");
	backup_close(c);
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	b->c = c;
	b->dirfd = b->in = b->out = -1;
	b->phase = begin_copy;
	b->touched_ms = c->boot_ms;
	b->m.created_ms = c->now_ms;
	rng_bytes(b->id, sizeof(b->id));
	memcpy(b->m.backup_id, b->id, sizeof(b->id));
	memcpy(id, b->id, sizeof(b->id));
	make_name(b);
	c->backup = b;
	return ERR_OK;
}

void backup_step(void *core)
{
	struct core *c = core;
	struct backup *b = c->backup;
	int rc;

	if (b == NULL || b->done)
		return;
	b->touched_ms = clock_boot(c->clock);
	if (c->keys == NULL)
		rc = err_set(&b->e, ERR_SEALED, "Vault is sealed");
	else
		rc = b->phase(b, &b->e);
	if (rc == ERR_OK)
		return;
	err_wrap(&b->e, "backup");
	/* Of the backup's files, not of the database that serves. */
	if (rc == ERR_FULL)
		b->e.code = ERR_BUSY;
	else if (rc == ERR_UNKNOWN)
		b->e.code = ERR_IO;
	clean_up(b);
	b->done = true;
}

int backup_poll(struct core *c, const unsigned char id[16], bool *done,
                struct backup_result *out, struct err *e)
{
	struct backup *b = c->backup;
	int rc;

	*done = true;
	if (b == NULL || memcmp(b->id, id, sizeof(b->id)) != 0)
		return err_set(e, ERR_BUSY, "the backup was given up");
	*done = b->done;
	if (!b->done)
		return ERR_OK;
	*out = b->result;
	if ((rc = (int)b->e.code) != ERR_OK && e != NULL)
		*e = b->e;
	backup_close(c);
	return rc;
}
