/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_TRUST_H
#define SERVER_NET_TRUST_H
/* trust - the inner side of struct trust, for client_cert.c. */
#include <gnutls/x509.h>

#include "client_cert.h"

/**
 * trust_judge(t, chain, n, leaf, now, a): the SHA-256 of every trusted certificate that
 * is ${leaf} (the digest of chain[0]) itself and valid at ${now}, or verifies the chain
 * for client authentication now.  An array in ${a}, empty if ${t} is NULL.
 */
struct value *trust_judge(const struct trust *t, gnutls_x509_crt_t *chain, unsigned n,
                          const unsigned char leaf[32], time_t now, struct arena *a);

#endif
