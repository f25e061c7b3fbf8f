/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_statement - what the vault says to a host and a host to the vault, so that the
 * network process between them can neither make it up, change it, nor say it again later.
 *
 *   body = value encoding of {op, host_id, generation, nonce, data}
 *
 * A host's own has a nonce where it asks for something.
 * Within a session it is in a box that only the two of them can make and open
 * (lib/hostbox.h).  What has to be believed beyond one is signed: the answer to a login,
 * by the order key, and new keys, by the host's: Ed25519 signature || body.
 */
#include <sodium.h>
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
	memcpy(out->token_id, r->id.token_id, sizeof(out->token_id));
	if ((rc = req_str(r, "nonce", &text, &present)) != ERR_OK || !present)
		return rc;
	if (text_unhex(text, strlen(text), out->nonce, HOST_NONCE) != (long)HOST_NONCE)
		return req_fail(r, ERR_INVALID, "nonce: %u hex digits are needed",
		                2 * HOST_NONCE);
	out->nonce_len = HOST_NONCE;
	return ERR_OK;
}

void host_session_key(const struct core *c, const struct host *h,
                      const unsigned char token_id[32], unsigned char out[HOSTBOX_KEY])
{
	struct host_session s;

	memcpy(s.host_id, h->o.id, sizeof(s.host_id));
	memcpy(s.token_id, token_id, sizeof(s.token_id));
	memcpy(s.sign_pk, h->sign_pk, sizeof(s.sign_pk));
	memcpy(s.box_pk, h->box_pk, sizeof(s.box_pk));
	auth_host_session_key(keyring_key(c->keys, KEY_HOST_LOGIN), &s, out);
}

/* ---- the vault's ---- */

static unsigned char *pack(struct arena *a, const struct host *h,
                           const struct host_asked *q, const struct value *data,
                           size_t *n)
{
	char host_id[2 * HOST_ID + 1];
	struct value *body = value_object(a);

	text_hex(h->o.id, HOST_ID, host_id);
	value_set_str(a, body, "op", q->op);
	value_set_str(a, body, "host_id", host_id);
	value_set_int(a, body, "generation", h->generation);
	value_set_bytes(a, body, "nonce", q->nonce, q->nonce_len);
	value_set(body, "data", value_copy(a, data));
	return arena_failed(a) ? NULL : value_pack(a, body, n);
}

unsigned char *host_statement(struct core *c, struct arena *a, const struct host *h,
                              const struct host_asked *q, const struct value *data,
                              size_t *len)
{
	unsigned char key[HOSTBOX_KEY], *packed, *box;
	size_t n;

	if ((packed = pack(a, h, q, data, &n)) == NULL ||
	    (box = arena_alloc(a, n + HOSTBOX_OVERHEAD)) == NULL)
		return NULL;
	host_session_key(c, h, q->token_id, key);
	hostbox_seal(key, HOSTBOX_VAULT, q->op, packed, n, box);
	sodium_memzero(key, sizeof(key));
	*len = n + HOSTBOX_OVERHEAD;
	return box;
}

static int reply_said(struct req *r, const unsigned char *said, size_t n)
{
	if (said == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	value_set_bytes(r->a, reply_data(r), "statement", said, n);
	return ERR_OK;
}

int host_say(struct req *r, const struct host *h, const struct host_asked *q,
             const struct value *data)
{
	size_t n = 0;
	unsigned char *said = host_statement(r->core, r->a, h, q, data, &n);

	return reply_said(r, said, n);
}

int host_say_signed(struct req *r, const struct host *h, const struct host_asked *q,
                    const struct value *data)
{
	size_t len = 0, n;
	unsigned char *packed = pack(r->a, h, q, data, &n), *said = NULL;

	if (packed != NULL)
		said = auth_host_statement(r->a, sign, r->core->keys, packed, n, &len);
	return reply_said(r, said, len);
}

/* ---- the host's ---- */

struct piece {
	const unsigned char *at;
	size_t n;
};

/* Which login began the session that the request came in; -1: neither the newest nor the
 * one before, in whose session something may still have been on its way. */
static int64_t session_generation(const struct req *r, const struct host *h)
{
	if (sodium_memcmp(h->token, r->id.token_id, sizeof(h->token)) == 0)
		return h->generation;
	if (sodium_memcmp(h->token_before, r->id.token_id, sizeof(h->token_before)) == 0)
		return h->generation - 1;
	return -1;
}

static bool is_from(const struct req *r, const struct host *h, const char *op,
                    const struct value *body)
{
	int64_t generation = session_generation(r, h);
	char host_id[2 * HOST_ID + 1];

	text_hex(h->o.id, HOST_ID, host_id);
	return value_is_str(value_get(body, "host_id"), host_id) &&
	       value_is_str(value_get(body, "op"), op) && generation >= 0 &&
	       value_int_or(body, "generation", -1) == generation;
}

/* The bytes of the field, in ${a}; *n is -1 if they are no base64. */
static int take_statement(struct req *r, struct arena *a, unsigned char **out, long *n)
{
	const char *text = "";
	bool present;
	size_t cap;
	int rc = req_str(r, "statement", &text, &present);

	if (rc != ERR_OK)
		return rc;
	cap = strlen(text) / 4 * 3 + 3;
	if ((*out = arena_alloc(a, cap)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	*n = text_unbase64(text, strlen(text), *out, cap);
	return ERR_OK;
}

/* What it says, once it is known to be the host's: NULL ${p}: it is not. */
static int take_body(struct req *r, struct arena *a, const struct host *h, const char *op,
                     const struct piece *p, struct value **body)
{
	if (p->at == NULL || value_decode(a, p->at, p->n, body, &r->e) != ERR_OK ||
	    !is_from(r, h, op, *body))
		return req_fail(r, ERR_INVALID, "statement: this host has not said that");
	return ERR_OK;
}

/* Whoever has the key of the newest session has the answer to the newest login. */
static int note_spoken(struct req *r, struct host *h)
{
	if (h->token_spoken ||
	    sodium_memcmp(h->token, r->id.token_id, sizeof(h->token)) != 0)
		return ERR_OK;
	h->token_spoken = true;
	return host_save(r->core, req_scratch(r), h, &r->e);
}

/* The body of the box in the request, in ${a}. */
static int open_box(struct req *r, struct arena *a, struct host *h, const char *op,
                    struct value **body)
{
	unsigned char key[HOSTBOX_KEY], *box = NULL, *plain = NULL;
	long n = -1;
	int rc = take_statement(r, a, &box, &n);

	if (rc != ERR_OK)
		return rc;
	if (n >= (long)HOSTBOX_OVERHEAD && (plain = arena_alloc(a, (size_t)n)) != NULL) {
		host_session_key(r->core, h, r->id.token_id, key);
		if (hostbox_open(key, HOSTBOX_HOST, op, box, (size_t)n, plain) != 0)
			plain = NULL;
		sodium_memzero(key, sizeof(key));
	}
	rc = take_body(r, a, h, op,
	               &(struct piece){ plain, (size_t)n - HOSTBOX_OVERHEAD }, body);
	return rc == ERR_OK ? note_spoken(r, h) : rc;
}

int host_heard(struct req *r, struct host *h, const char *op, const struct value **data)
{
	int64_t generation;

	return host_heard_in(r, h, op, data, &generation);
}

int host_heard_in(struct req *r, struct host *h, const char *op,
                  const struct value **data, int64_t *generation)
{
	struct value *body = NULL;
	int rc = open_box(r, r->a, h, op, &body);

	if (rc != ERR_OK)
		return rc;
	*data = value_get(body, "data");
	*generation = value_int_or(body, "generation", -1);
	return ERR_OK;
}

int host_asks(struct req *r, struct host *h, const char *op, struct host_asked *q,
              const struct value **data)
{
	const struct value *nonce;
	struct value *body = NULL;
	int rc = open_box(r, req_scratch(r), h, op, &body);

	if (rc != ERR_OK)
		return rc;
	nonce = value_get(body, "nonce");
	if (nonce == NULL || nonce->type != V_BYTES || nonce->len != HOST_NONCE)
		return req_fail(r, ERR_INVALID,
		                "statement: a nonce of %u bytes is needed", HOST_NONCE);
	*q = (struct host_asked){ .op = op,
		                  .nonce_len = HOST_NONCE,
		                  .generation = value_int_or(body, "generation", -1) };
	memcpy(q->nonce, nonce->text, HOST_NONCE);
	memcpy(q->token_id, r->id.token_id, sizeof(q->token_id));
	*data = value_get(body, "data");
	return ERR_OK;
}

int host_heard_signed(struct req *r, const struct host *h, const char *op,
                      const struct value **data, int64_t *generation)
{
	struct value *body = NULL;
	unsigned char *p = NULL;
	bool good;
	long n = -1;
	int rc = take_statement(r, r->a, &p, &n);

	if (rc != ERR_OK)
		return rc;
	good = n >= (long)HOST_SIGNATURE &&
	       auth_host_heard(r->a, h->sign_pk, p, (size_t)n);
	rc = take_body(r, r->a, h, op,
	               &(struct piece){ good ? p + HOST_SIGNATURE : NULL,
	                                (size_t)n - HOST_SIGNATURE },
	               &body);
	if (rc != ERR_OK)
		return rc;
	*data = value_get(body, "data");
	*generation = value_int_or(body, "generation", -1);
	return ERR_OK;
}
