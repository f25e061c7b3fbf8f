/* SPDX-License-Identifier: Apache-2.0 */
#include "role_net.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/epoll.h>

#include "client_cert.h"
#include "clock.h"
#include "log.h"
#include "net.h"
#include "sandbox.h"
#include "spki.h"
#include "vault/limits.h"

#define EVENTS          64
#define CONFIG_ARENA    ((size_t)1024 * 1024)
#define REQUEST_ARENA   ((size_t)LIMIT_REQUEST_ARENA * 2)
#define WELCOME_WAIT_MS 2000

struct setup {
	struct arena *a; /* holds the TLS key until the listeners are started */
	const char *cert;
	const char *key;
	struct sandbox_options sandbox;
	struct sandbox_report report;
	int core_fd;
	int64_t started_ms;
};

static int tell(struct net *n, enum ipc_type type, const struct value *v)
{
	struct err e;

	if (frame_send_fd(n->control, type, 0, v, -1, &e) == ERR_OK)
		return 0;
	log_error("supervisor cannot be told", LOG_S("error", e.msg));
	return -1;
}

static int read_tls(struct net *n, struct setup *s, const struct value *tls,
                    struct err *e)
{
	const struct value *cert = value_get(tls, "cert");
	const struct value *key = value_get(tls, "key");
	int rc;

	if (tls == NULL || tls->type == V_NULL)
		return ERR_OK;
	if (cert == NULL || key == NULL)
		return err_set(e, ERR_INVALID, "tls needs cert and key");
	s->cert = arena_dup(s->a, cert->text, cert->len);
	s->key = arena_dup(s->a, key->text, key->len);
	if (s->cert == NULL || s->key == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = spki_sha256(cert->text, cert->len, n->spki, e)) == ERR_OK)
		n->has_spki = true;
	return rc;
}

static void read_user(struct setup *s, const struct value *user)
{
	if (user == NULL || user->type != V_OBJECT)
		return;
	s->sandbox.drop_user = true;
	s->sandbox.uid = (uid_t)value_int_or(user, "uid", 65534);
	s->sandbox.gid = (gid_t)value_int_or(user, "gid", 65534);
}

static struct rate_limit read_rate(const struct value *v)
{
	return rate_limit((unsigned)value_int_or(v, "per_second", 0),
	                  (unsigned)value_int_or(v, "burst", 0));
}

static int read_config(struct net *n, struct setup *s, const struct value *v,
                       struct err *e)
{
	int64_t body_max = value_int_or(v, "body_max", LIMIT_BODY_DEFAULT);

	log_init("net", value_bool_or(v, "log_json", false));
	if (log_set_level(value_cstr_or(s->a, v, "log_level", "info")) != 0)
		return err_set(e, ERR_INVALID, "unknown log level");
	n->kind = value_is_str(value_get(v, "listener"), "hosts") ? IPC_ON_HOSTS
	                                                          : IPC_ON_API;
	if (body_max < 1024 || body_max > (int64_t)LIMIT_BODY_MAX)
		return err_set(e, ERR_INVALID, "body_max must be 1024 to %u",
		               LIMIT_BODY_MAX);
	n->body_max = (size_t)body_max;
	n->request_rate = read_rate(value_get(v, "rate_requests"));
	n->connection_rate = read_rate(value_get(v, "rate_connections"));
	n->rate_loopback = value_bool_or(v, "rate_loopback", false);
	s->sandbox.profile = SANDBOX_NET;
	s->sandbox.require = value_bool_or(v, "require_sandbox", false);
	read_user(s, value_get(v, "user"));
	return read_tls(n, s, value_get(v, "tls"), e);
}

static int on_setup_peer(struct net *n, struct setup *s, const struct value *v, int fd,
                         struct err *e)
{
	if (fd < 0)
		return err_set(e, ERR_INVALID, "a peer came without its descriptor");
	if (value_is_str(value_get(v, "role"), "core")) {
		s->core_fd = fd;
		return ERR_OK;
	}
	if (!value_is_str(value_get(v, "role"), "listener"))
		return err_set(e, ERR_INVALID, "unknown peer");
	return listener_start(n, fd, value_is_str(value_get(v, "kind"), "unix"), s->cert,
	                      s->key, e);
}

/* The supervisor sends the configuration, the listeners, and last the socket to core. */
static int set_up(struct net *n, struct setup *s, struct err *e)
{
	bool configured = false;

	while (s->core_fd < 0) {
		enum ipc_type type;
		struct value *v;
		int fd, rc;

		if ((rc = frame_recv_fd(n->control, s->a, &type, &v, &fd, e)) != ERR_OK)
			return rc;
		if (type == IPC_CONFIG && !configured) {
			configured = true;
			rc = read_config(n, s, v, e);
		} else if (type == IPC_PEER && configured) {
			rc = on_setup_peer(n, s, v, fd, e);
		} else {
			rc = err_set(e, ERR_INVALID, "unexpected frame %d", (int)type);
		}
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* Who has had an answer knows that a connection may have ended when it is used again; who
 * was let in a moment ago does not: ${all} is for later. */
static void cut_idle(struct net *n, bool all)
{
	for (uint32_t i = 0; i < n->slots; i++) {
		struct conn *c = n->slot[i];

		if (c != NULL && c->phase == CONN_IDLE && (all || c->timer == TIMER_IDLE))
			conn_cut(c);
	}
}

/* Accept no more; idle connections end now, the others with their reply. */
static void begin_drain(struct net *n)
{
	n->draining = true;
	n->drain_ms = n->now;
	for (unsigned i = 0; i < n->listeners; i++)
		listener_quiesce(&n->listener[i]);
	cut_idle(n, false);
}

static void on_control(struct net *n)
{
	AUTO_ARENA a = arena_new(CONFIG_ARENA);
	enum ipc_type type;
	struct value *v;
	struct err e;
	int fd = -1;

	if (a == NULL || frame_recv_fd(n->control, a, &type, &v, &fd, &e) != ERR_OK) {
		log_warn("supervisor is gone", LOG_S("error", a != NULL ? e.msg : ""));
		n->exit_status = 1;
		return;
	}
	if (type == IPC_PEER && fd >= 0 && value_is_str(value_get(v, "role"), "core")) {
		log_info("new core", LOG_N("listeners", n->listeners));
		if (core_attach(n, fd, &e) != ERR_OK)
			log_error("core cannot be reached", LOG_S("error", e.msg));
		return;
	}
	if (fd >= 0)
		close(fd);
	if (type == IPC_DRAIN && !n->draining) {
		begin_drain(n);
	} else if (type == IPC_LOGLEVEL) {
		const char *level = value_to_cstr(v, a);

		if (level == NULL || log_set_level(level) != 0)
			log_warn("unknown log level", LOG_S("level", level));
	}
}

static void on_hangup(struct net *n, uint32_t slot)
{
	struct conn *c = conn_by_slot(n, slot);

	if (c != NULL)
		conn_hung_up(c);
}

static void on_event(struct net *n, const struct epoll_event *ev)
{
	uint32_t index = (uint32_t)ev->data.u64;

	switch (ev->data.u64 >> 32) {
	case ON_CONTROL:
		on_control(n);
		break;
	case ON_CONN:
		on_hangup(n, index);
		break;
	case ON_LISTENER:
		n->listener[index].run = true;
		break;
	case ON_CORE:
		n->core_readable = (ev->events & ~(unsigned)EPOLLOUT) != 0;
		break;
	default:
		break;
	}
}

static void min_timeout(int *timeout, int64_t other)
{
	if (other >= 0 && (*timeout < 0 || other < *timeout))
		*timeout = (int)other;
}

static int64_t daemon_timeout(const struct listener *l)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (l->run)
		return 0;
	return MHD_get_timeout(l->daemon, &ms) == MHD_YES && ms < 60000 ? (int64_t)ms
	                                                                : -1;
}

static int loop_timeout(struct net *n)
{
	int timeout = timer_next(n);

	min_timeout(&timeout, reject_next(n));
	min_timeout(&timeout, stats_next(n));
	if (n->draining || !n->ready_sent)
		min_timeout(&timeout, 50);
	for (unsigned i = 0; n->ready_sent && i < n->listeners; i++) {
		int64_t ms = daemon_timeout(&n->listener[i]);

		if (ms == 0)
			n->listener[i].run = true;
		min_timeout(&timeout, ms);
	}
	return timeout;
}

static void run_listeners(struct net *n)
{
	for (unsigned i = 0; i < n->listeners; i++) {
		struct listener *l = &n->listener[i];

		if (!l->run || !n->ready_sent)
			continue;
		listener_run(l);
	}
}

/* Long polls would hold a drain up: their clients are told to ask again. */
static void end_waiting(struct net *n)
{
	for (uint32_t i = 0; i < n->slots; i++) {
		struct conn *c = n->slot[i];

		if (c == NULL || c->phase != CONN_WAITING || !c->watched)
			continue;
		core_link_cancel(c);
		answer_errors(c, 503, NULL, "server is restarting, ask again");
		listener_resume(c);
	}
}

static unsigned connections(const struct net *n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n->listeners; i++)
		sum += n->listener[i].connections;
	return sum;
}

static void drain(struct net *n)
{
	int64_t age = n->now - n->drain_ms;

	if (!n->draining)
		return;
	if (age >= NET_DRAIN_POLLS_MS) {
		end_waiting(n);
		cut_idle(n, true);
	}
	if (connections(n) == 0 || age >= NET_DRAIN_MS)
		n->exit_status = 0;
}

static struct value *missing_list(struct arena *a, const struct sandbox_report *r)
{
	struct value *v = value_array(a);

	for (size_t i = 0; i < r->n; i++)
		value_add(v, value_str(a, r->missing[i]));
	return v;
}

/* Ready once core has accepted us: before that nobody is to be accepted with a key that
 * core may refuse.  A core that says nothing for a while is waited for in operation. */
static void say_ready(struct net *n, const struct setup *s)
{
	struct value *v;

	if (n->ready_sent || (!n->welcomed && n->now - s->started_ms < WELCOME_WAIT_MS))
		return;
	v = value_object(n->a);
	value_set(v, "sandbox", missing_list(n->a, &s->report));
	value_set(v, "spki",
	          n->has_spki ? value_bytes(n->a, n->spki, 32) : value_null(n->a));
	if (v == NULL || tell(n, IPC_READY, v) != 0)
		n->exit_status = 1;
	n->ready_sent = true;
	arena_reset(n->a);
	for (unsigned i = 0; i < n->listeners; i++)
		listener_open(&n->listener[i]);
}

static void loop_once(struct net *n)
{
	struct epoll_event ev[EVENTS];
	int count = epoll_wait(n->ep, ev, EVENTS, loop_timeout(n));

	n->now = clock_boot(clock_system());
	for (int i = 0; i < count; i++)
		on_event(n, &ev[i]);
	if (n->core_readable && n->core != NULL)
		core_read(n);
	timer_expire(n);
	run_listeners(n);
	reject_flush(n);
	stats_flush(n);
	core_flush(n);
	drain(n);
}

static void ignore_signals(void)
{
	/* The supervisor decides when we end: a signal to the group must not cut
	 * requests. */
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int net_open(struct net *n, int control_fd, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN,
		                  .data.u64 = NET_EVENT(ON_CONTROL, 0) };

	n->control = control_fd;
	n->exit_status = -1;
	n->trust_version = 1;
	n->now = clock_boot(clock_system());
	n->a = arena_new(REQUEST_ARENA);
	n->addresses = addr_table_new();
	n->requests = rate_table_new(LIMIT_RATE_ENTRIES);
	n->connected = rate_table_new(LIMIT_RATE_ENTRIES);
	n->rejected = reject_table_new();
	n->ep = epoll_create1(EPOLL_CLOEXEC);
	if (n->a == NULL || n->addresses == NULL || n->requests == NULL ||
	    n->connected == NULL || n->rejected == NULL || n->ep < 0)
		return err_set(e, ERR_NOMEM, "out of memory or descriptors");
	if (epoll_ctl(n->ep, EPOLL_CTL_ADD, control_fd, &ev) != 0)
		return err_sys(e, ERR_IO, errno, "control socket");
	return ERR_OK;
}

static void net_close(struct net *n)
{
	for (unsigned i = 0; i < n->listeners; i++)
		listener_stop(&n->listener[i]);
	core_flush(n);
	frame_conn_free(n->core);
	trust_free(n->trust);
	addr_table_free(n->addresses);
	rate_table_free(n->requests);
	rate_table_free(n->connected);
	reject_table_free(n->rejected);
	arena_free(n->a);
	free(n->slot);
	free(n->mhd);
	free(n->free_slot);
	if (n->ep >= 0)
		close(n->ep);
}

static int start(struct net *n, struct setup *s, int control_fd, struct err *e)
{
	int rc;

	if (sodium_init() < 0 || (s->a = arena_new(CONFIG_ARENA)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	sandbox_early(&s->report);
	if ((rc = net_open(n, control_fd, e)) != ERR_OK ||
	    (rc = refusal_init(e)) != ERR_OK || (rc = set_up(n, s, e)) != ERR_OK)
		return rc;
	arena_free(s->a); /* with the TLS key: GnuTLS has its own copy */
	s->a = NULL;
	if ((rc = sandbox_enter(&s->sandbox, &s->report, e)) != ERR_OK)
		return rc;
	s->started_ms = n->now;
	return core_attach(n, s->core_fd, e);
}

int net_role_main(int control_fd)
{
	static struct net n; /* large; zero but for what follows */
	struct setup s = { .core_fd = -1 };
	struct err e;

	n.ep = -1;
	ignore_signals();
	log_init("net", false);
	if (start(&n, &s, control_fd, &e) != ERR_OK) {
		log_error("cannot start", LOG_S("error", e.msg));
		if (n.a != NULL)
			tell(&n, IPC_FAILED, value_str(n.a, e.msg));
		n.exit_status = 1;
	}
	while (n.exit_status < 0) {
		say_ready(&n, &s);
		loop_once(&n);
	}
	net_close(&n);
	arena_free(s.a);
	return n.exit_status;
}
