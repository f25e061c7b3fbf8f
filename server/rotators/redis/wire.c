/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "clock.h"

/* Until the descriptor is ready, or the time is over. */
static int wait_for(const struct wire *w, short events, struct answer *a)
{
	for (;;) {
		struct pollfd fd = { .fd = w->fd, .events = events };
		int64_t left = w->end_ms - clock_boot(clock_system());
		int n = left > 0 ? poll(&fd, 1, (int)left) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return answer_fail(a, CLASS_RETRYABLE,
			                   "no answer before the deadline");
		if (errno != EINTR)
			return answer_fail(a, CLASS_RETRYABLE, "poll: %m");
	}
}

/* --- connecting --- */

static int connect_to(struct wire *w, const struct sockaddr *to, socklen_t n,
                      struct answer *a)
{
	int error = 0, rc;
	socklen_t size = sizeof(error);

	w->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return answer_fail(a, CLASS_RETRYABLE, "socket: %m");
	if (connect(w->fd, to, n) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return answer_fail(a, CLASS_RETRYABLE, "cannot connect: %m");
	if ((rc = wait_for(w, POLLOUT, a)) != 0)
		return rc;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
		return answer_fail(a, CLASS_RETRYABLE, "cannot connect: %s",
		                   strerror(error));
	return 0;
}

static int open_unix(struct wire *w, const char *path, struct answer *a)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.host: the path is too long");
	memcpy(to.sun_path, path, strlen(path));
	return connect_to(w, (const struct sockaddr *)&to, sizeof(to), a);
}

static int open_tcp(struct wire *w, const char *host, int64_t port, struct answer *a)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char service[24];
	int rc, error;

	snprintf(service, sizeof(service), "%lld", (long long)port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0)
		return answer_fail(a, CLASS_RETRYABLE, "%.80s: %s", host,
		                   gai_strerror(error));
	rc = CLASS_RETRYABLE;
	for (const struct addrinfo *i = list; rc != 0 && i != NULL; i = i->ai_next) {
		rc = connect_to(w, i->ai_addr, i->ai_addrlen, a);
		if (rc != 0 && w->fd >= 0) {
			close(w->fd);
			w->fd = -1;
		}
	}
	freeaddrinfo(list);
	return rc;
}

/* --- TLS --- */

static int tls_failed(const struct wire *w, int rc, struct answer *a)
{
	if (rc != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		return answer_fail(a, CLASS_RETRYABLE, "TLS: %s", gnutls_strerror(rc));
	return answer_fail(a, CLASS_PERMANENT,
	                   "TLS: the server's certificate does not verify (%#x)",
	                   gnutls_session_get_verify_cert_status(w->tls));
}

static int handshake(struct wire *w, struct answer *a)
{
	for (;;) {
		int rc = gnutls_handshake(w->tls), waited;

		if (rc == GNUTLS_E_SUCCESS)
			return 0;
		if (gnutls_error_is_fatal(rc))
			return tls_failed(w, rc, a);
		if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED)
			continue;
		waited = wait_for(
			w, gnutls_record_get_direction(w->tls) ? POLLOUT : POLLIN, a);
		if (waited != 0)
			return waited;
	}
}

static int trust(struct wire *w, const struct target *t, struct answer *a)
{
	int n;

	if (gnutls_certificate_allocate_credentials(&w->trust) != GNUTLS_E_SUCCESS)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	n = t->ca != NULL ? gnutls_certificate_set_x509_trust_file(w->trust, t->ca,
	                                                           GNUTLS_X509_FMT_PEM)
	                  : gnutls_certificate_set_x509_system_trust(w->trust);
	if (t->ca != NULL && n <= 0)
		return answer_fail(a, CLASS_PERMANENT, "config.ca has no certificate");
	return 0;
}

static int start_tls(struct wire *w, const struct target *t, enum tls_mode mode,
                     struct answer *a)
{
	const char *name = mode == TLS_VERIFY_FULL ? t->host : NULL;
	int rc = trust(w, t, a);

	if (rc != 0)
		return rc;
	if (gnutls_init(&w->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) !=
	            GNUTLS_E_SUCCESS ||
	    gnutls_set_default_priority(w->tls) != GNUTLS_E_SUCCESS ||
	    gnutls_credentials_set(w->tls, GNUTLS_CRD_CERTIFICATE, w->trust) !=
	            GNUTLS_E_SUCCESS)
		return answer_fail(a, CLASS_RETRYABLE, "TLS cannot be set up");
	if (mode == TLS_VERIFY_FULL || mode == TLS_VERIFY_CA)
		gnutls_session_set_verify_cert(w->tls, name, 0);
	gnutls_server_name_set(w->tls, GNUTLS_NAME_DNS, t->host, strlen(t->host));
	gnutls_transport_set_int(w->tls, w->fd);
	return handshake(w, a);
}

int wire_open(struct wire *w, const struct target *t, enum tls_mode mode, int64_t end_ms,
              struct answer *a)
{
	int rc;

	*w = (struct wire){ .fd = -1, .end_ms = end_ms };
	rc = t->host[0] == '/' ? open_unix(w, t->host, a)
	                       : open_tcp(w, t->host, t->port, a);
	if (rc == 0 && mode != TLS_OFF)
		rc = start_tls(w, t, mode, a);
	if (rc != 0)
		wire_close(w);
	return rc;
}

void wire_close(struct wire *w)
{
	if (w->tls != NULL)
		gnutls_deinit(w->tls);
	if (w->trust != NULL)
		gnutls_certificate_free_credentials(w->trust);
	if (w->fd >= 0)
		close(w->fd);
	*w = (struct wire){ .fd = -1 };
}

/* --- bytes --- */

/* After a transfer of ${n}: 0 to try again, or what failed.  GnuTLS and the socket tell
 * in ways of their own. */
static int judge(const struct wire *w, ssize_t n, short events, struct answer *a)
{
	bool again = w->tls != NULL ? !gnutls_error_is_fatal((int)n)
	                            : errno == EAGAIN || errno == EINTR;

	if (n == 0)
		return answer_fail(a, CLASS_RETRYABLE,
		                   "the server closed the connection");
	if (again)
		return wait_for(w, events, a);
	if (w->tls != NULL)
		return answer_fail(a, CLASS_RETRYABLE, "TLS: %s",
		                   gnutls_strerror((int)n));
	return answer_fail(a, CLASS_RETRYABLE, "the connection broke: %m");
}

int wire_write(struct wire *w, const void *p, size_t n, struct answer *a)
{
	const char *at = p;

	while (n > 0) {
		ssize_t put = w->tls != NULL ? gnutls_record_send(w->tls, at, n)
		                             : send(w->fd, at, n, MSG_NOSIGNAL);
		int rc = put > 0 ? 0 : judge(w, put, POLLOUT, a);

		if (rc != 0)
			return rc;
		if (put > 0) {
			at += put;
			n -= (size_t)put;
		}
	}
	return 0;
}

int wire_read(struct wire *w, void *p, size_t n, size_t *got, struct answer *a)
{
	for (;;) {
		ssize_t took = w->tls != NULL ? gnutls_record_recv(w->tls, p, n)
		                              : recv(w->fd, p, n, 0);
		int rc = took > 0 ? 0 : judge(w, took, POLLIN, a);

		if (rc != 0)
			return rc;
		if (took > 0) {
			*got = (size_t)took;
			return 0;
		}
	}
}
