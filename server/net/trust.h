/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_TRUST_H
#define SERVER_NET_TRUST_H
/* trust - the inner side of struct trust, for client_cert.c and crl.c. */
#include <gnutls/x509.h>
#include <sodium.h>

#include "client_cert.h"

struct anchor {
	unsigned char hash[crypto_hash_sha256_BYTES]; /* of its DER */
	gnutls_datum_t subject, issuer;               /* DER of the names */
	time_t from, until;
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t crt; /* the list's */
	unsigned held;         /* by how many trusts */
};

/* In order of digest, each once. */
struct trust {
	size_t n, parsed;
	struct anchor *at[];
};

/** anchor_verifies(an, chain, n, purpose): does it verify the chain now, for a purpose
 * (GNUTLS_KP_*, or NULL)? */
bool anchor_verifies(const struct anchor *an, gnutls_x509_crt_t *chain, unsigned n,
                     const char *purpose);
/** datum_is(x, y): the same bytes, and some? */
bool datum_is(const gnutls_datum_t *x, const gnutls_datum_t *y);

/**
 * trust_judge(t, chain, n, leaf, now, a): the SHA-256 of every trusted certificate that
 * is ${leaf} (the digest of chain[0]) itself and valid at ${now}, or verifies the chain
 * for client authentication now.  An array in ${a}, empty if ${t} is NULL.
 */
struct value *trust_judge(const struct trust *t, gnutls_x509_crt_t *chain, unsigned n,
                          const unsigned char leaf[32], time_t now, struct arena *a);

#endif
