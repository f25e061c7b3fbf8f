/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook.h"

#include <string.h>

#include "arena.h"
#include "clock.h"
#include "host.h"
#include "jobs.h"
#include "text.h"

#define FORGET_AT_ONCE 32

void webhook_id(struct core *c, const char *name, unsigned char out[32])
{
	store_blind(c, out, "webhook", NULL, 0, name, strlen(name));
}

int webhook_read(struct arena *a, const struct store_object *o, struct webhook *out,
                 struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->name = value_cstr_or(a, b, "name", "");
	out->url = value_cstr_or(a, b, "url", "");
	out->secret = value_cstr_or(a, b, "secret", "");
	out->ca = value_cstr_or(a, b, "ca", "");
	out->error = value_cstr_or(a, b, "error", "");
	out->paths = value_get(b, "paths");
	out->events = value_int_or(b, "events", 0);
	out->insecure = value_bool_or(b, "insecure", false);
	out->disabled = value_bool_or(b, "disabled", false);
	out->seq = value_int_or(b, "seq", 0);
	out->pending = value_int_or(b, "pending", 0);
	out->delivered = value_int_or(b, "delivered", 0);
	out->dropped = value_int_or(b, "dropped", 0);
	out->tries = value_int_or(b, "tries", 0);
	out->last_ms = value_int_or(b, "last", 0);
	if (o->id_len != 32 || out->name[0] == '\0' || out->url[0] == '\0' ||
	    out->secret[0] == '\0')
		return err_set(e, ERR_INTEGRITY, "a webhook's record is malformed");
	return ERR_OK;
}

int webhook_find(struct core *c, struct arena *a, const char *name, struct webhook *out,
                 struct err *e)
{
	struct store_object o;
	unsigned char id[32];
	int rc;

	webhook_id(c, name, id);
	rc = store_find(c, a, KIND_WEBHOOK, id, sizeof(id), &o, e);
	if (rc == ERR_OK)
		return webhook_read(a, &o, out, e);
	if (rc == ERR_NOENT)
		*out = (struct webhook){ .o = o,
			                 .name = name,
			                 .url = "",
			                 .secret = "",
			                 .ca = "",
			                 .error = "" };
	return rc;
}

int webhook_save(struct core *c, struct arena *a, struct webhook *h, struct err *e)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "name", h->name);
	value_set_str(a, b, "url", h->url);
	value_set_str(a, b, "secret", h->secret);
	value_set_str(a, b, "ca", h->ca);
	value_set_str(a, b, "error", h->error);
	if (h->paths != NULL)
		value_set(b, "paths", value_copy(a, h->paths));
	value_set_int(a, b, "events", h->events);
	value_set_bool(a, b, "insecure", h->insecure);
	value_set_bool(a, b, "disabled", h->disabled);
	value_set_int(a, b, "seq", h->seq);
	value_set_int(a, b, "pending", h->pending);
	value_set_int(a, b, "delivered", h->delivered);
	value_set_int(a, b, "dropped", h->dropped);
	value_set_int(a, b, "tries", h->tries);
	value_set_int(a, b, "last", h->last_ms);
	h->o.body = b;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	jobs_dirty(c);
	return store_put(c, &h->o, e);
}

struct value *webhook_request(struct arena *a, const struct webhook *h,
                              const unsigned char id[STEP_ID], int64_t at_ms,
                              const char *event, const struct value *body)
{
	struct value *r = value_object(a), *config = value_object(a),
		     *admin = value_object(a), *n = value_object(a);
	char *hex = arena_alloc(a, 2 * STEP_ID + 1), at[CLOCK_RFC3339_MAX];

	if (hex == NULL)
		return r;
	text_hex(id, STEP_ID, hex);
	clock_rfc3339(at_ms, at);
	value_set_str(a, n, "id", hex);
	value_set_str(a, n, "event", event);
	value_set_str(a, n, "time", arena_str(a, at));
	for (const struct value *v = body->first; v != NULL; v = v->next)
		value_setn(n, arena_dup(a, v->key, v->key_len), v->key_len,
		           value_copy(a, v));
	value_set_str(a, config, "url", h->url);
	value_set_bool(a, config, "insecure", h->insecure);
	if (h->ca[0] != '\0')
		value_set_str(a, config, "ca", h->ca);
	value_set_str(a, admin, "password", h->secret);
	value_set_int(a, r, "v", 1);
	value_set_str(a, r, "op", "notify");
	value_set_str(a, r, "attempt", hex);
	value_set_str(a, r, "secret", value_cstr_or(a, body, "path", ""));
	value_set(r, "config", config);
	value_set(r, "admin", admin);
	value_set(r, "notice", n);
	return r;
}

/* ---- what is to be told ---- */

struct hooks {
	struct store_object at[WEBHOOKS_MAX];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct hooks *hs = ctx;

	(void)e;
	if (hs->n < WEBHOOKS_MAX)
		hs->at[hs->n++] = *o;
	return ERR_OK;
}

static int keep(struct core *c, struct arena *a, struct webhook *h,
                const struct webhook_event *ev, struct err *e)
{
	struct store_object o = { .kind = KIND_NOTICE,
		                  .id_len = 16,
		                  .parent_len = 32,
		                  .body = value_object(a) };
	int rc;

	h->seq++;
	h->pending++;
	memcpy(o.parent, h->o.id, 32);
	memcpy(o.id, h->o.id, 8);
	for (int i = 0; i < 8; i++)
		o.id[8 + i] = (unsigned char)((uint64_t)h->seq >> (56 - 8 * i));
	value_set_str(a, o.body, "event", ev->name);
	value_set_int(a, o.body, "at", c->now_ms);
	value_set(o.body, "body", value_copy(a, ev->body));
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (h->o.due == 0)
		h->o.due = c->now_ms;
	rc = store_put(c, &o, e);
	return rc == ERR_OK ? webhook_save(c, a, h, e) : rc;
}

int webhook_notice(struct core *c, struct arena *a, const struct webhook_event *ev,
                   struct err *e)
{
	struct hooks *hs = arena_alloc(a, sizeof(*hs));
	int rc;

	if (hs == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	hs->n = 0;
	rc = store_each(c, a, KIND_WEBHOOK, NULL, 0, WEBHOOKS_MAX, collect, hs, e);
	for (size_t i = 0; rc == ERR_OK && i < hs->n; i++) {
		struct webhook h;

		rc = webhook_read(a, &hs->at[i], &h, e);
		if (rc == ERR_OK && !h.disabled && (h.events & ev->bit) != 0 &&
		    (h.paths == NULL || host_role_allows(h.paths, ev->path)))
			rc = keep(c, a, &h, ev, e);
	}
	return rc;
}

/* ---- deleting ---- */

struct notices {
	struct store_object at[FORGET_AT_ONCE];
	size_t n;
};

static int collect_notice(void *ctx, struct store_object *o, struct err *e)
{
	struct notices *ns = ctx;

	(void)e;
	ns->at[ns->n++] = *o;
	return ERR_OK;
}

int webhook_forget_slice(struct core *c, struct arena *a, const struct webhook *h,
                         bool *done, struct err *e)
{
	struct notices *ns = arena_alloc(a, sizeof(*ns));
	int rc;

	if (ns == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ns->n = 0;
	rc = store_by_parent_page(c, a, KIND_NOTICE, h->o.id, 32, NULL, 0, FORGET_AT_ONCE,
	                          collect_notice, ns, e);
	for (size_t i = 0; rc == ERR_OK && i < ns->n; i++) {
		step_cancel(c, ns->at[i].id);
		rc = store_delete(c, &ns->at[i], e);
	}
	*done = rc == ERR_OK && ns->n < FORGET_AT_ONCE;
	return *done ? store_delete(c, &h->o, e) : rc;
}
