/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SLOTS_H
#define SCANNER_SLOTS_H
/*
 * slots - which of some hundred literals are at a place.
 *
 * The first three bytes of its window (see buckets.h) are a literal's slot, in any case.
 * All of a slot are compared with what is at a place at once, eight bytes of them from
 * there on and eight before.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/literals.h"

#define SLOTS_WORD   8u /* bytes that are compared at once */
#define SLOTS_HASHES 4096u
#define SLOTS_LANES  8u   /* literals that are compared at once */
#define SLOTS_TOLD   256u /* that are told together */
#define SLOTS_PLACES 8192u

/* Bytes at a place as a number: those that it has under ${mask}. */
struct slots_word {
	uint64_t mask, value;
};

struct slot {
	struct slots_word common; /* what all literals of it have */
	uint32_t first, groups;   /* of them */
};

struct slots {
	const struct literal *list;
	uint32_t factor;                /* of the hash */
	struct slot *slot;              /* the first has no literals … */
	uint16_t by_hash[SLOTS_HASHES]; /* … and is that of most places */
	struct slots_group *group;
};

/* A text that is searched for them. */
struct slots_text {
	const struct slots *s;
	const unsigned char *p;
	size_t n;
	literals_fn fn;
	void *ctx;
};

/* Places of a text, and what is made of them. */
struct slots_work {
	unsigned n;
	uint16_t at[SLOTS_PLACES];
	uint16_t slot[SLOTS_PLACES];
	uint64_t told[SLOTS_TOLD + SLOTS_LANES];
};

/** slots_fit(list, n): can slots_init() be asked for these? */
bool slots_fit(const struct literal *list, size_t n);
/** slots_init(s, list, n, windows): ${windows}: where each one's begins in it.  ${list}
 * is borrowed.  ERR_NOMEM. */
int slots_init(struct slots *s, const struct literal *list, size_t n,
               const uint16_t *windows) MUST_CHECK;
/** slots_clear(s): frees what is in it. */
void slots_clear(struct slots *s);

/** slots_tell(t, at): tells those whose window is at ${at}. */
void slots_tell(const struct slots_text *t, size_t at);
/** slots_tell_all(t, base, p, w): the same of the places of ${w}, which are so far from
 * ${base}, which is ${p}; SLOTS_WORD bytes are there before and after each.  They are
 * overwritten.  For processors that have what sieve_fast() asks for. */
void slots_tell_all(const struct slots_text *t, size_t base, const unsigned char *p,
                    struct slots_work *w);

#endif
