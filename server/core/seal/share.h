/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SHARE_H
#define SERVER_CORE_SHARE_H
/* share - shares on the wire: hex or base64 in the member "key". */
#include "req.h"
#include "seal.h"

/** share_member(r, name): a member of the body, whatever the case of its name. */
const struct value *share_member(const struct req *r, const char *name);
/** share_take(r, missing, out): the share in "key"; ${missing} is the text when there is
 * none. */
int share_take(struct req *r, const char *missing, struct seal_share *out) MUST_CHECK;
/** share_texts(a, share, n, hex, b64): arrays of both forms. */
void share_texts(struct arena *a, const struct seal_share *share, int n,
                 struct value **hex, struct value **b64);

#endif
