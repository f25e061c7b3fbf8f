/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H
/*
 * listen - the listening sockets: opened here or inherited by socket activation.
 *
 * Activation (sd_listen_fds(3)): $LISTEN_PID is us, descriptors from 3 on.  A name of
 * "hosts" in $LISTEN_FDNAMES makes a descriptor the hosts listener; every other one
 * serves the API.
 */
#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "err.h"

#define LISTENERS_MAX 16

enum listener_kind { LISTEN_API, LISTEN_HOSTS };

struct listener {
	int fd;
	enum listener_kind kind;
	bool is_unix;
	bool inherited;
	char text[128]; /* "127.0.0.1:8200" with the real port, or a path */
};

struct listeners {
	struct listener l[LISTENERS_MAX];
	size_t n;
};

/** listen_inherit(ls, e): take the activated descriptors (they become close-on-exec) and
 * clear the variables. */
int listen_inherit(struct listeners *ls, struct err *e) MUST_CHECK;

/** listen_tcp(ls, kind, a, e): bind and listen; ERR_CONFLICT when the port is in use. */
int listen_tcp(struct listeners *ls, enum listener_kind kind, const struct address *a,
               struct err *e) MUST_CHECK;

/** listen_unix(ls, path, uid, gid, e): mode 0660; a socket that nobody listens on any
 * more is replaced. */
int listen_unix(struct listeners *ls, const char *path, uid_t uid, gid_t gid,
                struct err *e) MUST_CHECK;

/** listen_has(ls, kind): is there any of that kind? */
bool listen_has(const struct listeners *ls, enum listener_kind kind);

/** listen_close(ls): close all, remove the Unix socket that we made. */
void listen_close(struct listeners *ls);

#endif
