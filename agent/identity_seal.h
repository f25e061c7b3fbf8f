/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_IDENTITY_SEAL_H
#define AGENT_IDENTITY_SEAL_H
/*
 * identity_seal - the identity at rest, sealed with a key that is kept elsewhere: a
 * credential of systemd (LoadCredentialEncrypted=), which the TPM or the host's own key
 * opens when the unit starts.
 *
 *   magic || nonce || XChaCha20-Poly1305(key of the credential, identity; magic)
 */
#include <stddef.h>

#include "arena.h"
#include "err.h"
#include "identity.h"

#define IDENTITY_CREDENTIAL "vault-agent.key" /* in $CREDENTIALS_DIRECTORY */

/** identity_credential(id, e): take the key, if there is one: what is saved from now on
 * is sealed.  ERR_INVALID if it has less than 32 bytes. */
int identity_credential(struct identity *id, struct err *e) MUST_CHECK;

/** identity_is_sealed(p, n): does a file begin like a sealed one? */
bool identity_is_sealed(const char *p, size_t n);

/** identity_seal(id, a, p, n, out, len): what is to be written, in ${a}; ERR_NOMEM. */
int identity_seal(const struct identity *id, struct arena *a, const void *p, size_t n,
                  unsigned char **out, size_t *len, struct err *e) MUST_CHECK;

/** identity_unseal(id, a, p, n, out, len, e): the inverse.  ERR_DENIED without the
 * credential, ERR_INTEGRITY with another one. */
int identity_unseal(const struct identity *id, struct arena *a, const char *p, size_t n,
                    char **out, size_t *len, struct err *e) MUST_CHECK;

#endif
