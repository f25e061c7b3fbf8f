/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_SAY_H
#define TESTS_UNIT_AGENT_SAY_H
/* say - the vault's side: statements as it makes them, put together from the description
 * of the protocol. */
#include "agent/identity.h"
#include "arena.h"
#include "rig.h"
#include "text.h"
#include "value.h"

struct say {
	const char *op;
	unsigned char host[16], nonce[32];
	int64_t generation;
	struct value *data;
};

enum { SAY_VAULT = 1, SAY_HOST = 2 };

static unsigned char say_sk[64];  /* the vault's order key */
static unsigned char say_key[32]; /* of the session */

/* An identity that believes say_sk. */
UNUSED static struct identity *say_identity(void)
{
	struct identity *id = identity_new();

	identity_make_keys(id);
	crypto_sign_keypair(id->order_key, say_sk);
	randombytes_buf(say_key, sizeof(say_key));
	memset(id->host_id, 7, sizeof(id->host_id));
	id->generation = 5;
	return id;
}

static unsigned char *say_body(struct arena *a, const struct say *s, size_t *n)
{
	struct value *body = value_object(a);
	char *hex = arena_alloc(a, 33);

	text_hex(s->host, 16, hex);
	value_set_str(a, body, "op", s->op);
	value_set_str(a, body, "host_id", hex);
	value_set_int(a, body, "generation", s->generation);
	value_set_bytes(a, body, "nonce", s->nonce, sizeof(s->nonce));
	value_set(body, "data", s->data);
	return value_pack(a, body, n);
}

/* nonce || box, whose associated data says who speaks and of what. */
UNUSED static unsigned char *say_by(struct arena *a, const struct say *s, int who,
                                    const char *op, size_t *len)
{
	unsigned char as[64] = "vault/host-session/v1";
	size_t n = 0;
	unsigned char *packed = say_body(a, s, &n), *out = arena_alloc(a, n + 40);

	as[22] = (unsigned char)who;
	memcpy(as + 23, op, strlen(op) + 1);
	randombytes_buf(out, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		out + 24, NULL, packed, n, as, 23 + strlen(op) + 1, NULL, out, say_key);
	*len = n + 40;
	return out;
}

UNUSED static unsigned char *say(struct arena *a, const struct say *s, size_t *len)
{
	return say_by(a, s, SAY_VAULT, s->op, len);
}

/* signature || body, the signature over context || body. */
UNUSED static unsigned char *say_signed(struct arena *a, const struct say *s, size_t *len)
{
	static const char context[] = "vault/host-statement/v1";
	size_t n = 0;
	unsigned char *packed = say_body(a, s, &n), *msg, *out;

	msg = arena_alloc(a, sizeof(context) + n);
	out = arena_alloc(a, 64 + n);
	memcpy(msg, context, sizeof(context));
	memcpy(msg + sizeof(context), packed, n);
	crypto_sign_detached(out, NULL, msg, sizeof(context) + n, say_sk);
	memcpy(out + 64, packed, n);
	*len = 64 + n;
	return out;
}

UNUSED static char *say_text(struct arena *a, const void *p, size_t n)
{
	char *text = arena_alloc(a, TEXT_BASE64_LEN(n) + 1);

	text_base64(p, n, text);
	return text;
}

#endif
