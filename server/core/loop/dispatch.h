/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DISPATCH_H
#define SERVER_CORE_DISPATCH_H
/*
 * dispatch - one request from its frame to its reply: decode, check, authenticate,
 * authorise, act. The savepoint, the audit record and the reply's journey are batch.c's
 * and run.c's.
 */
#include "req.h"

/** dispatch_decode(r, p, n): fill the "in" part from the payload of an IPC_REQUEST
 * (borrowed: lives in r->a). */
int dispatch_decode(struct req *r, const void *p, size_t n) MUST_CHECK;
/** dispatch_slash(r): the path as it is authorised, once. */
int dispatch_slash(struct req *r) MUST_CHECK;
/** dispatch_admit(r): everything before the handler but authorisation: sealed, route,
 * listener, token. What it writes (num_uses) stays even if the request is refused later.
 */
int dispatch_admit(struct req *r) MUST_CHECK;
/** dispatch_act(r): create or update?, authorise, unknown fields, handler.  May return
 * REQ_PARKED. */
int dispatch_act(struct req *r) MUST_CHECK;
/** dispatch_shrink(r): of a request that is parked: keep what its row reads of the body,
 * give back what came in. */
void dispatch_shrink(struct req *r);
/** dispatch_finish(r, rc): turn a refusal into an errors body, an empty result into 204
 * or 404; sets r->status. */
void dispatch_finish(struct req *r, int rc);
/** dispatch_reply(r): the array of an IPC_REPLY in r->a; NULL if the arena refuses. */
struct value *dispatch_reply(struct req *r);

#endif
