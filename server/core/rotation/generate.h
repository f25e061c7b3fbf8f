/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_GENERATE_H
#define SERVER_CORE_GENERATE_H
/*
 * generate - random text by a rule: a length and sets of characters, of each of which so
 * many must occur.  A rule of rotation says it as an alphabet, or as character classes.
 *
 * Every text that fits the rule is equally likely.  A character is drawn by rejecting
 * bytes beyond the largest multiple of the alphabet's size; a text that lacks characters
 * of a set is thrown away whole, because putting some in place would favour some texts.
 */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define GENERATE_LENGTH_MAX   512u
#define GENERATE_ALPHABET_MAX 94u

#define GENERATE_SETS_MAX  16u
#define GENERATE_CHARS_MAX 256u /* of all sets together */
/* The share of texts that fit which is still found quickly: of 8192 times sixteen tries,
 * none succeeds once in nine million times. */
#define GENERATE_SHARE_MIN (1.0 / 8192)

/* An alphabet: the union of sets, and how many characters of each a text must have. */
struct generate_mix {
	size_t length; /* of a text, in characters */
	size_t n;
	uint32_t chars[GENERATE_CHARS_MAX]; /* code points, each once */
	uint16_t sets[GENERATE_CHARS_MAX];  /* which ones have it, a bit each */
	size_t n_sets;
	size_t min[GENERATE_SETS_MAX];
};

/** generate_mix_add(m, chars, n, min, e): add a set, of which a text must have at least
 * ${min} characters.  ${m} is all zero but its length before the first one.  ERR_INVALID:
 * too many sets or characters. */
int generate_mix_add(struct generate_mix *m, const uint32_t *chars, size_t n, size_t min,
                     struct err *e) MUST_CHECK;

/** generate_mix_share(m, share, e): which share of all texts over the alphabet fits, 0 to
 * 1.  ERR_INVALID: the rules are too intricate to tell within milliseconds. */
int generate_mix_share(const struct generate_mix *m, double *share, struct err *e)
	MUST_CHECK;

/** generate_mix_text(m, out, e): m->length code points.  The share of texts that fit is
 * GENERATE_SHARE_MIN or more: the caller has asked, once.  ERR_INTERNAL: none was found.
 */
int generate_mix_text(const struct generate_mix *m, uint32_t *out, struct err *e)
	MUST_CHECK;

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
