/* SPDX-License-Identifier: Apache-2.0 */
/* The process that runs commands, with commands that behave and such that do not. */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/settings.h"
#include "hook/hook.h"
#include "rig.h"

#define NOBODY 65534

static struct settings s;
static struct arena *arena;
static struct hook *hook;

static void setup(void)
{
	rig_open();
	arena = arena_new(1024 * 1024);
	cr_assert_eq(chmod(rig_dir, 0777), 0);
}

static void teardown(void)
{
	hook_free(hook);
	arena_free(arena);
	rig_close();
}

TestSuite(hook, .init = setup, .fini = teardown, .timeout = 60);

static const char *timeout = "1s";
static const char *run_as; /* ", run_as: USER" */

/* ${more}: further keys of the file. */
static void start(const char *argv0, const char *script, const char *more)
{
	const char *text = arena_printf(
		arena,
		"run_dir: %s\n"
		"files: [{path: secret/a, field: f, binding: app},"
		" {path: secret/a, field: f, binding: other}]\n"
		"bindings:\n"
		" - {name: other, reload: none}\n"
		" - {name: app, reload: exec, timeout: %s, command: [%s%s%s%s]%s}\n%s",
		rig_dir, timeout, argv0, script != NULL ? ", -c, \"" : "",
		script != NULL ? script : "", script != NULL ? "\"" : "",
		run_as != NULL ? run_as : "", more);

	cr_assert_not_null(text);
	cr_assert_eq(settings_parse(arena, "t", text, strlen(text), &s, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_eq(hook_start(&s, &hook, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(hook);
}

/* A script that may write to "$d/…". */
static void start_script(const char *script)
{
	start("/bin/sh", arena_printf(arena, "d=%s; %s", rig_dir, script), "");
}

static const char *rig_need(const char *name)
{
	const char *text = rig_read(name);

	cr_assert_not_null(text, "%s is missing", name);
	return text != NULL ? text : "";
}

static const struct settings_binding *app(void)
{
	return &settings_bindings(&s)[1];
}

static struct hook_result await(void)
{
	struct pollfd pfd = { .fd = hook_fd(hook), .events = POLLIN };
	struct hook_result r;

	while (hook_next(hook, &r) == 0)
		cr_assert_gt(poll(&pfd, 1, 30000), 0);
	return r;
}

static struct hook_result run(uint64_t token)
{
	struct hook_result r;

	cr_assert_eq(hook_run(hook, token, app(), 17, &e), ERR_OK, "%s", e.msg);
	r = await();
	cr_assert_eq(r.token, token);
	return r;
}

static void await_file(const char *name)
{
	const char *text = rig_read(name);

	while (text == NULL || text[0] == '\0') {
		(void)poll(NULL, 0, 5);
		text = rig_read(name);
	}
}

static pid_t pid_in(const char *name)
{
	await_file(name);
	return (pid_t)strtol(rig_need(name), NULL, 10);
}

/* Whoever adopts it reaps it: a zombie has ended. */
static bool has_ended(pid_t pid)
{
	char path[64], text[512];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return true;
	text[n] = '\0';
	return strstr(text, ") Z ") != NULL;
}

static void await_end(pid_t pid)
{
	cr_assert_gt(pid, 1);
	while (!has_ended(pid))
		(void)poll(NULL, 0, 5);
}

static pid_t hook_pid(void)
{
	AUTO_CLOSE int fd = open("/proc/thread-self/children", O_RDONLY);
	char text[64];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	cr_assert_gt(n, 0);
	text[n] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

Test(hook, is_not_there_without_a_command)
{
	static const char text[] = "files: [{path: a/b, field: f, binding: app}]\n";

	cr_assert_eq(settings_parse(arena, "t", text, strlen(text), &s, &e), ERR_OK);
	cr_assert_eq(hook_start(&s, &hook, &e), ERR_OK, "%s", e.msg);
	cr_assert_null(hook);
	cr_assert(!hook_alive(hook));
}

Test(hook, gives_four_variables)
{
	const char *want = arena_printf(arena, "VAULT_DIR=%s/app", rig_dir), *got;
	size_t n = 0;

	setenv("SECRET_OF_THE_AGENT", "x", 1);
	start_script("cat /proc/$$/environ > $d/env; readlink /proc/$$/fd/0 > $d/in;"
	             "pwd > $d/pwd");
	cr_assert_eq(run(1).rc, ERR_OK);
	got = rig_need("env");
	for (const char *p = got; *p != '\0'; p += strlen(p) + 1, n++)
		cr_assert(strncmp(p, "PATH=/", 6) == 0 ||
		                  strcmp(p, "VAULT_BINDING=app") == 0 ||
		                  strcmp(p, "VAULT_VERSION=17") == 0 ||
		                  strcmp(p, want) == 0,
		          "%s", p);
	cr_assert_eq(n, 4);
	cr_assert_str_eq(rig_need("in"), "/dev/null\n");
	cr_assert_str_eq(rig_need("pwd"), "/\n");
}

/* Python opens one to look. */
Test(hook, gives_three_descriptors)
{
	int ours = open("/etc/passwd", O_RDONLY);

	start("/usr/bin/python3",
	      arena_printf(arena,
	                   "import os; fds = sorted(os.listdir('/proc/self/fd'));"
	                   "print(*fds, file=open('%s/fds', 'w'))",
	                   rig_dir),
	      "");
	cr_assert_eq(run(1).rc, ERR_OK);
	cr_assert_str_eq(rig_need("fds"), "0 1 2 3\n");
	close(ours);
}

Test(hook, leads_a_session_of_its_own_and_takes_no_signal_of_ours)
{
	start_script("read pid name state parent group session rest < /proc/$$/stat;"
	             "test $group = $$ && test $session = $$ && echo yes > $d/group;"
	             "exec grep -E '^Sig(Ign|Blk)' /proc/self/status > $d/signals");
	cr_assert_eq(run(1).rc, ERR_OK);

	cr_assert_str_eq(rig_need("group"), "yes\n");
	cr_assert_str_eq(rig_need("signals"),
	                 "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

Test(hook, tells_how_it_ended)
{
	struct hook_result r;

	start_script("case $VAULT_VERSION in 17) echo value; exit 3;; esac");
	r = run(9);
	cr_assert_eq(r.rc, ERR_IO);
	cr_assert_eq(WEXITSTATUS(r.status), 3);
	cr_assert_str_eq(r.detail, "exit status 3, said 6 bytes");
}

Test(hook, tells_of_a_signal)
{
	struct hook_result r;

	start_script("kill -SEGV $$");
	r = run(9);
	cr_assert_eq(r.rc, ERR_IO);
	cr_assert_eq(WTERMSIG(r.status), SIGSEGV);
	cr_assert_str_eq(r.detail, "killed by signal 11");
}

Test(hook, tells_that_there_is_no_such_program)
{
	struct hook_result r;

	start("/nonexistent/program", NULL, "");
	r = run(1);
	cr_assert_eq(r.rc, ERR_NOENT);
	cr_assert_eq(r.status, 0);
	cr_assert_str_eq(r.detail, "there is no such program");
}

Test(hook, tells_that_it_cannot_be_executed)
{
	struct hook_result r;

	start("/etc/passwd", NULL, "");
	r = run(1);
	cr_assert_eq(r.rc, ERR_DENIED);
	cr_assert_str_eq(r.detail, "it cannot be executed: Permission denied");
}

Test(hook, ends_what_takes_too_long)
{
	struct hook_result r;

	start_script("echo $$ > $d/pid; sleep 300 & sleep 300");
	r = run(1);
	cr_assert_eq(r.rc, ERR_TIMEOUT);
	cr_assert_str_eq(r.detail, "it did not end in 1000 ms");
	await_end(pid_in("pid"));
}

Test(hook, kills_what_ignores_the_request_to_end)
{
	struct hook_result r;

	start_script("trap '' TERM; echo $$ > $d/pid; while :; do sleep 1; done");
	r = run(1);
	cr_assert_eq(r.rc, ERR_TIMEOUT);
	cr_assert(WIFSIGNALED(r.status));
	cr_assert_eq(WTERMSIG(r.status), SIGKILL);
	await_end(pid_in("pid"));
}

Test(hook, ends_what_was_stopped)
{
	struct hook_result r;

	start_script("echo $$ > $d/pid; kill -STOP $$");
	r = run(1);
	cr_assert_eq(r.rc, ERR_TIMEOUT);
	cr_assert_eq(WTERMSIG(r.status), SIGTERM, "it heard the request");
	await_end(pid_in("pid"));
}

Test(hook, ends_what_a_command_leaves_behind)
{
	start_script("sleep 300 & echo $! > $d/pid");
	cr_assert_eq(run(1).rc, ERR_OK);
	await_end(pid_in("pid"));
}

/* … though others still run. */
Test(hook, ends_a_group_while_another_command_runs)
{
	struct hook_result r;
	char fifo[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	timeout = "50s";
	cr_assert_eq(mkfifo(rig_path("fifo", fifo), 0600), 0);
	start_script("[ $VAULT_VERSION = 1 ] || read line < $d/fifo;"
	             "sleep 300 & echo $! > $d/pid");
	fd = open(fifo, O_RDWR);
	cr_assert_eq(hook_run(hook, 1, app(), 2, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(hook_run(hook, 2, app(), 1, &e), ERR_OK, "%s", e.msg);
	r = await();
	cr_assert_eq(r.token, 2);
	await_end(pid_in("pid"));
	cr_assert_eq(write(fd, "\n", 1), 1);
	r = await();
	cr_assert_eq(r.rc, ERR_OK, "%s", r.detail);
}

Test(hook, ends_what_has_left_the_group_too)
{
	start_script("setsid sh -c 'echo $$ > $0/pid; sleep 300 & wait' $d &"
	             "until [ -s $d/pid ]; do :; done");
	cr_assert_eq(run(1).rc, ERR_OK);
	await_end(pid_in("pid"));
}

Test(hook, counts_a_flood_and_keeps_nothing)
{
	struct hook_result r;

	start_script("head -c 30000000 /dev/zero; head -c 5 /dev/zero >&2");
	r = run(1);
	cr_assert_eq(r.rc, ERR_OK, "%s", r.detail);
	cr_assert_eq(r.output, 30000005);
}

Test(hook, does_not_wait_for_who_holds_the_output)
{
	start_script("setsid sleep 300 &");
	cr_assert_eq(run(1).rc, ERR_OK);
}

Test(hook, runs_many_at_once_and_refuses_more)
{
	char fifo[PATH_MAX];
	bool seen[HOOK_RUNS_MAX] = { false };
	AUTO_CLOSE int fd = -1;

	cr_assert_eq(mkfifo(rig_path("fifo", fifo), 0600), 0);
	start_script("read line < $d/fifo");
	fd = open(fifo, O_RDWR);
	for (uint64_t i = 0; i < HOOK_RUNS_MAX; i++)
		cr_assert_eq(hook_run(hook, i, app(), 1, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(hook_run(hook, 1000, app(), 1, &e), ERR_BUSY);
	for (size_t i = 0; i < HOOK_RUNS_MAX; i++)
		cr_assert_eq(write(fd, "\n", 1), 1);
	for (size_t i = 0; i < HOOK_RUNS_MAX; i++) {
		struct hook_result r = await();

		cr_assert_lt(r.token, HOOK_RUNS_MAX);
		cr_assert(!seen[r.token]);
		seen[r.token] = true;
	}
	cr_assert_eq(hook_run(hook, 1000, app(), 1, &e), ERR_OK, "%s", e.msg);
}

Test(hook, runs_a_command_as_its_user_and_without_any_capability)
{
	static const char zeros[] = "0000000000000000";
	const char *text;

	if (geteuid() != 0)
		cr_skip_test("only root becomes somebody else");
	run_as = ", run_as: nobody";
	start("/bin/sh", arena_printf(arena, "cat /proc/$$/status > %s/status", rig_dir),
	      "");
	cr_assert_eq(run(1).rc, ERR_OK);
	text = rig_need("status");
	cr_assert_not_null(strstr(text, "Uid:\t65534\t65534\t65534\t65534\n"));
	cr_assert_not_null(strstr(text, "Gid:\t65534\t65534\t65534\t65534\n"));
	cr_assert_not_null(strstr(text, "Groups:\t65534 \n"));
	cr_assert_not_null(strstr(text, "NoNewPrivs:\t1\n"));
	for (const char *p = text; (p = strstr(p, "\nCap")) != NULL; p++)
		if (strncmp(p, "\nCapBnd", 7) != 0)
			cr_assert_eq(strncmp(p + 9, zeros, 16), 0, "%.24s", p + 1);
}

static struct settings_binding granted(const char *const *argv, size_t n, uid_t uid)
{
	struct settings_binding b = { .name = "theirs", .reload = RELOAD_EXEC };

	b.command.items = (void *)(uintptr_t)argv;
	b.command.n = n;
	b.run_uid = uid;
	b.timeout_ms = 5000;
	return b;
}

static int run_granted(const struct settings_binding *b)
{
	struct hook_result r;

	cr_assert_eq(hook_run(hook, 5, b, 3, &e), ERR_OK, "%s", e.msg);
	r = await();
	memcpy(e.msg, r.detail, sizeof(r.detail));
	return r.rc;
}

/* The agent reads its settings again; the process does not. */
Test(hook, knows_a_command_in_whatever_order_the_settings_have_it_now)
{
	static const char text[] =
		"run_dir: /dev/shm\n"
		"files: [{path: a/b, field: f, binding: one}, {path: a/b, field: f, binding: two}]\n"
		"bindings:\n"
		" - {name: %s, reload: exec, command: [/bin/sh, -c, 'exit %d']}\n"
		" - {name: %s, reload: exec, command: [/bin/sh, -c, 'exit %d']}\n";
	const char *before = arena_printf(arena, text, "one", 1, "two", 2);
	const char *after = arena_printf(arena, text, "two", 2, "one", 1);
	struct settings_binding b;

	cr_assert_eq(settings_parse(arena, "t", before, strlen(before), &s, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(hook_start(&s, &hook, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(settings_parse(arena, "t", after, strlen(after), &s, &e), ERR_OK);
	for (int i = 0; i < 2; i++) {
		b = settings_bindings(&s)[i];
		cr_assert_eq(run_granted(&b), ERR_IO);
		cr_assert_str_eq(e.msg, i == 0 ? "exit status 2" : "exit status 1");
	}
}

Test(hook, lets_the_server_run_what_is_allowed_and_nothing_else)
{
	char out[PATH_MAX];
	const char *ok[] = { "/bin/cp", "/proc/self/environ", rig_path("env", out) };
	const char *other[] = { "/bin/sh", "-c", "true" };
	uid_t uid = geteuid() == 0 ? NOBODY : geteuid();
	struct settings_binding b = granted(ok, 3, uid);

	start("/bin/sh", "true", "allowed_commands: [/bin/cp]\n");
	cr_assert_eq(run_granted(&b), ERR_OK, "%s", e.msg);
	cr_assert_not_null(strstr(rig_need("env"), "PATH="));
	b = granted(other, 3, uid);
	cr_assert_eq(run_granted(&b), ERR_DENIED);
	cr_assert_str_eq(e.msg, "the command is not in allowed_commands");
	if (geteuid() != 0)
		return;
	b = granted(ok, 3, 0);
	cr_assert_eq(run_granted(&b), ERR_DENIED);
	cr_assert_str_eq(e.msg,
	                 "commands of the vault's bindings do not run as root here");
}

Test(hook, lets_the_server_run_as_root_where_that_is_allowed)
{
	const char *argv[] = { "/bin/true" };
	struct settings_binding b = granted(argv, 1, 0);

	if (geteuid() != 0)
		cr_skip_test("only root runs as root");
	start("/bin/sh", "true", "allowed_commands: [/bin/true]\nallowed_root: true\n");
	cr_assert_eq(run_granted(&b), ERR_OK, "%s", e.msg);
}

Test(hook, takes_no_name_that_leaves_the_run_directory)
{
	const char *argv[] = { "/bin/true" };
	struct settings_binding b = granted(argv, 1, geteuid() == 0 ? NOBODY : geteuid());

	start("/bin/sh", "true", "allowed_commands: [/bin/true]\n");
	b.name = "../etc";
	cr_assert_eq(run_granted(&b), ERR_DENIED);
	b.name = "fine";
	cr_assert_eq(run_granted(&b), ERR_OK, "%s", e.msg);
}

Test(hook, takes_no_more_arguments_than_there_may_be)
{
	const char *argv[HOOK_ARGS_MAX + 1];
	struct settings_binding b = granted(argv, HOOK_ARGS_MAX + 1,
	                                    geteuid() == 0 ? NOBODY : geteuid());

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = "/bin/true";
	start("/bin/sh", "true", "allowed_commands: [/bin/true]\n");
	cr_assert_eq(run_granted(&b), ERR_DENIED);
	b.command.n--;
	cr_assert_eq(run_granted(&b), ERR_OK, "%s", e.msg);
}

Test(hook, its_death_is_told_and_survived)
{
	struct hook_result r;

	start_script("echo $$ > $d/pid; sleep 300");
	cr_assert_eq(hook_run(hook, 1, app(), 1, &e), ERR_OK);
	cr_assert_eq(hook_run(hook, 2, app(), 1, &e), ERR_OK);
	await_file("pid");
	cr_assert_eq(kill(hook_pid(), SIGKILL), 0);
	r = await();
	cr_assert_eq(r.rc, ERR_UNREACHABLE);
	r = await();
	cr_assert_eq(r.rc, ERR_UNREACHABLE);
	cr_assert_eq(hook_next(hook, &r), 0);
	cr_assert(!hook_alive(hook));
	cr_assert_eq(hook_run(hook, 3, app(), 1, &e), ERR_UNREACHABLE);
	await_end(pid_in("pid"));
}

Test(hook, ends_with_the_agent_and_takes_its_commands_along)
{
	start_script("echo $$ > $d/pid; sleep 300 & setsid sleep 300 & wait");
	cr_assert_eq(hook_run(hook, 1, app(), 1, &e), ERR_OK);
	await_file("pid");
	hook_free(hook); /* waits for it, and it for them */
	hook = NULL;
	cr_assert(has_ended((pid_t)strtol(rig_need("pid"), NULL, 10)));
}

Test(hook, ends_when_it_is_told_nonsense)
{
	struct hook_result r;
	static const char nonsense[64] = "GET / HTTP/1.1\r\n\r\n";

	start_script("true");
	cr_assert_eq(write(hook_fd(hook), nonsense, sizeof(nonsense)),
	             (ssize_t)sizeof(nonsense));
	/* It may have gone already. */
	if (hook_run(hook, 1, app(), 1, &e) == ERR_OK) {
		r = await();
		cr_assert_eq(r.rc, ERR_UNREACHABLE);
	}
	cr_assert(!hook_alive(hook));
}
