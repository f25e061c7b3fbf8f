/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#include "vault/limits.h"

#define BUF_FIRST (64u * 1024)
#define BUF_KEEP (1024u * 1024) /* an empty buffer larger than this is given back */

struct buf {
	unsigned char *p;
	size_t from, to, cap; /* bytes [from, to) wait */
};

struct frame_conn {
	int fd;
	size_t max_out;
	size_t consumed; /* input before buf.from + consumed was handed out by frame_next() */
	struct buf in, out;
};

static void buf_free(struct buf *b)
{
	if (b->p != NULL)
		sodium_memzero(b->p, b->to);
	free(b->p);
	*b = (struct buf){ 0 };
}

static void put_u32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Room for ${n} more bytes behind what waits.  What moves is wiped where it was. */
static int buf_room(struct buf *b, size_t n)
{
	size_t held = b->to - b->from, cap = b->cap;
	unsigned char *p;

	if (b->cap - b->to >= n)
		return ERR_OK;
	if (b->from > 0 && b->cap - held >= n && b->from >= held) {
		memcpy(b->p, b->p + b->from, held);
		sodium_memzero(b->p + b->from, held);
		b->from = 0;
		b->to = held;
		return ERR_OK;
	}
	cap = cap > 0 ? cap : BUF_FIRST;
	while (cap - held < n)
		cap *= 2;
	p = malloc(cap);
	if (p == NULL)
		return ERR_NOMEM;
	if (held > 0) {
		memcpy(p, b->p + b->from, held);
		sodium_memzero(b->p + b->from, held);
	}
	free(b->p);
	*b = (struct buf){ .p = p, .to = held, .cap = cap };
	return ERR_OK;
}

static void buf_take(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	sodium_memzero(b->p + b->from, n);
	b->from += n;
	if (b->from != b->to)
		return;
	b->from = b->to = 0;
	if (b->cap > BUF_KEEP)
		buf_free(b);
}

struct frame_conn *frame_conn_new(int fd, size_t max_out)
{
	struct frame_conn *c = calloc(1, sizeof(*c));
	int flags = fcntl(fd, F_GETFL);

	if (c == NULL || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		free(c);
		return NULL;
	}
	c->fd = fd;
	c->max_out = max_out;
	return c;
}

void frame_conn_free(struct frame_conn *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

int frame_conn_fd(const struct frame_conn *c)
{
	return c->fd;
}

static void forget_last(struct frame_conn *c)
{
	buf_take(&c->in, c->consumed);
	c->consumed = 0;
}

int frame_read(struct frame_conn *c, struct err *e)
{
	ssize_t got;

	forget_last(c);
	if (c->in.to - c->in.from >= IPC_HEADER + (size_t)LIMIT_FRAME)
		return ERR_OK; /* a whole frame waits: let it be taken first */
	if (buf_room(&c->in, BUF_FIRST / 2) != ERR_OK)
		return err_set(e, ERR_NOMEM, "out of memory");
	got = recv(c->fd, c->in.p + c->in.to, c->in.cap - c->in.to, 0);
	if (got > 0) {
		c->in.to += (size_t)got;
		return ERR_OK;
	}
	if (got == 0)
		return err_set(e, ERR_UNREACHABLE, "the peer closed the connection");
	if (errno == EAGAIN || errno == EINTR)
		return ERR_OK;
	return err_sys(e, errno == ECONNRESET ? ERR_UNREACHABLE : ERR_IO, errno, "recv");
}

/* 1: a whole frame at p; 0: not yet; -1: no frame of ours. */
static int parse(const unsigned char *p, size_t n, struct frame *f, struct err *e)
{
	uint32_t len;

	if (n < IPC_HEADER)
		return 0;
	len = get_u32(p);
	if (p[5] != IPC_VERSION || p[6] != 0 || p[7] != 0 || len > LIMIT_FRAME) {
		err_set(e, ERR_INVALID, "malformed frame header");
		return -1;
	}
	if (n - IPC_HEADER < len)
		return 0;
	f->type = p[4];
	f->id = (uint64_t)get_u32(p + 8) << 32 | get_u32(p + 12);
	f->payload = p + IPC_HEADER;
	f->len = len;
	return 1;
}

int frame_next(struct frame_conn *c, struct frame *f, struct err *e)
{
	const unsigned char *p;
	int got;

	forget_last(c);
	if (c->in.p == NULL)
		return 0;
	p = c->in.p + c->in.from;
	got = parse(p, c->in.to - c->in.from, f, e);
	if (got == 1)
		c->consumed = IPC_HEADER + f->len;
	return got;
}

static void put_header(unsigned char *p, enum ipc_type type, uint64_t id, size_t len)
{
	put_u32(p, (uint32_t)len);
	p[4] = (unsigned char)type;
	p[5] = IPC_VERSION;
	p[6] = p[7] = 0;
	put_u32(p + 8, (uint32_t)(id >> 32));
	put_u32(p + 12, (uint32_t)id);
}

/* Room in the output for a frame of ${len}; its header is written. */
static int reserve(struct frame_conn *c, enum ipc_type type, uint64_t id, size_t len)
{
	if (len > LIMIT_FRAME || frame_pending(c) + IPC_HEADER + len > c->max_out)
		return ERR_FULL;
	if (buf_room(&c->out, IPC_HEADER + len) != ERR_OK)
		return ERR_NOMEM;
	put_header(c->out.p + c->out.to, type, id, len);
	c->out.to += IPC_HEADER;
	return ERR_OK;
}

int frame_put(struct frame_conn *c, enum ipc_type type, uint64_t id, const struct value *v)
{
	size_t len = v != NULL ? value_size(v) : 0;
	int rc;

	if (v == NULL)
		return ERR_NOMEM;
	if ((rc = reserve(c, type, id, len)) != ERR_OK)
		return rc;
	c->out.to += value_encode(v, c->out.p + c->out.to);
	return ERR_OK;
}

int frame_put_raw(struct frame_conn *c, enum ipc_type type, uint64_t id, const void *p, size_t n)
{
	int rc = reserve(c, type, id, n);

	if (rc != ERR_OK)
		return rc;
	if (n > 0)
		memcpy(c->out.p + c->out.to, p, n);
	c->out.to += n;
	return ERR_OK;
}

int frame_flush(struct frame_conn *c, struct err *e)
{
	while (frame_pending(c) > 0) {
		ssize_t sent = send(c->fd, c->out.p + c->out.from, frame_pending(c), MSG_NOSIGNAL);

		if (sent >= 0)
			buf_take(&c->out, (size_t)sent);
		else if (errno == EAGAIN)
			return ERR_OK;
		else if (errno != EINTR)
			return err_sys(e, ERR_UNREACHABLE, errno, "send");
	}
	return ERR_OK;
}

size_t frame_pending(const struct frame_conn *c)
{
	return c->out.to - c->out.from;
}

size_t frame_buffered(const struct frame_conn *c)
{
	return c->in.to - c->in.from - c->consumed;
}

static int send_all(int sock, const unsigned char *p, size_t n, int fd, struct err *e)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };

	while (n > 0) {
		struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t sent;

		if (fd >= 0) {
			struct cmsghdr *c;

			m.msg_control = control.space;
			m.msg_controllen = sizeof(control.space);
			c = CMSG_FIRSTHDR(&m);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(c), &fd, sizeof(int));
		}
		sent = sendmsg(sock, &m, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return err_sys(e, ERR_UNREACHABLE, errno, "control socket");
		fd = -1; /* goes with the first byte, once */
		p += sent;
		n -= (size_t)sent;
	}
	return ERR_OK;
}

int frame_send_fd(int sock, enum ipc_type type, uint64_t id, const struct value *v, int fd,
                  struct err *e)
{
	size_t len = v != NULL ? value_size(v) : 0;
	unsigned char *p;
	int rc;

	if (v == NULL || (p = malloc(IPC_HEADER + len)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	put_header(p, type, id, len);
	value_encode(v, p + IPC_HEADER);
	rc = send_all(sock, p, IPC_HEADER + len, fd, e);
	sodium_memzero(p, IPC_HEADER + len);
	free(p);
	return rc;
}

static void take_fd(struct msghdr *m, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		if (*fd >= 0)
			close(*fd);
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	}
}

static int recv_all(int sock, unsigned char *p, size_t n, int *fd, struct err *e)
{
	while (n > 0) {
		union {
			struct cmsghdr align;
			char space[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = { .iov_base = p, .iov_len = n };
		struct msghdr m = { .msg_iov = &iov,
			            .msg_iovlen = 1,
			            .msg_control = control.space,
			            .msg_controllen = sizeof(control.space) };
		ssize_t got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, ERR_UNREACHABLE, errno, "control socket");
		if (got == 0)
			return err_set(e, ERR_UNREACHABLE, "the peer closed the control socket");
		take_fd(&m, fd);
		p += got;
		n -= (size_t)got;
	}
	return ERR_OK;
}

static int recv_frame(int sock, struct arena *a, enum ipc_type *type, struct value **v, int *fd,
                      struct err *e)
{
	unsigned char header[IPC_HEADER], *body;
	struct frame f;
	uint32_t len;
	int rc;

	if ((rc = recv_all(sock, header, sizeof(header), fd, e)) != ERR_OK)
		return rc;
	len = get_u32(header);
	if (parse(header, sizeof(header), &f, e) < 0)
		return ERR_INVALID;
	if ((body = arena_alloc(a, len)) == NULL)
		return err_set(e, ERR_TOO_BIG, "control frame of %u bytes", (unsigned)len);
	if ((rc = recv_all(sock, body, len, fd, e)) != ERR_OK)
		return rc;
	*type = (enum ipc_type)header[4];
	return value_decode(a, body, len, v, e);
}

int frame_recv_fd(int sock, struct arena *a, enum ipc_type *type, struct value **v, int *fd,
                  struct err *e)
{
	int got = -1, rc = recv_frame(sock, a, type, v, &got, e);

	if (rc != ERR_OK && got >= 0) {
		close(got);
		got = -1;
	}
	*fd = got;
	return rc;
}
