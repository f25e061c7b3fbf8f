/* SPDX-License-Identifier: Apache-2.0 */
/* Who has signed a revocation list, and what is parsed of what core trusts. */
#include "certs.h"

#include <sodium.h>

#include "arena.h"
#include "server/net/client_cert.h"
#include "vault/ipc.h"

static struct arena *a;
static struct cert ca, twin, middle, low, leaf, other, certs_only;

static void for_lists(gnutls_x509_crt_t crt, void *ctx)
{
	(void)ctx;
	gnutls_x509_crt_set_key_usage(crt,
	                              GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
}

static void make_ca(struct cert *c, const char *cn, const struct cert *issuer)
{
	cert_make(c, &(struct cert_options){
			     .cn = cn, .ca = true, .issuer = issuer, .more = for_lists });
}

static void setup(void)
{
	a = arena_new((size_t)64 << 20);
	make_ca(&ca, "ca", NULL);
	make_ca(&twin, "ca", NULL);
	make_ca(&other, "other", NULL);
	make_ca(&middle, "middle", &ca);
	make_ca(&low, "low", &middle);
	cert_make(&leaf, &(struct cert_options){ .cn = "leaf", .issuer = &ca });
	cert_make(&certs_only, &(struct cert_options){ .cn = "certs", .ca = true });
}

static void teardown(void)
{
	struct cert *const all[] = {
		&ca, &twin, &middle, &low, &leaf, &other, &certs_only
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		cert_free(all[i]);
	arena_free(a);
}

TestSuite(crl, .init = setup, .fini = teardown, .timeout = 60);

static struct value *set_of(const struct cert *const *certs, size_t n)
{
	struct value *set = value_object(a), *cas = value_array(a);

	for (size_t i = 0; i < n; i++)
		value_add(cas, value_bytes(a, certs[i]->der.data, certs[i]->der.size));
	value_set(set, "cas", cas);
	return set;
}

static struct trust *trusting(const struct cert *const *certs, size_t n)
{
	struct trust *t = trust_new(set_of(certs, n), NULL);

	cr_assert_not_null(t);
	return t;
}

#define TRUSTING(...)                                                  \
	trusting((const struct cert *const[]){ __VA_ARGS__ },          \
	         sizeof((const struct cert *const[]){ __VA_ARGS__ }) / \
	                 sizeof(const struct cert *))

static const char text[] = "what a list says";

/* A question about a list by ${by}, signed by the key of ${key}. */
static struct value *question(const struct cert *by, const struct cert *key)
{
	static const unsigned char ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce,
		                                      0x3d, 0x04, 0x03, 0x02 };
	gnutls_datum_t name = { NULL, 0 }, signature = { NULL, 0 };
	const gnutls_datum_t in = { (unsigned char *)(uintptr_t)text, sizeof(text) };
	struct value *v = value_object(a);
	gnutls_privkey_t k;

	cr_assert_eq(gnutls_privkey_init(&k), 0);
	cr_assert_eq(gnutls_privkey_import_x509(k, key->key, 0), 0);
	cr_assert_eq(gnutls_privkey_sign_data2(k, GNUTLS_SIGN_ECDSA_SHA256, 0, &in,
	                                       &signature),
	             0);
	cr_assert_eq(gnutls_x509_crt_get_raw_dn(by->crt, &name), 0);
	value_set_bytes(a, v, "ask", "sixteen bytes...", 16);
	value_set_bytes(a, v, "issuer", arena_dup(a, name.data, name.size), name.size);
	value_set_bytes(a, v, "signed", text, sizeof(text));
	value_set_bytes(a, v, "algorithm", ecdsa_sha256, sizeof(ecdsa_sha256));
	value_set_bytes(a, v, "signature", arena_dup(a, signature.data, signature.size),
	                signature.size);
	value_set(v, "given", value_array(a));
	gnutls_free(name.data);
	gnutls_free(signature.data);
	gnutls_privkey_deinit(k);
	return v;
}

static struct value *give(struct value *v, const struct cert *c)
{
	value_add(value_get(v, "given"), value_bytes(a, c->der.data, c->der.size));
	return v;
}

/* The verdict; a signer is named exactly if there is one, and is ${signer}. */
static int64_t judged(const struct trust *t, struct value *ask, const struct cert *signer)
{
	const struct value *v = crl_judge(t, ask, a), *who;
	unsigned char hash[32];

	cr_assert_not_null(v);
	cr_assert(value_equal(value_get(v, "ask"), value_get(ask, "ask")));
	who = value_get(v, "signer");
	if (signer == NULL) {
		cr_assert_eq(who->type, V_NULL);
	} else {
		crypto_hash_sha256(hash, signer->der.data, signer->der.size);
		cr_assert(who->len == 32 && memcmp(who->text, hash, 32) == 0);
	}
	return value_int_or(v, "verdict", 0);
}

Test(crl, by_a_trusted_authority)
{
	struct trust *t = TRUSTING(&other, &ca, &certs_only);
	struct value *v = question(&ca, &ca);

	cr_assert_eq(judged(t, v, &ca), IPC_V_SIGNED);
	cr_assert_eq(judged(t, question(&ca, &twin), NULL), IPC_V_FORGED);
	cr_assert_eq(judged(t, give(question(&twin, &twin), &twin), NULL), IPC_V_FORGED);
	cr_assert_eq(judged(t, question(&middle, &middle), NULL), IPC_V_STRANGER);
	cr_assert_eq(judged(t, question(&certs_only, &certs_only), NULL),
	             IPC_V_FORBIDDEN);
	cr_assert_eq(judged(NULL, v, NULL), IPC_V_STRANGER);
	trust_free(t);
	t = TRUSTING(&twin, &ca);
	cr_assert_eq(judged(t, question(&ca, &ca), &ca), IPC_V_SIGNED);
	cr_assert_eq(judged(t, question(&twin, &twin), &twin), IPC_V_SIGNED);
	trust_free(t);
}

Test(crl, by_one_that_comes_along)
{
	struct trust *t = TRUSTING(&ca);

	cr_assert_eq(judged(t, give(question(&middle, &middle), &middle), &middle),
	             IPC_V_SIGNED);
	cr_assert_eq(judged(t, give(question(&middle, &low), &middle), NULL),
	             IPC_V_FORGED);
	cr_assert_eq(judged(t, give(question(&low, &low), &low), NULL), IPC_V_STRANGER);
	cr_assert_eq(judged(t, give(give(question(&low, &low), &middle), &low), &low),
	             IPC_V_SIGNED);
	cr_assert_eq(judged(t, give(question(&other, &other), &other), NULL),
	             IPC_V_STRANGER);
	cr_assert_eq(judged(t, give(question(&leaf, &leaf), &leaf), NULL),
	             IPC_V_FORBIDDEN);
	trust_free(t);
}

Test(crl, by_the_issuer_of_a_trusted_one)
{
	struct trust *t = TRUSTING(&leaf, &low);

	cr_assert_eq(judged(t, question(&ca, &ca), NULL), IPC_V_STRANGER);
	cr_assert_eq(judged(t, give(question(&ca, &ca), &ca), &ca), IPC_V_SIGNED);
	cr_assert_eq(judged(t, give(question(&twin, &twin), &twin), NULL),
	             IPC_V_STRANGER);
	cr_assert_eq(judged(t, give(question(&middle, &middle), &middle), &middle),
	             IPC_V_SIGNED);
	trust_free(t);
}

Test(crl, what_is_no_question)
{
	static const char *const members[] = { "ask",       "issuer",    "signed",
		                               "algorithm", "signature", "given" };
	struct trust *t = TRUSTING(&ca);
	struct value *v = question(&ca, &ca), *few, *odd = question(&ca, &ca);

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		few = value_object(a);
		for (const struct value *m = v->first; m != NULL; m = m->next)
			if (m->key_len != strlen(members[i]) ||
			    memcmp(m->key, members[i], m->key_len) != 0)
				value_setn(few, m->key, m->key_len, value_copy(a, m));
		cr_assert_null(crl_judge(t, few, a), "%s", members[i]);
	}
	value_add(value_get(odd, "given"), value_bytes(a, "nonsense", 8));
	cr_assert_eq(judged(t, odd, &ca), IPC_V_SIGNED);
	value_get(odd, "algorithm")->len--;
	cr_assert_eq(judged(t, odd, NULL), IPC_V_ALGORITHM);
	for (unsigned i = 0; i < 5; i++)
		give(v, &middle);
	cr_assert_null(crl_judge(t, v, a), "too many certificates");
	trust_free(t);
}

/* ---- what is parsed ---- */

Test(crl, what_is_known_is_not_parsed_again)
{
	const struct cert *const first[] = { &ca, &other, &ca }, *const second[] = {
		&middle, &other, &low, &ca
	};
	struct trust *t = trust_new(set_of(first, 3), NULL), *next, *last;

	cr_assert_not_null(t);
	cr_assert_eq(trust_parsed(t), 3, "two of them are the same");
	next = trust_new(set_of(second, 4), t);
	cr_assert_eq(trust_parsed(next), 2);
	trust_free(t);
	cr_assert_eq(judged(next, question(&ca, &ca), &ca), IPC_V_SIGNED, "it is shared");
	last = trust_new(set_of(second + 1, 2), next);
	cr_assert_eq(trust_parsed(last), 0);
	trust_free(next);
	cr_assert_eq(judged(last, question(&other, &other), &other), IPC_V_SIGNED);
	cr_assert_eq(judged(last, question(&ca, &ca), NULL), IPC_V_STRANGER);
	trust_free(last);
}
