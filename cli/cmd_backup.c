/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "backup_file.h"
#include "cli.h"
#include "file.h"
#include "note.h"
#include "out.h"
#include "restore_db.h"
#include "text.h"
#include "verify.h"

#define PART            393216 /* bytes per request */
#define TAKE_TIMEOUT_MS 600000L
#define ARENA_MAX       ((size_t)1024 * 1024)

/* One part of the backup on the server, appended to ${fd}. */
static int fetch_part(struct cli *c, const char *name, int64_t offset, int fd, bool *eof,
                      int64_t *got, struct err *e)
{
	static unsigned char bytes[PART];
	char path[400];
	json_t *doc = NULL, *data;
	const char *b64;
	long n = -1;
	int rc;

	snprintf(path, sizeof(path), "sys/backup/data?name=%s&offset=%lld&length=%d",
	         name, (long long)offset, PART);
	rc = cli_call(c, "GET", path, NULL, &doc, e);
	data = json_object_get(doc, "data");
	b64 = json_string_value(json_object_get(data, "bytes"));
	if (rc == ERR_OK && b64 != NULL)
		n = text_unbase64(b64, strlen(b64), bytes, sizeof(bytes));
	*eof = json_is_true(json_object_get(data, "eof"));
	json_decref(doc);
	if (rc != ERR_OK)
		return rc;
	if (n < 0 || (n == 0 && !*eof))
		return err_set(e, ERR_INTERNAL,
		               "the server sent a malformed part of the backup");
	*got = n;
	return write(fd, bytes, (size_t)n) == n
	               ? ERR_OK
	               : err_sys(e, ERR_IO, errno, "writing the backup");
}

static int fetch_all(struct cli *c, const char *name, int64_t size, int fd, struct err *e)
{
	int64_t offset = 0, got = 0;
	bool eof = false;
	int rc;

	while (!eof) {
		if ((rc = fetch_part(c, name, offset, fd, &eof, &got, e)) != ERR_OK)
			return rc;
		offset += got;
		if (c->err_tty && size > 0)
			fprintf(stderr, "\r%lld of %lld bytes", (long long)offset,
			        (long long)size);
	}
	if (c->err_tty)
		fputc('\n', stderr);
	return fsync(fd) == 0 ? ERR_OK : err_sys(e, ERR_IO, errno, "writing the backup");
}

static int check_copy(const char *path, struct err *e)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	struct backup_file b;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = backup_file_open(a, path, NULL, &b, e)) != ERR_OK)
		return rc;
	rc = backup_file_copy(&b, -1, e);
	backup_file_close(&b);
	return rc;
}

static int sync_dir_of(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fsync(fd) == 0 ? ERR_OK
	                                 : err_sys(e, ERR_IO, errno, "%.160s", dir);
}

/* To a temporary name beside it; the name that was asked for appears only when the copy
 * is whole. */
static int download(struct cli *c, const char *name, int64_t size, const char *to,
                    struct err *e)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.part", to) >= (int)sizeof(tmp))
		return err_set(e, ERR_INVALID, "the file name is too long");
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "%.160s", tmp);
	rc = fetch_all(c, name, size, fd, e);
	close(fd);
	if (rc == ERR_OK && (rc = check_copy(tmp, e)) == ERR_OK && rename(tmp, to) != 0)
		rc = err_sys(e, ERR_IO, errno, "%.160s", to);
	if (rc != ERR_OK) {
		unlink(tmp);
		return rc;
	}
	return sync_dir_of(to, e);
}

static int backup(struct cli *c, struct err *e)
{
	json_t *doc = NULL, *data;
	char name[128];
	const char *s;
	int rc;

	if (access(c->arg[0], F_OK) == 0)
		return err_set(e, ERR_USAGE, "%.160s: exists already", c->arg[0]);
	rc = cli_call_timeout(c, "POST", "sys/backup", NULL, TAKE_TIMEOUT_MS, &doc, e);
	data = json_object_get(doc, "data");
	s = json_string_value(json_object_get(data, "name"));
	if (rc == ERR_OK && s == NULL)
		rc = err_set(e, ERR_INTERNAL, "the server did not name the backup");
	if (rc == ERR_OK) {
		snprintf(name, sizeof(name), "%s", s);
		rc = download(c, name, json_integer_value(json_object_get(data, "size")),
		              c->arg[0], e);
	}
	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		out_pairs(data, NULL);
	json_decref(doc);
	return rc;
}

static int key_of(struct cli *c, struct note_key *key, bool *given, struct err *e)
{
	const char *text = cli_flag(c, "key"), *file = cli_flag(c, "key-file");
	AUTO_ARENA a = arena_new(ARENA_MAX);
	char *read = NULL;
	size_t n;
	int rc;

	*given = text != NULL || file != NULL;
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (text == NULL && file != NULL) {
		if ((rc = file_read(a, file, NOTE_MAX, &read, &n, e)) != ERR_OK)
			return rc;
		read[strcspn(read, "\r\n")] = '\0';
		text = read;
	}
	return *given ? note_key_parse(text, strlen(text), key, e) : ERR_OK;
}

static int verify_records(const char *path, const struct note_key *key, struct err *e)
{
	struct verify_options o = { .key = *key };
	struct verify_source src = { 0 };
	struct verify_report report = { 0 };
	int rc;

	if ((rc = verify_open_backup(path, &src, e)) != ERR_OK)
		return rc;
	rc = verify_log(&src, &o, &report, e);
	verify_close(&src);
	if (rc == ERR_VERIFY && report.fault != FAULT_NONE)
		return err_set(e, ERR_VERIFY, "%.200s", report.text);
	return rc;
}

static int verify_backup(struct cli *c, struct err *e)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	struct note_key key;
	struct backup_file b;
	bool given;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = key_of(c, &key, &given, e)) != ERR_OK ||
	    (rc = backup_file_open(a, c->arg[0], given ? key.pub : NULL, &b, e)) !=
	            ERR_OK)
		return rc;
	rc = backup_file_copy(&b, -1, e);
	backup_file_close(&b);
	if (rc == ERR_OK && given)
		rc = verify_records(c->arg[0], &key, e);
	if (rc == ERR_OK)
		printf("%s: good: schema %d, %lld audit records%s\n", c->arg[0], b.schema,
		       (long long)b.audit_size,
		       given ? ", signed by the given key"
		             : "; signed by the key that is in it (give --key to prove whose it is)");
	return rc;
}

static int mark(const char *db, const struct backup_file *b, bool accepted, struct err *e)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	struct value *v;
	unsigned char *p;
	size_t n;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	v = value_object(a);
	value_set_int(a, v, "audit_size", b->audit_size);
	value_set_int(a, v, "created_ms", b->created_ms);
	value_set_int(a, v, "restored_ms", (int64_t)time(NULL) * 1000);
	value_set_bool(a, v, "accept_rollback", accepted);
	p = value_pack(a, v, &n);
	return p != NULL ? restore_db_mark(db, p, n, e)
	                 : err_set(e, ERR_NOMEM, "out of memory");
}

/* A scratch file beside the database: copied, checked, marked, and only then renamed. */
static int restore_to(struct backup_file *b, const char *db, bool accepted, struct err *e)
{
	char tmp[PATH_MAX];
	int64_t records = -1;
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.restore", db) >= (int)sizeof(tmp))
		return err_set(e, ERR_INVALID, "the path is too long");
	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "%.160s", tmp);
	rc = backup_file_copy(b, fd, e);
	if (rc == ERR_OK && (rc = restore_db_check(tmp, &records, e)) == ERR_OK &&
	    records != b->audit_size)
		rc = err_set(e, ERR_VERIFY,
		             "the image has %lld audit records, the header says %lld",
		             (long long)records, (long long)b->audit_size);
	if (rc == ERR_OK && (rc = mark(tmp, b, accepted, e)) == ERR_OK && fsync(fd) != 0)
		rc = err_sys(e, ERR_IO, errno, "%.160s", tmp);
	close(fd);
	if (rc == ERR_OK && rename(tmp, db) != 0)
		rc = err_sys(e, ERR_IO, errno, "%.160s", db);
	if (rc != ERR_OK)
		unlink(tmp);
	return rc == ERR_OK ? sync_dir_of(db, e) : rc;
}

/* What is there already: nothing, an older state, or one that the restore would roll
 * back. */
static int judge_existing(const char *db, const struct backup_file *b, bool accept,
                          struct err *e)
{
	char wal[PATH_MAX];
	int64_t records;
	int rc;

	if (access(db, F_OK) != 0)
		return ERR_OK;
	if ((rc = restore_db_check(db, &records, e)) == ERR_BUSY)
		return rc;
	if (rc != ERR_OK && !accept)
		return err_wrap(
			e, "the database that is there cannot be read (--accept-rollback "
			   "replaces it)");
	if (rc == ERR_OK && records > b->audit_size && !accept)
		return err_set(
			e, ERR_CONFLICT,
			"%.120s has %lld audit records, the backup %lld: it would be rolled "
			"back; --accept-rollback does that, and leaves a record",
			db, (long long)records, (long long)b->audit_size);
	snprintf(wal, sizeof(wal), "%.4000s-wal", db);
	unlink(wal);
	return ERR_OK;
}

static int restore(struct cli *c, struct err *e)
{
	const char *dir = cli_flag(c, "data-dir");
	bool accept = cli_flag(c, "accept-rollback") != NULL;
	AUTO_ARENA a = arena_new(ARENA_MAX);
	struct backup_file b;
	char db[PATH_MAX];
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (dir == NULL)
		return err_set(e, ERR_USAGE,
		               "--data-dir is needed: where the database goes");
	if (snprintf(db, sizeof(db), "%s/vault.db", dir) >= (int)sizeof(db))
		return err_set(e, ERR_INVALID, "--data-dir is too long");
	if ((rc = backup_file_open(a, c->arg[0], NULL, &b, e)) != ERR_OK)
		return rc;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		rc = err_sys(e, ERR_IO, errno, "%.160s", dir);
	else if ((rc = judge_existing(db, &b, accept, e)) == ERR_OK)
		rc = restore_to(&b, db, accept, e);
	if (rc == ERR_OK)
		say("Restored %lld audit records to %s.  Start vaultd on it and unseal it with the\n"
		    "shares of the time of the backup.  Tokens other than lasting root tokens, and\n"
		    "join tokens, end with the first unseal.",
		    (long long)b.audit_size, db);
	backup_file_close(&b);
	return rc;
}

static const struct flag verify_flags[] = {
	{"key",  FLAG_STRING, "KEY", "verifier key of the audit log" },
	{ "key-file", FLAG_STRING, "FILE", "a file that holds it" },
	{ 0    },
};
static const struct flag restore_flags[] = {
	{"data-dir", FLAG_STRING, "DIR", "where vault.db goes (needed)" },
	{ "accept-rollback",     FLAG_BOOL, NULL,
         "replace a database that is newer than the backup" },
	{ 0        },
};

static const struct command rows[] = {
	{"backup",         NULL, backup,        1, 1, NULL,          "FILE",
         "take a backup, have it verified, fetch it",          NULL},
	{ "verify-backup", NULL, verify_backup, 1, 1, verify_flags,  "FILE",
         "is a backup whole, and whose is it",                 NULL},
	{ "restore",       NULL, restore,       1, 1, restore_flags, "FILE",
         "put the database of a backup into a data directory", NULL},
};

const struct command_set commands_backup = { rows, ARRAY_LEN(rows) };
