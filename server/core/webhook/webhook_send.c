/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_send - notices leave, one after the other for each webhook. */
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "metrics.h"
#include "rng.h"
#include "text.h"
#include "webhook.h"

#define RETRY_MS     5000
#define RETRY_MAX_MS (3600ll * 1000)
#define SLACK_MS     20000 /* behind the deadline of a call: then it is made again */
#define BUSY_MS      1000
#define ERROR_MAX    200
#define DROP_AT_ONCE 8 /* in one turn */

struct first {
	struct store_object o;
	bool found;
};

static int take_first(void *ctx, struct store_object *o, struct err *e)
{
	struct first *f = ctx;

	(void)e;
	f->o = *o;
	f->found = true;
	return ERR_OK;
}

static int oldest(struct core *c, struct arena *a, const struct webhook *h,
                  struct first *f, struct err *e)
{
	f->found = false;
	return store_by_parent_page(c, a, KIND_NOTICE, h->o.id, 32, NULL, 0, 1,
	                            take_first, f, e);
}

/* What nobody will be told is written down at least. */
static int record_drop(struct core *c, struct arena *a, const struct webhook *h,
                       const struct store_object *o, const char *why, struct err *e)
{
	char request_id[37];
	struct value *note = value_object(a);
	const struct value *body = value_get(o->body, "body");
	const struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = "",
		.remote = "",
		.operation = "notify",
		.path = arena_printf(a, "sys/rotation/webhooks/%s", h->name),
		.outcome = "error",
		.error = "",
		.note = note,
	};

	rng_uuid4(request_id);
	value_set_bytes(a, note, "notice", o->id, o->id_len);
	value_set_str(a, note, "event", value_cstr_or(a, o->body, "event", ""));
	value_set_str(a, note, "attempt", value_cstr_or(a, body, "attempt", ""));
	value_set_str(a, note, "reason", why);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return audit_append(c, &rec, e);
}

static int drop(struct core *c, struct arena *a, struct webhook *h,
                const struct store_object *o, const char *why, struct err *e)
{
	int rc = record_drop(c, a, h, o, why, e);

	h->dropped++;
	h->pending--;
	h->tries = 0;
	metrics_webhook(c, METRIC_WEBHOOK_DROPPED);
	return rc == ERR_OK ? store_delete(c, o, e) : rc;
}

static const char *too_old(const struct core *c, const struct webhook *h,
                           const struct store_object *o)
{
	if (c->now_ms - value_int_or(o->body, "at", 0) > WEBHOOK_KEEP_MS)
		return "too old";
	return h->pending > WEBHOOK_PENDING_MAX ? "too many" : NULL;
}

/* Full jitter, as rotations have it. */
static int64_t backoff(const struct webhook *h)
{
	int64_t span = RETRY_MS;
	uint32_t r;

	for (int64_t i = 1; i < h->tries && span < RETRY_MAX_MS; i++)
		span *= 2;
	if (span > RETRY_MAX_MS)
		span = RETRY_MAX_MS;
	rng_bytes(&r, sizeof(r));
	return span / 4 + (int64_t)(r % (uint32_t)(span - span / 4 + 1));
}

static int put_off(struct core *c, struct arena *a, struct webhook *h, const char *why,
                   int64_t at_least, struct err *e)
{
	int64_t wait;

	h->tries++;
	h->error = arena_dup(a, why, strnlen(why, ERROR_MAX));
	wait = backoff(h);
	h->o.due = c->now_ms + (wait > at_least ? wait : at_least);
	metrics_webhook(c, METRIC_WEBHOOK_FAILED);
	return webhook_save(c, a, h, e);
}

static int tell(struct core *c, struct arena *a, struct webhook *h,
                const struct store_object *o, struct err *e)
{
	const struct value *body = value_get(o->body, "body");
	struct step_order order = { .owner = STEP_FOR_WEBHOOK,
		                    .rotator = WEBHOOK_ROTATOR,
		                    .timeout_ms = WEBHOOK_CALL_MS };
	int rc;

	if (step_under_way(c, o->id)) {
		h->o.due = c->now_ms + BUSY_MS;
		return webhook_save(c, a, h, e);
	}
	if (body == NULL || o->id_len != STEP_ID)
		return err_set(e, ERR_INTEGRITY, "a notice is malformed");
	memcpy(order.id, o->id, STEP_ID);
	order.request = webhook_request(a, h, o->id, value_int_or(o->body, "at", 0),
	                                value_cstr_or(a, o->body, "event", ""), body);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = step_call(c, &order, e);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc != ERR_OK)
		return put_off(c, a, h, e->msg, 0, e);
	h->o.due = c->now_ms + WEBHOOK_CALL_MS + SLACK_MS;
	return webhook_save(c, a, h, e);
}

static int work_on(struct core *c, struct arena *a, const struct store_object *o,
                   struct err *e)
{
	struct webhook h;
	struct first f;
	const char *why = "";
	int rc = webhook_read(a, o, &h, e);

	for (int i = 0; rc == ERR_OK && i < DROP_AT_ONCE; i++) {
		if ((rc = oldest(c, a, &h, &f, e)) != ERR_OK)
			return rc;
		if (!f.found || (why = too_old(c, &h, &f.o)) == NULL)
			break;
		rc = drop(c, a, &h, &f.o, why, e);
	}
	if (rc != ERR_OK)
		return rc;
	if (f.found && why == NULL && !h.disabled)
		return tell(c, a, &h, &f.o, e);
	h.o.due = f.found && !h.disabled ? c->now_ms : 0;
	h.pending = f.found ? h.pending : 0;
	return webhook_save(c, a, &h, e);
}

struct due {
	struct store_object at[WEBHOOKS_MAX];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct due *d = ctx;

	(void)e;
	d->at[d->n++] = *o;
	return ERR_OK;
}

int webhooks_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct due *d = arena_alloc(a, sizeof(*d));
	int rc;

	if (d == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->n = 0;
	rc = store_due(c, a, KIND_WEBHOOK, c->now_ms,
	               limit < WEBHOOKS_MAX ? limit : WEBHOOKS_MAX, collect, d, e);
	for (size_t i = 0; rc == ERR_OK && i < d->n; i++)
		rc = work_on(c, a, &d->at[i], e);
	return rc;
}

static int delivered(struct core *c, struct arena *a, struct webhook *h,
                     const struct store_object *o, struct err *e)
{
	int rc = store_delete(c, o, e);

	h->delivered++;
	h->pending--;
	h->tries = 0;
	h->error = "";
	h->last_ms = c->now_ms;
	h->o.due = c->now_ms;
	metrics_webhook(c, METRIC_WEBHOOK_DELIVERED);
	return rc == ERR_OK ? webhook_save(c, a, h, e) : rc;
}

int webhook_step_done(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                      const struct step_result *r, struct err *e)
{
	struct store_object o = { .version = 0 }, row = { .version = 0 };
	struct webhook h;
	int rc = store_get(c, a, KIND_NOTICE, id, STEP_ID, &o, e);

	if (rc == ERR_OK)
		rc = store_get(c, a, KIND_WEBHOOK, o.parent, 32, &row, e);
	if (rc == ERR_NOENT) /* it was given up, or the webhook is gone */
		return ERR_OK;
	if (rc != ERR_OK || (rc = webhook_read(a, &row, &h, e)) != ERR_OK)
		return rc;
	if (r->outcome == STEP_REPLY && r->status != STEP_ERROR)
		return delivered(c, a, &h, &o, e);
	return put_off(c, a, &h, r->outcome == STEP_UNKNOWN ? r->reason : r->message,
	               r->retry_after_ms, e);
}
