/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server on a thread: one request per connection, whose text is kept; the reply
 * is chosen by the path.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http.h"
#include "vault/limits.h"

#define TOKEN "vlt_s_canary"

static int listener = -1;
static pthread_t server;
static char url[64];
static char request[65536];
static struct err e;
static struct http_reply reply;

static void answer(int fd, const char *path)
{
	/* clang-format off */
	static const char *const replies[][2] = {
		{ "/v1/ok", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
		{ "/v1/empty", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ "/v1/sealed",
		  "HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}" },
		{ "/v1/redirect",
		  "HTTP/1.1 302 Found\r\nLocation: /v1/ok\r\nContent-Length: 0\r\n\r\n" },
		{ "/v1/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort" },
		{ "/v1/noise", "this is not HTTP\r\n\r\n" },
		{ "/v1/huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" },
	};
	/* clang-format on */
	static char block[65536];

	if (strncmp(path, "/v1/slow ", 9) == 0) {
		char byte;

		(void)!recv(fd, &byte, 1, 0); /* until the client goes away */
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		size_t n = strlen(replies[i][0]);

		if (strncmp(path, replies[i][0], n) != 0 || path[n] != ' ')
			continue;
		(void)!send(fd, replies[i][1], strlen(replies[i][1]), MSG_NOSIGNAL);
		while (strcmp(replies[i][0], "/v1/huge") == 0 &&
		       send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
			;
	}
}

/* Headers, and as much body as they announce. */
static void take_request(int fd)
{
	const char *body, *length;
	size_t n = 0, want = SIZE_MAX;

	while (n < want && n < sizeof(request) - 1) {
		ssize_t got = recv(fd, request + n, sizeof(request) - 1 - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		request[n] = '\0';
		if (request[0] == 0x16) { /* a TLS handshake */
			(void)!send(fd, "HTTP/1.1 400 x\r\n\r\n", 18, MSG_NOSIGNAL);
			break;
		}
		body = strstr(request, "\r\n\r\n");
		if (body == NULL)
			continue;
		length = strstr(request, "Content-Length: ");
		want = (size_t)(body + 4 - request) +
		       (length != NULL ? strtoul(length + 16, NULL, 10) : 0);
	}
}

static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		const char *path;

		if (fd < 0)
			return NULL;
		memset(request, 0, sizeof(request));
		take_request(fd);
		path = strchr(request, ' ');
		if (path != NULL)
			answer(fd, path + 1);
		close(fd);
	}
}

static void start(const struct sockaddr *sa, socklen_t n)
{
	listener = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, sa, n), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

static void setup(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	start((struct sockaddr *)&sin, n);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&sin, &n), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(sin.sin_port));
}

static void teardown(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(server, NULL);
	close(listener);
	http_reply_clear(&reply);
}

TestSuite(http, .init = setup, .fini = teardown, .timeout = 60);

static struct http_client *client(void)
{
	struct http_client *c = http_new(&(struct http_options){ .base_url = url }, &e);

	cr_assert_not_null(c, "%s", e.msg);
	return c;
}

static int call(const char *method, const char *path, const char *body)
{
	struct http_client *c = client();
	int rc;

	http_reply_clear(&reply);
	rc = http_call(c, method, path, TOKEN, body, 2000, &reply, &e);
	http_free(c);
	return rc;
}

Test(http, a_request_is_what_was_asked_for)
{
	cr_assert_eq(call("GET", "/v1/ok", NULL), ERR_OK, "%s", e.msg);
	cr_assert(reply.status == 200 && reply.len == 7);
	cr_assert_str_eq(reply.body, "{\"a\":1}");
	cr_assert_eq(strncmp(request, "GET /v1/ok HTTP/1.1\r\n", 21), 0, "%s", request);
	cr_assert_not_null(strstr(request, "\r\nX-Vault-Token: " TOKEN "\r\n"));
	cr_assert_null(strstr(request, "Content-Type"));
	cr_assert_eq(call("POST", "/v1/ok", "{\"x\":\"y\"}"), ERR_OK);
	cr_assert_eq(strncmp(request, "POST /v1/ok HTTP/1.1\r\n", 22), 0, "%s", request);
	cr_assert_not_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
	cr_assert_not_null(strstr(request, "\r\nContent-Length: 9\r\n"));
	cr_assert_not_null(strstr(request, "\r\n\r\n{\"x\":\"y\"}"));
	cr_assert_null(strstr(request, "Expect"));
}

Test(http, every_method_goes_out_as_it_is)
{
	static const char *const methods[] = { "GET",    "LIST",  "POST", "PUT",
		                               "DELETE", "PATCH", "HEAD" };

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		size_t n = strlen(methods[i]);

		cr_expect_eq(call(methods[i], "/v1/empty", NULL), ERR_OK, "%s: %s",
		             methods[i], e.msg);
		cr_expect(strncmp(request, methods[i], n) == 0 && request[n] == ' ', "%s",
		          request);
		cr_expect(reply.status == 204 && reply.len == 0 && reply.body[0] == '\0');
	}
}

Test(http, one_client_forgets_one_request_before_the_next)
{
	struct http_client *c = client();

	cr_assert_eq(http_call(c, "POST", "/v1/ok", TOKEN, "{}", 2000, &reply, &e),
	             ERR_OK);
	http_reply_clear(&reply);
	cr_assert_eq(http_call(c, "HEAD", "/v1/empty", NULL, NULL, 2000, &reply, &e),
	             ERR_OK);
	http_reply_clear(&reply);
	cr_assert_eq(http_call(c, "GET", "/v1/ok", NULL, NULL, 2000, &reply, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(strncmp(request, "GET ", 4), 0);
	cr_assert_null(strstr(request, "Token"));
	cr_assert_null(strstr(request, "Content-Length"));
	cr_assert_eq(reply.len, 7);
	http_free(c);
}

Test(http, a_refusal_is_a_reply)
{
	cr_assert_eq(call("GET", "/v1/sealed", NULL), ERR_OK);
	cr_assert(reply.status == 503 && reply.retry_after == 7);
	cr_assert_eq(call("GET", "/v1/redirect", NULL), ERR_OK);
	cr_assert_eq(reply.status, 302, "redirects are not followed");
}

Test(http, what_is_no_reply)
{
	cr_assert_eq(call("GET", "/v1/cut", NULL), ERR_UNREACHABLE);
	cr_assert_eq(call("GET", "/v1/noise", NULL), ERR_UNREACHABLE);
	cr_assert_eq(call("GET", "/v1/none", NULL), ERR_UNREACHABLE);
	cr_assert_eq(call("GET", "/v1/huge", NULL), ERR_TOO_BIG);
	cr_assert_null(reply.body);
	cr_assert_null(strstr(e.msg, TOKEN));
}

Test(http, a_slow_server_is_given_up)
{
	struct http_client *c = client();

	cr_assert_eq(http_call(c, "GET", "/v1/slow", NULL, NULL, 100, &reply, &e),
	             ERR_TIMEOUT);
	cr_assert_null(reply.body);
	http_free(c);
}

Test(http, nobody_listens)
{
	shutdown(listener, SHUT_RDWR);
	close(listener);
	cr_assert_eq(call("GET", "/v1/ok", NULL), ERR_UNREACHABLE);
	cr_assert_not_null(strstr(e.msg, url));
	listener = dup(STDIN_FILENO); /* for the teardown */
}

Test(http, an_answer_in_the_clear_is_no_tls)
{
	memmove(url + 5, url + 4, strlen(url + 4) + 1);
	url[4] = 's';
	cr_assert_eq(call("GET", "/v1/ok", NULL), ERR_VERIFY, "%s", e.msg);
}

Test(http, a_token_or_path_cannot_smuggle_lines)
{
	struct http_client *c = client();

	request[0] = '\0';
	cr_assert_eq(http_call(c, "GET", "/v1/ok", "a\r\nX-Evil: 1", NULL, 1000, &reply,
	                       &e),
	             ERR_USAGE);
	cr_assert_eq(http_call(c, "GET", "/v1/ok HTTP/1.1\r\nX: y", NULL, NULL, 1000,
	                       &reply, &e),
	             ERR_USAGE);
	cr_assert_eq(http_call(c, "GE\nT", "/v1/ok", NULL, NULL, 1000, &reply, &e),
	             ERR_USAGE);
	cr_assert_str_eq(request, "");
	http_free(c);
}

Test(http, addresses)
{
	static const struct {
		const char *base, *sock;
		bool ok;
	} cases[] = {
		{"https://vault.example:8200",       NULL,              true },
		{ "http://127.0.0.1:8200",           NULL,              true },
		{ "http://127.9.9.9:8200",           NULL,              true },
		{ "http://localhost:8200",           NULL,              true },
		{ "http://LOCALHOST",                NULL,              true },
		{ "http://[::1]:8200",               NULL,              true },
		{ "http://vault",                    "/run/vault.sock", true },
		{ "http://vault.example:8200",       NULL,              false},
		{ "http://10.0.0.1:8200",            NULL,              false},
		{ "http://127.0.0.1.example.org",    NULL,              false},
		{ "http://127.example.org",          NULL,              false},
		{ "http://localhost.example.org",    NULL,              false},
		{ "http://localhost@example.org",    NULL,              false},
		{ "https://user:secret@example.org", NULL,              false},
		{ "ftp://127.0.0.1",                 NULL,              false},
		{ "file:///etc/passwd",              NULL,              false},
		{ "127.0.0.1:8200",                  NULL,              false},
		{ "",				NULL,              false},
		{ NULL,			      NULL,              false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_options o = { .base_url = cases[i].base,
			                  .unix_socket = cases[i].sock };
		struct http_client *c = http_new(&o, &e);

		cr_expect_eq(c != NULL, cases[i].ok, "%s: %s", cases[i].base, e.msg);
		cr_expect(c != NULL || e.code == ERR_USAGE);
		cr_expect_null(strstr(e.msg, "secret"));
		http_free(c);
	}
}

Test(http, a_unix_socket)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct http_options o = { .base_url = "http://vault",
		                  .unix_socket = sun.sun_path };
	struct http_client *c;

	teardown();
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/tmp/vault-http-%ld.sock",
	         (long)getpid());
	unlink(sun.sun_path);
	start((struct sockaddr *)&sun, sizeof(sun));
	c = http_new(&o, &e);
	cr_assert_not_null(c, "%s", e.msg);
	cr_assert_eq(http_call(c, "GET", "/v1/ok", NULL, NULL, 2000, &reply, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(reply.len, 7);
	http_free(c);
	unlink(sun.sun_path);
}

struct outcome {
	struct http_multi *m;
	struct http_client *again; /* to start once more from the callback */
	int calls, rc;
	long status;
};

static void done(void *ctx, int rc, struct http_reply *r, const struct err *why)
{
	struct outcome *o = ctx;
	struct http_client *c = o->again;

	o->calls++;
	o->rc = rc;
	o->status = r->status;
	cr_assert(rc == ERR_OK || why->msg[0] != '\0');
	o->again = NULL;
	if (c != NULL)
		cr_assert_eq(http_multi_start(o->m, c, "GET", "/v1/sealed", TOKEN, NULL,
		                              2000, done, o, &e),
		             ERR_OK, "%s", e.msg);
}

static void run(int epoll_fd, struct http_multi *m, const struct outcome *o, int calls)
{
	for (int i = 0; i < 1000 && o->calls < calls; i++) {
		struct epoll_event ev[4];
		long ms = http_multi_timeout_ms(m);
		int n = epoll_wait(epoll_fd, ev, 4, ms < 0 || ms > 100 ? 100 : (int)ms);

		for (int j = 0; j < n; j++)
			http_multi_event(m, ev[j].data.fd, ev[j].events);
		http_multi_tick(m);
	}
	cr_assert_eq(o->calls, calls);
}

Test(http, the_callers_own_loop)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct http_multi *m = http_multi_new(epoll_fd, &e);
	struct http_client *c = client();
	struct outcome o = { .m = m, .again = c };

	cr_assert_eq(http_multi_start(m, c, "POST", "/v1/ok", TOKEN, "{}", 2000, done, &o,
	                              &e),
	             ERR_OK);
	cr_assert_eq(http_call(c, "GET", "/v1/ok", NULL, NULL, 2000, &reply, &e),
	             ERR_BUSY);
	run(epoll_fd, m, &o, 2);
	cr_assert(o.rc == ERR_OK && o.status == 503, "the second, started by the first");
	cr_assert_eq(http_multi_start(m, c, "GET", "/v1/slow", NULL, NULL, 100, done, &o,
	                              &e),
	             ERR_OK);
	run(epoll_fd, m, &o, 3);
	cr_assert_eq(o.rc, ERR_TIMEOUT);
	cr_assert_eq(http_call(c, "GET", "/v1/ok", NULL, NULL, 2000, &reply, &e), ERR_OK,
	             "%s", e.msg);
	http_multi_free(m);
	http_free(c);
	close(epoll_fd);
}

Test(http, what_is_under_way_can_be_dropped_in_any_order)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	for (int order = 0; order < 2; order++) {
		struct http_multi *m = http_multi_new(epoll_fd, &e);
		struct http_client *c = client(), *d = client();
		struct outcome o = { .m = m };

		cr_assert_eq(http_multi_start(m, c, "GET", "/v1/slow", TOKEN, NULL, 2000,
		                              done, &o, &e),
		             ERR_OK);
		cr_assert_eq(http_multi_start(m, d, "GET", "/v1/slow", TOKEN, NULL, 2000,
		                              done, &o, &e),
		             ERR_OK);
		http_multi_tick(m);
		if (order == 0)
			http_multi_free(m);
		http_free(c);
		http_free(d);
		if (order == 1)
			http_multi_free(m);
		cr_assert_eq(o.calls, 0);
	}
	close(epoll_fd);
}
