/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HTTPD_H
#define AGENT_HTTPD_H
/*
 * httpd - a small HTTP/1.1 server on a Unix socket of the loop: one request a connection,
 * answered now or later.
 *
 * A handful of connections without timers: when all are taken the oldest that is not
 * waiting for our answer goes.  Requests are bounded; memory is held only while there is
 * one, and wiped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

struct httpd;
struct httpd_client;

struct httpd_request {
	const char *method; /* "GET" */
	const char *path;   /* as it came, query included */
	const char *body;   /* NUL-terminated, never NULL */
	size_t len;
};

struct httpd_options {
	const char *path;   /* of the socket */
	mode_t mode;        /* of the socket */
	size_t clients;     /* most */
	size_t request_max; /* bytes of head and body */
	bool trusted;       /* only root, and who this process runs as, is answered */
	/** serve(ctx, c, q): leads to one httpd_reply(), now or later; ${q} is borrowed.
	 */
	void (*serve)(void *ctx, struct httpd_client *c, const struct httpd_request *q);
	/** gone(ctx, c): who asked is no longer there, and not to be answered; NULL:
	 * every request is answered at once. */
	void (*gone)(void *ctx, struct httpd_client *c);
	void *ctx;
};

/** httpd_listen(o, out, e): bind; a stale socket is replaced, a live one is ERR_BUSY. */
int httpd_listen(const struct httpd_options *o, struct httpd **out, struct err *e)
	MUST_CHECK;
/** httpd_free(h): also removes the socket; nobody is told; NULL is allowed. */
void httpd_free(struct httpd *h);

/** httpd_attach(h, epoll_fd, e): from now on its events come to the loop. */
int httpd_attach(struct httpd *h, int epoll_fd, struct err *e) MUST_CHECK;
/** httpd_event(h, fd, events): true if ${fd} is one of its descriptors. */
bool httpd_event(struct httpd *h, int fd, unsigned events);

/** httpd_reply(c, status, type, body): ${status} with its words ("200 OK").  ${c} is not
 * to be used again. */
void httpd_reply(struct httpd_client *c, const char *status, const char *type,
                 const char *body);

#endif
