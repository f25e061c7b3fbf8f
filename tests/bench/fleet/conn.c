/* SPDX-License-Identifier: Apache-2.0 */
/* conn - HTTP/1.1 over TLS without blocking: as much of both as vaultd's replies need. */
#include <errno.h>
#include <gnutls/abstract.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fleet.h"
#include "sha256.h"

#define CONNECT_MS  5000
#define FIRST_BYTES 4096u
#define KEY_MAX     1024u

static void forget_request(struct conn *c)
{
	free(c->out);
	free(c->in);
	c->out = c->in = NULL;
	c->out_len = c->out_at = c->in_len = c->in_cap = 0;
}

void conn_close(struct conn *c)
{
	forget_request(c);
	if (c->tls != NULL)
		gnutls_deinit(c->tls);
	c->tls = NULL;
	if (c->state != CONN_NONE)
		close(c->fd);
	c->state = CONN_NONE;
}

static void fail(struct conn *c, enum conn_end why)
{
	bool asked = c->out != NULL;

	conn_close(c);
	if (asked)
		agent_failed(c->agent, c, why);
}

static void arm(struct conn *c, bool output)
{
	struct epoll_event ev = { .events = EPOLLIN | (output ? EPOLLOUT : 0u),
		                  .data.ptr = c };

	if (ev.events == c->armed)
		return;
	(void)epoll_ctl(c->agent->f->epoll_fd,
	                c->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &ev);
	c->armed = ev.events;
}

static int start_tls(struct conn *c)
{
	struct fleet *f = c->agent->f;

	if (gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS) !=
	    0)
		return -1;
	gnutls_transport_set_int(c->tls, c->fd);
	return gnutls_priority_set(c->tls, f->priorities) == 0 &&
	                       gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE,
	                                              f->credentials) == 0
	               ? 0
	               : -1;
}

static void open_conn(struct conn *c, const struct sockaddr_in *to)
{
	static const int on = 1;
	struct fleet *f = c->agent->f;

	c->armed = 0;
	c->connect_by = f->now + CONNECT_MS;
	f->counts.connections++;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		perror("fleet: socket");
		exit(1);
	}
	c->state = CONN_CONNECT;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
	    errno != EINPROGRESS)
		(void)shutdown(c->fd, SHUT_RDWR); /* the event will tell */
	arm(c, true);
}

/* The whole request, on a connection that was idle; else the next event goes on. */
static bool send_now(struct conn *c)
{
	ssize_t n = gnutls_record_send(c->tls, c->out, c->out_len);

	if (n > 0)
		c->out_at = (size_t)n;
	if (c->out_at < c->out_len)
		return false;
	c->state = CONN_RECEIVE;
	return true;
}

void conn_send(struct conn *c, const struct sockaddr_in *to, char *request, size_t n,
               int64_t timeout_ms)
{
	struct fleet *f = c->agent->f;

	f->counts.requests++;
	c->out = request;
	c->out_len = n;
	c->out_at = 0;
	c->reply_by = f->now + timeout_ms;
	if (c->state == CONN_NONE) {
		open_conn(c, to);
		return;
	}
	c->state = CONN_SEND;
	if (!send_now(c))
		arm(c, true);
}

/* Is the server's key one that the agent knows?  All show the same one. */
static bool key_is_pinned(const struct conn *c)
{
	static unsigned char seen[KEY_MAX], pin[32];
	static size_t seen_len;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(c->tls,
	                                                         &(unsigned){ 0 });
	gnutls_x509_crt_t crt = NULL;
	gnutls_pubkey_t key = NULL;
	gnutls_datum_t spki = { 0 };

	if (der == NULL || der->size > sizeof(seen))
		return false;
	if (der->size != seen_len || memcmp(seen, der->data, seen_len) != 0) {
		seen_len = 0;
		if (gnutls_x509_crt_init(&crt) == 0 && gnutls_pubkey_init(&key) == 0 &&
		    gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 &&
		    gnutls_pubkey_import_x509(key, crt, 0) == 0 &&
		    gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki) == 0) {
			sha256_of(pin, spki.data, spki.size);
			memcpy(seen, der->data, der->size);
			seen_len = der->size;
		}
		gnutls_free(spki.data);
		gnutls_pubkey_deinit(key);
		gnutls_x509_crt_deinit(crt);
	}
	return seen_len > 0 && pins_has(&c->agent->id.pins, pin);
}

/* True: go on. */
static bool shake(struct conn *c)
{
	int rc = gnutls_handshake(c->tls);

	if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED) {
		arm(c, gnutls_record_get_direction(c->tls) == 1);
		return false;
	}
	if (rc != 0) {
		if (rc != GNUTLS_E_PREMATURE_TERMINATION && rc != GNUTLS_E_PULL_ERROR &&
		    rc != GNUTLS_E_PUSH_ERROR)
			agent_complain(c->agent, "TLS", gnutls_strerror(rc));
		fail(c, CONN_UNREACHABLE);
		return false;
	}
	if (!key_is_pinned(c)) {
		fail(c, CONN_DISTRUSTED);
		return false;
	}
	c->state = CONN_SEND;
	return true;
}

static bool is_connected(struct conn *c)
{
	int why = 0;
	socklen_t n = sizeof(why);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0 || why != 0 ||
	    start_tls(c) != 0) {
		fail(c, CONN_UNREACHABLE);
		return false;
	}
	c->state = CONN_HELLO;
	return true;
}

static bool send_request(struct conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = gnutls_record_send(c->tls, c->out + c->out_at,
		                               c->out_len - c->out_at);

		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			arm(c, true);
			return false;
		}
		if (n < 0) {
			fail(c, CONN_UNREACHABLE);
			return false;
		}
		c->out_at += (size_t)n;
	}
	c->state = CONN_RECEIVE;
	arm(c, false);
	return true;
}

/* A header's value as a number, 0 if it is not there. */
static long header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(head, "\r\n"); p != NULL; p = strstr(p, "\r\n")) {
		p += 2;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return strtol(p + n + 1, NULL, 10);
	}
	return 0;
}

/* The reply, once it is whole. */
static bool take_reply(struct conn *c)
{
	char *end, *in = c->in, *out = c->out;
	struct reply r = { .status = 0 };

	in[c->in_len] = '\0';
	if ((end = strstr(in, "\r\n\r\n")) == NULL)
		return false;
	end[2] = '\0';
	r.body = end + 4;
	r.len = (size_t)header(in, "Content-Length");
	r.retry_after = (int)header(in, "Retry-After");
	if (c->in_len < (size_t)(r.body - in) + r.len) {
		end[2] = '\r';
		return false;
	}
	r.status = strncmp(in, "HTTP/1.1 ", 9) == 0 ? (int)strtol(in + 9, NULL, 10) : 0;
	c->in = c->out = NULL;
	c->in_len = c->in_cap = 0;
	c->state = CONN_IDLE;
	agent_reply(c->agent, c, &r);
	free(in);
	free(out);
	return true;
}

static bool make_room(struct conn *c)
{
	size_t cap = c->in_cap == 0 ? FIRST_BYTES : 2 * c->in_cap;
	char *in;

	if (c->in_cap > c->in_len + 1)
		return true;
	if ((in = realloc(c->in, cap)) == NULL)
		return false;
	c->in = in;
	c->in_cap = cap;
	return true;
}

static void receive(struct conn *c)
{
	for (;;) {
		ssize_t n = make_room(c) ? gnutls_record_recv(c->tls, c->in + c->in_len,
		                                              c->in_cap - c->in_len - 1)
		                         : -1;

		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			return;
		if (n <= 0) {
			fail(c, CONN_UNREACHABLE);
			return;
		}
		c->in_len += (size_t)n;
		if (c->state == CONN_RECEIVE && take_reply(c))
			return;
	}
}

void conn_event(struct conn *c)
{
	if (c->state == CONN_CONNECT && !is_connected(c))
		return;
	if (c->state == CONN_HELLO && !shake(c))
		return;
	if (c->state == CONN_SEND && !send_request(c))
		return;
	if (c->state == CONN_RECEIVE || c->state == CONN_IDLE)
		receive(c);
}

void conn_check(struct conn *c)
{
	int64_t now = c->agent->f->now;

	if (c->out == NULL)
		return;
	if (now >= c->reply_by || ((c->state == CONN_CONNECT || c->state == CONN_HELLO) &&
	                           now >= c->connect_by))
		fail(c, CONN_TIMEOUT);
}
