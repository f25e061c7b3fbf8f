/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define FIRST_CAP 1024u
#define HEAD_MAX  512u /* of an answer */

enum client_state { CLIENT_FREE, CLIENT_READING, CLIENT_WAITING, CLIENT_WRITING };

struct httpd_client {
	struct httpd *h;
	enum client_state state;
	int fd;
	size_t age; /* smaller: older */
	char *p;    /* what was received, then what is to be sent */
	size_t n, cap, sent;
	size_t head; /* bytes of the head, 0: not all there */
	size_t want; /* of the whole request, once the head is there */
};

struct httpd {
	struct httpd_options o;
	int fd;
	int epoll_fd;
	size_t accepted;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct httpd_client clients[];
};

/* --- the socket ----------------------------------------------------------------------
 */

static int address_of(const char *path, struct sockaddr_un *to, struct err *e)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(to->sun_path))
		return err_set(e, ERR_USAGE, "'%s' is too long for a socket", path);
	memcpy(to->sun_path, path, strlen(path) + 1);
	return ERR_OK;
}

static bool is_alive(const struct sockaddr_un *to)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0;
}

static int bind_socket(int fd, const struct httpd_options *o, struct err *e)
{
	struct sockaddr_un to;
	int rc = address_of(o->path, &to, e);

	if (rc != ERR_OK)
		return rc;
	if (is_alive(&to))
		return err_set(e, ERR_BUSY, "somebody else answers at '%s'", o->path);
	(void)unlink(o->path);
	if (bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
	    chmod(o->path, o->mode) != 0 || listen(fd, SOMAXCONN) != 0)
		return err_sys(e, ERR_IO, errno, "listening at '%s'", o->path);
	return ERR_OK;
}

int httpd_listen(const struct httpd_options *o, struct httpd **out, struct err *e)
{
	struct httpd *h = calloc(1, sizeof(*h) + o->clients * sizeof(h->clients[0]));
	int rc;

	if (h == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	h->o = *o;
	h->epoll_fd = -1;
	h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = h->fd < 0 ? err_sys(e, ERR_IO, errno, "making a socket")
	               : bind_socket(h->fd, o, e);
	if (rc != ERR_OK) {
		httpd_free(h);
		return rc;
	}
	memcpy(h->path, o->path, strlen(o->path) + 1);
	h->o.path = h->path;
	*out = h;
	return ERR_OK;
}

/* Answers may be secret. */
static void wipe(struct httpd_client *c)
{
	if (c->p != NULL)
		explicit_bzero(c->p, c->n > c->cap ? c->n : c->cap);
	free(c->p);
	c->p = NULL;
}

static void drop(struct httpd_client *c)
{
	if (c->state == CLIENT_WAITING && c->h->o.gone != NULL)
		c->h->o.gone(c->h->o.ctx, c);
	close(c->fd);
	wipe(c);
	*c = (struct httpd_client){ .state = CLIENT_FREE };
}

void httpd_free(struct httpd *h)
{
	if (h == NULL)
		return;
	h->o.gone = NULL;
	for (size_t i = 0; i < h->o.clients; i++)
		if (h->clients[i].state != CLIENT_FREE)
			drop(&h->clients[i]);
	if (h->fd >= 0)
		close(h->fd);
	if (h->path[0] != '\0')
		(void)unlink(h->path);
	free(h);
}

static int watch(const struct httpd *h, int fd, int op, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(h->epoll_fd, op, fd, &ev);
}

int httpd_attach(struct httpd *h, int epoll_fd, struct err *e)
{
	h->epoll_fd = epoll_fd;
	if (watch(h, h->fd, EPOLL_CTL_ADD, EPOLLIN) != 0)
		return err_sys(e, ERR_IO, errno, "watching '%s'", h->path);
	return ERR_OK;
}

/* --- connections ---------------------------------------------------------------------
 */

/* A free place, or the oldest that can be given up; NULL: all wait for our answer. */
static struct httpd_client *place(struct httpd *h)
{
	struct httpd_client *oldest = NULL;

	for (size_t i = 0; i < h->o.clients; i++) {
		struct httpd_client *c = &h->clients[i];

		if (c->state == CLIENT_FREE)
			return c;
		if (c->state != CLIENT_WAITING &&
		    (oldest == NULL || c->age < oldest->age))
			oldest = c;
	}
	if (oldest != NULL)
		drop(oldest);
	return oldest;
}

/* The mode of the socket's file keeps others away; this does where it cannot. */
static bool may_ask(const struct httpd *h, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);

	if (!h->o.trusted)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	       n == sizeof(peer) && (peer.uid == 0 || peer.uid == geteuid());
}

static void accept_client(struct httpd *h)
{
	int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct httpd_client *c = fd >= 0 && may_ask(h, fd) ? place(h) : NULL;

	if (c == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->h = h;
	c->fd = fd;
	c->state = CLIENT_READING;
	c->age = h->accepted++;
	if (watch(h, fd, EPOLL_CTL_ADD, EPOLLIN) != 0)
		drop(c);
}

static void write_client(struct httpd_client *c)
{
	while (c->sent < c->n) {
		ssize_t n = send(c->fd, c->p + c->sent, c->n - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    watch(c->h, c->fd, EPOLL_CTL_MOD, EPOLLOUT) == 0)
			return;
		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	drop(c);
}

void httpd_reply(struct httpd_client *c, const char *status, const char *type,
                 const char *body)
{
	char head[HEAD_MAX], *text = NULL;
	size_t len = strlen(body);
	int n = snprintf(head, sizeof(head),
	                 "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	                 "Connection: close\r\n\r\n",
	                 status, type, len);

	/* At once in the size that it has: what grows leaves copies behind. */
	if (n > 0 && (size_t)n < sizeof(head) &&
	    (text = malloc((size_t)n + len + 1)) != NULL) {
		memcpy(text, head, (size_t)n);
		memcpy(text + n, body, len + 1);
	}
	wipe(c);
	c->p = text;
	c->n = text != NULL ? (size_t)n + len : 0;
	c->cap = c->sent = 0;
	c->state = CLIENT_WRITING;
	write_client(c);
}

/* --- requests ------------------------------------------------------------------------
 */

static void refuse(struct httpd_client *c, const char *status)
{
	httpd_reply(c, status, "text/plain", "");
}

/* The value of a header, "" if it is not there; the head is NUL-terminated lines. */
static const char *header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = strstr(head, "\r\n"); at != NULL; at = strstr(at, "\r\n")) {
		at += 2;
		if (strncasecmp(at, name, n) == 0 && at[n] == ':')
			return at + n + 1 + strspn(at + n + 1, " \t");
	}
	return "";
}

/* How long the body is; -1 if it cannot be said. */
static long body_length(const char *head)
{
	const char *s = header(head, "Content-Length");
	char *end = NULL;
	long n;

	if (*header(head, "Transfer-Encoding") != '\0')
		return -1;
	if (*s == '\0')
		return 0;
	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	n = strtol(s, &end, 10);
	return errno == 0 && strncmp(end, "\r\n", 2) == 0 ? n : -1;
}

/* true: go on reading. */
static bool read_head(struct httpd_client *c)
{
	char *end = strstr(c->p, "\r\n\r\n");
	size_t max = c->h->o.request_max;
	long body;

	if (end == NULL) {
		if (c->n < max && memchr(c->p, '\0', c->n) == NULL)
			return true;
		refuse(c, "431 Request Header Fields Too Large");
		return false;
	}
	end[2] = '\0'; /* headers end in \r\n; the body is behind */
	body = body_length(c->p);
	c->head = (size_t)(end - c->p) + 4;
	if (body < 0) {
		refuse(c, "411 Length Required");
		return false;
	}
	if ((size_t)body > max - c->head) {
		refuse(c, "413 Content Too Large");
		return false;
	}
	c->want = c->head + (size_t)body;
	return true;
}

static void serve(struct httpd_client *c)
{
	char *path = strchr(c->p, ' '),
	     *end = path != NULL ? strchr(path + 1, ' ') : NULL;
	struct httpd_request q = { .method = c->p, .body = c->p + c->head };

	if (end == NULL || strncmp(end, " HTTP/1.", 8) != 0 || path[1] != '/') {
		refuse(c, "400 Bad Request");
		return;
	}
	*path = *end = '\0';
	q.path = path + 1;
	q.len = c->want - c->head;
	c->p[c->want] = '\0';
	c->state = CLIENT_WAITING;
	c->h->o.serve(c->h->o.ctx, c, &q);
}

static bool room(struct httpd_client *c)
{
	size_t cap = c->cap != 0 ? 2 * c->cap : FIRST_CAP;
	char *p;

	if (c->n + 1 < c->cap)
		return true;
	if (cap > c->h->o.request_max + 1)
		cap = c->h->o.request_max + 1;
	if (cap <= c->cap || (p = realloc(c->p, cap)) == NULL)
		return false;
	c->p = p;
	c->cap = cap;
	return true;
}

static void read_client(struct httpd_client *c)
{
	ssize_t n;

	if (!room(c)) {
		drop(c);
		return;
	}
	n = recv(c->fd, c->p + c->n, c->cap - 1 - c->n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->n += (size_t)n;
	c->p[c->n] = '\0';
	if (c->head == 0 && (!read_head(c) || c->head == 0))
		return;
	if (c->n >= c->want)
		serve(c);
}

/* Anything that comes while an answer is owed is the end of the connection, or noise. */
static void on_client(struct httpd_client *c, unsigned events)
{
	char noise[256];

	switch (c->state) {
	case CLIENT_READING:
		read_client(c);
		break;
	case CLIENT_WRITING:
		write_client(c);
		break;
	case CLIENT_WAITING:
		if ((events & (EPOLLHUP | EPOLLERR)) != 0 ||
		    recv(c->fd, noise, sizeof(noise), 0) == 0)
			drop(c);
		break;
	case CLIENT_FREE:
		break;
	}
}

bool httpd_event(struct httpd *h, int fd, unsigned events)
{
	if (fd == h->fd) {
		accept_client(h);
		return true;
	}
	for (size_t i = 0; i < h->o.clients; i++)
		if (h->clients[i].state != CLIENT_FREE && h->clients[i].fd == fd) {
			on_client(&h->clients[i], events);
			return true;
		}
	return false;
}
