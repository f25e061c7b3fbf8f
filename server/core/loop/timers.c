/* SPDX-License-Identifier: Apache-2.0 */
/* timers - what is due without being asked for. */
#include "batch_impl.h"

#include "arena.h"
#include "audit.h"
#include "db.h"
#include "jobs.h"
#include "log.h"
#include "metrics.h"
#include "pwhash.h"
#include "rotation_state.h"
#include "step.h"
#include "store.h"
#include "vault/limits.h"

/* Pages of the write-ahead log.  Who asks while it is moved into the file waits for that:
 * small pieces, when nobody seems to, are not felt. */
#define LOG_PAGES_IDLE 64
#define LOG_PAGES_BUSY 250

/* Each of these runs in a savepoint of its own: one that cannot be dealt with holds up no
 * other.  *failed: it was rolled back, and ${e} says why. */
static int run_apart(struct core *c, int (*fn)(struct core *c, void *arg, struct err *e),
                     void *arg, bool *failed, struct err *e)
{
	struct mark m = mark_now(c->batch);
	int rc;

	if ((rc = db_savepoint(c->db, e)) != ERR_OK)
		return rc;
	savepoint_mark(c);
	rc = fn(c, arg, e);
	if (rc == ERR_OK)
		return db_release(c->db, e);
	if (is_fatal(rc))
		return rc;
	*failed = true;
	log_error("an event failed", LOG_S("class", errclasses[rc].wire),
	          LOG_S("cause", e->msg));
	if ((rc = savepoint_back(c, &m, e)) != ERR_OK)
		return rc;
	return db_release(c->db, e);
}

void run_clock(struct core *c)
{
	if (c->keys != NULL && rotation_clock_moved(c))
		rotation_watch_clock(c);
}

static int timer_step(struct core *c, void *arg, struct err *e)
{
	return jobs_step(c, *(const int *)arg, e);
}

static int64_t max0(int64_t v)
{
	return v > 0 ? v : 0;
}

/* What cannot be done now is done a second later. */
int run_timers(struct core *c, struct err *e)
{
	bool failed = false;
	int64_t first;
	int steps = jobs_begin(c, &first), rc;

	if (first != 0)
		metrics_timers(c, max0(c->now_ms - first));

	for (int i = 0; i < steps; i++)
		if ((rc = run_apart(c, timer_step, &i, &failed, e)) != ERR_OK)
			return rc;
	if (!failed)
		jobs_end(c, first);
	return ERR_OK;
}

static int deliver(struct core *c, void *arg, struct err *e)
{
	return steps_deliver(c, arg, e);
}

int run_steps(struct core *c, struct err *e)
{
	struct step *s;
	int rc;

	while ((s = steps_take(c)) != NULL) {
		bool failed = false;

		if ((rc = run_apart(c, deliver, s, &failed, e)) != ERR_OK)
			return rc;
		if (failed)
			steps_failed(c, s);
	}
	return ERR_OK;
}

bool timers_due(struct core *c)
{
	int64_t next = c->keys != NULL ? jobs_next_ms(c) : 0;

	if (c->keys != NULL && rotation_clock_stepped(c))
		return true;
	return next != 0 && next <= clock_wall(c->clock);
}

bool aggregates_due(struct core *c)
{
	int64_t next = audit_next_ms(c);

	return next != 0 && next <= clock_wall(c->clock);
}

bool log_is_long(const struct core *c, bool asked)
{
	return db_log_pages(c->db) >= (asked ? LOG_PAGES_BUSY : LOG_PAGES_IDLE);
}

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

int64_t core_wait_ms(struct core *c)
{
	int64_t wall = clock_wall(c->clock), wait = -1, at;

	if (c->batch->items > 0 || waits_ready(c->waits) || pwhash_done(c) ||
	    log_is_long(c, false) || (c->keys != NULL && rotation_clock_stepped(c)))
		return 0;
	if ((at = waits_next_ms(c->waits)) >= 0)
		wait = sooner(wait, max0(at - clock_boot(c->clock)));
	if ((at = steps_next_ms(c)) >= 0)
		wait = sooner(wait, max0(at - clock_boot(c->clock)));
	if (c->keys != NULL && (at = jobs_next_ms(c)) != 0)
		wait = sooner(wait, max0(at - wall));
	if ((at = audit_next_ms(c)) != 0)
		wait = sooner(wait, max0(at - wall));
	return wait;
}
