/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_frame - a peer that sends arbitrary bytes in arbitrary pieces.  The first byte
 * says how large the pieces are; frames that come out are put back and must be the same
 * bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The frames that are whole; each is put out again at once.  -1 when the peer is refused.
 */
static int echo(struct frame_conn *in, struct frame_conn *out)
{
	struct frame f;
	struct err e;
	int got;

	while ((got = frame_next(in, &f, &e)) == 1)
		if (frame_put_raw(out, (enum ipc_type)f.type, f.id, f.payload, f.len) !=
		            ERR_OK ||
		    frame_flush(out, &e) != ERR_OK)
			abort();
	return got;
}

static void compare(int fd, const uint8_t *data, size_t size)
{
	static uint8_t back[65536];
	ssize_t n = recv(fd, back, sizeof(back), MSG_DONTWAIT);

	if (n > 0 && ((size_t)n > size || memcmp(back, data, (size_t)n) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size > 0 ? data[0] % 64u + 1 : 1;
	struct frame_conn *in, *out;
	struct err e;
	int a[2], b[2], rc = 0;

	if (size < 1 || size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, a) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, b) != 0)
		return 0;
	in = frame_conn_new(a[0], 1u << 20);
	out = frame_conn_new(b[0], 1u << 20);
	for (size_t at = 1; at < size && rc == 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(a[1], data + at, n, MSG_NOSIGNAL) != (ssize_t)n ||
		    frame_read(in, &e) != ERR_OK)
			abort();
		rc = echo(in, out);
	}
	compare(b[1], data + 1, size - 1);
	frame_conn_free(in);
	frame_conn_free(out);
	close(a[1]);
	close(b[1]);
	return 0;
}
