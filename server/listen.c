/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG                                                                \
	4096 /* all hosts of a fleet, after a restart; the kernel may bound it \
	      */
#define FIRST_INHERITED 3

static int add(struct listeners *ls, struct listener l, struct err *e)
{
	if (ls->n == LISTENERS_MAX) {
		close(l.fd);
		return err_set(e, ERR_INVALID, "more than %d listeners", LISTENERS_MAX);
	}
	ls->l[ls->n++] = l;
	return ERR_OK;
}

static int describe(struct listener *l, struct err *e)
{
	struct address a = { .len = sizeof(a.sa) };

	if (getsockname(l->fd, (struct sockaddr *)&a.sa, &a.len) != 0)
		return err_sys(e, ERR_IO, errno, "listening socket");
	l->is_unix = a.sa.ss_family == AF_UNIX;
	if (l->is_unix)
		snprintf(l->text, sizeof(l->text), "%s",
		         ((struct sockaddr_un *)&a.sa)->sun_path);
	else
		address_format(&a, l->text);
	return ERR_OK;
}

/* The name of the i-th descriptor in a list separated by colons. */
static bool name_is(const char *names, unsigned long i, const char *want)
{
	for (; names != NULL && i > 0; i--) {
		names = strchr(names, ':');
		names = names != NULL ? names + 1 : NULL;
	}
	return names != NULL && strncmp(names, want, strlen(want)) == 0 &&
	       (names[strlen(want)] == ':' || names[strlen(want)] == '\0');
}

static int inherit_one(struct listeners *ls, int fd, enum listener_kind kind,
                       struct err *e)
{
	struct listener l = { .fd = fd, .kind = kind, .inherited = true };
	int listening = 0, rc;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 ||
	    !listening)
		return err_set(e, ERR_INVALID,
		               "LISTEN_FDS: descriptor %d is no listening socket", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
		return err_sys(e, ERR_IO, errno, "LISTEN_FDS: descriptor %d", fd);
	if ((rc = describe(&l, e)) != ERR_OK)
		return rc;
	return add(ls, l, e);
}

int listen_inherit(struct listeners *ls, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned long n = 0;
	int rc = ERR_OK;

	if (pid != NULL && count != NULL &&
	    strtoul(pid, NULL, 10) == (unsigned long)getpid())
		n = strtoul(count, NULL, 10);
	if (n > LISTENERS_MAX)
		return err_set(e, ERR_INVALID, "LISTEN_FDS: more than %d sockets",
		               LISTENERS_MAX);
	for (unsigned long i = 0; i < n && rc == ERR_OK; i++)
		rc = inherit_one(ls, FIRST_INHERITED + (int)i,
		                 name_is(names, i, "hosts") ? LISTEN_HOSTS : LISTEN_API,
		                 e);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return rc;
}

int listen_tcp(struct listeners *ls, enum listener_kind kind, const struct address *a,
               struct err *e)
{
	struct listener l = { .kind = kind };
	char text[ADDRESS_TEXT_MAX];
	const int on = 1;
	int rc;

	address_format(a, text);
	l.fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l.fd < 0)
		return err_sys(e, ERR_IO, errno, "cannot listen on %s", text);
	(void)setsockopt(l.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l.fd, (const struct sockaddr *)&a->sa, a->len) != 0 ||
	    listen(l.fd, BACKLOG) != 0) {
		rc = errno == EADDRINUSE ? ERR_CONFLICT
		     : errno == EACCES   ? ERR_DENIED
		                         : ERR_IO;
		err_sys(e, (enum errcode)rc, errno, "cannot listen on %s", text);
	} else {
		rc = describe(&l, e);
	}
	if (rc != ERR_OK) {
		close(l.fd);
		return rc;
	}
	return add(ls, l, e);
}

/* Only a socket whose listener has gone is in the way for nothing. */
static int clear_stale(const struct sockaddr_un *sa, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (lstat(sa->sun_path, &st) != 0)
		return ERR_OK;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT,
		               "unix_socket: '%s' exists and is no socket", sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	    errno != ECONNREFUSED)
		return err_set(e, ERR_CONFLICT, "unix_socket: '%s' is in use",
		               sa->sun_path);
	if (unlink(sa->sun_path) != 0)
		return err_sys(e, ERR_DENIED, errno, "unix_socket: cannot replace '%s'",
		               sa->sun_path);
	return ERR_OK;
}

/* A service manager may forbid chown() altogether, so do not ask for nothing. */
static int give_to(const char *path, uid_t uid, gid_t gid)
{
	return uid == geteuid() && gid == getegid() ? 0 : lchown(path, uid, gid);
}

int listen_unix(struct listeners *ls, const char *path, uid_t uid, gid_t gid,
                struct err *e)
{
	struct listener l = { .kind = LISTEN_API, .is_unix = true };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int rc;

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >=
	    sizeof(sa.sun_path))
		return err_set(e, ERR_INVALID, "unix_socket: the name is too long");
	if ((rc = clear_stale(&sa, e)) != ERR_OK)
		return rc;
	l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(l.text, sizeof(l.text), "%s", path);
	/* The umask of 077 holds until the mode is right. */
	if (l.fd < 0 || bind(l.fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    give_to(path, uid, gid) != 0 || chmod(path, 0660) != 0 ||
	    listen(l.fd, BACKLOG) != 0) {
		err_sys(e, ERR_DENIED, errno, "unix_socket: cannot listen on '%s'", path);
		if (l.fd >= 0)
			close(l.fd);
		return ERR_DENIED;
	}
	return add(ls, l, e);
}

bool listen_has(const struct listeners *ls, enum listener_kind kind)
{
	for (size_t i = 0; i < ls->n; i++)
		if (ls->l[i].kind == kind)
			return true;
	return false;
}

void listen_close(struct listeners *ls)
{
	for (size_t i = 0; i < ls->n; i++) {
		if (ls->l[i].is_unix && !ls->l[i].inherited)
			(void)unlink(ls->l[i].text);
		close(ls->l[i].fd);
	}
	ls->n = 0;
}
