/* SPDX-License-Identifier: Apache-2.0 */
#include "datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "vault/limits.h"

#define DEFAULT_USER "vaultd"

static int find_group(const char *group, struct owner *out, struct err *e)
{
	const struct group *gr;

	if (group == NULL || *group == '\0')
		return ERR_OK;
	gr = getgrnam(group);
	if (gr == NULL)
		return err_set(e, ERR_INVALID, "group: there is no group '%s'", group);
	out->gid = gr->gr_gid;
	return ERR_OK;
}

int datadir_owner(const char *user, const char *group, struct owner *out, struct err *e)
{
	bool named = user != NULL && *user != '\0';
	const struct passwd *pw = getpwnam(named ? user : DEFAULT_USER);

	*out = (struct owner){ .uid = geteuid(), .gid = getegid() };
	if (named && pw == NULL)
		return err_set(e, ERR_INVALID, "user: there is no user '%s'", user);
	if (named && geteuid() != 0 && pw->pw_uid != geteuid())
		return err_set(e, ERR_DENIED, "user: only root can start vaultd as '%s'",
		               user);
	if (pw == NULL || pw->pw_uid == 0 || geteuid() != 0)
		return ERR_OK;
	out->drop = true;
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	snprintf(out->name, sizeof(out->name), "%s", pw->pw_name);
	return find_group(group, out, e);
}

static int make_parents(const char *path, struct err *e)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = strchr(part + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return err_sys(e, ERR_DENIED, errno,
			               "data_dir: cannot create '%s'", part);
		*p = '/';
	}
	return ERR_OK;
}

/* *fresh: it was not there before, so it may be given away. */
static int open_dir(int at, const char *name, const char *shown, bool *fresh,
                    struct err *e)
{
	int fd;

	*fresh = mkdirat(at, name, 0700) == 0;
	if (!*fresh && errno != EEXIST)
		return -err_sys(e,
		                errno == EROFS || errno == EACCES ? ERR_DENIED : ERR_IO,
		                errno, "data_dir: cannot create '%s'", shown);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ELOOP || errno == ENOTDIR)
		return -err_set(e, ERR_DENIED,
		                "data_dir: '%s' is a symbolic link or no directory",
		                shown);
	return -err_sys(e, ERR_DENIED, errno, "data_dir: cannot open '%s'", shown);
}

static int check_dir(int fd, const char *shown, uid_t uid, struct err *e)
{
	const struct passwd *pw;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, errno, "data_dir: '%s'", shown);
	if ((st.st_mode & 077) != 0)
		return err_set(
			e, ERR_DENIED,
			"data_dir: '%s' is open to others (mode %04o): chmod 700 it",
			shown, st.st_mode & 07777);
	if (st.st_uid != uid) {
		pw = getpwuid(uid);
		return err_set(
			e, ERR_DENIED,
			"data_dir: '%s' belongs to user id %u, but vaultd runs as %s: "
			"chown -R it",
			shown, st.st_uid, pw != NULL ? pw->pw_name : "another");
	}
	return ERR_OK;
}

static int check_writable(const struct datadir *d, struct err *e)
{
	if (faccessat(d->fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return err_sys(e, ERR_DENIED, errno, "data_dir: cannot write to '%s'",
		               d->path);
	return ERR_OK;
}

static int open_tls(struct datadir *d, struct err *e)
{
	char shown[sizeof(d->path) + 8];
	bool fresh;
	int fd;

	snprintf(shown, sizeof(shown), "%s/tls", d->path);
	fd = open_dir(d->fd, "tls", shown, &fresh, e);
	if (fd < 0)
		return -fd;
	d->tls_fd = fd;
	return check_dir(fd, shown, geteuid(), e);
}

static int adopt(struct datadir *d, const struct owner *owner, bool fresh, struct err *e)
{
	int rc;

	if (fresh && owner->drop && fchown(d->fd, owner->uid, owner->gid) != 0)
		return err_sys(e, ERR_DENIED, errno, "data_dir: cannot give '%s' to '%s'",
		               d->path, owner->name);
	if ((rc = check_dir(d->fd, d->path, owner->uid, e)) != ERR_OK ||
	    (rc = check_writable(d, e)) != ERR_OK)
		return rc;
	if (flock(d->fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(e, ERR_CONFLICT, "data_dir: another vaultd uses '%s'",
		               d->path);
	return open_tls(d, e);
}

int datadir_open(struct datadir *d, const char *path, const struct owner *owner,
                 struct err *e)
{
	bool fresh;
	int rc;

	*d = (struct datadir){ .fd = -1, .tls_fd = -1 };
	if ((size_t)snprintf(d->path, sizeof(d->path), "%s", path) >= sizeof(d->path))
		return err_set(e, ERR_INVALID, "data_dir: the name is too long");
	if ((rc = make_parents(d->path, e)) != ERR_OK)
		return rc;
	d->fd = open_dir(AT_FDCWD, d->path, d->path, &fresh, e);
	if (d->fd < 0) {
		rc = -d->fd;
		d->fd = -1;
		return rc;
	}
	return adopt(d, owner, fresh, e);
}

static const char *temporary_base(void)
{
	const char *base = getenv("TMPDIR");

	return base != NULL && *base == '/' ? base : "/tmp";
}

int datadir_temporary(struct datadir *d, const struct owner *owner, struct err *e)
{
	const char *base = temporary_base();

	*d = (struct datadir){ .fd = -1, .tls_fd = -1 };
	if ((size_t)snprintf(d->path, sizeof(d->path), "%s/vaultd-dev-XXXXXX", base) >=
	    sizeof(d->path))
		return err_set(e, ERR_INVALID, "TMPDIR is too long");
	if (mkdtemp(d->path) == NULL)
		return err_sys(e, ERR_DENIED, errno,
		               "cannot create a directory below '%s'", base);
	d->temporary = true;
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return err_sys(e, ERR_IO, errno, "'%s'", d->path);
	return adopt(d, owner, true, e);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at UNUSED)
{
	(void)remove(path);
	return 0;
}

int datadir_scratch(struct scratch *s, const struct owner *owner, struct err *e)
{
	const char *base = temporary_base();

	if ((size_t)snprintf(s->path, sizeof(s->path), "%s/vaultd-rotate-XXXXXX", base) >=
	    sizeof(s->path)) {
		s->path[0] = '\0';
		return err_set(e, ERR_INVALID, "TMPDIR is too long");
	}
	if (mkdtemp(s->path) == NULL) {
		s->path[0] = '\0';
		return err_sys(e, ERR_DENIED, errno,
		               "cannot create a directory below '%s'", base);
	}
	if (owner->drop && lchown(s->path, owner->uid, owner->gid) != 0)
		return err_sys(e, ERR_DENIED, errno, "cannot give '%s' to '%s'", s->path,
		               owner->name);
	return ERR_OK;
}

void datadir_scratch_remove(struct scratch *s)
{
	if (s->path[0] != '\0')
		(void)nftw(s->path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	s->path[0] = '\0';
}

void datadir_close(struct datadir *d)
{
	if (d->temporary)
		(void)nftw(d->path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (d->tls_fd >= 0)
		close(d->tls_fd);
	if (d->fd >= 0)
		close(d->fd);
	*d = (struct datadir){ .fd = -1, .tls_fd = -1 };
}

int datadir_read(int dirfd, const char *name, struct arena *a, char **out, size_t *len,
                 struct err *e)
{
	AUTO_CLOSE int fd = openat(dirfd, name,
	                           O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;
	char *p;

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "'%s'",
		               name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_IO, "'%s' is no regular file", name);
	if (st.st_size > (off_t)LIMIT_CONFIG_FILE)
		return err_set(e, ERR_TOO_BIG, "'%s' is larger than %u bytes", name,
		               LIMIT_CONFIG_FILE);
	p = arena_alloc(a, (size_t)st.st_size + 1);
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = read(fd, p, (size_t)st.st_size);
	if (n != st.st_size)
		return err_sys(e, ERR_IO, n < 0 ? errno : EIO, "'%s'", name);
	*out = p;
	*len = (size_t)n;
	return ERR_OK;
}
