/* SPDX-License-Identifier: Apache-2.0 */
#include "vet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sha256.h"

#define BLOCK    (64u * 1024)
#define FILE_MAX (256ll * 1024 * 1024)

static int check_stat(const struct vet_order *o, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_INVALID, "'%s' is no regular file", o->path);
	if (st->st_uid != 0 && st->st_uid != o->trusted)
		return err_set(e, ERR_DENIED,
		               "'%s' belongs to user id %u: it must be root's", o->path,
		               st->st_uid);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(e, ERR_DENIED,
		               "'%s' can be written by others (mode %04o): chmod go-w it",
		               o->path, st->st_mode & 07777);
	if ((st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return err_set(e, ERR_INVALID, "'%s' is not executable", o->path);
	if (st->st_size > FILE_MAX)
		return err_set(e, ERR_INVALID, "'%s' is too large", o->path);
	return ERR_OK;
}

/* Whoever may write to the directory may put another file in its place. */
static int check_parent(const struct vet_order *o, struct err *e)
{
	const char *slash = strrchr(o->path, '/');
	size_t n = slash != NULL ? (size_t)(slash - o->path) : 0;
	char dir[4096];
	struct stat st;

	if (n == 0 || n >= sizeof(dir))
		return ERR_OK;
	memcpy(dir, o->path, n);
	dir[n] = '\0';
	if (stat(dir, &st) != 0)
		return err_sys(e, ERR_NOENT, errno, "'%s'", dir);
	if (st.st_uid != 0 && st.st_uid != o->trusted)
		return err_set(e, ERR_DENIED,
		               "'%s' belongs to user id %u: it must be root's", dir,
		               st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0)
		return err_set(e, ERR_DENIED,
		               "'%s' can be written by others (mode %04o): chmod go-w it",
		               dir, st.st_mode & 07777);
	return ERR_OK;
}

static int hash(int fd, struct vetted *out)
{
	unsigned char block[BLOCK];
	struct sha256 h;
	ssize_t n;
	off_t at = 0;

	sha256_start(&h);
	while ((n = pread(fd, block, sizeof(block), at)) > 0) {
		if (at == 0)
			out->script = n > 2 && block[0] == '#' && block[1] == '!';
		sha256_add(&h, block, (size_t)n);
		at += n;
	}
	sha256_end(&h, out->sha256);
	return n == 0 ? 0 : -1;
}

static int judge(int fd, const struct vet_order *o, struct vetted *out, struct err *e)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, errno, "'%s'", o->path);
	if ((rc = check_stat(o, &st, e)) != ERR_OK || (rc = check_parent(o, e)) != ERR_OK)
		return rc;
	if (hash(fd, out) != 0)
		return err_sys(e, ERR_IO, errno, "reading '%s'", o->path);
	if (o->pin != NULL && memcmp(o->pin, out->sha256, 32) != 0)
		return err_set(e, ERR_DENIED,
		               "'%s' has not the SHA-256 that is configured for it",
		               o->path);
	return ERR_OK;
}

int vet_file(const struct vet_order *o, struct vetted *out, struct err *e)
{
	int fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_DENIED, errno,
		               "cannot open '%s'", o->path);
	rc = judge(fd, o, out, e);
	if (rc == ERR_OK)
		out->fd = fd;
	else
		close(fd);
	return rc;
}
