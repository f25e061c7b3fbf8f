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

/* The first bytes of ${path} that are its directory. */
static size_t dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/* What names in a file are relative to: the first ${n} bytes, none or up to a slash. */
struct root {
	const char *path;
	int n;
};

static struct root root_of(const struct scan *s, const char *file, bool compose)
{
	if (compose || s->o.context == NULL)
		return (struct root){ file, (int)dir_of(file) };
	return (struct root){ s->o.context, (int)strlen(s->o.context) };
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

/* Of the Dockerfile ${path}.  Takes ${ignore}. */
static void add_context(struct scan *s, const char *path, struct dockerignore *ignore)
{
	struct scan_context *c = calloc(1, sizeof(*c) + strlen(path) + 1);

	if (c == NULL) {
		dockerignore_free(ignore);
		return;
	}
	c->next = s->contexts;
	c->ignore = ignore;
	c->dir_n = (size_t)root_of(s, path, false).n;
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
	const struct root root = root_of(s, path, false);
	char file[WIRE_PATH_MAX + 32];

	if (s->o.no_ignore || strlen(path) > WIRE_PATH_MAX)
		return;
	(void)snprintf(file, sizeof(file), "%s.dockerignore", path);
	if (try_ignore(s, path, file) == ERR_OK)
		return;
	(void)snprintf(file, sizeof(file), "%.*s.dockerignore", root.n, root.path);
	(void)try_ignore(s, path, file);
}

bool scan_build_first(struct scan *s, const char *path)
{
	char cwd[PLACE_MAX], place[PLACE_MAX];

	return getcwd(cwd, sizeof(cwd)) == NULL ||
	       !place_absolute(cwd, path, place, sizeof(place)) ||
	       path_set_add(&s->copied,
	                    path_hash(s->hash_key, ENTRY_FILE, place, strlen(place)));
}

void scan_build_free(struct scan *s)
{
	path_set_free(&s->copied);
	while (s->folders != NULL) {
		struct scan_folder *one = s->folders;

		s->folders = one->next;
		close(one->fd);
		free(one);
	}
	while (s->contexts != NULL) {
		struct scan_context *c = s->contexts;

		s->contexts = c->next;
		dockerignore_free(c->ignore);
		free(c);
	}
}

/* --- what is named ------------------------------------------------------------------ */

/* A regular file or a directory below ${root}; -1 and errno. */
static int open_below(const struct root *root, const char *path, bool *directory)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
	};
	char folder[WIRE_PATH_MAX + 1];
	AUTO_CLOSE int dir = -1;
	struct stat st;
	int fd;

	(void)snprintf(folder, sizeof(folder), "%.*s", root->n, root->path);
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

/* Bytes of ${path} that are no pattern: all of them, or up to a slash. */
static size_t plain_part(const char *path)
{
	size_t n = strcspn(path, "*?[");

	if (path[n] == '\0')
		return n;
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n;
}

/* The parts of ${pattern} into ${out}, which has as much room: a text each.  How many. */
static unsigned parts_of(const char *pattern, char *out)
{
	unsigned parts = 0;

	while (*(pattern += strspn(pattern, "/")) != '\0') {
		const size_t n = strcspn(pattern, "/");

		if (n != 1 || *pattern != '.') {
			memcpy(out, pattern, n);
			out[n] = '\0';
			out += n + 1;
			parts++;
		}
		pattern += n;
	}
	return parts;
}

static bool is_same(const struct scan_folder *a, const struct scan_folder *b)
{
	const char *p = a->pattern, *q = b->pattern;

	if (a->context != b->context || a->parts != b->parts ||
	    strcmp(a->path, b->path) != 0)
		return false;
	for (unsigned i = 0; i < a->parts; i++) {
		if (strcmp(p, q) != 0)
			return false;
		p += strlen(p) + 1;
		q += strlen(q) + 1;
	}
	return true;
}

/* To be walked later: a walk waits for workers.  Takes ${fd}. */
static void add_folder(struct scan *s, int fd, const char *shown, const char *pattern,
                       const struct scan_context *context)
{
	const size_t path_n = strlen(shown) + 1, room = strlen(pattern) + 1;
	struct scan_folder *one = calloc(1, sizeof(*one) + path_n + room);
	struct scan_folder **at = &s->folders;

	if (one == NULL) {
		scan_skip_add(s, NULL, NULL, shown, "out of memory");
		close(fd);
		return;
	}
	memcpy(one->path, shown, path_n);
	one->fd = fd;
	one->context = context;
	one->pattern = one->path + path_n;
	one->parts = parts_of(pattern, one->path + path_n);
	while (*at != NULL && !is_same(*at, one))
		at = &(*at)->next;
	if (*at == NULL) {
		*at = one;
		return;
	}
	close(fd);
	free(one);
}

/* How a path below ${root} is shown; of "." what is before it, unless that is nothing. */
static void show(const struct root *root, const char *path, size_t n, char *out,
                 size_t cap)
{
	while (n >= 2 && strncmp(path, "./", 2) == 0) {
		const size_t skip = 2 + strspn(path + 2, "/");

		path += skip;
		n -= skip;
	}
	if (n == 1 && *path == '.')
		n = 0;
	(void)snprintf(out, cap, "%.*s%.*s", root->n, root->path,
	               n == 0 && root->n == 0 ? 1 : (int)n, n == 0 ? "." : path);
}

void scan_build_reference(struct scan *s, const struct job *j, const char *path)
{
	const bool compose = j->format != FORMAT_DOCKERFILE;
	const struct root root = root_of(s, j->name[0], compose);
	const struct scan_context *context = compose ? NULL : context_of(s, j);
	char plain[WIRE_PATH_MAX + 1], shown[2 * WIRE_PATH_MAX];
	bool directory = false;
	size_t n;
	int fd, why;

	/* In a Dockerfile, the root is the context's. */
	path += compose ? 0 : strspn(path, "/");
	n = compose ? strlen(path) : plain_part(path);
	(void)snprintf(plain, sizeof(plain), "%.*s", n > 0 ? (int)n : 1,
	               n > 0 ? path : ".");
	fd = open_below(&root, plain, &directory);
	why = errno;
	show(&root, plain, strlen(plain), shown, sizeof(shown));
	if (path[n] == '\0' && scan_build_left_out(context, shown, directory)) {
		if (fd >= 0)
			close(fd);
	} else if (fd < 0) {
		not_opened(s, shown, why);
	} else if (directory) {
		add_folder(s, fd, shown, path + n, context);
	} else if (path[n] == '\0' && scan_build_first(s, shown)) {
		add_file(s, fd, shown);
	} else {
		close(fd);
	}
}

int scan_build_file(struct scan *s, const char *path, bool compose, struct err *e)
{
	int fd;
	struct stat st;
	struct job *j;

	if (!compose && s->o.context != NULL && access(s->o.context, X_OK) != 0)
		return err_sys(e, ERR_NOENT, errno, "%.160s", s->o.context);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
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
