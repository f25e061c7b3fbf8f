/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "server/datadir.h"
#include "server/swap.h"

static char base[64], path[128];
static struct datadir d;
static struct owner me;
static struct err e;

static void setup(void)
{
	umask(0);
	d.fd = d.tls_fd = -1;
	me = (struct owner){ .uid = geteuid(), .gid = getegid() };
	snprintf(base, sizeof(base), "/tmp/test-datadir-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/a/b/data", base);
}

static void teardown(void)
{
	pid_t pid;

	datadir_close(&d);
	pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", base, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

TestSuite(datadir, .init = setup, .fini = teardown, .timeout = 20);

static unsigned mode_of(const char *name)
{
	struct stat st;

	cr_assert_eq(stat(name, &st), 0, "%s", name);
	return st.st_mode & 07777;
}

static void open_ok(void)
{
	cr_assert_eq(datadir_open(&d, path, &me, &e), ERR_OK, "%s", e.msg);
}

static void refused(const char *why)
{
	cr_assert_eq(datadir_open(&d, path, &me, &e), ERR_DENIED, "%s", e.msg);
	cr_assert_not_null(strstr(e.msg, why), "%s", e.msg);
	cr_assert_not_null(strstr(e.msg, base), "%s", e.msg);
	cr_assert_eq(strncmp(e.msg, "data_dir: ", 10), 0);
}

Test(datadir, is_made_private_whatever_the_umask)
{
	char tls[160];

	open_ok();
	cr_assert_eq(mode_of(path), 0700);
	snprintf(tls, sizeof(tls), "%s/tls", path);
	cr_assert_eq(mode_of(tls), 0700);
	datadir_close(&d);
	open_ok();
}

Test(datadir, wider_modes_are_refused)
{
	open_ok();
	datadir_close(&d);
	for (unsigned bit = 1; bit < 0100; bit <<= 1) {
		cr_assert_eq(chmod(path, 0700 | bit), 0);
		refused("chmod 700");
		datadir_close(&d);
	}
}

Test(datadir, symbolic_links_and_files_are_refused)
{
	snprintf(path, sizeof(path), "%s/link", base);
	cr_assert_eq(symlink("/tmp", path), 0);
	refused("symbolic link");
	snprintf(path, sizeof(path), "%s/file", base);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	refused("no directory");
}

Test(datadir, a_link_in_place_of_tls_is_refused)
{
	char tls[160];

	open_ok();
	datadir_close(&d);
	snprintf(tls, sizeof(tls), "%s/tls", path);
	cr_assert_eq(rmdir(tls), 0);
	cr_assert_eq(symlink("/tmp", tls), 0);
	refused("symbolic link");
}

Test(datadir, a_foreign_directory_is_refused)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	open_ok();
	datadir_close(&d);
	cr_assert_eq(chown(path, 12345, 12345), 0);
	refused("belongs to user id 12345");
}

Test(datadir, a_fresh_one_is_given_to_the_user_of_the_roles)
{
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	me = (struct owner){ .drop = true, .uid = 12345, .gid = 54321 };
	open_ok();
	cr_assert_eq(fstat(d.fd, &st), 0);
	cr_assert(st.st_uid == 12345 && st.st_gid == 54321);
	cr_assert_eq(fstat(d.tls_fd, &st), 0);
	cr_assert_eq(st.st_uid, 0, "the TLS key is not core's");
	datadir_close(&d);
	open_ok();
}

Test(datadir, one_server_at_a_time)
{
	struct datadir second;

	open_ok();
	cr_assert_eq(datadir_open(&second, path, &me, &e), ERR_CONFLICT);
	cr_assert_not_null(strstr(e.msg, "another vaultd"));
	datadir_close(&second);
	datadir_close(&d);
	open_ok();
}

static int unwritable(void)
{
	struct owner nobody = { .uid = 65534, .gid = 65534 };

	if (setgid(65534) != 0 || setuid(65534) != 0)
		return 9;
	snprintf(path, sizeof(path), "/proc/vaultd-test");
	if (datadir_open(&d, path, &nobody, &e) == ERR_OK)
		return 1;
	return strstr(e.msg, "data_dir: cannot create '/proc/vaultd-test'") != NULL ? 0
	                                                                            : 2;
}

Test(datadir, an_unwritable_place_is_one_clear_line)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	pid = fork();
	if (pid == 0)
		_exit(unwritable());
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}

Test(datadir, temporary_ones_go_with_all_that_is_in_them)
{
	char file[4200], was[sizeof(d.path)];

	setenv("TMPDIR", base, 1);
	snprintf(path, sizeof(path), "%s/outside", base);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(file, sizeof(file), "%s/kept", path);
	close(open(file, O_CREAT | O_WRONLY, 0));
	cr_assert_eq(datadir_temporary(&d, &me, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(mode_of(d.path), 0700);
	memcpy(was, d.path, sizeof(was));
	snprintf(file, sizeof(file), "%s/tls/f", d.path);
	close(open(file, O_CREAT | O_WRONLY, 0));
	snprintf(file, sizeof(file), "%s/link", d.path);
	cr_assert_eq(symlink(path, file), 0);
	datadir_close(&d);
	cr_assert_neq(access(was, F_OK), 0);
	snprintf(file, sizeof(file), "%s/outside/kept", base);
	cr_assert_eq(access(file, F_OK), 0, "links are not followed");
}

Test(datadir, owners)
{
	cr_assert_eq(datadir_owner("no-such-user", NULL, &me, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, "user: there is no user 'no-such-user'");
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(datadir_owner("nobody", NULL, &me, &e), ERR_OK, "%s", e.msg);
	cr_assert(me.drop && me.uid == 65534);
	cr_assert_str_eq(me.name, "nobody");
	cr_assert_eq(datadir_owner("nobody", "no-such-group", &me, &e), ERR_INVALID);
	cr_assert_eq(datadir_owner("nobody", "root", &me, &e), ERR_OK);
	cr_assert_eq(me.gid, 0);
	cr_assert_eq(datadir_owner("root", NULL, &me, &e), ERR_OK);
	cr_assert_not(me.drop);
}

/* ---- swap ---- */

static const char *swap_with(const char *swaps, const char *limit)
{
	char files[3][160], group[160];
	const char *texts[3] = { swaps, "1:cpu:/x\n0::/app/sub\n", limit };
	FILE *f;

	snprintf(group, sizeof(group), "%s/cg/app/sub", base);
	snprintf(files[0], sizeof(files[0]), "%s/swaps", base);
	snprintf(files[1], sizeof(files[1]), "%s/cgroup", base);
	snprintf(files[2], sizeof(files[2]), "%s/cg/app/memory.swap.max", base);
	snprintf(path, sizeof(path), "%s/cg", base);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/cg/app", base);
	mkdir(path, 0700);
	mkdir(group, 0700);
	for (int i = 0; i < 3; i++) {
		f = fopen(files[i], "w");
		cr_assert(f != NULL && fputs(texts[i], f) >= 0 && fclose(f) == 0);
	}
	snprintf(path, sizeof(path), "%s/cg", base);
	return swap_state_in(files[0], files[1], path);
}

Test(datadir, swap_is_exposed_unless_off_or_forbidden)
{
	const char *on = "Filename Type\n/dev/sda2 partition 1\n",
		   *off = "Filename Type\n";

	cr_assert_str_eq(swap_with(off, "max\n"), "off");
	cr_assert_str_eq(swap_with(on, "max\n"), "exposed");
	cr_assert_str_eq(swap_with(on, "0\n"), "off");
	cr_assert_str_eq(swap_with(on, "1048576\n"), "exposed");
}
