/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "clock.h"
#include "log.h"
#include "notify.h"
#include "sup.h"

#define CONFIG_MAX (2u * 1024 * 1024)

static const struct value nothing = { .type = V_NULL };

int64_t sup_now(void)
{
	return clock_boot(clock_system());
}

static struct role_proc *live_core(struct supervisor *s)
{
	struct role_proc *core = s->slots[0].cur;

	return core != NULL && core->state == ROLE_READY ? core : NULL;
}

static void set_common(struct supervisor *s, const struct owner *owner, struct arena *a,
                       struct value *c)
{
	struct value *user = NULL;

	if (owner->drop) {
		user = value_object(a);
		value_set_int(a, user, "uid", owner->uid);
		value_set_int(a, user, "gid", owner->gid);
	}
	value_set(c, "user", user != NULL ? user : value_null(a));
	value_set_bool(a, c, "require_sandbox", s->set->require_sandbox);
	value_set_bool(a, c, "log_json", s->set->log_json);
	value_set_str(a, c, "log_level", s->set->log_level);
}

static int set_auto_key(struct supervisor *s, struct arena *a, struct value *c,
                        struct err *e)
{
	unsigned char *key = arena_alloc(a, 32);
	int rc;

	if (s->set->auto_unseal_file[0] == '\0') {
		value_set(c, "auto_unseal_key", value_null(a));
		return ERR_OK;
	}
	if (key == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = settings_auto_unseal(s->set, key, e)) != ERR_OK)
		return rc;
	value_set_bytes(a, c, "auto_unseal_key", key, 32);
	return ERR_OK;
}

/* {requests: {per_second: n, burst: n}}, under the name that the role knows it by */
static void set_rate(struct supervisor *s, struct arena *a, struct value *c,
                     const char *name, enum settings_rate which)
{
	const struct settings_limit *l = &s->set->rate[which];
	struct value *v = value_object(a);

	value_set_int(a, v, "per_second", l->per_second);
	value_set_int(a, v, "burst", l->burst);
	value_set(c, name, v);
}

static int core_config(struct supervisor *s, struct arena *a, struct value *c,
                       struct err *e)
{
	struct value *dev = NULL;

	value_set_str(a, c, "data_dir", s->dir.path);
	value_set_bool(a, c, "allow_unlocked", s->set->allow_unlocked);
	value_set_bool(a, c, "init_anywhere", s->set->init_anywhere);
	value_set_bool(a, c, "unauthenticated_rekey", s->set->unauthenticated_rekey);
	set_rate(s, a, c, "rate_token", RATE_TOKEN);
	set_rate(s, a, c, "rate_login", RATE_LOGIN);
	value_set(c, "rotators", rotators_value(&s->rotators, a));
	if (s->set->dev && !s->core_started) {
		dev = value_object(a);
		value_set_str(a, dev, "root_token", s->set->dev_root_token);
	}
	value_set(c, "dev", dev != NULL ? dev : value_null(a));
	return set_auto_key(s, a, c, e);
}

static void net_config(struct supervisor *s, const struct slot *slot,
                       const struct tls_files *tls, struct arena *a, struct value *c)
{
	struct value *t = NULL;

	if (tls->key != NULL) {
		t = value_object(a);
		value_set_bytes(a, t, "cert", tls->cert, tls->cert_len);
		value_set_bytes(a, t, "key", tls->key, tls->key_len);
	}
	value_set(c, "tls", t != NULL ? t : value_null(a));
	value_set_str(a, c, "listener", slot->kind == ROLE_NET_HOSTS ? "hosts" : "api");
	value_set_int(a, c, "body_max", (int64_t)s->set->body_max);
	set_rate(s, a, c, "rate_requests",
	         slot->kind == ROLE_NET_HOSTS ? RATE_HOSTS : RATE_REQUESTS);
	set_rate(s, a, c, "rate_connections",
	         slot->kind == ROLE_NET_HOSTS ? RATE_HOSTS : RATE_CONNECTIONS);
	value_set_bool(a, c, "rate_loopback", s->set->rate_loopback);
	value_set_int(a, c, "workers",
	              slot->kind == ROLE_NET_HOSTS ? 1 : s->set->net_processes);
	value_set_int(a, c, "worker", slot->worker);
}

static struct value *paths_value(struct arena *a, const struct settings_paths *p)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < p->n; i++)
		value_add(list, value_str(a, p->path[i]));
	return list;
}

static void rotate_config(struct supervisor *s, struct arena *a, struct value *c)
{
	value_set_str(a, c, "work_dir", s->scratch.path);
	value_set_int(a, c, "trusted_uid", rotators_owner());
	value_set(c, "read", paths_value(a, &s->set->rotate_read));
	value_set(c, "write", paths_value(a, &s->set->rotate_write));
	value_set(c, "rotators", rotators_value(&s->rotators, a));
}

static int send_config(struct supervisor *s, const struct slot *slot,
                       const struct tls_files *tls, struct role_proc *p, struct err *e)
{
	AUTO_ARENA a = arena_new(CONFIG_MAX);
	struct value *c;
	int rc = ERR_OK;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c = value_object(a);
	set_common(s, slot->kind == ROLE_ROTATE ? &s->rotate_owner : &s->owner, a, c);
	if (slot->kind == ROLE_CORE)
		rc = core_config(s, a, c, e);
	else if (slot->kind == ROLE_ROTATE)
		rotate_config(s, a, c);
	else
		net_config(s, slot, tls, a, c);
	if (rc != ERR_OK)
		return rc;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return role_send(p, IPC_CONFIG, c, -1, e);
}

static int send_peer(struct role_proc *to, const char *role, const char *kind,
                     uint64_t id, int fd)
{
	AUTO_ARENA a = arena_new(4096);
	struct value *v;
	struct err e;
	int rc = ERR_NOMEM;

	if (a == NULL)
		return rc;
	v = value_object(a);
	value_set_str(a, v, "role", role);
	if (kind != NULL)
		value_set_str(a, v, "kind", kind);
	value_set_int(a, v, "id", (int64_t)id);
	rc = role_send(to, IPC_PEER, v, fd, &e);
	if (rc != ERR_OK)
		log_error("cannot hand over a descriptor", LOG_S("cause", e.msg));
	return rc;
}

static int send_listeners(struct supervisor *s, struct role_proc *p)
{
	enum listener_kind kind = p->kind == ROLE_NET_HOSTS ? LISTEN_HOSTS : LISTEN_API;
	int rc = ERR_OK;

	for (size_t i = 0; i < s->listeners.n && rc == ERR_OK; i++) {
		const struct listener *l = &s->listeners.l[i];

		if (l->kind == kind)
			rc = send_peer(p, "listener", l->is_unix ? "unix" : "tcp", i,
			               l->fd);
	}
	return rc;
}

/* A fresh pair of sockets between a net, or rotate, and the core that runs now. */
static void link_to_core(struct supervisor *s, struct role_proc *net)
{
	struct role_proc *core = live_core(s);
	int pair[2];

	if (core == NULL || net->linked || net->state == ROLE_DRAINING)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		log_error("cannot make a socket pair", LOG_N("errno", errno));
		role_kill(net);
		return;
	}
	net->linked = send_peer(core, role_name(net->kind), NULL, net->peer, pair[0]) ==
	                      ERR_OK &&
	              send_peer(net, "core", NULL, 0, pair[1]) == ERR_OK;
	close(pair[0]);
	close(pair[1]);
	if (net->linked && net->state == ROLE_STARTING)
		net->kill_at = sup_now() + SUP_NET_START_MS;
}

static struct role_proc *free_entry(struct supervisor *s)
{
	for (size_t i = 0; i < SUP_PROCS; i++)
		if (s->procs[i].pid == 0)
			return &s->procs[i];
	return NULL;
}

int sup_start_slot(struct supervisor *s, struct slot *slot, const struct tls_files *tls,
                   struct err *e)
{
	struct role_proc *p = free_entry(s);
	int rc;

	if (p == NULL)
		return err_set(e, ERR_BUSY, "too many processes");
	if ((rc = role_spawn(p, slot->kind, e)) != ERR_OK)
		return rc;
	if ((rc = send_config(s, slot, tls, p, e)) != ERR_OK) {
		role_kill(p);
		return rc;
	}
	p->peer = ++s->last_peer;
	if (slot->cur == NULL)
		slot->cur = p;
	else
		slot->next = p;
	slot->restart_at = -1;
	if (slot->kind == ROLE_CORE) {
		p->kill_at = sup_now() + SUP_CORE_START_MS;
		return ERR_OK;
	}
	if (slot->kind == ROLE_ROTATE || send_listeners(s, p) == ERR_OK)
		link_to_core(s, p);
	return ERR_OK;
}

static struct slot *slot_of(struct supervisor *s, const struct role_proc *p)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].cur == p || s->slots[i].next == p)
			return &s->slots[i];
	return NULL;
}

static bool all_ready(const struct supervisor *s)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].cur == NULL || s->slots[i].cur->state != ROLE_READY)
			return false;
	return true;
}

static void link_all(struct supervisor *s)
{
	for (size_t i = 0; i < SUP_PROCS; i++)
		if (s->procs[i].pid != 0 && s->procs[i].kind != ROLE_CORE)
			link_to_core(s, &s->procs[i]);
}

void sup_on_ready(struct supervisor *s, struct role_proc *p)
{
	struct slot *slot = slot_of(s, p);

	if (slot == NULL || s->stopping)
		return;
	if (p->kind == ROLE_CORE) {
		if (s->core_started && s->set->dev)
			log_warn("core was started anew and is sealed",
			         LOG_S("hint",
			               "unseal it with the key printed at the start"));
		s->core_started = true;
		link_all(s);
	} else {
		sup_keep_pin(s, p);
	}
	if (slot->next == p) {
		sup_drain(slot->cur);
		slot->cur = p;
		slot->next = NULL;
		sup_reload_step(s);
	}
	if (!all_ready(s))
		return;
	sup_tell_sandbox(s);
	if (!s->serving) {
		s->serving = true;
		sup_announce(s);
	} else {
		log_info("started anew", LOG_S("role", role_name(p->kind)),
		         LOG_N("pid", p->pid));
	}
}

/* Roles end with an exit status of the error table. */
static enum errcode code_of(int status)
{
	for (int i = 1; WIFEXITED(status) && i < ERR__MAX; i++)
		if (errclasses[i].exit_status == WEXITSTATUS(status))
			return (enum errcode)i;
	return ERR_INTERNAL;
}

static void forget_old_deaths(struct slot *slot, int64_t now)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < slot->restarts; i++)
		if (now - slot->deaths[i] < SUP_RESTART_WINDOW_MS)
			slot->deaths[kept++] = slot->deaths[i];
	slot->restarts = kept;
}

static void plan_restart(struct supervisor *s, struct slot *slot, const char *how)
{
	static const int64_t backoff_ms[SUP_RESTARTS] = { 50, 1000, 5000 };
	int64_t now = sup_now();

	forget_old_deaths(slot, now);
	/* Without rotate everything but rotations goes on: it is tried for ever. */
	if (slot->restarts == SUP_RESTARTS && slot->kind == ROLE_ROTATE) {
		log_error("a role ends again and again", LOG_S("role", "rotate"),
		          LOG_S("because", how), LOG_N("after_ms", SUP_ROTATE_PAUSE_MS));
		slot->restart_at = now + SUP_ROTATE_PAUSE_MS;
		return;
	}
	if (slot->restarts == SUP_RESTARTS) {
		sup_fail(
			s, ERR_INTERNAL,
			"%s %s, and was started anew %d times within %d minutes: giving up",
			role_name(slot->kind), how, SUP_RESTARTS,
			SUP_RESTART_WINDOW_MS / 60000);
		return;
	}
	log_warn("starting a role anew", LOG_S("role", role_name(slot->kind)),
	         LOG_S("because", how), LOG_N("after_ms", backoff_ms[slot->restarts]));
	slot->restart_at = now + backoff_ms[slot->restarts];
	slot->deaths[slot->restarts++] = now;
}

static void unlink_all(struct supervisor *s)
{
	for (size_t i = 0; i < SUP_PROCS; i++)
		s->procs[i].linked = false;
}

static void on_current_death(struct supervisor *s, struct slot *slot,
                             const struct role_proc *p, int status)
{
	char how[ERR_MSG_MAX + 16];

	slot->cur = slot->next;
	slot->next = NULL;
	if (s->stopping)
		return;
	role_describe_end(status, how, sizeof(how));
	if (p->failed[0] != '\0')
		snprintf(how, sizeof(how), "failed: %s", p->failed);
	if (!s->serving && p->failed[0] != '\0')
		sup_fail(s, code_of(status), "%s", p->failed);
	else if (!s->serving)
		sup_fail(s, ERR_INTERNAL, "%s %s before it was ready", role_name(p->kind),
		         how);
	else if (slot->cur == NULL)
		plan_restart(s, slot, how);
}

void sup_on_death(struct supervisor *s, struct role_proc *p, int status)
{
	struct slot *slot = slot_of(s, p);
	struct role_proc dead = *p;

	*p = (struct role_proc){ .kill_at = -1 };
	if (dead.kind == ROLE_CORE)
		unlink_all(s);
	if (slot != NULL && slot->next == p) {
		slot->next = NULL;
		s->reload_refused = true;
		log_error("a new net process does not start, the old one stays",
		          LOG_S("cause", dead.failed));
		sup_reload_step(s);
	} else if (slot != NULL) {
		on_current_death(s, slot, &dead, status);
	}
	role_forget(&dead);
}

void sup_drain(struct role_proc *p)
{
	struct err e;

	p->state = ROLE_DRAINING;
	p->kill_at = sup_now() + SUP_DRAIN_MS;
	if (role_send(p, IPC_DRAIN, &nothing, -1, &e) != ERR_OK)
		log_warn("cannot drain", LOG_S("cause", e.msg));
}

void sup_stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	notify_stopping();
	for (size_t i = 0; i < s->n_slots; i++)
		s->slots[i].restart_at = -1;
	for (size_t i = 0; i < SUP_PROCS; i++) {
		struct role_proc *p = &s->procs[i];

		if (p->pid == 0 || !sup_is_net(p->kind))
			continue;
		if (p->state == ROLE_READY)
			sup_drain(p);
		else if (p->state == ROLE_STARTING)
			role_kill(p);
	}
}

void sup_fail(struct supervisor *s, enum errcode code, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->result == ERR_OK)
		s->result = err_set(&s->err, code, "%s", text);
	sup_stop(s);
}
