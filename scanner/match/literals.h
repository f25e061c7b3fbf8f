/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_LITERALS_H
#define SCANNER_LITERALS_H
/*
 * literals - many texts looked for at once, in any case.
 *
 * By vectorscan; on processors that it does not run on, by an automaton of our own
 * (Aho and Corasick, 1975), which is slower and finds the same.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct literals;
struct literals_scratch;

enum literals_engine { LITERALS_BEST, LITERALS_VECTOR, LITERALS_AUTOMATON };

/** literals_new(texts, n, engine, out, e): ${texts} in lower case, none empty; found by
 * their place in the list. */
int literals_new(const char *const *texts, size_t n, enum literals_engine engine,
                 struct literals **out, struct err *e) MUST_CHECK;
void literals_free(struct literals *l);

/** literals_scratch_new(l): what one thread needs; NULL: out of memory. */
struct literals_scratch *literals_scratch_new(const struct literals *l);
void literals_scratch_free(struct literals_scratch *s);

/* ${end}: of the text in what is searched. */
typedef void (*literals_fn)(void *ctx, unsigned id, size_t end);
/** literals_find(l, s, p, n, fn, ctx): every occurrence, ends in ascending order. */
void literals_find(const struct literals *l, struct literals_scratch *s,
                   const unsigned char *p, size_t n, literals_fn fn, void *ctx);

#endif
