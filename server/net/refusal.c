/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal - what libmicrohttpd 0.9.75 refuses by itself, in our words.
 *
 * It judges some broken heads and bodies before it asks us: with a page of HTML, its head
 * twice when the Content-Length is broken, not at all when a query needs too much memory,
 * and nothing to tell us of it.  It has no hook for this, but hands its page to its own
 * exported MHD_queue_response().  A definition in the program comes before the library's
 * (ELF symbol resolution, as with malloc), so ours is called: it writes one message,
 * counts, and shuts the connection, so that the page goes nowhere.  The page is queued
 * all the same: if that failed, libmicrohttpd would free the memory that it goes on to
 * parse. Where a build of it binds the call internally, its page is sent as before; a
 * test would say so.
 */
#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"

typedef enum MHD_Result queue_fn(struct MHD_Connection *mhd, unsigned status,
                                 struct MHD_Response *r);

static queue_fn *library_queue;

int refusal_init(struct err *e)
{
	void *p = dlsym(RTLD_NEXT, "MHD_queue_response");

	if (p == NULL)
		return err_set(e, ERR_INTERNAL,
		               "libmicrohttpd has no MHD_queue_response");
	memcpy(&library_queue, &p, sizeof(p)); /* ISO C has no such cast */
	return ERR_OK;
}

enum MHD_Result refusal_queue(struct MHD_Connection *mhd, unsigned status,
                              struct MHD_Response *r)
{
	return library_queue(mhd, status, r);
}

static const char *text_of(unsigned status)
{
	switch (status) {
	case 413:
		return "http: request body too large";
	case 414:
		return "request line too long";
	case 431:
		return "request header too large";
	case 500:
		return "internal error";
	case 505:
		return "unsupported HTTP version";
	default:
		return "malformed request";
	}
}

/* It fits any socket buffer; if it does not, the client sees the end of the connection.
 */
static void send_all(const struct conn *c, const char *p, size_t n)
{
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (tls == NULL) {
		(void)!send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (gnutls_record_send(tls->tls_session, p, n) == (ssize_t)n) {
		(void)gnutls_bye(tls->tls_session, GNUTLS_SHUT_WR);
	}
}

void refusal_send(struct conn *c, unsigned status)
{
	struct jbuf body = { NULL, 0, 0, false };
	char head[256];
	int n;

	net_reject(c->net, c->remote, text_of(status));
	reply_error_text(&body, text_of(status));
	n = snprintf(head, sizeof(head),
	             "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\n"
	             "Cache-Control: no-store\r\nConnection: close\r\n"
	             "Content-Length: %zu\r\n\r\n",
	             status, MHD_get_reason_phrase_for(status), body.len);
	if (n > 0 && (size_t)n < sizeof(head) && !body.failed) {
		struct jbuf all = { NULL, 0, 0, false };

		jbuf_add(&all, head, (size_t)n);
		jbuf_add(&all, body.p, body.len);
		if (!all.failed)
			send_all(c, all.p, all.len);
		jbuf_free(&all);
	}
	jbuf_free(&body);
	conn_cut(c);
}

/* Only libmicrohttpd itself calls this, the one name of ours that libraries see. */
__attribute__((visibility("default"))) enum MHD_Result MHD_queue_response(
	struct MHD_Connection *mhd, unsigned status, struct MHD_Response *page)
{
	struct conn *c = conn_of(mhd);

	if (c != NULL)
		refusal_send(c, status);
	return library_queue(mhd, status, page);
}

/* What one header, cookie or parameter takes beside its text, and the head of an answer:
 * both more than they do. */
#define ENTRY_BYTES  64
#define ANSWER_BYTES 640

bool refusal_needed(const struct conn *c)
{
	const enum MHD_ValueKind all = MHD_HEADER_KIND | MHD_COOKIE_KIND |
	                               MHD_GET_ARGUMENT_KIND;
	size_t pool = c->l->kind == IPC_ON_HOSTS ? NET_POOL_BYTES_HOSTS : NET_POOL_BYTES;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const char *cookies = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND,
	                                                  "Cookie");
	int n = MHD_get_connection_values(c->mhd, all, NULL, NULL);

	if (info == NULL || n < 0)
		return false;
	return info->header_size + (size_t)n * ENTRY_BYTES +
	               (cookies != NULL ? strlen(cookies) : 0) + ANSWER_BYTES >
	       pool;
}
