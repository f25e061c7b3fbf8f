/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LIMIT_H
#define SERVER_CORE_LIMIT_H
/*
 * limit - how often one token, and one account that is logged in to, may ask.
 *
 * Judged before the handler, with a request's first run only.  What is refused gets no
 * audit record of its own but is counted per address (audit.c).  Addresses are net's to
 * limit.  In memory only: lockouts that must survive a restart are the login methods'
 * own.
 */
#include "req.h"

int limits_open(struct core *c, struct err *e) MUST_CHECK;
void limits_close(struct core *c);

/** limit_token(r): may the token that has just been authenticated ask once more?
 * ERR_RATE. */
int limit_token(struct req *r) MUST_CHECK;
/** limit_login(r): the same for the account that a login names (R_LOGIN).  Whether there
 * is such an account makes no difference. */
int limit_login(struct req *r) MUST_CHECK;

#endif
