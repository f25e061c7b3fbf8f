/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROLE_IMPL_H
#define SERVER_CORE_ROLE_IMPL_H
/*
 * role_impl - what the parts of the core role share: role_core.c starts it and runs its
 * loop, role_peer.c talks to the other roles.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "sandbox.h"
#include "value.h"

struct core;
struct frame_conn;

#define PEERS_MAX 64

struct peer {
	uint64_t id;
	struct frame_conn *conn; /* NULL: a free place */
	bool rotate;             /* the rotate role; the others are nets */
	bool writable_wanted;
};

struct role {
	int control, epoll, clock_step;
	struct core *core;
	struct arena *config_arena;
	struct value *config;
	struct sandbox_report sandbox;
	char data_dir[PATH_MAX];
	struct peer peers[PEERS_MAX];
	unsigned char *auto_key;
	struct arena *trust_arena;
	struct value *trust; /* the last IPC_TRUST, NULL before the first */
	bool drain, lost_supervisor;
};

/** role_watch(ro, op, fd, events, data): epoll_ctl(); -1 with errno. */
int role_watch(struct role *ro, int op, int fd, uint32_t events, uint64_t data);

/** role_peer(ro, id): a role that is connected; NULL if it has gone. */
struct peer *role_peer(struct role *ro, uint64_t id);
/** role_peer_add(ro, id, fd, rotate): a role has connected; ${fd} is taken over, and
 * closed if there are PEERS_MAX already. */
void role_peer_add(struct role *ro, uint64_t id, int fd, bool rotate);
/** role_peer_read(ro, p, e): read what it has sent, and act on it; it may be gone
 * afterwards.  An error ends the process. */
int role_peer_read(struct role *ro, struct peer *p, struct err *e) MUST_CHECK;
/** role_peers_free(ro): close all connections. */
void role_peers_free(struct role *ro);

/* Members of struct core_options; ${ctx} is the role. */
void role_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *reply);
void role_state(void *ctx, const struct value *state);
void role_trust(void *ctx, const struct value *set);
void role_crl(void *ctx, uint64_t peer, const struct value *question);
/** role_flush(ctx): send what waits, as far as the sockets take it. */
void role_flush(void *ctx);

#endif
