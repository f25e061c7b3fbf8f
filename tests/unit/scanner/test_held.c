/* SPDX-License-Identifier: Apache-2.0 */
/* Small files as bytes: what is taken, what a worker sees of it, and how it gets there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/held.h"
#include "worker/wire.h"

#define SLOTS 2

static struct held *h;
static char name[] = "/tmp/vault-held-XXXXXX";
static char text[HELD_FILE + 1];

/* A file system may have no way to say that it would have to wait. */
static void setup(void)
{
	int fd = mkstemp(name);
	struct iovec all = { text, sizeof(text) };

	memset(text, 'x', sizeof(text));
	cr_assert_eq(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
	if (preadv2(fd, &all, 1, 0, RWF_NOWAIT) < 0)
		cr_skip_test("no reading without waiting here: %s", strerror(errno));
	close(fd);
	cr_assert_not_null(h = held_new(SLOTS));
}

static void teardown(void)
{
	held_free(h);
	unlink(name);
}

TestSuite(held, .init = setup, .fini = teardown, .timeout = 20);

static struct job *job(void)
{
	struct job *j = job_new(FORMAT_FILE, CHANNEL_FILE, NULL, NULL);

	cr_assert_not_null(j);
	return j;
}

/* A file of ${n} bytes, which are ${c}. */
static int file(char c, size_t n)
{
	int fd = open(name, O_RDWR | O_TRUNC | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	memset(text, c, n);
	cr_assert_eq(write(fd, text, n), (ssize_t)n);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static const uint8_t *mapped(void)
{
	size_t n;
	const uint8_t *p = held_map(h, &n);

	cr_assert_not_null(p);
	cr_assert_eq(n, SLOTS * HELD_SLOT);
	return p;
}

Test(held, bytes_of_files_side_by_side)
{
	struct job *j = job();
	const uint8_t *p = mapped();
	int fd = file('a', 1000);

	cr_assert(held_add(h, j, fd, 1000, "a"));
	cr_assert_not(is_open(fd));
	cr_assert(held_add(h, j, file('b', 500), 500, "b"));
	cr_assert(held_add(h, j, file('c', 0), 0, "c"));
	cr_assert_eq(j->n, 3);
	cr_assert_eq(j->span[0].n, 1000);
	cr_assert_eq(j->span[1].at, j->span[0].at + 1000);
	cr_assert_eq(j->span[2].n, 0);
	for (size_t i = 0; i < 1500; i++)
		cr_assert_eq(p[j->span[0].at + i], i < 1000 ? 'a' : 'b');
	job_free(j);
	for (size_t i = 0; i < 1500; i++)
		cr_assert_eq(p[i], 0, "it is wiped when it is no longer needed");
}

/* A size that is not what there is, as in /proc, or no longer. */
Test(held, what_is_not_as_large_as_said_is_a_descriptor)
{
	static const size_t sizes[] = { 0, 99, 101, 5000 };
	struct job *j = job();
	const uint8_t *p = mapped();
	int fd = file('a', 100), ends[2];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		cr_assert_not(held_add(h, j, fd, sizes[i], "a"), "%zu", sizes[i]);
	for (size_t i = 0; i < 101; i++)
		cr_assert_eq(p[i], 0, "nothing of it stays");
	cr_assert(is_open(fd));
	close(fd);
	cr_assert_eq(pipe(ends), 0);
	cr_assert_not(held_add(h, j, ends[0], 0, "pipe"));
	cr_assert_not(held_add(h, j, ends[0], 1, "pipe"));
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	cr_assert_not(held_add(h, j, fd, 0, "status"));
	cr_assert_eq(j->n, 0);
	close(fd);
	job_free(j);
}

Test(held, as_much_as_there_is_room_for)
{
	struct job *j[SLOTS + 1] = { job(), job(), job() };
	int fd;

	cr_assert(held_fits(j[0], HELD_FILE));
	for (unsigned i = 0; i < HELD_SLOT / HELD_FILE - 1; i++) {
		cr_assert(held_fits(j[0], HELD_FILE));
		cr_assert(held_add(h, j[0], file('a', HELD_FILE), HELD_FILE, "a"));
	}
	cr_assert_not(held_fits(j[0], HELD_FILE), "one byte more is asked for");
	cr_assert(held_fits(j[0], HELD_FILE - 1));
	cr_assert(held_fits(j[0], HELD_FILE + 1), "as a descriptor");
	fd = file('b', HELD_FILE + 1);
	cr_assert_not(held_add(h, j[0], fd, HELD_FILE + 1, "b"));
	close(fd);
	cr_assert(held_add(h, j[1], file('c', 1), 1, "c"));
	fd = file('d', 1);
	cr_assert_not(held_add(h, j[2], fd, 1, "d"), "there are two slots");
	job_free(j[0]);
	cr_assert(held_add(h, j[2], fd, 1, "d"));
	cr_assert_neq(j[2]->slot, j[1]->slot);
	job_free(j[1]);
	job_free(j[2]);
}

/* Is there a mapping of it that can be written to? */
static bool writable(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	bool yes = false;

	while (f != NULL && !yes && fgets(line, sizeof(line), f) != NULL)
		yes = strstr(line, " rw-s ") != NULL &&
		      strstr(line, "vault-scan") != NULL;
	if (f != NULL)
		fclose(f);
	return yes;
}

/* 0, or what went wrong in a child that does what a worker might. */
static int in_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		size_t n = 0;
		const uint8_t *p = writable() ? NULL : held_map(h, &n);

		if (p == NULL || p[0] != 'a')
			_exit(1);
		_exit(mprotect((void *)(uintptr_t)p, n, PROT_READ | PROT_WRITE) == 0 ? 2
		                                                                     : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(held, a_worker_can_read_and_not_write)
{
	struct job *j = job();

	cr_assert(held_add(h, j, file('a', 10), 10, "a"));
	cr_assert(writable(), "here it is");
	cr_assert_eq(in_child(), 0);
	job_free(j);
}

Test(held, goes_through_the_wire_between_descriptors)
{
	struct job *j = job(), *got = NULL;
	struct err e = { 0 };
	int pair[2];
	char c[3];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert(job_add(j, file('a', 1), "first"));
	cr_assert(held_add(h, j, file('b', 7), 7, "second"));
	cr_assert(job_add(j, open("/dev/zero", O_RDONLY | O_CLOEXEC), "third"));
	cr_assert_eq(wire_send_job(pair[0], j, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(wire_recv_job(pair[1], &got, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(got->n, 3);
	cr_assert_eq(got->fd[1], -1);
	cr_assert_eq(memcmp(&got->span[1], &j->span[1], sizeof(got->span[1])), 0);
	cr_assert_str_eq(got->name[0], "first");
	cr_assert_str_eq(got->name[1], "second");
	cr_assert_str_eq(got->name[2], "third");
	cr_assert_eq(read(got->fd[2], c, 3), 3);
	cr_assert_eq(memcmp(c, "\0\0\0", 3), 0, "descriptors are in order");
	cr_assert_null(got->held);
	job_free(got);
	job_free(j);
	close(pair[0]);
	close(pair[1]);
}
