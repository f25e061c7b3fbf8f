/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "keymem.h"
#include "rng.h"

#define TERMS_MAX  64u
#define FORMAT     2u
#define FORMAT_OLD 1u /* says of no term when it began */

struct kek {
	uint32_t term;
	int64_t began_ms; /* wall clock, 0: not known */
	unsigned char key[32];
};

/* Lives in key memory as a whole. */
struct keyring {
	uint32_t active;
	uint32_t terms;
	struct kek kek[TERMS_MAX];
	unsigned char key[KEY__MAX][32];
	unsigned char checkpoint[crypto_sign_SECRETKEYBYTES]; /* seed || public key */
	unsigned char order[crypto_sign_SECRETKEYBYTES];
	unsigned char seal[32]; /* seals the blob: of the root key, which is not kept */
};

/*
 * The plaintext of the sealed blob:
 *   u32 format | u32 active term | u32 terms | u32 keys |
 *   (u32 term, u64 began, key 32) per term | key 32 per key | checkpoint seed 32 |
 *   order seed 32
 */
#define BLOB_HEAD     16u
#define BLOB_TERM     44u
#define BLOB_TERM_OLD 36u
#define BLOB_MAX      (BLOB_HEAD + TERMS_MAX * BLOB_TERM + KEY__MAX * 32 + 64)

const unsigned char *keyring_key(const struct keyring *k, enum key_id id)
{
	return k->key[id];
}

const unsigned char *keyring_kek(const struct keyring *k, uint32_t *term)
{
	if (*term == 0)
		*term = k->active;
	for (uint32_t i = 0; i < k->terms; i++)
		if (k->kek[i].term == *term)
			return k->kek[i].key;
	return NULL;
}

uint32_t keyring_active(const struct keyring *k)
{
	return k->active;
}

int64_t keyring_began_ms(const struct keyring *k)
{
	for (uint32_t i = 0; i < k->terms; i++)
		if (k->kek[i].term == k->active)
			return k->kek[i].began_ms;
	return 0;
}

unsigned keyring_terms(const struct keyring *k)
{
	return k->terms;
}

void keyring_checkpoint_sign(const struct keyring *k, const void *msg, size_t n,
                             unsigned char sig[64])
{
	(void)crypto_sign_detached(sig, NULL, msg, n, k->checkpoint);
}

const unsigned char *keyring_checkpoint_public(const struct keyring *k)
{
	return k->checkpoint + 32;
}

void keyring_order_sign(const struct keyring *k, const void *msg, size_t n,
                        unsigned char sig[64])
{
	(void)crypto_sign_detached(sig, NULL, msg, n, k->order);
}

const unsigned char *keyring_order_public(const struct keyring *k)
{
	return k->order + 32;
}

static struct keyring *keyring_alloc(struct err *e)
{
	struct keyring *k = keymem_alloc(sizeof(*k));

	if (k == NULL)
		err_set(e, ERR_NOMEM, "key memory is exhausted");
	return k;
}

static void sign_key_from_seed(unsigned char sk[64], const unsigned char seed[32])
{
	unsigned char pk[32];

	(void)crypto_sign_seed_keypair(pk, sk, seed);
}

static void sign_key_random(unsigned char sk[64])
{
	unsigned char seed[32];

	rng_bytes(seed, sizeof(seed));
	sign_key_from_seed(sk, seed);
	sodium_memzero(seed, sizeof(seed));
}

int keyring_create(int64_t now_ms, struct keyring **out, struct err *e)
{
	struct keyring *k = keyring_alloc(e);

	if (k == NULL)
		return ERR_NOMEM;
	k->active = 1;
	k->terms = 1;
	k->kek[0].term = 1;
	k->kek[0].began_ms = now_ms;
	rng_bytes(k->kek[0].key, 32);
	rng_bytes(k->key, sizeof(k->key));
	sign_key_random(k->checkpoint);
	sign_key_random(k->order);
	*out = k;
	return ERR_OK;
}

static int copy_of(const struct keyring *k, struct keyring **out, struct err *e)
{
	struct keyring *copy = keyring_alloc(e);

	if (copy == NULL)
		return ERR_NOMEM;
	*copy = *k;
	*out = copy;
	return ERR_OK;
}

int keyring_with_term(const struct keyring *k, int64_t now_ms, struct keyring **out,
                      struct err *e)
{
	struct keyring *n;
	struct kek *kek;

	if (k->terms == TERMS_MAX)
		return err_set(e, ERR_BUSY,
		               "%u key terms are in use: rows of the oldest are still "
		               "being sealed anew",
		               TERMS_MAX);
	if (copy_of(k, &n, e) != ERR_OK)
		return ERR_NOMEM;
	kek = &n->kek[n->terms++];
	kek->term = ++n->active;
	kek->began_ms = now_ms;
	rng_bytes(kek->key, sizeof(kek->key));
	*out = n;
	return ERR_OK;
}

int keyring_from_term(const struct keyring *k, uint32_t oldest, struct keyring **out,
                      struct err *e)
{
	struct keyring *n;

	if (copy_of(k, &n, e) != ERR_OK)
		return ERR_NOMEM;
	n->terms = 0;
	sodium_memzero(n->kek, sizeof(n->kek));
	for (uint32_t i = 0; i < k->terms; i++)
		if (k->kek[i].term >= oldest || k->kek[i].term == k->active)
			n->kek[n->terms++] = k->kek[i];
	*out = n;
	return ERR_OK;
}

static void put_u32(unsigned char **p, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*(*p)++ = (unsigned char)(v >> shift);
}

static uint32_t get_u32(const unsigned char **p)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | *(*p)++;
	return v;
}

static void put_i64(unsigned char **p, int64_t v)
{
	put_u32(p, (uint32_t)((uint64_t)v >> 32));
	put_u32(p, (uint32_t)(uint64_t)v);
}

static int64_t get_i64(const unsigned char **p)
{
	uint64_t high = get_u32(p);

	return (int64_t)(high << 32 | get_u32(p));
}

static void put_bytes(unsigned char **p, const void *from, size_t n)
{
	memcpy(*p, from, n);
	*p += n;
}

static void get_bytes(const unsigned char **p, void *to, size_t n)
{
	memcpy(to, *p, n);
	*p += n;
}

static size_t pack(const struct keyring *k, unsigned char *out)
{
	unsigned char *p = out;

	put_u32(&p, FORMAT);
	put_u32(&p, k->active);
	put_u32(&p, k->terms);
	put_u32(&p, KEY__MAX);
	for (uint32_t i = 0; i < k->terms; i++) {
		put_u32(&p, k->kek[i].term);
		put_i64(&p, k->kek[i].began_ms);
		put_bytes(&p, k->kek[i].key, 32);
	}
	put_bytes(&p, k->key, sizeof(k->key));
	put_bytes(&p, k->checkpoint, 32);
	put_bytes(&p, k->order, 32);
	return (size_t)(p - out);
}

static int unpack(struct keyring *k, const unsigned char *p, size_t n)
{
	uint32_t format, keys, each;

	if (n < BLOB_HEAD)
		return -1;
	format = get_u32(&p);
	k->active = get_u32(&p);
	k->terms = get_u32(&p);
	keys = get_u32(&p);
	each = format == FORMAT_OLD ? BLOB_TERM_OLD : BLOB_TERM;
	if ((format != FORMAT && format != FORMAT_OLD) || k->terms < 1 ||
	    k->terms > TERMS_MAX || keys != KEY__MAX ||
	    n != BLOB_HEAD + k->terms * each + keys * 32 + 64)
		return -1;
	for (uint32_t i = 0; i < k->terms; i++) {
		k->kek[i].term = get_u32(&p);
		k->kek[i].began_ms = format == FORMAT_OLD ? 0 : get_i64(&p);
		get_bytes(&p, k->kek[i].key, 32);
	}
	get_bytes(&p, k->key, sizeof(k->key));
	sign_key_from_seed(k->checkpoint, p);
	sign_key_from_seed(k->order, p + 32);
	return 0;
}

static void blob_key(const unsigned char root[32], unsigned char out[32])
{
	(void)crypto_kdf_derive_from_key(out, 32, 1, "vltkeyrg", root);
}

static void blob_aad(struct aad *aad, const unsigned char vault_id[16], uint32_t format)
{
	aad_init(aad);
	aad_bytes(aad, vault_id, 16);
	aad_int(aad, format);
}

int keyring_with_root(const struct keyring *k, const unsigned char root[32],
                      struct keyring **out, struct err *e)
{
	if (copy_of(k, out, e) != ERR_OK)
		return ERR_NOMEM;
	blob_key(root, (*out)->seal);
	return ERR_OK;
}

int keyring_seal(struct keyring *k, const unsigned char root[32],
                 const unsigned char vault_id[16], unsigned char **out, size_t *n,
                 struct err *e)
{
	blob_key(root, k->seal);
	return keyring_reseal(k, vault_id, out, n, e);
}

int keyring_reseal(const struct keyring *k, const unsigned char vault_id[16],
                   unsigned char **out, size_t *n, struct err *e)
{
	unsigned char *plain = keymem_alloc(BLOB_MAX), *sealed = NULL;
	struct aad aad;
	size_t len;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	len = pack(k, plain);
	sealed = malloc(len + ENVELOPE_OVERHEAD);
	if (sealed != NULL) {
		blob_aad(&aad, vault_id, FORMAT);
		envelope_seal(k->seal, 0, SEAL_KEYRING, &aad, plain, len, sealed);
		*out = sealed;
		*n = len + ENVELOPE_OVERHEAD;
	}
	keymem_free(plain, BLOB_MAX);
	return sealed != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

static int open_blob(const unsigned char root[32], const unsigned char vault_id[16],
                     const void *blob, size_t n, struct keyring *k, struct err *e)
{
	unsigned char *plain = keymem_alloc(BLOB_MAX);
	struct aad aad;
	int rc;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	blob_key(root, k->seal);
	blob_aad(&aad, vault_id, FORMAT);
	rc = envelope_open(k->seal, SEAL_KEYRING, &aad, blob, n, plain, e);
	if (rc != ERR_OK) {
		blob_aad(&aad, vault_id, FORMAT_OLD);
		rc = envelope_open(k->seal, SEAL_KEYRING, &aad, blob, n, plain, e);
	}
	if (rc == ERR_OK && unpack(k, plain, n - ENVELOPE_OVERHEAD) != 0)
		rc = err_set(e, ERR_INTEGRITY, "the keyring has another form");
	keymem_free(plain, BLOB_MAX);
	return rc;
}

int keyring_open(const unsigned char root[32], const unsigned char vault_id[16],
                 const void *blob, size_t n, struct keyring **out, struct err *e)
{
	struct keyring *k;
	int rc;

	if (n < ENVELOPE_OVERHEAD || n > BLOB_MAX + ENVELOPE_OVERHEAD)
		return err_set(e, ERR_INTEGRITY, "the keyring has another form");
	k = keyring_alloc(e);
	if (k == NULL)
		return ERR_NOMEM;
	rc = open_blob(root, vault_id, blob, n, k, e);
	if (rc != ERR_OK) {
		keyring_free(k);
		return err_wrap(e, "keyring");
	}
	*out = k;
	return ERR_OK;
}

void keyring_free(struct keyring *k)
{
	keymem_free(k, sizeof(*k));
}
