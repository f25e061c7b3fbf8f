/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

static struct arena *a;
static struct err e;
static char dir[] = "/tmp/vault-file-XXXXXX";

static void setup(void)
{
	a = arena_new(8u << 20);
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	arena_free(a);
	cr_assert_eq(chdir("/"), 0);
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(file, .init = setup, .fini = teardown, .timeout = 30);

static void put(const char *name, const void *p, size_t n)
{
	FILE *f = fopen(name, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(p, 1, n, f), n);
	fclose(f);
}

static const char *contents(const char *name)
{
	char *out = NULL;
	size_t n = 0;

	cr_assert_eq(file_read(a, name, 1u << 20, &out, &n, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(strlen(out), n);
	return out;
}

static size_t entries(void)
{
	DIR *d = opendir(".");
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(d)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(d);
	return n;
}

Test(file, read_is_bounded_to_the_byte)
{
	static char big[70000];
	char *out = NULL;
	size_t n = 0;

	put("f", big, sizeof(big));
	cr_assert_eq(file_read(a, "f", sizeof(big), &out, &n, &e), ERR_OK, "%s", e.msg);
	cr_assert(n == sizeof(big) && out[n] == '\0');
	cr_assert_eq(file_read(a, "f", sizeof(big) - 1, &out, &n, &e), ERR_TOO_BIG);
	put("empty", "", 0);
	cr_assert_eq(file_read(a, "empty", 0, &out, &n, &e), ERR_OK);
	cr_assert(n == 0 && out[0] == '\0');
	put("one", "x", 1);
	cr_assert_eq(file_read(a, "one", 0, &out, &n, &e), ERR_TOO_BIG);
	cr_assert_eq(file_read(a, "/dev/zero", 1000, &out, &n, &e), ERR_TOO_BIG);
	cr_assert_eq(file_read(a, "/proc/self/status", 65536, &out, &n, &e), ERR_OK);
	cr_assert_gt(n, 100, "a file whose size is said to be 0");
}

Test(file, what_cannot_be_read)
{
	char *out = NULL;
	size_t n = 0;

	cr_assert_eq(file_read(a, "absent", 10, &out, &n, &e), ERR_NOENT);
	cr_assert_str_eq(e.msg, "'absent': No such file or directory");
	cr_assert_eq(file_read(a, ".", 10, &out, &n, &e), ERR_IO);
	cr_assert_null(out);
}

Test(file, write_replaces_the_whole_file)
{
	struct stat st;

	put("f", "a long old text", 15);
	cr_assert_eq(chmod("f", 0644), 0);
	cr_assert_eq(file_write_path("f", "new", 3, 0440, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(contents("f"), "new");
	cr_assert_eq(stat("f", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0440);
	cr_assert_eq(entries(), 1);
	cr_assert_eq(file_write_path("f", "", 0, 0600, &e), ERR_OK);
	cr_assert_str_eq(contents("f"), "");
}

Test(file, the_mode_is_not_changed_by_the_umask)
{
	struct stat st;

	umask(0777);
	cr_assert_eq(file_write_path("f", "x", 1, 0644, &e), ERR_OK);
	cr_assert_eq(stat("f", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0644);
}

Test(file, write_by_path_and_by_directory)
{
	AUTO_CLOSE int fd = -1;
	char path[100];

	cr_assert_eq(mkdir("sub", 0700), 0);
	cr_assert_eq(file_write_path("sub/f", "1", 1, 0600, &e), ERR_OK);
	cr_assert_str_eq(contents("sub/f"), "1");
	snprintf(path, sizeof(path), "%s/g", dir);
	cr_assert_eq(file_write_path(path, "2", 1, 0600, &e), ERR_OK);
	cr_assert_str_eq(contents("g"), "2");
	fd = open("sub", O_PATH | O_DIRECTORY);
	cr_assert_eq(file_write_atomic(fd, "h", "3", 1, 0600, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(contents("sub/h"), "3");
}

Test(file, a_link_is_replaced_and_not_followed)
{
	struct stat st;

	put("target", "safe", 4);
	cr_assert_eq(symlink("target", "link"), 0);
	cr_assert_eq(file_write_path("link", "new", 3, 0600, &e), ERR_OK);
	cr_assert_str_eq(contents("target"), "safe");
	cr_assert_eq(lstat("link", &st), 0);
	cr_assert(S_ISREG(st.st_mode));
}

Test(file, names_that_are_none)
{
	static const char *const names[] = { "", ".", "..", "a/b", "/a", "a/" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_expect_eq(file_write_atomic(AT_FDCWD, names[i], "x", 1, 0600, &e),
		             ERR_INVALID, "%s", names[i]);
	cr_assert_eq(file_write_path("absent/f", "x", 1, 0600, &e), ERR_NOENT);
	cr_assert_eq(entries(), 0);
}

/* The disk is full half-way: RLIMIT_FSIZE stands in for it. */
Test(file, a_failed_write_leaves_the_old_file_and_nothing_else)
{
	static char big[20000];
	struct rlimit lim = { 10000, 10000 };

	cr_assert_eq(file_write_path("f", "old", 3, 0600, &e), ERR_OK);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	cr_assert_neq(file_write_path("f", big, sizeof(big), 0600, &e), ERR_OK);
	cr_assert_str_eq(contents("f"), "old");
	cr_assert_eq(entries(), 1);
}

Test(file, a_failed_rename_leaves_nothing_behind)
{
	cr_assert_eq(mkdir("d", 0700), 0);
	cr_assert_eq(file_write_path("d", "x", 1, 0600, &e), ERR_IO);
	cr_assert_eq(entries(), 1);
}

Test(file, private_is_ours_and_nobody_elses)
{
	static const mode_t good[] = { 0600, 0400, 0700 },
			    bad[] = { 0640, 0604, 0610, 0601, 0666 };

	put("f", "x", 1);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cr_assert_eq(chmod("f", good[i]), 0);
		cr_expect_eq(file_check_private("f", &e), ERR_OK, "%o", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert_eq(chmod("f", bad[i]), 0);
		cr_expect_eq(file_check_private("f", &e), ERR_DENIED, "%o", bad[i]);
		cr_expect_not_null(strstr(e.msg, "chmod"), "%s", e.msg);
	}
	cr_assert_eq(file_check_private(".", &e), ERR_DENIED);
	cr_assert_eq(file_check_private("absent", &e), ERR_NOENT);
	if (geteuid() == 0) {
		cr_assert_eq(chmod("f", 0600), 0);
		cr_assert_eq(chown("f", 12345, 0), 0);
		cr_assert_eq(file_check_private("f", &e), ERR_DENIED);
	}
}
