/* SPDX-License-Identifier: Apache-2.0 */
/* The layout on tmpfs, and that a crash at any step leaves the old or the new, never
 * half. */
#include "rig.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "agent/deliver/generation.h"
#include "agent/deliver/tmpfs.h"

static struct generation_dir d;
static int run_fd = -1;

static void setup(void)
{
	rig_open();
	run_fd = open(rig_dir, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(generation_open(run_fd, "b", 0711, &d, &e), ERR_OK, "%s", e.msg);
}

static void teardown(void)
{
	close(d.fd);
	close(run_fd);
	rig_close();
}

TestSuite(generation, .init = setup, .fini = teardown, .timeout = 60);

static struct generation_file file(const char *name, const char *text)
{
	return (struct generation_file){
		.name = name,
		.uid = geteuid(),
		.gid = getegid(),
		.mode = 0400,
		.p = text,
		.n = strlen(text),
	};
}

static int write_two(unsigned number, const char *user, const char *pw)
{
	const struct generation_file files[] = { file("user", user), file("pw", pw) };

	return generation_write(&d, number, files, 2, "{}", &e);
}

Test(generation, has_the_documented_layout)
{
	char path[PATH_MAX], target[64];
	struct stat st;
	ssize_t n;

	cr_assert_eq(write_two(17, "me", "one"), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(rig_read("b/pw"), "one");
	cr_assert_str_eq(rig_read("b/user"), "me");
	n = readlink(rig_path("b/..data", path), target, sizeof(target) - 1);
	cr_assert_eq(n, 9);
	cr_assert_eq(memcmp(target, "..g000017", 9), 0);
	n = readlink(rig_path("b/pw", path), target, sizeof(target) - 1);
	cr_assert_eq(n, 9);
	cr_assert_eq(memcmp(target, "..data/pw", 9), 0);
	cr_assert_eq(stat(rig_path("b", path), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0711);
	cr_assert_eq(stat(rig_path("b/..g000017", path), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0711);
	cr_assert_eq(stat(rig_path("b/..g000017/..meta", path), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(generation_current(&d), 17);
}

Test(generation, gives_owner_and_mode)
{
	struct generation_file f = file("pw", "x");
	char path[PATH_MAX];
	struct stat st;

	f.mode = 0440;
	if (geteuid() == 0) {
		f.uid = 65534;
		f.gid = 12345;
	}
	cr_assert_eq(generation_write(&d, 1, &f, 1, "{}", &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(stat(rig_path("b/pw", path), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0440);
	cr_assert_eq(st.st_uid, f.uid);
	cr_assert_eq(st.st_gid, f.gid);
}

/* Before each change: any file that is there and not final has mode 0. */
static int steps_seen;
static void look(void *ctx UNUSED)
{
	char path[PATH_MAX];
	struct stat st;

	steps_seen++;
	if (lstat(rig_path("b/..g000001/pw", path), &st) == 0 &&
	    (st.st_mode & 07777) != 0 && (st.st_mode & 07777) != 0440)
		_exit(1);
	if (lstat(path, &st) == 0 && (st.st_mode & 07777) == 0440 && st.st_uid != 65534)
		_exit(1);
}

Test(generation, has_owner_and_mode_before_it_can_be_read)
{
	struct generation_file f = {
		.name = "pw", .uid = 65534, .gid = 65534, .mode = 0440, .p = "x", .n = 1
	};

	if (geteuid() != 0)
		cr_skip_test("needs root");
	d.step = look;
	cr_assert_eq(generation_write(&d, 1, &f, 1, "{}", &e), ERR_OK, "%s", e.msg);
	cr_assert_gt(steps_seen, 6, "the seam is not wired up");
}

/* Killed before step number ${at}. */
static int countdown;
static void die_at_zero(void *ctx UNUSED)
{
	if (countdown-- == 0)
		_exit(42);
}

/* true when the child got to its end. */
static bool crash_while_writing(int at, unsigned number, const char *user, const char *pw)
{
	int status = 0;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		countdown = at;
		d.step = die_at_zero;
		_exit(write_two(number, user, pw) == ERR_OK ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert(WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0, "%d", status);
	return WEXITSTATUS(status) == 0;
}

static int count_entries(void)
{
	char path[PATH_MAX];
	DIR *dir = opendir(rig_path("b", path));
	int n = 0;

	cr_assert_not_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

Test(generation, survives_a_kill_at_every_step)
{
	int at = 0;
	bool whole;

	do {
		cr_assert_eq(generation_wipe_all(&d), 0);
		cr_assert_eq(write_two(1, "old", "old"), ERR_OK, "%s", e.msg);
		whole = crash_while_writing(at, 2, "new", "new");
		/* What a reader sees right after the crash is one whole generation. */
		const char *want = strcmp(rig_read("b/user"), "new") == 0 ? "new" : "old";

		cr_assert_str_eq(rig_read("b/user"), want);
		cr_assert_str_eq(rig_read("b/pw"), want, "torn at step %d", at);
		generation_recover(&d, 0);
		cr_assert_str_eq(rig_read("b/pw"), want);
		cr_assert_eq(count_entries(), 4, "step %d leaves %d", at,
		             count_entries());
		cr_assert_eq(write_two(3, "third", "third"), ERR_OK, "step %d: %s", at,
		             e.msg);
		cr_assert_str_eq(rig_read("b/pw"), "third");
		at++;
	} while (!whole);
	cr_assert_gt(at, 9, "the seam is not wired up");
}

Test(generation, survives_a_kill_in_the_first_generation)
{
	int at = 0;
	bool whole;

	do {
		cr_assert_eq(generation_wipe_all(&d), 0);
		whole = crash_while_writing(at++, 1, "a", "b");
		generation_recover(&d, 0);
		if (generation_current(&d) == 0)
			cr_assert_eq(count_entries(), 0, "step %d leaves %d", at,
			             count_entries());
		else
			cr_assert_str_eq(rig_read("b/pw"), "b");
	} while (!whole);
}

Test(generation, drops_links_of_files_that_are_gone)
{
	const struct generation_file one = file("user", "me");

	cr_assert_eq(write_two(1, "me", "one"), ERR_OK);
	cr_assert_eq(generation_write(&d, 2, &one, 1, "{}", &e), ERR_OK, "%s", e.msg);
	cr_assert_not(rig_exists("b/pw"));
	cr_assert_str_eq(rig_read("b/user"), "me");
}

Test(generation, replaces_what_stands_in_the_way_of_a_link)
{
	char path[PATH_MAX];
	int fd = open(rig_path("b/pw", path), O_WRONLY | O_CREAT, 0600);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(write_two(1, "me", "one"), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(rig_read("b/pw"), "one");
}

Test(generation, keeps_the_old_when_there_is_no_room)
{
	static char big[200 * 1024];
	struct generation_file f;
	char path[PATH_MAX];

	if (geteuid() != 0 ||
	    mount("t", rig_path("b", path), "tmpfs", 0, "size=64k") != 0)
		cr_skip_test("needs root and mounts");
	close(d.fd);
	cr_assert_eq(generation_open(run_fd, "b", 0711, &d, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(write_two(1, "me", "one"), ERR_OK, "%s", e.msg);
	f = file("pw", "");
	f.p = big;
	f.n = sizeof(big);
	cr_expect_eq(generation_write(&d, 2, &f, 1, "{}", &e), ERR_FULL, "%s", e.msg);
	cr_expect_not_null(strstr(e.msg, "'b/pw'"), "%s", e.msg);
	cr_expect_str_eq(rig_read("b/pw"), "one");
	cr_expect_eq(generation_current(&d), 1);
	cr_expect_not(rig_exists("b/..g000002"));
	cr_expect_eq(write_two(2, "me", "two"), ERR_OK, "%s", e.msg);
	cr_assert_eq(umount2(path, MNT_DETACH), 0);
}

Test(generation, wipes_open_files_to_nothing)
{
	char path[PATH_MAX], text[8];
	int fd;

	cr_assert_eq(write_two(1, "me", "secret"), ERR_OK);
	fd = open(rig_path("b/pw", path), O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(generation_wipe_file(&d, 1, "pw"), 0);
	cr_assert_eq(read(fd, text, sizeof(text)), 0);
	close(fd);
	cr_assert_not(rig_exists("b/pw"));
	cr_assert_not(rig_exists("b/..g000001/pw"));
	cr_assert_str_eq(rig_read("b/user"), "me");
}

Test(generation, leaves_open_files_of_a_replaced_one_readable)
{
	char path[PATH_MAX], text[8] = "";
	int fd;

	cr_assert_eq(write_two(1, "me", "one"), ERR_OK);
	fd = open(rig_path("b/pw", path), O_RDONLY);
	cr_assert_eq(write_two(2, "me", "two"), ERR_OK);
	generation_remove(&d, 1);
	cr_assert_eq(read(fd, text, sizeof(text)), 3);
	cr_assert_eq(memcmp(text, "one", 3), 0);
	close(fd);
	cr_assert_str_eq(rig_read("b/pw"), "two");
}

Test(generation, wipes_everything_that_is_ours_and_nothing_else)
{
	char path[PATH_MAX];

	cr_assert_eq(write_two(1, "me", "one"), ERR_OK);
	cr_assert_eq(write_two(2, "me", "two"), ERR_OK);
	cr_assert_eq(mkdir(rig_path("b/mine", path), 0700), 0);
	cr_assert(generation_is_ours(d.fd));
	cr_assert_eq(generation_wipe_all(&d), 0);
	cr_assert_eq(count_entries(), 1);
	cr_assert(rig_exists("b/mine"));
	cr_assert_not(generation_is_ours(d.fd));
}

Test(generation, refuses_names_that_leave_the_directory)
{
	static const char *const bad[] = { "",    ".",  "..",   "..data", "..g000001",
		                           "a/b", "/a", "../a", "a\nb",   "\xff" };
	static const char *const good[] = { "a", ".hidden", "a..b", "pw.txt" };
	char longest[257];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[256] = '\0';
	cr_expect_eq(generation_name_check(longest, "it", &e), ERR_INVALID);
	longest[255] = '\0';
	cr_expect_eq(generation_name_check(longest, "it", &e), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(generation_name_check(bad[i], "it", &e), ERR_INVALID, "%s",
		             bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_eq(generation_name_check(good[i], "it", &e), ERR_OK, "%s",
		             good[i]);
}

/* A link in the place of a binding must not lead us elsewhere. */
Test(generation, does_not_follow_links)
{
	struct generation_dir other;
	char path[PATH_MAX];

	cr_assert_eq(symlink("/tmp", rig_path("c", path)), 0);
	cr_assert_neq(generation_open(run_fd, "c", 0711, &other, &e), ERR_OK);
}

/* One who made it before us could lead the application to other files. */
Test(generation, takes_no_directory_of_somebody_else)
{
	struct generation_dir other;
	char path[PATH_MAX];

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(mkdir(rig_path("d", path), 0777), 0);
	cr_assert_eq(chown(path, 65534, 65534), 0);
	cr_assert_eq(generation_open(run_fd, "d", 0711, &other, &e), ERR_DENIED);
	cr_assert_not_null(strstr(e.msg, "user 65534"));
}

Test(generation, is_in_no_directory_of_somebody_else)
{
	char path[PATH_MAX];
	const struct tmpfs_options o = { .dir = rig_path("e", path),
		                         .size = "1m",
		                         .mode = TMPFS_EXISTING };
	struct tmpfs_info info;
	int fd = -1;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(mkdir(path, 0711), 0);
	cr_assert_eq(tmpfs_prepare(&o, &fd, &info, &e), ERR_OK, "%s", e.msg);
	close(fd);
	cr_assert_eq(chown(path, 65534, 0), 0);
	cr_assert_eq(tmpfs_prepare(&o, &fd, &info, &e), ERR_DENIED);
	cr_assert_eq(chown(path, 0, 0), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(tmpfs_prepare(&o, &fd, &info, &e), ERR_DENIED);
	cr_assert_eq(chmod(path, 01777), 0);
	cr_assert_eq(tmpfs_prepare(&o, &fd, &info, &e), ERR_OK, "%s", e.msg);
	close(fd);
}
