/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"
#include "sandbox_impl.h"

#define SKIP   77
#define NOBODY 65534

TestSuite(sandbox, .timeout = 60);

static char dir[64];
static struct sandbox_report report;
static struct err e;

static bool missing(const char *what)
{
	for (size_t i = 0; i < report.n; i++)
		if (strcmp(report.missing[i], what) == 0)
			return true;
	return false;
}

/* Enter ${profile} with ${dir} writable; what cannot be had here skips the test. */
static void enter(enum sandbox_profile profile)
{
	const char *const rw[] = { dir, NULL };
	const struct sandbox_options o = { .profile = profile, .rw_paths = rw };

	sandbox_early(&report);
	if (sandbox_enter(&o, &report, &e) != ERR_OK)
		_exit(99);
	if (missing("seccomp") || missing("landlock"))
		_exit(SKIP);
}

static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(fn());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP)
		cr_skip_test("no seccomp or Landlock here");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test-sandbox-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/new", dir);
	(void)unlink(path);
	(void)rmdir(dir);
}

static int fails_with(int rc, int want)
{
	return rc < 0 && errno == want ? 0 : 1;
}

/* Each step gets its own exit status, so that a failure names it. */
static int core_files(void)
{
	char path[96];
	int fd;

	enter(SANDBOX_CORE);
	snprintf(path, sizeof(path), "%s/new", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || ftruncate(fd, 0) != 0)
		return 1;
	if (fails_with(open("/etc/passwd", O_RDONLY), EACCES))
		return 2;
	if (fails_with(open("/tmp/test-sandbox-outside", O_RDWR | O_CREAT, 0600), EACCES))
		return 3;
	if (fails_with(symlink("/etc", "x"), EPERM))
		return 4;
	fd = open("/dev/urandom", O_RDONLY);
	return fd >= 0 ? 0 : 5;
}

Test(sandbox, core_has_its_directory_and_no_other, .init = make_dir, .fini = remove_dir)
{
	cr_assert_eq(in_child(core_files), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static int core_runs(void)
{
	pthread_t t;
	void *got = NULL;
	int pair[2], ep;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 1;
	enter(SANDBOX_CORE);
	if (pthread_create(&t, NULL, nothing, &pair) != 0 || pthread_join(t, &got) != 0 ||
	    got != &pair)
		return 2;
	if (fails_with(fork(), EPERM))
		return 3;
	if (send(pair[0], "x", 1, 0) != 1 || recv(pair[1], &ep, 1, 0) != 1)
		return 4;
	ep = epoll_create1(EPOLL_CLOEXEC);
	return ep >= 0 && malloc(1u << 24) != NULL ? 0 : 5;
}

Test(sandbox, core_has_threads_and_inherited_sockets, .init = make_dir,
     .fini = remove_dir)
{
	cr_assert_eq(in_child(core_runs), 0);
}

static enum sandbox_profile profile; /* of the parameterised tests */

static int no_network(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(1) };
	int before = socket(AF_INET, SOCK_STREAM, 0);

	enter(profile);
	if (fails_with(socket(AF_INET, SOCK_STREAM, 0), EPERM))
		return 1;
	if (fails_with(socket(AF_UNIX, SOCK_STREAM, 0), EPERM))
		return 2;
	if (fails_with(connect(before, (struct sockaddr *)&sa, sizeof(sa)), EPERM))
		return 3;
	return fails_with(bind(before, (struct sockaddr *)&sa, sizeof(sa)), EPERM) ? 4
	                                                                           : 0;
}

static int no_exec(void)
{
	static char name[] = "/bin/true";
	char *argv[] = { name, NULL };

	enter(profile);
	execve(name, argv, NULL);
	return 1;
}

static int no_trace(void)
{
	enter(profile);
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return 1;
}

static int no_new_code(void)
{
	void *p;

	enter(profile);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	if (fails_with(mprotect(p, 4096, PROT_READ | PROT_EXEC), EPERM))
		return 2;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	            0) == MAP_FAILED &&
	                       errno == EPERM
	               ? 0
	               : 3;
}

static int no_foreign_signal(void)
{
	enter(profile);
	return fails_with(kill(getppid(), 0), EPERM);
}

static int abort_works(void)
{
	enter(profile);
	abort();
}

struct closed_case {
	char name[24];
	int want;
	int fn;
};
static int (*const closed_fn[])(void) = { no_network,  no_exec,           no_trace,
	                                  no_new_code, no_foreign_signal, abort_works };

ParameterizedTestParameters(sandbox, closed_profiles)
{
	static struct closed_case c[] = {
		{"network",         0,        0},
                { "exec",           -SIGSYS,  1},
                { "trace",          -SIGSYS,  2},
		{ "code",           0,        3},
                { "foreign signal", 0,        4},
                { "abort",          -SIGABRT, 5},
	};

	return cr_make_param_array(struct closed_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct closed_case *c, sandbox, closed_profiles, .init = make_dir,
                  .fini = remove_dir)
{
	static const enum sandbox_profile closed[] = { SANDBOX_CORE, SANDBOX_NET,
		                                       SANDBOX_WORKER };

	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		profile = closed[i];
		cr_assert_eq(in_child(closed_fn[c->fn]), c->want, "%s in profile %zu",
		             c->name, i);
	}
}

static int net_serves(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), fd;
	char byte;

	if (bind(l, (struct sockaddr *)&sa, len) != 0 || listen(l, 1) != 0 ||
	    getsockname(l, (struct sockaddr *)&sa, &len) != 0 ||
	    connect(c, (struct sockaddr *)&sa, len) != 0 || send(c, "x", 1, 0) != 1)
		return 1;
	enter(SANDBOX_NET);
	fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || recv(fd, &byte, 1, 0) != 1 || byte != 'x')
		return 2;
	if (open(dir, O_RDONLY | O_DIRECTORY) < 0)
		return 3;
	if (fails_with(open("/etc/passwd", O_RDONLY), EACCES))
		return 4;
	return fails_with(open(dir, O_WRONLY | O_TMPFILE, 0600), EPERM) ? 5 : 0;
}

Test(sandbox, net_accepts_and_writes_no_files, .init = make_dir, .fini = remove_dir)
{
	cr_assert_eq(in_child(net_serves), 0);
}

static int worker_has_nothing(void)
{
	int fd;

	enter(SANDBOX_WORKER);
	fd = open(dir, O_RDONLY);
	return fd < 0 && errno == EPERM && write(2, "", 0) == 0 ? 0 : 1;
}

Test(sandbox, worker_opens_nothing_at_all, .init = make_dir, .fini = remove_dir)
{
	cr_assert_eq(in_child(worker_has_nothing), 0);
}

static int agent_works(void)
{
	static const char *const ro[] = { "/usr", "/lib",     "/lib64", "/bin",
		                          "/etc", "/no/such", NULL };
	const char *const rw[] = { dir, NULL };
	const struct sandbox_options o = { .profile = SANDBOX_AGENT,
		                           .rw_paths = rw,
		                           .ro_paths = ro,
		                           .caps = 1u << CAP_CHOWN | 1u << CAP_FOWNER };
	pthread_t t;
	int fd;

	sandbox_early(&report);
	if (sandbox_enter(&o, &report, &e) != ERR_OK)
		return 99;
	if (missing("seccomp") || missing("landlock"))
		return SKIP;
	if (missing("user"))
		return 1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || open("/etc/passwd", O_RDONLY) < 0)
		return 2;
	if (fails_with(open("/etc/new-file", O_WRONLY | O_CREAT, 0600), EACCES))
		return 3;
	fd = openat(AT_FDCWD, dir, O_WRONLY | O_TMPFILE, 0600);
	if (fd < 0 || (geteuid() == 0 && fchown(fd, NOBODY, NOBODY) != 0))
		return 4;
	/* Others' files stay closed: neither is CAP_DAC_OVERRIDE there. */
	if (geteuid() == 0 && openat(AT_FDCWD, dir, O_RDONLY) >= 0 &&
	    fails_with(setresuid(NOBODY, NOBODY, NOBODY), EPERM))
		return 5;
	/* The resolver works in a thread; another process there is none. */
	if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
		return 6;
	return fails_with(fork(), EPERM) ? 7 : 0;
}

Test(sandbox, agent_connects_gives_files_away_and_starts_nothing, .init = make_dir,
     .fini = remove_dir)
{
	cr_assert_eq(in_child(agent_works), 0);
}

static int agent_code(void)
{
	const int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;
	void *p;

	enter(SANDBOX_AGENT);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	if (fails_with(mprotect(p, 4096, PROT_READ | PROT_EXEC), EPERM))
		return 2;
	return mmap(NULL, 4096, rwx, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	                       errno == EPERM
	               ? 0
	               : 3;
}

/* What it writes is never run, nor what anybody else has written. */
Test(sandbox, agent_is_as_closed_as_the_rest, .init = make_dir, .fini = remove_dir)
{
	profile = SANDBOX_AGENT;
	cr_assert_eq(in_child(agent_code), 0);
	cr_assert_eq(in_child(no_exec), -SIGSYS);
	cr_assert_eq(in_child(no_trace), -SIGSYS);
	cr_assert_eq(in_child(no_foreign_signal), 0);
	cr_assert_eq(in_child(abort_works), -SIGABRT);
}

static int hook_works(void)
{
	static char name[] = "/bin/true";
	char *argv[] = { name, NULL };
	int status = 1;
	pid_t pid;

	sandbox_early(&report);
	if (sandbox_enter(&(struct sandbox_options){ .profile = SANDBOX_HOOK,
	                                             .caps = 1u << CAP_KILL },
	                  &report, &e) != ERR_OK)
		return 99;
	if (missing("seccomp"))
		return SKIP;
	if (missing("user") || missing("landlock"))
		return 1;
	pid = fork();
	if (pid == 0) {
		execve(name, argv, NULL);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return 2;
	if (kill(getppid(), 0) != 0)
		return 3;
	if (fails_with(unshare(CLONE_NEWUSER), EPERM))
		return 4;
	return fails_with((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM) ? 5 : 0;
}

Test(sandbox, hook_starts_programs_and_changes_no_system)
{
	cr_assert_eq(in_child(hook_works), 0);
}

/* A thread that was there before the filter, and what it may do. */
static struct {
	pthread_t thread;
	pthread_barrier_t closed;
	uid_t uid;
	int result;
} helper;

static void *help(void *ctx)
{
	(void)ctx;
	pthread_barrier_wait(&helper.closed);
	helper.uid = geteuid();
	if (fails_with(open("/etc/passwd", O_RDONLY), EPERM))
		helper.result = 10;
	else if (fails_with(socket(AF_UNIX, SOCK_STREAM, 0), EPERM))
		helper.result = 11;
	else if (fails_with(fork(), EPERM))
		helper.result = 12;
	return NULL;
}

static void start_helper(void *ctx)
{
	(void)ctx;
	(void)pthread_create(&helper.thread, NULL, help, NULL);
}

static int scan_helper(void)
{
	const struct sandbox_options o = { .profile = SANDBOX_SCAN,
		                           .start_threads = start_helper,
		                           .drop_user = true,
		                           .uid = NOBODY,
		                           .gid = NOBODY };
	pthread_t another;

	(void)pthread_barrier_init(&helper.closed, NULL, 2);
	sandbox_early(&report);
	if (sandbox_enter(&o, &report, &e) != ERR_OK)
		return 99;
	if (missing("seccomp") || missing("landlock"))
		return SKIP;
	pthread_barrier_wait(&helper.closed);
	if (pthread_join(helper.thread, NULL) != 0)
		return 1;
	if (helper.uid != geteuid())
		return 2;
	return pthread_create(&another, NULL, nothing, NULL) == 0 ? 3 : helper.result;
}

Test(sandbox, a_helper_of_the_scanner_is_as_closed_as_the_rest)
{
	cr_assert_eq(in_child(scan_helper), 0);
}

static int early(void)
{
	struct rlimit lim;

	sandbox_early(&report);
	if (getrlimit(RLIMIT_CORE, &lim) != 0 || lim.rlim_max != 0)
		return 1;
	if (!SANDBOX_SANITIZED && prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 3;
	return umask(0) == 077 ? 0 : 4;
}

Test(sandbox, early_steps)
{
	cr_assert_eq(in_child(early), 0);
}

static uid_t seen_uid;

static int drops_user(void)
{
	const struct sandbox_options o = {
		.profile = SANDBOX_WORKER, .drop_user = true, .uid = NOBODY, .gid = NOBODY
	};

	sandbox_early(&report);
	if (sandbox_enter(&o, &report, &e) != ERR_OK || missing("user") ||
	    missing("capabilities"))
		return 1;
	seen_uid = getuid();
	if (seen_uid != NOBODY || getegid() != NOBODY)
		return 2;
	return setresuid(0, 0, 0) != 0 ? 0 : 3;
}

Test(sandbox, drops_to_the_user)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(in_child(drops_user), 0);
}

static int root_without_capabilities(void)
{
	const char *const rw[] = { dir, NULL };
	const struct sandbox_options o = { .profile = SANDBOX_CORE, .rw_paths = rw };
	int fd;

	sandbox_early(&report);
	if (sandbox_enter(&o, &report, &e) != ERR_OK || !missing("user"))
		return 1;
	if (missing("capabilities"))
		return 2;
	/* The filter lets this through: it is CAP_CHOWN that is not there any more. */
	fd = open(dir, O_WRONLY | O_TMPFILE, 0600);
	if (fd < 0 || fchown(fd, 0, 0) != 0)
		return 3;
	return fails_with(fchown(fd, NOBODY, NOBODY), EPERM) ? 4 : 0;
}

Test(sandbox, root_that_stays_is_reported_and_powerless, .init = make_dir,
     .fini = remove_dir)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(in_child(root_without_capabilities), 0);
}

static int required(void)
{
	const struct sandbox_options o = { .profile = SANDBOX_WORKER, .require = true };

	report.missing[report.n++] = "no-core";
	return sandbox_enter(&o, &report, &e) == ERR_DENIED &&
	                       strstr(e.msg, "no-core") != NULL
	               ? 0
	               : 1;
}

Test(sandbox, require_refuses_what_is_incomplete)
{
	cr_assert_eq(in_child(required), 0);
}

static int no_such_directory(void)
{
	const char *const rw[] = { "/no/such/directory", NULL };
	const struct sandbox_options o = { .profile = SANDBOX_CORE, .rw_paths = rw };

	sandbox_early(&report);
	if (sandbox_enter(&o, &report, &e) == ERR_OK)
		return missing("landlock") ? SKIP : 1;
	return e.code == ERR_NOENT && strstr(e.msg, "/no/such/directory") != NULL ? 0 : 2;
}

Test(sandbox, a_directory_that_is_not_there_is_an_error)
{
	cr_assert_eq(in_child(no_such_directory), 0);
}
