/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust - which of the certificates that core trusts vouch for a client's?
 *
 * Each is a trust list of its own, because core wants to know all that do.  Only those
 * whose subject is an issuer in the chain are tried, so that the cost does not grow with
 * the number of roles.
 */
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "trust.h"
#include "vault/ipc.h"

struct anchor {
	unsigned char hash[crypto_hash_sha256_BYTES]; /* of its DER */
	gnutls_datum_t subject;                       /* DER of the name */
	time_t from, until;
	gnutls_x509_trust_list_t list;
};

struct trust {
	size_t n;
	struct anchor at[];
};

static bool anchor_open(struct anchor *an, const struct value *der)
{
	gnutls_datum_t in = { (unsigned char *)(uintptr_t)der->text, der->len };
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) != 0)
		return false;
	if (gnutls_x509_crt_import(crt, &in, GNUTLS_X509_FMT_DER) != 0 ||
	    gnutls_x509_crt_get_raw_dn(crt, &an->subject) != 0 ||
	    gnutls_x509_trust_list_init(&an->list, 1) != 0) {
		gnutls_x509_crt_deinit(crt);
		return false;
	}
	an->from = gnutls_x509_crt_get_activation_time(crt);
	an->until = gnutls_x509_crt_get_expiration_time(crt);
	crypto_hash_sha256(an->hash, in.data, in.size);
	if (gnutls_x509_trust_list_add_cas(an->list, &crt, 1, 0) == 1)
		return true; /* owns crt now */
	gnutls_x509_crt_deinit(crt);
	return false;
}

static void anchor_close(struct anchor *an)
{
	gnutls_free(an->subject.data);
	if (an->list != NULL)
		gnutls_x509_trust_list_deinit(an->list, 1);
	memset(an, 0, sizeof(*an));
}

struct trust *trust_new(const struct value *set)
{
	const struct value *cas = value_get(set, "cas");
	struct trust *t;
	size_t bytes = 0;

	if (cas == NULL || cas->type != V_ARRAY || cas->len > IPC_TRUST_CAS)
		return NULL;
	t = calloc(1, sizeof(*t) + cas->len * sizeof(t->at[0]));
	if (t == NULL)
		return NULL;
	for (const struct value *v = cas->first; v != NULL; v = v->next) {
		if (v->type != V_BYTES || (bytes += v->len) > IPC_TRUST_BYTES) {
			trust_free(t);
			return NULL;
		}
		if (anchor_open(&t->at[t->n], v)) {
			t->n++;
		} else {
			anchor_close(&t->at[t->n]);
			log_warn("core trusts what is no certificate",
			         LOG_N("bytes", v->len));
		}
	}
	return t;
}

void trust_free(struct trust *t)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		anchor_close(&t->at[i]);
	free(t);
}

/* Is the anchor an issuer that one of the certificates names? */
static bool is_named(const struct anchor *an, const gnutls_datum_t *issuer, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (issuer[i].size > 0 && issuer[i].size == an->subject.size &&
		    memcmp(issuer[i].data, an->subject.data, an->subject.size) == 0)
			return true;
	return false;
}

static bool verifies(const struct anchor *an, gnutls_x509_crt_t *chain, unsigned n)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned status = ~0u;

	return gnutls_x509_trust_list_verify_crt2(
		       an->list, chain, n, &purpose, 1,
		       GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status,
		       NULL) == 0 &&
	       status == 0;
}

struct value *trust_judge(const struct trust *t, gnutls_x509_crt_t *chain, unsigned n,
                          const unsigned char leaf[32], time_t now, struct arena *a)
{
	gnutls_datum_t issuer[IPC_CLIENT_CHAIN] = {
		{NULL, 0}
	};
	struct value *out = value_array(a);
	unsigned tried = 0;

	for (unsigned i = 0; i < n; i++)
		if (gnutls_x509_crt_get_raw_issuer_dn(chain[i], &issuer[i]) != 0)
			issuer[i] = (gnutls_datum_t){ NULL, 0 };
	for (size_t i = 0; t != NULL && i < t->n; i++) {
		const struct anchor *an = &t->at[i];
		bool itself = memcmp(an->hash, leaf, sizeof(an->hash)) == 0;

		if (itself ? now < an->from || now > an->until
		           : !is_named(an, issuer, n) || ++tried > IPC_CLIENT_TRIED ||
		                     !verifies(an, chain, n))
			continue;
		value_add(out, value_bytes(a, an->hash, sizeof(an->hash)));
	}
	for (unsigned i = 0; i < n; i++)
		gnutls_free(issuer[i].data);
	return out;
}
