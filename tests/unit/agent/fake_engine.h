/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_FAKE_ENGINE_H
#define TESTS_UNIT_AGENT_FAKE_ENGINE_H
/*
 * fake_engine - something that answers at a Unix socket as a test wants it to, on the
 * loop of the test, byte by byte if need be.
 *
 * An answer is the bytes of an HTTP reply, chosen by what is in the request's first line
 * and the body behind it.  Without one a request waits.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "http.h"
#include "rig.h"

#define FAKE_CONNS   300
#define FAKE_ANSWERS 16
#define FAKE_TURNS   60000 /* nothing here needs so many */

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

#define ID_D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

struct fake_conn {
	int fd;
	char in[16384];
	size_t n;
	const struct fake_answer *answer;
	size_t sent;
};

struct fake_answer {
	const char *want;
	char *bytes;
	size_t n;
	size_t closes; /* bytes after which the connection ends; SIZE_MAX: stays open */
	unsigned asked;
	char last[4096]; /* the last request that it answered */
};

static struct fake {
	int epoll_fd, listener;
	char path[PATH_MAX];
	struct http_multi *multi;
	struct fake_conn conns[FAKE_CONNS];
	struct fake_answer answers[FAKE_ANSWERS];
	size_t n_answers;
	size_t step; /* bytes in one turn; 0: all */
	size_t cut;  /* 0, or how many bytes come in the first turn */
	int64_t skew;
	int64_t (*due)(int64_t now);
} fake;

static int64_t fake_wall(void *ctx UNUSED)
{
	return clock_wall(clock_system());
}

static int64_t fake_boot(void *ctx UNUSED)
{
	return clock_boot(clock_system()) + fake.skew;
}

static const struct clock fake_clock = { fake_wall, fake_boot, NULL };

static inline void fake_open(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	rig_open();
	(void)rig_path("engine.sock", fake.path);
	snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", fake.path);
	fake.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fake.listener, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(listen(fake.listener, 64), 0);
	cr_assert_not_null(fake.multi = http_multi_new(fake.epoll_fd, &e));
	for (size_t i = 0; i < FAKE_CONNS; i++)
		fake.conns[i].fd = -1;
}

static inline void fake_hang_up(struct fake_conn *c)
{
	close(c->fd);
	*c = (struct fake_conn){ .fd = -1 };
}

static inline void fake_close(void)
{
	http_multi_free(fake.multi);
	for (size_t i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0)
			fake_hang_up(&fake.conns[i]);
	for (size_t i = 0; i < fake.n_answers; i++)
		free(fake.answers[i].bytes);
	close(fake.listener);
	close(fake.epoll_fd);
	rig_close();
}

static inline struct fake_answer *fake_place(const char *want)
{
	for (size_t i = 0; i < fake.n_answers; i++)
		if (strcmp(fake.answers[i].want, want) == 0)
			return &fake.answers[i];
	cr_assert_lt(fake.n_answers, FAKE_ANSWERS);
	return &fake.answers[fake.n_answers++];
}

/* These very bytes, instead of those before. */
static inline struct fake_answer *fake_bytes(const char *want, const char *p, size_t n)
{
	struct fake_answer *a = fake_place(want);

	free(a->bytes);
	*a = (struct fake_answer){ .want = want, .n = n, .closes = n };
	a->bytes = malloc(n + 1);
	cr_assert_not_null(a->bytes);
	memcpy(a->bytes, p, n);
	return a;
}

/* A reply with a body and its length. */
static inline struct fake_answer *fake_reply(const char *want, int status,
                                             const char *body)
{
	static char text[2 * 1024 * 1024];
	int n = snprintf(text, sizeof(text),
	                 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
	                 "Content-Length: %zu\r\n\r\n%s",
	                 status, strlen(body), body);

	cr_assert_lt((size_t)n, sizeof(text));
	return fake_bytes(want, text, (size_t)n);
}

/* A reply in chunks of ${size} bytes; ${open}: there may be more. */
static inline struct fake_answer *fake_chunks(const char *want, const char *p, size_t n,
                                              size_t size, bool open)
{
	struct fake_answer *a;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	cr_assert_not_null(f);
	fprintf(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0; at < n; at += size) {
		size_t part = n - at < size ? n - at : size;

		fprintf(f, "%zx\r\n", part);
		(void)fwrite(p + at, 1, part, f);
		fprintf(f, "\r\n");
	}
	if (!open)
		fprintf(f, "0\r\n\r\n");
	cr_assert_eq(fclose(f), 0);
	a = fake_bytes(want, text, len);
	if (open)
		a->closes = SIZE_MAX;
	free(text);
	return a;
}

static inline bool fake_asked(const struct fake_conn *c)
{
	const char *end = strstr(c->in, "\r\n\r\n"), *length;

	if (end == NULL)
		return false;
	length = strstr(c->in, "Content-Length: ");
	return length == NULL ||
	       c->n >= (size_t)(end - c->in) + 4 + strtoul(length + 16, NULL, 10);
}

static inline void fake_choose(struct fake_conn *c)
{
	for (size_t i = 0; i < fake.n_answers; i++) {
		struct fake_answer *a = &fake.answers[i];

		if (strstr(c->in, a->want) == NULL)
			continue;
		c->answer = a;
		a->asked++;
		snprintf(a->last, sizeof(a->last), "%s", c->in);
		return;
	}
}

/* true: something was sent. */
static inline bool fake_serve(struct fake_conn *c)
{
	size_t n;
	ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n, 0);

	if (got == 0) {
		fake_hang_up(c);
		return true;
	}
	if (got > 0)
		c->n += (size_t)got;
	if (c->answer == NULL && fake_asked(c))
		fake_choose(c);
	if (c->answer == NULL)
		return false;
	n = (c->answer->n < c->answer->closes ? c->answer->n : c->answer->closes) -
	    c->sent;
	if (fake.cut > c->sent && fake.cut - c->sent < n)
		n = fake.cut - c->sent;
	else if (fake.step != 0 && n > fake.step)
		n = fake.step;
	got = send(c->fd, c->answer->bytes + c->sent, n, MSG_NOSIGNAL);
	if (got > 0)
		c->sent += (size_t)got;
	if (c->sent == c->answer->closes || (got < 0 && errno != EAGAIN))
		fake_hang_up(c);
	return got > 0;
}

static inline void fake_take(int fd)
{
	size_t i = 0;

	while (i < FAKE_CONNS && fake.conns[i].fd >= 0)
		i++;
	cr_assert_lt(i, FAKE_CONNS);
	fake.conns[i] = (struct fake_conn){ .fd = fd };
}

static inline void fake_turn(void)
{
	struct epoll_event ev[64];
	int fd, n, wait_ms = 1;

	while ((fd = accept4(fake.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
	       0)
		fake_take(fd);
	for (size_t i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0 && fake_serve(&fake.conns[i]))
			wait_ms = 0;
	if (fake.due != NULL)
		(void)fake.due(fake_boot(NULL));
	n = epoll_wait(fake.epoll_fd, ev, 64, wait_ms);
	for (int i = 0; i < n; i++)
		http_multi_event(fake.multi, ev[i].data.fd, ev[i].events);
	http_multi_tick(fake.multi);
}

static inline void fake_turn_for(int *turns, const char *what)
{
	cr_assert_lt(++*turns, FAKE_TURNS, "this never came: %s", what);
	fake_turn();
}

/* Turns until ${cond} holds. */
#define fake_until(cond)                                             \
	for (int turns_ = 0; !(cond); fake_turn_for(&turns_, #cond)) \
	continue

#define FAKE_VERSION \
	"{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\",\"Version\":\"20.10.24\"}"
#define FAKE_INFO "{\"SecurityOptions\":[\"name=seccomp\"],\"DockerRootDir\":\"/x\"}"

/* An Engine that is up, with these events and containers. */
static inline void fake_engine(const char *events, const char *list)
{
	(void)fake_reply("GET /version", 200, FAKE_VERSION);
	(void)fake_reply("GET /v1.41/info", 200, FAKE_INFO);
	(void)fake_chunks("GET /v1.41/events", events, strlen(events), 64, true);
	(void)fake_reply("GET /v1.41/containers/json", 200, list);
}

#endif
