/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_build.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The directory of item 0 of a job, as its first ${n} bytes. */
static size_t folder_of(const struct job *j)
{
	const char *slash = strrchr(j->name[0], '/');

	return slash != NULL ? (size_t)(slash - j->name[0]) + 1 : 0;
}

/* A regular file or a directory below the directory of the job's file; -1 and errno. */
static int open_below(const struct job *j, const char *path, bool *directory)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
	};
	char folder[WIRE_PATH_MAX + 1];
	AUTO_CLOSE int dir = -1;
	struct stat st;
	int fd;

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)folder_of(j), j->name[0]);
	dir = open(folder[0] != '\0' ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
		*directory = S_ISDIR(st.st_mode);
		return fd;
	}
	close(fd);
	errno = ENOENT;
	return -1;
}

void scan_build_reference(struct scan *s, const struct job *j, const char *path)
{
	char shown[2 * WIRE_PATH_MAX];
	bool directory = false;
	int fd = open_below(j, path, &directory);
	struct job *file;

	while (strncmp(path, "./", 2) == 0)
		path += 2 + strspn(path + 2, "/");
	if (directory && strcmp(path, ".") == 0)
		path = folder_of(j) > 0 ? "" : ".";
	(void)snprintf(shown, sizeof(shown), "%.*s%s", (int)folder_of(j), j->name[0],
	               path);
	if (fd < 0) {
		if (errno == EXDEV)
			scan_skip_add(s, NULL, NULL, shown,
			              "it is outside of the directory of the file that "
			              "names it");
		else if (errno != ENOENT)
			scan_skip_add(s, NULL, NULL, shown, "it could not be opened");
		return;
	}
	if (directory) {
		/* Not from here: a walk waits for workers. */
		if (!scan_name_add(&s->folders, shown, fd))
			close(fd);
		return;
	}
	file = job_new(FORMAT_FILE, CHANNEL_FILE, NULL, NULL);
	if (file == NULL || !job_add(file, fd, shown)) {
		if (file == NULL)
			close(fd);
		job_free(file);
		scan_skip_add(s, NULL, NULL, shown, "its name is too long");
		return;
	}
	s->progress.jobs++;
	pool_add(s->pool, file);
}

int scan_build_file(struct scan *s, const char *path, bool compose, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	struct job *j;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		int why = fd < 0 ? errno : EINVAL;

		if (fd >= 0)
			close(fd);
		return err_sys(e, why == EACCES ? ERR_DENIED : ERR_NOENT, why, "%.160s",
		               path);
	}
	j = job_new(compose ? FORMAT_COMPOSE : FORMAT_DOCKERFILE,
	            compose ? CHANNEL_COMPOSE : CHANNEL_DOCKERFILE, NULL, NULL);
	if (j == NULL || !job_add(j, fd, path)) {
		if (j == NULL)
			close(fd);
		job_free(j);
		return err_set(e, ERR_INVALID, "the path is too long");
	}
	return scan_submit(s, j, e);
}
