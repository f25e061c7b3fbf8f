/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault-sim --seeds N [--first S] [--only model|farm] [--trace] [--mutants | --mutant M]:
 * run N seeds, each in a process of its own.
 * A failing seed is printed with what it found; the same seed fails the same way again.
 * --mutants: every deliberate fault must be found, by an oracle that names what it does;
 * --mutant: run the seeds with one of them.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "farm.h"
#include "keymem.h"
#include "log.h"
#include "sim.h"

#define OPS       220
#define CRASHES   3
#define STEPS_MAX 6000
#define FAILED    3

bool sim_trace;
static enum sim_worlds worlds;

static void pass_time(struct world *w)
{
	int64_t ms = rnd(w, 20) == 0 ? 1 + (int64_t)rnd(w, 8000) : (int64_t)rnd(w, 300);

	w->boot += ms;
	w->wall += ms;
	if (rnd(w, 60) == 0) /* the wall clock is set */
		w->wall += (int64_t)rnd(w, 20000) - 10000;
	crashvfs_set_ms(w->disk, w->wall);
	for (int i = 0; i < TOKENS; i++) {
		struct m_token *t = &w->m.token[i];

		if (t->expires_wall != 0 &&
		    (w->wall >= t->expires_wall || w->boot >= t->expires_boot))
			t->maybe = true;
	}
	for (int i = 0; i < WRAPS; i++)
		if (w->wall >= w->m.wrap[i].expires_wall)
			w->m.wrap[i].maybe = true;
}

static void one_step(struct world *w)
{
	int n = 1 + (int)rnd(w, 6);

	for (int i = 0; i < n; i++) {
		int actor = (int)rnd(w, ACTORS);

		if (w->call[actor].busy)
			continue;
		if (actor < CLIENTS)
			client_act(w, actor);
		else
			agent_act(w, actor - CLIENTS);
	}
	w->disk_full = rnd(w, 30) == 0;
	if (w->disk_full)
		crashvfs_fail(w->disk, CRASHVFS_WRITE, 1 + (long)rnd(w, 4),
		              CRASHVFS_ENOSPC, false);
	if (!world_batch(w))
		world_recover(w);
	crashvfs_fail(w->disk, CRASHVFS_ANY, 0, CRASHVFS_ENOSPC, false);
	w->disk_full = false;
	pass_time(w);
}

static void plan_crash(struct world *w, int *next_op)
{
	if (w->ops < *next_op || w->crashes >= CRASHES)
		return;
	crashvfs_crash_at(w->disk, crashvfs_events(w->disk) + 1 + (long)rnd(w, 40));
	*next_op = OPS; /* until it has happened */
}

static void run_world(struct world *w)
{
	int next_crash = 20 + (int)rnd(w, 40), crashes = 0;
	char why[160];

	for (int step = 0; step < STEPS_MAX && w->failure[0] == '\0'; step++) {
		if (w->ops >= OPS && w->crashes >= CRASHES)
			break;
		plan_crash(w, &next_crash);
		one_step(w);
		if (w->crashes > crashes) {
			crashes = w->crashes;
			next_crash = w->ops + (int)rnd(w, OPS / CRASHES);
		}
	}
	if (w->failure[0] == '\0' && (w->ops < OPS || w->crashes < CRASHES))
		fail(w, "only %d operations and %d crashes", w->ops, w->crashes);
	crashvfs_crash_at(w->disk, -1);
	/* what is still parked is not part of the comparison: KV requests never park */
	if (w->failure[0] == '\0' && !oracle_state(w, &w->m, why, sizeof(why)))
		fail(w, "at the end: %s", why);
	if (w->failure[0] == '\0')
		oracle_audit(w);
}

static void run_model(struct world *w, uint64_t seed)
{
	world_start(w, seed);
	if (w->failure[0] == '\0')
		run_world(w);
	world_stop(w);
}

/* Two worlds: requests that a model judges, and rotations. */
static struct world *run_worlds(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (worlds != SIM_FARM)
		run_model(w, seed);
	if (w->failure[0] == '\0' && worlds != SIM_MODEL) {
		memset(w, 0, sizeof(*w));
		farm_run(w, seed);
	}
	return w;
}

/* In a child: 0, or FAILED with the reason on ${out}. */
static int run_seed(uint64_t seed, int out)
{
	struct world *w;
	struct err e;
	int status = 0;

	if (keymem_init(true, &e) != ERR_OK || (w = run_worlds(seed)) == NULL)
		return 1;
	if (w->failure[0] != '\0') {
		status = FAILED;
		if (write(out, w->failure, strlen(w->failure)) < 0)
			status = 1;
	}
	free(w);
	return status;
}

struct job {
	pid_t pid;
	uint64_t seed;
	int from;
	char text[700]; /* what it has found, when it has ended */
};

static void start_job(struct job *j, uint64_t seed)
{
	int fds[2];

	if (pipe(fds) != 0)
		abort();
	fflush(stdout);
	j->seed = seed;
	j->from = fds[0];
	j->pid = fork();
	if (j->pid == 0) {
		close(fds[0]);
		_exit(run_seed(seed, fds[1]));
	}
	close(fds[1]);
}

/* True if the seed was clean; else j->text says what it found. */
static bool end_job(struct job *j)
{
	size_t n = 0;
	ssize_t got;
	int status;

	while ((got = read(j->from, j->text + n, sizeof(j->text) - 1 - n)) > 0)
		n += (size_t)got;
	j->text[n] = '\0';
	close(j->from);
	waitpid(j->pid, &status, 0);
	j->pid = 0;
	if (WIFSIGNALED(status))
		snprintf(j->text, sizeof(j->text), "killed by signal %d",
		         WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

uint64_t sim_seeds(enum sim_worlds in, uint64_t first, uint64_t n, sim_found_fn found,
                   void *ctx)
{
	struct job jobs[2] = { 0 };
	uint64_t failed = 0, at = 0;
	bool enough = false;

	worlds = in;
	while ((at < n && !enough) || jobs[0].pid != 0 || jobs[1].pid != 0) {
		for (int i = 0; i < 2; i++) {
			if (jobs[i].pid != 0 && !end_job(&jobs[i])) {
				failed++;
				enough = !found(ctx, jobs[i].seed, jobs[i].text) ||
				         enough;
			}
			if (at < n && !enough)
				start_job(&jobs[i], first + at++);
		}
	}
	return failed;
}

static bool tell(void *ctx, uint64_t seed, const char *text)
{
	(void)ctx;
	printf("seed %llu: %s\n", (unsigned long long)seed, text);
	return true;
}

static uint64_t number(const char *s, const char *what)
{
	char *end;
	unsigned long long n = s != NULL ? strtoull(s, &end, 10) : 0;

	if (s == NULL || *end != '\0' || end == s) {
		fprintf(stderr, "vault-sim: %s needs a number\n", what);
		exit(2);
	}
	return n;
}

static enum sim_worlds which(const char *name)
{
	if (name != NULL && strcmp(name, "model") == 0)
		return SIM_MODEL;
	if (name != NULL && strcmp(name, "farm") == 0)
		return SIM_FARM;
	fprintf(stderr, "vault-sim: --only model or farm\n");
	exit(2);
}

int main(int argc, char **argv)
{
	uint64_t seeds = 50, first = 1, failed;
	enum sim_worlds in = SIM_BOTH;
	bool mutants = false;
	uint64_t mutant = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0) {
			i++;
			seeds = number(argv[i], "--seeds");
		} else if (strcmp(argv[i], "--first") == 0) {
			i++;
			first = number(argv[i], "--first");
		} else if (strcmp(argv[i], "--only") == 0) {
			i++;
			in = which(argv[i]);
		} else if (strcmp(argv[i], "--trace") == 0) {
			sim_trace = true;
		} else if (strcmp(argv[i], "--mutants") == 0) {
			mutants = true;
		} else if (strcmp(argv[i], "--mutant") == 0) {
			i++;
			mutant = number(argv[i], "--mutant");
		} else {
			fprintf(stderr, "usage: vault-sim [--seeds N] [--first S] "
			                "[--only model|farm] [--trace] "
			                "[--mutants | --mutant M]\n");
			return 2;
		}
	}
	if (sodium_init() < 0)
		return 1;
	log_init("sim", false);
	(void)log_set_level("error");
	if (mutants)
		return mutants_run(first);
	if (mutant != 0 && !mutants_set(mutant))
		return 2;
	failed = sim_seeds(in, first, seeds, tell, NULL);
	printf("%llu passed, %llu failed\n", (unsigned long long)(seeds - failed),
	       (unsigned long long)failed);
	return failed > 0;
}
