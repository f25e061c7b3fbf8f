/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAKTAG_H
#define LEAKTAG_H
/*
 * leaktag - how a leak pack recognises values without holding them (docs/leak-packs.md).
 *
 * Of each value a pack has its length, a filter of 24 bits over its first bytes, and a
 * keyed BLAKE2b-128 of all of it.  The filter says where in the first LEAK_WINDOW bytes
 * the anchor is, and LEAK_TAG_BITS bits of the LEAK_GRAM bytes from there on.
 *
 * The anchor makes scanning cheap: it is the first position of the window where a keyed
 * hash of two bytes is smallest.  A scanner that looks at text only needs the positions
 * that are smallest in some window of that width, about one of nine, and finds each
 * occurrence of each value (winnowing: Schleimer, Wilkerson, Aiken, SIGMOD 2003).
 *
 * Nothing here takes constant time: what is scanned is known to whoever scans.
 */
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LEAK_WINDOW   16u
#define LEAK_GRAM     8u
#define LEAK_TAG_BITS 20u
#define LEAK_DIGEST   16u
/* The shortest value: the window and what is read from its last position on. */
#define LEAK_MIN (LEAK_WINDOW + LEAK_GRAM)
#define LEAK_MAX (16u * 1024)

#define LEAK_KEY_BYTES 48u
struct leak_key {
	unsigned char digest[32];
	uint64_t mix;    /* odd */
	uint32_t select; /* odd, 16 bits */
};

/** leak_key_read(k, p): from the LEAK_KEY_BYTES that a pack carries. */
void leak_key_read(struct leak_key *k, const unsigned char p[LEAK_KEY_BYTES]);

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

/** leak_anchor(k, p): where the anchor of the value at ${p} (LEAK_MIN bytes or more) is,
 * 0 to LEAK_WINDOW - 1. */
unsigned leak_anchor(const struct leak_key *k, const unsigned char *p);

/** leak_digest(k, p, n, out): keyed BLAKE2b-128 of a value. */
void leak_digest(const struct leak_key *k, const void *p, size_t n,
                 unsigned char out[LEAK_DIGEST]);

/* One value in a pack, as it is written there: everything big-endian. */
#define LEAK_ID           83u /* opaque: only the vault can read it */
#define LEAK_ENTRY        (LEAK_ID + 4 + 3 + 1 + LEAK_DIGEST)
#define LEAK_FLAG_CURRENT 1u /* of the newest version of its secret */
struct leak_entry {
	unsigned char id[LEAK_ID];
	uint32_t len;
	uint8_t anchor;
	uint32_t tag;
	uint8_t flags;
	unsigned char digest[LEAK_DIGEST];
};
/** leak_entry_write(en, out), leak_entry_read(p, en): the latter -1 for lengths that no
 * value has. */
void leak_entry_write(const struct leak_entry *en, unsigned char out[LEAK_ENTRY]);
int leak_entry_read(const unsigned char p[LEAK_ENTRY], struct leak_entry *en);

#endif
