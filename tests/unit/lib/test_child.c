/* SPDX-License-Identifier: Apache-2.0 */
/* Real programs, started as others are. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "child.h"

#define NOBODY 65534
/* Its own look at them needs none. */
#define DESCRIPTORS                                                       \
	"for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do " \
	"[ -h /proc/$$/fd/$n ] && echo $n; done; true"

static const char *const env[] = { "PATH=/usr/bin:/bin", "ONLY=this", NULL };

static struct {
	struct child_order o;
	int out[2], failed[2];
	pid_t pid;
	char said[4096];
	int status;
	struct err e;
} t;

static void setup(void)
{
	cr_assert_eq(child_pipe(t.out, 0, &t.e), ERR_OK, "%s", t.e.msg);
	cr_assert_eq(child_pipe(t.failed, 0, &t.e), ERR_OK, "%s", t.e.msg);
	t.o = (struct child_order){
		.path = "/bin/sh",
		.env = env,
		.dir = "/",
		.in = -1,
		.out = t.out[1],
		.err = t.out[1],
		.report = t.failed[1],
	};
}

static void teardown(void)
{
	child_pipe_close(t.out);
	child_pipe_close(t.failed);
}

TestSuite(child, .init = setup, .fini = teardown, .timeout = 60);

static void start(const char *const *argv)
{
	t.o.argv = argv;
	cr_assert_eq(child_start(&t.o, &t.pid, &t.e), ERR_OK, "%s", t.e.msg);
	close(t.out[1]);
	close(t.failed[1]);
	t.out[1] = t.failed[1] = -1;
}

/* All that it says until nobody can say any more. */
static void finish(void)
{
	size_t n = 0;
	ssize_t got = 1;

	while (got != 0) {
		struct pollfd p = { .fd = t.out[0], .events = POLLIN };

		cr_assert_eq(poll(&p, 1, 30000), 1);
		got = read(t.out[0], t.said + n, sizeof(t.said) - n - 1);
		cr_assert_geq(got, 0);
		n += (size_t)got;
	}
	cr_assert_eq(waitpid(t.pid, &t.status, 0), t.pid);
}

static void run(const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	start(argv);
	finish();
}

Test(child, has_its_own_arguments_environment_and_directory)
{
	t.o.dir = "/usr";
	run("pwd; echo $0 $#; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort; "
	    "exit 7");
	cr_assert_str_eq(t.said, "/usr\nsh 0\nONLY=this\nPATH=/usr/bin:/bin\n");
	cr_assert(WIFEXITED(t.status) && WEXITSTATUS(t.status) == 7);
	cr_assert_eq(read(t.failed[0], t.said, 1), 0, "no failure was told");
}

Test(child, has_no_descriptor_but_its_three)
{
	int stray = open("/etc/passwd", O_RDONLY); /* without close-on-exec */

	cr_assert_geq(stray, 0);
	run("cat; " DESCRIPTORS);
	cr_assert_str_eq(t.said, "0\n1\n2\n");
	close(stray);
}

Test(child, can_be_given_its_three_in_any_order)
{
	int low[3];

	/* The very numbers that they are to replace. */
	for (int i = 0; i < 3; i++)
		low[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
	cr_assert_eq(dup2(t.out[1], 0), 0);
	t.o.out = t.o.err = 0;
	t.o.report = dup2(t.failed[1], 2);
	start((const char *const[]){ "sh", "-c", "echo a; echo b >&2", NULL });
	for (int i = 0; i < 3; i++)
		cr_assert_eq(dup2(low[i], i), i);
	finish();
	cr_assert_str_eq(t.said, "a\nb\n");
}

Test(child, hears_signals_as_a_program_expects)
{
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	run("grep -e ^SigBlk -e ^SigIgn -e ^NoNewPrivs /proc/$$/status | tr '\\t' ' '");
	cr_assert_str_eq(t.said, "SigBlk: 0000000000000000\n"
	                         "SigIgn: 0000000000000000\nNoNewPrivs: 1\n");
}

Test(child, leads_a_group_or_a_session)
{
	char want[32];

	run("cut -d' ' -f5,6 /proc/$$/stat");
	snprintf(want, sizeof(want), "%d %d\n", t.pid, getsid(0));
	cr_assert_str_eq(t.said, want);
}

Test(child, leads_a_session_if_asked)
{
	char want[32];

	t.o.session = true;
	run("cut -d' ' -f5,6 /proc/$$/stat");
	snprintf(want, sizeof(want), "%d %d\n", t.pid, t.pid);
	cr_assert_str_eq(t.said, want);
}

Test(child, is_limited)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_CORE, &none);
	t.o.limits = (struct child_limits){ .memory = 1u << 30,
		                            .file_size = 1u << 20,
		                            .files = 64 };
	t.o.private = true;
	run("ulimit -v; ulimit -f; ulimit -n; ulimit -c; umask");
	cr_assert_str_eq(t.said, "1048576\n2048\n64\n0\n0077\n");
}

static void expect_failure(enum child_step step, int error)
{
	struct child_failure f;

	cr_assert_eq(read(t.failed[0], &f, sizeof(f)), (ssize_t)sizeof(f));
	cr_assert_eq(f.step, (int)step);
	cr_assert_eq(f.error, error, "%s", strerror(f.error));
	cr_assert_eq(WEXITSTATUS(t.status), CHILD_NOT_RUN);
	cr_assert_str_eq(t.said, "");
}

Test(child, tells_why_it_was_not_executed)
{
	t.o.path = "/no/such/program";
	run("true");
	expect_failure(CHILD_STEP_EXEC, ENOENT);
}

Test(child, tells_that_it_was_not_prepared)
{
	t.o.dir = "/no/such/directory";
	run("true");
	expect_failure(CHILD_STEP_PREPARE, ENOENT);
}

Test(child, says_so_where_nobody_listens_for_more)
{
	t.o.report = -1;
	t.o.path = "/etc/passwd";
	run("true");
	cr_assert_str_eq(t.said, "cannot be executed here\n");
	cr_assert_eq(WEXITSTATUS(t.status), CHILD_NOT_RUN);
}

Test(child, can_be_a_file_that_is_open)
{
	int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

	t.o.path = NULL;
	t.o.fd = fd;
	run(DESCRIPTORS);
	cr_assert_str_eq(t.said, "0\n1\n2\n");
	close(fd);
}

Test(child, can_be_a_script_that_is_open)
{
	char path[] = "/tmp/child-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	static const char text[] = "#!/bin/sh\necho $0\n";

	cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	cr_assert_eq(fchmod(fd, 0500), 0);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	t.o.path = NULL;
	t.o.fd = fd;
	t.o.script = true;
	run("");
	cr_assert_str_eq(t.said, "/dev/fd/3\n");
	close(fd);
}

Test(child, becomes_a_user_for_good)
{
	const struct child_user user = { NOBODY, NOBODY, true };

	if (geteuid() != 0)
		cr_skip("needs root");
	t.o.user = &user;
	run("grep -e ^Uid -e ^Gid -e ^Groups -e ^CapEff -e ^CapPrm /proc/$$/status | "
	    "tr -s '\\t ' ' '");
	cr_assert_str_eq(t.said, "Uid: 65534 65534 65534 65534\n"
	                         "Gid: 65534 65534 65534 65534\nGroups: 65534 \n"
	                         "CapPrm: 0000000000000000\nCapEff: 0000000000000000\n");
}

Test(child, ends_with_whoever_started_it)
{
	int up[2];
	char c;
	struct pollfd p;
	pid_t between;

	cr_assert_eq(child_pipe(up, 0, &t.e), ERR_OK);
	between = fork();
	if (between == 0) {
		t.o.out = t.o.err = up[1];
		t.o.argv = (const char *const[]){ "sh", "-c", "echo; exec sleep 611",
			                          NULL };
		if (child_start(&t.o, &t.pid, NULL) != ERR_OK)
			_exit(1);
		pause();
	}
	close(up[1]);
	p = (struct pollfd){ .fd = up[0], .events = POLLIN };
	cr_assert_eq(poll(&p, 1, 30000), 1);
	cr_assert_eq(read(up[0], &c, 1), 1, "it runs");
	kill(between, SIGKILL);
	cr_assert_eq(waitpid(between, NULL, 0), between);
	cr_assert_eq(poll(&p, 1, 30000), 1);
	cr_assert_eq(read(up[0], &c, 1), 0, "nobody is left who could write");
	close(up[0]);
}
