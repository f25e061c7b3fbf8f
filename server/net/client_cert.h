/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_CLIENT_CERT_H
#define SERVER_NET_CLIENT_CERT_H
/*
 * client_cert - what core may know about the certificate that a TLS client has shown.
 *
 * TLS has proved that the client holds the key.  Everything else about a certificate is
 * hostile input: sizes and counts are bounded before anything is parsed, and a
 * certificate with any part that cannot be told exactly (names with control characters,
 * two answers where one is wanted) counts as none.  Nothing here depends on a socket.
 */
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <time.h>

#include "arena.h"
#include "err.h"
#include "value.h"

struct trust; /* the certificates that core trusts to vouch for clients */

/** trust_new(set, old): from the payload of an IPC_TRUST; what is no certificate is left
 * out (and logged).  Certificates that are in ${old} (may be NULL), too, are not parsed
 * again but shared with it.  NULL if out of memory or beyond the bounds. */
struct trust *trust_new(const struct value *set, const struct trust *old);
void trust_free(struct trust *t);
/** trust_parsed(t): how many of its certificates had to be parsed for it. */
size_t trust_parsed(const struct trust *t);

/** crl_judge(t, ask, a): the payload of the IPC_SIGNER that answers the IPC_CRL ${ask},
 * in
 * ${a}; NULL if ${ask} is none, or memory is short. */
struct value *crl_judge(const struct trust *t, const struct value *ask, struct arena *a);

/**
 * client_cert_describe(t, der, n, now, a): the object of IPC_RQ_CLIENT in ${a} for a
 * chain of ${n} certificates, the client's own first, judged against ${t} (NULL: nobody
 * is trusted) at ${now}.  NULL if the certificate counts as none, or memory is short.
 */
struct value *client_cert_describe(const struct trust *t, const gnutls_datum_t *der,
                                   unsigned n, time_t now, struct arena *a);

/** client_key_ok(der): is the key of that certificate of a kind and size whose use costs
 * no more than any other's? */
bool client_key_ok(const gnutls_datum_t *der);

#endif
