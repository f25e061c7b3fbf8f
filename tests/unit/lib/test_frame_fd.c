/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "vault/limits.h"

static struct arena *a;
static struct err e;
static int sv[2];

static void setup(void)
{
	a = arena_new(80u << 20);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
}

static void teardown(void)
{
	arena_free(a);
	close(sv[0]);
	close(sv[1]);
}

TestSuite(frame_fd, .init = setup, .fini = teardown, .timeout = 60);

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static ino_t inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static int receive(enum ipc_type *type, struct value **v, int *fd)
{
	*fd = -1;
	return frame_recv_fd(sv[1], a, type, v, fd, &e);
}

Test(frame_fd, a_descriptor_travels_with_its_frame)
{
	int file = memfd_create("x", MFD_CLOEXEC), fd;
	struct value *v = value_object(a), *got;
	enum ipc_type type;

	value_set_str(a, v, "role", "net");
	cr_assert_eq(frame_send_fd(sv[0], IPC_CONFIG, 0, v, -1, &e), ERR_OK);
	cr_assert_eq(frame_send_fd(sv[0], IPC_PEER, 0, v, file, &e), ERR_OK);
	cr_assert_eq(frame_send_fd(sv[0], IPC_DRAIN, 0, value_null(a), -1, &e), ERR_OK);
	cr_assert_eq(receive(&type, &got, &fd), ERR_OK, "%s", e.msg);
	cr_assert(type == IPC_CONFIG && fd == -1);
	cr_assert_eq(receive(&type, &got, &fd), ERR_OK, "%s", e.msg);
	cr_assert_eq(type, IPC_PEER);
	cr_assert(value_equal(got, v));
	cr_assert_eq(inode(fd), inode(file));
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	cr_assert_eq(receive(&type, &got, &fd), ERR_OK, "%s", e.msg);
	cr_assert(type == IPC_DRAIN && fd == -1 && got->type == V_NULL);
	close(file);
}

struct job {
	struct value *v;
	int fd;
	int rc;
};

static void *send_big(void *arg)
{
	struct job *j = arg;

	j->rc = frame_send_fd(sv[0], IPC_CONFIG, 7, j->v, j->fd, NULL);
	return NULL;
}

/* More than the socket takes at once, on a socket that does not block by itself. */
Test(frame_fd, a_large_frame_passes_on_a_non_blocking_socket)
{
	static char text[3000000];
	struct job job = { value_strn(a, text, sizeof(text)),
		           memfd_create("x", MFD_CLOEXEC), -1 };
	pthread_t t;
	enum ipc_type type;
	struct value *got;
	int fd;

	memset(text, 'x', sizeof(text));
	cr_assert_eq(fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fcntl(sv[1], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(pthread_create(&t, NULL, send_big, &job), 0);
	cr_assert_eq(receive(&type, &got, &fd), ERR_OK, "%s", e.msg);
	pthread_join(t, NULL);
	cr_assert_eq(job.rc, ERR_OK);
	cr_assert(value_equal(got, job.v));
	cr_assert_eq(inode(fd), inode(job.fd));
	close(fd);
	close(job.fd);
}

/* A frame whose payload is one byte, with ${n} descriptors. */
static void send_with(const int *fds, size_t n, unsigned char payload)
{
	unsigned char bytes[17] = { 0, 0, 0, 1, IPC_PEER, 1, [16] = payload };
	struct iovec iov = { bytes, sizeof(bytes) };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control = { .buf = { 0 } };
	struct msghdr m = { .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = control.buf,
		            .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	cr_assert_eq(sendmsg(sv[0], &m, 0), (ssize_t)sizeof(bytes));
}

Test(frame_fd, surplus_descriptors_are_refused_and_closed)
{
	int fds[8];
	enum ipc_type type;
	struct value *got;
	int fd;

	for (size_t i = 0; i < 8; i++)
		fds[i] = memfd_create("x", MFD_CLOEXEC);
	for (size_t n = 2; n <= 8; n++) {
		size_t before = open_fds();

		send_with(fds, n, V_NULL);
		cr_assert_eq(receive(&type, &got, &fd), ERR_INVALID, "%zu", n);
		cr_assert_eq(fd, -1);
		cr_assert_eq(open_fds(), before, "%zu: a descriptor leaked", n);
		teardown();
		setup();
	}
	send_with(fds, 1, V_NULL);
	cr_assert_eq(receive(&type, &got, &fd), ERR_OK);
	close(fd);
	for (size_t i = 0; i < 8; i++)
		close(fds[i]);
}

Test(frame_fd, a_descriptor_that_cannot_be_taken_is_not_missed_in_silence)
{
	int file = memfd_create("x", MFD_CLOEXEC), fd;
	struct rlimit lim, none;
	enum ipc_type type;
	struct value *got;

	send_with(&file, 1, V_NULL);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	none = lim;
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert_eq(receive(&type, &got, &fd), ERR_INVALID);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	close(file);
}

Test(frame_fd, the_descriptor_of_a_malformed_frame_is_closed)
{
	int file = memfd_create("x", MFD_CLOEXEC), fd;
	size_t before = open_fds();
	enum ipc_type type;
	struct value *got;

	send_with(&file, 1, V_ENCODED); /* which never travels */
	cr_assert_eq(receive(&type, &got, &fd), ERR_INVALID);
	cr_assert_eq(fd, -1);
	cr_assert_eq(open_fds(), before);
	close(file);
}

Test(frame_fd, every_truncation_and_every_flipped_bit_is_an_error_or_another_frame)
{
	static const unsigned char good[] = { 0, 0, 0, 6, 32, 1, 0, 0, 0, 0, 0,
		                              0, 0, 0, 0, 7,  4, 0, 0, 0, 1, 'x' };
	enum ipc_type type;
	struct value *got;
	int fd;

	for (size_t n = 0; n < sizeof(good); n++) {
		cr_assert_eq(send(sv[0], good, n, 0), (ssize_t)n);
		shutdown(sv[0], SHUT_WR);
		cr_assert_eq(receive(&type, &got, &fd), ERR_UNREACHABLE, "%zu", n);
		teardown();
		setup();
	}
	for (size_t bit = 0; bit < 8 * sizeof(good); bit++) {
		unsigned char p[sizeof(good)];
		int rc;

		memcpy(p, good, sizeof(p));
		p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		cr_assert_eq(send(sv[0], p, sizeof(p), 0), (ssize_t)sizeof(p));
		shutdown(sv[0], SHUT_WR);
		rc = receive(&type, &got, &fd);
		if (bit / 8 < 4 || bit / 8 == 5 || bit / 8 == 6 || bit / 8 == 7)
			cr_assert_neq(rc, ERR_OK, "bit %zu", bit);
		teardown();
		setup();
	}
}

Test(frame_fd, a_time_limit_of_the_socket_is_kept)
{
	struct timeval limit = { .tv_usec = 50000 };
	enum ipc_type type;
	struct value *got;
	int fd;

	cr_assert_eq(setsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)),
	             0);
	cr_assert_eq(receive(&type, &got, &fd), ERR_TIMEOUT);
}

Test(frame_fd, a_peer_that_has_gone_is_no_signal)
{
	close(sv[1]);
	cr_assert_eq(frame_send_fd(sv[0], IPC_DRAIN, 0, value_null(a), -1, &e),
	             ERR_UNREACHABLE);
	sv[1] = dup(sv[0]);
}
