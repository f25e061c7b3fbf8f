/* SPDX-License-Identifier: Apache-2.0 */
/* role_peer - the sockets to net and rotate: frames in, replies and news out. */
#include "role_impl.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "arena.h"
#include "core.h"
#include "dev.h"
#include "frame.h"
#include "log.h"
#include "metrics.h"
#include "step.h"

#define PEER_OUT_MAX (64u * 1024 * 1024)
#define TRUST_ARENA  (4u * 1024 * 1024)

struct peer *role_peer(struct role *ro, uint64_t id)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (ro->peers[i].conn != NULL && ro->peers[i].id == id)
			return &ro->peers[i];
	return NULL;
}

static void peer_drop(struct role *ro, struct peer *p)
{
	if (ro->core != NULL && p->rotate)
		step_link_down(ro->core, p->conn);
	else if (ro->core != NULL)
		core_drop_peer(ro->core, p->id);
	frame_conn_free(p->conn);
	p->conn = NULL;
}

/* A net that does not read what it is sent is cut: its supervisor starts another. */
static void tell(struct role *ro, struct peer *p, enum ipc_type type, uint64_t id,
                 const struct value *v)
{
	if (p != NULL && p->conn != NULL && frame_put(p->conn, type, id, v) != ERR_OK)
		peer_drop(ro, p);
}

static void tell_nets(struct role *ro, enum ipc_type type, const struct value *v)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (!ro->peers[i].rotate)
			tell(ro, &ro->peers[i], type, 0, v);
}

void role_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *reply)
{
	struct role *ro = ctx;

	if (peer == DEV_PEER)
		dev_reply(reply);
	else
		tell(ro, role_peer(ro, peer), IPC_REPLY, id, reply);
}

void role_state(void *ctx, const struct value *state)
{
	tell_nets(ctx, IPC_STATE, state);
}

int role_watch(struct role *ro, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ro->epoll, op, fd, &ev);
}

void role_flush(void *ctx)
{
	struct role *ro = ctx;
	struct err e;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &ro->peers[i];
		bool want;

		if (p->conn == NULL)
			continue;
		if (frame_pending(p->conn) > 0 && frame_flush(p->conn, &e) != ERR_OK) {
			peer_drop(ro, p);
			continue;
		}
		want = frame_pending(p->conn) > 0;
		if (want == p->writable_wanted)
			continue;
		p->writable_wanted = want;
		(void)role_watch(ro, EPOLL_CTL_MOD, frame_conn_fd(p->conn),
		                 EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0u), p->id);
	}
}

/* Kept for the nets that come later. */
void role_trust(void *ctx, const struct value *set)
{
	struct role *ro = ctx;
	struct arena *a = arena_new(TRUST_ARENA);

	if (a == NULL) {
		log_error("out of memory for the certificates that vouch for clients");
		return;
	}
	arena_free(ro->trust_arena);
	ro->trust_arena = a;
	ro->trust = value_copy(a, set);
	if (ro->trust != NULL)
		tell_nets(ro, IPC_TRUST, ro->trust);
}

void role_crl(void *ctx, uint64_t peer, const struct value *question)
{
	struct role *ro = ctx;

	tell(ro, role_peer(ro, peer), IPC_CRL, 0, question);
}

static int send_step(void *ctx, enum ipc_type type, uint64_t id, const struct value *v)
{
	return frame_put(ctx, type, id, v);
}

void role_peer_add(struct role *ro, uint64_t id, int fd, bool rotate)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &ro->peers[i];

		if (p->conn != NULL)
			continue;
		p->conn = frame_conn_new(fd, PEER_OUT_MAX);
		if (p->conn == NULL)
			break;
		p->id = id;
		p->rotate = rotate;
		p->writable_wanted = false;
		if (role_watch(ro, EPOLL_CTL_ADD, fd, EPOLLIN, id) != 0)
			peer_drop(ro, p);
		else if (rotate)
			step_link_up(ro->core, &(struct step_link){ send_step, p->conn });
		return;
	}
	close(fd);
}

static int on_hello(struct role *ro, struct peer *p, const struct value *v, struct err *e)
{
	AUTO_ARENA a = arena_new(16u * 1024);
	const struct value *spki = value_get(v, "spki");
	struct value *welcome = value_object(a);
	const char *reason = "";
	bool accepted = false;
	int rc;

	rc = core_hello(ro->core,
	                spki != NULL && spki->type == V_BYTES && spki->len == 32
	                        ? (const unsigned char *)spki->text
	                        : NULL,
	                &accepted, &reason, e);
	if (rc != ERR_OK)
		return rc;
	value_set_bool(a, welcome, "accepted", accepted);
	value_set_str(a, welcome, "reason", reason);
	if (p->conn != NULL && ro->trust != NULL)
		rc = frame_put(p->conn, IPC_TRUST, 0, ro->trust);
	if (rc == ERR_OK && p->conn != NULL)
		rc = frame_put(p->conn, IPC_WELCOME, 0, welcome);
	return rc;
}

static void refuse_busy(struct role *ro, struct peer *p, uint64_t id, int rc)
{
	AUTO_ARENA a = arena_new(4096);
	struct value *reply = value_array(a), *body = value_object(a),
		     *list = value_array(a);

	value_add(list, value_str(a, rc == ERR_BUSY ? "too many requests wait"
	                                            : "out of memory"));
	value_set(body, "errors", list);
	value_add(reply, value_int(a, 503));
	value_add(reply, value_int(a, IPC_K_ERRORS));
	value_add(reply, value_str(a, ""));
	value_add(reply, body);
	value_add(reply, value_int(a, 1));
	role_reply(ro, p->id, id, reply);
}

static void on_stats(struct role *ro, const struct peer *p, const struct value *v)
{
	const struct metric_peer m = {
		.id = p->id,
		.hosts = value_bool_or(v, "hosts", false),
		.connections = value_int_or(v, "connections", 0),
		.suspended = value_int_or(v, "suspended", 0),
	};

	metrics_peer(ro->core, &m);
}

static int decode_payload(struct arena *a, const struct frame *f, struct value **v)
{
	struct err e;

	return a == NULL ? ERR_NOMEM : value_decode(a, f->payload, f->len, v, &e);
}

static int on_frame(struct role *ro, struct peer *p, const struct frame *f, struct err *e)
{
	AUTO_ARENA a = NULL;
	struct value *v;
	int rc;

	if (p->rotate && f->type == IPC_STEP_REPLY) {
		step_reply(ro->core, f->id, f->payload, f->len);
		return ERR_OK;
	}
	switch (p->rotate ? 0 : f->type) {
	case IPC_REQUEST:
		rc = core_submit(ro->core, p->id, f->id, f->payload, f->len);
		if (rc != ERR_OK)
			refuse_busy(ro, p, f->id, rc);
		return ERR_OK;
	case IPC_CANCEL:
		core_cancel(ro->core, p->id, f->id);
		return ERR_OK;
	case IPC_HELLO:
	case IPC_STATS:
	case IPC_REJECTED:
	case IPC_SIGNER:
		a = arena_new(64u * 1024);
		if (decode_payload(a, f, &v) != ERR_OK)
			break;
		if (f->type == IPC_HELLO)
			return on_hello(ro, p, v, e);
		if (f->type == IPC_STATS) {
			on_stats(ro, p, v);
			return ERR_OK;
		}
		if (f->type == IPC_SIGNER) {
			core_signer(ro->core, p->id, v);
			return ERR_OK;
		}
		core_rejected(ro->core, value_cstr_or(a, v, "address", "?"),
		              value_cstr_or(a, v, "reason", "?"),
		              value_int_or(v, "count", 1));
		return ERR_OK;
	default:
		break;
	}
	peer_drop(ro, p);
	return ERR_OK;
}

int role_peer_read(struct role *ro, struct peer *p, struct err *e)
{
	struct frame f;
	int rc, more = 1;

	if (frame_read(p->conn, e) != ERR_OK) {
		peer_drop(ro, p);
		return ERR_OK;
	}
	while (p->conn != NULL && (more = frame_next(p->conn, &f, e)) == 1)
		if ((rc = on_frame(ro, p, &f, e)) != ERR_OK)
			return rc;
	if (p->conn != NULL && more < 0) {
		log_error("a role broke the frame rules", LOG_S("cause", e->msg));
		peer_drop(ro, p);
	}
	return ERR_OK;
}

void role_peers_free(struct role *ro)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		frame_conn_free(ro->peers[i].conn);
}
