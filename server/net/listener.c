/* SPDX-License-Identifier: Apache-2.0 */
/* listener - one libmicrohttpd daemon per listening socket, and its callbacks. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "log.h"
#include "net.h"
#include "vault/limits.h"

#define SPARE_DESCRIPTORS 64u

/* TLS 1.3, and 1.2 for old clients; authenticated encryption and forward secrecy only. */
static const char tls_priorities[] =
	"NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AEAD:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:"
	"+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
	"+SIGN-EDDSA-ED25519:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:"
	"+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-RSA-PSS-RSAE-SHA256:"
	"+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+CTYPE-X509:"
	"+COMP-NULL:%NO_TICKETS:%SAFE_RENEGOTIATION";

static enum MHD_Result on_accept(void *cls, const struct sockaddr *sa, socklen_t len)
{
	struct listener *l = cls;
	struct net *n = l->net;
	unsigned limit = l->kind == IPC_ON_HOSTS ? LIMIT_CONNECTIONS_PER_ADDRESS_HOSTS
	                                         : LIMIT_CONNECTIONS_PER_ADDRESS;
	unsigned char key[16];
	char text[INET6_ADDRSTRLEN];

	if (l->is_unix || !addr_key(sa, len, key) ||
	    (addr_is_loopback(key) && !n->rate_loopback))
		return MHD_YES;
	if (addr_count(n->addresses, key) < limit &&
	    rate_take(n->connected, &n->connection_rate, key, sizeof(key),
	              n->now * 1000) == 0)
		return MHD_YES;
	addr_text(sa, len, text);
	net_reject(n, text, "too many connections");
	return MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
	struct conn *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = conn_new(cls, mhd);
	else if (c != NULL)
		conn_free(c);
}

/* The request line has been read; ${uri} is still as the client sent it. */
static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct conn *c = conn_of(mhd);

	(void)cls;
	if (c == NULL)
		return NULL;
	if (uri == NULL)
		uri = "";
	if (!conn_set_target(c, uri)) {
		conn_cut(c);
		return NULL;
	}
	/* The time for the first request counts from the connection's start. */
	if (c->timer != TIMER_RECEIVE)
		timer_set(c, TIMER_RECEIVE);
	c->phase = CONN_LINE;
	return c;
}

/* Keep libmicrohttpd from decoding anything: path_decode() and query_parse() do that. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *s)
{
	(void)cls;
	(void)mhd;
	return strlen(s);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
	struct conn *c = conn_of(mhd);

	(void)cls;
	(void)context;
	if (c == NULL)
		return;
	if (c->id != 0)
		core_link_cancel(c);
	conn_wipe_credentials(c);
	conn_request_done(c);
	if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		timer_set(c, TIMER_NONE); /* libmicrohttpd is closing it */
	else if (c->net->draining)
		conn_cut(c);
	else
		timer_set(c, TIMER_IDLE);
}

/* Hand the answer to libmicrohttpd. */
static enum MHD_Result queue(struct conn *c)
{
	struct MHD_Response *r = c->response;
	enum MHD_Result ok;

	if (r == NULL || c->gone)
		return MHD_NO; /* closes the connection */
	c->response = NULL;
	c->phase = CONN_SENDING;
	timer_set(c, c->big ? TIMER_SEND_BIG : TIMER_SEND);
	ok = refusal_queue(c->mhd, c->status, r);
	MHD_destroy_response(r); /* drops our reference */
	return ok;
}

static enum MHD_Result on_head(struct conn *c, const char *method, const char *url,
                               const char *version)
{
	const char *why;

	if (refusal_needed(c)) {
		refusal_send(c, 431);
		return MHD_NO;
	}
	why = head_check(c, method, url, version);
	c->phase = CONN_BODY;
	if (why != NULL) {
		/* An answer at this point makes libmicrohttpd close the connection after
		 * it. */
		answer_errors(c, 400, why, why);
		return queue(c);
	}
	return request_begin(c, method) ? MHD_YES : queue(c);
}

static enum MHD_Result on_whole(struct conn *c)
{
	request_dispatch(c);
	if (c->phase != CONN_WAITING)
		return queue(c);
	c->l->suspended++;
	timer_set(c, TIMER_WATCH);
	MHD_suspend_connection(c->mhd);
	return MHD_YES;
}

/* libmicrohttpd calls this for the head, for pieces of body, when the request is whole,
 * and again after a resume. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version,
                                  const char *upload, size_t *size, void **context)
{
	struct conn *c = *context;

	(void)cls;
	(void)mhd;
	if (c == NULL)
		return MHD_NO;
	switch (c->phase) {
	case CONN_LINE:
		return on_head(c, method, url, version);
	case CONN_BODY:
		if (*size > 0) {
			bool go_on = request_body(c, (char *)(uintptr_t)upload, *size);

			*size = 0;
			return go_on ? MHD_YES : MHD_NO;
		}
		return on_whole(c);
	case CONN_READY:
		return queue(c);
	case CONN_IDLE:
	case CONN_WAITING:
	case CONN_SENDING:
	default:
		return MHD_NO;
	}
}

static void resume_now(struct conn *c)
{
	struct listener *l = c->l;

	timer_set(c, TIMER_NONE);
	l->suspended--;
	l->run = l->resumes = true;
	l->resumed_ms = c->net->now;
	MHD_resume_connection(c->mhd);
}

/* In libmicrohttpd's record of a connection: what its walk looks at is in the first cache
 * line and in these.  Only the speed rests on it. */
#define WALKED_AT   0x180u
#define WALKED_ALSO 0x1c0u

/* libmicrohttpd follows a list through all suspended connections, each of them a miss of
 * the caches that it waits for.  Asked for side by side, they come in less than half the
 * time. */
static void warm_suspended(const struct net *n)
{
	for (uint32_t i = 0; i < n->slots; i++) {
		const char *p = (const char *)n->mhd[i];

		if (p == NULL)
			continue;
		__builtin_prefetch(p);
		__builtin_prefetch(p + WALKED_AT);
		__builtin_prefetch(p + WALKED_ALSO);
	}
}

void listener_run(struct listener *l)
{
	if (l->resumes && l->suspended > NET_RESUME_MANY)
		warm_suspended(l->net);
	l->run = l->resumes = false;
	MHD_run(l->daemon);
}

/* A resume walks all suspended connections, some dozen nanoseconds each: that takes one
 * part in fifty of the time. */
int64_t listener_tick_ms(const struct net *n)
{
	unsigned suspended = 0;

	for (unsigned i = 0; i < n->listeners; i++)
		suspended += n->listener[i].suspended;
	return suspended > NET_RESUME_MANY ? suspended / NET_RESUME_EACH : 0;
}

void listener_resume(struct conn *c)
{
	struct listener *l = c->l;

	conn_unwatch(c);
	c->phase = CONN_READY;
	if (c->net->now - l->resumed_ms < listener_tick_ms(c->net))
		timer_set(c, TIMER_HELD);
	else
		resume_now(c);
}

void listener_flush_held(struct net *n)
{
	const struct conn *first = n->timers[TIMER_HELD].first;

	if (first == NULL || n->now - first->since < listener_tick_ms(n))
		return;
	while (n->timers[TIMER_HELD].first != NULL)
		resume_now(n->timers[TIMER_HELD].first);
}

/* As many connections as the limit says and the descriptors allow. */
static unsigned connection_limit(const struct net *n)
{
	unsigned want = n->kind == IPC_ON_HOSTS ? LIMIT_CONNECTIONS_HOSTS
	                                        : LIMIT_CONNECTIONS_API;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return want;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0 &&
		    getrlimit(RLIMIT_NOFILE, &r) != 0)
			return want;
	}
	if (r.rlim_cur >= want + SPARE_DESCRIPTORS)
		return want;
	log_warn("fewer connections than intended: raise the limit of open files",
	         LOG_N("intended", want), LOG_N("open_files", (int64_t)r.rlim_cur));
	return r.rlim_cur > 2 * SPARE_DESCRIPTORS
	               ? (unsigned)r.rlim_cur - SPARE_DESCRIPTORS
	               : SPARE_DESCRIPTORS;
}

static struct MHD_Daemon *start_daemon(struct listener *l, const char *cert,
                                       const char *key)
{
	bool tls = cert != NULL && !l->is_unix;
	struct MHD_OptionItem tls_options[] = {
		{MHD_OPTION_HTTPS_MEM_CERT,    0, (void *)(uintptr_t)cert          },
		{ MHD_OPTION_HTTPS_MEM_KEY,    0, (void *)(uintptr_t)key           },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
		{ MHD_OPTION_END,              0, NULL                             },
	};
	struct MHD_OptionItem no_options[] = {
		{MHD_OPTION_END, 0, NULL}
	};
	size_t pool = l->kind == IPC_ON_HOSTS ? NET_POOL_BYTES_HOSTS : NET_POOL_BYTES;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
	                 (tls ? MHD_USE_TLS : 0u);

	return MHD_start_daemon(
		flags, 0, on_accept, l, on_request, l, MHD_OPTION_LISTEN_SOCKET, l->fd,
		MHD_OPTION_CONNECTION_LIMIT, connection_limit(l->net),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool, MHD_OPTION_CONNECTION_TIMEOUT,
		0u, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_URI_LOG_CALLBACK,
		on_request_line, l, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, l,
		MHD_OPTION_ARRAY, tls ? tls_options : no_options, MHD_OPTION_END);
}

int listener_start(struct net *n, int fd, bool is_unix, const char *cert, const char *key,
                   struct err *e)
{
	struct listener *l = &n->listener[n->listeners];
	const union MHD_DaemonInfo *info;
	struct epoll_event ev = { .events = 0 };
	int flags = fcntl(fd, F_GETFL);

	if (n->listeners == NET_LISTENERS_MAX)
		return err_set(e, ERR_INVALID, "more than %u listeners",
		               NET_LISTENERS_MAX);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_sys(e, ERR_IO, errno, "listener");
	*l = (struct listener){ .net = n, .fd = fd, .is_unix = is_unix };
	l->kind = is_unix ? IPC_ON_UNIX : n->kind;
	if ((l->daemon = start_daemon(l, cert, key)) == NULL)
		return err_set(e, ERR_IO,
		               "cannot start the HTTP server: check certificate and key");
	info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	l->epoll_fd = info != NULL ? info->epoll_fd : -1;
	ev.data.u64 = NET_EVENT(ON_LISTENER, n->listeners);
	if (epoll_ctl(n->ep, EPOLL_CTL_ADD, l->epoll_fd, &ev) != 0)
		return err_sys(e, ERR_IO, errno, "listener");
	n->listeners++;
	return ERR_OK;
}

void listener_open(struct listener *l)
{
	struct net *n = l->net;
	struct epoll_event ev = {
		.events = EPOLLIN,
		.data.u64 = NET_EVENT(ON_LISTENER, (uint32_t)(l - n->listener)),
	};

	if (epoll_ctl(n->ep, EPOLL_CTL_MOD, l->epoll_fd, &ev) != 0)
		log_error("a listener cannot be watched", LOG_N("errno", errno));
	l->run = true;
}

void listener_quiesce(struct listener *l)
{
	int fd = MHD_quiesce_daemon(l->daemon);

	if (fd >= 0)
		close(fd);
	l->run = true;
}

/* libmicrohttpd aborts when it is stopped with suspended connections. */
static void drop_suspended(struct listener *l)
{
	for (uint32_t i = 0; i < l->net->slots; i++) {
		struct conn *c = l->net->slot[i];

		if (c == NULL || c->l != l)
			continue;
		if (c->phase == CONN_WAITING) {
			conn_unwatch(c);
			core_link_cancel(c);
			c->gone = true;
			c->phase = CONN_READY;
			resume_now(c);
		} else if (c->timer == TIMER_HELD) {
			resume_now(c);
		}
	}
}

void listener_stop(struct listener *l)
{
	if (l->daemon == NULL)
		return;
	drop_suspended(l);
	MHD_stop_daemon(l->daemon);
	l->daemon = NULL;
}
