/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_CLASSES_H
#define SCANNER_CLASSES_H
/*
 * classes - sets of bytes, a bit for each, and which of them every byte is of.
 *
 * Rules ask for few sets, and many for the same: what a text has of all of them is known
 * after one look at each of its bytes, and what a rule asks for is a mask.
 */
#include "rules/rule.h"

#define CLASSES_MAX 64u

struct classes {
	unsigned n;
	struct bytes set[CLASSES_MAX];
	uint64_t of[256]; /* sets that the byte is in */
	/* Of ASCII the same, eight sets each, as instructions take it; and the sets that
	 * any other byte is in. */
	uint8_t eight[CLASSES_MAX / 8][128];
	uint64_t high;
};

/** classes_add(c, set): its bit; 0 if it says nothing, as it has all bytes, or if there
 * is no bit left. */
uint64_t classes_add(struct classes *c, const struct bytes *set);
/** classes_of(c, p, n): the sets that at least one of ${n} bytes is in, and maybe more if
 * one of them is not ASCII. */
uint64_t classes_of(const struct classes *c, const unsigned char *p, size_t n);
/** classes_of_plain(c, p, n): exactly those, byte by byte. */
uint64_t classes_of_plain(const struct classes *c, const unsigned char *p, size_t n);

#endif
