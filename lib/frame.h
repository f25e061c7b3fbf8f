/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_H
#define FRAME_H
/*
 * frame - length-prefixed frames (include/vault/ipc.h) on a non-blocking stream socket.
 *
 * One struct frame_conn is one end: it collects input until a frame is whole and keeps
 * output until the socket takes it.  Input and output buffers are bounded and wiped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "value.h"
#include "vault/ipc.h"

struct frame_conn;

struct frame {
	uint8_t type;
	uint64_t id;
	const unsigned char *payload; /* borrowed until frame_next() or frame_read() */
	size_t len;
};

/** frame_conn_new(fd, max_out): takes ${fd} (set non-blocking); NULL if out of memory,
 * and then ${fd} stays the caller's.  ${max_out} bounds what may be queued for a peer
 * that does not read. */
struct frame_conn *frame_conn_new(int fd, size_t max_out) MUST_CHECK;
/** frame_conn_free(c): close and wipe; NULL is allowed. */
void frame_conn_free(struct frame_conn *c);
/** frame_conn_fd(c): the descriptor, for the caller's epoll. */
int frame_conn_fd(const struct frame_conn *c);

/** frame_read(c, e): read what is there, once.  ERR_OK (also when nothing is there, or
 * when whole frames wait to be taken and no more fits), ERR_UNREACHABLE at end of stream,
 * ERR_IO. */
int frame_read(struct frame_conn *c, struct err *e) MUST_CHECK;
/** frame_next(c, f, e): 1 and a frame, 0 if none is whole yet, -1 if the peer broke the
 * rules. */
int frame_next(struct frame_conn *c, struct frame *f, struct err *e) MUST_CHECK;
/** frame_put(c, type, id, v): queue a frame; ERR_FULL if ${max_out} would be passed,
 * ERR_TOO_BIG beyond LIMIT_FRAME, ERR_NOMEM. */
int frame_put(struct frame_conn *c, enum ipc_type type, uint64_t id,
              const struct value *v) MUST_CHECK;
/** frame_put_raw(c, type, id, p, n): the same for a payload that is encoded already. */
int frame_put_raw(struct frame_conn *c, enum ipc_type type, uint64_t id, const void *p,
                  size_t n) MUST_CHECK;
/** frame_flush(c, e): write as much as the socket takes; look at frame_pending()
 * afterwards.  ERR_UNREACHABLE when the peer has gone. */
int frame_flush(struct frame_conn *c, struct err *e) MUST_CHECK;
/** frame_pending(c): bytes that wait for the socket. */
size_t frame_pending(const struct frame_conn *c);
/** frame_buffered(c): input bytes held, for the caller's own bounds. */
size_t frame_buffered(const struct frame_conn *c);

/* One blocking frame at a time with an optional descriptor, for control sockets.  A
 * socket with a time limit (SO_RCVTIMEO, SO_SNDTIMEO) gives ERR_TIMEOUT; the stream is
 * lost then. */
/** frame_send_fd(sock, type, id, v, fd, e): one frame, ${fd} attached unless -1. */
int frame_send_fd(int sock, enum ipc_type type, uint64_t id, const struct value *v,
                  int fd, struct err *e) MUST_CHECK;
/** frame_recv_fd(sock, a, type, v, fd, e): one whole frame (payload in ${a}); *fd is -1
 * or a descriptor (close-on-exec) that the caller owns.  ERR_UNREACHABLE at end of
 * stream, ERR_INVALID when the peer broke the rules. */
int frame_recv_fd(int sock, struct arena *a, enum ipc_type *type, struct value **v,
                  int *fd, struct err *e) MUST_CHECK;

#endif
