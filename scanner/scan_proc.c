/* SPDX-License-Identifier: Apache-2.0 */
/* scan_proc - environment and command line of processes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "scan_impl.h"

struct procs {
	struct scan *s;
	struct job *job[2]; /* environments, command lines */
	unsigned denied;
};

static const struct {
	const char *file;
	enum scan_channel channel;
} kinds[] = {
	{"environ",  CHANNEL_PROC_ENVIRON},
	{ "cmdline", CHANNEL_PROC_CMDLINE},
};

/* The program's own name for itself, for people: "/proc/17/environ (sshd)". */
static void program_name(const char *pid, char out[32])
{
	char path[64];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, out, 31) : 0;
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int flush(struct procs *ps, size_t kind, struct err *e)
{
	struct job *j = ps->job[kind];

	ps->job[kind] = NULL;
	return j != NULL ? scan_submit(ps->s, j, e) : ERR_OK;
}

static int add(struct procs *ps, size_t kind, const char *pid, struct err *e)
{
	char path[64], comm[32], shown[128];
	int fd, rc = ERR_OK;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, kinds[kind].file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		/* It has ended, or is somebody else's. */
		ps->denied += errno == EACCES || errno == EPERM;
		return ERR_OK;
	}
	program_name(pid, comm);
	(void)snprintf(shown, sizeof(shown), "%s (%s)", path, comm);
	if (ps->job[kind] != NULL && !job_fits(ps->job[kind], shown))
		rc = flush(ps, kind, e);
	if (ps->job[kind] == NULL)
		ps->job[kind] = job_new(FORMAT_NUL, kinds[kind].channel, NULL, NULL);
	if (rc != ERR_OK || ps->job[kind] == NULL) {
		close(fd);
		return rc != ERR_OK ? rc : err_set(e, ERR_NOMEM, "out of memory");
	}
	return job_add(ps->job[kind], fd, shown) ? ERR_OK
	                                         : err_set(e, ERR_NOMEM, "out of memory");
}

static int one_process(struct procs *ps, const char *pid, struct err *e)
{
	int rc = ERR_OK;

	for (size_t k = 0; k < ARRAY_LEN(kinds) && rc == ERR_OK; k++)
		rc = add(ps, k, pid, e);
	return rc;
}

static int all_processes(struct procs *ps, struct err *e)
{
	DIR *d = opendir("/proc");
	const struct dirent *entry;
	int rc = ERR_OK;

	if (d == NULL)
		return err_sys(e, ERR_NOENT, errno, "/proc");
	while (rc == ERR_OK && (entry = readdir(d)) != NULL) {
		long pid = strtol(entry->d_name, NULL, 10);

		/* Not ourselves: that is whoever called us. */
		if (pid > 0 && pid != getpid() && !pool_has(ps->s->pool, pid))
			rc = one_process(ps, entry->d_name, e);
	}
	closedir(d);
	return rc;
}

int scan_processes(struct scan *s, const char *pid, struct err *e)
{
	struct procs ps = { .s = s };
	char path[64], why[96];
	int rc;

	if (pid != NULL) {
		(void)snprintf(path, sizeof(path), "/proc/%.20s", pid);
		if (strspn(pid, "0123456789") != strlen(pid) || access(path, F_OK) != 0)
			return err_set(e, ERR_NOENT, "no process '%.20s'", pid);
	}
	rc = pid != NULL ? one_process(&ps, pid, e) : all_processes(&ps, e);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		if (rc == ERR_OK)
			rc = flush(&ps, k, e);
		else
			job_free(ps.job[k]);
	if (ps.denied > 0) {
		(void)snprintf(why, sizeof(why), "permission denied for %u processes",
		               ps.denied);
		scan_skip_add(s, NULL, NULL, "/proc", why);
	}
	return rc;
}
