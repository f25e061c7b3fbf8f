/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_USERPASS_H
#define SERVER_CORE_USERPASS_H
/* userpass - what the table of login methods needs of users with passwords. */
#include "login.h"

/** userpass_renew(r, m, p): a login_renew_fn: the user must be there, with the policies
 * that the token has. */
int userpass_renew(struct req *r, const struct login_memory *m, struct token_params *p)
	MUST_CHECK;

#endif
