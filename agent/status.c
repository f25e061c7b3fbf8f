/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <stdlib.h>
#include <string.h>

#include "httpd.h"
#include "reply.h"
#include "session.h"

#define CLIENTS     8u
#define REQUEST_MAX 1024u
#define JSON        "application/json"

struct status_server {
	struct httpd *httpd;
	struct session *s; /* whose status it is; while an event is handled */
};

static void show_status(struct session *s, struct httpd_client *c)
{
	AUTO_JSON doc = session_status(s);
	AUTO_TEXT text = doc != NULL ? reply_text(doc) : NULL;

	httpd_reply(c, text != NULL ? "200 OK" : "503 Service Unavailable", JSON,
	            text != NULL ? text : "{}");
}

static void show_metrics(struct session *s, struct httpd_client *c)
{
	AUTO_FREE char *text = session_metrics(s);

	httpd_reply(c, text != NULL ? "200 OK" : "503 Service Unavailable",
	            "text/plain; version=0.0.4", text != NULL ? text : "");
}

static void want_rekey(struct session *s, struct httpd_client *c)
{
	if (session_rekey_want(s))
		httpd_reply(c, "202 Accepted", JSON, "{}\n");
	else
		httpd_reply(c, "409 Conflict", JSON,
		            "{\"errors\":[\"the host was revoked\"]}\n");
}

static const struct route {
	const char *method, *path;
	void (*serve)(struct session *s, struct httpd_client *c);
} routes[] = {
	{"GET",   "/status",    show_status },
	{ "GET",  "/v1/status", show_status },
	{ "GET",  "/metrics",   show_metrics},
	{ "POST", "/rekey",     want_rekey  },
};

static void serve(void *ctx, struct httpd_client *c, const struct httpd_request *q)
{
	struct status_server *st = ctx;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (strcmp(q->method, routes[i].method) == 0 &&
		    strcmp(q->path, routes[i].path) == 0) {
			routes[i].serve(st->s, c);
			return;
		}
	httpd_reply(c, "404 Not Found", JSON,
	            "{\"errors\":[\"there is GET /status, GET /metrics, "
	            "POST /rekey\"]}\n");
}

int status_listen(const char *path, struct status_server **out, struct err *e)
{
	struct status_server *st = calloc(1, sizeof(*st));
	const struct httpd_options o = {
		.path = path,
		.mode = 0660,
		.clients = CLIENTS,
		.request_max = REQUEST_MAX,
		.serve = serve,
		.ctx = st,
	};
	int rc;

	if (st == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = httpd_listen(&o, &st->httpd, e)) != ERR_OK) {
		free(st);
		return rc;
	}
	*out = st;
	return ERR_OK;
}

void status_free(struct status_server *st)
{
	if (st == NULL)
		return;
	httpd_free(st->httpd);
	free(st);
}

int status_attach(struct status_server *st, int epoll_fd, struct err *e)
{
	return httpd_attach(st->httpd, epoll_fd, e);
}

bool status_event(struct status_server *st, int fd, unsigned events, struct session *s)
{
	st->s = s;
	return httpd_event(st->httpd, fd, events);
}
