/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_MUSTS_H
#define SCANNER_MUSTS_H
/*
 * musts - sets of bytes of each of which every match of an expression has one.
 *
 * Known of a part, it is known of what parts are put together to: an assignment has a
 * quote or an apostrophe, and a colon or an equals sign.  Of sets only those are kept
 * that many lines have no byte of.
 */
#include "rules/rule.h"

/** musts_byte(set): of one byte out of ${set}. */
struct musts musts_byte(const struct bytes *set);
/** musts_then(a, b): of ${a} and ${b} after it: those that are rarest. */
struct musts musts_then(const struct musts *a, const struct musts *b);
/** musts_or(a, b): of the one or the other. */
struct musts musts_or(const struct musts *a, const struct musts *b);

#endif
