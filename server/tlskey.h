/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_TLSKEY_H
#define SERVER_TLSKEY_H
/*
 * tlskey - the server's own ECDSA P-256 key with a self-signed certificate, for
 * installations that bring none.  Clients pin the key, so the certificate does not
 * expire.
 *
 * GnuTLS runs in a child that has nothing but its control socket; the supervisor handles
 * the PEM texts as bytes.
 */
#include <stddef.h>

#include "arena.h"
#include "err.h"

struct tls_files {
	char *cert; /* PEM */
	size_t cert_len;
	char *key;
	size_t key_len;
};

/** tlskey_role_main(control_fd): the child: IPC_CONFIG {names: [string]} in, IPC_READY
 * {cert, key} out. */
int tlskey_role_main(int control_fd);

/** tlskey_load(a, tls_fd, names, n, out, e): key.pem and cert.pem of that directory, made
 * first (0600) if neither is there.  ${names} are further host names and addresses for
 * the certificate. */
int tlskey_load(struct arena *a, int tls_fd, const char *const *names, size_t n,
                struct tls_files *out, struct err *e) MUST_CHECK;

/** tlskey_read(a, cert, key, out, e): files of the operator; others may not read the key.
 */
int tlskey_read(struct arena *a, const char *cert, const char *key, struct tls_files *out,
                struct err *e) MUST_CHECK;

#define TLSKEY_PIN_MAX 64
/** tlskey_pin(spki, out): "sha256//<base64>". */
void tlskey_pin(const unsigned char spki[32], char out[TLSKEY_PIN_MAX]);

/** tlskey_store_pin(tls_fd, pin, e): keep it in server.pin for scripts, unless it is
 * there. */
int tlskey_store_pin(int tls_fd, const char *pin, struct err *e) MUST_CHECK;

#endif
