/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CRL_DER_H
#define SERVER_CORE_CRL_DER_H
/*
 * crl_der - a certificate revocation list (RFC 5280, section 5) taken apart.
 *
 * One pass over bounded DER, no allocation.  Only complete lists are taken, in which the
 * issuer of the list is that of every certificate in it: neither deltas nor indirect
 * ones, nor any with a critical extension that is not known here.  Signatures are not
 * looked at.
 */
#include <stddef.h>
#include <stdint.h>

#include "der.h"
#include "err.h"
#include "vault/limits.h"

struct crl_der {
	struct der issuer;    /* DER of the name, with its header */
	struct der signed_;   /* what is signed, with its header */
	struct der algorithm; /* the signature's: content of the object identifier */
	struct der signature;
	int64_t this_ms;    /* wall clock */
	int64_t next_ms;    /* when there should be another; 0: it does not say */
	struct der entries; /* what crl_der_next() takes from */
	size_t n;           /* how many there are; some may name the same certificate */
};

/** crl_der_read(p, n, out, e): everything is borrowed from ${p}.  ERR_INVALID with a
 * text for the client. */
int crl_der_read(const unsigned char *p, size_t n, struct crl_der *out, struct err *e)
	MUST_CHECK;

/** crl_der_next(entries, serial): take the next one off; ${serial} is the content of its
 * number, 1 to LIMIT_SERIAL bytes.  false at the end (of what crl_der_read() took). */
bool crl_der_next(struct der *entries, struct der *serial) MUST_CHECK;

/** crl_serial(serial): without leading zeros, so that one number has one form. */
struct der crl_serial(struct der serial);

#endif
