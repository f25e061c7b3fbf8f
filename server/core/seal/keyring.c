/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "keymem.h"
#include "rng.h"

#define TERMS_MAX 64u
#define FORMAT    1u

struct kek {
	uint32_t term;
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
};

/*
 * The plaintext of the sealed blob:
 *   u32 format | u32 active term | u32 terms | u32 keys |
 *   (u32 term, key 32) per term | key 32 per key | checkpoint seed 32 | order seed 32
 */
#define BLOB_HEAD 16u
#define BLOB_MAX  (BLOB_HEAD + TERMS_MAX * 36 + KEY__MAX * 32 + 64)

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

int keyring_create(struct keyring **out, struct err *e)
{
	struct keyring *k = keyring_alloc(e);

	if (k == NULL)
		return ERR_NOMEM;
	k->active = 1;
	k->terms = 1;
	k->kek[0].term = 1;
	rng_bytes(k->kek[0].key, 32);
	rng_bytes(k->key, sizeof(k->key));
	sign_key_random(k->checkpoint);
	sign_key_random(k->order);
	*out = k;
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
		put_bytes(&p, k->kek[i].key, 32);
	}
	put_bytes(&p, k->key, sizeof(k->key));
	put_bytes(&p, k->checkpoint, 32);
	put_bytes(&p, k->order, 32);
	return (size_t)(p - out);
}

static int unpack(struct keyring *k, const unsigned char *p, size_t n)
{
	uint32_t format, keys;

	if (n < BLOB_HEAD)
		return -1;
	format = get_u32(&p);
	k->active = get_u32(&p);
	k->terms = get_u32(&p);
	keys = get_u32(&p);
	if (format != FORMAT || k->terms < 1 || k->terms > TERMS_MAX ||
	    keys != KEY__MAX || n != BLOB_HEAD + k->terms * 36 + keys * 32 + 64)
		return -1;
	for (uint32_t i = 0; i < k->terms; i++) {
		k->kek[i].term = get_u32(&p);
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

static void blob_aad(struct aad *aad, const unsigned char vault_id[16])
{
	aad_init(aad);
	aad_bytes(aad, vault_id, 16);
	aad_int(aad, FORMAT);
}

int keyring_seal(const struct keyring *k, const unsigned char root[32],
                 const unsigned char vault_id[16], unsigned char **out, size_t *n,
                 struct err *e)
{
	unsigned char *plain = keymem_alloc(BLOB_MAX), *sealed = NULL;
	unsigned char key[32];
	struct aad aad;
	size_t len;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	len = pack(k, plain);
	sealed = malloc(len + ENVELOPE_OVERHEAD);
	if (sealed != NULL) {
		blob_key(root, key);
		blob_aad(&aad, vault_id);
		envelope_seal(key, 0, SEAL_KEYRING, &aad, plain, len, sealed);
		sodium_memzero(key, sizeof(key));
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
	unsigned char key[32];
	struct aad aad;
	int rc;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	blob_key(root, key);
	blob_aad(&aad, vault_id);
	rc = envelope_open(key, SEAL_KEYRING, &aad, blob, n, plain, e);
	sodium_memzero(key, sizeof(key));
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
