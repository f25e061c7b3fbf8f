/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MEMORY_MAX (2048ull * 1024 * 1024)
#define FILE_MAX   (64ull * 1024 * 1024)
#define FILES_MAX  256
#define ENV_MAX    16
#define PROGRAM_FD 3
#define NOT_RUN    127

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* All that the child needs, made before fork(): afterwards only async-signal-safe calls.
 */
struct plan {
	char home[4096], tmp[4096];
	char *env[ENV_MAX];
	char *argv[2];
	char name[64];
	const struct spawn_order *o;
	int in[2], out[2], err[2];
	pid_t parent;
};

static void fill_env(struct plan *p)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
	size_t n = 0;

	snprintf(p->home, sizeof(p->home), "HOME=%s", p->o->dir);
	snprintf(p->tmp, sizeof(p->tmp), "TMPDIR=%s", p->o->dir);
	p->env[n++] = path;
	p->env[n++] = lang;
	p->env[n++] = p->home;
	p->env[n++] = p->tmp;
	for (size_t i = 0; SANITIZED && environ[i] != NULL && n < ENV_MAX - 1; i++)
		if (strstr(environ[i], "SAN_OPTIONS=") != NULL)
			p->env[n++] = environ[i];
	p->env[n] = NULL;
}

static int limit(int what, rlim_t max)
{
	const struct rlimit lim = { max, max };

	return setrlimit(what, &lim);
}

static int set_limits(void)
{
	/* The sanitizers map terabytes of shadow. */
	if (!SANITIZED && limit(RLIMIT_AS, MEMORY_MAX) != 0)
		return -1;
	return limit(RLIMIT_CORE, 0) | limit(RLIMIT_FSIZE, FILE_MAX) |
	       limit(RLIMIT_NOFILE, FILES_MAX);
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

/* The program first goes out of the way of the three that it replaces. */
static int set_descriptors(const struct plan *p)
{
	int program = fcntl(p->o->file->fd, F_DUPFD, 10);
	int in = fcntl(p->in[0], F_DUPFD, 10), out = fcntl(p->out[1], F_DUPFD, 10);
	int err = fcntl(p->err[1], F_DUPFD, 10);

	if (program < 0 || in < 0 || out < 0 || err < 0 || dup2(in, 0) < 0 ||
	    dup2(out, 1) < 0 || dup2(err, 2) < 0 || dup2(program, PROGRAM_FD) < 0)
		return -1;
	/* An interpreter opens the descriptor again: it has to stay. */
	if (!p->o->file->script && fcntl(PROGRAM_FD, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return close_range(PROGRAM_FD + 1, ~0u, 0);
}

static void become(const struct plan *p)
{
	static const char failed[] = "cannot be executed here\n";

	default_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != p->parent ||
	    setpgid(0, 0) != 0 || chdir(p->o->dir) != 0 || set_descriptors(p) != 0 ||
	    set_limits() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		_exit(NOT_RUN);
	umask(077);
	fexecve(PROGRAM_FD, p->argv, p->env);
	(void)!write(2, failed, sizeof(failed) - 1);
	_exit(NOT_RUN);
}

static void close_pair(int fd[2])
{
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int start(struct plan *p, struct spawned *out, struct err *e)
{
	pid_t pid;

	if (pipe2(p->in, O_CLOEXEC) != 0 || pipe2(p->out, O_CLOEXEC) != 0 ||
	    pipe2(p->err, O_CLOEXEC) != 0 || fcntl(p->in[1], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(p->out[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(p->err[0], F_SETFL, O_NONBLOCK) != 0)
		return err_sys(e, ERR_IO, errno, "pipes for a rotator");
	pid = fork();
	if (pid == 0)
		become(p);
	if (pid < 0)
		return err_sys(e, ERR_IO, errno, "starting a rotator");
	/* Whoever is first: it must be so before a signal is sent to the group. */
	(void)setpgid(pid, pid);
	*out = (struct spawned){ pid, p->in[1], p->out[0], p->err[0] };
	p->in[1] = p->out[0] = p->err[0] = -1;
	return ERR_OK;
}

int spawn_run(const struct spawn_order *o, struct spawned *out, struct err *e)
{
	struct plan p = {
		.o = o,
		.in = {-1,  -1},
		.out = { -1, -1},
		.err = { -1, -1},
		.parent = getpid()
	};
	int rc;

	snprintf(p.name, sizeof(p.name), "vault-rotator-%s", o->name);
	p.argv[0] = p.name;
	fill_env(&p);
	rc = start(&p, out, e);
	close_pair(p.in);
	close_pair(p.out);
	close_pair(p.err);
	return rc;
}
