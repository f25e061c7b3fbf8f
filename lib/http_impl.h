/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_IMPL_H
#define HTTP_IMPL_H
/* http_impl - one request on a client's easy handle, shared by http.c
 * and http_multi.c. */
#include <curl/curl.h>

#include "buf.h"
#include "http.h"

struct http_client {
	CURL *easy;
	char *base;
	char *wrap_ttl; /* or NULL */
	bool unwrapped; /* it is not asked for */
	struct curl_slist *headers;
	struct buf request; /* the body that is being sent */
	char *body;         /* the reply that is being received */
	size_t len, cap, max;
	bool too_big;
	long connect_ms;
	bool answered;     /* the last request was: its connection may still be there */
	http_data_fn data; /* takes what is received instead, or NULL */
	void *data_ctx;
	http_tick_fn tick; /* asked whether to go on, or NULL */
	void *tick_ctx;
	char detail[CURL_ERROR_SIZE];

	/* set while a multi drives the client */
	struct http_multi *multi;
	struct http_client *next;
	http_done_fn done;
	void *ctx;
};

struct http_request {
	const char *method;
	const char *path;
	const char *token;
	const char *body;
	long timeout_ms;
};

/** http_prepare(c, q, e): set up ${c}'s easy handle; ERR_BUSY if a request is
 * under way. */
int http_prepare(struct http_client *c, const struct http_request *q, struct err *e)
	MUST_CHECK;

/** http_finish(c, result, reply, e): judge curl's result, move the reply out, wipe the
 * rest. */
int http_finish(struct http_client *c, CURLcode result, struct http_reply *reply,
                struct err *e) MUST_CHECK;

/** http_multi_drop(c): take ${c} out of its multi without calling anybody. */
void http_multi_drop(struct http_client *c);

#endif
