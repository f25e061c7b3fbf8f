/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_OPENING_H
#define SCANNER_OPENING_H
/*
 * opening - which bytes can be the first and the second of a match.
 *
 * Known of a part of an expression, it is known of what parts are put together to.  Few
 * places have two bytes that a match may begin with: only from there on it is tried.
 */
#include <stdbool.h>

#include "rules/rule.h"

/* Of a part. */
struct opening_part {
	struct bytes one, two;
	bool empty;  /* it may be */
	bool single; /* it may be one byte */
};

/** opening_nothing(): of what takes no bytes. */
struct opening_part opening_nothing(void);
/** opening_is_nothing(a): does it take no bytes? */
bool opening_is_nothing(const struct opening_part *a);
/** opening_unknown(): of what is not understood. */
struct opening_part opening_unknown(void);
/** opening_byte(set): of one byte out of ${set}; it may have none. */
struct opening_part opening_byte(const struct bytes *set);
/** opening_then(a, b): of ${a} and ${b} after it. */
struct opening_part opening_then(const struct opening_part *a,
                                 const struct opening_part *b);
/** opening_or(a, b): of the one or the other. */
struct opening_part opening_or(const struct opening_part *a,
                               const struct opening_part *b);
/** opening_again(a): of ${a} once or more. */
struct opening_part opening_again(const struct opening_part *a);
/** opening_of(a, line): of an expression; ${line}: it may begin otherwise where a line
 * does. */
struct opening opening_of(const struct opening_part *a, bool line);

#endif
