/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "hook_impl.h"

#define FILES_MAX   1024
#define PASSWD_MAX  16384
#define REPORT_FD   3
#define OUT_OF_WAY  10
#define NOT_RUN     127
#define COMMAND_ENV 4

/* What the child needs; the pipes are read, then written end. */
struct plan {
	const struct hook_order *o;
	char binding[512], version[32], dir[4096 + 512];
	char *env[COMMAND_ENV + 1];
	int out[2], failed[2];
	pid_t parent;
};

static void fill_env(struct plan *p)
{
	static char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

	snprintf(p->binding, sizeof(p->binding), "VAULT_BINDING=%s", p->o->binding);
	snprintf(p->version, sizeof(p->version), "VAULT_VERSION=%u", p->o->generation);
	snprintf(p->dir, sizeof(p->dir), "VAULT_DIR=%s", p->o->dir);
	p->env[0] = path;
	p->env[1] = p->binding;
	p->env[2] = p->version;
	p->env[3] = p->dir;
}

_Noreturn static void fail(int fd, enum hook_step step)
{
	const struct hook_failure f = { step, errno };

	(void)!write(fd, &f, sizeof(f));
	_exit(NOT_RUN);
}

static void default_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&dfl.sa_mask);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The account database is asked here, in the child: a slow one costs this command's time
 * alone. */
static int take_groups(const struct hook_order *o, gid_t *gid)
{
	static char text[PASSWD_MAX];
	struct passwd pw, *found = NULL;

	*gid = o->own_gid ? (gid_t)o->uid : o->gid;
	(void)getpwuid_r(o->uid, &pw, text, sizeof(text), &found);
	if (found != NULL && o->own_gid)
		*gid = found->pw_gid;
	if (found != NULL)
		return initgroups(found->pw_name, *gid);
	return setgroups(1, gid);
}

static int become_user(const struct hook_order *o)
{
	gid_t gid;

	if (geteuid() != 0)
		return getuid() == o->uid && geteuid() == o->uid ? 0 : -1;
	if (take_groups(o, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(o->uid, o->uid, o->uid) != 0)
		return -1;
	/* No way back. */
	return o->uid == 0 || setresuid(0, 0, 0) != 0 ? 0 : -1;
}

static int set_descriptors(const struct plan *p)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int in = fcntl(null, F_DUPFD, OUT_OF_WAY);
	int out = fcntl(p->out[1], F_DUPFD, OUT_OF_WAY);
	int report = fcntl(p->failed[1], F_DUPFD, OUT_OF_WAY);

	if (in < 0 || out < 0 || report < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0 || dup3(report, REPORT_FD, O_CLOEXEC) < 0)
		return -1;
	return close_range(REPORT_FD + 1, ~0u, 0);
}

static int set_limits(void)
{
	const struct rlimit core = { 0, 0 }, files = { FILES_MAX, FILES_MAX };

	return setrlimit(RLIMIT_CORE, &core) | setrlimit(RLIMIT_NOFILE, &files);
}

_Noreturn static void become(const struct plan *p)
{
	int report = p->failed[1];

	default_signals();
	if (setsid() < 0 || chdir("/") != 0 || set_limits() != 0)
		fail(report, HOOK_STEP_PREPARE);
	if (become_user(p->o) != 0)
		fail(report, HOOK_STEP_USER);
	if (set_descriptors(p) != 0)
		fail(report, HOOK_STEP_PREPARE);
	/* A change of user takes this back, so it comes after. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != p->parent ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail(REPORT_FD, HOOK_STEP_PREPARE);
	execve(p->o->argv[0], (char *const *)(uintptr_t)p->o->argv, p->env);
	fail(REPORT_FD, HOOK_STEP_EXEC);
}

static void close_pair(int fd[2])
{
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int start(struct plan *p, struct hook_child *out, struct err *e)
{
	pid_t pid;

	if (pipe2(p->out, O_CLOEXEC) != 0 || pipe2(p->failed, O_CLOEXEC) != 0 ||
	    fcntl(p->out[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(p->failed[0], F_SETFL, O_NONBLOCK) != 0)
		return err_sys(e, ERR_IO, errno, "pipes for the command");
	pid = fork();
	if (pid == 0)
		become(p);
	if (pid < 0)
		return err_sys(e, ERR_IO, errno, "starting the command");
	*out = (struct hook_child){ pid, p->out[0], p->failed[0] };
	p->out[0] = p->failed[0] = -1;
	return ERR_OK;
}

int hook_spawn(const struct hook_order *o, struct hook_child *out, struct err *e)
{
	struct plan p = {
		.o = o, .out = {-1,  -1},
                     .failed = { -1, -1},
                     .parent = getpid()
	};
	int rc;

	fill_env(&p);
	rc = start(&p, out, e);
	close_pair(p.out);
	close_pair(p.failed);
	return rc;
}
