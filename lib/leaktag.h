/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAKTAG_H
#define LEAKTAG_H
/*
 * leaktag - how a leak pack recognises values without holding them (docs/leak-packs.md).
 *
 * Of each value a pack has its length, a filter of 24 bits, and a keyed BLAKE2b-128 of
 * all of it.  The filter is made of the value's first run of LEAK_RUN bytes without white
 * space: it says where in that run the anchor is, and LEAK_TAG_BITS bits of the LEAK_GRAM
 * bytes from there on.
 *
 * The anchor makes scanning cheap: it is the first position of the run where a keyed hash
 * of two bytes is smallest, among the LEAK_WINDOW where such a gram fits.  A scanner that
 * looks at text only needs the positions that are smallest in some window of that width
 * (winnowing: Schleimer, Wilkerson, Aiken, SIGMOD 2003), and of these windows only those
 * in a run: of texts one position in 25 to 40.  It finds each occurrence of each value.
 *
 * Nothing here takes constant time: what is scanned is known to whoever scans.
 */
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util.h"

#define LEAK_WINDOW   15u
#define LEAK_GRAM     8u
#define LEAK_RUN      (LEAK_WINDOW + LEAK_GRAM - 1)
#define LEAK_TAG_BITS 20u
#define LEAK_DIGEST   16u
#define LEAK_MIN      LEAK_RUN
#define LEAK_MAX      (16u * 1024)
/* Where an anchor can be in a value; a run that begins later is not looked for. */
#define LEAK_PLACE_MAX 4096u
/* Of a pack's pages, as `format`: what is said here. */
#define LEAK_FORMAT 2

#define LEAK_KEY_BYTES 48u
struct leak_key {
	unsigned char digest[32];
	uint64_t mix;    /* odd */
	uint32_t select; /* odd, 16 bits */
};

/** leak_key_read(k, p): from the LEAK_KEY_BYTES that a pack carries. */
void leak_key_read(struct leak_key *k, const unsigned char p[LEAK_KEY_BYTES]);

/** leak_solid(c): may a run have this byte?  Neither white space nor NUL. */
static inline bool leak_solid(unsigned char c)
{
	return c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\0';
}

/** leak_select(k, p): the hash of p[0] and p[1] whose smallest makes an anchor. */
static inline uint8_t leak_select(const struct leak_key *k, const unsigned char *p)
{
	return (uint8_t)(((p[0] | (uint32_t)p[1] << 8) * k->select & 0xffffu) >> 8);
}

/** leak_tag(k, p): LEAK_TAG_BITS bits of the LEAK_GRAM bytes at ${p}. */
static inline uint32_t leak_tag(const struct leak_key *k, const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (uint32_t)(le64toh(v) * k->mix >> (64 - LEAK_TAG_BITS));
}

/** leak_anchor(k, p): where the anchor of the run of LEAK_RUN bytes at ${p} is, 0 to
 * LEAK_WINDOW - 1. */
unsigned leak_anchor(const struct leak_key *k, const unsigned char *p);

/** leak_place(k, p, n): where the anchor of a value is; -1: it has no run. */
int leak_place(const struct leak_key *k, const unsigned char *p, size_t n);

/** leak_digest(k, p, n, out): keyed BLAKE2b-128 of a value. */
void leak_digest(const struct leak_key *k, const void *p, size_t n,
                 unsigned char out[LEAK_DIGEST]);

/* One value in a pack, as it is written there: everything big-endian. */
#define LEAK_ID           83u /* opaque: only the vault can read it */
#define LEAK_ENTRY        (LEAK_ID + 4 + 2 + 3 + 1 + LEAK_DIGEST)
#define LEAK_FLAG_CURRENT 1u /* of the newest version of its secret */
struct leak_entry {
	unsigned char id[LEAK_ID];
	uint32_t len;
	uint16_t place; /* of the anchor in the value */
	uint32_t tag;
	uint8_t flags;
	unsigned char digest[LEAK_DIGEST];
};
/** leak_entry_of(k, p, n, en): all of ${en} that is computed from the value, which is not
 * longer than LEAK_MAX.  -1: it has no run, which is so for none of LEAK_BITS_MIN bits.
 */
int leak_entry_of(const struct leak_key *k, const unsigned char *p, size_t n,
                  struct leak_entry *en) MUST_CHECK;
/** leak_entry_write(en, out), leak_entry_read(p, en): the latter -1 for lengths and
 * places that no value has. */
void leak_entry_write(const struct leak_entry *en, unsigned char out[LEAK_ENTRY]);
int leak_entry_read(const unsigned char p[LEAK_ENTRY], struct leak_entry *en);

#endif
