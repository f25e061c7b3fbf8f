/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_H
#define HTTP_H
/*
 * http - one request at a time to vaultd (or another HTTP server) through libcurl.
 *
 * TCP, TLS pinned by public key ("sha256//<base64>", several joined by ';') or verified
 * against a CA file, or a Unix socket.  http:// is for loopback and Unix sockets alone.
 * No redirects, no proxies, no netrc.  Reply bodies are bounded (LIMIT_FRAME) and wiped.
 * The token travels in a header list that is wiped after use; libcurl's own buffers are
 * wiped when they are freed.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct http_client;

struct http_options {
	const char *base_url;    /* "https://host:8200", without a trailing slash */
	const char *unix_socket; /* or NULL */
	const char *pin;         /* curl's CURLOPT_PINNEDPUBLICKEY form, or NULL */
	const char *ca_file;     /* or NULL: the system's */
	bool skip_verify;        /* VAULT_SKIP_VERIFY */
	const char *client_cert; /* PEM files of a client certificate and its key, */
	const char *client_key;  /* or NULL */
	const char *wrap_ttl;    /* asked of every reply (X-Vault-Wrap-TTL), or NULL */
	long connect_timeout_ms; /* 0: 5 s */
	size_t reply_max;        /* bytes of a body; 0: LIMIT_FRAME */
	bool one_shot; /* a connection for each request: none lies idle, none is found
	                  dead */
};

struct http_reply {
	long status;
	char *body; /* NUL-terminated, never NULL; http_reply_clear() wipes it */
	size_t len;
	int retry_after; /* seconds, 0 if absent */
};

/** http_new(o, e): strings are copied.  With a pin and no CA file the chain itself is not
 * checked: the key is the identity.  ERR_USAGE for a URL that may not be used. */
struct http_client *http_new(const struct http_options *o, struct err *e) MUST_CHECK;
/** http_wrap(c, wanted): are replies to be wrapped from now on, if the options say for
 * how long?  At first they are. */
void http_wrap(struct http_client *c, bool wanted);
/* Takes the body of a reply as it comes; false: no more of it (ERR_TOO_BIG).  It may make
 * no calls of this module. */
typedef bool (*http_data_fn)(void *ctx, const char *p, size_t n);
/** http_stream(c, data, ctx): from the next request on, bodies of replies with a status
 * 2xx go to ${data} instead of into the reply, whatever their length; NULL ends that. */
void http_stream(struct http_client *c, http_data_fn data, void *ctx);
/* Called about once a second while a request is under way, also when nothing comes; false
 * ends the request (ERR_TIMEOUT).  It may make no calls of this module. */
typedef bool (*http_tick_fn)(void *ctx);
/** http_tick(c, tick, ctx): from the next request on; NULL ends that. */
void http_tick(struct http_client *c, http_tick_fn tick, void *ctx);
/** http_free(c): a request that is under way ends without its callback; NULL
 * is allowed. */
void http_free(struct http_client *c);

/**
 * http_call(c, method, path, token, body, timeout_ms, reply, e): ${path} starts with
 * "/v1/".  ${body} (JSON text) and ${token} may be NULL.  ERR_OK means that a reply
 * arrived, whatever its status; the caller clears ${reply} then.  Otherwise
 * ERR_UNREACHABLE, ERR_TIMEOUT, ERR_VERIFY (TLS or pin), ERR_TOO_BIG, ERR_BUSY (a request
 * is under way).
 */
int http_call(struct http_client *c, const char *method, const char *path,
              const char *token, const char *body, long timeout_ms,
              struct http_reply *reply, struct err *e) MUST_CHECK;

/** http_reply_clear(r): wipe and free the body; zeroes are allowed. */
void http_reply_clear(struct http_reply *r);

/* The same, driven by the caller's own epoll loop (vault-agent's watch). */
struct http_multi;
/** http_multi_new(epoll_fd, e): curl's descriptors are added to ${epoll_fd}
 * with data.fd.  One connection is kept open; another is closed when its request is
 * done. */
struct http_multi *http_multi_new(int epoll_fd, struct err *e) MUST_CHECK;
/** http_multi_free(m): requests under way end without their callback; NULL is allowed. */
void http_multi_free(struct http_multi *m);
/* ${reply} and ${e} are borrowed for the call; the body is wiped after it.  The callback
 * may start the client's next request, and may not free the client or the multi. */
typedef void (*http_done_fn)(void *ctx, int rc, struct http_reply *reply,
                             const struct err *e);
/** http_multi_start(m, c, …): begin; ${timeout_ms} 0: without end; ${done} is called
 * once, from http_multi_event() or http_multi_tick().  Strings are copied. */
int http_multi_start(struct http_multi *m, struct http_client *c, const char *method,
                     const char *path, const char *token, const char *body,
                     long timeout_ms, http_done_fn done, void *ctx, struct err *e)
	MUST_CHECK;
/** http_multi_event(m, fd, events): an epoll event whose data.fd is one of curl's. */
void http_multi_event(struct http_multi *m, int fd, unsigned events);
/** http_multi_timeout_ms(m): how long the loop may sleep, -1 for ever; then call
 * http_multi_tick(). */
long http_multi_timeout_ms(const struct http_multi *m);
/** http_multi_tick(m): do what is due; harmless at any time. */
void http_multi_tick(struct http_multi *m);

#endif
