/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CERT_TRUST_H
#define SERVER_CORE_CERT_TRUST_H
/*
 * cert_trust - the certificates that net is told to trust: those of all certificate
 * roles of all mounts, each once, with the number of roles that hold it.
 *
 * From unseal to seal; what is there differs from the stored roles never by more than
 * the savepoint that is under way.  net hears of a change after COMMIT, once per batch
 * and before the replies, so that whoever has written a role finds it in force; at seal
 * it is told to trust nobody.  The roles of a mount that is gone count
 * until they are destroyed: nobody can log in by them, but a certificate that no role
 * names any more must not stay behind.
 */
#include "core.h"

struct cert_set;

/** cert_trust_load(c, e), cert_trust_free(c): at unseal and seal. */
int cert_trust_load(struct core *c, struct err *e) MUST_CHECK;
void cert_trust_free(struct core *c);

/** cert_trust_tell(c): after COMMIT: tell net, if something has changed. */
void cert_trust_tell(struct core *c);

/** cert_trust_change(c, gone, come, e): a role is written or deleted: it held the
 * certificates with these digests (array of bytes32, or NULL), and holds ${come} (or
 * NULL) now.  Undone with the savepoint.  ERR_INVALID if net could not take them all
 * (IPC_TRUST_CAS, IPC_TRUST_BYTES). */
int cert_trust_change(struct core *c, const struct value *gone,
                      const struct cert_set *come, struct err *e) MUST_CHECK;

/** cert_trust_der(c, sha256, n): DER of the certificate with that digest, borrowed until
 * the next change; NULL if no role holds it. */
const unsigned char *cert_trust_der(const struct core *c, const unsigned char sha256[32],
                                    size_t *n);

#endif
