/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yardstick - what libmicrohttpd can do here: the same external epoll loop as vaultd's
 * front process, suspending each request in its second handler call and resuming it with
 * a constant body.  Nothing is read, decided or recorded.
 *
 *     yardstick PORT BODY_BYTES
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SUSPENDED_MAX 4096
#define POOL_BYTES    (16u * 1024)

struct bench {
	struct MHD_Daemon *daemon;
	char *body;
	size_t body_len;
	struct MHD_Connection *suspended[SUSPENDED_MAX];
	size_t n;
};

enum step { HEAD = 1, RESUMED };

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static enum MHD_Result answer(struct bench *b, struct MHD_Connection *mhd)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(b->body_len, b->body,
	                                                         MHD_RESPMEM_PERSISTENT);
	enum MHD_Result ok;

	if (r == NULL)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", "application/json");
	MHD_add_response_header(r, "Cache-Control", "no-store");
	ok = MHD_queue_response(mhd, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version,
                                  const char *upload, size_t *size, void **context)
{
	struct bench *b = cls;

	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	*size = 0;
	switch ((enum step)(intptr_t)*context) {
	case HEAD:
		if (b->n == SUSPENDED_MAX)
			return MHD_NO;
		*context = (void *)(intptr_t)RESUMED;
		b->suspended[b->n++] = mhd;
		MHD_suspend_connection(mhd);
		return MHD_YES;
	case RESUMED:
		return answer(b, mhd);
	default:
		*context = (void *)(intptr_t)HEAD;
		return MHD_YES;
	}
}

static int listen_on(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sa.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, 1024) != 0) {
		perror("yardstick: listen");
		exit(1);
	}
	return fd;
}

static int timeout_of(const struct bench *b)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (b->n > 0)
		return 0;
	if (MHD_get_timeout(b->daemon, &ms) != MHD_YES || ms > 1000)
		return 1000;
	return (int)ms;
}

static void resume_all(struct bench *b)
{
	for (size_t i = 0; i < b->n; i++)
		MHD_resume_connection(b->suspended[i]);
	b->n = 0;
}

static void run(struct bench *b)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(b->daemon,
	                                                       MHD_DAEMON_INFO_EPOLL_FD);
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (info == NULL || ep < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, info->epoll_fd, &ev) != 0) {
		perror("yardstick: epoll");
		exit(1);
	}
	while (!ended) {
		epoll_wait(ep, &ev, 1, timeout_of(b));
		resume_all(b);
		MHD_run(b->daemon);
	}
	resume_all(b);
	close(ep);
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc != 3) {
		fputs("usage: yardstick PORT BODY_BYTES\n", stderr);
		return 2;
	}
	b.body_len = strtoul(argv[2], NULL, 10);
	if ((b.body = malloc(b.body_len + 1)) == NULL)
		return 1;
	memset(b.body, 'x', b.body_len);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	b.daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
	                            NULL, on_request, &b, MHD_OPTION_LISTEN_SOCKET,
	                            listen_on(argv[1]), MHD_OPTION_CONNECTION_LIMIT,
	                            SUSPENDED_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	                            (size_t)POOL_BYTES, MHD_OPTION_END);
	if (b.daemon == NULL) {
		fputs("yardstick: libmicrohttpd does not start\n", stderr);
		return 1;
	}
	run(&b);
	MHD_stop_daemon(b.daemon);
	free(b.body);
	return 0;
}
