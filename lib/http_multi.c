/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/epoll.h>

#include "clock.h"
#include "http_impl.h"

struct http_multi {
	CURLM *multi;
	int epoll_fd;
	int64_t due_ms; /* boot time, -1 for never */
	struct http_client *clients;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct http_multi *m = ctx;
	struct epoll_event ev = { .data.fd = fd };
	int op = known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if ((what & CURL_POLL_IN) != 0)
		ev.events |= EPOLLIN;
	if ((what & CURL_POLL_OUT) != 0)
		ev.events |= EPOLLOUT;
	/* A number may come back for a new socket: the kernel knows better than we. */
	if (epoll_ctl(m->epoll_fd, op, fd, &ev) != 0) {
		op = errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
		if (epoll_ctl(m->epoll_fd, op, fd, &ev) != 0)
			return -1;
	}
	(void)curl_multi_assign(m->multi, fd, m);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
	struct http_multi *m = ctx;

	(void)multi;
	m->due_ms = ms < 0 ? -1 : clock_boot(clock_system()) + ms;
	return 0;
}

struct http_multi *http_multi_new(int epoll_fd, struct err *e)
{
	struct http_multi *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->multi = curl_multi_init()) == NULL ||
	    curl_multi_setopt(m->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
	    curl_multi_setopt(m->multi, CURLMOPT_SOCKETDATA, m) != CURLM_OK ||
	    curl_multi_setopt(m->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
	    curl_multi_setopt(m->multi, CURLMOPT_TIMERDATA, m) != CURLM_OK ||
	    curl_multi_setopt(m->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK) {
		http_multi_free(m);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	m->epoll_fd = epoll_fd;
	m->due_ms = -1;
	return m;
}

static void unlink_client(struct http_client *c)
{
	struct http_client **at = &c->multi->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	(void)curl_multi_remove_handle(c->multi->multi, c->easy);
	c->multi = NULL;
	c->next = NULL;
}

void http_multi_drop(struct http_client *c)
{
	if (c->multi != NULL)
		unlink_client(c);
}

void http_multi_free(struct http_multi *m)
{
	if (m == NULL)
		return;
	while (m->clients != NULL) {
		struct http_client *c = m->clients;
		struct http_reply reply;

		unlink_client(c);
		(void)!http_finish(c, CURLE_ABORTED_BY_CALLBACK, &reply, NULL);
	}
	curl_multi_cleanup(m->multi);
	free(m);
}

/* All the parts of a request, and where it goes. */
/* NOLINTNEXTLINE(readability-function-size) */
int http_multi_start(struct http_multi *m, struct http_client *c, const char *method,
                     const char *path, const char *token, const char *body,
                     long timeout_ms, http_done_fn done, void *ctx, struct err *e)
{
	const struct http_request q = { method, path, token, body, timeout_ms };
	struct http_reply reply;
	CURLMcode r;
	int rc = http_prepare(c, &q, e);

	if (rc != ERR_OK)
		return rc;
	c->done = done;
	c->ctx = ctx;
	c->multi = m;
	c->next = m->clients;
	m->clients = c;
	r = curl_multi_add_handle(m->multi, c->easy);
	if (r == CURLM_OK)
		return ERR_OK;
	unlink_client(c);
	(void)!http_finish(c, CURLE_FAILED_INIT, &reply, NULL);
	return err_set(e, ERR_INTERNAL, "%s: %s", c->base, curl_multi_strerror(r));
}

static void finish(CURL *easy, CURLcode result)
{
	struct err e = { ERR_OK, "" };
	struct http_reply reply;
	struct http_client *c = NULL;
	void *private = NULL;
	int rc;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	c = private;
	if (c == NULL)
		return;
	unlink_client(c);
	rc = http_finish(c, result, &reply, &e);
	c->done(c->ctx, rc, &reply, &e);
	http_reply_clear(&reply);
}

static void finish_all(struct http_multi *m)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(m->multi, &left)) != NULL)
		if (msg->msg == CURLMSG_DONE)
			finish(msg->easy_handle, msg->data.result);
}

void http_multi_event(struct http_multi *m, int fd, unsigned events)
{
	int mask = 0, running;

	if ((events & EPOLLIN) != 0)
		mask |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		mask |= CURL_CSELECT_OUT;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(m->multi, fd, mask, &running);
	finish_all(m);
}

long http_multi_timeout_ms(const struct http_multi *m)
{
	int64_t now = clock_boot(clock_system());

	if (m->due_ms < 0)
		return -1;
	return m->due_ms <= now ? 0 : (long)(m->due_ms - now);
}

void http_multi_tick(struct http_multi *m)
{
	int running;

	if (http_multi_timeout_ms(m) != 0)
		return;
	m->due_ms = -1;
	(void)curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(m);
}
