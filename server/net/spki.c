/* SPDX-License-Identifier: Apache-2.0 */
#include "spki.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <sodium.h>

int spki_sha256_crt(gnutls_x509_crt_t crt, unsigned char out[32])
{
	gnutls_datum_t der = { NULL, 0 };
	gnutls_pubkey_t key = NULL;
	int rc = gnutls_pubkey_init(&key);

	if (rc == 0)
		rc = gnutls_pubkey_import_x509(key, crt, 0);
	if (rc == 0)
		rc = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der);
	if (rc == 0)
		crypto_hash_sha256(out, der.data, der.size);
	gnutls_free(der.data);
	if (key != NULL)
		gnutls_pubkey_deinit(key);
	return rc;
}

int spki_sha256(const void *pem, size_t n, unsigned char out[32], struct err *e)
{
	gnutls_datum_t in = { (unsigned char *)(uintptr_t)pem, (unsigned)n };
	gnutls_x509_crt_t crt = NULL;
	int rc = n <= UINT_MAX ? gnutls_x509_crt_init(&crt) : GNUTLS_E_LARGE_PACKET;

	if (rc == 0)
		rc = gnutls_x509_crt_import(crt, &in, GNUTLS_X509_FMT_PEM);
	if (rc == 0)
		rc = spki_sha256_crt(crt, out);
	if (crt != NULL)
		gnutls_x509_crt_deinit(crt);
	return rc == 0 ? ERR_OK
	               : err_set(e, ERR_INVALID, "certificate: %s", gnutls_strerror(rc));
}
