/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "clock.h"
#include "pool_impl.h"
#include "worker.h"

int pool_spawn(struct pool *p, struct pool_worker *w, struct err *e)
{
	struct worker_options o = { .status = w->status,
		                    .engine = p->o.engine,
		                    .options = p->o.options,
		                    .limits = p->o.limits,
		                    .hash_key = p->o.hash_key,
		                    .held = p->held,
		                    .cpu_s = p->o.cpu_s,
		                    .memory = p->o.memory,
		                    .require_sandbox = p->o.require_sandbox };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, ERR_IO, errno, "a socket for a worker");
	memset(w->status, 0, sizeof(*w->status));
	w->killed = NULL;
	w->reset = false;
	w->leaving = false;
	w->beats = 0;
	w->seen_ms = clock_boot(clock_system());
	w->pid = fork();
	if (w->pid == 0) {
		o.sock = pair[1];
		worker_main(&o);
	}
	close(pair[1]);
	if (w->pid < 0) {
		close(pair[0]);
		w->pid = 0;
		return err_sys(e, ERR_IO, errno, "starting a worker");
	}
	w->sock = pair[0];
	return ERR_OK;
}

/* Items of these jobs have nothing to do with each other. */
static bool divisible(const struct job *j)
{
	return !j->streamed &&
	       (j->format == FORMAT_FILE || j->format == FORMAT_NUL ||
	        j->format == FORMAT_DOCKERFILE || j->format == FORMAT_COMPOSE);
}

/* Items 0 … upto - 1 leave the job; what stays is read from the start again. */
static void drop_items(struct job *j, unsigned upto)
{
	for (unsigned i = 0; i < upto; i++) {
		if (j->fd[i] >= 0)
			close(j->fd[i]);
		j->names_len -= strlen(j->name[i]) + 1;
		free(j->name[i]);
	}
	j->n -= upto;
	memmove(j->fd, j->fd + upto, j->n * sizeof(j->fd[0]));
	memmove(j->span, j->span + upto, j->n * sizeof(j->span[0]));
	memmove(j->name, j->name + upto, j->n * sizeof(j->name[0]));
	for (unsigned i = 0; i < j->n; i++)
		if (j->fd[i] >= 0)
			(void)lseek(j->fd[i], 0, SEEK_SET);
}

static const char *cause(const struct pool_worker *w, int status)
{
	if (w->killed != NULL)
		return w->killed;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return "it took too much processor time";
	return "its worker died";
}

/* What becomes of the job that the worker was at. */
static void settle(struct pool *p, const struct pool_worker *w, struct job *j,
                   const char *why)
{
	char where[STATUS_PATH_MAX];
	unsigned item = atomic_load(&w->status->item);

	memcpy(where, w->status->path, sizeof(where));
	where[sizeof(where) - 1] = '\0';
	p->fruitless = 0;
	if (item >= j->n)
		item = j->n - 1;
	p->ev.lost(p->ctx, j, item, where, why);
	if (divisible(j) && item + 1 < j->n) {
		drop_items(j, item + 1);
		pool_requeue(p, j);
		return;
	}
	p->ev.done(p->ctx, j);
	job_free(j);
}

static void give_up(struct pool *p)
{
	p->broken = true;
	err_set(&p->why, ERR_INTERNAL,
	        "the scanner's worker processes end at once: is its sandbox possible here?");
}

void pool_reap(struct pool *p, struct pool_worker *w)
{
	struct job *job[POOL_DEPTH];
	unsigned n = w->jobs;
	uint32_t at;
	int status = 0;

	(void)kill(w->pid, SIGKILL);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(w->sock);
	w->sock = -1;
	w->pid = 0;
	w->jobs = 0;
	memcpy(job, w->job, sizeof(job));
	at = atomic_load(&w->status->job);
	p->fruitless++;
	/* Backwards, so that what goes back to the queue is in order there. */
	while (n-- > 0) {
		if (job[n]->id == at || (n == 0 && w->killed != NULL))
			settle(p, w, job[n], cause(w, status));
		else
			pool_requeue(p, job[n]);
	}
	if (p->broken)
		return;
	if (p->fruitless >= POOL_FRUITLESS)
		give_up(p);
	else if (pool_spawn(p, w, &p->why) != ERR_OK)
		p->broken = true;
}

void pool_check_stall(struct pool *p, struct pool_worker *w, int64_t now_ms)
{
	uint64_t beats = atomic_load_explicit(&w->status->beats, memory_order_relaxed);

	if (w->jobs == 0 || beats != w->beats) {
		w->beats = beats;
		w->seen_ms = now_ms;
	} else if (now_ms - w->seen_ms > p->o.stall_ms) {
		w->killed = "its worker made no progress";
		pool_reap(p, w);
	}
}
