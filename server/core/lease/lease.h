/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LEASE_H
#define SERVER_CORE_LEASE_H
/* lease - who holds which version of what.  Object body: {path, secret_id, holder,
 * holder_name, version (newest the holder fetched), applied, state, detail, issued,
 * expires, rev}. */
#include "req.h"

/** lease_secret_changed(c, a, secret_id, version, op, e): a secret has a new version (op
 * "update") or is gone ("revoke"): mark its leases with a new revision and wake the
 * holders' watches. */
int lease_secret_changed(struct core *c, struct arena *a,
                         const unsigned char secret_id[32], int64_t version,
                         const char *op, struct err *e) MUST_CHECK;
/** lease_secret_moved(c, a, from, to, version, e): a secret is ${version} of another one
 * now: holders get leases on that one, and keep what they have until then. */
int lease_secret_moved(struct core *c, struct arena *a, const unsigned char from[32],
                       const unsigned char to[32], int64_t version, struct err *e)
	MUST_CHECK;
/** lease_names_changed(c, a, folder_id, e): a name came into a folder or left it: the
 * same for leases on its names, whose version is the revision of that. */
int lease_names_changed(struct core *c, struct arena *a,
                        const unsigned char folder_id[32], struct err *e) MUST_CHECK;
/** lease_revoke_host(c, a, host_id, e): a host was revoked: its leases end, its watch is
 * woken, and its tokens go two seconds later, when the order to wipe had time to be
 * fetched with them. */
int lease_revoke_host(struct core *c, struct arena *a, const unsigned char host_id[16],
                      struct err *e) MUST_CHECK;
/** lease_expire_due(c, a, limit, e): called by the timer; audits each. */
int lease_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
	MUST_CHECK;
/** rotation_due(c, a, limit, e): start scheduled rotations and judge deadlines; called by
 * the timer. */
int rotation_due(struct core *c, struct arena *a, int limit, struct err *e) MUST_CHECK;

#endif
