/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_statement - what the vault says to a host, so that the network process between
 * them can neither make it up, change it, nor say it again later.
 *
 *   Ed25519 signature by the order key || body
 *   body = value encoding of {op, host_id, generation, nonce, data}
 */
#include <string.h>

#include "arena.h"
#include "host.h"
#include "keyring.h"
#include "text.h"

static void sign(const void *keys, const void *msg, size_t n,
                 unsigned char sig[HOST_SIGNATURE])
{
	keyring_order_sign(keys, msg, n, sig);
}

int host_asked(struct req *r, const char *op, struct host_asked *out)
{
	const char *text = "";
	bool present;
	int rc;

	*out = (struct host_asked){ .op = op };
	if ((rc = req_str(r, "nonce", &text, &present)) != ERR_OK || !present)
		return rc;
	if (text_unhex(text, strlen(text), out->nonce, HOST_NONCE) != (long)HOST_NONCE)
		return req_fail(r, ERR_INVALID, "nonce: %u hex digits are needed",
		                2 * HOST_NONCE);
	out->nonce_len = HOST_NONCE;
	return ERR_OK;
}

unsigned char *host_statement(struct core *c, struct arena *a, const struct host *h,
                              const struct host_asked *q, const struct value *data,
                              size_t *len)
{
	char host_id[2 * HOST_ID + 1];
	struct value *body = value_object(a);
	unsigned char *packed;
	size_t n;

	text_hex(h->o.id, HOST_ID, host_id);
	value_set_str(a, body, "op", q->op);
	value_set_str(a, body, "host_id", host_id);
	value_set_int(a, body, "generation", h->generation);
	value_set_bytes(a, body, "nonce", q->nonce, q->nonce_len);
	value_set(body, "data", value_copy(a, data));
	if (arena_failed(a) || (packed = value_pack(a, body, &n)) == NULL)
		return NULL;
	return auth_host_statement(a, sign, c->keys, packed, n, len);
}

int host_say(struct req *r, const struct host *h, const struct host_asked *q,
             const struct value *data)
{
	size_t n = 0;
	unsigned char *said = host_statement(r->core, r->a, h, q, data, &n);

	if (said == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	value_set_bytes(r->a, reply_data(r), "statement", said, n);
	return ERR_OK;
}

/* The newest login's generation, or the one before: its reply may have been lost. */
static bool is_from(const struct host *h, const char *op, const struct value *body)
{
	int64_t generation = value_int_or(body, "generation", -1);
	char host_id[2 * HOST_ID + 1];

	text_hex(h->o.id, HOST_ID, host_id);
	return value_is_str(value_get(body, "host_id"), host_id) &&
	       value_is_str(value_get(body, "op"), op) &&
	       (generation == h->generation || generation == h->generation - 1);
}

int host_heard(struct req *r, const struct host *h, const char *op,
               const struct value **data)
{
	int64_t generation;

	return host_heard_in(r, h, op, data, &generation);
}

int host_heard_in(struct req *r, const struct host *h, const char *op,
                  const struct value **data, int64_t *generation)
{
	const char *text = "";
	struct value *body = NULL;
	unsigned char *p;
	bool present;
	size_t cap;
	long n;
	int rc;

	if ((rc = req_str(r, "statement", &text, &present)) != ERR_OK)
		return rc;
	cap = strlen(text) / 4 * 3 + 3;
	if ((p = arena_alloc(r->a, cap)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	n = text_unbase64(text, strlen(text), p, cap);
	if (n < (long)HOST_SIGNATURE ||
	    !auth_host_heard(r->a, h->sign_pk, p, (size_t)n) ||
	    value_decode(r->a, p + HOST_SIGNATURE, (size_t)n - HOST_SIGNATURE, &body,
	                 &r->e) != ERR_OK ||
	    !is_from(h, op, body))
		return req_fail(r, ERR_INVALID,
		                "statement: this host has not signed that");
	*data = value_get(body, "data");
	*generation = value_int_or(body, "generation", -1);
	return ERR_OK;
}
