/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CRL_PEM_H
#define SERVER_CORE_CRL_PEM_H
/* crl_pem - the revocation list that an operator writes, and what comes along with it. */
#include "crl_der.h"

struct arena;
struct value;

struct crl_text {
	const unsigned char *p; /* DER, in the arena */
	size_t n;
	struct crl_der der;  /* the same taken apart */
	struct value *given; /* array of bytes: DER of the certificates around it */
};

/** crl_pem_read(a, text, n, out, e): PEM with one list ("X509 CRL") and certificates of
 * those who may have signed it, or the DER of a list in base64.  ERR_INVALID with a text
 * for the client, ERR_NOMEM. */
int crl_pem_read(struct arena *a, const char *text, size_t n, struct crl_text *out,
                 struct err *e) MUST_CHECK;

#endif
