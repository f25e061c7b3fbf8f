/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "batch_impl.h"
#include "cert_trust.h"
#include "db.h"
#include "dispatch.h"
#include "jobs.h"
#include "log.h"
#include "metrics.h"
#include "mutant.h"
#include "pwhash.h"
#include "rotation_state.h"
#include "step.h"
#include "store.h"
#include "sys_state.h"
#include "vault/limits.h"

int batch_open(struct core *c, struct err *e)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	queue_open(b);
	b->done_last = &b->done;
	c->batch = b;
	return ERR_OK;
}

void batch_close(struct core *c)
{
	struct batch *b = c->batch;

	if (b == NULL)
		return;
	queue_close(b);
	free(b->undo.at);
	free(b->after.at);
	free(b->wakes.at);
	free(b);
	c->batch = NULL;
}

static void done_add(struct batch *b, struct item *it)
{
	it->next = NULL;
	*b->done_last = it;
	b->done_last = &it->next;
}

static int run_items(struct core *c, struct err *e)
{
	struct batch *b = c->batch;
	int64_t until = clock_boot(c->clock) + LIMIT_BATCH_US / 1000;
	size_t n = 0, bytes = 0;
	struct item *it;
	int rc;

	while (n < LIMIT_BATCH_REQUESTS && bytes < LIMIT_BATCH_BYTES &&
	       (it = next_item(c)) != NULL) {
		done_add(b, it);
		rc = run_one(it, e);
		it->parked = rc == REQ_PARKED;
		if (rc != ERR_OK && rc != REQ_PARKED)
			return rc;
		if (it->r.op != OP_READ && !op_lists(it->r.op))
			b->writes = true;
		n = ++b->ran;
		bytes += it->n + arena_used(it->r.a);
		/* one listing may take as long as a hundred reads */
		if (clock_boot(c->clock) >= until)
			break;
	}
	return ERR_OK;
}

static void answer_small(struct core *c, uint64_t peer, uint64_t id,
                         const char *request_id)
{
	AUTO_ARENA a = arena_new(4096);
	struct req r = { .core = c, .a = a };
	struct value *out;

	if (a == NULL)
		return;
	memcpy(r.request_id, request_id, sizeof(r.request_id));
	reply_errors(&r, 503, "out of memory", NULL);
	out = dispatch_reply(&r);
	if (out != NULL)
		c->opt.reply(c->opt.ctx, peer, id, out);
}

static void answer(struct core *c, struct item *it)
{
	struct value *out = arena_failed(it->r.a) ? NULL : dispatch_reply(&it->r);

	if (out != NULL)
		c->opt.reply(c->opt.ctx, it->peer, it->id, out);
	else
		answer_small(c, it->peer, it->id, it->r.request_id);
}

static void park_or_answer(struct core *c, struct item *it)
{
	if (it->parked) {
		dispatch_shrink(&it->r);
		it->payload = NULL;
	}
	if (it->parked && waits_park(c->waits, &it->wait) == ERR_OK) {
		arena_free(it->run);
		it->run = NULL;
		return;
	}
	if (it->parked) {
		it->parked = false;
		reply_errors(&it->r, 503, "out of memory", NULL);
	}
	answer(c, it);
	item_free(it);
}

static void push_state(struct core *c)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	struct value *state = a != NULL ? value_object(a) : NULL;

	c->batch->push_state = false;
	if (state == NULL)
		return;
	sys_state(c, a, state);
	c->opt.state(c->opt.ctx, state);
}

void core_push_state(struct core *c)
{
	if (c->batch->running)
		c->batch->push_state = true;
	else
		push_state(c);
}

static void answer_all(struct core *c)
{
	struct batch *b = c->batch;
	struct item *it = b->done;

	b->done = NULL;
	b->done_last = &b->done;
	while (it != NULL) {
		struct item *next = it->next;

		park_or_answer(c, it);
		it = next;
	}
}

static void finish_ok(struct core *c)
{
	struct batch *b = c->batch;
	struct hooks after = b->after;

	b->undo.n = 0;
	b->after = (struct hooks){ 0 };
	b->running = false;
	cert_trust_tell(c);
	answer_all(c);
	for (size_t i = 0; i < b->wakes.n; i++)
		waits_wake(c->waits, b->wakes.at[i].kind, b->wakes.at[i].key);
	b->wakes.n = 0;
	for (size_t i = 0; i < after.n; i++)
		after.at[i].fn(after.at[i].arg);
	after.n = 0;
	b->after = after;
	if (b->push_state)
		push_state(c);
	if (b->writes)
		jobs_dirty(c);
}

/* Nothing of the batch happened: everyone is told so. */
static void finish_failed(struct core *c, const struct err *why)
{
	struct batch *b = c->batch;

	b->running = false;
	for (struct item *it = b->done; it != NULL; it = it->next) {
		it->parked = false;
		reply_errors(&it->r, errclasses[why->code].http_status,
		             why->code == ERR_FULL
		                     ? "storage is full: nothing was changed"
		                     : "storage failed: nothing was changed",
		             NULL);
		it->r.retry_after = 1;
	}
	answer_all(c);
}

static int begin(struct core *c, struct err *e)
{
	struct batch *b = c->batch;
	int rc;

	c->now_ms = clock_wall(c->clock);
	c->boot_ms = clock_boot(c->clock);
	c->rev_before = -1;
	if ((rc = db_begin(c->db, e)) != ERR_OK)
		return rc;
	b->running = true;
	b->writes = false;
	b->ran = 0;
	b->oom = false;
	audit_batch_begin(c);
	store_state_batch_begin(c);
	return ERR_OK;
}

static int commit_all(struct core *c, struct err *e)
{
	int rc;

	if (c->batch->oom)
		return err_set(e, ERR_NOMEM, "out of memory in the batch");
	if ((rc = rotation_flush(c, e)) != ERR_OK ||
	    (rc = store_state_flush(c, e)) != ERR_OK ||
	    (rc = audit_flush(c, e)) != ERR_OK)
		return rc;
	return db_commit(c->db, e);
}

static int commit(struct core *c, struct err *e)
{
	int64_t began = clock_boot(c->clock);
	int rc = commit_all(c, e);

	metrics_batch(c, c->batch->ran, clock_boot(c->clock) - began, rc == ERR_OK);
	return rc;
}

static void abort_batch(struct core *c)
{
	const struct mark start = { 0 };

	rewind_to(c, &start);
	audit_batch_abort(c);
	store_state_batch_abort(c);
	db_rollback(c->db);
}

int batch_alone(struct core *c, int (*fn)(struct core *c, void *arg, struct err *e),
                void *arg, struct err *e)
{
	int rc;

	if ((rc = begin(c, e)) != ERR_OK)
		return rc;
	savepoint_mark(c);
	if ((rc = fn(c, arg, e)) == ERR_OK && (rc = commit(c, e)) == ERR_OK) {
		c->batch->writes = true;
		finish_ok(c);
		return ERR_OK;
	}
	abort_batch(c);
	c->batch->running = false;
	return rc;
}

static int run_what_was_asked(struct core *c, struct err *e)
{
	int rc;

	if (steps_due(c)) {
		c->batch->writes = true;
		if ((rc = run_steps(c, e)) != ERR_OK)
			return rc;
	}
	return run_items(c, e);
}

static int run_batch(struct core *c, bool timers, struct err *e)
{
	int rc;

	if ((rc = begin(c, e)) != ERR_OK)
		return rc;
	c->batch->writes = timers;
	run_clock(c);
	rc = timers ? run_timers(c, e) : run_what_was_asked(c, e);
	if (rc == ERR_OK && MUTANT(MUTANT_EARLY_REPLY))
		answer_all(c);
	if (rc == ERR_OK)
		rc = commit(c, e);
	if (rc == ERR_OK) {
		finish_ok(c);
		return ERR_OK;
	}
	abort_batch(c);
	if (rc != ERR_FULL && rc != ERR_NOMEM && rc != ERR_BUSY)
		return rc;
	log_error("batch refused", LOG_S("class", errclasses[rc].wire),
	          LOG_S("cause", e->msg));
	finish_failed(c, e);
	return ERR_OK;
}

static void send_replies(struct core *c)
{
	if (c->opt.flush != NULL)
		c->opt.flush(c->opt.ctx);
}

/* Timers have a transaction of their own, behind the replies, and so has the log: who
 * asks waits at most for the one of them that was at work when the request came. */
int core_run_batch(struct core *c, struct err *e)
{
	bool asked, tidy, due = timers_due(c);
	int rc;

	pwhash_wake(c);
	waits_expire(c->waits, clock_boot(c->clock));
	asked = c->batch->items > 0 || waits_ready(c->waits) || steps_due(c);
	if (asked && (rc = run_batch(c, false, e)) != ERR_OK)
		return rc;
	tidy = log_is_long(c, asked);
	if (asked && (tidy || due))
		send_replies(c);
	if (tidy) {
		db_tidy(c->db);
		return ERR_OK;
	}
	if (due && c->keys != NULL)
		return run_batch(c, true, e);
	return !asked && aggregates_due(c) ? run_batch(c, false, e) : ERR_OK;
}
