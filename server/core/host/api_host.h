/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_HOST_H
#define SERVER_CORE_API_HOST_H
/* api_host - the anonymous half of the hosts' API: join tokens, joining, logging in. */
#include "host.h"
#include "route.h"

extern const struct field host_join_fields[], host_challenge_fields[],
	host_login_fields[];
int host_join(struct req *r);
int host_challenge(struct req *r);
int host_login(struct req *r);
int host_rekey(struct req *r); /* api_host_rekey.c */

/** host_put_join(c, a, h, token, ttl_ms, e): the host may join with ${token}. */
int host_put_join(struct core *c, struct arena *a, const struct host *h,
                  const char *token, int64_t ttl_ms, struct err *e) MUST_CHECK;
/** host_drop_joins(c, a, h, e): it may not with any that it was given. */
int host_drop_joins(struct core *c, struct arena *a, const struct host *h, struct err *e)
	MUST_CHECK;

#endif
