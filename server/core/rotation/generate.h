/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_GENERATE_H
#define SERVER_CORE_GENERATE_H
/*
 * generate - random text by a rule: length and alphabet, or length and character classes.
 *
 * Every text that fits the rule is equally likely.  A character is drawn by rejecting
 * bytes beyond the largest multiple of the alphabet's size; a text that lacks a class is
 * thrown away whole, because putting characters in place would favour some texts.
 */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define GENERATE_LENGTH_MAX   512u
#define GENERATE_ALPHABET_MAX 94u

#define CLASS_LOWER   1u
#define CLASS_UPPER   2u
#define CLASS_DIGIT   4u
#define CLASS_SYMBOL  8u
#define CLASS__ALL    15u
#define CLASS_DEFAULT (CLASS_LOWER | CLASS_UPPER | CLASS_DIGIT)

struct generate_rule {
	int64_t length;
	unsigned classes; /* each must occur; 0: the alphabet below */
	char alphabet[GENERATE_ALPHABET_MAX + 1];
};

/** generate_class(name, n): the bit of "lower", "upper", "digit" or "symbol"; 0 for
 * anything else. */
unsigned generate_class(const char *name, size_t n);
/** generate_class_name(bit): the inverse. */
const char *generate_class_name(unsigned bit);

/** generate_check(r, e): ERR_INVALID says what is wrong with a rule. */
int generate_check(const struct generate_rule *r, struct err *e) MUST_CHECK;

/** generate_text(r, out, e): r->length characters and a NUL; ${out} has
 * GENERATE_LENGTH_MAX + 1 bytes.  The rule is checked first. */
int generate_text(const struct generate_rule *r, char out[GENERATE_LENGTH_MAX + 1],
                  struct err *e) MUST_CHECK;

/** generate_bits(r): entropy of a text by a checked rule, in whole bits, rounded down. */
int64_t generate_bits(const struct generate_rule *r);

#endif
