/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define TMPFS_TYPE 0x01021994L
#define RAMFS_TYPE 0x858458f6L

#define DIR_MODE 0711

bool tmpfs_is_memory(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && ((unsigned long)s.f_type == TMPFS_TYPE ||
	                                (unsigned long)s.f_type == RAMFS_TYPE);
}

static bool is_ramfs(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && (unsigned long)s.f_type == RAMFS_TYPE;
}

/* A directory whose parent is on another file system. */
static bool is_mount_point(int fd)
{
	struct stat here, up;

	return fstat(fd, &here) == 0 && fstatat(fd, "..", &up, 0) == 0 &&
	       here.st_dev != up.st_dev;
}

static bool swap_is_on(void)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[256];
	int lines = 0;

	if (f == NULL)
		return true;
	while (lines < 2 && fgets(line, sizeof(line), f) != NULL)
		lines++;
	fclose(f);
	return lines > 1;
}

/* The super block options of the mount at dir, from the last line that names it. */
static bool mounted_noswap(const char *dir)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[2 * PATH_MAX], at[PATH_MAX];
	bool found = false;

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1 &&
		    strcmp(at, dir) == 0)
			found = strstr(line, "noswap") != NULL;
	fclose(f);
	return found;
}

static int make_directories(const char *dir, struct err *e)
{
	char path[PATH_MAX];
	size_t n = strlen(dir);

	if (dir[0] != '/' || n >= sizeof(path))
		return err_set(e, ERR_INVALID, "'%s' must be an absolute path", dir);
	for (size_t i = 1; i <= n; i++) {
		if (dir[i] != '/' && dir[i] != '\0')
			continue;
		memcpy(path, dir, i);
		path[i] = '\0';
		if (mkdir(path, 0755) == 0)
			(void)chmod(path, i == n ? DIR_MODE : 0755);
		else if (errno != EEXIST)
			return err_sys(e, ERR_IO, errno, "making directory '%s'", path);
	}
	return ERR_OK;
}

/* In a directory for everybody others cannot replace what is ours if it is sticky. */
static int check_owner(const char *dir, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, errno, "opening directory '%s'", dir);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERR_DENIED,
		               "'%s' belongs to user %u, who could put other files in "
		               "the place of the vault's",
		               dir, (unsigned)st.st_uid);
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		return err_set(e, ERR_DENIED,
		               "everybody may write to '%s', and put other files in the "
		               "place of the vault's",
		               dir);
	return ERR_OK;
}

static int open_dir(const char *dir, int *fd, struct err *e)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, ERR_IO, errno, "opening directory '%s'", dir);
	return ERR_OK;
}

/* Kernels before 6.4 know no "noswap", those without huge pages no "huge". */
static int mount_tmpfs(const struct tmpfs_options *o)
{
	static const char *const extra[] = { ",noswap,huge=never", ",noswap",
		                             ",huge=never", "" };
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
		snprintf(text, sizeof(text), "size=%s,nr_inodes=16384,mode=0711%s",
		         o->size, extra[i]);
		if (mount("vault-agent", o->dir, "tmpfs", flags, text) == 0)
			return 0;
		if (errno != EINVAL)
			return -1;
	}
	return -1;
}

static bool must_mount(const struct tmpfs_options *o, int fd)
{
	if (o->mode == TMPFS_EXISTING)
		return false;
	if (o->mode == TMPFS_MOUNT)
		return !(is_mount_point(fd) && tmpfs_is_memory(fd));
	return !tmpfs_is_memory(fd) && !o->allow_disk;
}

/* Mount, and look at what is on top now. */
static int mount_over(const struct tmpfs_options *o, int *fd, struct err *e)
{
	if (mount_tmpfs(o) != 0) {
		if (o->mode == TMPFS_MOUNT)
			return err_sys(e, ERR_DENIED, errno, "mounting a tmpfs at '%s'",
			               o->dir);
		return ERR_OK;
	}
	close(*fd);
	*fd = -1;
	return open_dir(o->dir, fd, e);
}

int tmpfs_prepare(const struct tmpfs_options *o, int *fd, struct tmpfs_info *info,
                  struct err *e)
{
	AUTO_CLOSE int dir = -1;
	int rc;

	if ((rc = make_directories(o->dir, e)) != ERR_OK ||
	    (rc = open_dir(o->dir, &dir, e)) != ERR_OK)
		return rc;
	if (must_mount(o, dir) && (rc = mount_over(o, &dir, e)) != ERR_OK)
		return rc;
	if ((rc = check_owner(o->dir, dir, e)) != ERR_OK)
		return rc;
	info->memory = tmpfs_is_memory(dir);
	info->own_mount = is_mount_point(dir);
	info->noswap = info->memory &&
	               (is_ramfs(dir) || !swap_is_on() || mounted_noswap(o->dir));
	if (!info->memory && !o->allow_disk)
		return err_set(
			e, ERR_DENIED,
			"'%s' is on a disk and no tmpfs could be mounted there: run as "
			"root, choose a directory on a tmpfs as run_dir (/dev/shm/…, "
			"$XDG_RUNTIME_DIR/…), or set allow_disk: true",
			o->dir);
	*fd = dir;
	dir = -1;
	return ERR_OK;
}
