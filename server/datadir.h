/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_DATADIR_H
#define SERVER_DATADIR_H
/*
 * datadir - the directory that is vaultd's: 0700, one server at a time, no symbolic link.
 *
 * Core may have another user than the supervisor, and owns the directory then: what the
 * supervisor keeps in tls/ is reached through descriptors only, without following links.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "arena.h"
#include "err.h"

struct owner {
	bool drop; /* roles change to uid and gid */
	uid_t uid;
	gid_t gid;
	char name[33];
};

struct datadir {
	int fd;     /* the directory, locked against a second server; -1: none */
	int tls_fd; /* its tls/ */
	bool temporary;
	char path[4096];
};

/** datadir_owner(user, group, out, e): whom the roles become.  ${user} NULL or empty:
 * "vaultd" if root starts us and there is such a user; otherwise nobody else. */
int datadir_owner(const char *user, const char *group, struct owner *out, struct err *e)
	MUST_CHECK;

/** datadir_open(d, path, owner, e): create what is missing (0700), refuse what others
 * could change, lock. */
int datadir_open(struct datadir *d, const char *path, const struct owner *owner,
                 struct err *e) MUST_CHECK;

/** datadir_temporary(d, owner, e): the same for a fresh directory below $TMPDIR. */
int datadir_temporary(struct datadir *d, const struct owner *owner, struct err *e)
	MUST_CHECK;

/** datadir_close(d): unlock; a temporary one is removed with all that is in it. */
void datadir_close(struct datadir *d);

/* A directory for what lives as long as the server. */
struct scratch {
	char path[256]; /* empty: none */
};
/** datadir_scratch(s, owner, e): make it below $TMPDIR, for ${owner} alone. */
int datadir_scratch(struct scratch *s, const struct owner *owner, struct err *e)
	MUST_CHECK;
/** datadir_scratch_remove(s): with all that is in it. */
void datadir_scratch_remove(struct scratch *s);

/** datadir_read(dirfd, name, a, out, len, e): a regular file (at most 256 KiB), links not
 * followed; ERR_NOENT, ERR_TOO_BIG, ERR_IO. */
int datadir_read(int dirfd, const char *name, struct arena *a, char **out, size_t *len,
                 struct err *e) MUST_CHECK;

#endif
