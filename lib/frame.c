/* SPDX-License-Identifier: Apache-2.0 */
#include "frame_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "buf.h"
#include "vault/limits.h"

#define READ_SIZE ((size_t)64 * 1024)

struct frame_conn {
	int fd;
	size_t taken; /* bytes of the frame that the caller still looks at */
	struct buf in;
	struct buf out;
};

static void put_be(unsigned char *p, uint64_t n, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0; n >>= 8)
		p[i] = (unsigned char)n;
}

static uint64_t get_be(const unsigned char *p, unsigned bytes)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

void frame_header_put(unsigned char h[IPC_HEADER], enum ipc_type type, uint64_t id,
                      size_t len)
{
	put_be(h, len, 4);
	h[4] = (unsigned char)type;
	h[5] = IPC_VERSION;
	put_be(h + 6, 0, 2);
	put_be(h + 8, id, 8);
}

int frame_header_get(const unsigned char h[IPC_HEADER], struct frame *f, struct err *e)
{
	size_t len = (size_t)get_be(h, 4);

	if (len > LIMIT_FRAME)
		return err_set(e, ERR_INVALID, "frame of %zu bytes is too large", len);
	if (h[4] == 0 || h[5] != IPC_VERSION || h[6] != 0 || h[7] != 0)
		return err_set(e, ERR_INVALID, "malformed frame header");
	f->type = h[4];
	f->id = get_be(h + 8, 8);
	f->len = len;
	return ERR_OK;
}

struct frame_conn *frame_conn_new(int fd, size_t max_out)
{
	struct frame_conn *c = calloc(1, sizeof(*c));
	int flags = fcntl(fd, F_GETFL);

	if (c == NULL || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		free(c);
		return NULL;
	}
	c->fd = fd;
	c->in.max = IPC_HEADER + LIMIT_FRAME + READ_SIZE;
	c->out.max = max_out;
	return c;
}

void frame_conn_free(struct frame_conn *c)
{
	if (c == NULL)
		return;
	buf_free(&c->in);
	buf_free(&c->out);
	close(c->fd);
	free(c);
}

int frame_conn_fd(const struct frame_conn *c)
{
	return c->fd;
}

static void drop_taken(struct frame_conn *c)
{
	buf_take(&c->in, c->taken);
	c->taken = 0;
}

/* What to make room for: the rest of the frame at hand, but no more than has come of it,
 * so that a length alone does not cost memory. */
static size_t wanted(const struct frame_conn *c)
{
	size_t have = c->in.len;
	size_t rest;

	if (have < IPC_HEADER)
		return READ_SIZE;
	rest = (size_t)get_be(c->in.p + c->in.start, 4) + IPC_HEADER;
	rest = rest > have ? rest - have : 0;
	if (rest > have)
		rest = have;
	return rest > READ_SIZE ? rest : READ_SIZE;
}

int frame_read(struct frame_conn *c, struct err *e)
{
	size_t want;
	ssize_t n;

	drop_taken(c);
	want = wanted(c);
	if (want > c->in.max - c->in.len)
		want = c->in.max - c->in.len;
	if (want == 0)
		return ERR_OK;
	if (!buf_reserve(&c->in, want))
		return err_set(e, ERR_IO, "out of memory for a frame");
	do
		n = recv(c->fd, buf_tail(&c->in), want, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		c->in.len += (size_t)n;
		return ERR_OK;
	}
	if (n == 0 || errno == ECONNRESET)
		return err_set(e, ERR_UNREACHABLE, "the peer closed the connection");
	if (errno == EAGAIN)
		return ERR_OK;
	return err_sys(e, ERR_IO, errno, "reading a frame");
}

int frame_next(struct frame_conn *c, struct frame *f, struct err *e)
{
	const unsigned char *h;
	struct frame next = { 0 };

	drop_taken(c);
	if (c->in.len < IPC_HEADER)
		return 0;
	h = c->in.p + c->in.start;
	/* A bad header stays in front, so the peer is refused for good. */
	if (frame_header_get(h, &next, e) != ERR_OK)
		return -1;
	if (c->in.len - IPC_HEADER < next.len)
		return 0;
	next.payload = h + IPC_HEADER;
	c->taken = IPC_HEADER + next.len;
	*f = next;
	return 1;
}

/* A header, and room for the payload behind it. */
static int begin(struct frame_conn *c, enum ipc_type type, uint64_t id, size_t n)
{
	unsigned char h[IPC_HEADER];

	if (n > LIMIT_FRAME)
		return ERR_TOO_BIG;
	if (IPC_HEADER + n > c->out.max - c->out.len)
		return ERR_FULL;
	frame_header_put(h, type, id, n);
	if (!buf_reserve(&c->out, IPC_HEADER + n) || !buf_add(&c->out, h, sizeof(h)))
		return ERR_NOMEM;
	return ERR_OK;
}

int frame_put(struct frame_conn *c, enum ipc_type type, uint64_t id,
              const struct value *v)
{
	size_t n = v != NULL ? value_size(v) : 0;
	int rc;

	if (v == NULL)
		return ERR_NOMEM; /* what an arena that refused leaves behind */
	if ((rc = begin(c, type, id, n)) != ERR_OK)
		return rc;
	c->out.len += value_encode(v, buf_tail(&c->out));
	return ERR_OK;
}

int frame_put_raw(struct frame_conn *c, enum ipc_type type, uint64_t id, const void *p,
                  size_t n)
{
	int rc = begin(c, type, id, n);

	if (rc != ERR_OK)
		return rc;
	return buf_add(&c->out, p, n) ? ERR_OK : ERR_NOMEM;
}

int frame_flush(struct frame_conn *c, struct err *e)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.p + c->out.start, c->out.len,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			buf_take(&c->out, (size_t)n);
		else if (errno == EAGAIN)
			break;
		else if (errno == EPIPE || errno == ECONNRESET)
			return err_set(e, ERR_UNREACHABLE,
			               "the peer closed the connection");
		else if (errno != EINTR)
			return err_sys(e, ERR_IO, errno, "writing a frame");
	}
	return ERR_OK;
}

size_t frame_pending(const struct frame_conn *c)
{
	return c->out.len;
}

size_t frame_buffered(const struct frame_conn *c)
{
	return c->in.len - c->taken;
}
