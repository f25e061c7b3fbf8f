/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_GRANT_H
#define SERVER_CORE_TOKEN_GRANT_H
/* token_grant - what a new token may be given, by what its maker has and its role says.
 */
#include "req.h"

struct token_role;

struct token_grant {
	bool sudo;                     /* the maker is root or has sudo here */
	bool no_default;               /* the default policy is not wanted */
	const struct token_role *role; /* NULL: none */
};

/** token_grant_policies(r, g, out): the sorted policies of the new token, from what the
 * request asks for.  ERR_INVALID with Vault's texts. */
int token_grant_policies(struct req *r, const struct token_grant *g, struct value **out)
	MUST_CHECK;
/** token_grant_cidrs(r, g, out): where the new token may be used: never where its maker
 * may not.  NULL: anywhere. */
int token_grant_cidrs(struct req *r, const struct token_grant *g,
                      const struct value **out) MUST_CHECK;

#endif
