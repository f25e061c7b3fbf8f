/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PATH_H
#define PATH_H
/*
 * path - the one canonical form of a request path, and of names.
 *
 * A path is decoded once from the raw request target; what is not canonical is refused,
 * never repaired: NUL, control characters, invalid UTF-8, an escaped slash, segments that
 * are empty, "." or ".." or begin or end in a space, more than LIMIT_PATH bytes or
 * LIMIT_PATH_SEGMENTS segments.  One trailing slash is allowed and kept (it means a
 * folder).  Names of policies, roles, users, hosts and mounts are lower-case:
 * [a-z0-9][a-z0-9._-]{0,127}; ASCII upper case is folded by path_name() alone.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "vault/limits.h"

/**
 * path_decode(raw, n, out, cap, len, e): percent-decode ${raw} (a target without query)
 * once into ${out} of ${cap} bytes, add a NUL, and check it.  One leading slash is
 * dropped.  ERR_INVALID names the rule that was broken.
 */
int path_decode(const char *raw, size_t n, char *out, size_t cap, size_t *len,
                struct err *e) MUST_CHECK;

/** path_check(s, n, e): is ${s} canonical already (core asks again)? */
int path_check(const char *s, size_t n, struct err *e) MUST_CHECK;

/** path_name(s, n, out, what, e): fold and check a name; ${what} is for the message
 * ("policy name"). */
int path_name(const char *s, size_t n, char out[LIMIT_NAME + 1], const char *what,
              struct err *e) MUST_CHECK;

#endif
