/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust - which of the certificates that core trusts vouch for a client's?
 *
 * Each is a trust list of its own, because core wants to know all that do.  Only those
 * whose subject is an issuer in the chain are tried, so that the cost does not grow with
 * the number of roles.
 */
#include "trust.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "vault/ipc.h"

bool datum_is(const gnutls_datum_t *x, const gnutls_datum_t *y)
{
	return x->size > 0 && x->size == y->size &&
	       memcmp(x->data, y->data, x->size) == 0;
}

/* ---- one certificate ---- */

static void anchor_free(struct anchor *an)
{
	if (an == NULL)
		return;
	gnutls_free(an->subject.data);
	gnutls_free(an->issuer.data);
	if (an->list != NULL)
		gnutls_x509_trust_list_deinit(an->list, 1);
	free(an);
}

static bool anchor_parse(struct anchor *an, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) != 0)
		return false;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) != 0 ||
	    gnutls_x509_crt_get_raw_dn(crt, &an->subject) != 0 ||
	    gnutls_x509_crt_get_raw_issuer_dn(crt, &an->issuer) != 0 ||
	    gnutls_x509_trust_list_init(&an->list, 1) != 0) {
		gnutls_x509_crt_deinit(crt);
		return false;
	}
	an->from = gnutls_x509_crt_get_activation_time(crt);
	an->until = gnutls_x509_crt_get_expiration_time(crt);
	if (gnutls_x509_trust_list_add_cas(an->list, &crt, 1, 0) != 1) {
		gnutls_x509_crt_deinit(crt);
		return false;
	}
	an->crt = crt; /* owned by the list now */
	return true;
}

static struct anchor *anchor_new(const gnutls_datum_t *der, const unsigned char *hash)
{
	struct anchor *an = calloc(1, sizeof(*an));

	if (an == NULL)
		return NULL;
	memcpy(an->hash, hash, sizeof(an->hash));
	if (anchor_parse(an, der))
		return an;
	anchor_free(an);
	log_warn("core trusts what is no certificate", LOG_N("bytes", der->size));
	return NULL;
}

/* ---- all of them ---- */

static int by_hash(const void *key, const void *element)
{
	const struct anchor *const *an = element;

	return memcmp(key, (*an)->hash, sizeof((*an)->hash));
}

static int compare(const void *p, const void *q)
{
	const struct anchor *const *an = p;

	return by_hash((*an)->hash, q);
}

static void add(struct trust *t, const gnutls_datum_t *der, const struct trust *old)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct anchor *const *known = NULL, *an;

	crypto_hash_sha256(hash, der->data, der->size);
	if (old != NULL && old->n > 0)
		known = bsearch(hash, old->at, old->n, sizeof(old->at[0]), by_hash);
	if ((an = known != NULL ? *known : anchor_new(der, hash)) == NULL)
		return;
	if (known == NULL)
		t->parsed++;
	an->held++;
	t->at[t->n++] = an;
}

/* What was sent twice counts once. */
static void sort(struct trust *t)
{
	size_t kept = 0;

	if (t->n == 0)
		return;
	qsort(t->at, t->n, sizeof(t->at[0]), compare);
	for (size_t i = 0; i < t->n; i++) {
		if (kept == 0 || compare(&t->at[kept - 1], &t->at[i]) != 0)
			t->at[kept++] = t->at[i];
		else if (--t->at[i]->held == 0)
			anchor_free(t->at[i]);
	}
	t->n = kept;
}

static bool in_bounds(const struct value *cas)
{
	size_t bytes = 0;

	if (cas == NULL || cas->type != V_ARRAY || cas->len > IPC_TRUST_CAS)
		return false;
	for (const struct value *v = cas->first; v != NULL; v = v->next)
		if (v->type != V_BYTES || (bytes += v->len) > IPC_TRUST_BYTES)
			return false;
	return true;
}

struct trust *trust_new(const struct value *set, const struct trust *old)
{
	const struct value *cas = value_get(set, "cas");
	struct trust *t;

	if (!in_bounds(cas))
		return NULL;
	t = calloc(1, sizeof(*t) + cas->len * sizeof(t->at[0]));
	if (t == NULL)
		return NULL;
	for (const struct value *v = cas->first; v != NULL; v = v->next)
		add(t, &(gnutls_datum_t){ (unsigned char *)(uintptr_t)v->text, v->len },
		    old);
	sort(t);
	return t;
}

void trust_free(struct trust *t)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		if (--t->at[i]->held == 0)
			anchor_free(t->at[i]);
	free(t);
}

size_t trust_parsed(const struct trust *t)
{
	return t->parsed;
}

/* ---- who vouches? ---- */

/* Is the anchor an issuer that one of the certificates names? */
static bool is_named(const struct anchor *an, const gnutls_datum_t *issuer, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (datum_is(&issuer[i], &an->subject))
			return true;
	return false;
}

bool anchor_verifies(const struct anchor *an, gnutls_x509_crt_t *chain, unsigned n,
                     const char *purpose)
{
	gnutls_typed_vdata_st use = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)purpose,
	};
	unsigned status = ~0u;

	return gnutls_x509_trust_list_verify_crt2(
		       an->list, chain, n, &use, purpose != NULL,
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
		const struct anchor *an = t->at[i];
		bool itself = memcmp(an->hash, leaf, sizeof(an->hash)) == 0;

		if (itself ? now < an->from || now > an->until
		           : !is_named(an, issuer, n) || ++tried > IPC_CLIENT_TRIED ||
		                     !anchor_verifies(an, chain, n,
		                                      GNUTLS_KP_TLS_WWW_CLIENT))
			continue;
		value_add(out, value_bytes(a, an->hash, sizeof(an->hash)));
	}
	for (unsigned i = 0; i < n; i++)
		gnutls_free(issuer[i].data);
	return out;
}
