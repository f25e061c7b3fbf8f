/* SPDX-License-Identifier: Apache-2.0 */
/* zone_files - a directory of time zone files as a source of zones. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "zone.h"

static int open_file(const char *dir, const char *name, struct stat *st)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void set_stamp(const struct stat *st, struct zone_stamp *out)
{
	out->mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
	out->size = st->st_size;
	out->inode = st->st_ino;
}

static int read_file(const void *ctx, const char *name, void *buf, size_t cap,
                     size_t *len, struct zone_stamp *stamp, struct err *e)
{
	struct stat st;
	AUTO_CLOSE int fd = open_file(ctx, name, &st);

	*len = 0;
	if (fd < 0)
		return err_set(e, ERR_NOENT, "no such file");
	set_stamp(&st, stamp);
	while (*len < cap) {
		ssize_t n = read(fd, (char *)buf + *len, cap - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, ERR_IO, errno, "reading the time zone file");
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return ERR_OK;
}

static bool stamp_file(const void *ctx, const char *name, struct zone_stamp *out)
{
	struct stat st;
	AUTO_CLOSE int fd = open_file(ctx, name, &st);

	if (fd < 0)
		return false;
	set_stamp(&st, out);
	return true;
}

struct zone_source zone_source_at(const char *dir)
{
	return (struct zone_source){ read_file, stamp_file, dir };
}

const struct zone_source *zone_source_system(void)
{
	static const struct zone_source system = { read_file, stamp_file, ZONE_DIR };

	return &system;
}
