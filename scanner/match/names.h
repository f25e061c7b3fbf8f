/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_NAMES_H
#define SCANNER_NAMES_H
/*
 * names - the rules that are for files of some names alone.
 *
 * Every file is asked about, and hardly one is meant: a glob is tried where a text that
 * all its matches have is in the path.
 */
#include <stddef.h>

struct names;
struct rule_set;

/** names_new(rules): borrows ${rules}; NULL: out of memory. */
struct names *names_new(const struct rule_set *rules);
/** names_free(n): NULL is allowed. */
void names_free(struct names *n);
/** names_turn_off(n, path, off): sets ${off} of those that are not for ${path}, which may
 * be NULL; of others it stays. */
void names_turn_off(const struct names *n, const char *path, unsigned char *off);

#endif
