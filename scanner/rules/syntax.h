/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SYNTAX_H
#define SCANNER_SYNTAX_H
/* syntax - the parts of regular expressions that are more than a few characters. */
#include "rules/rule.h"

/** syntax_escaped(c, set): adds the bytes that ${c} after a backslash stands for; all, if
 * it is not understood. */
void syntax_escaped(unsigned char c, struct bytes *set);
/** syntax_class(p, set): of the class in brackets at ${p}; all, if it is not understood.
 * Returns what comes behind it. */
const char *syntax_class(const char *p, struct bytes *set);
/** syntax_is_count(p): is the brace at ${p} a quantifier, not a character? */
bool syntax_is_count(const char *p);

#endif
