/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "rng.h"
#include "text.h"

#define READ_SIZE ((size_t)16 * 1024)

static int read_all(int fd, const char *path, struct buf *b, size_t max, struct err *e)
{
	for (;;) {
		size_t want = max + 1 - b->len < READ_SIZE ? max + 1 - b->len : READ_SIZE;
		ssize_t n;

		if (!buf_reserve(b, want))
			return err_set(e, ERR_NOMEM, "'%s': out of memory", path);
		n = read(fd, buf_tail(b), want);
		if (n == 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_IO, errno, "reading '%s'", path);
		b->len += n > 0 ? (size_t)n : 0;
		if (b->len > max)
			return err_set(e, ERR_TOO_BIG, "'%s' has more than %zu bytes",
			               path, max);
	}
}

int file_read(struct arena *a, const char *path, size_t max, char **out, size_t *len,
              struct err *e)
{
	AUTO_BUF b = { .max = max + 1 };
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *copy;
	int rc;

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "'%s'",
		               path);
	if ((rc = read_all(fd, path, &b, max, e)) != ERR_OK)
		return rc;
	copy = arena_dup(a, b.p + b.start, b.len);
	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "'%s': out of memory", path);
	*out = copy;
	*len = b.len;
	return ERR_OK;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

/* By a descriptor of its own, since ${dirfd} may be one that only names (O_PATH). */
static int sync_directory(int dirfd, const char *name, struct err *e)
{
	AUTO_CLOSE int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		return err_sys(e, ERR_IO, errno, "syncing the directory of '%s'", name);
	return ERR_OK;
}

static int fill(int fd, const void *p, size_t n, mode_t mode)
{
	if (write_all(fd, p, n) != 0 || fchmod(fd, mode) != 0)
		return -1;
	return fsync(fd) != 0 && errno != EINVAL ? -1 : 0;
}

static bool plain_name(const char *name)
{
	return *name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strlen(name) <= NAME_MAX;
}

int file_write_atomic(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
                      struct err *e)
{
	char tmp[] = ".new-0123456789abcdef01234567";
	AUTO_CLOSE int fd = -1;
	int saved;

	if (!plain_name(name))
		return err_set(e, ERR_INVALID, "'%s' is not a file name", name);
	text_base62_random(tmp + 5, sizeof(tmp) - 6);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, ERR_IO, errno, "writing '%s'", name);
	if (fill(fd, p, n, mode) != 0 || renameat(dirfd, tmp, dirfd, name) != 0) {
		saved = errno;
		(void)unlinkat(dirfd, tmp, 0);
		return err_sys(e, saved == ENOSPC || saved == EDQUOT ? ERR_FULL : ERR_IO,
		               saved, "writing '%s'", name);
	}
	return sync_directory(dirfd, name, e);
}

int file_write_path(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	AUTO_CLOSE int dirfd = -1;
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";

	if (slash != NULL) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);

		if (len >= sizeof(dir))
			return err_set(e, ERR_INVALID, "'%s': path too long", path);
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "'%s'",
		               dir);
	return file_write_atomic(dirfd, slash != NULL ? slash + 1 : path, p, n, mode, e);
}

int file_check_private(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "'%s'",
		               path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "'%s' is not a regular file", path);
	if (st.st_uid != geteuid())
		return err_set(e, ERR_DENIED,
		               "'%s' belongs to user %u: chown it to user %u", path,
		               (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 077) != 0)
		return err_set(e, ERR_DENIED,
		               "'%s' can be used by others (mode %04o): chmod 600 it",
		               path, (unsigned)st.st_mode & 07777u);
	return ERR_OK;
}
