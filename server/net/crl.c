/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl - who has signed a revocation list?
 *
 * core has taken the list apart; what is verified here is one signature over bytes.  The
 * list itself is not parsed, which would cost the library a hundred times its size.
 */
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>

#include "trust.h"
#include "util.h"
#include "vault/ipc.h"
#include "vault/limits.h"

/* Signatures that are accepted, by the content of their object identifiers. */
static const struct {
	unsigned char oid[10], n;
	gnutls_sign_algorithm_t algorithm;
} algorithms[] = {
	{{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b },
         9,	                                                    GNUTLS_SIGN_RSA_SHA256   },
	{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c },
         9,	                                                    GNUTLS_SIGN_RSA_SHA384   },
	{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d },
         9,	                                                    GNUTLS_SIGN_RSA_SHA512   },
	{ { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 },
         8,	                                                    GNUTLS_SIGN_ECDSA_SHA256 },
	{ { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 },
         8,	                                                    GNUTLS_SIGN_ECDSA_SHA384 },
	{ { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 },
         8,	                                                    GNUTLS_SIGN_ECDSA_SHA512 },
	{ { 0x2b, 0x65, 0x70 },				     3, GNUTLS_SIGN_EDDSA_ED25519},
};

struct list {
	gnutls_datum_t issuer, text, signature;
	gnutls_sign_algorithm_t algorithm;
	gnutls_x509_crt_t given[LIMIT_CRL_GIVEN];
	gnutls_datum_t der[LIMIT_CRL_GIVEN];
	unsigned n;     /* given */
	unsigned tried; /* signatures, of the list or of certificates */
};

static bool take_bytes(const struct value *ask, const char *key, gnutls_datum_t *out)
{
	const struct value *v = value_get(ask, key);

	if (v == NULL || v->type != V_BYTES || v->len == 0)
		return false;
	*out = (gnutls_datum_t){ (unsigned char *)(uintptr_t)v->text, v->len };
	return true;
}

static gnutls_sign_algorithm_t algorithm_of(const gnutls_datum_t *oid)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (oid->size == algorithms[i].n &&
		    memcmp(oid->data, algorithms[i].oid, oid->size) == 0)
			return algorithms[i].algorithm;
	return GNUTLS_SIGN_UNKNOWN;
}

/* What is no certificate, or has a key that clients may not have, helps nobody. */
static bool take_given(struct list *l, const struct value *given)
{
	if (given == NULL || given->type != V_ARRAY || given->len > LIMIT_CRL_GIVEN)
		return false;
	for (const struct value *v = given->first; v != NULL; v = v->next) {
		gnutls_datum_t *der = &l->der[l->n];

		if (v->type != V_BYTES)
			return false;
		*der = (gnutls_datum_t){ (unsigned char *)(uintptr_t)v->text, v->len };
		if (!client_key_ok(der) || gnutls_x509_crt_init(&l->given[l->n]) != 0)
			continue;
		if (gnutls_x509_crt_import(l->given[l->n], der, GNUTLS_X509_FMT_DER) == 0)
			l->n++;
		else
			gnutls_x509_crt_deinit(l->given[l->n]);
	}
	return true;
}

static bool may_try(struct list *l)
{
	return l->tried++ < IPC_CLIENT_TRIED;
}

/* Does the certificate allow its key to sign revocation lists? */
static bool may_sign(gnutls_x509_crt_t crt)
{
	unsigned usage = 0, critical, ca = 0;
	int rc = gnutls_x509_crt_get_key_usage(crt, &usage, &critical);

	if (gnutls_x509_crt_get_basic_constraints(crt, &critical, &ca, NULL) < 0 || !ca)
		return false;
	return rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
	       (rc == 0 && (usage & GNUTLS_KEY_CRL_SIGN) != 0);
}

static bool has_signed(struct list *l, gnutls_x509_crt_t crt)
{
	gnutls_pubkey_t key;
	bool ok;

	if (!may_try(l) || gnutls_pubkey_init(&key) != 0)
		return false;
	ok = gnutls_pubkey_import_x509(key, crt, 0) == 0 &&
	     gnutls_pubkey_verify_data2(key, l->algorithm, 0, &l->text, &l->signature) >=
	             0;
	gnutls_pubkey_deinit(key);
	return ok;
}

static bool has_issued(struct list *l, gnutls_x509_crt_t ca, const struct anchor *an)
{
	unsigned status = ~0u;

	return may_try(l) &&
	       gnutls_x509_crt_verify(
		       an->crt, &ca, 1,
		       GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
			       GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM),
		       &status) == 0 &&
	       status == 0;
}

/* The certificates given, ${first} in front: a chain as the library wants it. */
static unsigned chain_from(const struct list *l, unsigned first,
                           gnutls_x509_crt_t chain[LIMIT_CRL_GIVEN])
{
	unsigned n = 0;

	chain[n++] = l->given[first];
	for (unsigned i = 0; i < l->n; i++)
		if (i != first)
			chain[n++] = l->given[i];
	return n;
}

/* Is it the issuer of a trusted certificate, or vouched for by one? */
static bool is_known(struct list *l, const struct trust *t, unsigned i,
                     const gnutls_datum_t *subject)
{
	gnutls_x509_crt_t chain[LIMIT_CRL_GIVEN];
	unsigned n = chain_from(l, i, chain);

	for (size_t k = 0; t != NULL && k < t->n; k++) {
		const struct anchor *an = t->at[k];

		if (datum_is(&an->issuer, subject) && has_issued(l, l->given[i], an))
			return true;
		for (unsigned c = 0; c < n; c++) {
			gnutls_datum_t issuer = { NULL, 0 };
			bool named;

			if (gnutls_x509_crt_get_raw_issuer_dn(chain[c], &issuer) != 0)
				continue;
			named = datum_is(&issuer, &an->subject);
			gnutls_free(issuer.data);
			if (named && may_try(l) && anchor_verifies(an, chain, n, NULL))
				return true;
		}
	}
	return false;
}

static bool is_issuer(struct list *l, const struct trust *t, unsigned i)
{
	gnutls_datum_t subject = { NULL, 0 };
	bool is;

	if (gnutls_x509_crt_get_raw_dn(l->given[i], &subject) != 0)
		return false;
	is = datum_is(&subject, &l->issuer) && is_known(l, t, i, &subject);
	gnutls_free(subject.data);
	return is;
}

/* The verdict, with the digest of the signer if there is one. */
static enum ipc_verdict try_given(struct list *l, const struct trust *t,
                                  unsigned char signer[crypto_hash_sha256_BYTES])
{
	enum ipc_verdict verdict = IPC_V_STRANGER;

	for (unsigned i = 0; i < l->n; i++) {
		if (!is_issuer(l, t, i))
			continue;
		if (!may_sign(l->given[i])) {
			verdict = IPC_V_FORBIDDEN;
		} else if (has_signed(l, l->given[i])) {
			crypto_hash_sha256(signer, l->der[i].data, l->der[i].size);
			return IPC_V_SIGNED;
		} else {
			verdict = IPC_V_FORGED;
		}
	}
	return verdict;
}

static enum ipc_verdict judge(struct list *l, const struct trust *t,
                              unsigned char signer[crypto_hash_sha256_BYTES])
{
	enum ipc_verdict verdict = IPC_V_STRANGER, given;

	if (l->algorithm == GNUTLS_SIGN_UNKNOWN)
		return IPC_V_ALGORITHM;
	for (size_t i = 0; t != NULL && i < t->n; i++) {
		const struct anchor *an = t->at[i];

		if (!datum_is(&an->subject, &l->issuer))
			continue;
		if (!may_sign(an->crt)) {
			verdict = IPC_V_FORBIDDEN;
			continue;
		}
		if (has_signed(l, an->crt)) {
			memcpy(signer, an->hash, sizeof(an->hash));
			return IPC_V_SIGNED;
		}
		verdict = IPC_V_FORGED;
	}
	given = try_given(l, t, signer);
	return given == IPC_V_STRANGER ? verdict : given;
}

static struct value *answer(struct arena *a, const struct value *ask,
                            enum ipc_verdict verdict, const unsigned char *signer)
{
	struct value *v = value_object(a);

	value_set(v, "ask", value_copy(a, value_get(ask, "ask")));
	value_set_int(a, v, "verdict", (int64_t)verdict);
	value_set(v, "signer",
	          verdict == IPC_V_SIGNED ? value_bytes(a, arena_dup(a, signer, 32), 32)
	                                  : value_null(a));
	return arena_failed(a) ? NULL : v;
}

struct value *crl_judge(const struct trust *t, const struct value *ask, struct arena *a)
{
	struct list l = { .n = 0 };
	gnutls_datum_t ticket, oid;
	unsigned char signer[crypto_hash_sha256_BYTES];
	struct value *v = NULL;

	if (take_bytes(ask, "ask", &ticket) && take_bytes(ask, "issuer", &l.issuer) &&
	    take_bytes(ask, "signed", &l.text) && take_bytes(ask, "algorithm", &oid) &&
	    take_bytes(ask, "signature", &l.signature) &&
	    take_given(&l, value_get(ask, "given"))) {
		l.algorithm = algorithm_of(&oid);
		v = answer(a, ask, judge(&l, t, signer), signer);
	}
	for (unsigned i = 0; i < l.n; i++)
		gnutls_x509_crt_deinit(l.given[i]);
	return v;
}
