/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CERT_CLIENT_H
#define SERVER_CORE_CERT_CLIENT_H
/*
 * cert_client - what net says of a TLS client's certificate (IPC_RQ_CLIENT), checked.
 *
 * net may be lying about who the client is; it cannot make core read what is not there.
 */
#include <stdbool.h>

#include "value.h"

/* All members are there, of the right types and in bounds; borrowed from the request. */
struct cert_client {
	const unsigned char *sha256;                           /* 32 bytes, of the DER */
	const struct value *common_name, *serial_number;       /* strings */
	const struct value *subject_key_id, *authority_key_id; /* bytes or null */
	const struct value *units, *dns_names, *emails, *uris; /* arrays of strings */
	const struct value
		*extensions;         /* [ {oid, critical, value, text} ], each oid once */
	const struct value *anchors; /* array of bytes32 */
	const struct value *issued;  /* [ {issuer: bytes32, serial: bytes} ], not empty */
};

/** cert_client_read(v, out): false if ${v} (may be NULL) is not of the form that
 * vault/ipc.h gives: such a client has shown no certificate. */
bool cert_client_read(const struct value *v, struct cert_client *out) MUST_CHECK;

/** cert_client_extension(k, oid, n): the extension of that name, or NULL. */
const struct value *cert_client_extension(const struct cert_client *k, const char *oid,
                                          size_t n);

/** cert_issued_ok(list): is it an array of {issuer: bytes32, serial: bytes}, of no more
 * certificates than a client may show, not empty? */
bool cert_issued_ok(const struct value *list);

/** cert_oid_ok(s, n): is it an object identifier in decimal ("2.5.29.17")? */
bool cert_oid_ok(const char *s, size_t n);

#endif
