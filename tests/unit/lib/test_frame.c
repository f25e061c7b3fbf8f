/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "vault/limits.h"

static struct arena *a;
static struct err e;
static int raw; /* the other end, for hand-made bytes */
static struct frame_conn *conn;

static void setup(void)
{
	int sv[2];

	a = arena_new(64u << 20);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	raw = sv[0];
	conn = frame_conn_new(sv[1], 1u << 20);
	cr_assert_not_null(conn);
}

static void teardown(void)
{
	arena_free(a);
	frame_conn_free(conn);
	if (raw >= 0)
		close(raw);
}

TestSuite(frame, .init = setup, .fini = teardown, .timeout = 60);

static void send_raw(const void *p, size_t n)
{
	cr_assert_eq(send(raw, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* A header with payload length 5, type 2, id 0x0102030405060708, and "hello". */
static const unsigned char hello[] = { 0, 0, 0, 5, 2, 1,   0,   0,   1,   2,  3,
	                               4, 5, 6, 7, 8, 'h', 'e', 'l', 'l', 'o' };

Test(frame, the_header_is_fixed)
{
	unsigned char got[64];
	struct frame f;

	cr_assert_eq(frame_put_raw(conn, IPC_REQUEST, UINT64_C(0x0102030405060708),
	                           "hello", 5),
	             ERR_OK);
	cr_assert_eq(frame_pending(conn), sizeof(hello));
	cr_assert_eq(frame_flush(conn, &e), ERR_OK);
	cr_assert_eq(frame_pending(conn), 0);
	cr_assert_eq(recv(raw, got, sizeof(got), 0), (ssize_t)sizeof(hello));
	cr_assert_arr_eq(got, hello, sizeof(hello));
	send_raw(hello, sizeof(hello));
	cr_assert_eq(frame_read(conn, &e), ERR_OK);
	cr_assert_eq(frame_next(conn, &f, &e), 1);
	cr_assert(f.type == 2 && f.id == UINT64_C(0x0102030405060708) && f.len == 5);
	cr_assert_eq(memcmp(f.payload, "hello", 5), 0);
	cr_assert_eq(frame_next(conn, &f, &e), 0);
}

Test(frame, bytes_may_come_one_at_a_time)
{
	struct frame f;

	for (size_t i = 0; i < sizeof(hello); i++) {
		cr_assert_eq(frame_read(conn, &e), ERR_OK, "nothing to read is no error");
		cr_assert_eq(frame_next(conn, &f, &e), 0);
		send_raw(hello + i, 1);
		cr_assert_eq(frame_read(conn, &e), ERR_OK);
		cr_assert_eq(frame_buffered(conn), i + 1);
	}
	cr_assert_eq(frame_next(conn, &f, &e), 1);
	cr_assert_eq(frame_buffered(conn), 0);
}

Test(frame, several_frames_in_one_read)
{
	struct frame f;
	unsigned char many[3 * sizeof(hello)];

	for (size_t i = 0; i < 3; i++) {
		memcpy(many + i * sizeof(hello), hello, sizeof(hello));
		many[i * sizeof(hello) + 15] = (unsigned char)i;
	}
	send_raw(many, sizeof(many) - 1);
	cr_assert_eq(frame_read(conn, &e), ERR_OK);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(frame_next(conn, &f, &e), 1);
		cr_assert_eq(f.id & 0xff, i);
		cr_assert_eq(memcmp(f.payload, "hello", 5), 0);
	}
	cr_assert_eq(frame_next(conn, &f, &e), 0);
	send_raw("o", 1);
	cr_assert_eq(frame_read(conn, &e), ERR_OK);
	cr_assert_eq(frame_next(conn, &f, &e), 1);
}

Test(frame, any_other_header_ends_the_peer)
{
	/* byte and value: length above the limit, type 0, version, reserved bytes */
	static const unsigned char changes[][2] = {
		{0,  3  },
                { 4, 0  },
                { 5, 0  },
                { 5, 2  },
                { 6, 1  },
                { 7, 1  },
                { 0, 255}
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		unsigned char bytes[sizeof(hello)];
		struct frame f = { .id = 4711 };

		memcpy(bytes, hello, sizeof(bytes));
		bytes[changes[i][0]] = changes[i][1];
		send_raw(bytes, sizeof(bytes));
		cr_assert_eq(frame_read(conn, &e), ERR_OK);
		cr_assert_eq(frame_next(conn, &f, &e), -1, "change %zu", i);
		cr_assert_eq(f.id, 4711);
		send_raw(hello, sizeof(hello));
		cr_assert_eq(frame_read(conn, &e), ERR_OK);
		cr_assert_eq(frame_next(conn, &f, &e), -1, "it does not recover");
		teardown();
		setup();
	}
}

Test(frame, the_longest_payload_passes_and_one_more_does_not)
{
	unsigned char *big = arena_alloc(a, LIMIT_FRAME + 1);
	struct frame_conn *wide;
	struct frame f;
	int sv[2], got = 0;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	wide = frame_conn_new(sv[0], LIMIT_FRAME + 100);
	frame_conn_free(conn);
	conn = frame_conn_new(sv[1], 0);
	memset(big, 0x77, LIMIT_FRAME + 1);
	cr_assert_eq(frame_put_raw(wide, IPC_REPLY, 1, big, LIMIT_FRAME + 1),
	             ERR_TOO_BIG);
	cr_assert_eq(frame_put_raw(wide, IPC_REPLY, 1, big, LIMIT_FRAME), ERR_OK);
	for (int i = 0; i < 2000000 && got == 0; i++) {
		cr_assert_eq(frame_flush(wide, &e), ERR_OK);
		cr_assert_eq(frame_read(conn, &e), ERR_OK);
		got = frame_next(conn, &f, &e);
	}
	cr_assert_eq(got, 1, "%s", e.msg);
	cr_assert_eq(f.len, LIMIT_FRAME);
	cr_assert_eq(memcmp(f.payload, big, f.len), 0);
	frame_conn_free(wide);
}

static size_t mapped_kib(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	cr_assert_eq(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * 4;
}

Test(frame, a_claimed_length_alone_costs_no_memory)
{
	unsigned char bytes[sizeof(hello)];
	struct frame f;
	size_t before = mapped_kib();

	memcpy(bytes, hello, sizeof(bytes));
	bytes[0] = 2; /* 32 MiB */
	send_raw(bytes, sizeof(bytes));
	for (int i = 0; i < 10; i++)
		cr_assert_eq(frame_read(conn, &e), ERR_OK);
	cr_assert_eq(frame_next(conn, &f, &e), 0);
	cr_assert_lt(mapped_kib() - before, 2048);
}

Test(frame, output_for_a_peer_that_does_not_read_is_bounded)
{
	static unsigned char block[100000];
	int rc = ERR_OK, i;

	for (i = 0; i < 100 && rc == ERR_OK; i++) {
		rc = frame_put_raw(conn, IPC_STATE, 1, block, sizeof(block));
		cr_assert_eq(frame_flush(conn, &e), ERR_OK);
	}
	cr_assert_eq(rc, ERR_FULL);
	cr_assert_leq(frame_pending(conn), 1u << 20);
	cr_assert_gt(i, 10);
}

Test(frame, a_value_arrives_as_it_was)
{
	struct value *v = value_object(a), *back;
	struct frame_conn *peer = frame_conn_new(raw, 1u << 20);
	struct frame f;

	raw = -1;
	value_set_str(a, v, "k", "v");
	value_set_int(a, v, "n", 7);
	cr_assert_eq(frame_put(peer, IPC_HELLO, 9, v), ERR_OK);
	cr_assert_eq(frame_put(peer, IPC_HELLO, 9, NULL), ERR_NOMEM);
	cr_assert_eq(frame_flush(peer, &e), ERR_OK);
	cr_assert_eq(frame_read(conn, &e), ERR_OK);
	cr_assert_eq(frame_next(conn, &f, &e), 1);
	cr_assert_eq(value_decode(a, f.payload, f.len, &back, &e), ERR_OK);
	cr_assert(value_equal(v, back));
	frame_conn_free(peer);
}

Test(frame, the_end_of_the_peer_is_seen)
{
	cr_assert_eq(frame_put_raw(conn, IPC_STATE, 1, "x", 1), ERR_OK);
	close(raw);
	raw = -1;
	cr_assert_eq(frame_flush(conn, &e), ERR_UNREACHABLE);
	cr_assert_eq(frame_read(conn, &e), ERR_UNREACHABLE);
}

Test(frame, the_descriptor_is_owned_and_non_blocking)
{
	int fd = frame_conn_fd(conn);

	cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	frame_conn_free(conn);
	conn = NULL;
	cr_assert_eq(fcntl(fd, F_GETFD), -1);
	cr_assert_null(frame_conn_new(fd, 1));
}
