/* SPDX-License-Identifier: Apache-2.0 */
/* Files of other owners, with no capability but CAP_CHOWN and CAP_FOWNER: they cannot be
 * read, and still they are carried over, found good, put back, watched and wiped. */
#include <linux/capability.h>
#include <sys/syscall.h>

#include "agent/deliver/files_impl.h"
#include "files_rig.h"

#define NOBODY 65534u

static const char theirs[] =
	"grace: 10s\nrun_dir: /dev/shm/x\nfiles:\n"
	"- {path: secret/a, field: pw, binding: one, owner: nobody}\n"
	"- {path: secret/b, field: key, binding: one, owner: nobody}\n";

static void set_effective(uint32_t keep_only)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	cr_assert_eq(syscall(SYS_capget, &head, caps), 0);
	caps[0].effective = caps[0].permitted & keep_only;
	caps[1].effective = keep_only == UINT32_MAX ? caps[1].permitted : 0;
	cr_assert_eq(syscall(SYS_capset, &head, caps), 0);
}

static void setup_theirs(void)
{
	setup();
	if (geteuid() != 0)
		return;
	set_effective(1u << CAP_CHOWN | 1u << CAP_FOWNER);
	open_files(theirs);
	memset(values, 0, sizeof(values));
	give(A, 1, "pw", "one");
	give(B, 1, "key", "k1");
	deliver(100);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
	cr_assert_eq(values[B].rc, ERR_OK, "%s", values[B].e.msg);
	memset(values, 0, sizeof(values));
}

static void teardown_theirs(void)
{
	if (geteuid() == 0)
		set_effective(UINT32_MAX);
	teardown();
}

TestSuite(files_owner, .init = setup_theirs, .fini = teardown_theirs, .timeout = 30);

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root gives files away");
}

/* As their owner reads it. */
static const char *content(const char *name)
{
	const char *text;

	set_effective(UINT32_MAX);
	text = rig_read(name);
	set_effective(1u << CAP_CHOWN | 1u << CAP_FOWNER);
	return text != NULL ? text : "(none)";
}

static void deliver_a(int64_t version, const char *pw)
{
	memset(values, 0, sizeof(values));
	give(A, version, "pw", pw);
	deliver(100);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
}

/* What its owner does to it. */
static void write_as_owner(const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	set_effective(UINT32_MAX);
	fd = open(rig_path(name, path), O_WRONLY | O_TRUNC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	set_effective(1u << CAP_CHOWN | 1u << CAP_FOWNER);
}

Test(files_owner, cannot_be_read_by_us)
{
	need_root();
	cr_assert_null(rig_read("one/pw"));
	cr_assert_str_eq(content("one/pw"), "one");
	cr_assert(files_held(f, A)->present);
	cr_assert_not(drifted(A));
}

Test(files_owner, are_carried_over)
{
	char path[PATH_MAX];
	struct stat st;

	need_root();
	deliver_a(2, "two");
	cr_assert_eq(files_generation(f, "one"), 2);
	cr_assert_str_eq(content("one/pw"), "two");
	cr_assert_str_eq(content("one/key"), "k1");
	cr_assert_eq(stat(rig_path("one/key", path), &st), 0);
	cr_assert_eq(st.st_uid, NOBODY);
	cr_assert_eq(files_reap(f, 20000), -1, "the generation before goes");
	cr_assert_str_eq(content("one/key"), "k1");
	cr_assert_not(drifted(B));
	cr_assert(files_held(f, B)->present);
}

Test(files_owner, are_found_good_after_a_restart)
{
	need_root();
	deliver_a(2, "two");
	open_files(theirs);
	cr_assert_eq(files_held(f, A)->version, 2);
	cr_assert_eq(files_held(f, B)->version, 1);
	cr_assert(files_held(f, A)->present);
	cr_assert(files_held(f, B)->present);
}

Test(files_owner, that_were_changed_are_found_out)
{
	need_root();
	write_as_owner("one/key", "xx");
	cr_assert(drifted(B));
	cr_assert_not(drifted(A));
	open_files(theirs);
	cr_assert_not(files_held(f, B)->present);
	cr_assert(files_held(f, A)->present);
}

Test(files_owner, that_were_changed_are_not_carried_over)
{
	need_root();
	write_as_owner("one/key", "xx");
	deliver_a(2, "two");
	cr_assert_str_eq(content("one/key"), "(none)");
	cr_assert_not(files_held(f, B)->present);
}

Test(files_owner, are_put_back)
{
	struct apply_note note = { .judged = true };

	need_root();
	cr_assert_eq(files_note(f, "one", 1, &note, &e), ERR_OK, "%s", e.msg);
	deliver_a(2, "two");
	cr_assert_eq(files_rollback(f, "one", 2, 1, 100, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(content("one/pw"), "one");
	cr_assert(files_held(f, A)->present);
	cr_assert_eq(files_held(f, A)->version, 1);
}

Test(files_owner, are_overwritten_when_they_are_wiped)
{
	char path[PATH_MAX], text[16];
	AUTO_CLOSE int fd = -1;

	need_root();
	deliver_a(2, "two");
	set_effective(UINT32_MAX);
	fd = open(rig_path("one/key", path), O_RDONLY);
	set_effective(1u << CAP_CHOWN | 1u << CAP_FOWNER);
	cr_assert_geq(fd, 0);
	cr_assert_eq(files_wipe(f, B, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(pread(fd, text, sizeof(text), 0), 0,
	             "who has it open reads nothing");
	set_effective(UINT32_MAX);
	cr_assert_not(rig_exists("one/key"));
	cr_assert_not(rig_holds("k1"));
	cr_assert_str_eq(rig_read("one/pw"), "two");
}
