/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_NET_RIG_H
#define TESTS_UNIT_NET_RIG_H
/*
 * rig - the net role in a child process, with this process as supervisor, core and
 * clients.
 *
 * Everything is driven from one thread, so a test decides the order of events.  Waiting
 * always has a limit; passing it fails the test.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "frame.h"
#include "server/net/json.h"
#include "server/net/role_net.h"
#include "util.h"
#include "value.h"

#define RIG_WAIT_MS 5000

struct rig_options {
	bool hosts;
	bool silent_core; /* no WELCOME, no STATE */
	int body_max;
	int rate; /* requests a second, 0: no limit */
	int burst;
	int connect_rate; /* likewise new connections */
	int connect_burst;
	bool rate_loopback;
	const char *cert;
	const char *key;
};

struct rig {
	pid_t pid;
	int control;
	struct frame_conn *core;
	struct arena *a; /* frames that were received, until the rig goes */
	struct value *hello;
	struct value *ready;
	uint16_t port;
	int unix_listener;
	char unix_path[64];
};

struct rig_request {
	uint64_t id;
	struct value *v;
};

struct rig_reply {
	int status; /* 0: connection closed without a reply */
	size_t len;
	char head[4096];
	char body[16384];
};

static inline int64_t rig_now(void)
{
	return clock_boot(clock_system());
}

static inline struct value *rig_json(struct rig *r, const char *text)
{
	struct value *v = NULL;
	struct err e;
	const char *copy = arena_dup(r->a, text, strlen(text));

	cr_assert_eq(json_parse(r->a, copy, strlen(text), &v, &e), ERR_OK, "%s", e.msg);
	return v;
}

static inline void rig_send(struct rig *r, enum ipc_type type, const struct value *v,
                            int fd)
{
	struct err e;

	cr_assert_eq(frame_send_fd(r->control, type, 0, v, fd, &e), ERR_OK, "%s", e.msg);
}

static inline void rig_core_put(struct rig *r, enum ipc_type type, uint64_t id,
                                const struct value *v)
{
	struct err e;

	cr_assert_eq(frame_put(r->core, type, id, v), ERR_OK);
	do {
		cr_assert_eq(frame_flush(r->core, &e), ERR_OK, "%s", e.msg);
	} while (frame_pending(r->core) > 0);
}

/* The next frame from net within ${ms}; false if none comes. */
static inline bool rig_core_frame(struct rig *r, int ms, struct frame *f,
                                  struct value **v)
{
	int64_t until = rig_now() + ms;
	struct err e;

	for (;;) {
		int left = (int)(until - rig_now());
		struct pollfd p = { frame_conn_fd(r->core), POLLIN, 0 };
		int got = frame_next(r->core, f, &e);

		cr_assert_geq(got, 0, "%s", e.msg);
		if (got == 1) {
			const void *copy = arena_dup(r->a, f->payload, f->len);

			cr_assert_eq(value_decode(r->a, copy, f->len, v, &e), ERR_OK,
			             "%s", e.msg);
			return true;
		}
		if (left <= 0 || poll(&p, 1, left) == 0)
			return false;
		cr_assert_eq(frame_read(r->core, &e), ERR_OK, "%s", e.msg);
	}
}

/* The next frame of ${type}; counts of refused requests in between are passed over. */
static inline bool rig_core_wait(struct rig *r, int ms, enum ipc_type type, uint64_t *id,
                                 struct value **v)
{
	int64_t until = rig_now() + ms;
	struct frame f;

	while (rig_core_frame(r, (int)(until - rig_now()), &f, v)) {
		if (f.type == (uint8_t)type) {
			if (id != NULL)
				*id = f.id;
			return true;
		}
		cr_assert(f.type == IPC_REJECTED || f.type == IPC_STATS,
		          "unexpected frame %d", f.type);
	}
	return false;
}

static inline struct rig_request rig_request(struct rig *r)
{
	struct rig_request q = { 0, NULL };

	cr_assert(rig_core_wait(r, RIG_WAIT_MS, IPC_REQUEST, &q.id, &q.v), "no request");
	cr_assert_eq(q.v->len, IPC_RQ__COUNT);
	return q;
}

static inline void rig_no_request(struct rig *r, int ms)
{
	struct value *v;

	cr_assert(!rig_core_wait(r, ms, IPC_REQUEST, NULL, &v), "a request reached core");
}

static inline void rig_answer(struct rig *r, uint64_t id, int status,
                              enum ipc_reply_kind kind, const char *body)
{
	struct value *v = value_array(r->a);

	value_add(v, value_int(r->a, status));
	value_add(v, value_int(r->a, kind));
	value_add(v, value_str(r->a, "6a4f0b7e-0000-4000-8000-000000000001"));
	value_add(v, body != NULL ? rig_json(r, body) : value_null(r->a));
	value_add(v, value_int(r->a, 0));
	rig_core_put(r, IPC_REPLY, id, v);
}

static inline void rig_state(struct rig *r, const char *json)
{
	rig_core_put(r, IPC_STATE, 0, rig_json(r, json));
}

#define RIG_UNSEALED                                                             \
	"{\"initialized\":true,\"sealed\":false,\"t\":3,\"n\":5,\"progress\":0," \
	"\"nonce\":\"\",\"type\":\"shamir\",\"cluster_id\":\"c-1\","             \
	"\"cluster_name\":\"vault-1\",\"recovery_seal\":false}"

/* Give net a (new) core: us. */
static inline void rig_connect_core(struct rig *r, bool silent)
{
	int pair[2];
	struct frame f;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	frame_conn_free(r->core);
	r->core = frame_conn_new(pair[0], (size_t)64 << 20);
	rig_send(r, IPC_PEER, rig_json(r, "{\"role\":\"core\"}"), pair[1]);
	close(pair[1]);
	cr_assert(rig_core_frame(r, RIG_WAIT_MS, &f, &r->hello), "no greeting");
	cr_assert_eq(f.type, IPC_HELLO);
	if (silent)
		return;
	rig_core_put(r, IPC_WELCOME, 0,
	             rig_json(r, "{\"accepted\":true,\"reason\":\"\"}"));
	rig_state(r, RIG_UNSEALED);
}

static inline int rig_listen_tcp(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	cr_assert_eq(listen(fd, 1024), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static inline void rig_unix_address(const struct rig *r, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", r->unix_path);
}

static inline int rig_listen_unix(struct rig *r)
{
	struct sockaddr_un sa;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(r->unix_path, sizeof(r->unix_path), "/tmp/test-net-%d.sock",
	         (int)getpid());
	unlink(r->unix_path);
	rig_unix_address(r, &sa);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(fd, 64), 0);
	return fd;
}

static inline void rig_set_rate(struct rig *r, struct value *config, const char *name,
                                int per_second, int burst)
{
	struct value *v = value_object(r->a);

	value_set_int(r->a, v, "per_second", per_second);
	value_set_int(r->a, v, "burst", burst);
	value_set(config, name, v);
}

static inline struct value *rig_config(struct rig *r, const struct rig_options *o)
{
	struct value *v = value_object(r->a);
	struct value *tls = value_null(r->a);

	value_set_str(r->a, v, "listener", o->hosts ? "hosts" : "api");
	value_set_int(r->a, v, "body_max", o->body_max != 0 ? o->body_max : 1 << 20);
	value_set_str(r->a, v, "log_level", "error");
	rig_set_rate(r, v, "rate_requests", o->rate, o->burst);
	rig_set_rate(r, v, "rate_connections", o->connect_rate, o->connect_burst);
	value_set_bool(r->a, v, "rate_loopback", o->rate_loopback);
	if (o->cert != NULL) {
		tls = value_object(r->a);
		value_set_bytes(r->a, tls, "cert", o->cert, strlen(o->cert));
		value_set_bytes(r->a, tls, "key", o->key, strlen(o->key));
	}
	value_set(v, "tls", tls);
	return v;
}

static inline void rig_wait_ready(struct rig *r)
{
	struct pollfd p = { r->control, POLLIN, 0 };
	enum ipc_type type;
	struct err e;
	int fd;

	cr_assert_eq(poll(&p, 1, RIG_WAIT_MS), 1, "not ready");
	cr_assert_eq(frame_recv_fd(r->control, r->a, &type, &r->ready, &fd, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(type, IPC_READY);
}

static inline void rig_start(struct rig *r, const struct rig_options *o)
{
	int pair[2], tcp, ux;

	memset(r, 0, sizeof(*r));
	signal(SIGPIPE, SIG_IGN);
	cr_assert_geq(sodium_init(), 0);
	r->a = arena_new((size_t)256 << 20);
	tcp = rig_listen_tcp(&r->port);
	ux = rig_listen_unix(r);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r->pid = fork();
	cr_assert_geq(r->pid, 0);
	if (r->pid == 0) {
		close(pair[0]);
		close(tcp);
		close(ux);
		_exit(net_role_main(pair[1]));
	}
	close(pair[1]);
	r->control = pair[0];
	rig_send(r, IPC_CONFIG, rig_config(r, o), -1);
	rig_send(r, IPC_PEER, rig_json(r, "{\"role\":\"listener\",\"kind\":\"tcp\"}"),
	         tcp);
	rig_send(r, IPC_PEER, rig_json(r, "{\"role\":\"listener\",\"kind\":\"unix\"}"),
	         ux);
	close(tcp);
	close(ux);
	rig_connect_core(r, o->silent_core);
	rig_wait_ready(r);
}

/* The exit status of net, -1 if it does not end within ${ms}. */
static inline int rig_wait_exit(struct rig *r, int ms)
{
	int64_t until = rig_now() + ms;
	int status;

	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (rig_now() > until)
			return -1;
		poll(NULL, 0, 5);
	}
	r->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void rig_stop(struct rig *r)
{
	int status;

	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, &status, 0);
	}
	close(r->control);
	frame_conn_free(r->core);
	arena_free(r->a);
	unlink(r->unix_path);
}

static inline int rig_dial(const struct rig *r)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(r->port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0, "%s",
	             strerror(errno));
	return fd;
}

static inline void rig_put_n(int fd, const void *p, size_t n)
{
	cr_assert_eq(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n, "%s", strerror(errno));
}

static inline void rig_put(int fd, const char *text)
{
	rig_put_n(fd, text, strlen(text));
}

/* One byte, or -1 at the end of the stream (or its reset). */
static inline int rig_byte(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	unsigned char c;

	cr_assert_eq(poll(&p, 1, ms), 1, "no answer");
	return recv(fd, &c, 1, 0) == 1 ? c : -1;
}

static inline size_t rig_content_length(const char *head)
{
	const char *p = strcasestr(head, "\r\nContent-Length:");

	return p != NULL ? strtoul(p + 17, NULL, 10) : 0;
}

/* Read one reply; a closed connection gives status 0. */
static inline void rig_get_in(int fd, struct rig_reply *out, int ms)
{
	size_t n = 0;
	int c;

	memset(out, 0, sizeof(*out));
	while (n < sizeof(out->head) - 1 && (c = rig_byte(fd, ms)) >= 0) {
		out->head[n++] = (char)c;
		if (n >= 4 && memcmp(out->head + n - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	if (n == 0)
		return;
	cr_assert_eq(sscanf(out->head, "HTTP/1.1 %d", &out->status), 1, "%s", out->head);
	if (out->status == 204)
		return;
	for (size_t want = rig_content_length(out->head); out->len < want; out->len++) {
		c = rig_byte(fd, ms);
		cr_assert_geq(c, 0, "cut short");
		if (out->len < sizeof(out->body) - 1)
			out->body[out->len] = (char)c;
	}
}

static inline void rig_get(int fd, struct rig_reply *out)
{
	rig_get_in(fd, out, RIG_WAIT_MS);
}

/* Has the peer closed the connection, with nothing more to read? */
static inline bool rig_closed(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char c;

	return poll(&p, 1, ms) == 1 && recv(fd, &c, 1, 0) <= 0;
}

static inline bool rig_text_is(const struct value *v, const char *s)
{
	return value_is_str(v, s);
}

static inline int rig_int(const struct value *v)
{
	int64_t n = -1;

	cr_assert_eq(value_to_int(v, &n), 0);
	return (int)n;
}

#endif
