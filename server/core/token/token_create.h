/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_CREATE_H
#define SERVER_CORE_TOKEN_CREATE_H
/* token_create - auth/token/create and create-orphan, apart from the route table. */
#include <stdbool.h>

#include "token_impl.h"

/** token_create_request(r, orphan): judge the request, store the token, reply with it. */
int token_create_request(struct req *r, bool orphan) MUST_CHECK;

#endif
