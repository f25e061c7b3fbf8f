/* SPDX-License-Identifier: Apache-2.0 */
#include <gnutls/abstract.h>
#include <string.h>

#include "clock.h"
#include "x5.h"

#define RSA_BITS_MIN 2048u
#define EC_BITS_MIN  256u
#define KEY_ID_MAX   64u

int64_t x5_now(void)
{
	return clock_wall(clock_system()) / 1000;
}

int x5_failed(struct answer *a, const char *what, int rc)
{
	return answer_fail(
		a, rc == GNUTLS_E_MEMORY_ERROR ? CLASS_RETRYABLE : CLASS_PERMANENT,
		"%s: %s", what, gnutls_strerror(rc));
}

const char *x5_field(const struct credential *c, const char *name)
{
	return json_string_value(json_object_get(c->fields, name));
}

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)text,
		                 .size = (unsigned)strlen(text) };
}

static int read_chain(struct x5_ca *ca, struct answer *a)
{
	gnutls_datum_t pem = datum(ca->pem);
	int rc;

	ca->n = X5_CHAIN_MAX;
	rc = gnutls_x509_crt_list_import(ca->chain, &ca->n, &pem, GNUTLS_X509_FMT_PEM,
	                                 GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (rc > 0) {
		ca->n = (unsigned)rc;
		return 0;
	}
	ca->n = 0;
	return answer_fail(a, CLASS_PERMANENT,
	                   "admin.ca_certificate is no PEM of one to %u certificates: %s",
	                   X5_CHAIN_MAX, gnutls_strerror(rc));
}

static int read_key(const struct request *r, struct x5_ca *ca, const char *text,
                    struct answer *a)
{
	gnutls_datum_t pem = datum(text);
	int rc;

	if ((rc = gnutls_x509_privkey_init(&ca->key)) != 0)
		return x5_failed(a, "admin", rc);
	rc = gnutls_x509_privkey_import2(ca->key, &pem, GNUTLS_X509_FMT_PEM,
	                                 x5_field(&r->admin, "ca_passphrase"), 0);
	if (rc == 0)
		return 0;
	return answer_fail(a, CLASS_PERMANENT,
	                   "admin.ca_private_key is no PEM of a private key, or its "
	                   "passphrase is wrong: %s",
	                   gnutls_strerror(rc));
}

static bool same_key(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	unsigned char x[KEY_ID_MAX], y[KEY_ID_MAX];
	size_t nx = sizeof(x), ny = sizeof(y);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, x, &nx) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, y, &ny) ==
	               0 &&
	       nx == ny && memcmp(x, y, nx) == 0;
}

static bool strong(gnutls_x509_crt_t crt)
{
	unsigned bits = 0;

	switch (gnutls_x509_crt_get_pk_algorithm(crt, &bits)) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return bits >= RSA_BITS_MIN;
	case GNUTLS_PK_ECDSA:
		return bits >= EC_BITS_MIN;
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return true;
	default:
		return false;
	}
}

static int check_signer(const struct x5_ca *ca, struct answer *a)
{
	gnutls_x509_crt_t crt = ca->chain[0];
	unsigned critical, is_ca = 0, usage = 0;
	int depth, rc;

	if (gnutls_x509_crt_get_basic_constraints(crt, &critical, &is_ca, &depth) < 0 ||
	    is_ca == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "admin.ca_certificate is not one of an authority");
	rc = gnutls_x509_crt_get_key_usage(crt, &usage, &critical);
	if (rc == 0 && (usage & GNUTLS_KEY_KEY_CERT_SIGN) == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "admin.ca_certificate may not sign certificates");
	if (!same_key(crt, ca->key))
		return answer_fail(a, CLASS_PERMANENT,
		                   "admin.ca_private_key does not belong to the first "
		                   "certificate of admin.ca_certificate");
	return 0;
}

/* Each certificate is signed by the next; none is weak; all of them are valid now. */
static int check_chain(struct x5_ca *ca, int64_t now, struct answer *a)
{
	unsigned verified = 0;

	ca->from = 0;
	ca->until = INT64_MAX;
	for (unsigned i = 0; i < ca->n; i++) {
		int64_t from = gnutls_x509_crt_get_activation_time(ca->chain[i]);
		int64_t until = gnutls_x509_crt_get_expiration_time(ca->chain[i]);

		verified = 0;
		if (!strong(ca->chain[i]))
			return answer_fail(a, CLASS_PERMANENT,
			                   "certificate %u of admin.ca_certificate has a "
			                   "weak key",
			                   i + 1);
		if (i + 1 < ca->n &&
		    (gnutls_x509_crt_check_issuer(ca->chain[i], ca->chain[i + 1]) == 0 ||
		     gnutls_x509_crt_verify(ca->chain[i], &ca->chain[i + 1], 1,
		                            GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
		                            &verified) != 0 ||
		     verified != 0))
			return answer_fail(
				a, CLASS_PERMANENT,
				"certificate %u of admin.ca_certificate is not "
				"%s by the next",
				i + 1,
				(verified & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE) != 0
					? "allowed"
					: "signed");
		ca->from = from > ca->from ? from : ca->from;
		ca->until = until < ca->until ? until : ca->until;
	}
	if (now >= ca->until)
		return answer_fail(a, CLASS_PERMANENT,
		                   "admin.ca_certificate has expired");
	if (now < ca->from)
		return answer_fail(a, CLASS_PERMANENT,
		                   "admin.ca_certificate is not valid yet");
	return 0;
}

int x5_ca_open(struct request *r, struct x5_ca *ca, struct answer *a)
{
	const char *key;
	int rc;

	*ca = (struct x5_ca){ 0 };
	if (!r->admin.given)
		return answer_fail(a, CLASS_PERMANENT, "the request has no 'admin'");
	ca->pem = x5_field(&r->admin, "ca_certificate");
	key = x5_field(&r->admin, "ca_private_key");
	if (ca->pem == NULL || key == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'admin' has no 'ca_certificate' or no "
		                   "'ca_private_key'");
	if ((rc = read_chain(ca, a)) != 0 || (rc = read_key(r, ca, key, a)) != 0 ||
	    (rc = check_signer(ca, a)) != 0)
		return rc;
	return check_chain(ca, x5_now(), a);
}

void x5_ca_close(struct x5_ca *ca)
{
	for (unsigned i = 0; i < ca->n; i++)
		gnutls_x509_crt_deinit(ca->chain[i]);
	if (ca->key != NULL)
		gnutls_x509_privkey_deinit(ca->key);
	*ca = (struct x5_ca){ 0 };
}

/* Of the reasons, what counts most. */
static const char *reason(unsigned status)
{
	static const struct {
		unsigned bit;
		const char *text;
	} reasons[] = {
		{GNUTLS_CERT_EXPIRED,                     "it has expired"                   },
		{ GNUTLS_CERT_NOT_ACTIVATED,              "it is not valid yet"              },
		{ GNUTLS_CERT_SIGNER_NOT_FOUND,           "it is not signed by the authority"},
		{ GNUTLS_CERT_SIGNATURE_FAILURE,          "its signature is wrong"           },
		{ GNUTLS_CERT_INSECURE_ALGORITHM,
                 "an algorithm of the chain is too weak"                                     },
		{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE,
                 "the authority's own constraints do not allow it"                           },
		{ GNUTLS_CERT_SIGNER_NOT_CA,              "the authority is none"            },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if ((status & reasons[i].bit) != 0)
			return reasons[i].text;
	return "it does not verify";
}

/* Trusted is the end of the chain alone: what any of the others may not issue counts. */
bool x5_verify(const struct x5_ca *ca, gnutls_x509_crt_t crt, const char **why)
{
	gnutls_x509_crt_t list[X5_CHAIN_MAX] = { crt };
	unsigned status = GNUTLS_CERT_INVALID;
	gnutls_x509_trust_list_t trust;

	for (unsigned i = 0; i + 1 < ca->n; i++)
		list[i + 1] = ca->chain[i];
	*why = "out of memory";
	if (gnutls_x509_trust_list_init(&trust, 0) != 0)
		return false;
	if (gnutls_x509_trust_list_add_cas(trust, &ca->chain[ca->n - 1], 1, 0) == 1 &&
	    gnutls_x509_trust_list_verify_crt2(trust, list, ca->n, NULL, 0, 0, &status,
	                                       NULL) == 0)
		*why = reason(status);
	else
		status = GNUTLS_CERT_INVALID;
	gnutls_x509_trust_list_deinit(trust, 0);
	return status == 0;
}

int x5_hash(const struct x5_ca *ca, gnutls_digest_algorithm_t *out)
{
	gnutls_pubkey_t key;
	int rc = gnutls_pubkey_init(&key);

	if (rc != 0)
		return rc;
	if ((rc = gnutls_pubkey_import_x509(key, ca->chain[0], 0)) == 0)
		rc = gnutls_pubkey_get_preferred_hash_algorithm(key, out, NULL);
	gnutls_pubkey_deinit(key);
	return rc;
}
