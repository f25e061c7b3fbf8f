/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline - absolute deadlines of connections.
 *
 * libmicrohttpd's own timeout restarts with every byte, so a client that sends one byte a
 * second would stay for ever.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log.h"
#include "net.h"
#include "vault/limits.h"

static int64_t duration_ms(enum conn_timer t)
{
	switch (t) {
	case TIMER_RECEIVE:
	case TIMER_SEND:
		return (int64_t)LIMIT_REQUEST_SECONDS * 1000;
	case TIMER_IDLE:
		return (int64_t)LIMIT_IDLE_SECONDS * 1000;
	case TIMER_SEND_BIG:
		return (int64_t)LIMIT_SEND_BIG_SECONDS * 1000;
	case TIMER_WATCH:
		return NET_WATCH_AFTER_MS;
	case TIMER_HELD: /* listener.c's */
	case TIMER_NONE:
	case TIMER__MAX:
	default:
		return 0;
	}
}

static void unlink_conn(struct conn *c)
{
	struct conn_list *list = &c->net->timers[c->timer];

	if (c->timer == TIMER_NONE)
		return;
	*(c->prev != NULL ? &c->prev->next : &list->first) = c->next;
	*(c->next != NULL ? &c->next->prev : &list->last) = c->prev;
	c->prev = c->next = NULL;
	c->timer = TIMER_NONE;
}

void timer_set(struct conn *c, enum conn_timer t)
{
	struct conn_list *list = &c->net->timers[t];

	unlink_conn(c);
	if (t == TIMER_NONE)
		return;
	c->timer = t;
	c->since = c->net->now;
	c->prev = list->last;
	*(list->last != NULL ? &list->last->next : &list->first) = c;
	list->last = c;
}

int timer_next(const struct net *n)
{
	int64_t best = -1;

	for (int t = TIMER_NONE + 1; t < TIMER__MAX; t++) {
		const struct conn *c = n->timers[t].first;
		int64_t left;

		if (c == NULL)
			continue;
		left = c->since - n->now +
		       (t == TIMER_HELD ? listener_tick_ms(n)
		                        : duration_ms((enum conn_timer)t));
		if (left < 0)
			left = 0;
		if (best < 0 || left < best)
			best = left;
	}
	return (int)best;
}

void conn_unwatch(struct conn *c)
{
	c->watched = false;
}

void conn_hung_up(struct conn *c)
{
	c->hung_up = true;
	if (!c->watched || c->phase != CONN_WAITING)
		return;
	core_link_cancel(c);
	c->gone = true;
	listener_resume(c);
}

/* The set tells of each hang-up once, whatever the connection does then: it need not be
 * left and entered again for each request. */
static void conn_watch(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLRDHUP | EPOLLET,
		                  .data.u64 = NET_EVENT(ON_CONN, c->slot) };

	if (!c->in_set)
		c->in_set = epoll_ctl(c->net->ep, EPOLL_CTL_ADD, c->fd, &ev) == 0;
	c->watched = c->in_set;
	if (c->hung_up)
		conn_hung_up(c);
}

void conn_cut(struct conn *c)
{
	timer_set(c, TIMER_NONE);
	shutdown(c->fd, SHUT_RDWR);
}

static void expire(struct conn *c)
{
	switch (c->timer) {
	case TIMER_WATCH:
		timer_set(c, TIMER_NONE);
		conn_watch(c);
		break;
	case TIMER_RECEIVE:
		net_reject(c->net, c->remote, "request not received in time");
		conn_cut(c);
		break;
	case TIMER_SEND:
	case TIMER_SEND_BIG:
		log_debug("reply not taken in time", LOG_S("remote", c->remote));
		conn_cut(c);
		break;
	default:
		conn_cut(c);
	}
}

void timer_expire(struct net *n)
{
	for (int t = TIMER_NONE + 1; t < TIMER__MAX; t++) {
		int64_t limit = n->now - duration_ms((enum conn_timer)t);
		struct conn *c;

		if (t == TIMER_HELD)
			continue;
		while ((c = n->timers[t].first) != NULL && c->since <= limit)
			expire(c);
	}
	listener_flush_held(n);
}
