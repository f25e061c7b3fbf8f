/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CERT_PEM_H
#define SERVER_CORE_CERT_PEM_H
/*
 * cert_pem - the certificates that an operator writes into a role: from PEM to DER, with
 * the two things that decide what a role is.
 *
 * What clients show is never parsed here: that is net's (vault/ipc.h).
 */
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "der.h"
#include "err.h"
#include "vault/limits.h"

struct cert_der {
	const unsigned char *p; /* in the arena */
	size_t n;
	unsigned char sha256[32];
	bool ca;          /* basic constraints say so */
	bool client_auth; /* extended key usage allows it, or is absent */
};

/* What a revocation list calls a certificate. */
struct cert_issued {
	struct der issuer; /* DER of the issuer's name, with its header */
	struct der serial; /* content of the number */
};

struct cert_set {
	size_t n;
	struct cert_der at[LIMIT_CERT_PER_ROLE];
};

/** cert_pem_read(a, text, n, out, e): all certificates of a PEM text, each once.  Text
 * around the blocks is passed over; a block that is no certificate is refused, and so is
 * a text without any.  ERR_INVALID, ERR_NOMEM. */
int cert_pem_read(struct arena *a, const char *text, size_t n, struct cert_set *out,
                  struct err *e) MUST_CHECK;

/** cert_der_issued(p, n, out): who has issued the certificate, and its number; borrowed
 * from ${p}.  false if the DER is not of that form. */
bool cert_der_issued(const unsigned char *p, size_t n, struct cert_issued *out)
	MUST_CHECK;

#endif
