/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_SPKI_H
#define SERVER_NET_SPKI_H
/* spki - the digest by which public keys are known: SHA-256 over the
 * SubjectPublicKeyInfo. */
#include <gnutls/x509.h>
#include <stddef.h>

#include "err.h"
#include "util.h"

/** spki_sha256(pem, n, out, e): of the first certificate of a PEM text. */
int spki_sha256(const void *pem, size_t n, unsigned char out[32], struct err *e)
	MUST_CHECK;
/** spki_sha256_crt(crt, out): of a certificate; 0 or an error of GnuTLS. */
int spki_sha256_crt(gnutls_x509_crt_t crt, unsigned char out[32]) MUST_CHECK;

#endif
