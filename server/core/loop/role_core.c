/* SPDX-License-Identifier: Apache-2.0 */
#include "role_core.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/epoll.h>

#include "arena.h"
#include "clock.h"
#include "clock_step.h"
#include "core.h"
#include "dev.h"
#include "frame.h"
#include "keymem.h"
#include "log.h"
#include "metrics.h"
#include "pwhash.h"
#include "sandbox.h"
#include "step.h"
#include "vault/limits.h"
#include "zone.h"

#define PEERS_MAX    64
#define PEER_OUT_MAX (64u * 1024 * 1024)
#define EXIT_UNKNOWN 70
#define TRUST_ARENA  (4u * 1024 * 1024)

struct peer {
	uint64_t id;
	struct frame_conn *conn;
	bool rotate; /* the rotate role; the others are nets */
	bool writable_wanted;
};

#define CLOCK_STEP (UINT64_MAX - 1) /* what epoll says of that descriptor */

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

static struct peer *peer_by_id(struct role *ro, uint64_t id)
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

static void on_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *reply)
{
	struct role *ro = ctx;

	if (peer == DEV_PEER)
		dev_reply(reply);
	else
		tell(ro, peer_by_id(ro, peer), IPC_REPLY, id, reply);
}

static void on_state(void *ctx, const struct value *state)
{
	tell_nets(ctx, IPC_STATE, state);
}

static int watch(struct role *ro, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ro->epoll, op, fd, &ev);
}

static void flush_peers(void *ctx)
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
		(void)watch(ro, EPOLL_CTL_MOD, frame_conn_fd(p->conn),
		            EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0u), p->id);
	}
}

/* Kept for the nets that come later. */
static void on_trust(void *ctx, const struct value *set)
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

static void on_crl(void *ctx, uint64_t peer, const struct value *question)
{
	struct role *ro = ctx;

	tell(ro, peer_by_id(ro, peer), IPC_CRL, 0, question);
}

static int say(struct role *ro, enum ipc_type type, const struct value *v)
{
	struct err e;

	return frame_send_fd(ro->control, type, 0, v, -1, &e);
}

static int fail_start(struct role *ro, const struct err *e)
{
	AUTO_ARENA a = arena_new(4096);

	if (a != NULL)
		(void)say(ro, IPC_FAILED, value_str(a, e->msg));
	return errclasses[e->code].exit_status;
}

static int receive_config(struct role *ro, struct err *e)
{
	enum ipc_type type;
	int fd = -1, rc;

	if ((rc = frame_recv_fd(ro->control, ro->config_arena, &type, &ro->config, &fd,
	                        e)) != ERR_OK)
		return rc;
	if (fd >= 0)
		close(fd);
	if (type != IPC_CONFIG)
		return err_set(e, ERR_INVALID,
		               "the supervisor did not send a configuration");
	log_init("core", value_bool_or(ro->config, "log_json", false));
	(void)log_set_level(
		value_cstr_or(ro->config_arena, ro->config, "log_level", "info"));
	return ERR_OK;
}

static int take_auto_key(struct role *ro, struct err *e)
{
	const struct value *key = value_get(ro->config, "auto_unseal_key");

	if (key == NULL || key->type == V_NULL)
		return ERR_OK;
	if (key->type != V_BYTES || key->len != 32)
		return err_set(e, ERR_INVALID, "auto_unseal: the key must have 32 bytes");
	ro->auto_key = keymem_alloc(32);
	if (ro->auto_key == NULL)
		return err_set(e, ERR_NOMEM, "out of key memory");
	memcpy(ro->auto_key, key->text, 32);
	return ERR_OK;
}

static int enter_sandbox(struct role *ro, const char *data_dir, struct err *e)
{
	const char *const rw[] = { data_dir, NULL };
	const char *const readable[] = { ZONE_DIR, NULL };
	const struct value *user = value_get(ro->config, "user");
	const struct sandbox_options o = {
		.profile = SANDBOX_CORE,
		.rw_paths = rw,
		.ro_paths = readable,
		.require = value_bool_or(ro->config, "require_sandbox", false),
		.drop_user = user != NULL && user->type == V_OBJECT,
		.uid = (uid_t)value_int_or(user, "uid", 65534),
		.gid = (gid_t)value_int_or(user, "gid", 65534),
	};

	return sandbox_enter(&o, &ro->sandbox, e);
}

static struct core_rate rate_of(const struct role *ro, const char *name)
{
	const struct value *v = value_get(ro->config, name);

	return (struct core_rate){
		.per_second = (unsigned)value_int_or(v, "per_second", 0),
		.burst = (unsigned)value_int_or(v, "burst", 0),
	};
}

static int start_core(struct role *ro, struct err *e)
{
	const char *data_dir = value_cstr_or(ro->config_arena, ro->config, "data_dir",
	                                     NULL);
	struct core_options o = { .clock = clock_system(),
		                  .reply = on_reply,
		                  .flush = flush_peers,
		                  .state = on_state,
		                  .trust = on_trust,
		                  .crl = on_crl,
		                  .ctx = ro };
	int rc;

	if (data_dir == NULL || strlen(data_dir) >= sizeof(ro->data_dir))
		return err_set(e, ERR_INVALID, "data_dir is missing or too long");
	memcpy(ro->data_dir, data_dir, strlen(data_dir) + 1);
	if ((rc = keymem_init(value_bool_or(ro->config, "allow_unlocked", false), e)) !=
	            ERR_OK ||
	    (rc = take_auto_key(ro, e)) != ERR_OK ||
	    (rc = enter_sandbox(ro, data_dir, e)) != ERR_OK)
		return rc;
	o.data_dir = ro->data_dir;
	o.rotators = value_get(ro->config, "rotators");
	o.auto_unseal_key = ro->auto_key;
	o.token_rate = rate_of(ro, "rate_token");
	o.login_rate = rate_of(ro, "rate_login");
	o.init_anywhere = value_bool_or(ro->config, "init_anywhere", false);
	o.unauthenticated_rekey = value_bool_or(ro->config, "unauthenticated_rekey",
	                                        false);
	if ((rc = core_open(&o, &ro->core, e)) == ERR_OK)
		log_info("time zones", LOG_S("tzdata", zones_version(ro->core->zones)));
	return rc;
}

static int run_dev(struct role *ro, struct arena *a, struct value *ready, struct err *e)
{
	const struct value *dev = value_get(ro->config, "dev");
	struct dev_result *res = arena_alloc(a, sizeof(*res));
	struct value *out = value_object(a);
	int rc;

	if (dev == NULL || dev->type != V_OBJECT)
		return ERR_OK;
	if (res == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = dev_setup(ro->core, value_cstr_or(a, dev, "root_token", NULL), res, e);
	if (rc != ERR_OK)
		return rc;
	value_set_str(a, out, "root_token", res->root_token);
	value_set_str(a, out, "unseal_key", res->unseal_key);
	value_set(ready, "dev", out);
	return ERR_OK;
}

static int tell_ready(struct role *ro, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	struct value *ready, *missing;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ready = value_object(a);
	missing = value_array(a);
	for (size_t i = 0; i < ro->sandbox.n; i++)
		value_add(missing, value_str(a, ro->sandbox.missing[i]));
	value_set(ready, "sandbox", missing);
	if ((rc = run_dev(ro, a, ready, e)) != ERR_OK)
		return rc;
	return frame_send_fd(ro->control, IPC_READY, 0, ready, -1, e);
}

static int send_step(void *ctx, enum ipc_type type, uint64_t id, const struct value *v)
{
	return frame_put(ctx, type, id, v);
}

static void add_peer(struct role *ro, uint64_t id, int fd, bool rotate)
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
		if (watch(ro, EPOLL_CTL_ADD, fd, EPOLLIN, id) != 0)
			peer_drop(ro, p);
		else if (rotate)
			step_link_up(ro->core, &(struct step_link){ send_step, p->conn });
		return;
	}
	close(fd);
}

static void keep_sandbox(struct role *ro, const struct value *v)
{
	struct arena *a = arena_new(64u * 1024);

	if (a == NULL)
		return;
	arena_free(ro->core->sandbox_arena);
	ro->core->sandbox_arena = a;
	ro->core->sandbox = value_copy(a, v);
}

static void on_control(struct role *ro)
{
	AUTO_ARENA a = arena_new(1024u * 1024);
	enum ipc_type type;
	struct value *v;
	struct err e;
	int fd = -1;

	if (a == NULL || frame_recv_fd(ro->control, a, &type, &v, &fd, &e) != ERR_OK) {
		ro->lost_supervisor = true;
		return;
	}
	switch (type) {
	case IPC_PEER:
		if (fd >= 0)
			add_peer(ro, (uint64_t)value_int_or(v, "id", 1), fd,
			         value_is_str(value_get(v, "role"), "rotate"));
		return;
	case IPC_DRAIN:
		ro->drain = true;
		break;
	case IPC_LOGLEVEL:
		(void)log_set_level(value_to_cstr(v, a));
		break;
	case IPC_SANDBOX:
		keep_sandbox(ro, v);
		break;
	default:
		break;
	}
	if (fd >= 0)
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
	on_reply(ro, p->id, id, reply);
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

static int on_peer(struct role *ro, struct peer *p, struct err *e)
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

static int one_pass(struct role *ro, struct err *e)
{
	struct epoll_event ev[PEERS_MAX];
	int64_t wait = core_wait_ms(ro->core);
	int n = epoll_wait(ro->epoll, ev, PEERS_MAX, wait > 60000 ? 60000 : (int)wait);
	int rc;

	for (int i = 0; i < n; i++) {
		struct peer *p;

		if (ev[i].data.u64 == 0) {
			on_control(ro);
			continue;
		}
		if (ev[i].data.u64 == CLOCK_STEP)
			clock_step_seen(ro->clock_step);
		p = peer_by_id(ro, ev[i].data.u64);
		if (p != NULL && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
		    (rc = on_peer(ro, p, e)) != ERR_OK)
			return rc;
	}
	if ((rc = core_run_batch(ro->core, e)) != ERR_OK)
		return rc;
	flush_peers(ro);
	return ERR_OK;
}

/* What is queued is still answered; parked requests are not waited for. */
static int drain(struct role *ro, struct err *e)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && core_wait_ms(ro->core) == 0)
		rc = core_run_batch(ro->core, e);
	flush_peers(ro);
	return rc;
}

static int serve(struct role *ro)
{
	struct err e;
	int rc = ERR_OK;

	while (rc == ERR_OK && !ro->drain && !ro->lost_supervisor)
		rc = one_pass(ro, &e);
	if (rc == ERR_OK)
		rc = drain(ro, &e);
	if (rc == ERR_OK)
		return 0;
	log_error("the outcome of a batch is unknown: this process ends",
	          LOG_S("class", errclasses[rc].wire), LOG_S("cause", e.msg));
	_exit(EXIT_UNKNOWN);
}

static int start(struct role *ro, struct err *e)
{
	int rc;

	if ((rc = receive_config(ro, e)) != ERR_OK ||
	    (rc = start_core(ro, e)) != ERR_OK || (rc = tell_ready(ro, e)) != ERR_OK)
		return rc;
	arena_free(ro->config_arena);
	ro->config_arena = NULL;
	ro->clock_step = clock_step_open();
	ro->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ro->epoll < 0 || watch(ro, EPOLL_CTL_ADD, ro->control, EPOLLIN, 0) != 0 ||
	    watch(ro, EPOLL_CTL_ADD, pwhash_fd(ro->core), EPOLLIN, UINT64_MAX) != 0 ||
	    (ro->clock_step >= 0 &&
	     watch(ro, EPOLL_CTL_ADD, ro->clock_step, EPOLLIN, CLOCK_STEP) != 0))
		return err_sys(e, ERR_IO, errno, "epoll");
	return ERR_OK;
}

/* The supervisor decides when core ends: Ctrl-C in its terminal reaches the whole group.
 */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

int core_role_main(int control_fd)
{
	struct role ro = { .control = control_fd, .epoll = -1, .clock_step = -1 };
	struct err e = { 0 };
	int status;

	log_init("core", false);
	sandbox_early(&ro.sandbox);
	ignore_signals();
	if (sodium_init() < 0)
		return 1;
	ro.config_arena = arena_new(1024u * 1024);
	if (ro.config_arena == NULL)
		return 1;
	if (start(&ro, &e) != ERR_OK) {
		status = fail_start(&ro, &e);
		core_close(ro.core);
		return status;
	}
	status = serve(&ro);
	core_close(ro.core);
	for (size_t i = 0; i < PEERS_MAX; i++)
		frame_conn_free(ro.peers[i].conn);
	arena_free(ro.trust_arena);
	keymem_free(ro.auto_key, 32);
	close(ro.epoll);
	return status;
}
