/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "held.h"
#include "sandbox.h"
#include "scanner/archive/ahead.h"
#include "scanner/sources/source.h"
#include "scanner/worker/emit.h"
#include "work.h"

#define SOCK   3 /* the only descriptor that stays, besides /dev/null */
#define NOBODY 65534

/* Under the sanitizers reports go to the inherited standard error. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Nothing that the main process has open stays: not its terminal, not Docker's socket. */
static int close_inherited(int sock)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    (!SANITIZED && dup2(null, STDERR_FILENO) < 0))
		return -1;
	if (sock != SOCK && dup2(sock, SOCK) < 0)
		return -1;
	return (int)syscall(SYS_close_range, SOCK + 1, ~0U, 0);
}

/* Bytes of address space in use. */
static uint64_t mapped(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &pages) != 1)
		pages = 0;
	(void)fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int limit(int what, uint64_t max)
{
	const struct rlimit l = { max, max };

	return setrlimit((__rlimit_resource_t)what, &l);
}

static int set_limits(const struct worker_options *o)
{
	uint64_t now = mapped();

	if (limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_FSIZE, 0) != 0 ||
	    limit(RLIMIT_NOFILE, 4 * WIRE_ITEMS_MAX) != 0)
		return -1;
	return SANITIZED || now == 0 ? 0 : limit(RLIMIT_AS, now + o->memory);
}

/* So much processor time from now on; the signal ends us. */
static void allow_cpu(uint64_t seconds)
{
	struct rusage used;
	struct rlimit l = { 0, RLIM_INFINITY };

	if (getrusage(RUSAGE_SELF, &used) != 0)
		return;
	l.rlim_cur = (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec +
	             seconds;
	(void)setrlimit(RLIMIT_CPU, &l);
}

static bool one_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

/* Without one everything is unpacked by ourselves. */
static void start_helper(void *ctx)
{
	struct work *w = ctx;

	if (one_processor())
		return;
	/* What it allocates is ours: an arena of its own would take address space. */
	(void)mallopt(M_ARENA_MAX, 1);
	w->ahead = ahead_new();
}

static int enter_sandbox(const struct worker_options *o, struct work *w)
{
	struct sandbox_options so = { .profile = SANDBOX_SCAN,
		                      .start_threads = start_helper,
		                      .ctx = w,
		                      .require = o->require_sandbox,
		                      .drop_user = true,
		                      .uid = NOBODY,
		                      .gid = NOBODY };
	struct sandbox_report report = { 0 };
	struct err e = { 0 };
	struct record r = { .type = RECORD_SANDBOX };
	int rc;

	sandbox_early(&report);
	rc = sandbox_enter(&so, &report, &e);
	for (size_t i = 0; i < report.n && i < WIRE_TEXTS; i++)
		r.text[i] = report.missing[i];
	if (report.n > 0)
		w->gone = wire_send_record(w->sock, &r) != 0;
	return rc == ERR_OK ? 0 : -1;
}

static void run_job(struct work *w, const struct job *j, uint64_t cpu_s)
{
	struct record done = { .type = RECORD_DONE };

	allow_cpu(cpu_s);
	w->job = j;
	w->source = j->source;
	w->layer = j->layer;
	w->budget = (struct work_budget){ 0 };
	atomic_store(&w->status->item, 0);
	atomic_store(&w->status->job, j->id);
	source_run(w, j);
	done.number[0] = w->bytes;
	done.number[1] = w->blobs;
	done.number[2] = w->filtered;
	w->bytes = w->blobs = w->filtered = 0;
	work_send(w, &done);
}

_Noreturn void worker_main(const struct worker_options *o)
{
	struct work w = { .sock = SOCK, .status = o->status, .limits = o->limits };
	struct job *j = NULL;
	struct err e;

	memcpy(w.hash_key, o->hash_key, sizeof(w.hash_key));
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "vault-scan");
	(void)signal(SIGINT, SIG_IGN); /* the main process decides */
	w.buffer = mmap(NULL, WORK_BUFFER, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (o->held != NULL)
		w.held = held_map(o->held, &w.held_n);
	w.match = emit_stream_new(o->engine, o->options, &w);
	if (w.buffer == MAP_FAILED || (o->held != NULL && w.held == NULL) ||
	    w.match == NULL || close_inherited(o->sock) != 0 || set_limits(o) != 0 ||
	    enter_sandbox(o, &w) != 0)
		_exit(2);
	while (!w.gone && wire_recv_job(SOCK, &j, &e) == ERR_OK) {
		run_job(&w, j, o->cpu_s);
		job_free(j);
	}
	_exit(0);
}
