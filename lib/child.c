/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWD_MAX 16384
#define OUT_OF_WAY 10 /* of the descriptors that are replaced */

/* What the child knows besides its order. */
struct plan {
	const struct child_order *o;
	pid_t parent;
	int report; /* where a failure is told, or -1 */
};

_Noreturn static void fail(const struct plan *p, enum child_step step)
{
	static const char text[] = "cannot be executed here\n";
	const struct child_failure f = { step, errno };

	if (p->report >= 0)
		(void)!write(p->report, &f, sizeof(f));
	else
		(void)!write(2, text, sizeof(text) - 1);
	_exit(CHILD_NOT_RUN);
}

void child_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&dfl.sa_mask);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The account database is asked here, in the child: a slow one costs this program's time
 * alone. */
static int take_groups(const struct child_user *u, gid_t *gid)
{
	static char text[PASSWD_MAX];
	struct passwd pw, *found = NULL;

	*gid = u->own_gid ? (gid_t)u->uid : u->gid;
	(void)getpwuid_r(u->uid, &pw, text, sizeof(text), &found);
	if (found != NULL && u->own_gid)
		*gid = found->pw_gid;
	if (found != NULL)
		return initgroups(found->pw_name, *gid);
	return setgroups(1, gid);
}

static int become_user(const struct child_user *u)
{
	gid_t gid;

	if (u == NULL)
		return 0;
	if (geteuid() != 0) {
		errno = EPERM;
		return getuid() == u->uid && geteuid() == u->uid ? 0 : -1;
	}
	if (take_groups(u, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(u->uid, u->uid, u->uid) != 0)
		return -1;
	/* No way back. */
	return u->uid == 0 || setresuid(0, 0, 0) != 0 ? 0 : -1;
}

static int aside(int fd)
{
	if (fd >= 0)
		return fcntl(fd, F_DUPFD, OUT_OF_WAY);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD, OUT_OF_WAY);
}

/* All of them first go out of the way of those that they replace. */
static int set_descriptors(struct plan *p)
{
	const struct child_order *o = p->o;
	int std[3] = { aside(o->in), aside(o->out), aside(o->err) };
	int program = o->path == NULL ? aside(o->fd) : -1;
	int report = p->report >= 0 ? aside(p->report) : -1;
	int at = CHILD_PROGRAM_FD;

	if ((o->path == NULL && program < 0) || (p->report >= 0 && report < 0))
		return -1;
	p->report = report;
	for (int i = 0; i < 3; i++)
		if (std[i] < 0 || dup2(std[i], i) < 0)
			return -1;
	/* An interpreter opens the descriptor again: it has to stay. */
	if (program >= 0 && dup3(program, at++, o->script ? 0 : O_CLOEXEC) < 0)
		return -1;
	if (report >= 0) {
		if (dup3(report, at, O_CLOEXEC) < 0)
			return -1;
		p->report = at++;
	}
	return close_range((unsigned)at, ~0u, 0);
}

static int limit(int what, rlim_t max)
{
	const struct rlimit lim = { max, max };

	return setrlimit(what, &lim);
}

static int set_limits(const struct child_limits *l)
{
	if ((l->memory != 0 && limit(RLIMIT_AS, l->memory) != 0) ||
	    (l->file_size != 0 && limit(RLIMIT_FSIZE, l->file_size) != 0) ||
	    (l->files != 0 && limit(RLIMIT_NOFILE, l->files) != 0))
		return -1;
	return limit(RLIMIT_CORE, 0);
}

static int leave(const struct child_order *o)
{
	return o->session ? (setsid() < 0 ? -1 : 0) : setpgid(0, 0);
}

_Noreturn static void become(struct plan p)
{
	const struct child_order *o = p.o;
	char *const *argv = (char *const *)(uintptr_t)o->argv;
	char *const *env = (char *const *)(uintptr_t)o->env;

	child_signals();
	if (leave(o) != 0 || chdir(o->dir) != 0)
		fail(&p, CHILD_STEP_PREPARE);
	if (become_user(o->user) != 0)
		fail(&p, CHILD_STEP_USER);
	/* A change of user takes the signal back, so it comes after. */
	if (set_descriptors(&p) != 0 || set_limits(&o->limits) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != p.parent ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail(&p, CHILD_STEP_PREPARE);
	if (o->private)
		umask(077);
	if (o->path != NULL)
		execve(o->path, argv, env);
	else
		fexecve(CHILD_PROGRAM_FD, argv, env);
	fail(&p, CHILD_STEP_EXEC);
}

int child_start(const struct child_order *o, pid_t *pid, struct err *e)
{
	pid_t parent = getpid();

	*pid = fork();
	if (*pid == 0)
		become((struct plan){ o, parent, o->report });
	if (*pid < 0)
		return err_sys(e, ERR_IO, errno, "starting a program");
	/* Whoever is first: it must be so before a signal is sent to the group. */
	if (!o->session)
		(void)setpgid(*pid, *pid);
	return ERR_OK;
}

int child_pipe(int fd[2], int ours, struct err *e)
{
	if (pipe2(fd, O_CLOEXEC) != 0)
		return err_sys(e, ERR_IO, errno, "a pipe for a program");
	if (fcntl(fd[ours], F_SETFL, O_NONBLOCK) == 0)
		return ERR_OK;
	child_pipe_close(fd);
	return err_sys(e, ERR_IO, errno, "a pipe for a program");
}

void child_pipe_close(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}
