/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "clock.h"
#include "held.h"
#include "pool_impl.h"

#define TICK_MS        500
#define STALL_MS       30000
#define CPU_S          900u
#define MEMORY         (UINT64_C(192) << 20)
#define RECORDS_A_TURN 256 /* of one worker, before the others have theirs */

static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set)
	                                                    : 1;
}

static void set_defaults(struct pool_options *o)
{
	if (o->workers == 0)
		o->workers = processors();
	if (o->workers > POOL_WORKERS_MAX)
		o->workers = POOL_WORKERS_MAX;
	if (o->stall_ms == 0)
		o->stall_ms = STALL_MS;
	if (o->cpu_s == 0)
		o->cpu_s = CPU_S;
	if (o->memory == 0)
		o->memory = MEMORY;
}

/* Descriptors are open here and under way to workers at the same time. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void *shared_page(void)
{
	void *page = mmap(NULL, sizeof(struct worker_status), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

struct pool *pool_new(const struct pool_options *o, const struct pool_events *ev,
                      void *ctx, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->o = *o;
	set_defaults(&p->o);
	p->ev = *ev;
	p->ctx = ctx;
	p->last = &p->first;
	raise_files();
	/* For what workers have, as many that wait, and the one that is filled. */
	p->held = held_new((POOL_DEPTH + 1) * p->o.workers + 1);
	for (; p->n < p->o.workers; p->n++) {
		struct pool_worker *w = &p->worker[p->n];

		w->sock = -1;
		w->status = shared_page();
		if (w->status == NULL)
			err_sys(e, ERR_NOMEM, errno, "a page for a worker");
		else if (pool_spawn(p, w, e) == ERR_OK)
			continue;
		p->n++;
		pool_free(p);
		return NULL;
	}
	return p;
}

void pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	p->broken = true; /* nothing is started again */
	for (unsigned i = 0; i < p->n; i++) {
		struct pool_worker *w = &p->worker[i];

		while (w->jobs > 0)
			job_free(w->job[--w->jobs]);
		if (w->pid > 0)
			pool_reap(p, w);
		if (w->status != NULL)
			munmap(w->status, sizeof(*w->status));
	}
	while (p->first != NULL) {
		struct job *j = p->first;

		p->first = j->next;
		job_free(j);
	}
	held_free(p->held);
	free(p);
}

unsigned pool_size(const struct pool *p)
{
	return p->n;
}

bool pool_has(const struct pool *p, long pid)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->worker[i].pid == pid)
			return true;
	return false;
}

void pool_add(struct pool *p, struct job *j)
{
	j->id = ++p->next_id;
	j->next = NULL;
	*p->last = j;
	p->last = &j->next;
	p->waiting++;
}

void pool_requeue(struct pool *p, struct job *j)
{
	j->id = ++p->next_id;
	j->next = p->first;
	if (p->first == NULL)
		p->last = &j->next;
	p->first = j;
	p->waiting++;
}

static struct job *take_waiting(struct pool *p)
{
	struct job *j = p->first;

	p->first = j->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->waiting--;
	return j;
}

/* The worker that gets the next job: an idle one before one that has a job. */
static struct pool_worker *free_worker(struct pool *p)
{
	struct pool_worker *best = NULL;

	for (unsigned i = 0; i < p->n; i++) {
		struct pool_worker *w = &p->worker[i];

		if (w->pid > 0 && !w->leaving && w->jobs < POOL_DEPTH &&
		    (best == NULL || w->jobs < best->jobs))
			best = w;
	}
	return best;
}

bool pool_add_held(struct pool *p, struct job *j, int fd, uint64_t size, const char *name)
{
	return p->held != NULL && free_worker(p) == NULL &&
	       held_add(p->held, j, fd, size, name);
}

/* A pipe or a layer may take long: nothing is to wait behind it. */
static bool may_wait_behind(const struct job *j)
{
	return j->format == FORMAT_FILE && !j->streamed;
}

/* It gets nothing more.  If it lives it ends after what it has; what it has sent is read
 * to its end in either case. */
static void let_go(struct pool_worker *w)
{
	w->leaving = true;
	(void)shutdown(w->sock, SHUT_WR);
}

static void dispatch(struct pool *p)
{
	while (p->first != NULL) {
		struct pool_worker *w = free_worker(p);
		struct err e;
		struct job *j;

		if (w == NULL || (w->jobs > 0 && !(may_wait_behind(p->first) &&
		                                   may_wait_behind(w->job[0]))))
			return;
		j = take_waiting(p);
		if (wire_send_job(w->sock, j, &e) != ERR_OK) {
			pool_requeue(p, j);
			let_go(w);
			continue;
		}
		if (w->jobs == 0)
			w->seen_ms = clock_boot(clock_system());
		w->job[w->jobs++] = j;
	}
}

static void job_done(struct pool *p, struct pool_worker *w)
{
	struct job *j = w->job[0];

	memmove(w->job, w->job + 1, (POOL_DEPTH - 1) * sizeof(w->job[0]));
	w->jobs--;
	p->fruitless = 0;
	p->ev.done(p->ctx, j);
	job_free(j);
}

static void take_record(struct pool *p, struct pool_worker *w, const void *m, size_t n)
{
	struct record r;
	bool ok = wire_get_record(m, n, &r) == 0;

	if (ok && r.type == RECORD_SANDBOX) {
		p->ev.record(p->ctx, NULL, &r);
		return;
	}
	if (!ok || w->jobs == 0 || r.job != w->job[0]->id) {
		w->killed = "its worker sent what is no record";
		return;
	}
	w->seen_ms = clock_boot(clock_system());
	p->ev.record(p->ctx, w->job[0], &r);
	if (r.type == RECORD_DONE)
		job_done(p, w);
}

static void read_records(struct pool *p, struct pool_worker *w)
{
	static char message[WIRE_MAX];

	for (int i = 0; i < RECORDS_A_TURN && w->killed == NULL; i++) {
		ssize_t n = recv(w->sock, message, sizeof(message), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* It ended with a job unread; its last records come after that. */
		if (n < 0 && errno == ECONNRESET && !w->reset) {
			w->reset = true;
			continue;
		}
		if (n <= 0) {
			pool_reap(p, w);
			return;
		}
		take_record(p, w, message, (size_t)n);
	}
	if (w->killed != NULL)
		pool_reap(p, w);
}

static unsigned busy(const struct pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->worker[i].jobs;
	return n;
}

/* Sockets of workers into ${pfd}, the caller's own at the end. */
static nfds_t fill_poll(struct pool *p, struct pollfd *pfd, int fd, short events)
{
	for (unsigned i = 0; i < p->n; i++)
		pfd[i] = (struct pollfd){ .fd = p->worker[i].sock, .events = POLLIN };
	pfd[p->n] = (struct pollfd){ .fd = fd, .events = events };
	return p->n + 1;
}

/* Take what comes within ${ms}; 1: the caller's own descriptor is ready. */
static int pump(struct pool *p, int fd, short events, int ms)
{
	struct pollfd pfd[POOL_WORKERS_MAX + 1];
	int64_t now;
	int r;

	dispatch(p);
	r = poll(pfd, fill_poll(p, pfd, fd, events), ms);
	now = clock_boot(clock_system());
	for (unsigned i = 0; i < p->n; i++) {
		struct pool_worker *w = &p->worker[i];

		if (r > 0 && pfd[i].revents != 0 && w->sock == pfd[i].fd)
			read_records(p, w);
		else if (w->pid > 0)
			pool_check_stall(p, w, now);
	}
	dispatch(p);
	return r > 0 && pfd[p->n].revents != 0;
}

static int failed(const struct pool *p, struct err *e)
{
	return p->broken ? err_set(e, p->why.code, "%s", p->why.msg) : ERR_OK;
}

int pool_submit(struct pool *p, struct job *j, struct err *e)
{
	pool_add(p, j);
	pump(p, -1, 0, 0);
	while (p->waiting > p->n && !p->broken)
		pump(p, -1, 0, TICK_MS);
	return failed(p, e);
}

void pool_turn(struct pool *p)
{
	(void)pump(p, -1, 0, 0);
}

int pool_wait_fd(struct pool *p, int fd, short events, int64_t timeout_ms, struct err *e)
{
	int64_t end = clock_boot(clock_system()) + timeout_ms;

	while (!p->broken) {
		int64_t left = end - clock_boot(clock_system());

		if (pump(p, fd, events,
		         left < TICK_MS ? (int)(left > 0 ? left : 0) : TICK_MS))
			return ERR_OK;
		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "nothing for %lld s",
			               (long long)(timeout_ms / 1000));
	}
	return failed(p, e);
}

int pool_drain(struct pool *p, struct err *e)
{
	while ((p->waiting > 0 || busy(p) > 0) && !p->broken)
		pump(p, -1, 0, TICK_MS);
	return failed(p, e);
}
