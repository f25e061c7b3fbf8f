/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_LEASE_H
#define SERVER_CORE_TOKEN_LEASE_H
/*
 * token_lease - tokens as sys/leases sees them: "auth/userpass/login/bob/h…", the path
 * that the token was made at and the hex of its id.  One that never expires, or is not
 * stored, has none.
 */
#include "req.h"
#include "store.h"

/** token_has_lease(o): does it expire? */
bool token_has_lease(const struct store_object *o);
/** token_lease_id(a, o): the id of a token that has one; NULL: out of memory. */
char *token_lease_id(struct arena *a, const struct store_object *o);
/** token_lease_begins(a, o, prefix): has it one, and does its id begin so? */
bool token_lease_begins(struct arena *a, const struct store_object *o,
                        const char *prefix);
/** token_lease_find(c, a, id, o, e): the living token of a lease id; ERR_NOENT. */
int token_lease_find(struct core *c, struct arena *a, const char *id,
                     struct store_object *o, struct err *e) MUST_CHECK;

#endif
