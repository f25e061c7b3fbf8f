/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_host.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "rng.h"

static const char join_id_context[] = "vault/join-id/v1";
static const char join_key_context[] = "vault/join-key/v1";
static const char join_context[] = "vault/join/v1";
static const char joined_context[] = "vault/joined/v1";
static const char login_context[] = "vault/host-login/v1";
static const char order_context[] = "vault/host-order/v1";
static const char heard_context[] = "vault/agent-statement/v1";
static const char cosign_context[] = "vault/cosign/v1";
static const char rekey_context[] = "vault/host-rekey/v1";
static const char statement_context[] = "vault/host-statement/v1";
/* As personalisation: apart from all else that the same key hashes. */
static const unsigned char session_context[crypto_generichash_blake2b_PERSONALBYTES] =
	"vault/host-sess";

#define NONCE_TIME   8u
#define NONCE_RANDOM 8u
#define NONCE_PUBLIC (NONCE_TIME + NONCE_RANDOM)
#define NONCE_AHEAD  1000 /* the clock was stepped back a little: still good */

static unsigned char *put(unsigned char *at, const void *p, size_t n)
{
	memcpy(at, p, n);
	return at + n;
}

static unsigned char *put_u64(unsigned char *at, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		at[i] = (unsigned char)(v >> (56 - 8 * i));
	return at + 8;
}

static void hash_token(const char *context, size_t context_len, const char *token,
                       unsigned char *out, size_t n)
{
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, NULL, 0, n);
	(void)crypto_generichash_update(&h, (const unsigned char *)context, context_len);
	(void)crypto_generichash_update(&h, (const unsigned char *)token, strlen(token));
	(void)crypto_generichash_final(&h, out, n);
}

void auth_host_join_id(const char *token, unsigned char out[JOIN_ID])
{
	hash_token(join_id_context, sizeof(join_id_context), token, out, JOIN_ID);
}

void auth_host_join_key(const char *token, unsigned char out[32])
{
	hash_token(join_key_context, sizeof(join_key_context), token, out, 32);
}

void auth_host_join_mac(const unsigned char key[32], const unsigned char sign_pk[32],
                        const unsigned char box_pk[32], const unsigned char pin[32],
                        unsigned char out[32])
{
	unsigned char msg[sizeof(join_context) + 96], *at = msg;

	at = put(at, join_context, sizeof(join_context));
	at = put(at, sign_pk, 32);
	at = put(at, box_pk, 32);
	at = put(at, pin, 32);
	crypto_generichash(out, 32, msg, (size_t)(at - msg), key, 32);
}

void auth_host_joined_mac(const unsigned char key[32], const unsigned char join_mac[32],
                          const void *body, size_t n, unsigned char out[32])
{
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, key, 32, 32);
	(void)crypto_generichash_update(&h, (const unsigned char *)joined_context,
	                                sizeof(joined_context));
	(void)crypto_generichash_update(&h, join_mac, 32);
	(void)crypto_generichash_update(&h, body, n);
	(void)crypto_generichash_final(&h, out, 32);
	sodium_memzero(&h, sizeof(h));
}

static void nonce_mac(const unsigned char key[32], const unsigned char host_id[HOST_ID],
                      const unsigned char *visible, unsigned char out[16])
{
	unsigned char msg[NONCE_PUBLIC + HOST_ID];

	put(put(msg, visible, NONCE_PUBLIC), host_id, HOST_ID);
	crypto_generichash(out, 16, msg, sizeof(msg), key, 32);
}

void auth_host_nonce(const unsigned char key[32], const unsigned char host_id[HOST_ID],
                     int64_t now_ms, unsigned char out[HOST_NONCE])
{
	rng_bytes(put_u64(out, (uint64_t)now_ms), NONCE_RANDOM);
	nonce_mac(key, host_id, out, out + NONCE_PUBLIC);
}

bool auth_host_nonce_ok(const unsigned char key[32], const unsigned char host_id[HOST_ID],
                        int64_t now_ms, const unsigned char nonce[HOST_NONCE])
{
	unsigned char want[16];
	uint64_t t = 0;
	int64_t age;

	nonce_mac(key, host_id, nonce, want);
	if (sodium_memcmp(want, nonce + NONCE_PUBLIC, sizeof(want)) != 0)
		return false;
	for (size_t i = 0; i < NONCE_TIME; i++)
		t = t << 8 | nonce[i];
	age = now_ms - (int64_t)t;
	return age >= -NONCE_AHEAD && age <= HOST_NONCE_MS;
}

void auth_host_login_message(const struct host_login *l, const unsigned char pin[32],
                             unsigned char out[HOST_LOGIN_MESSAGE])
{
	unsigned char *at = out;

	_Static_assert(sizeof(login_context) == 20, "HOST_LOGIN_MESSAGE counts it");
	at = put(at, login_context, sizeof(login_context));
	at = put(at, l->vault_id, sizeof(l->vault_id));
	at = put(at, l->host_id, sizeof(l->host_id));
	at = put(at, l->nonce, sizeof(l->nonce));
	at = put_u64(at, l->generation);
	put(at, pin, 32);
}

bool auth_host_login_ok(const struct host_login *l, const unsigned char pin[32],
                        const unsigned char pk[32], const unsigned char sig[64])
{
	unsigned char msg[HOST_LOGIN_MESSAGE];

	auth_host_login_message(l, pin, msg);
	return crypto_sign_verify_detached(sig, msg, sizeof(msg), pk) == 0;
}

size_t auth_host_order_message(const char *op, const unsigned char host_id[HOST_ID],
                               uint64_t generation, unsigned char out[HOST_ORDER_MESSAGE])
{
	size_t n = strlen(op) + 1;
	unsigned char *at = out;

	if (sizeof(order_context) + n + HOST_ID + 8 > HOST_ORDER_MESSAGE)
		return 0;
	at = put(at, order_context, sizeof(order_context));
	at = put(at, op, n);
	at = put(at, host_id, HOST_ID);
	at = put_u64(at, generation);
	return (size_t)(at - out);
}

void auth_host_session_key(const unsigned char key[32], const struct host_session *s,
                           unsigned char out[HOSTBOX_KEY])
{
	unsigned char msg[HOST_ID + 3 * 32], *at = msg;

	at = put(at, s->host_id, sizeof(s->host_id));
	at = put(at, s->token_id, sizeof(s->token_id));
	at = put(at, s->sign_pk, sizeof(s->sign_pk));
	(void)put(at, s->box_pk, sizeof(s->box_pk));
	(void)crypto_generichash_blake2b_salt_personal(out, HOSTBOX_KEY, msg, sizeof(msg),
	                                               key, 32, NULL, session_context);
}

unsigned char *auth_host_statement(struct arena *a, host_sign_fn sign, const void *ctx,
                                   const void *body, size_t n, size_t *out_len)
{
	const size_t room = sizeof(statement_context) > HOST_SIGNATURE
	                            ? sizeof(statement_context)
	                            : HOST_SIGNATURE;
	unsigned char *buf = arena_alloc(a, room + n), *text, *out;
	unsigned char sig[HOST_SIGNATURE];

	if (buf == NULL)
		return NULL;
	/* What is signed and what is sent differ in their head alone: one copy serves. */
	put(buf + room, body, n);
	text = buf + room - sizeof(statement_context);
	put(text, statement_context, sizeof(statement_context));
	sign(ctx, text, sizeof(statement_context) + n, sig);
	out = buf + room - sizeof(sig);
	put(out, sig, sizeof(sig));
	*out_len = sizeof(sig) + n;
	return out;
}

bool auth_host_heard(struct arena *a, const unsigned char pk[32], const unsigned char *p,
                     size_t n)
{
	unsigned char *msg;

	if (n < HOST_SIGNATURE ||
	    (msg = arena_alloc(a, sizeof(heard_context) + n - HOST_SIGNATURE)) == NULL)
		return false;
	n -= HOST_SIGNATURE;
	put(put(msg, heard_context, sizeof(heard_context)), p + HOST_SIGNATURE, n);
	return crypto_sign_verify_detached(p, msg, sizeof(heard_context) + n, pk) == 0;
}

bool auth_host_cosigned(struct arena *a, const unsigned char pk[32], const char *text,
                        size_t n, const unsigned char sig[HOST_SIGNATURE])
{
	unsigned char *msg = arena_alloc(a, sizeof(cosign_context) + n);

	if (msg == NULL)
		return false;
	put(put(msg, cosign_context, sizeof(cosign_context)), text, n);
	return crypto_sign_verify_detached(sig, msg, sizeof(cosign_context) + n, pk) == 0;
}

bool auth_host_keys_ok(const unsigned char sign_pk[32], const unsigned char box_pk[32])
{
	unsigned char scalar[32] = { 1 }, shared[32];

	return crypto_core_ed25519_is_valid_point(sign_pk) == 1 &&
	       crypto_scalarmult(shared, scalar, box_pk) == 0;
}

bool auth_host_rekey_ok(const unsigned char host_id[HOST_ID], uint64_t generation,
                        const unsigned char sign_pk[32], const unsigned char box_pk[32],
                        const unsigned char sig[HOST_SIGNATURE])
{
	unsigned char msg[sizeof(rekey_context) + HOST_ID + 8 + 32 + 32], *at = msg;

	at = put(at, rekey_context, sizeof(rekey_context));
	at = put_u64(put(at, host_id, HOST_ID), generation);
	(void)put(put(at, sign_pk, 32), box_pk, 32);
	return crypto_sign_verify_detached(sig, msg, sizeof(msg), sign_pk) == 0;
}

unsigned char *auth_host_seal(struct arena *a, const unsigned char box_pk[32],
                              const void *plain, size_t n, size_t *out_len)
{
	unsigned char *sealed = arena_alloc(a, n + crypto_box_SEALBYTES);

	*out_len = n + crypto_box_SEALBYTES;
	if (sealed == NULL || crypto_box_seal(sealed, plain, n, box_pk) != 0)
		return NULL;
	return sealed;
}
