/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_link - the stream to core: requests out, replies in.
 *
 * A frame's id is a sequence number over the slot of its connection, so that a late reply
 * finds nobody instead of the wrong client.
 */
#include <string.h>
#include <sys/epoll.h>

#include "client_cert.h"
#include "log.h"
#include "net.h"

#define SLOT_BITS 20u
#define SLOT_MASK ((1u << SLOT_BITS) - 1)

bool core_up(const struct net *n)
{
	return n->core != NULL && n->welcomed;
}

static int say_hello(struct net *n)
{
	struct arena *a = n->a;
	struct value *v = value_object(a);
	int rc;

	value_set_str(a, v, "listener", n->kind == IPC_ON_HOSTS ? "hosts" : "api");
	value_set(v, "spki", n->has_spki ? value_bytes(a, n->spki, 32) : value_null(a));
	rc = arena_failed(a) ? ERR_NOMEM : frame_put(n->core, IPC_HELLO, 0, v);
	arena_reset(a);
	return rc;
}

int core_attach(struct net *n, int fd, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = NET_EVENT(ON_CORE, 0) };

	if (n->core != NULL)
		core_lost(n);
	if ((n->core = frame_conn_new(fd, NET_CORE_OUT_MAX)) == NULL) {
		close(fd);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (epoll_ctl(n->ep, EPOLL_CTL_ADD, fd, &ev) != 0 || say_hello(n) != ERR_OK) {
		frame_conn_free(n->core);
		n->core = NULL;
		return err_set(e, ERR_IO, "cannot talk to core");
	}
	n->welcomed = false;
	n->core_out_armed = false;
	core_flush(n);
	return ERR_OK;
}

static void answer_lost(struct conn *c)
{
	char text[64];

	snprintf(text, sizeof(text), "outcome unknown (request %llu)",
	         (unsigned long long)c->id);
	log_warn("request lost with core", LOG_N("frame", c->id),
	         LOG_S("remote", c->remote));
	c->id = 0;
	answer_errors(c, 503, NULL, text);
	listener_resume(c);
}

void core_lost(struct net *n)
{
	if (n->core == NULL)
		return;
	frame_conn_free(
		n->core); /* closes the socket, which leaves the epoll set with it */
	n->core = NULL;
	n->welcomed = false;
	n->core_readable = false;
	for (uint32_t i = 0; i < n->slots; i++)
		if (n->slot[i] != NULL && n->slot[i]->phase == CONN_WAITING)
			answer_lost(n->slot[i]);
}

static void on_welcome(struct net *n, const struct value *v)
{
	const char *reason = value_cstr_or(n->a, v, "reason", "no reason given");
	struct value *text = value_str(n->a, reason);
	struct err e;

	if (value_bool_or(v, "accepted", false)) {
		n->welcomed = true;
		return;
	}
	log_error("core refuses this process", LOG_S("reason", reason));
	if (frame_send_fd(n->control, IPC_FAILED, 0, text, -1, &e) != ERR_OK)
		log_error("supervisor cannot be told", LOG_S("error", e.msg));
	n->exit_status = 1;
}

static void on_reply(struct net *n, const struct frame *f, const struct value *v)
{
	struct conn *c = conn_by_slot(n, (uint32_t)(f->id & SLOT_MASK));

	if (c == NULL || c->id != f->id || c->phase != CONN_WAITING)
		return; /* the client has gone */
	answer_reply(c, v);
	c->id = 0;
	listener_resume(c);
}

static bool on_crl(struct net *n, const struct value *v)
{
	struct value *answer = crl_judge(n->trust, v, n->a);

	return answer == NULL || frame_put(n->core, IPC_SIGNER, 0, answer) == ERR_OK;
}

static bool on_frame(struct net *n, const struct frame *f)
{
	struct value *v = NULL;
	struct err e;

	if (value_decode(n->a, f->payload, f->len, &v, &e) != ERR_OK) {
		log_error("core sent a malformed frame", LOG_N("type", f->type),
		          LOG_S("error", e.msg));
		return false;
	}
	switch (f->type) {
	case IPC_REPLY:
		on_reply(n, f, v);
		return true;
	case IPC_STATE:
		state_store(&n->state, v);
		return true;
	case IPC_TRUST:
		tls_trust(n, v);
		return true;
	case IPC_CRL:
		return on_crl(n, v);
	case IPC_WELCOME:
		on_welcome(n, v);
		return true;
	default:
		log_error("core sent an unknown frame", LOG_N("type", f->type));
		return false;
	}
}

void core_read(struct net *n)
{
	struct frame f;
	struct err e;
	int rc, got = 0;

	n->core_readable = false;
	rc = frame_read(n->core, &e);
	while ((got = frame_next(n->core, &f, &e)) == 1) {
		bool good = on_frame(n, &f);

		arena_reset(n->a);
		if (!good) {
			got = -1;
			break;
		}
	}
	if (rc == ERR_OK && got == 0)
		return;
	log_warn("core is gone", LOG_S("error", rc != ERR_OK || got < 0 ? e.msg : ""));
	core_lost(n);
}

static void arm_output(struct net *n, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN | (on ? EPOLLOUT : 0u),
		                  .data.u64 = NET_EVENT(ON_CORE, 0) };

	if (on == n->core_out_armed)
		return;
	epoll_ctl(n->ep, EPOLL_CTL_MOD, frame_conn_fd(n->core), &ev);
	n->core_out_armed = on;
}

void core_flush(struct net *n)
{
	struct err e;

	if (n->core == NULL || (frame_pending(n->core) == 0 && !n->core_out_armed))
		return;
	if (frame_flush(n->core, &e) != ERR_OK) {
		log_warn("core is gone", LOG_S("error", e.msg));
		core_lost(n);
		return;
	}
	arm_output(n, frame_pending(n->core) > 0);
}

int core_send(struct conn *c, const struct value *v)
{
	struct net *n = c->net;
	uint64_t id = ++n->seq << SLOT_BITS | c->slot;
	int rc;

	if (!core_up(n))
		return ERR_UNREACHABLE;
	if (c->slot > SLOT_MASK)
		return ERR_FULL;
	if ((rc = frame_put(n->core, IPC_REQUEST, id, v)) == ERR_OK)
		c->id = id;
	return rc;
}

void core_link_cancel(struct conn *c)
{
	struct net *n = c->net;
	struct value *v = value_null(n->a);

	if (c->id != 0 && n->core != NULL &&
	    (v == NULL || frame_put(n->core, IPC_CANCEL, c->id, v) != ERR_OK))
		log_warn("cannot cancel a request in core", LOG_N("frame", c->id));
	arena_reset(n->a);
	c->id = 0;
}
