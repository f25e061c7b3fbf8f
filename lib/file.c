/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rng.h"

static int open_error(const char *path, struct err *e)
{
	return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%s", path);
}

int file_read(struct arena *a, const char *path, size_t max, char **out, size_t *len,
              struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;
	char *buf;

	if (fd < 0 || fstat(fd, &st) != 0)
		return open_error(path, e);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_IO, "%s: is a directory", path);
	if (S_ISREG(st.st_mode) && (size_t)st.st_size > max)
		return err_set(e, ERR_TOO_BIG, "%s: more than %zu bytes", path, max);
	if (S_ISREG(st.st_mode) && (size_t)st.st_size < max)
		max = (size_t)st.st_size + 1; /* one more, to notice growth */
	if ((buf = arena_alloc(a, max + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "%s: out of memory", path);
	while (n < max) {
		ssize_t got = read(fd, buf + n, max - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, ERR_IO, errno, "%s", path);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	*out = buf;
	*len = n;
	return ERR_OK;
}

static int write_all(int fd, const unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static int fill(int fd, const void *p, size_t n, mode_t mode)
{
	return write_all(fd, p, n) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0 ? 0 : -1;
}

int file_write_atomic(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
                      struct err *e)
{
	char tmp[NAME_MAX + 1];
	unsigned char r[8];
	int fd, saved;

	rng_bytes(r, sizeof(r));
	if (snprintf(tmp, sizeof(tmp), ".%.200s.%02x%02x%02x%02x%02x%02x", name, r[0], r[1], r[2],
	             r[3], r[4], r[5]) >= (int)sizeof(tmp))
		return err_set(e, ERR_INVALID, "%s: name is too long", name);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "%s", name);
	if (fill(fd, p, n, mode) == 0 && close(fd) == 0) {
		fd = -1;
		if (renameat(dirfd, tmp, dirfd, name) == 0)
			return fsync(dirfd) == 0 ? ERR_OK : err_sys(e, ERR_IO, errno, "%s", name);
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	unlinkat(dirfd, tmp, 0);
	return err_sys(e, saved == ENOSPC || saved == EDQUOT ? ERR_FULL : ERR_IO, saved, "%s", name);
}

int file_write_path(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	AUTO_FREE char *for_dir = strdup(path);
	AUTO_FREE char *for_base = strdup(path);
	AUTO_CLOSE int dirfd = -1;

	if (for_dir == NULL || for_base == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	dirfd = open(dirname(for_dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return open_error(path, e);
	return file_write_atomic(dirfd, basename(for_base), p, n, mode, e);
}

int file_check_private(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return open_error(path, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "%s: not a regular file", path);
	if (st.st_uid != geteuid())
		return err_set(e, ERR_DENIED, "%s: belongs to another user", path);
	if ((st.st_mode & 077) != 0)
		return err_set(e, ERR_DENIED, "%s: group or others may touch it: chmod 600 it", path);
	return ERR_OK;
}
