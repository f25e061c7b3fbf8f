/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KEYRING_H
#define SERVER_CORE_KEYRING_H
/*
 * keyring - the keys below the root key, and the envelope that everything sealed has.
 *
 *   shares -> unseal key -> root key -> keyring { KEK terms, token pepper, blind index,
 * audit, state MAC, checkpoint signing keys, host order key, fingerprint key }
 *
 * All members are independent random keys in key memory.  Envelope:
 *   'V' '1' | alg 1 | purpose | key term u32be | nonce 24 | ciphertext | tag 16
 * Associated data: "vault/aad/v1\0" || the first 8 bytes || (u32be length || field)*.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct keyring;
struct db;

enum seal_purpose {
	SEAL_PAYLOAD = 1,
	SEAL_DEK = 2,
	SEAL_OBJECT = 3,
	SEAL_AUDIT = 4,
	SEAL_STATE = 5,
	SEAL_KEYRING = 7,
	SEAL_SLOT = 8,
	SEAL_WRAP = 9,
	SEAL_BACKUP = 10,
	SEAL_TOKEN = 11, /* batch tokens */
};

#define ENVELOPE_OVERHEAD (8 + 24 + 16)

/* Associated data under construction: fixed size, injective. */
struct aad {
	unsigned char buf[512];
	size_t n;
	bool overflow;
};
void aad_init(struct aad *a);
void aad_bytes(struct aad *a, const void *p, size_t n);
void aad_int(struct aad *a, int64_t v);

/** envelope_seal(key, term, purpose, aad, p, n, out): out has n + ENVELOPE_OVERHEAD
 * bytes. */
void envelope_seal(const unsigned char key[32], uint32_t term, enum seal_purpose purpose,
                   const struct aad *aad, const void *p, size_t n, unsigned char *out);
/** envelope_open(key, purpose, aad, p, n, out, e): out has n - ENVELOPE_OVERHEAD bytes;
 * ERR_INTEGRITY says nothing more. */
int envelope_open(const unsigned char key[32], enum seal_purpose purpose,
                  const struct aad *aad, const void *p, size_t n, unsigned char *out,
                  struct err *e) MUST_CHECK;
/** envelope_term(p, n, term): key term of an envelope; -1 if it is none. */
int envelope_term(const void *p, size_t n, uint32_t *term);

enum key_id {
	KEY_TOKEN_PEPPER, /* keyed hash of tokens */
	KEY_BLIND,        /* blind index tags */
	KEY_AUDIT,        /* seals audit envelopes */
	KEY_AUDIT_HMAC,   /* keyed digests of correlated strings in audit records */
	KEY_STATE_MAC,
	KEY_HOST_LOGIN, /* MAC of login challenges; derives the keys of hosts' sessions */
	KEY_FINGERPRINT, /* leak packs */
	KEY__MAX
};

/** keyring_key(k, id): 32 bytes in key memory. */
const unsigned char *keyring_key(const struct keyring *k, enum key_id id);
/** keyring_kek(k, term, key): KEK of a term; term 0: the active one, *term is set.  NULL
 * if unknown. */
const unsigned char *keyring_kek(const struct keyring *k, uint32_t *term);
/** keyring_checkpoint_sign(k, msg, n, sig) / _public(k): Ed25519, signs audit
 * checkpoints. */
void keyring_checkpoint_sign(const struct keyring *k, const void *msg, size_t n,
                             unsigned char sig[64]);
const unsigned char *keyring_checkpoint_public(const struct keyring *k);
/** keyring_order_sign(k, msg, n, sig) / _public(k): Ed25519, signs answers to logins and
 * orders to hosts: the "vault key" that agents pin. */
void keyring_order_sign(const struct keyring *k, const void *msg, size_t n,
                        unsigned char sig[64]);
const unsigned char *keyring_order_public(const struct keyring *k);

/** keyring_active(k): the term that new data is sealed under. */
uint32_t keyring_active(const struct keyring *k);
/** keyring_began_ms(k): when it began (wall clock), 0 if that is not known. */
int64_t keyring_began_ms(const struct keyring *k);
/** keyring_terms(k): how many terms can be opened. */
unsigned keyring_terms(const struct keyring *k);

/** keyring_create(now_ms, out, e): fresh random keys, term 1. */
int keyring_create(int64_t now_ms, struct keyring **out, struct err *e) MUST_CHECK;
/** keyring_with_term(k, now_ms, out, e): a copy with one more term, the active one.
 * ERR_BUSY if there are as many as can be kept. */
int keyring_with_term(const struct keyring *k, int64_t now_ms, struct keyring **out,
                      struct err *e) MUST_CHECK;
/** keyring_from_term(k, oldest, out, e): a copy without the terms before ${oldest}. */
int keyring_from_term(const struct keyring *k, uint32_t oldest, struct keyring **out,
                      struct err *e) MUST_CHECK;
#define META_KEYRING "keyring" /* where the sealed blob is stored */
/** keyring_with_root(k, root, out, e): a copy that belongs to another root key. */
int keyring_with_root(const struct keyring *k, const unsigned char root[32],
                      struct keyring **out, struct err *e) MUST_CHECK;
/** keyring_seal(k, root, vault_id, out, n): the sealed blob for the database (malloc'ed,
 * caller frees).  ${k} belongs to that root key from now on. */
int keyring_seal(struct keyring *k, const unsigned char root[32],
                 const unsigned char vault_id[16], unsigned char **out, size_t *n,
                 struct err *e) MUST_CHECK;
/** keyring_reseal(k, vault_id, out, n, e): the same under the root key that it was opened
 * or sealed with last. */
int keyring_reseal(const struct keyring *k, const unsigned char vault_id[16],
                   unsigned char **out, size_t *n, struct err *e) MUST_CHECK;
int keyring_open(const unsigned char root[32], const unsigned char vault_id[16],
                 const void *blob, size_t n, struct keyring **out, struct err *e)
	MUST_CHECK;
/** keyring_free(k): wipe; NULL is allowed. */
void keyring_free(struct keyring *k);

#endif
