/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SKIP_H
#define SCANNER_SKIP_H
/* skip - bytes of words and of prose, which stand between an anchor and what says whether
 * a match begins there. */
#include <stddef.h>

/** skip_word(p, n), skip_prose(p, n): how many of ${n} bytes come before the first that
 * is none of rule_word, or of rule_prose. */
size_t skip_word(const unsigned char *p, size_t n);
size_t skip_prose(const unsigned char *p, size_t n);

#endif
