/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_walk - file trees: regular files go to the workers as descriptors.
 *
 * Links are never followed below the path that was given; devices, sockets and pipes are
 * no files; what the kernel makes up (/proc, /sys …) is left out; of a .git directory the
 * settings are read and the objects are not (that is scan_git()).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "scan_build.h"
#include "scanner/filter/place.h"

struct level {
	DIR *dir;
	size_t path_n; /* length of the directory's path */
	dev_t dev;
	bool git; /* it is a .git directory */
};

struct walk {
	struct scan *s;
	const struct scan_folder *folder; /* that a Dockerfile names, or NULL */
	char path[2 * WIRE_PATH_MAX];
	size_t root_n; /* globs see what comes after it */
	struct level level[SCAN_WALK_DEPTH];
	unsigned depth;
};

static const char *reason(int errnum)
{
	switch (errnum) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case ENOENT:
		return "it disappeared";
	default:
		return "it could not be opened";
	}
}

static bool made_up(int fd)
{
	static const long types[] = { PROC_SUPER_MAGIC,   SYSFS_MAGIC,
		                      CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		                      DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
		                      TRACEFS_MAGIC,      SECURITYFS_MAGIC,
		                      BPF_FS_MAGIC,       PSTOREFS_MAGIC,
		                      EFIVARFS_MAGIC,     NSFS_MAGIC };
	struct statfs f;

	if (fstatfs(fd, &f) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if ((long)f.f_type == types[i])
			return true;
	return false;
}

/* Objects and packs are compressed; they are history, not files. */
static bool git_internal(const char *name)
{
	static const char *const names[] = { "objects", "index", "lfs" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Go into the directory ${fd} (taken), whose path is w->path up to ${n}. */
static void enter(struct walk *w, int fd, size_t n, const char *name)
{
	struct level *l = &w->level[w->depth];
	struct stat st;

	if (w->depth == SCAN_WALK_DEPTH) {
		scan_skip_add(w->s, NULL, NULL, w->path, "too many directories deep");
		close(fd);
		return;
	}
	if (fstat(fd, &st) != 0 ||
	    (w->depth > 0 && st.st_dev != l[-1].dev && made_up(fd))) {
		close(fd);
		return;
	}
	l->dir = fdopendir(fd);
	if (l->dir == NULL) {
		scan_skip_add(w->s, NULL, NULL, w->path, reason(errno));
		close(fd);
		return;
	}
	l->path_n = n;
	l->dev = st.st_dev;
	l->git = strcmp(name, ".git") == 0;
	w->depth++;
}

/* Is what is called ${name} in the directory at the top, or below it, what the pattern
 * names? */
static bool may_name(const struct walk *w, const char *name)
{
	const char *part = w->folder != NULL ? w->folder->pattern : NULL;

	if (part == NULL || w->depth > w->folder->parts)
		return true;
	for (unsigned i = 1; i < w->depth; i++)
		part += strlen(part) + 1;
	return glob_match(part, name);
}

/* A file that may be, and that was not scanned before. */
static bool named_file(const struct walk *w)
{
	return w->folder == NULL ||
	       (w->depth >= w->folder->parts && scan_build_first(w->s, w->path));
}

/* A name in the directory at the top; w->path ends with it. */
static int visit(struct walk *w, const char *name, size_t n, struct err *e)
{
	int at = dirfd(w->level[w->depth - 1].dir);
	int fd = openat(at, name,
	                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return ERR_OK;
	if (fd < 0 || fstat(fd, &st) != 0) {
		int why = errno;

		/* No file at all: a socket, a device without a driver. */
		if (why != ENXIO && why != ENODEV)
			scan_skip_add(w->s, NULL, NULL, w->path, reason(why));
		if (fd >= 0)
			close(fd);
		return ERR_OK;
	}
	if (S_ISDIR(st.st_mode)) {
		enter(w, fd, n, name);
		return ERR_OK;
	}
	if (!S_ISREG(st.st_mode) || !named_file(w)) {
		close(fd);
		return ERR_OK;
	}
	return scan_add_file(w->s, fd, w->path, (uint64_t)st.st_size, e);
}

/* Known from the directory to be neither a file nor a directory. */
static bool special(const struct dirent *d)
{
	return d->d_type == DT_LNK || d->d_type == DT_FIFO || d->d_type == DT_SOCK ||
	       d->d_type == DT_CHR || d->d_type == DT_BLK;
}

static int step(struct walk *w, struct err *e)
{
	struct level *l = &w->level[w->depth - 1];
	const struct dirent *d;
	size_t n, name_n;

	errno = 0;
	d = readdir(l->dir);
	if (d == NULL) {
		w->path[l->path_n] = '\0';
		if (errno != 0)
			scan_skip_add(w->s, NULL, NULL, w->path, "it could not be read");
		closedir(l->dir);
		w->depth--;
		return ERR_OK;
	}
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 || special(d) ||
	    (l->git && git_internal(d->d_name)))
		return ERR_OK;
	name_n = strlen(d->d_name);
	n = l->path_n;
	if (n > 0 && w->path[n - 1] != '/')
		w->path[n++] = '/';
	if (n + name_n > WIRE_PATH_MAX) {
		w->path[l->path_n] = '\0';
		scan_skip_add(w->s, NULL, NULL, w->path, "a path in it is too long");
		return ERR_OK;
	}
	memcpy(w->path + n, d->d_name, name_n + 1);
	if (scan_excluded(w->s, w->path + w->root_n) || !may_name(w, d->d_name) ||
	    (w->folder != NULL &&
	     scan_build_left_out(w->folder->context, w->path, d->d_type != DT_REG)))
		return ERR_OK;
	return visit(w, d->d_name, n + name_n, e);
}

int scan_tree(struct scan *s, int fd, const char *path, const struct scan_folder *folder,
              struct err *e)
{
	struct walk *w = calloc(1, sizeof(*w));
	const char *slash = strrchr(path, '/');
	size_t n = strlen(path);
	int rc = ERR_OK;

	if (w == NULL || n > WIRE_PATH_MAX) {
		close(fd);
		free(w);
		return w == NULL ? err_set(e, ERR_NOMEM, "out of memory")
		                 : err_set(e, ERR_INVALID, "the path is too long");
	}
	w->s = s;
	w->folder = folder;
	memcpy(w->path, path, n + 1);
	w->root_n = n > 0 && path[n - 1] == '/' ? n : n + 1;
	enter(w, fd, n, slash != NULL ? slash + 1 : path);
	while (w->depth > 0 && rc == ERR_OK)
		rc = step(w, e);
	while (w->depth > 0)
		closedir(w->level[--w->depth].dir);
	free(w);
	return rc;
}

int scan_stat(int fd, const char *path, struct stat *st, struct err *e)
{
	int why;

	if (fd >= 0 && fstat(fd, st) == 0)
		return ERR_OK;
	why = errno;
	if (fd >= 0)
		close(fd);
	return err_sys(e, why == EACCES ? ERR_DENIED : ERR_NOENT, why, "%.160s", path);
}

int scan_path(struct scan *s, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st = { 0 };
	int rc;

	if ((rc = scan_stat(fd, path, &st, e)) != ERR_OK)
		return rc;
	if (S_ISDIR(st.st_mode))
		return scan_tree(s, fd, path, NULL, e);
	if (S_ISREG(st.st_mode))
		return scan_add_file(s, fd, path, (uint64_t)st.st_size, e);
	close(fd);
	return err_set(e, ERR_INVALID, "%.160s: neither a file nor a directory", path);
}
