/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "keymem.h"
#include "rng.h"
#include "server/core/seal/keyring.h"

static unsigned char key[32], vault[16], root[32];

static void setup(void)
{
	struct err e;

	cr_assert(sodium_init() >= 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK);
	rng_bytes(key, sizeof(key));
	rng_bytes(vault, sizeof(vault));
	rng_bytes(root, sizeof(root));
}

TestSuite(keyring, .init = setup, .timeout = 60);

static void some_aad(struct aad *aad)
{
	aad_init(aad);
	aad_bytes(aad, "path", 4);
	aad_int(aad, 7);
}

Test(keyring, envelope_round_trips_and_hides_nothing_it_should_show)
{
	unsigned char sealed[5 + ENVELOPE_OVERHEAD], plain[5];
	struct aad aad;
	struct err e;
	uint32_t term;

	some_aad(&aad);
	envelope_seal(key, 9, SEAL_OBJECT, &aad, "hello", 5, sealed);
	cr_assert_eq(memcmp(sealed, "V1\x01\x03\x00\x00\x00\x09", 8), 0);
	cr_assert_eq(envelope_term(sealed, sizeof(sealed), &term), 0);
	cr_assert_eq(term, 9u);
	cr_assert_eq(envelope_open(key, SEAL_OBJECT, &aad, sealed, sizeof(sealed), plain,
	                           &e),
	             ERR_OK);
	cr_assert_eq(memcmp(plain, "hello", 5), 0);
}

Test(keyring, envelope_seals_and_opens_in_place)
{
	unsigned char buf[5 + ENVELOPE_OVERHEAD];
	struct aad aad;
	struct err e;

	some_aad(&aad);
	memcpy(buf + 32, "hello", 5);
	envelope_seal(key, 1, SEAL_OBJECT, &aad, buf + 32, 5, buf);
	cr_assert_neq(memcmp(buf + 32, "hello", 5), 0);
	cr_assert_eq(envelope_open(key, SEAL_OBJECT, &aad, buf, sizeof(buf), buf + 32,
	                           &e),
	             ERR_OK);
	cr_assert_eq(memcmp(buf + 32, "hello", 5), 0);
}

Test(keyring, every_flipped_bit_of_an_envelope_is_noticed)
{
	unsigned char sealed[40 + ENVELOPE_OVERHEAD], plain[40] = { 1, 2, 3 }, out[40];
	struct aad aad;
	struct err e;

	some_aad(&aad);
	envelope_seal(key, 1, SEAL_OBJECT, &aad, plain, sizeof(plain), sealed);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		cr_assert_eq(envelope_open(key, SEAL_OBJECT, &aad, sealed, sizeof(sealed),
		                           out, &e),
		             ERR_INTEGRITY, "bit %zu", bit);
		sealed[bit / 8] ^= (unsigned char)(1u << (bit % 8));
	}
	for (size_t n = 0; n < sizeof(sealed); n++)
		cr_assert_eq(envelope_open(key, SEAL_OBJECT, &aad, sealed, n, out, &e),
		             ERR_INTEGRITY, "cut to %zu", n);
}

Test(keyring, envelope_is_bound_to_key_purpose_and_data)
{
	unsigned char sealed[5 + ENVELOPE_OVERHEAD], other[32], out[5];
	struct aad aad, wrong;
	struct err e;

	some_aad(&aad);
	some_aad(&wrong);
	aad_int(&wrong, 0);
	rng_bytes(other, sizeof(other));
	envelope_seal(key, 1, SEAL_OBJECT, &aad, "hello", 5, sealed);
	cr_assert_eq(envelope_open(other, SEAL_OBJECT, &aad, sealed, sizeof(sealed), out,
	                           &e),
	             ERR_INTEGRITY);
	cr_assert_eq(envelope_open(key, SEAL_DEK, &aad, sealed, sizeof(sealed), out, &e),
	             ERR_INTEGRITY);
	cr_assert_eq(envelope_open(key, SEAL_OBJECT, &wrong, sealed, sizeof(sealed), out,
	                           &e),
	             ERR_INTEGRITY);
}

Test(keyring, nonces_do_not_repeat)
{
	unsigned char one[ENVELOPE_OVERHEAD], two[ENVELOPE_OVERHEAD];
	struct aad aad;

	some_aad(&aad);
	envelope_seal(key, 1, SEAL_OBJECT, &aad, "", 0, one);
	envelope_seal(key, 1, SEAL_OBJECT, &aad, "", 0, two);
	cr_assert_neq(memcmp(one + 8, two + 8, 24), 0);
}

Test(keyring, associated_data_is_injective)
{
	struct aad a, b;

	aad_init(&a);
	aad_bytes(&a, "ab", 2);
	aad_bytes(&a, "c", 1);
	aad_init(&b);
	aad_bytes(&b, "a", 1);
	aad_bytes(&b, "bc", 2);
	cr_assert(a.n != b.n || memcmp(a.buf, b.buf, a.n) != 0);
	/* Prefix, header, then u32be length and bytes: as documented. */
	cr_assert_eq(a.n, 13u + 8 + 4 + 2 + 4 + 1);
	cr_assert_eq(memcmp(a.buf, "vault/aad/v1\0\0\0\0\0\0\0\0\0\0\0\0\2ab\0\0\0\1c",
	                    a.n),
	             0);
}

Test(keyring, too_much_associated_data_never_opens)
{
	unsigned char sealed[ENVELOPE_OVERHEAD], big[600] = { 0 };
	struct aad good, bad;
	struct err e;

	aad_init(&good);
	envelope_seal(key, 1, SEAL_OBJECT, &good, "", 0, sealed);
	aad_init(&bad);
	aad_bytes(&bad, big, sizeof(big));
	cr_assert(bad.overflow);
	cr_assert_eq(envelope_open(key, SEAL_OBJECT, &bad, sealed, sizeof(sealed), big,
	                           &e),
	             ERR_INTEGRITY);
}

static struct keyring *fresh(void)
{
	struct keyring *k = NULL;
	struct err e;

	cr_assert_eq(keyring_create(1000, &k, &e), ERR_OK, "%s", e.msg);
	return k;
}

static int same_keys(const struct keyring *a, const struct keyring *b)
{
	unsigned char sig[64];
	uint32_t ta = 0, tb = 0;
	int same = 1;

	for (int i = 0; i < KEY__MAX; i++)
		same &= memcmp(keyring_key(a, (enum key_id)i),
		               keyring_key(b, (enum key_id)i), 32) == 0;
	same &= memcmp(keyring_kek(a, &ta), keyring_kek(b, &tb), 32) == 0 && ta == tb;
	keyring_checkpoint_sign(a, "m", 1, sig);
	same &= crypto_sign_verify_detached(sig, (const unsigned char *)"m", 1,
	                                    keyring_checkpoint_public(b)) == 0;
	keyring_order_sign(a, "m", 1, sig);
	same &= crypto_sign_verify_detached(sig, (const unsigned char *)"m", 1,
	                                    keyring_order_public(b)) == 0;
	return same;
}

Test(keyring, comes_back_whole_from_its_blob)
{
	struct keyring *k = fresh(), *back = NULL;
	unsigned char *blob;
	struct err e;
	size_t n;

	cr_assert_eq(keyring_seal(k, root, vault, &blob, &n, &e), ERR_OK);
	cr_assert_eq(keyring_open(root, vault, blob, n, &back, &e), ERR_OK, "%s", e.msg);
	cr_assert(same_keys(k, back));
	for (int i = 0; i < KEY__MAX; i++)
		cr_assert_eq(memmem(blob, n, keyring_key(k, (enum key_id)i), 32), NULL);
	keyring_free(k);
	keyring_free(back);
	free(blob);
}

Test(keyring, opens_with_its_root_key_in_its_vault_alone)
{
	struct keyring *k = fresh(), *back = NULL;
	unsigned char *blob, other[32];
	struct err e;
	size_t n;

	rng_bytes(other, sizeof(other));
	cr_assert_eq(keyring_seal(k, root, vault, &blob, &n, &e), ERR_OK);
	cr_assert_eq(keyring_open(other, vault, blob, n, &back, &e), ERR_INTEGRITY);
	cr_assert_eq(keyring_open(root, other, blob, n, &back, &e), ERR_INTEGRITY);
	cr_assert_eq(keyring_open(root, vault, blob, n - 1, &back, &e), ERR_INTEGRITY);
	cr_assert_eq(keyring_open(root, vault, blob, 0, &back, &e), ERR_INTEGRITY);
	cr_assert_eq(back, NULL);
	keyring_free(k);
	free(blob);
}

Test(keyring, members_are_independent)
{
	struct keyring *k = fresh(), *l = fresh();
	uint32_t unknown = 2;

	for (int i = 0; i < KEY__MAX; i++) {
		cr_assert_neq(memcmp(keyring_key(k, (enum key_id)i),
		                     keyring_key(l, (enum key_id)i), 32),
		              0);
		for (int j = 0; j < i; j++)
			cr_assert_neq(memcmp(keyring_key(k, (enum key_id)i),
			                     keyring_key(k, (enum key_id)j), 32),
			              0);
	}
	cr_assert_eq(keyring_kek(k, &unknown), NULL);
	keyring_free(k);
	keyring_free(l);
}
