/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATE_SCRUB_H
#define SERVER_ROTATE_SCRUB_H
/*
 * scrub - known values are taken out of what rotators say to people.
 *
 * Each value is looked for as it is, line by line if it has lines, and as it looks in
 * JSON, in a URL, in hexadecimal, and in base64 (whatever stands before it there).  A
 * rotator that wants to give a value away can: this is against mistakes.
 */
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "value.h"

#define SCRUB_MIN 4u /* shorter values would take ordinary words out */

struct scrub {
	struct scrub_form *first;
};

/** scrub_add(s, a, p, n): one value; its forms are in ${a}, which may fail. */
void scrub_add(struct scrub *s, struct arena *a, const char *p, size_t n);
/** scrub_add_tree(s, a, v): every string in ${v} but names of accounts; NULL is allowed.
 */
void scrub_add_tree(struct scrub *s, struct arena *a, const struct value *v);
/** scrub_text(s, text, n): replace in place; the new length, never more than ${n}. */
size_t scrub_text(const struct scrub *s, char *text, size_t n);

#endif
