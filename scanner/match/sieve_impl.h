/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SIEVE_IMPL_H
#define SCANNER_SIEVE_IMPL_H
/* sieve_impl - what the files of sieve share: where a text may begin is found by other
 * instructions on each kind of processor, and the rest is the same. */
#include "match/buckets.h"
#include "match/sieve.h"
#include "match/slots.h"

#define SIEVE_BLOCK  64u                           /* bytes that are looked at at once */
#define SIEVE_MARKED ((size_t)64 * LITERALS_GRAIN) /* that a word of marks is of */
#define SIEVE_SETS   2u                            /* of eight buckets, in a byte */

_Static_assert(BUCKETS == 8 * SIEVE_SETS, "all of them");

struct sieve {
	const struct literal *list;
	struct buckets buckets;
	/* The same, as instructions take it. */
	uint8_t by_byte[SIEVE_SETS][BUCKETS_WINDOW][BUCKETS_BYTES];
	/* BUCKETS_BY_HALVES */
	uint8_t by_lower[BUCKETS_WINDOW][SIEVE_SETS][16];
	uint8_t by_upper[BUCKETS_WINDOW][SIEVE_SETS][16];
	struct slots slots;
};

/* A text whose blocks are looked at up to ${end}, where ${marks} are, or everywhere. */
struct sieve_text {
	const struct sieve *s;
	const unsigned char *p;
	const uint64_t *marks;
	size_t end;
};

/* Lists where any bucket takes a window, from ${from} on, which is where a word of marks
 * begins; as numbers from there on, as many as there is room for.  Where it stopped.  The
 * first block of the text is left out.  BUCKETS_WINDOW bytes after a block are read. */
typedef size_t sieve_places(const struct sieve_text *t, size_t from,
                            struct slots_work *w);
/* The same of one block: of ${bytes} of 64 from ${p} on, as numbers from ${base} on; how
 * many.  There is room for SIEVE_BLOCK, and no more may be written. */
typedef unsigned sieve_block(const void *tables, const unsigned char *p, uint64_t bytes,
                             unsigned base, uint16_t *out);

#ifdef __x86_64__
/** sieve_places_vbmi(), sieve_places_avx2(): for such processors. */
sieve_places sieve_places_vbmi, sieve_places_avx2;
#endif

#define SIEVE_INLINE __attribute__((always_inline)) static inline

/* The lowest bit of a block's grains, where any is set. */
SIEVE_INLINE uint64_t sieve_blocks_of(uint64_t grains)
{
	_Static_assert(SIEVE_BLOCK == 4 * LITERALS_GRAIN, "as many grains");
	grains |= grains >> 2;
	return (grains | grains >> 1) & 0x1111111111111111;
}

/* The bytes of the grains of a block that its ${bits} are of. */
SIEVE_INLINE uint64_t sieve_bytes_of(unsigned bits)
{
	const uint64_t spread = (bits & 1u) | (uint64_t)(bits & 2u) << 15 |
	                        (uint64_t)(bits & 4u) << 30 | (uint64_t)(bits & 8u) << 45;

	return spread * 0xffff;
}

/* Those of a word of marks. */
SIEVE_INLINE uint64_t sieve_grains(const struct sieve_text *t, size_t at)
{
	uint64_t grains = t->marks != NULL ? t->marks[at / SIEVE_MARKED] : UINT64_MAX;

	if (at == 0)
		grains &= ~UINT64_C(15);
	if (t->end - at < SIEVE_MARKED)
		grains &= ~(UINT64_MAX << (t->end - at) / LITERALS_GRAIN);
	return grains;
}

/* sieve_places() by a function for a block. */
SIEVE_INLINE size_t sieve_list(const struct sieve_text *t, size_t from,
                               struct slots_work *w, sieve_block *block,
                               const void *tables)
{
	const size_t most = t->marks != NULL ? UINT16_MAX : SLOTS_PLACES;
	uint16_t *out = w->at;
	size_t at = from;

	for (; at < t->end && at + SIEVE_MARKED - from <= most &&
	       out <= w->at + SLOTS_PLACES - SIEVE_MARKED;
	     at += SIEVE_MARKED) {
		const uint64_t grains = sieve_grains(t, at);

		for (uint64_t k = sieve_blocks_of(grains); k != 0; k &= k - 1) {
			const unsigned bit = (unsigned)__builtin_ctzll(k);
			const size_t to = at + bit * LITERALS_GRAIN;

			out += block(tables, t->p + to,
			             sieve_bytes_of((unsigned)(grains >> bit) & 15u),
			             (unsigned)(to - from), out);
		}
	}
	w->n = (unsigned)(out - w->at);
	return at;
}

#endif
