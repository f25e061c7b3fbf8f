/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_POLICIES_H
#define SERVER_CORE_TOKEN_POLICIES_H
/* token_policies - lists of policy names, as tokens and the roles of logins hold them. */
#include "req.h"

/** token_policies_canonical(r, in, out): the names as they came to canonical ones, in
 * order; ERR_INVALID for what is no name or may not be given, or too many. */
int token_policies_canonical(struct req *r, const struct value *in, struct value **out)
	MUST_CHECK;
/** token_policies_sorted(a, list): sorted, without repetition; NULL: out of memory. */
struct value *token_policies_sorted(struct arena *a, const struct value *list);
/** token_policies_has(list, name): is it in the list (which may be NULL)? */
bool token_policies_has(const struct value *list, const char *name);
/** token_policies_append(a, list, more): copies of the names of ${more} (may be NULL). */
void token_policies_append(struct arena *a, struct value *list, const struct value *more);

#endif
