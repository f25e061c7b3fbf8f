/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CERT_MATCH_H
#define SERVER_CORE_CERT_MATCH_H
/*
 * cert_match - does a certificate role admit a client?
 *
 * Each list that is not empty must be met: by at least one name of the client, but
 * required extensions by all of theirs.  In a pattern '*' stands for any text.
 */
#include <stdbool.h>
#include <stddef.h>

#include "cert_client.h"

enum cert_list {
	CERT_NAMES, /* common name, DNS names or email addresses */
	CERT_COMMON_NAMES,
	CERT_DNS_SANS,
	CERT_EMAIL_SANS,
	CERT_URI_SANS,
	CERT_UNITS,
	CERT_REQUIRED_EXTENSIONS, /* "oid:pattern", "hex:oid:pattern" */
	CERT_METADATA_EXTENSIONS, /* no rule: what a token's metadata show */
	CERT_LISTS
};

/* What a role asks of a client. */
struct cert_rules {
	const struct value *digests; /* array of bytes32: the certificates it trusts */
	bool ca; /* they are of CAs; otherwise one is the client's own */
	const struct value *list[CERT_LISTS]; /* arrays of strings, never NULL */
};

/** cert_vouched(u, k): does one of the role's certificates vouch for the client? */
bool cert_vouched(const struct cert_rules *u, const struct cert_client *k);
/** cert_admits(u, k): and does the client meet all lists? */
bool cert_admits(const struct cert_rules *u, const struct cert_client *k);

/** cert_glob(pattern, pn, s, n): does all of ${s} match? */
bool cert_glob(const char *pattern, size_t pn, const char *s, size_t n);
/** cert_required_split(v, hex, oid, oid_n, pattern, pattern_n): take a required extension
 * apart; false if it is not of its form. */
bool cert_required_split(const struct value *v, bool *hex, const char **oid,
                         size_t *oid_n, const char **pattern, size_t *pattern_n);

#endif
