/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_NET_CERTS_H
#define TESTS_UNIT_NET_CERTS_H
/* certs - certificates made on the spot: authorities, servers, clients, and odd ones. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#include "util.h"

struct cert {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der, pem, key_pem;
};

struct cert_options {
	const char *cn;
	bool ca;
	int64_t from, until;       /* seconds from now; both 0: an hour each way */
	const struct cert *issuer; /* NULL: itself */
	/* more, before it is signed */
	void (*more)(gnutls_x509_crt_t crt, void *ctx);
	void *ctx;
};

static inline void cert_make(struct cert *c, const struct cert_options *o)
{
	static unsigned char serial = 0x10;
	const struct cert *by = o->issuer != NULL ? o->issuer : c;
	time_t now = time(NULL);

	memset(c, 0, sizeof(*c));
	serial++;
	cr_assert_eq(gnutls_x509_privkey_init(&c->key), 0);
	cr_assert_eq(gnutls_x509_privkey_generate(c->key, GNUTLS_PK_ECDSA, 256, 0), 0);
	cr_assert_eq(gnutls_x509_crt_init(&c->crt), 0);
	gnutls_x509_crt_set_version(c->crt, 3);
	gnutls_x509_crt_set_serial(c->crt, &serial, 1);
	gnutls_x509_crt_set_activation_time(c->crt,
	                                    now + (o->from != 0 ? o->from : -3600));
	gnutls_x509_crt_set_expiration_time(c->crt,
	                                    now + (o->until != 0 ? o->until : 3600));
	gnutls_x509_crt_set_key(c->crt, c->key);
	if (o->cn != NULL)
		gnutls_x509_crt_set_dn_by_oid(c->crt, GNUTLS_OID_X520_COMMON_NAME, 0,
		                              o->cn, (unsigned)strlen(o->cn));
	gnutls_x509_crt_set_basic_constraints(c->crt, o->ca, -1);
	gnutls_x509_crt_set_key_usage(c->crt, o->ca ? GNUTLS_KEY_KEY_CERT_SIGN
	                                            : GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (o->more != NULL)
		o->more(c->crt, o->ctx);
	cr_assert_eq(
		gnutls_x509_crt_sign2(c->crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0), 0);
	cr_assert_eq(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_DER, &c->der), 0);
	cr_assert_eq(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &c->pem), 0);
	cr_assert_eq(
		gnutls_x509_privkey_export2(c->key, GNUTLS_X509_FMT_PEM, &c->key_pem), 0);
}

UNUSED static inline void cert_free(struct cert *c)
{
	gnutls_x509_crt_deinit(c->crt);
	gnutls_x509_privkey_deinit(c->key);
	gnutls_free(c->der.data);
	gnutls_free(c->pem.data);
	gnutls_free(c->key_pem.data);
}

#endif
