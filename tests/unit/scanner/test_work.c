/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does with a stream: all of it is searched, or what is missing is told. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "archive/stream.h"
#include "fake_engine.h"
#include "worker/work.h"

#define LIMIT 10000u

static struct scan_limits limits = { .file = LIMIT };
static struct worker_status status;
static struct job job;
static struct work w = { .limits = &limits, .status = &status, .job = &job };
static unsigned found;
static int peer;
static unsigned char text[300000], buffer[4096];

static void sink(void *ctx, const struct finding *f)
{
	(void)ctx;
	(void)f;
	found++;
}

static void setup(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	w.sock = pair[0];
	peer = pair[1];
	w.match = scan_stream_new(NULL, NULL, sink, NULL);
	cr_assert_not_null(w.match);
	memset(text, 'x', sizeof(text));
}

static void teardown(void)
{
	free(w.match);
	close(w.sock);
	close(peer);
}

TestSuite(work, .init = setup, .fini = teardown, .timeout = 20);

/* Was it said that something is missing? */
static bool told(void)
{
	static char message[WIRE_MAX];
	struct record r;
	ssize_t n = recv(peer, message, sizeof(message), 0);

	if (n < 0)
		return false;
	cr_assert_eq(wire_get_record(message, (size_t)n, &r), 0);
	cr_assert_eq(r.type, RECORD_SKIPPED);
	cr_assert_str_eq(r.text[2], "larger than what is scanned of one member");
	return true;
}

/* 300 bytes at a time. */
struct few {
	struct stream s;
	size_t n;
	const uint8_t *p;
};

static int few_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct few *s = (struct few *)base;

	*p = s->p;
	*n = s->n < 300 ? s->n : 300;
	s->p += *n;
	s->n -= *n;
	return *n > 0;
}

static void check(struct stream *s, size_t n, bool bounded, bool peeked)
{
	const size_t searched = bounded && n > LIMIT ? LIMIT : n;
	const uint8_t *p;

	if (peeked)
		cr_assert_eq(stream_peek(s, &p), n < STREAM_PEEK ? n : STREAM_PEEK);
	w.bytes = found = 0;
	work_stream(&w, CHANNEL_FILE, "a", s, bounded);
	cr_assert_eq(w.bytes, searched, "%zu: %zu", n, (size_t)w.bytes);
	cr_assert_eq(told(), searched < n, "%zu", n);
	cr_assert_eq(found, n > LIMIT - 6 ? 1 : 0, "%zu: %u", n, found);
}

/* The last bytes within the limit are a secret. */
Test(work, a_stream_to_its_end_or_to_the_limit)
{
	static const size_t sizes[] = { 0,     1,         511,         512,
		                        4096,  LIMIT - 7, LIMIT,       LIMIT + 1,
		                        20000, 65536,     sizeof(text) };
	int fd = memfd_create("text", MFD_CLOEXEC);

	memcpy(text + LIMIT - 6, "SECRET", 6);
	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (unsigned how = 0; how < 4; how++) {
			struct stream_mem m;
			struct stream_fd f;

			struct few few = { .s = { .next = few_next },
				           .n = sizes[i],
				           .p = text };

			check(&few.s, sizes[i], how % 2 == 0, how >= 2);
			stream_mem_init(&m, text, sizes[i]);
			check(&m.s, sizes[i], how % 2 == 0, how >= 2);
			cr_assert_eq(ftruncate(fd, 0), 0);
			cr_assert_eq(pwrite(fd, text, sizes[i], 0), (ssize_t)sizes[i]);
			cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
			stream_fd_init(&f, fd, buffer, sizeof(buffer));
			check(&f.s, sizes[i], how % 2 == 0, how >= 2);
		}
	close(fd);
}
