/* SPDX-License-Identifier: Apache-2.0 */
/* scan_stream_to - bytes that the main process itself hands to a worker. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "scan_impl.h"

#define STALL_MS 30000
#define BUFFER   (1 << 20)

int scan_pipe(int out[2], struct err *e)
{
	const int size = BUFFER;

	/* A socket, because writing to one whose reader has gone raises no signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) != 0)
		return err_sys(e, ERR_IO, errno, "a stream to a worker");
	(void)setsockopt(out[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return ERR_OK;
}

void scan_pump(struct scan *s)
{
	pool_turn(s->pool);
}

int scan_write(struct scan *s, int fd, const void *p, size_t n, struct err *e)
{
	int64_t stall = s->o.stall_ms != 0 ? s->o.stall_ms : STALL_MS;
	const char *from = p;
	int rc;

	while (n > 0) {
		ssize_t sent = send(fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			from += sent;
			n -= (size_t)sent;
			continue;
		}
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, ERR_IO, "the worker reads no further");
		/* Twice the time after which a worker that hangs is killed. */
		rc = pool_wait_fd(s->pool, fd, POLLOUT, 2 * stall, e);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}
