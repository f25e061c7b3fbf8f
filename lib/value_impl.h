/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VALUE_IMPL_H
#define VALUE_IMPL_H
/* value_impl - what the tree (value.c) and its encoding (value_codec.c) share. */
#include "value.h"

/** value_number_ok(s, n): is it a JSON number of at most LIMIT_NUMBER_TEXT bytes? */
bool value_number_ok(const char *s, size_t n);

/** value_key_compare(x, y): an order of members by key, shorter keys first. */
int value_key_compare(const struct value *x, const struct value *y);

/** value_sorted(object): its members in that order, to be free()d; NULL if out
 * of memory. */
const struct value **value_sorted(const struct value *object);

#endif
