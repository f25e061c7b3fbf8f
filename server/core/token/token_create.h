/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_CREATE_H
#define SERVER_CORE_TOKEN_CREATE_H
/* token_create - auth/token/create and create-orphan, apart from the route table. */
#include <stdbool.h>

#include "token_impl.h"

/** token_create_request(r, role, orphan): judge the request, make the token, reply with
 * it.
 * ${role}: canonical name of the role that it is made through, or NULL. */
int token_create_request(struct req *r, const char *role, bool orphan) MUST_CHECK;

#endif
