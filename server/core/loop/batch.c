/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <string.h>

#include "audit.h"
#include "db.h"
#include "dispatch.h"
#include "jobs.h"
#include "log.h"
#include "mutant.h"
#include "rng.h"
#include "store.h"
#include "sys_state.h"
#include "vault/limits.h"
#include "wait.h"

#define QUEUE_BYTES (64u * 1024 * 1024)
#define QUEUE_ITEMS 65536u

/* One request on its way: lives in its own arena until the reply is handed out. */
struct item {
	struct req r;
	struct wait_entry wait;
	uint64_t peer, id;
	const void *payload;
	size_t n;
	struct value *out;
	bool parked;
	struct arena *run; /* of a run after a wait: what the next one reads anew */
	struct item *next;
};

struct hook {
	void (*fn)(void *arg);
	void *arg;
};

struct hooks {
	struct hook *at;
	size_t n, cap;
};

struct wake {
	enum wait_kind kind;
	unsigned char key[16];
};

struct wakes {
	struct wake *at;
	size_t n, cap;
};

struct batch {
	struct item *first, **last; /* queue */
	size_t items, bytes;
	struct item *done, **done_last; /* of the batch that runs now */
	struct hooks undo, after;
	struct wakes wakes;
	bool running, push_state, writes;
	bool oom; /* a hook could not be remembered: the batch may not commit */
};

/* Where the lists stood when a savepoint was opened. */
struct mark {
	size_t undo, after, wakes;
	bool push_state;
};

int batch_open(struct core *c, struct err *e)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	b->last = &b->first;
	b->done_last = &b->done;
	c->batch = b;
	return ERR_OK;
}

static void item_free(struct item *it)
{
	struct arena *a = it->r.a;

	arena_free(it->run);
	arena_free(a); /* the item lives in it */
}

static void drop_req(struct req *r)
{
	item_free((struct item *)(void *)r);
}

void batch_close(struct core *c)
{
	struct batch *b = c->batch;

	if (b == NULL)
		return;
	while (b->first != NULL) {
		struct item *it = b->first;

		b->first = it->next;
		item_free(it);
	}
	free(b->undo.at);
	free(b->after.at);
	free(b->wakes.at);
	free(b);
	c->batch = NULL;
}

bool batch_in_transaction(const struct core *c)
{
	return c->batch->running;
}

static void hooks_add(struct batch *b, struct hooks *h, void (*fn)(void *), void *arg)
{
	if (h->n == h->cap) {
		size_t cap = h->cap > 0 ? h->cap * 2 : 32;
		struct hook *at = realloc(h->at, cap * sizeof(*at));

		if (at == NULL) {
			b->oom = true;
			return;
		}
		h->at = at;
		h->cap = cap;
	}
	h->at[h->n++] = (struct hook){ fn, arg };
}

void core_undo(struct core *c, void (*fn)(void *arg), void *arg)
{
	if (c->batch->running)
		hooks_add(c->batch, &c->batch->undo, fn, arg);
}

void core_after_commit(struct core *c, void (*fn)(void *arg), void *arg)
{
	if (c->batch->running)
		hooks_add(c->batch, &c->batch->after, fn, arg);
	else
		fn(arg);
}

void core_wake(struct core *c, enum wait_kind kind, const unsigned char key[16])
{
	struct wakes *w = &c->batch->wakes;

	if (!c->batch->running) {
		waits_wake(c->waits, kind, key);
		return;
	}
	if (w->n == w->cap) {
		size_t cap = w->cap > 0 ? w->cap * 2 : 64;
		struct wake *at = realloc(w->at, cap * sizeof(*at));

		if (at == NULL) {
			c->batch->oom = true;
			return;
		}
		w->at = at;
		w->cap = cap;
	}
	w->at[w->n].kind = kind;
	memcpy(w->at[w->n++].key, key, 16);
}

int core_submit(struct core *c, uint64_t peer, uint64_t id, const void *payload, size_t n)
{
	struct batch *b = c->batch;
	struct arena *a;
	struct item *it;

	if (b->items >= QUEUE_ITEMS || b->bytes + n > QUEUE_BYTES)
		return ERR_BUSY;
	a = arena_new(LIMIT_REQUEST_ARENA);
	if (a == NULL)
		return ERR_NOMEM;
	it = arena_alloc(a, sizeof(*it));
	if (it == NULL || (it->payload = arena_dup(a, payload, n)) == NULL) {
		arena_free(a);
		return ERR_NOMEM;
	}
	it->n = n;
	it->peer = peer;
	it->id = id;
	it->r.core = c;
	it->r.a = a;
	it->wait.req = &it->r;
	*b->last = it;
	b->last = &it->next;
	b->items++;
	b->bytes += n;
	return ERR_OK;
}

static struct item *queue_pop(struct batch *b)
{
	struct item *it = b->first;

	if (it == NULL)
		return NULL;
	b->first = it->next;
	if (b->first == NULL)
		b->last = &b->first;
	it->next = NULL;
	b->items--;
	b->bytes -= it->n;
	return it;
}

/* Remove from the queue what ${id} (or, with all set, the whole peer) has left there. */
static void queue_drop(struct batch *b, uint64_t peer, uint64_t id, bool all)
{
	struct item **at = &b->first;

	while (*at != NULL) {
		struct item *it = *at;

		if (it->peer == peer && (all || it->id == id)) {
			*at = it->next;
			b->items--;
			b->bytes -= it->n;
			item_free(it);
		} else {
			at = &it->next;
		}
	}
	b->last = at;
}

void core_cancel(struct core *c, uint64_t peer, uint64_t id)
{
	struct req *r = waits_cancel(c->waits, peer, id);

	if (r != NULL)
		drop_req(r);
	else
		queue_drop(c->batch, peer, id, false);
}

void core_drop_peer(struct core *c, uint64_t peer)
{
	struct req *r;

	while ((r = waits_cancel_peer(c->waits, peer)) != NULL)
		drop_req(r);
	queue_drop(c->batch, peer, 0, true);
}

static void rewind_to(struct core *c, const struct mark *m)
{
	struct batch *b = c->batch;

	while (b->undo.n > m->undo) {
		struct hook *h = &b->undo.at[--b->undo.n];

		if (!MUTANT(MUTANT_STALE_MIRROR))
			h->fn(h->arg);
	}
	b->after.n = m->after;
	b->wakes.n = m->wakes;
	b->push_state = m->push_state;
}

static struct mark mark_now(const struct batch *b)
{
	return (struct mark){ b->undo.n, b->after.n, b->wakes.n, b->push_state };
}

static const char *outcome_of(const struct req *r, int rc)
{
	if (rc == ERR_DENIED || r->status == 403 || r->status == 401)
		return "denied";
	return rc != ERR_OK || r->status >= 400 ? "error" : "ok";
}

static const char *actor_type(const struct req *r)
{
	switch (r->id.type) {
	case IDENT_HOST:
		return "host";
	case IDENT_SERVICE:
		return "token";
	default:
		return "none";
	}
}

static int append_record(struct req *r, int rc, struct err *e)
{
	const struct audit_record rec = {
		.request_id = r->request_id,
		.actor_type = actor_type(r),
		.actor = r->id.display_name != NULL ? r->id.display_name : "",
		.accessor = r->id.accessor,
		.remote = r->remote != NULL ? r->remote : "",
		.operation = r->method != 0 ? op_name(r->op) : "malformed",
		.path = r->path,
		.outcome = outcome_of(r, rc),
		.status = r->status,
		.error = rc > 0 && rc < ERR__MAX ? errclasses[rc].wire : "",
		.note = rc == ERR_OK ? r->note : NULL,
	};

	if (MUTANT(MUTANT_READ_UNAUDITED) && r->op == OP_READ)
		return ERR_OK;
	if (MUTANT(MUTANT_AUDIT_TWICE) && r->op == OP_UPDATE &&
	    audit_append(r->core, &rec, e) != ERR_OK)
		return (int)e->code;
	return audit_append(r->core, &rec, e);
}

/* Is this an error of the storage below, after which the transaction itself is lost? */
static bool is_fatal(int rc)
{
	return rc == ERR_FULL || rc == ERR_UNKNOWN;
}

static void reset_outputs(struct req *r)
{
	r->reply = NULL;
	r->reply_kind = IPC_K_EMPTY;
	r->status = 0;
	r->retry_after = 0;
	r->note = NULL;
	r->e.code = ERR_OK;
	r->e.msg[0] = '\0';
	memset(&r->id, 0, sizeof(r->id));
}

static void savepoint_mark(struct core *c)
{
	audit_mark(c);
	store_state_mark(c);
}

static int savepoint_back(struct core *c, const struct mark *m, struct err *e)
{
	rewind_to(c, m);
	audit_rewind(c);
	store_state_rewind(c);
	return db_rollback_to(c->db, e);
}

/* The handler, in its savepoint, with the record of what it did. */
static int act_and_record(struct req *r, struct err *e)
{
	struct core *c = r->core;
	struct mark m = mark_now(c->batch);
	int rc, arc;

	if ((rc = db_savepoint(c->db, e)) != ERR_OK)
		return rc;
	savepoint_mark(c);
	rc = dispatch_act(r);
	if (rc == REQ_PARKED)
		return db_release(c->db, e) == ERR_OK ? REQ_PARKED : (int)e->code;
	if (rc == ERR_OK) {
		dispatch_finish(r, ERR_OK);
		if ((arc = append_record(r, ERR_OK, &r->e)) == ERR_OK)
			return db_release(c->db, e);
		rc = arc;
	}
	if (is_fatal(rc)) {
		*e = r->e;
		return rc;
	}
	if ((arc = savepoint_back(c, &m, e)) != ERR_OK ||
	    (arc = db_release(c->db, e)) != ERR_OK)
		return arc;
	r->note = NULL;
	dispatch_finish(r, rc);
	return append_record(r, rc, e);
}

/* However often a request is run, it takes no more memory for being admitted. */
static int admit(struct item *it)
{
	struct req *r = &it->r;
	struct arena *own = r->a;
	int rc;

	if (r->resumed == 0)
		return dispatch_admit(r);
	it->run = arena_new(LIMIT_REQUEST_ARENA);
	if (it->run == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	r->a = it->run;
	rc = dispatch_admit(r);
	r->a = own;
	return rc == ERR_OK && arena_failed(it->run)
	               ? req_fail(r, ERR_NOMEM, "out of memory")
	               : rc;
}

/* ERR_OK: answered (r->reply is set); REQ_PARKED; anything else ends the batch. */
static int run_one(struct item *it, struct err *e)
{
	struct req *r = &it->r;
	int rc = ERR_OK;

	reset_outputs(r);
	if (r->resumed == 0) {
		rng_uuid4(r->request_id);
		r->first_ms = r->core->boot_ms;
		rc = dispatch_decode(r, it->payload, it->n);
	}
	if (rc == ERR_OK)
		rc = admit(it);
	if (rc == ERR_OK)
		return act_and_record(r, e);
	if (is_fatal(rc)) {
		*e = r->e;
		return rc;
	}
	dispatch_finish(r, rc);
	return append_record(r, rc, e);
}

int req_park(struct req *r, enum wait_kind kind, const unsigned char key[16],
             int64_t deadline_ms)
{
	struct item *it = (struct item *)(void *)r;

	it->wait.kind = kind;
	memcpy(it->wait.key, key, 16);
	it->wait.deadline_ms = deadline_ms;
	it->wait.peer = it->peer;
	it->wait.id = it->id;
	return REQ_PARKED;
}

static struct item *next_item(struct core *c)
{
	struct req *r = waits_take(c->waits);

	if (r != NULL) {
		r->resumed++;
		return (struct item *)(void *)r;
	}
	return queue_pop(c->batch);
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
		if (it->r.op != OP_READ && it->r.op != OP_LIST)
			b->writes = true;
		n++;
		bytes += it->n + arena_used(it->r.a);
		if (n % 16 == 0 && clock_boot(c->clock) >= until)
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
	if ((rc = db_begin(c->db, e)) != ERR_OK)
		return rc;
	b->running = true;
	b->writes = false;
	b->oom = false;
	audit_batch_begin(c);
	store_state_batch_begin(c);
	return ERR_OK;
}

static int commit(struct core *c, struct err *e)
{
	int rc;

	if (c->batch->oom)
		return err_set(e, ERR_NOMEM, "out of memory in the batch");
	if ((rc = store_state_flush(c, e)) != ERR_OK ||
	    (rc = audit_flush(c, e)) != ERR_OK)
		return rc;
	return db_commit(c->db, e);
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

/* Each kind of timer runs in a savepoint of its own: one row that cannot be dealt with
 * holds up no other kind. */
static int run_timer(struct core *c, int step, bool *failed, struct err *e)
{
	struct mark m = mark_now(c->batch);
	int rc;

	if ((rc = db_savepoint(c->db, e)) != ERR_OK)
		return rc;
	savepoint_mark(c);
	rc = jobs_step(c, step, e);
	if (rc == ERR_OK)
		return db_release(c->db, e);
	if (is_fatal(rc))
		return rc;
	*failed = true;
	log_error("timer failed", LOG_S("class", errclasses[rc].wire),
	          LOG_S("cause", e->msg));
	if ((rc = savepoint_back(c, &m, e)) != ERR_OK)
		return rc;
	return db_release(c->db, e);
}

/* What cannot be done now is done a second later. */
static int run_timers(struct core *c, struct err *e)
{
	bool failed = false;
	int64_t first;
	int steps = jobs_begin(c, &first), rc;

	for (int i = 0; i < steps; i++)
		if ((rc = run_timer(c, i, &failed, e)) != ERR_OK)
			return rc;
	if (!failed)
		jobs_end(c, first);
	return ERR_OK;
}

static bool timers_due(struct core *c)
{
	int64_t next = c->keys != NULL ? jobs_next_ms(c) : 0;

	return next != 0 && next <= clock_wall(c->clock);
}

static bool aggregates_due(struct core *c)
{
	int64_t next = audit_next_ms(c);

	return next != 0 && next <= clock_wall(c->clock);
}

int core_run_batch(struct core *c, struct err *e)
{
	struct batch *b = c->batch;
	bool timers = timers_due(c);
	int rc;

	waits_expire(c->waits, clock_boot(c->clock));
	if (b->first == NULL && !waits_ready(c->waits) && !timers && !aggregates_due(c))
		return ERR_OK;
	if ((rc = begin(c, e)) != ERR_OK)
		return rc;
	if (timers)
		rc = run_timers(c, e);
	if (rc == ERR_OK)
		rc = run_items(c, e);
	if (rc == ERR_OK && MUTANT(MUTANT_EARLY_REPLY))
		answer_all(c);
	if (rc == ERR_OK)
		rc = commit(c, e);
	if (rc == ERR_OK) {
		b->writes = b->writes || timers;
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

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

static int64_t max0(int64_t v)
{
	return v > 0 ? v : 0;
}

int64_t core_wait_ms(struct core *c)
{
	int64_t wall = clock_wall(c->clock), wait = -1, at;

	if (c->batch->first != NULL || waits_ready(c->waits))
		return 0;
	if ((at = waits_next_ms(c->waits)) >= 0)
		wait = sooner(wait, max0(at - clock_boot(c->clock)));
	if (c->keys != NULL && (at = jobs_next_ms(c)) != 0)
		wait = sooner(wait, max0(at - wall));
	if ((at = audit_next_ms(c)) != 0)
		wait = sooner(wait, max0(at - wall));
	return wait;
}
