/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_STRETCH_H
#define SCANNER_STRETCH_H
/*
 * stretch - how many bytes of a set follow each other in every match of an expression.
 *
 * Known of a part, it is known of what parts are put together to: a token of 40 letters
 * and digits is a stretch of 40, whether its expression names them in one class, in
 * three, or in a literal and a class.  Without a digit or a capital a long run is taken
 * for words: enough of its bytes have to be of classes with some that one will be there.
 */
#include <stdbool.h>

#include "rules/rule.h"

#define STRETCH_MAX   4096u /* longer ones are not told apart */
#define STRETCH_MIXED 12u   /* bytes that may be digits or capitals: one will be */

/* Of a part, and at least. */
struct stretch {
	unsigned first, last; /* bytes of the set that it begins and ends with */
	unsigned longest;     /* in a row */
	unsigned token;       /* the same, with a digit or a capital among them */
	unsigned n;           /* if all are of the set: bytes of it */
	bool all;
	unsigned first_mixed, last_mixed; /* bytes of those two that may be one */
};

/** stretch_nothing(): of what takes no bytes. */
struct stretch stretch_nothing(void);
/** stretch_unknown(): of what is not understood. */
struct stretch stretch_unknown(void);
/** stretch_byte(one, set, mixed): of one byte out of ${one}, which is a digit or a
 * capital as surely as one out of ${mixed} bytes of classes with some. */
struct stretch stretch_byte(const struct bytes *one, const struct bytes *set,
                            unsigned mixed);
/** stretch_then(a, b): of ${a} and ${b} after it. */
struct stretch stretch_then(const struct stretch *a, const struct stretch *b);
/** stretch_or(a, b): of the one or the other. */
struct stretch stretch_or(const struct stretch *a, const struct stretch *b);
/** stretch_times(a, least): of ${a} so many times or more. */
struct stretch stretch_times(const struct stretch *a, unsigned least);

#endif
