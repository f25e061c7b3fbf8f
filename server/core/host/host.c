/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "keyring.h"
#include "rng.h"
#include "text.h"

/* "Last seen" is exact to this: a row is not rewritten for every request. */
#define SEEN_EVERY_MS 60000

static const char *const state_names[] = {
	[HOST_PENDING] = "pending",
	[HOST_ACTIVE] = "active",
	[HOST_REVOKED] = "revoked",
};

const char *host_state_name(enum host_state s)
{
	return state_names[s];
}

static void name_tag(struct core *c, const char *name, unsigned char out[32])
{
	store_blind(c, out, "host", name, strlen(name), NULL, 0);
}

static int take_bytes(const struct value *body, const char *key, unsigned char *out,
                      size_t n)
{
	const struct value *v = value_get(body, key);

	if (v == NULL)
		return 0;
	if (v->type != V_BYTES || v->len != n)
		return -1;
	memcpy(out, v->text, n);
	return 0;
}

static int take_state(const char *text, enum host_state *out)
{
	for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
		if (strcmp(text, state_names[i]) == 0) {
			*out = (enum host_state)i;
			return 0;
		}
	}
	return -1;
}

int host_read(struct arena *a, const struct store_object *o, struct host *out,
              struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->name = value_cstr_or(a, b, "name", NULL);
	out->role = value_cstr_or(a, b, "role", NULL);
	out->agent_version = value_cstr_or(a, b, "agent", "");
	out->generation = value_int_or(b, "generation", 0);
	out->joined_ms = value_int_or(b, "joined", 0);
	out->seen_ms = value_int_or(b, "seen", 0);
	out->checkpoint_size = value_int_or(b, "checkpoint", 0);
	out->keyed_ms = value_int_or(b, "keyed", out->joined_ms);
	out->rekeying = value_bool_or(b, "rekeying", false);
	out->token_used = value_bool_or(b, "token_used", false);
	out->token_spoken = value_bool_or(b, "token_spoken", out->token_used);
	out->alarms = value_get(b, "alarms");
	if (out->name == NULL || out->role == NULL || out->alarms == NULL ||
	    out->alarms->type != V_ARRAY || o->id_len != HOST_ID ||
	    take_state(value_cstr_or(a, b, "state", ""), &out->state) != 0 ||
	    take_bytes(b, "sign", out->sign_pk, 32) != 0 ||
	    take_bytes(b, "box", out->box_pk, 32) != 0 ||
	    take_bytes(b, "next_sign", out->next_sign_pk, 32) != 0 ||
	    take_bytes(b, "next_box", out->next_box_pk, 32) != 0 ||
	    take_bytes(b, "last_sign", out->last_pk, 32) != 0 ||
	    take_bytes(b, "token", out->token, 32) != 0 ||
	    take_bytes(b, "token_before", out->token_before, 32) != 0 ||
	    take_bytes(b, "nonce", out->nonce, HOST_NONCE) != 0)
		return err_set(e, ERR_INTEGRITY, "a host's record is malformed");
	return ERR_OK;
}

int host_save(struct core *c, struct arena *a, struct host *h, struct err *e)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "name", h->name);
	value_set_str(a, b, "role", h->role);
	value_set_str(a, b, "state", host_state_name(h->state));
	value_set_str(a, b, "agent", h->agent_version);
	value_set_int(a, b, "generation", h->generation);
	value_set_int(a, b, "joined", h->joined_ms);
	value_set_int(a, b, "seen", h->seen_ms);
	value_set_int(a, b, "checkpoint", h->checkpoint_size);
	value_set_bool(a, b, "token_used", h->token_used);
	value_set_bool(a, b, "token_spoken", h->token_spoken);
	value_set_bytes(a, b, "sign", h->sign_pk, sizeof(h->sign_pk));
	value_set_bytes(a, b, "box", h->box_pk, sizeof(h->box_pk));
	value_set_int(a, b, "keyed", h->keyed_ms);
	value_set_bool(a, b, "rekeying", h->rekeying);
	value_set_bytes(a, b, "next_sign", h->next_sign_pk, sizeof(h->next_sign_pk));
	value_set_bytes(a, b, "next_box", h->next_box_pk, sizeof(h->next_box_pk));
	value_set_bytes(a, b, "last_sign", h->last_pk, sizeof(h->last_pk));
	value_set_bytes(a, b, "token", h->token, sizeof(h->token));
	value_set_bytes(a, b, "token_before", h->token_before, sizeof(h->token_before));
	value_set_bytes(a, b, "nonce", h->nonce, sizeof(h->nonce));
	value_set(b, "alarms",
	          h->alarms != NULL ? value_copy(a, h->alarms) : value_array(a));
	h->o.body = b;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &h->o, e);
}

void host_new(struct core *c, const char *name, const char *role, struct host *out)
{
	memset(out, 0, sizeof(*out));
	out->o.kind = KIND_HOST;
	out->o.id_len = HOST_ID;
	rng_bytes(out->o.id, HOST_ID);
	out->o.tag_len = 32;
	name_tag(c, name, out->o.tag);
	out->name = name;
	out->role = role;
	out->agent_version = "";
	out->state = HOST_PENDING;
}

int host_load(struct core *c, struct arena *a, const unsigned char id[HOST_ID],
              struct host *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_HOST, id, HOST_ID, &o, e);

	return rc == ERR_OK ? host_read(a, &o, out, e) : rc;
}

struct first {
	struct store_object o;
	bool found;
};

static int keep_first(void *ctx, struct store_object *o, struct err *e)
{
	struct first *f = ctx;

	(void)e;
	f->o = *o;
	f->found = true;
	return ERR_OK;
}

int host_find(struct core *c, struct arena *a, const char *name, struct host *out,
              struct err *e)
{
	struct first f = { .found = false };
	unsigned char tag[32];
	int rc;

	name_tag(c, name, tag);
	rc = store_by_tag(c, a, KIND_HOST, tag, sizeof(tag), keep_first, &f, e);
	if (rc != ERR_OK)
		return rc;
	if (!f.found)
		return err_set(e, ERR_NOENT, "no host is named \"%.128s\"", name);
	return host_read(a, &f.o, out, e);
}

void host_alarm(struct core *c, struct arena *a, struct host *h, const char *kind,
                const char *remote)
{
	struct value *list = value_array(a), *alarm = value_object(a);
	size_t skip = 0;

	if (h->alarms != NULL && h->alarms->len >= HOST_ALARMS)
		skip = h->alarms->len - HOST_ALARMS + 1;
	for (struct value *v = h->alarms != NULL ? h->alarms->first : NULL; v != NULL;
	     v = v->next) {
		if (skip > 0)
			skip--;
		else
			value_add(list, value_copy(a, v));
	}
	value_set_str(a, alarm, "kind", kind);
	value_set_int(a, alarm, "time", c->now_ms);
	value_set_str(a, alarm, "remote", arena_str(a, remote));
	value_add(list, alarm);
	h->alarms = list;
}

struct value *host_order(struct core *c, struct arena *a, const struct host *h,
                         const char *op)
{
	unsigned char msg[HOST_ORDER_MESSAGE];
	size_t n = auth_host_order_message(op, h->o.id, (uint64_t)h->generation, msg);
	unsigned char *sig = arena_alloc(a, 64);
	char *id = arena_alloc(a, 2 * HOST_ID + 1);
	struct value *order = value_object(a);

	if (sig == NULL || id == NULL)
		return NULL;
	keyring_order_sign(c->keys, msg, n, sig);
	text_hex(h->o.id, HOST_ID, id);
	value_set_str(a, order, "op", op);
	value_set_str(a, order, "host_id", id);
	value_set_int(a, order, "generation", h->generation);
	value_set(order, "signature", value_bytes(a, sig, 64));
	return order;
}

static void add_pin(struct core *c, struct arena *a, struct value *list, const char *name)
{
	char text[TEXT_BASE64_LEN(32) + 1];
	unsigned char *pin;
	struct err e;
	size_t n;

	if (meta_get(c->db, a, name, &pin, &n, &e) != ERR_OK || n != 32)
		return;
	text_base64(pin, n, text);
	value_add(list, value_str(a, arena_printf(a, "sha256//%s", text)));
}

struct value *host_pins(struct core *c, struct arena *a)
{
	struct value *list = value_array(a);

	add_pin(c, a, list, "server_pin");
	add_pin(c, a, list, "server_pin_next");
	return list;
}

static void refuse_revoked(struct req *r, const struct host *h)
{
	struct value *data = value_object(r->a);

	value_set(data, "order", host_order(r->core, r->a, h, "wipe"));
	reply_errors(r, 403, "host is revoked", data);
}

int host_self(struct req *r, struct host *h, bool *stop)
{
	struct core *c = r->core;
	struct arena *a = req_scratch(r);
	bool newest;
	int rc = host_load(c, a, r->id.host_id, h, &r->e);

	*stop = false;
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_DENIED, "permission denied");
	if (rc != ERR_OK)
		return rc;
	if (h->state == HOST_REVOKED) {
		*stop = true;
		refuse_revoked(r, h);
		return ERR_OK;
	}
	newest = sodium_memcmp(h->token, r->id.token_id, sizeof(h->token)) == 0;
	if ((!newest || h->token_used) && c->now_ms - h->seen_ms < SEEN_EVERY_MS &&
	    c->now_ms >= h->seen_ms)
		return ERR_OK;
	h->token_used = h->token_used || newest;
	h->seen_ms = c->now_ms;
	return host_save(c, a, h, &r->e);
}
