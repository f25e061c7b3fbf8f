/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_OPEN_FIND_H
#define SCANNER_OPEN_FIND_H
/* open_find - the first place that a match of a rule can begin at. */
#include "match/byte_set.h"

struct open_finder {
	struct opening of;
	struct byte_set one, two, feed;
};

/** open_find_of(o): what is needed to look for it. */
struct open_finder open_find_of(const struct opening *o);

/** open_find(f, p, n, from, to, first): of the text of ${n} bytes, the first place in
 * ${from} to ${to} where a match may begin; ${to}: there is none.  At ${first} a line
 * begins, whatever is before it, and nothing that is looked at does earlier. */
size_t open_find(const struct open_finder *f, const unsigned char *p, size_t n,
                 size_t from, size_t to, size_t first);
/** open_find_plain(f, p, n, from, to, first): the same without vector instructions. */
size_t open_find_plain(const struct open_finder *f, const unsigned char *p, size_t n,
                       size_t from, size_t to, size_t first);

#endif
