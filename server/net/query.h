/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_QUERY_H
#define SERVER_NET_QUERY_H
/*
 * query - "a=1&b=2" as struct value, for query strings and form bodies.
 *
 * A key that comes once gives a string, a repeated one an array of strings in order.
 * Percent escapes are decoded once, '+' is a space; broken escapes, ';', invalid UTF-8
 * and more than QUERY_PAIRS_MAX pairs are refused.
 */
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "err.h"
#include "value.h"

#define QUERY_PAIRS_MAX 256u

/** query_parse(a, s, n, out, e): an object (maybe empty) in ${a}; ERR_INVALID or
 * ERR_NOMEM. */
int query_parse(struct arena *a, const char *s, size_t n, struct value **out,
                struct err *e) MUST_CHECK;

/** query_remove(object, key): take a member out of the tree; NULL if there is none. */
struct value *query_remove(struct value *object, const char *key);

/**
 * query_go_bool(v, out): Go's strconv.ParseBool of a string (of the first one of an
 * array); "" and NULL are false.  0, or -1.
 */
int query_go_bool(const struct value *v, bool *out);

#endif
