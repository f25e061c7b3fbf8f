/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_git - the history of a working tree, as the git program prints it.
 *
 * A repository's own settings may name programs: all that git log could start is turned
 * off.  A diff inside of a submodule would be one of these: a second git, which is not
 * told what this one is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "scan_impl.h"

#define FOR_EVER INT64_MAX / 4

extern char **environ;

/* Settings and places that come from the environment are left out. */
static void make_environment(const char **out, size_t max)
{
	size_t n = 0;

	for (char **v = environ; *v != NULL && n + 4 < max; v++)
		if (strncmp(*v, "PATH=", 5) == 0 || strncmp(*v, "HOME=", 5) == 0)
			out[n++] = *v;
	out[n++] = "LC_ALL=C";
	out[n++] = "GIT_NO_LAZY_FETCH=1";
	out[n++] = "GIT_TERMINAL_PROMPT=0";
	out[n] = NULL;
}

static int spawn_git(const char *path, const char *since, int out, pid_t *pid)
{
	char since_arg[128];
	const char *env[8];
	const char *argv[] = { "git",
		               "--no-pager",
		               "--no-optional-locks",
		               "-C",
		               path,
		               "-c",
		               "core.fsmonitor=false",
		               "-c",
		               "core.quotePath=false",
		               "-c",
		               "log.showSignature=false",
		               "-c",
		               "protocol.allow=never",
		               "-c",
		               "log.showRoot=true",
		               "-c",
		               "diff.noprefix=false",
		               "-c",
		               "diff.mnemonicPrefix=false",
		               "log",
		               "--all",
		               "--full-history",
		               "--cc",
		               "-p",
		               "-U0",
		               "--text",
		               "--no-color",
		               "--no-ext-diff",
		               "--no-textconv",
		               "--submodule=short",
		               "--no-show-signature",
		               "--no-notes",
		               "--no-renames",
		               "--src-prefix=a/",
		               "--dst-prefix=b/",
		               "--format=commit %H%n%w(0,4,4)%an <%ae>%n%B%w()",
		               since != NULL ? since_arg : NULL,
		               NULL };
	posix_spawn_file_actions_t fa;
	int rc;

	(void)snprintf(since_arg, sizeof(since_arg), "--since=%s",
	               since != NULL ? since : "");
	make_environment(env, ARRAY_LEN(env));
	if (posix_spawn_file_actions_init(&fa) != 0)
		return ENOMEM;
	rc = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY,
	                                      0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawnp(pid, "git", &fa, NULL, (char *const *)(uintptr_t)argv,
		                  (char *const *)(uintptr_t)env);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

/* Until it has ended, while workers are served. */
static int wait_git(struct scan *s, pid_t pid, const char *path, struct err *e)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = 0, rc = ERR_OK;

	if (fd >= 0)
		rc = pool_wait_fd(s->pool, fd, POLLIN, FOR_EVER, e);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc != ERR_OK)
		return rc;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ERR_OK;
	return err_set(e, ERR_INVALID, "%.120s: git could not tell the history", path);
}

int scan_git(struct scan *s, const char *path, const char *since, struct err *e)
{
	struct job *j = job_new(FORMAT_GIT, CHANNEL_GIT, path, NULL);
	int pipe_fd[2], rc;
	pid_t pid;

	if (j == NULL || pipe2(pipe_fd, O_CLOEXEC) != 0) {
		job_free(j);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	j->streamed = true;
	if (!job_add(j, pipe_fd[0], path)) {
		close(pipe_fd[1]);
		job_free(j);
		return err_set(e, ERR_INVALID, "the path is too long");
	}
	rc = spawn_git(path, since, pipe_fd[1], &pid);
	close(pipe_fd[1]);
	if (rc != 0) {
		job_free(j);
		return err_sys(e, ERR_NOENT, rc, "git");
	}
	rc = scan_submit(s, j, e);
	if (rc != ERR_OK)
		e = NULL; /* the first one is told */
	return wait_git(s, pid, path, e) != ERR_OK ? ERR_INVALID : rc;
}
