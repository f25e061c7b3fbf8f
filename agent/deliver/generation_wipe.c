/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "generation_impl.h"

#define ZEROES 4096u

/* Calls fn for every entry but "." and "..", which may remove it. */
static int each(int fd, int (*fn)(int fd, const char *name, void *ctx), void *ctx)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc |= fn(fd, entry->d_name, ctx);
	closedir(dir);
	return rc;
}

/* Readers that have the file open, or mapped, see zeroes and then nothing. */
static void overwrite(int fd)
{
	static const char zeroes[ZEROES];
	struct stat st;
	off_t at = 0;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	while (at < st.st_size) {
		off_t left = st.st_size - at;
		ssize_t did = pwrite(fd, zeroes,
		                     left < (off_t)ZEROES ? (size_t)left : ZEROES, at);

		if (did <= 0)
			break;
		at += did;
	}
	(void)!ftruncate(fd, 0);
}

/* Without CAP_DAC_OVERRIDE a file of another owner becomes ours first.  The directory is
 * ours alone, so the name means the same file each time. */
static int open_to_wipe(int dir, const char *name)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = openat(dir, name, flags);

	if (fd < 0 && errno == EACCES) {
		if (fchownat(dir, name, geteuid(), (gid_t)-1, AT_SYMLINK_NOFOLLOW) == 0 &&
		    fchmodat(dir, name, 0600, 0) == 0)
			fd = openat(dir, name, flags);
	}
	return fd;
}

static int wipe_entry(int dir, const char *name, void *ctx UNUSED)
{
	AUTO_CLOSE int fd = open_to_wipe(dir, name);

	if (fd >= 0)
		overwrite(fd);
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

static int unlink_entry(int dir, const char *name, void *ctx UNUSED)
{
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

static int remove_generation(int fd, const char *gen, bool wipe)
{
	AUTO_CLOSE int dir = openat(fd, gen,
	                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (each(dir, wipe ? wipe_entry : unlink_entry, NULL) != 0)
		return -1;
	return unlinkat(fd, gen, AT_REMOVEDIR);
}

void generation_remove(const struct generation_dir *d, unsigned number)
{
	char gen[GENERATION_DIR_MAX];

	generation_dirname(number, gen);
	(void)remove_generation(d->fd, gen, false);
}

/* Is name a link of ours that leads to "..data/name"? */
static bool is_our_link(int fd, const char *name)
{
	char is[GENERATION_NAME_MAX + 16];
	ssize_t n = readlinkat(fd, name, is, sizeof(is) - 1);

	if (n < (ssize_t)sizeof(GENERATION_DATA))
		return false;
	is[n] = '\0';
	return strncmp(is, GENERATION_DATA "/", sizeof(GENERATION_DATA)) == 0 &&
	       strcmp(is + sizeof(GENERATION_DATA), name) == 0;
}

static int drop_link(int fd, const char *name, void *ctx)
{
	const bool *all = ctx;
	struct stat st;

	if (!is_our_link(fd, name))
		return 0;
	if (!*all && (fstatat(fd, name, &st, 0) == 0 || errno != ENOENT))
		return 0;
	return unlinkat(fd, name, 0);
}

void generation_drop_links(const struct generation_dir *d)
{
	bool all = false;

	(void)each(d->fd, drop_link, &all);
}

int generation_wipe_file(const struct generation_dir *d, unsigned number,
                         const char *name)
{
	char gen[GENERATION_DIR_MAX];
	AUTO_CLOSE int dir = -1;

	generation_dirname(number, gen);
	dir = openat(d->fd, gen, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (wipe_entry(dir, name, NULL) != 0)
		return -1;
	generation_drop_links(d);
	return 0;
}

static int wipe_generation(int fd, const char *name, void *ctx UNUSED)
{
	return generation_parse(name) == 0 ? 0 : remove_generation(fd, name, true);
}

static int remove_if_old(int fd, const char *name, void *ctx)
{
	const unsigned *keep = ctx;
	unsigned number = generation_parse(name);

	return number == 0 || number == keep[0] || number == keep[1]
	               ? 0
	               : remove_generation(fd, name, false);
}

int generation_wipe_all(const struct generation_dir *d)
{
	bool all = true;
	int rc = each(d->fd, wipe_generation, NULL);

	rc |= each(d->fd, drop_link, &all);
	(void)unlinkat(d->fd, GENERATION_DATA, 0);
	(void)unlinkat(d->fd, GENERATION_DATA_TMP, 0);
	(void)unlinkat(d->fd, GENERATION_LINK_TMP, 0);
	return rc == 0 ? 0 : -1;
}

void generation_recover(const struct generation_dir *d, unsigned base)
{
	unsigned keep[2] = { generation_current(d), base };

	(void)unlinkat(d->fd, GENERATION_DATA_TMP, 0);
	(void)unlinkat(d->fd, GENERATION_LINK_TMP, 0);
	(void)each(d->fd, remove_if_old, keep);
	if (keep[0] == 0)
		(void)unlinkat(d->fd, GENERATION_DATA, 0);
	generation_drop_links(d);
}

static int note_generation(int fd, const char *name, void *ctx)
{
	struct stat st;

	if (generation_parse(name) != 0 &&
	    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		*(bool *)ctx = true;
	return 0;
}

bool generation_is_ours(int fd)
{
	bool found = false;

	(void)each(fd, note_generation, &found);
	return found;
}
