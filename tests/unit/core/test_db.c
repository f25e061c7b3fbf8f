/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "server/core/storage/db.h"
#include "server/core/storage/migrations.h"
#include "server/core/storage/store.h"
#include "tests/lib/crashvfs.h"

static char dir[64], path[96];
static struct db *db;
static struct err e;

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/vault-db-XXXXXX");
	cr_assert_neq(mkdtemp(dir), NULL);
	snprintf(path, sizeof(path), "%s/vault.db", dir);
}

static void teardown(void)
{
	static const char *const names[] = { "vault.db", "vault.db-wal", "copy.db",
		                             "link.db" };
	char name[160];

	db_close(db);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		(void)unlink(name);
	}
	rmdir(dir);
}

TestSuite(db, .init = setup, .fini = teardown, .timeout = 60);

static int open_as(const char *p, bool no_create)
{
	const struct db_options o = { .path = p,
		                      .no_create = no_create,
		                      .check_fs = true };

	return db_open(&o, &db, &e);
}

static void close_db(void)
{
	db_close(db);
	db = NULL;
}

static void raw(const char *sql)
{
	sqlite3 *h = NULL;

	cr_assert_eq(sqlite3_open(path, &h), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
	             sqlite3_errmsg(h));
	sqlite3_close(h);
}

static char *slurp(const char *p, size_t *n)
{
	FILE *in = fopen(p, "rb");
	char *buf = calloc(1, 1 << 20);

	cr_assert(in != NULL && buf != NULL);
	*n = fread(buf, 1, 1 << 20, in);
	fclose(in);
	return buf;
}

Test(db, a_new_file_is_private_and_write_ahead)
{
	unsigned char *head;
	struct stat st;
	size_t n;

	cr_assert_eq(umask(0), 022);
	cr_assert_eq(open_as(path, false), ERR_OK, "%s", e.msg);
	cr_assert_eq(db_schema(db), (int)migrations_count);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(meta_put(db, "x", "1", 1, &e), ERR_OK);
	{
		char wal[128];

		snprintf(wal, sizeof(wal), "%s-wal", path);
		cr_assert_eq(stat(wal, &st), 0, "the log is kept");
		cr_assert_eq(st.st_mode & 07777, 0600);
	}
	close_db();
	head = (unsigned char *)slurp(path, &n);
	cr_assert_eq(head[18], 2, "write-ahead logging");
	cr_assert_eq(head[16] << 8 | head[17], 4096, "page size");
	free(head);
}

Test(db, opens_again)
{
	AUTO_ARENA a = arena_new(4096);
	unsigned char *p;
	size_t n;

	cr_assert_eq(open_as(path, true), ERR_NOENT);
	cr_assert_eq(open_as(path, false), ERR_OK, "%s", e.msg);
	cr_assert_eq(meta_put(db, "greeting", "hello", 5, &e), ERR_OK);
	close_db();
	cr_assert_eq(open_as(path, true), ERR_OK, "%s", e.msg);
	cr_assert_eq(meta_get(db, a, "greeting", &p, &n, &e), ERR_OK);
	cr_assert(n == 5 && memcmp(p, "hello", 5) == 0);
	cr_assert_eq(meta_get(db, a, "other", &p, &n, &e), ERR_NOENT);
	cr_assert_eq(meta_delete(db, "greeting", &e), ERR_OK);
	cr_assert_eq(meta_get(db, a, "greeting", &p, &n, &e), ERR_NOENT);
}

Test(db, refuses_files_that_others_can_touch)
{
	char name[96];

	cr_assert_eq(open_as(path, false), ERR_OK);
	close_db();
	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(open_as(path, false), ERR_DENIED);
	cr_assert_neq(strstr(e.msg, "0600"), NULL, "%s", e.msg);
	cr_assert_eq(chmod(path, 0600), 0);
	snprintf(name, sizeof(name), "%s/link.db", dir);
	cr_assert_eq(symlink(path, name), 0);
	cr_assert_neq(open_as(name, false), ERR_OK, "a link is not followed");
}

Test(db, refuses_a_second_process)
{
	int status;
	pid_t pid;

	cr_assert_eq(open_as(path, false), ERR_OK);
	pid = fork();
	if (pid == 0) {
		struct db *other;
		const struct db_options o = { .path = path };

		_exit(db_open(&o, &other, &e) == ERR_BUSY ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct refusal {
	char sql[160];
	char text[48];
};

ParameterizedTestParameters(db, refused_untouched)
{
	static struct refusal c[] = {
		{"INSERT INTO schema_migration VALUES (99, 'later', x'00', 0)",
                 "newer vaultd"								  },
		{ "UPDATE schema_migration SET digest = zeroblob(32)",          "another text"   },
		{ "UPDATE schema_migration SET number = 7",                     "newer vaultd"   },
		{ "DROP TABLE schema_migration",                                "another program"},
	};

	return cr_make_param_array(struct refusal, c, ARRAY_LEN(c));
}

ParameterizedTest(struct refusal *c, db, refused_untouched)
{
	char *before, *after;
	size_t n, m;

	cr_assert_eq(open_as(path, false), ERR_OK);
	close_db();
	raw(c->sql);
	before = slurp(path, &n);
	cr_assert_eq(open_as(path, false), ERR_SCHEMA);
	cr_assert_neq(strstr(e.msg, c->text), NULL, "%s", e.msg);
	after = slurp(path, &m);
	cr_assert(n == m && memcmp(before, after, n) == 0, "the file was changed");
	free(before);
	free(after);
}

Test(db, refuses_what_is_no_database)
{
	FILE *out = fopen(path, "wb");

	for (int i = 0; i < 5000; i++)
		fputc('x', out);
	fclose(out);
	cr_assert_eq(chmod(path, 0600), 0);
	cr_assert_eq(open_as(path, false), ERR_INTEGRITY, "%s", e.msg);
}

static int put(const char *name)
{
	return meta_put(db, name, "v", 1, &e);
}

static bool has(const char *name)
{
	AUTO_ARENA a = arena_new(4096);
	unsigned char *p;
	size_t n;

	return meta_get(db, a, name, &p, &n, &e) == ERR_OK;
}

Test(db, savepoints_and_rollback)
{
	cr_assert_eq(open_as(path, false), ERR_OK);
	cr_assert_eq(db_savepoint(db, &e), ERR_UNKNOWN, "no transaction");
	cr_assert_eq(db_begin(db, &e), ERR_OK);
	cr_assert_eq(db_savepoint(db, &e), ERR_OK);
	cr_assert_eq(put("kept"), ERR_OK);
	cr_assert_eq(db_release(db, &e), ERR_OK);
	cr_assert_eq(db_savepoint(db, &e), ERR_OK);
	cr_assert_eq(put("dropped"), ERR_OK);
	cr_assert_eq(db_rollback_to(db, &e), ERR_OK);
	cr_assert_eq(db_release(db, &e), ERR_OK);
	cr_assert_eq(db_commit(db, &e), ERR_OK);
	cr_assert(has("kept") && !has("dropped"));
	cr_assert_eq(db_begin(db, &e), ERR_OK);
	cr_assert_eq(put("batch"), ERR_OK);
	db_rollback(db);
	cr_assert(!has("batch"));
	db_rollback(db);
	cr_assert_eq(db_begin(db, &e), ERR_OK, "%s", e.msg);
	db_rollback(db);
}

Test(db, the_log_does_not_grow_without_end)
{
	char wal[128];
	struct stat st;

	cr_assert_eq(open_as(path, false), ERR_OK);
	for (int i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "name-%d", i);
		cr_assert_eq(db_begin(db, &e), ERR_OK);
		cr_assert_eq(put(name), ERR_OK);
		cr_assert_eq(db_commit(db, &e), ERR_OK);
	}
	snprintf(wal, sizeof(wal), "%s-wal", path);
	cr_assert_eq(stat(wal, &st), 0);
	cr_assert_lt(st.st_size, 3 << 20);
}

Test(db, a_copy_is_whole_private_and_has_what_was_committed_meanwhile)
{
	const struct db_options o = { .path = NULL, .read_only = true };
	struct db_options at = o;
	struct db_copy *cp;
	struct stat st;
	char copy[96];
	bool done = false;
	int steps = 0;

	snprintf(copy, sizeof(copy), "%s/copy.db", dir);
	cr_assert_eq(open_as(path, false), ERR_OK);
	for (int i = 0; i < 500; i++) {
		char name[32], value[400] = { 0 };

		snprintf(name, sizeof(name), "name-%d", i);
		cr_assert_eq(meta_put(db, name, value, sizeof(value), &e), ERR_OK);
	}
	cr_assert_eq(db_copy_start(db, copy, &cp, &e), ERR_OK, "%s", e.msg);
	while (!done) {
		char name[32];

		cr_assert_eq(db_copy_step(cp, 5, &done, &e), ERR_OK, "%s", e.msg);
		if (done)
			break;
		snprintf(name, sizeof(name), "during-%d", steps++);
		cr_assert_eq(db_begin(db, &e), ERR_OK);
		cr_assert_eq(put(name), ERR_OK);
		cr_assert_eq(db_commit(db, &e), ERR_OK);
		/* A batch that is rolled back makes the copy start again. */
		if (steps != 4)
			continue;
		cr_assert_eq(db_begin(db, &e), ERR_OK);
		cr_assert_eq(put("never"), ERR_OK);
		db_rollback(db);
	}
	cr_assert_gt(steps, 5);
	cr_assert_eq(db_copy_end(cp, &e), ERR_OK, "%s", e.msg);
	close_db();
	cr_assert_eq(stat(copy, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	at.path = copy;
	cr_assert_eq(db_open(&at, &db, &e), ERR_OK, "%s", e.msg);
	for (int i = 0; i < steps; i++) {
		char name[32];

		snprintf(name, sizeof(name), "during-%d", i);
		cr_assert(has(name), "%s", name);
	}
	cr_assert(has("name-0") && has("name-499") && !has("never"));
	cr_assert_neq(meta_put(db, "x", "y", 1, &e), ERR_OK, "it is read-only");
}

Test(db, a_copy_does_not_overwrite)
{
	cr_assert_eq(open_as(path, false), ERR_OK);
	cr_assert_eq(db_backup(db, path, &e), ERR_IO);
	cr_assert(access(path, F_OK) == 0, "the file in the way is still there");
}

/* ---- failing calls ---- */

static struct crashvfs *disk;

static int open_sim(void)
{
	const struct db_options o = { .path = "/vault.db", .vfs = "failing" };

	return db_open(&o, &db, &e);
}

static int one_batch(const char *name)
{
	int rc;

	if ((rc = db_begin(db, &e)) != ERR_OK)
		return rc;
	if ((rc = put(name)) == ERR_OK)
		rc = db_commit(db, &e);
	if (rc != ERR_OK)
		db_rollback(db);
	return rc;
}

struct failing {
	char name[24];
	unsigned classes;
	int fault;
	int want; /* class of the error of a batch */
};

ParameterizedTestParameters(db, nth_call_fails)
{
	static struct failing c[] = {
		{"write EIO",     CRASHVFS_WRITE, CRASHVFS_EIO,    ERR_UNKNOWN},
		{ "write ENOSPC", CRASHVFS_WRITE, CRASHVFS_ENOSPC, ERR_FULL   },
		{ "sync EIO",     CRASHVFS_SYNC,  CRASHVFS_EIO,    ERR_UNKNOWN},
	};

	return cr_make_param_array(struct failing, c, ARRAY_LEN(c));
}

/* Five batches with the n-th call failing: what was acknowledged is there after a
 * restart, what was refused is not, and what is unknown is one or the other. */
ParameterizedTest(struct failing *c, db, nth_call_fails)
{
	long n = 0, fired;

	do {
		int rc[5];
		bool stopped = false;

		n++;
		disk = crashvfs_new("failing");
		cr_assert_eq(open_sim(), ERR_OK, "%s", e.msg);
		crashvfs_fail(disk, c->classes, n, (enum crash_fault)c->fault, false);
		for (int i = 0; i < 5; i++) {
			char name[8] = { (char)('a' + i), 0 };

			rc[i] = one_batch(name);
			if (stopped)
				cr_assert_eq(rc[i], ERR_UNKNOWN, "%s %ld: goes on",
				             c->name, n);
			else if (rc[i] != ERR_OK)
				cr_assert_eq(rc[i], c->want, "%s %ld: %s", c->name, n,
				             e.msg);
			stopped = db_must_stop(db);
			cr_assert_eq(stopped && c->want == ERR_FULL, false);
		}
		fired = crashvfs_fired(disk);
		crashvfs_fail(disk, 0, 0, CRASHVFS_EIO, false);
		close_db();
		cr_assert_eq(open_sim(), ERR_OK, "%s %ld: %s", c->name, n, e.msg);
		for (int i = 0; i < 5; i++) {
			char name[8] = { (char)('a' + i), 0 };

			if (rc[i] == ERR_OK)
				cr_assert(has(name), "%s %ld: lost %s", c->name, n, name);
			if (rc[i] == ERR_FULL)
				cr_assert(!has(name), "%s %ld: ghost %s", c->name, n,
				          name);
		}
		close_db();
		crashvfs_free(disk);
	} while (fired > 0);
	cr_assert_gt(n, 4, "the seam is not wired up: nothing ever failed");
}

Test(db, a_failed_read_is_an_error_of_that_request)
{
	AUTO_ARENA a = arena_new(4096);
	unsigned char *p;
	size_t n;

	disk = crashvfs_new("failing");
	cr_assert_eq(open_sim(), ERR_OK);
	cr_assert_eq(one_batch("a"), ERR_OK);
	close_db();
	cr_assert_eq(open_sim(), ERR_OK);
	crashvfs_fail(disk, CRASHVFS_READ, 1, CRASHVFS_EIO, false);
	cr_assert_eq(meta_get(db, a, "a", &p, &n, &e), ERR_DB);
	cr_assert(!db_must_stop(db));
	cr_assert_eq(meta_get(db, a, "a", &p, &n, &e), ERR_OK, "%s", e.msg);
	close_db();
	crashvfs_free(disk);
}

Test(db, full_disk_comes_back_without_a_restart)
{
	disk = crashvfs_new("failing");
	cr_assert_eq(open_sim(), ERR_OK);
	crashvfs_fail(disk, CRASHVFS_WRITE, 1, CRASHVFS_ENOSPC, true);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(one_batch("a"), ERR_FULL, "%s", e.msg);
	crashvfs_fail(disk, 0, 0, CRASHVFS_EIO, false);
	cr_assert_eq(one_batch("b"), ERR_OK, "%s", e.msg);
	cr_assert(!has("a") && has("b"));
	close_db();
	crashvfs_free(disk);
}
