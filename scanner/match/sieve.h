/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SIEVE_H
#define SCANNER_SIEVE_H
/*
 * sieve - literals.h for some hundred texts that are seldom, in no order.
 *
 * Where a text may begin is found for 64 bytes at a time, by what buckets take its bytes
 * (see buckets.h); most of that is dropped by one comparison each, without a branch; what
 * is left is compared with the texts that it may be.
 */
#include <stdbool.h>

#include "match/literals.h"

struct sieve;

/** sieve_fast(): has this processor the instructions that make it faster than others? */
bool sieve_fast(void);
/** sieve_fits(list, n): can sieve_new() be asked for these? */
bool sieve_fits(const struct literal *list, size_t n);
/** sieve_new(list, n, out, e): as literals_new(). */
int sieve_new(const struct literal *list, size_t n, struct sieve **out, struct err *e)
	MUST_CHECK;
void sieve_free(struct sieve *s);

/** sieve_find(s, p, n, marks, fn, ctx): as literals_find_marked(), ends in any order;
 * everywhere, if ${marks} is NULL. */
void sieve_find(const struct sieve *s, const unsigned char *p, size_t n,
                const uint64_t *marks, literals_fn fn, void *ctx);
#endif
