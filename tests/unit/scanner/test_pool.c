/* SPDX-License-Identifier: Apache-2.0 */
/* pool: what a worker has said counts, however it ends. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/pool_impl.h"
#include "worker/worker.h"

TestSuite(pool, .timeout = 20);

/* In place of the scanner's: reads one job, says one thing about it, and ends. */
_Noreturn void worker_main(const struct worker_options *o)
{
	struct record said = { .type = RECORD_SKIPPED }, done = { .type = RECORD_DONE };
	struct job *j = NULL;
	struct err e;
	char c;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (wire_recv_job(o->sock, &j, &e) != ERR_OK)
		_exit(0);
	atomic_store(&o->status->job, j->id);
	said.job = done.job = j->id;
	while (read(j->fd[0], &c, 1) > 0)
		;
	_exit(wire_send_record(o->sock, &said) != 0 ||
	      wire_send_record(o->sock, &done) != 0);
}

struct told {
	unsigned said, lost, done;
};

static void on_record(void *ctx, struct job *j, const struct record *r)
{
	struct told *t = ctx;

	(void)j;
	t->said += r->type == RECORD_SKIPPED;
}

static void on_lost(void *ctx, struct job *j, unsigned item, const char *where,
                    const char *why)
{
	struct told *t = ctx;

	(void)j;
	(void)item;
	(void)where;
	(void)why;
	t->lost++;
}

static void on_done(void *ctx, struct job *j)
{
	struct told *t = ctx;

	(void)j;
	t->done++;
}

static struct job *one_file(int fd)
{
	struct job *j = job_new(FORMAT_FILE, CHANNEL_FILE, NULL, NULL);

	cr_assert(job_add(j, fd, "x"));
	return j;
}

Test(pool, what_a_dead_worker_has_sent_is_read_before_it_is_replaced)
{
	const struct pool_events events = { on_record, on_lost, on_done };
	struct told t = { 0 };
	struct err e = { 0 };
	struct pool *p = pool_new(&(struct pool_options){ .workers = 1 }, &events, &t,
	                          &e);
	siginfo_t ended;
	int ends[2];

	cr_assert_not_null(p, "%s", e.msg);
	cr_assert_eq(pipe(ends), 0);
	pool_add(p, one_file(ends[0]));
	pool_turn(p);
	close(ends[1]); /* only now it can end */
	cr_assert_eq(waitid(P_PID, (id_t)p->worker[0].pid, &ended, WEXITED | WNOWAIT), 0);
	/* It cannot be sent. */
	pool_add(p, one_file(open("/dev/null", O_RDONLY | O_CLOEXEC)));
	cr_assert_eq(pool_drain(p, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(t.lost, 0, "what it had done counts as lost");
	cr_assert_eq(t.said, 2);
	cr_assert_eq(t.done, 2);
	pool_free(p);
}
