/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BUILTIN_H
#define SCANNER_BUILTIN_H
/* builtin - the rules of scanner/rules, as the parser made them when the program was
 * built: scanner/embed writes this table. */
#include "rules/rule.h"

extern const struct rule rules_embedded[];
extern const size_t rules_embedded_count;

#endif
