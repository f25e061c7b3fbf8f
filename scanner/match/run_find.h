/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_RUN_FIND_H
#define SCANNER_RUN_FIND_H
/* run_find - the first of the runs that every match of a rule has. */
#include "match/byte_set.h"

struct run_finder {
	struct run run;
	struct byte_set set;
};

/** run_find_of(run): what is needed to look for it. */
struct run_finder run_find_of(const struct run *run);

/** run_find(f, p, n, from, to): of the text of ${n} bytes, where the first run of at
 * least
 * ${f->run.n} that lies in ${from} to ${to} begins; ${to}: there is none. */
size_t run_find(const struct run_finder *f, const unsigned char *p, size_t n, size_t from,
                size_t to);
/** run_find_plain(f, p, from, to): the same without vector instructions. */
size_t run_find_plain(const struct run_finder *f, const unsigned char *p, size_t from,
                      size_t to);

#endif
