/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_LITERALS_H
#define SCANNER_LITERALS_H
/*
 * literals - many texts looked for at once.
 *
 * By vectorscan; on processors that it does not run on, by an automaton of our own
 * (Aho and Corasick, 1975), which is slower and finds the same.  Or by a sieve, which is
 * several times faster for some hundred that are seldom found, but has no order.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "rules/rule.h"

struct literals;
struct literals_scratch;

/* What is looked for: a text, and what follows it. */
struct literal {
	const char *text; /* in lower case unless ${exact} */
	uint16_t n;       /* bytes of it: one or more */
	bool exact;       /* in no other case */
	struct run next;  /* as far as there is anything after it */
};

enum literals_engine {
	LITERALS_BEST,      /* in order */
	LITERALS_UNORDERED, /* the sieve where the processor is made for it; or the best
	                     */
	LITERALS_VECTOR,
	LITERALS_AUTOMATON,
	LITERALS_SIEVE /* of texts that sieve_fits() */
};

/** literals_new(list, n, engine, out, e): found by their place in the list, which is
 * borrowed. */
int literals_new(const struct literal *list, size_t n, enum literals_engine engine,
                 struct literals **out, struct err *e) MUST_CHECK;
void literals_free(struct literals *l);
/** literals_list(l, n): what it looks for. */
const struct literal *literals_list(const struct literals *l, size_t *n);
#define LITERALS_HASH 32u
/** literals_hash(list, n, out): by which what was made of a list at build time is found.
 */
void literals_hash(const struct literal *list, size_t n,
                   unsigned char out[LITERALS_HASH]);
/** literals_embedded(l): was it compiled when the program was built? */
bool literals_embedded(const struct literals *l);

/** literals_scratch_new(l): what one thread needs; NULL: out of memory. */
struct literals_scratch *literals_scratch_new(const struct literals *l);
void literals_scratch_free(struct literals_scratch *s);

/* ${end}: of the text in what is searched. */
typedef void (*literals_fn)(void *ctx, unsigned id, size_t end);
/** literals_find(l, s, p, n, fn, ctx): every occurrence in ${n} bytes, whatever follows
 * it; ends in ascending order.  But the sieve has no order, and may leave out what is not
 * followed by what has to follow. */
void literals_find(const struct literals *l, struct literals_scratch *s,
                   const unsigned char *p, size_t n, literals_fn fn, void *ctx);

#define LITERALS_GRAIN ((size_t)16) /* bytes that a mark stands for */
/** literals_in_place(l): can it look for what is in some places of a text alone, at the
 * cost of these? */
bool literals_in_place(const struct literals *l);
/** literals_find_marked(l, p, n, marks, fn, ctx): as literals_find(), of one that does so
 * literals_in_place(): the occurrences that lie in grains whose bits are set, from the
 * lowest on, and maybe some that do in part. */
void literals_find_marked(const struct literals *l, const unsigned char *p, size_t n,
                          const uint64_t *marks, literals_fn fn, void *ctx);

/** literal_followed(l, p, n, end): does what has to follow ${l} follow where it ends? The
 * first bytes of it are looked at, as far as there are any. */
bool literal_followed(const struct literal *l, const unsigned char *p, size_t n,
                      size_t end);

#endif
