/* SPDX-License-Identifier: Apache-2.0 */
#include "db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"

enum fs_verdict { FS_REFUSE, FS_WARN };

/* Locks, syncs and crash behaviour of these are not what the storage engine counts on.
 * Numbers from statfs(2): not all are in <linux/magic.h>. */
static const struct {
	unsigned long magic;
	const char *name;
	enum fs_verdict verdict;
} file_systems[] = {
	{0x6969,      "NFS",       FS_REFUSE},
        { 0xff534d42, "CIFS",      FS_REFUSE},
	{ 0xfe534d42, "SMB",       FS_REFUSE},
        { 0x517b,     "SMB",       FS_REFUSE},
	{ 0x01021997, "9p",        FS_REFUSE},
        { 0x65735546, "FUSE",      FS_REFUSE},
	{ 0x5346414f, "AFS",       FS_REFUSE},
        { 0x00c36400, "Ceph",      FS_REFUSE},
	{ 0x794c7630, "overlayfs", FS_WARN  },
        { 0x01021994, "tmpfs",     FS_WARN  },
	{ 0x858458f6, "ramfs",     FS_WARN  },
};

static int check_fs(int fd, const char *path, struct err *e)
{
	struct statfs fs;
	unsigned long magic;

	if (fstatfs(fd, &fs) != 0)
		return err_sys(e, ERR_IO, errno, "%s", path);
	magic = (unsigned long)fs.f_type & 0xffffffffUL;
	for (size_t i = 0; i < ARRAY_LEN(file_systems); i++) {
		if (file_systems[i].magic != magic)
			continue;
		if (file_systems[i].verdict == FS_REFUSE)
			return err_set(
				e, ERR_DENIED,
				"%s is on %s, which cannot keep a database safe: use a "
				"local file system",
				path, file_systems[i].name);
		log_warn(
			"the database is on a file system that may not survive a restart",
			LOG_S("path", path), LOG_S("type", file_systems[i].name));
	}
	return ERR_OK;
}

static int check_owner(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "%s is not a regular file", path);
	if (st.st_uid != geteuid())
		return err_set(e, ERR_DENIED,
		               "%s belongs to user %u: run as that user or chown it",
		               path, (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return err_set(e, ERR_DENIED, "%s has mode %04o: make it 0600", path,
		               (unsigned)(st.st_mode & 07777));
	return ERR_OK;
}

int db_file_prepare(const struct db_options *o, struct err *e)
{
	int flags = O_CLOEXEC | O_NOFOLLOW | (o->read_only ? O_RDONLY : O_RDWR);
	AUTO_CLOSE int fd = open(o->path, flags);
	int rc;

	if (fd < 0 && errno == ENOENT && !o->no_create && !o->read_only)
		fd = open(o->path, flags | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%s",
		               o->path);
	if (!o->read_only && (rc = check_owner(fd, o->path, e)) != ERR_OK)
		return rc;
	return o->check_fs ? check_fs(fd, o->path, e) : ERR_OK;
}

static int sync_path(const char *path, int flags, struct err *e)
{
	AUTO_CLOSE int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return err_sys(e, ERR_IO, errno, "%s: fsync", path);
	return ERR_OK;
}

int db_file_sync(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	int rc = sync_path(path, O_RDONLY, e);

	snprintf(dir, sizeof(dir), "%s", path);
	return rc != ERR_OK ? rc : sync_path(dirname(dir), O_RDONLY | O_DIRECTORY, e);
}
