/* SPDX-License-Identifier: Apache-2.0 */
#include "generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "generation_impl.h"
#include "text.h"

int generation_name_check(const char *s, const char *what, struct err *e)
{
	size_t n = strlen(s);

	if (n == 0 || n > GENERATION_NAME_MAX)
		return err_set(e, ERR_INVALID, "%s must have 1 to %u bytes", what,
		               GENERATION_NAME_MAX);
	if (!text_printable(s, n) || memchr(s, '/', n) != NULL)
		return err_set(e, ERR_INVALID, "%s must be a plain name without '/'",
		               what);
	if (strcmp(s, ".") == 0 || strncmp(s, "..", 2) == 0)
		return err_set(e, ERR_INVALID, "%s must not be '.' or begin with '..'",
		               what);
	return ERR_OK;
}

void generation_dirname(unsigned number, char out[GENERATION_DIR_MAX])
{
	snprintf(out, GENERATION_DIR_MAX, "..g%06u", number);
}

unsigned generation_parse(const char *name)
{
	char again[GENERATION_DIR_MAX];
	unsigned long n;

	if (strncmp(name, "..g", 3) != 0)
		return 0;
	n = strtoul(name + 3, NULL, 10);
	if (n == 0 || n > GENERATION_MAX)
		return 0;
	generation_dirname((unsigned)n, again);
	return strcmp(again, name) == 0 ? (unsigned)n : 0;
}

/* Whoever made the directory before us could put other files in the place of ours. */
static int check_owner(int fd, const char *label, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, errno, "opening directory '%s'", label);
	if (st.st_uid != geteuid())
		return err_set(e, ERR_DENIED,
		               "directory '%s' belongs to user %u, not to the agent's: "
		               "remove it",
		               label, (unsigned)st.st_uid);
	return ERR_OK;
}

int generation_open(int run_fd, const char *label, mode_t mode, struct generation_dir *d,
                    struct err *e)
{
	int fd, rc;

	if (mkdirat(run_fd, label, 0700) != 0 && errno != EEXIST)
		return err_sys(e, errno == ENOSPC ? ERR_FULL : ERR_IO, errno,
		               "making directory '%s'", label);
	fd = openat(run_fd, label, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "opening directory '%s'", label);
	rc = check_owner(fd, label, e);
	if (rc == ERR_OK && fchmod(fd, mode) != 0)
		rc = err_sys(e, ERR_IO, errno, "changing the mode of directory '%s'",
		             label);
	if (rc != ERR_OK) {
		close(fd);
		return rc;
	}
	*d = (struct generation_dir){ .fd = fd, .mode = mode, .label = label };
	return ERR_OK;
}

unsigned generation_current(const struct generation_dir *d)
{
	char target[GENERATION_DIR_MAX];
	ssize_t n = readlinkat(d->fd, GENERATION_DATA, target, sizeof(target) - 1);

	if (n <= 0)
		return 0;
	target[n] = '\0';
	return generation_parse(target);
}

static void step(const struct generation_dir *d)
{
	if (d->step != NULL)
		d->step(d->step_ctx);
}

static int failed(const struct generation_dir *d, const char *name, struct err *e)
{
	int errnum = errno;
	enum errcode code = errnum == ENOSPC || errnum == EDQUOT ? ERR_FULL : ERR_IO;

	return err_sys(e, code, errnum, "writing '%s/%s'", d->label, name);
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t did = write(fd, p, n);

		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			return -1;
		p += did;
		n -= (size_t)did;
	}
	return 0;
}

static int set_time(int fd, const struct timespec *written)
{
	const struct timespec times[2] = { *written, *written };

	return written->tv_sec == 0 ? 0 : futimens(fd, times);
}

static int link_file(const struct generation_dir *d, int gen,
                     const struct generation_file *f, struct err *e)
{
	char from[GENERATION_DIR_MAX];
	AUTO_CLOSE int dir = -1;

	step(d);
	generation_dirname(f->from, from);
	dir = openat(d->fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || linkat(dir, f->name, gen, f->name, 0) != 0)
		return failed(d, f->name, e);
	return ERR_OK;
}

/* Nobody can read the file before it has its owner and its mode. */
static int write_file(const struct generation_dir *d, int gen,
                      const struct generation_file *f, struct err *e)
{
	AUTO_CLOSE int fd = -1;

	step(d);
	fd = openat(gen, f->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            0);
	if (fd < 0 || write_all(fd, f->p, f->n) != 0 || set_time(fd, &f->written) != 0)
		return failed(d, f->name, e);
	step(d);
	if (fchown(fd, f->uid, f->gid) != 0 || fchmod(fd, f->mode) != 0)
		return err_sys(e, ERR_DENIED, errno, "giving '%s/%s' its owner and mode",
		               d->label, f->name);
	return ERR_OK;
}

static int write_files(const struct generation_dir *d, int gen,
                       const struct generation_file *files, size_t n, const char *meta,
                       struct err *e)
{
	const struct generation_file notes = {
		.name = GENERATION_META,
		.uid = geteuid(),
		.gid = getegid(),
		.mode = 0600,
		.p = meta,
		.n = strlen(meta),
	};
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = files[i].from != 0 ? link_file(d, gen, &files[i], e)
		                        : write_file(d, gen, &files[i], e);
		if (rc != ERR_OK)
			return rc;
	}
	if ((rc = write_file(d, gen, &notes, e)) != ERR_OK)
		return rc;
	step(d);
	if (fchmod(gen, d->mode) != 0)
		return failed(d, GENERATION_DATA, e);
	return ERR_OK;
}

static bool link_is_right(int fd, const char *name)
{
	char want[GENERATION_NAME_MAX + 16], is[GENERATION_NAME_MAX + 16];
	ssize_t n = readlinkat(fd, name, is, sizeof(is) - 1);

	if (n < 0)
		return false;
	is[n] = '\0';
	snprintf(want, sizeof(want), GENERATION_DATA "/%s", name);
	return strcmp(is, want) == 0;
}

/* The new link replaces whatever has the name, in one step. */
static int make_link(const struct generation_dir *d, const char *name, struct err *e)
{
	char target[GENERATION_NAME_MAX + 16];

	if (link_is_right(d->fd, name))
		return ERR_OK;
	step(d);
	snprintf(target, sizeof(target), GENERATION_DATA "/%s", name);
	(void)unlinkat(d->fd, GENERATION_LINK_TMP, 0);
	if (symlinkat(target, d->fd, GENERATION_LINK_TMP) != 0)
		return failed(d, name, e);
	if (renameat(d->fd, GENERATION_LINK_TMP, d->fd, name) != 0) {
		int rc = failed(d, name, e);

		(void)unlinkat(d->fd, GENERATION_LINK_TMP, 0);
		return rc;
	}
	return ERR_OK;
}

static int switch_to(const struct generation_dir *d, const char *gen, struct err *e)
{
	step(d);
	(void)unlinkat(d->fd, GENERATION_DATA_TMP, 0);
	if (symlinkat(gen, d->fd, GENERATION_DATA_TMP) != 0)
		return failed(d, GENERATION_DATA, e);
	step(d);
	if (renameat(d->fd, GENERATION_DATA_TMP, d->fd, GENERATION_DATA) != 0) {
		int rc = failed(d, GENERATION_DATA, e);

		(void)unlinkat(d->fd, GENERATION_DATA_TMP, 0);
		return rc;
	}
	return ERR_OK;
}

static int fill(const struct generation_dir *d, const char *gen,
                const struct generation_file *files, size_t n, const char *meta,
                struct err *e)
{
	AUTO_CLOSE int fd = -1;
	int rc;

	step(d);
	if (mkdirat(d->fd, gen, 0700) != 0)
		return failed(d, gen, e);
	fd = openat(d->fd, gen, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed(d, gen, e);
	if ((rc = write_files(d, fd, files, n, meta, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < n; i++)
		if ((rc = make_link(d, files[i].name, e)) != ERR_OK)
			return rc;
	return switch_to(d, gen, e);
}

int generation_write(const struct generation_dir *d, unsigned number,
                     const struct generation_file *files, size_t n, const char *meta,
                     struct err *e)
{
	char gen[GENERATION_DIR_MAX];
	int rc;

	generation_dirname(number, gen);
	generation_remove(d, number);
	rc = fill(d, gen, files, n, meta, e);
	if (rc != ERR_OK)
		generation_remove(d, number);
	step(d);
	generation_drop_links(d);
	return rc;
}

int generation_restore(const struct generation_dir *d, unsigned number,
                       const char *const *names, size_t n, struct err *e)
{
	char gen[GENERATION_DIR_MAX];
	struct stat st;
	int rc = ERR_OK;

	generation_dirname(number, gen);
	if (fstatat(d->fd, gen, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOENT,
		               "generation %u of '%s' is not there any more", number,
		               d->label);
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		rc = make_link(d, names[i], e);
	if (rc == ERR_OK)
		rc = switch_to(d, gen, e);
	step(d);
	generation_drop_links(d);
	return rc;
}

int generation_open_file(const struct generation_dir *d, unsigned number,
                         const char *name)
{
	char gen[GENERATION_DIR_MAX];
	AUTO_CLOSE int dir = -1;
	struct stat st;
	int fd;

	generation_dirname(number, gen);
	dir = openat(d->fd, gen, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
		errno = EINVAL;
	}
	return fd;
}

int generation_stat_file(const struct generation_dir *d, unsigned number,
                         const char *name, struct stat *st)
{
	char gen[GENERATION_DIR_MAX];
	AUTO_CLOSE int dir = -1;

	generation_dirname(number, gen);
	dir = openat(d->fd, gen, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir >= 0 && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	                       S_ISREG(st->st_mode)
	               ? 0
	               : -1;
}

int generation_write_meta(const struct generation_dir *d, unsigned number,
                          const char *meta, struct err *e)
{
	char gen[GENERATION_DIR_MAX];
	AUTO_CLOSE int dir = -1;

	generation_dirname(number, gen);
	dir = openat(d->fd, gen, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return failed(d, GENERATION_META, e);
	return file_write_atomic(dir, GENERATION_META, meta, strlen(meta), 0600, e);
}
