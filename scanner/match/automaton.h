/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_AUTOMATON_H
#define SCANNER_AUTOMATON_H
/* automaton - literals.h without vector instructions. */
#include "match/literals.h"

struct automaton;

/** automaton_new(list, n): as literals_new(), but for any case and whatever follows;
 * NULL: out of memory. */
struct automaton *automaton_new(const struct literal *list, size_t n);
void automaton_free(struct automaton *a);
void automaton_find(const struct automaton *a, const unsigned char *p, size_t n,
                    literals_fn fn, void *ctx);

#endif
