/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "log.h"
#include "notify.h"
#include "sandbox.h"
#include "sup.h"
#include "vault/limits.h"

static int block_signals(struct supervisor *s, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return err_sys(e, ERR_IO, errno, "signals");
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd >= 0 ? ERR_OK : err_sys(e, ERR_IO, errno, "signals");
}

/* Net holds a descriptor per client; roles inherit the limit. */
static void raise_files_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static struct address after_api(const struct supervisor *s)
{
	struct address a = s->set->listen_hosts;
	const char *bound = strrchr(s->listeners.l[0].text, ':');
	unsigned long api = bound != NULL ? strtoul(bound + 1, NULL, 10) : 0;

	address_set_port(&a, api < 65535 ? (unsigned)api + 1 : 0);
	return a;
}

static int open_hosts(struct supervisor *s, struct err *e)
{
	struct address a = s->set->hosts_follow ? after_api(s) : s->set->listen_hosts;
	int rc = listen_tcp(&s->listeners, LISTEN_HOSTS, &a, e);

	if (rc == ERR_CONFLICT && s->set->hosts_follow) {
		address_set_port(&a, 0);
		rc = listen_tcp(&s->listeners, LISTEN_HOSTS, &a, e);
	}
	return rc;
}

static int open_listeners(struct supervisor *s, struct err *e)
{
	int rc = listen_inherit(&s->listeners, e);

	if (rc == ERR_OK && !listen_has(&s->listeners, LISTEN_API)) {
		for (size_t i = 0; i < s->set->n_listen && rc == ERR_OK; i++)
			rc = listen_tcp(&s->listeners, LISTEN_API, &s->set->listen[i], e);
		if (rc == ERR_OK && s->set->unix_socket[0] != '\0')
			rc = listen_unix(&s->listeners, s->set->unix_socket, s->owner.uid,
			                 s->owner.gid, e);
	}
	if (rc == ERR_OK && !listen_has(&s->listeners, LISTEN_HOSTS))
		rc = open_hosts(s, e);
	return rc;
}

/* Whom rotate becomes, what it may run, and where. */
static int prepare_rotate(struct supervisor *s, struct err *e)
{
	const struct settings *set = s->set;
	bool own = set->rotate_user[0] != '\0';
	char dir[ROTATOR_PATH_MAX];

	s->rotators = set->rotators;
	if (rotators_program_dir(dir) == 0)
		rotators_add_builtin(&s->rotators, dir);
	s->rotate_owner = s->owner;
	if (own && datadir_owner(set->rotate_user, NULL, &s->rotate_owner, e) != ERR_OK)
		return err_wrap(e, "rotate");
	return datadir_scratch(&s->scratch, &s->rotate_owner, e);
}

static int prepare(struct supervisor *s, struct err *e)
{
	int rc;

	if ((rc = block_signals(s, e)) != ERR_OK ||
	    (rc = datadir_owner(s->set->user, s->set->group, &s->owner, e)) != ERR_OK ||
	    (rc = open_listeners(s, e)) != ERR_OK ||
	    (rc = s->set->dev ? datadir_temporary(&s->dir, &s->owner, e)
	                      : datadir_open(&s->dir, s->set->data_dir, &s->owner, e)) !=
	            ERR_OK)
		return rc;
	if ((rc = prepare_rotate(s, e)) != ERR_OK)
		return rc;
	s->tls_arena = arena_new(4 * LIMIT_CONFIG_FILE);
	if (s->tls_arena == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return sup_load_tls(s, s->tls_arena, &s->tls, e);
}

static void warn_about_dev(const struct supervisor *s)
{
	if (s->set->dev && !address_loopback(&s->set->listen[0]))
		log_warn(
			"the dev server listens beyond this machine: whoever reaches it can read "
			"the root token and every secret off the wire",
			LOG_S("address", s->listeners.l[0].text));
}

static int start_all(struct supervisor *s, struct err *e)
{
	int rc = ERR_OK;

	s->slots[s->n_slots++] = (struct slot){ .kind = ROLE_CORE, .restart_at = -1 };
	s->slots[s->n_slots++] = (struct slot){ .kind = ROLE_ROTATE, .restart_at = -1 };
	s->slots[s->n_slots++] = (struct slot){ .kind = ROLE_NET_HOSTS,
		                                .restart_at = -1 };
	for (unsigned i = 0; i < s->set->net_processes; i++)
		s->slots[s->n_slots++] = (struct slot){ .kind = ROLE_NET_API,
			                                .worker = i,
			                                .restart_at = -1 };
	for (size_t i = 0; i < s->n_slots && rc == ERR_OK; i++)
		rc = sup_start_slot(s, &s->slots[i], &s->tls, e);
	return rc;
}

static void on_terminate(struct supervisor *s)
{
	if (!s->stopping) {
		log_info("stopping", LOG_N("pid", getpid()));
		sup_stop(s);
		return;
	}
	/* Asked a second time: do not wait any longer. */
	for (size_t i = 0; i < SUP_PROCS; i++)
		if (s->procs[i].kill_at >= 0)
			s->procs[i].kill_at = sup_now();
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo si;

	while (read(s->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			on_terminate(s);
		else if (si.ssi_signo == SIGHUP)
			sup_reload(s);
		else if (si.ssi_signo == SIGCHLD)
			sup_end_orphans(s);
	}
}

/* The last words of a process may still be in its socket. */
static void hear_out(struct supervisor *s, struct role_proc *p)
{
	for (int i = 0; i < 4 && p->control != NULL; i++)
		if (role_receive(p))
			sup_on_ready(s, p);
}

static void reap_all(struct supervisor *s)
{
	for (size_t i = 0; i < SUP_PROCS; i++) {
		struct role_proc *p = &s->procs[i];

		if (!role_ended(p))
			continue;
		hear_out(s, p);
		sup_on_death(s, p, role_reap(p));
	}
}

static void run_timers(struct supervisor *s)
{
	int64_t now = sup_now();
	struct err e;

	for (size_t i = 0; i < SUP_PROCS; i++) {
		struct role_proc *p = &s->procs[i];

		if (p->pid == 0 || p->kill_at < 0 || p->kill_at > now)
			continue;
		log_warn("took too long, is killed", LOG_S("role", role_name(p->kind)),
		         LOG_N("pid", p->pid));
		p->kill_at = -1;
		role_kill(p);
	}
	for (size_t i = 0; i < s->n_slots; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->restart_at < 0 || slot->restart_at > now)
			continue;
		slot->restart_at = -1;
		if (sup_start_slot(s, slot, &s->tls, &e) != ERR_OK)
			sup_fail(s, e.code, "%s", e.msg);
	}
}

static int sleep_ms(const struct supervisor *s)
{
	int64_t until = INT64_MAX, wait;

	for (size_t i = 0; i < SUP_PROCS; i++)
		if (s->procs[i].pid != 0 && s->procs[i].kill_at >= 0 &&
		    s->procs[i].kill_at < until)
			until = s->procs[i].kill_at;
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].restart_at >= 0 && s->slots[i].restart_at < until)
			until = s->slots[i].restart_at;
	if (until == INT64_MAX)
		return -1;
	wait = until - sup_now();
	return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

/* When stopping: core follows once no net is left, then rotate.  False when nobody is
 * left at all. */
static bool step_down(struct supervisor *s)
{
	struct role_proc *core = NULL, *rotate = NULL;
	size_t nets = 0;

	for (size_t i = 0; i < SUP_PROCS; i++) {
		if (s->procs[i].pid == 0)
			continue;
		if (s->procs[i].kind == ROLE_CORE)
			core = &s->procs[i];
		else if (s->procs[i].kind == ROLE_ROTATE)
			rotate = &s->procs[i];
		else
			nets++;
	}
	if (nets == 0 && core != NULL && !s->core_drained) {
		s->core_drained = true;
		sup_drain(core);
	}
	if (nets == 0 && core == NULL && rotate != NULL && !s->rotate_drained) {
		s->rotate_drained = true;
		sup_drain(rotate);
	}
	return nets > 0 || core != NULL || rotate != NULL;
}

static void wait_for_events(struct supervisor *s)
{
	struct pollfd fds[1 + SUP_PROCS];
	struct role_proc *of[1 + SUP_PROCS];
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = s->sigfd, .events = POLLIN };
	for (size_t i = 0; i < SUP_PROCS; i++) {
		struct role_proc *p = &s->procs[i];

		if (p->pid == 0 || p->control == NULL)
			continue;
		of[n] = p;
		fds[n++] = (struct pollfd){ .fd = frame_conn_fd(p->control),
			                    .events = POLLIN };
	}
	if (poll(fds, n, sleep_ms(s)) <= 0)
		return;
	if (fds[0].revents != 0)
		on_signals(s);
	for (nfds_t i = 1; i < n; i++)
		if (fds[i].revents != 0 && role_receive(of[i]))
			sup_on_ready(s, of[i]);
}

static void serve(struct supervisor *s)
{
	while (!s->stopping || step_down(s)) {
		wait_for_events(s);
		reap_all(s);
		run_timers(s);
	}
}

static void release(struct supervisor *s)
{
	for (size_t i = 0; i < SUP_PROCS; i++) {
		if (s->procs[i].pid == 0)
			continue;
		role_kill(&s->procs[i]);
		(void)role_reap(&s->procs[i]);
		role_forget(&s->procs[i]);
	}
	sup_end_orphans(s);
	datadir_scratch_remove(&s->scratch);
	listen_close(&s->listeners);
	datadir_close(&s->dir);
	arena_free(s->tls_arena);
	arena_free(s->next_tls_arena);
	if (s->sigfd >= 0)
		close(s->sigfd);
	free(s);
}

int supervisor_run(const struct options *o, struct settings *set, struct err *e)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	struct sandbox_report report = { .n = 0 };
	int rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->options = o;
	s->set = set;
	s->sigfd = -1;
	s->dir = (struct datadir){ .fd = -1, .tls_fd = -1 };
	for (size_t i = 0; i < SUP_PROCS; i++)
		s->procs[i].kill_at = -1;
	sandbox_early(&report);
	sup_adopt_orphans();
	raise_files_limit();
	notify_init();
	rc = prepare(s, e);
	if (rc == ERR_OK) {
		warn_about_dev(s);
		if (start_all(s, e) != ERR_OK)
			sup_fail(s, e->code, "%s", e->msg);
		serve(s);
		rc = s->result;
		if (rc != ERR_OK)
			*e = s->err;
	}
	release(s);
	return rc;
}
