/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "buf.h"
#include "frame_impl.h"
#include "vault/limits.h"

/* Room for more descriptors than a peer may send, so that a surplus is seen
 * and closed. */
#define FDS_SEEN 4u

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(FDS_SEEN * sizeof(int))];
};

/* After -1: is it worth another try?  A socket without O_NONBLOCK says EAGAIN when its
 * time limit has passed. */
static int retry(int sock, short events, struct err *e)
{
	struct pollfd pfd = { .fd = sock, .events = events };

	if (errno == EINTR)
		return ERR_OK;
	if (errno == EPIPE || errno == ECONNRESET)
		return err_set(e, ERR_UNREACHABLE, "the peer closed the connection");
	if (errno != EAGAIN)
		return err_sys(e, ERR_IO, errno, "control socket");
	if ((fcntl(sock, F_GETFL) & O_NONBLOCK) == 0)
		return err_set(e, ERR_TIMEOUT, "the peer does not answer");
	(void)poll(&pfd, 1, -1);
	return ERR_OK;
}

static void attach(struct msghdr *m, union control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	m->msg_control = control->buf;
	m->msg_controllen = CMSG_SPACE(sizeof(fd));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int frame_send_fd(int sock, enum ipc_type type, uint64_t id, const struct value *v,
                  int fd, struct err *e)
{
	AUTO_BUF b = { .max = IPC_HEADER + LIMIT_FRAME };
	size_t n = v != NULL ? value_size(v) : 0;
	union control control;
	int rc;

	if (v == NULL || n > LIMIT_FRAME || !buf_reserve(&b, IPC_HEADER + n))
		return err_set(e, ERR_NOMEM, "no memory for a frame of %zu bytes", n);
	frame_header_put(b.p, type, id, n);
	b.len = IPC_HEADER + value_encode(v, b.p + IPC_HEADER);
	while (b.len > 0) {
		struct iovec iov = { b.p + b.start, b.len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t sent;

		if (fd >= 0)
			attach(&m, &control, fd);
		sent = sendmsg(sock, &m, MSG_NOSIGNAL);
		if (sent < 0 && (rc = retry(sock, POLLOUT, e)) != ERR_OK)
			return rc;
		if (sent > 0) {
			buf_take(&b, (size_t)sent);
			fd = -1; /* gone with the first byte */
		}
	}
	return ERR_OK;
}

/* The descriptors of one message: the first becomes *fd if that is free, others are
 * closed and make the message invalid. */
static int collect(struct msghdr *m, int *fd, struct err *e)
{
	bool surplus = (m->msg_flags & MSG_CTRUNC) != 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*fd < 0) {
				*fd = got;
				continue;
			}
			close(got);
			surplus = true;
		}
	}
	return surplus ? err_set(e, ERR_INVALID,
	                         "a frame with descriptors that cannot be taken")
	               : ERR_OK;
}

static int receive(int sock, unsigned char *p, size_t n, int *fd, struct err *e)
{
	union control control;
	size_t have = 0;
	int rc;

	while (have < n) {
		struct iovec iov = { p + have, n - have };
		struct msghdr m = { .msg_iov = &iov,
			            .msg_iovlen = 1,
			            .msg_control = control.buf,
			            .msg_controllen = sizeof(control.buf) };
		ssize_t got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);

		if (got == 0)
			return err_set(e, ERR_UNREACHABLE,
			               "the peer closed the connection");
		if (got < 0 && (rc = retry(sock, POLLIN, e)) != ERR_OK)
			return rc;
		if (got > 0 && (rc = collect(&m, fd, e)) != ERR_OK)
			return rc;
		have += got > 0 ? (size_t)got : 0;
	}
	return ERR_OK;
}

static int receive_frame(int sock, struct arena *a, struct frame *f, struct value **v,
                         int *fd, struct err *e)
{
	unsigned char h[IPC_HEADER];
	unsigned char *p;
	int rc;

	if ((rc = receive(sock, h, sizeof(h), fd, e)) != ERR_OK ||
	    (rc = frame_header_get(h, f, e)) != ERR_OK)
		return rc;
	p = arena_alloc(a, f->len);
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a frame of %zu bytes",
		               f->len);
	if ((rc = receive(sock, p, f->len, fd, e)) != ERR_OK)
		return rc;
	return value_decode(a, p, f->len, v, e);
}

int frame_recv_fd(int sock, struct arena *a, enum ipc_type *type, struct value **v,
                  int *fd, struct err *e)
{
	struct frame f = { 0 };
	int got = -1;
	int rc = receive_frame(sock, a, &f, v, &got, e);

	if (rc != ERR_OK) {
		if (got >= 0)
			close(got);
		return rc;
	}
	*type = (enum ipc_type)f.type;
	*fd = got;
	return ERR_OK;
}
