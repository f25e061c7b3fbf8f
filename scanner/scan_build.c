/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_build.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "scanner/filter/dockerignore.h"
#include "scanner/filter/place.h"
#include "scanner/whole_file.h"

/* The directory of ${path}, as its first ${n} bytes. */
static size_t dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/* --- what is left out --------------------------------------------------------------- */

bool scan_build_left_out(const struct scan_context *c, const char *path, bool directory)
{
	char place[PLACE_MAX];

	return c != NULL && !(directory && dockerignore_takes_back(c->ignore)) &&
	       place_absolute("/", path + c->dir_n, place, sizeof(place)) &&
	       place[1] != '\0' && dockerignore_has(c->ignore, place + 1);
}

static const struct scan_context *context_of(const struct scan *s, const struct job *j)
{
	const struct scan_context *c = s->contexts;

	while (c != NULL && strcmp(c->path, j->name[0]) != 0)
		c = c->next;
	return c;
}

/* Takes ${ignore}. */
static void add_context(struct scan *s, const char *path, struct dockerignore *ignore)
{
	struct scan_context *c = calloc(1, sizeof(*c) + strlen(path) + 1);

	if (c == NULL) {
		dockerignore_free(ignore);
		return;
	}
	c->next = s->contexts;
	c->ignore = ignore;
	c->dir_n = dir_of(path);
	memcpy(c->path, path, strlen(path) + 1);
	s->contexts = c;
}

/* ERR_NOENT: there is none of this name. */
static int try_ignore(struct scan *s, const char *path, const char *file)
{
	AUTO_FREE char *text = NULL;
	struct dockerignore *ignore = NULL;
	struct err e = { 0 };
	size_t n = 0;
	int rc = whole_file(file, DOCKERIGNORE_MAX, &text, &n, &e);

	if (rc == ERR_NOENT)
		return rc;
	if (rc == ERR_OK)
		ignore = dockerignore_new(text, n, &e);
	if (ignore != NULL)
		add_context(s, path, ignore);
	else
		scan_skip_add(s, NULL, NULL, file,
		              "it cannot be used: nothing is left out for it");
	return ERR_OK;
}

/* The Dockerfile's own comes first; the other one is not read then. */
static void find_ignore(struct scan *s, const char *path)
{
	char file[WIRE_PATH_MAX + 32];

	if (s->o.no_ignore || strlen(path) > WIRE_PATH_MAX)
		return;
	(void)snprintf(file, sizeof(file), "%s.dockerignore", path);
	if (try_ignore(s, path, file) == ERR_OK)
		return;
	(void)snprintf(file, sizeof(file), "%.*s.dockerignore", (int)dir_of(path), path);
	(void)try_ignore(s, path, file);
}

void scan_build_free(struct scan *s)
{
	while (s->contexts != NULL) {
		struct scan_context *c = s->contexts;

		s->contexts = c->next;
		dockerignore_free(c->ignore);
		free(c);
	}
}

/* --- what is named ------------------------------------------------------------------ */

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

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)dir_of(j->name[0]),
	               j->name[0]);
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

static void not_opened(struct scan *s, const char *shown, int why)
{
	if (why == EXDEV)
		scan_skip_add(s, NULL, NULL, shown,
		              "it is outside of the directory of the file that names it");
	else if (why != ENOENT)
		scan_skip_add(s, NULL, NULL, shown, "it could not be opened");
}

/* Takes ${fd}. */
static void add_file(struct scan *s, int fd, const char *shown)
{
	struct job *file = job_new(FORMAT_FILE, CHANNEL_FILE, NULL, NULL);

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

/* In a Dockerfile, the root is the context's. */
static const char *in_context(const struct job *j, const char *path)
{
	if (j->format != FORMAT_DOCKERFILE || *path != '/')
		return path;
	path += strspn(path, "/");
	return *path != '\0' ? path : ".";
}

void scan_build_reference(struct scan *s, const struct job *j, const char *path)
{
	const struct scan_context *context = j->format == FORMAT_DOCKERFILE
	                                             ? context_of(s, j)
	                                             : NULL;
	int dir_n = (int)dir_of(j->name[0]);
	char shown[2 * WIRE_PATH_MAX];
	bool directory = false;
	int fd, why;

	path = in_context(j, path);
	fd = open_below(j, path, &directory);
	why = errno;
	while (strncmp(path, "./", 2) == 0)
		path += 2 + strspn(path + 2, "/");
	if (directory && strcmp(path, ".") == 0)
		path = dir_n > 0 ? "" : ".";
	(void)snprintf(shown, sizeof(shown), "%.*s%s", dir_n, j->name[0], path);
	if (scan_build_left_out(context, shown, directory)) {
		if (fd >= 0)
			close(fd);
	} else if (fd < 0) {
		not_opened(s, shown, why);
	} else if (!directory) {
		add_file(s, fd, shown);
	} else if (!scan_name_add(&s->folders, shown, context, fd)) {
		/* To be walked later: a walk waits for workers. */
		close(fd);
	}
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
	if (!compose)
		find_ignore(s, path);
	return scan_submit(s, j, e);
}
