/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sup_orphans - what rotators leave behind when the rotate role is killed.
 *
 * The rotate role ends what it has started.  If it cannot any more, its rotators end with
 * it, and what those have started becomes a child of the supervisor, which ends it here.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "log.h"
#include "sup.h"

#define LIST_MAX 4096

void sup_adopt_orphans(void)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static bool is_role(const struct supervisor *s, pid_t pid)
{
	for (size_t i = 0; i < SUP_PROCS; i++)
		if (s->procs[i].pid == pid)
			return true;
	return false;
}

static void end_orphan(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		return;
	log_warn("a process that a rotator left behind is killed", LOG_N("pid", pid));
	(void)kill(pid, SIGKILL);
}

void sup_end_orphans(const struct supervisor *s)
{
	AUTO_CLOSE int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	char list[LIST_MAX + 1], *at = list, *end;
	ssize_t n = fd >= 0 ? read(fd, list, LIST_MAX) : -1;

	if (n <= 0)
		return;
	list[n] = '\0';
	/* What is behind the last blank may be half a number; another signal follows. */
	for (;; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at || *end != ' ')
			break;
		if (pid > 1 && !is_role(s, (pid_t)pid))
			end_orphan((pid_t)pid);
	}
}
