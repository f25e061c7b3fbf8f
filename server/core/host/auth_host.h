/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUTH_HOST_H
#define SERVER_CORE_AUTH_HOST_H
/*
 * auth_host - the cryptography between vaultd and an agent: joining, logging in, orders,
 * sealed values.  Pure functions over bytes; knows nothing of requests or storage.
 *
 * A context is hashed or signed with its NUL.  A pin is the SHA-256 of the server's
 * public key as the agent saw it, zeros without TLS.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostbox.h"
#include "util.h"

#define HOST_ID       16u
#define JOIN_ID       16u
#define HOST_NONCE    32u
#define HOST_NONCE_MS 60000

/** auth_host_join_id(token, out): what an agent shows instead of its join token. */
void auth_host_join_id(const char *token, unsigned char out[JOIN_ID]);
/** auth_host_join_key(token, out): the key that both sides derive from the join token. */
void auth_host_join_key(const char *token, unsigned char out[32]);
/** auth_host_join_mac(key, sign_pk, box_pk, pin, out): the agent's proof that it holds
 * the token and which keys it brings. */
void auth_host_join_mac(const unsigned char key[32], const unsigned char sign_pk[32],
                        const unsigned char box_pk[32], const unsigned char pin[32],
                        unsigned char out[32]);
/** auth_host_joined_mac(key, join_mac, body, n, out): the server's proof in return, over
 * every byte of its answer and, by the proof of the request, over the keys and the pin in
 * it. */
void auth_host_joined_mac(const unsigned char key[32], const unsigned char join_mac[32],
                          const void *body, size_t n, unsigned char out[32]);

/** auth_host_nonce(key, host_id, now_ms, out): a challenge that needs no memory: time,
 * randomness, and a MAC over both and the host. */
void auth_host_nonce(const unsigned char key[32], const unsigned char host_id[HOST_ID],
                     int64_t now_ms, unsigned char out[HOST_NONCE]);
/** auth_host_nonce_ok(key, host_id, now_ms, nonce): ours, for this host, and not too old?
 */
bool auth_host_nonce_ok(const unsigned char key[32], const unsigned char host_id[HOST_ID],
                        int64_t now_ms, const unsigned char nonce[HOST_NONCE]);

/* What a login signs. */
struct host_login {
	unsigned char vault_id[16];
	unsigned char host_id[HOST_ID];
	unsigned char nonce[HOST_NONCE];
	uint64_t generation;
};
#define HOST_LOGIN_MESSAGE (20u + 16u + HOST_ID + HOST_NONCE + 8u + 32u)
/** auth_host_login_message(l, pin, out): the bytes under the signature. */
void auth_host_login_message(const struct host_login *l, const unsigned char pin[32],
                             unsigned char out[HOST_LOGIN_MESSAGE]);
/** auth_host_login_ok(l, pin, pk, sig): signed by ${pk}? */
bool auth_host_login_ok(const struct host_login *l, const unsigned char pin[32],
                        const unsigned char pk[32], const unsigned char sig[64]);

#define HOST_ORDER_MESSAGE 80u
/** auth_host_order_message(op, host_id, generation, out): the bytes of an order; returns
 * their number, 0 if ${op} is too long. */
size_t auth_host_order_message(const char *op, const unsigned char host_id[HOST_ID],
                               uint64_t generation,
                               unsigned char out[HOST_ORDER_MESSAGE]);

/* What one login is known by. */
struct host_session {
	unsigned char host_id[HOST_ID];
	unsigned char token_id[32]; /* keyed hash of the token that it brought */
	unsigned char sign_pk[32], box_pk[32];
};
/** auth_host_session_key(key, s, out): what the vault and the host share of that login;
 * derived, so that nobody has to keep it, and another one as soon as token or keys are.
 */
void auth_host_session_key(const unsigned char key[32], const struct host_session *s,
                           unsigned char out[HOSTBOX_KEY]);

/* Signs for the vault; the seam that keeps keys out of here. */
typedef void (*host_sign_fn)(const void *ctx, const void *msg, size_t n,
                             unsigned char sig[64]);
struct arena;
#define HOST_SIGNATURE 64u
/** auth_host_statement(a, sign, ctx, body, n, out_len): what the vault says to a host:
 * its signature over context and ${body}, then ${body}.  NULL if the arena refuses. */
unsigned char *auth_host_statement(struct arena *a, host_sign_fn sign, const void *ctx,
                                   const void *body, size_t n, size_t *out_len)
	MUST_CHECK;
/** auth_host_heard(a, pk, p, n): is ${p} a host's own word: its signature over context
 * and body, then the body? */
bool auth_host_heard(struct arena *a, const unsigned char pk[32], const unsigned char *p,
                     size_t n);
/** auth_host_cosigned(a, pk, text, n, sig): is ${sig} a host's co-signature of the signed
 * text of a checkpoint, its ${n} bytes without the lines of signatures? */
bool auth_host_cosigned(struct arena *a, const unsigned char pk[32], const char *text,
                        size_t n, const unsigned char sig[HOST_SIGNATURE]);
/** auth_host_keys_ok(sign_pk, box_pk): can both be used? */
bool auth_host_keys_ok(const unsigned char sign_pk[32], const unsigned char box_pk[32]);
/** auth_host_rekey_ok(host_id, generation, sign_pk, box_pk, sig): does the holder of the
 * new signing key want both to be this host's, said in this generation? */
bool auth_host_rekey_ok(const unsigned char host_id[HOST_ID], uint64_t generation,
                        const unsigned char sign_pk[32], const unsigned char box_pk[32],
                        const unsigned char sig[HOST_SIGNATURE]);
/** auth_host_seal(a, box_pk, plain, n, out_len): for the holder of ${box_pk}'s secret
 * alone. NULL if the arena refuses or the key is no point. */
unsigned char *auth_host_seal(struct arena *a, const unsigned char box_pk[32],
                              const void *plain, size_t n, size_t *out_len) MUST_CHECK;

#endif
