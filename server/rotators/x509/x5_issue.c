/* SPDX-License-Identifier: Apache-2.0 */
#include <gnutls/crypto.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "sha256.h"
#include "text.h"
#include "x5.h"

#define BACKDATE_S 300 /* clocks of those who verify may be late */
#define KEY_ID_MAX 64u

void x5_serial(const void *ca_der, size_t n, const char *attempt,
               unsigned char out[X5_SERIAL])
{
	static const char purpose[] = "vault-rotator-x509 serial";
	unsigned char digest[SHA256_BYTES];
	struct sha256 h;

	sha256_start(&h);
	sha256_add(&h, purpose, sizeof(purpose));
	sha256_add(&h, ca_der, n);
	sha256_add(&h, attempt, strlen(attempt));
	sha256_end(&h, digest);
	memcpy(out, digest, X5_SERIAL);
	/* DER takes a first bit of one for a sign, and no zeroes in front. */
	out[0] = (unsigned char)((out[0] & 0x3f) | 0x40);
}

void x5_serial_text(const unsigned char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		text_hex(p + i, 1, out + 3 * i);
		out[3 * i + 2] = ':';
	}
	out[n > 0 ? 3 * n - 1 : 0] = '\0';
}

/* --- the key --- */

static int make_key(const struct x5_plan *p, gnutls_x509_privkey_t key)
{
	return gnutls_x509_privkey_generate2(key, p->key_type->algorithm,
	                                     p->key_type->bits, 0, NULL, 0);
}

/* --- the certificate --- */

static int set_subject(const struct x5_plan *p, gnutls_x509_crt_t crt)
{
	const struct {
		const char *oid, *text;
	} parts[] = {
		{GNUTLS_OID_X520_COUNTRY_NAME,              p->country     },
		{ GNUTLS_OID_X520_STATE_OR_PROVINCE_NAME,   p->province    },
		{ GNUTLS_OID_X520_LOCALITY_NAME,            p->locality    },
		{ GNUTLS_OID_X520_ORGANIZATION_NAME,        p->organization},
		{ GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, p->unit        },
		{ GNUTLS_OID_X520_COMMON_NAME,              p->common_name },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(parts); i++)
		if (parts[i].text != NULL)
			rc = gnutls_x509_crt_set_dn_by_oid(
				crt, parts[i].oid, 0, parts[i].text,
				(unsigned)strlen(parts[i].text));
	return rc;
}

static int add_name(gnutls_x509_crt_t crt, const struct x5_name *n)
{
	static const gnutls_x509_subject_alt_name_t types[] = {
		[X5_DNS] = GNUTLS_SAN_DNSNAME,
		[X5_IP] = GNUTLS_SAN_IPADDRESS,
		[X5_URI] = GNUTLS_SAN_URI,
		[X5_EMAIL] = GNUTLS_SAN_RFC822NAME,
	};
	const void *p = n->kind == X5_IP ? (const void *)n->ip : n->text;
	size_t len = n->kind == X5_IP ? n->ip_len : strlen(n->text);

	return gnutls_x509_crt_set_subject_alt_name(crt, types[n->kind], p, (unsigned)len,
	                                            GNUTLS_FSAN_APPEND);
}

static int set_usage(const struct x5_plan *p, gnutls_x509_crt_t crt)
{
	unsigned usage = GNUTLS_KEY_DIGITAL_SIGNATURE;
	int rc;

	if (p->key_type->algorithm == GNUTLS_PK_RSA)
		usage |= GNUTLS_KEY_KEY_ENCIPHERMENT;
	if ((rc = gnutls_x509_crt_set_basic_constraints(crt, 0, -1)) != 0 ||
	    (rc = gnutls_x509_crt_set_key_usage(crt, usage)) != 0)
		return rc;
	if ((p->usages & X5_SERVER) != 0 &&
	    (rc = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER,
	                                              0)) != 0)
		return rc;
	if ((p->usages & X5_CLIENT) == 0)
		return 0;
	return gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
}

static int set_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t signer)
{
	unsigned char id[KEY_ID_MAX];
	unsigned critical;
	size_t n = sizeof(id);
	int rc = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &n);

	if (rc != 0 || (rc = gnutls_x509_crt_set_subject_key_id(crt, id, n)) != 0)
		return rc;
	n = sizeof(id);
	if (gnutls_x509_crt_get_subject_key_id(signer, id, &n, &critical) != 0)
		return 0; /* chains are then found by names alone */
	return gnutls_x509_crt_set_authority_key_id(crt, id, n);
}

static int set_serial(const struct x5_ca *ca, const char *attempt, gnutls_x509_crt_t crt)
{
	unsigned char serial[X5_SERIAL];
	gnutls_datum_t der = { 0 };
	int rc = gnutls_x509_crt_export2(ca->chain[0], GNUTLS_X509_FMT_DER, &der);

	if (rc != 0)
		return rc;
	x5_serial(der.data, der.size, attempt, serial);
	gnutls_free(der.data);
	return gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

static int set_times(const struct x5_ca *ca, const struct x5_plan *p,
                     gnutls_x509_crt_t crt)
{
	int64_t now = x5_now(), from = now - BACKDATE_S, until = now + p->ttl_s;
	int rc;

	from = from > ca->from ? from : ca->from;
	until = until < ca->until ? until : ca->until;
	if ((rc = gnutls_x509_crt_set_activation_time(crt, (time_t)from)) != 0)
		return rc;
	return gnutls_x509_crt_set_expiration_time(crt, (time_t)until);
}

static int sign(const struct x5_ca *ca, gnutls_x509_crt_t crt)
{
	gnutls_digest_algorithm_t hash;
	int rc = x5_hash(ca, &hash);

	if (rc != 0)
		return rc;
	return gnutls_x509_crt_sign2(crt, ca->chain[0], ca->key, hash, 0);
}

static int fill(struct request *r, const struct x5_ca *ca, const struct x5_plan *p,
                struct x5_pair *pair)
{
	int rc;

	if ((rc = gnutls_x509_crt_set_version(pair->crt, 3)) != 0 ||
	    (rc = gnutls_x509_crt_set_key(pair->crt, pair->key)) != 0 ||
	    (rc = set_serial(ca, r->attempt, pair->crt)) != 0 ||
	    (rc = set_times(ca, p, pair->crt)) != 0 ||
	    (rc = set_subject(p, pair->crt)) != 0)
		return rc;
	for (size_t i = 0; i < p->n; i++)
		if ((rc = add_name(pair->crt, &p->names[i])) != 0)
			return rc;
	if ((rc = set_usage(p, pair->crt)) != 0 ||
	    (rc = set_key_ids(pair->crt, ca->chain[0])) != 0)
		return rc;
	return sign(ca, pair->crt);
}

/* The certificate as others will read it: GnuTLS judges what was read, not what was made.
 */
static int reread(struct x5_pair *pair)
{
	gnutls_datum_t der = { 0 };
	int rc = gnutls_x509_crt_export2(pair->crt, GNUTLS_X509_FMT_DER, &der);

	if (rc != 0)
		return rc;
	gnutls_x509_crt_deinit(pair->crt);
	pair->crt = NULL;
	if ((rc = gnutls_x509_crt_init(&pair->crt)) == 0)
		rc = gnutls_x509_crt_import(pair->crt, &der, GNUTLS_X509_FMT_DER);
	gnutls_free(der.data);
	return rc;
}

/* --- what is told --- */

static int put_pem(struct answer *a, const char *name, int rc, gnutls_datum_t *pem)
{
	if (rc != 0)
		return x5_failed(a, name, rc);
	rc = answer_field(a, name, (const char *)pem->data);
	gnutls_memset(pem->data, 0, pem->size);
	gnutls_free(pem->data);
	return rc;
}

static int put_time(struct answer *a, const char *name, time_t t)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339((int64_t)t * 1000, text);
	return answer_field(a, name, text);
}

static int tell(const struct x5_ca *ca, const struct x5_pair *pair, struct answer *a)
{
	unsigned char serial[X5_SERIAL];
	char text[3 * X5_SERIAL];
	gnutls_datum_t pem = { 0 };
	size_t n = sizeof(serial);
	int rc;

	rc = gnutls_x509_crt_export2(pair->crt, GNUTLS_X509_FMT_PEM, &pem);
	if ((rc = put_pem(a, "certificate", rc, &pem)) != 0)
		return rc;
	rc = gnutls_x509_privkey_export2_pkcs8(pair->key, GNUTLS_X509_FMT_PEM, NULL,
	                                       GNUTLS_PKCS_PLAIN, &pem);
	if ((rc = put_pem(a, "private_key", rc, &pem)) != 0)
		return rc;
	if ((rc = gnutls_x509_crt_get_serial(pair->crt, serial, &n)) != 0)
		return x5_failed(a, "serial_number", rc);
	x5_serial_text(serial, n, text);
	if ((rc = answer_field(a, "serial_number", text)) != 0 ||
	    (rc = answer_field(a, "ca_chain", ca->pem)) != 0 ||
	    (rc = put_time(a, "not_before",
	                   gnutls_x509_crt_get_activation_time(pair->crt))) != 0)
		return rc;
	return put_time(a, "not_after", gnutls_x509_crt_get_expiration_time(pair->crt));
}

/* A second call of the same attempt makes another certificate of the same number with
 * another key: the first one was never heard of, so nobody has it. */
int x5_create(struct request *r, struct answer *a)
{
	AUTO_CA ca = { 0 };
	AUTO_PAIR pair = { 0 };
	struct x5_plan plan;
	const char *why;
	int rc;

	if ((rc = x5_plan_read(r, &plan, a)) != 0 || (rc = x5_ca_open(r, &ca, a)) != 0)
		return rc;
	if ((rc = gnutls_x509_crt_init(&pair.crt)) != 0 ||
	    (rc = gnutls_x509_privkey_init(&pair.key)) != 0)
		return x5_failed(a, "create", rc);
	if ((rc = make_key(&plan, pair.key)) != 0)
		return x5_failed(a, "making a key", rc);
	if ((rc = fill(r, &ca, &plan, &pair)) != 0 || (rc = reread(&pair)) != 0)
		return x5_failed(a, "making a certificate", rc);
	if (!x5_verify(&ca, pair.crt, &why))
		return answer_fail(a, CLASS_PERMANENT,
		                   "the authority cannot issue this certificate: %s",
		                   why);
	return tell(&ca, &pair, a);
}
