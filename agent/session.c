/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "arena.h"
#include "backoff.h"
#include "keymem.h"
#include "log.h"
#include "rng.h"
#include "session_impl.h"
#include "status.h"

#define EVENTS 16

int64_t session_now(const struct session *s)
{
	return clock_boot(s->clock);
}

uint32_t session_random(void)
{
	uint32_t n;

	rng_bytes(&n, sizeof(n));
	return n;
}

/* The code that a dozen libraries ran to start is not needed again; what is comes back
 * from the page cache.  Text is never written, so nothing can be lost. */
static int drop_text(struct dl_phdr_info *info, size_t size UNUSED, void *ctx UNUSED)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t to = info->dlpi_addr + p->p_vaddr + p->p_filesz;

		if (p->p_type == PT_LOAD && (p->p_flags & (PF_X | PF_W)) == PF_X &&
		    p->p_filesz > 0)
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

void session_idle(struct session *s)
{
	arena_trim();
	(void)malloc_trim(0);
	if (s->phase != PHASE_READY || s->settled)
		return;
	s->settled = true;
	(void)dl_iterate_phdr(drop_text, NULL);
}

static int watch_fd(struct session *s, int fd, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return err_sys(e, ERR_IO, errno, "watching a descriptor");
	return ERR_OK;
}

static int open_loop(struct session *s, struct err *e)
{
	int rc;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->timer_fd < 0)
		return err_sys(e, ERR_IO, errno, "making the event loop");
	if ((rc = watch_fd(s, s->timer_fd, e)) != ERR_OK ||
	    (rc = watch_fd(s, s->o.signal_fd, e)) != ERR_OK)
		return rc;
	if (s->o.status != NULL &&
	    (rc = status_attach(s->o.status, s->epoll_fd, e)) != ERR_OK)
		return rc;
	s->multi = http_multi_new(s->epoll_fd, e);
	return s->multi == NULL ? (int)e->code : ERR_OK;
}

static const char *first_url(const char *configured, const char *joined)
{
	return configured != NULL ? configured : joined;
}

/* It is on disk where something hangs on it: granted bindings may come later. */
static void open_contact(struct session *s)
{
	bool wanted = s->o.settings->docker.socket != NULL;

	for (size_t i = 0; i < s->plan->n_bindings; i++)
		wanted = wanted ||
		         s->plan->bindings[i].set.on_disconnect == DISCONNECT_WIPE;
	contact_open(&s->contact, wanted ? s->o.run_fd : -1, files_boot_id(s->o.files),
	             s->started_at);
}

int session_new(const struct session_options *o, struct session **out, struct err *e)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc = ERR_NOMEM;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->o = *o;
	s->started_with = *o->settings;
	s->clock = clock_system();
	s->epoll_fd = s->timer_fd = -1;
	s->plan = *o->plan;
	s->n_holdings = s->plan->n_paths;
	s->holdings = calloc(s->n_holdings + 1, sizeof(*s->holdings));
	s->gates = session_gates(s, s->plan);
	s->release = json_array();
	s->strays = json_array();
	s->token = keymem_alloc(LIMIT_TOKEN_TEXT + 1);
	s->key = keymem_alloc(HOSTBOX_KEY);
	s->api.key = keymem_alloc(HOSTBOX_KEY);
	s->watch.key = keymem_alloc(HOSTBOX_KEY);
	s->api.s = s->watch.s = s;
	s->on = &s->api;
	s->api.url = first_url(o->settings->server, o->identity->server);
	s->watch.url = first_url(o->settings->hosts_server, o->identity->hosts_server);
	s->retry_at = 0;
	s->started_at = session_now(s);
	open_contact(s);
	session_rekey_start(s);
	if (s->holdings == NULL || s->gates == NULL || s->release == NULL ||
	    s->strays == NULL || s->token == NULL || s->key == NULL ||
	    s->api.key == NULL || s->watch.key == NULL)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else
		rc = open_loop(s, e);
	if (rc == ERR_OK)
		rc = session_docker_open(s, e);
	if (rc == ERR_OK)
		rc = session_swarm_open(s, e);
	if (rc != ERR_OK) {
		session_free(s);
		return rc;
	}
	*out = s;
	return ERR_OK;
}

void session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_apply_free(s->apply);
	session_swarm_free(s->swarm);
	session_docker_free(s->docker);
	http_multi_free(s->multi);
	http_free(s->api.http);
	http_free(s->watch.http);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	keymem_free(s->token, LIMIT_TOKEN_TEXT + 1);
	keymem_free(s->key, HOSTBOX_KEY);
	keymem_free(s->api.key, HOSTBOX_KEY);
	keymem_free(s->watch.key, HOSTBOX_KEY);
	session_cache_free(s);
	json_decref(s->release);
	json_decref(s->strays);
	free(s->checkpoint);
	free(s->holdings);
	free(s->gates);
	arena_free(s->settings_arena);
	free(s);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* The next moment that something is due by the boot clock: suspend counts. */
static void set_timer(struct session *s, int64_t at)
{
	struct itimerspec when = { 0 };

	if (at == s->timer_at)
		return;
	s->timer_at = at;
	if (at >= 0) {
		at = at < 1 ? 1 : at;
		when.it_value.tv_sec = (time_t)(at / 1000);
		when.it_value.tv_nsec = (long)(at % 1000) * 1000000;
	}
	(void)timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_timer(struct session *s)
{
	uint64_t ticks;

	(void)!read(s->timer_fd, &ticks, sizeof(ticks));
	s->timer_at = -2;
}

/* Whatever is due now; then sleep until the next. */
static void run_due(struct session *s)
{
	int64_t now = session_now(s), next = files_reap(s->o.files, now);

	next = earlier(next, session_expire(s, now));
	next = earlier(next, session_docker_due(s, now));
	next = earlier(next, session_apply_due(s, now));
	next = earlier(next, session_docker_flush(s, now));
	next = earlier(next, session_cache_boot(s, now));
	next = earlier(next, session_swarm_due(s, now));
	if (s->phase == PHASE_OFFLINE) {
		if (now >= s->retry_at && s->job == NULL)
			s->phase = s->token[0] != '\0' ? PHASE_SYNC : PHASE_CHALLENGE;
		else
			next = earlier(next, s->retry_at);
	}
	session_pump(s);
	if (s->phase == PHASE_READY && s->token_refresh_at != 0)
		next = earlier(next, s->token_refresh_at);
	if (s->job == NULL)
		next = earlier(next, session_report_next(s, now));
	set_timer(s, next);
}

static void on_signal(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->o.signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		session_reload(s);
	else
		s->stopping = true;
}

static void dispatch(struct session *s, int fd, unsigned events)
{
	if (fd == s->timer_fd)
		on_timer(s);
	else if (fd == s->o.signal_fd)
		on_signal(s);
	else if (!session_apply_event(s, fd) && !session_docker_event(s, fd, events) &&
	         !session_swarm_event(s, fd, events) &&
	         (s->o.status == NULL || !status_event(s->o.status, fd, events, s)))
		http_multi_event(s->multi, fd, events);
}

int session_run(struct session *s, struct err *e)
{
	struct epoll_event ev[EVENTS];
	int rc = session_apply_start(s, e);

	while (rc == ERR_OK && !s->stopping) {
		int n;

		run_due(s);
		n = epoll_wait(s->epoll_fd, ev, EVENTS,
		               (int)http_multi_timeout_ms(s->multi));
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_IO, errno, "waiting for events");
		for (int i = 0; i < n; i++)
			dispatch(s, ev[i].data.fd, ev[i].events);
		http_multi_tick(s->multi);
	}
	session_remember(s);
	return rc;
}
