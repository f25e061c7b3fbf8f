/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RANDOM_H
#define RANDOM_H
/*
 * random - does a text look drawn at random, or written by a person?
 *
 * Two measures: Shannon entropy against what random text of that length and class of
 * characters has, and how much likelier each pair of characters is in words and
 * identifiers than by chance.  Pure; thread safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [a][b]: see tools/bigram-table. */
extern const int8_t bigram_table[64][64];

/* What a text is made of. */
struct shape {
	size_t n, lower, upper, digit, sign, space,
		high; /* how many bytes of each class */
	size_t hex;   /* digits and letters of base 16 */
	size_t distinct;
	double entropy; /* bits per byte */
	double words;   /* mean log-odds of its pairs: above 0.5 words, below 0 random */
};

/** shape_of(s, n, out): measures ${n} bytes. */
void shape_of(const char *s, size_t n, struct shape *out);

/** shape_classes(s): how many of lower case, upper case, digits and signs occur. */
unsigned shape_classes(const struct shape *s);

/** shape_hex(s): only digits of base 16, letters in one case. */
bool shape_hex(const struct shape *s);

/** shape_random(s): random enough for a token: eight bytes or more. */
bool shape_random(const struct shape *s);

/** shape_spoken(s, n): a short word of some language, going by its vowels; letters only.
 */
bool shape_spoken(const char *s, size_t n);

/** shape_wordy(s): its pairs of characters are those of words. */
bool shape_wordy(const struct shape *s);

/** shape_certain(s): random beyond doubt, whatever its signs are: neither code nor a
 * template looks like that. */
bool shape_certain(const struct shape *s);

/** shape_scrambled(s): letters of both cases, and a few signs, that are hardly a name:
 * one in sixty of those in source code are, and nine in ten that are drawn at random. */
bool shape_scrambled(const struct shape *s);

/** shape_passphrase(s, n): four words or more, parted by the same sign, and a number, or
 * three, or two that begin with a capital, and one of two digits, as generators make them
 * for people to keep. */
bool shape_passphrase(const char *s, size_t n);

/** shape_weak(s): few classes of characters or few of them, and no random text: no secret
 * in documentation and tests. */
bool shape_weak(const struct shape *s);

/** shape_inner_digits(s, n): digits between two letters; names have few. */
size_t shape_inner_digits(const char *s, size_t n);
#endif
