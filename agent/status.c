/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "reply.h"
#include "session.h"

#define CLIENTS     8u
#define REQUEST_MAX 1024u

struct client {
	int fd; /* -1: free */
	size_t n;
	char request[REQUEST_MAX];
};

struct status_server {
	int fd;
	int epoll_fd;
	size_t next; /* to be sacrificed when all are taken */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct client clients[CLIENTS];
};

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

static int bind_socket(int fd, const char *path, struct err *e)
{
	struct sockaddr_un to;
	int rc = address_of(path, &to, e);

	if (rc != ERR_OK)
		return rc;
	if (is_alive(&to))
		return err_set(e, ERR_BUSY, "another vault-agent answers at '%s'", path);
	(void)unlink(path);
	if (bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
	    chmod(path, 0660) != 0 || listen(fd, (int)CLIENTS) != 0)
		return err_sys(e, ERR_IO, errno, "listening at '%s'", path);
	return ERR_OK;
}

int status_listen(const char *path, struct status_server **out, struct err *e)
{
	struct status_server *st = calloc(1, sizeof(*st));
	int rc;

	if (st == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	st->epoll_fd = -1;
	for (size_t i = 0; i < CLIENTS; i++)
		st->clients[i].fd = -1;
	st->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = st->fd < 0 ? err_sys(e, ERR_IO, errno, "making a socket")
	                : bind_socket(st->fd, path, e);
	if (rc != ERR_OK) {
		status_free(st);
		return rc;
	}
	memcpy(st->path, path, strlen(path) + 1);
	*out = st;
	return ERR_OK;
}

void status_free(struct status_server *st)
{
	if (st == NULL)
		return;
	for (size_t i = 0; i < CLIENTS; i++)
		if (st->clients[i].fd >= 0)
			close(st->clients[i].fd);
	if (st->fd >= 0)
		close(st->fd);
	if (st->path[0] != '\0')
		(void)unlink(st->path);
	free(st);
}

static int add_to_loop(const struct status_server *st, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(st->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

int status_attach(struct status_server *st, int epoll_fd, struct err *e)
{
	st->epoll_fd = epoll_fd;
	if (add_to_loop(st, st->fd) != 0)
		return err_sys(e, ERR_IO, errno, "watching the status socket");
	return ERR_OK;
}

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->n = 0;
}

/* When all places are taken the oldest goes: no timers are needed. */
static void accept_client(struct status_server *st)
{
	int fd = accept4(st->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = NULL;

	if (fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS && c == NULL; i++)
		if (st->clients[i].fd < 0)
			c = &st->clients[i];
	if (c == NULL) {
		c = &st->clients[st->next++ % CLIENTS];
		drop(c);
	}
	c->fd = fd;
	c->n = 0;
	if (add_to_loop(st, fd) != 0)
		drop(c);
}

static void send_text(int fd, const char *status, const char *body)
{
	int size = (int)strlen(body) + 1024;
	char head[160];

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	snprintf(
		head, sizeof(head),
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		status, strlen(body));
	if (send(fd, head, strlen(head), MSG_NOSIGNAL | MSG_MORE) > 0)
		(void)!send(fd, body, strlen(body), MSG_NOSIGNAL);
}

static void answer(const struct client *c, const struct session *s)
{
	AUTO_JSON doc = NULL;
	AUTO_TEXT text = NULL;

	if (strncmp(c->request, "GET /status ", 12) != 0 &&
	    strncmp(c->request, "GET /v1/status ", 15) != 0) {
		send_text(c->fd, "404 Not Found",
		          "{\"errors\":[\"there is only GET /status\"]}\n");
		return;
	}
	doc = session_status(s);
	text = doc != NULL ? reply_text(doc) : NULL;
	send_text(c->fd, text != NULL ? "200 OK" : "503 Service Unavailable",
	          text != NULL ? text : "{}");
}

static void read_client(struct client *c, const struct session *s)
{
	ssize_t n = recv(c->fd, c->request + c->n, sizeof(c->request) - 1 - c->n, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		c->n += (size_t)n;
		c->request[c->n] = '\0';
		if (strstr(c->request, "\r\n\r\n") == NULL &&
		    c->n < sizeof(c->request) - 1)
			return;
		answer(c, s);
	}
	drop(c);
}

bool status_event(struct status_server *st, int fd, unsigned events,
                  const struct session *s)
{
	if (fd == st->fd) {
		accept_client(st);
		return true;
	}
	for (size_t i = 0; i < CLIENTS; i++)
		if (st->clients[i].fd == fd && fd >= 0) {
			if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
				read_client(&st->clients[i], s);
			return true;
		}
	return false;
}
