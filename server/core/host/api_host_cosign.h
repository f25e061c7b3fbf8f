/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_HOST_COSIGN_H
#define SERVER_CORE_API_HOST_COSIGN_H
/*
 * api_host_cosign - heads of the audit log that hosts have co-signed.
 *
 * KIND_COSIGN: id = host id; the largest head that a host has found to continue the one
 * before, with its signature and the key that made it.  A host that is revoked leaves its
 * word behind.
 */
#include "route.h"

/** agent_take_cosign(r): a host's co-signature, in its own words. */
int agent_take_cosign(struct req *r);
/** host_witnesses(r): all of them. */
int host_witnesses(struct req *r);

#endif
