/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BUCKETS_H
#define SCANNER_BUCKETS_H
/*
 * buckets - literals put into few buckets, by what is found seldom.
 *
 * Of each literal, some bytes in a row are chosen, its window, which goes on with what
 * has to follow a short one.  A bucket takes a text if each byte of it is, at its place,
 * in one of the bucket's windows: all windows do, and as little else as can be had.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/literals.h"

#define BUCKETS        16u /* bits of a row of the table */
#define BUCKETS_WINDOW 4u  /* bytes; where there are no more, any byte will do */
#define BUCKETS_LEAST  3u  /* bytes of a literal, with what has to follow it … */
#define BUCKETS_BARE   2u  /* … and without */
#define BUCKETS_MOST   1024u
#define BUCKETS_TRIES  800u /* of buckets_choose(), when the program is built */
#define BUCKETS_BYTES  128u /* the table is for the low seven bits of a byte */

/* What a bucket may take at a place of its windows. */
enum buckets_by {
	BUCKETS_BY_BYTE,  /* any set of bytes */
	BUCKETS_BY_HALVES /* all bytes that have one of some lower halves, bits 0 to 3,
	                     and one of some upper ones, bits 3 to 6 */
};

/* Buckets that take a byte at a place of their windows. */
struct buckets {
	uint16_t take[BUCKETS_WINDOW][BUCKETS_BYTES];
};

/* [before][byte]: see tools/pair-table. */
extern const uint8_t pair_table[64][64];

/* Those of a list, which were chosen when the program was built (scanner/embed): that
 * takes as long as all else of a start. */
struct buckets_embedded {
	unsigned char list[LITERALS_HASH];
	enum buckets_by by;
	const struct buckets *buckets; /* NULL: the end of the table */
	const uint16_t *windows;
};
extern const struct buckets_embedded buckets_embedded[];

/** buckets_load(table, by, list, n, windows, out): what buckets_choose() made of this
 * list; false: ${table} does not have it. */
bool buckets_load(const struct buckets_embedded *table, enum buckets_by by,
                  const struct literal *list, size_t n, uint16_t *windows,
                  struct buckets *out);
/* Three bytes, and how likely they are, in a row and in any case, at a place of programs
 * and prose. */
struct buckets_text {
	unsigned char p[BUCKETS_LEAST];
	float odds;
};
/** buckets_odds(t, n): fills in the odds of ${n} texts. */
void buckets_odds(struct buckets_text *t, size_t n);
/** buckets_fit(list, n): can buckets_choose() be asked for these? */
bool buckets_fit(const struct literal *list, size_t n);
/** buckets_choose(by, list, n, tries, windows, out): ${windows} of ${n}: where each one's
 * window begins in it.  0 ${tries} take some milliseconds; more, of a millisecond or two
 * each, make the sieve faster.  The same list gives the same choice.  ERR_NOMEM. */
int buckets_choose(enum buckets_by by, const struct literal *list, size_t n,
                   unsigned tries, uint16_t *windows, struct buckets *out) MUST_CHECK;

#endif
