/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_RUNE_H
#define AGENT_TEMPLATE_TMPL_RUNE_H
/* tmpl_rune - characters of UTF-8 and what Unicode says of them. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMPL_RUNE_ERROR 0xFFFDu

/** tmpl_rune(p, n, width): the character that ${n} > 0 bytes begin with; bytes that are
 * none are TMPL_RUNE_ERROR, one by one. */
uint32_t tmpl_rune(const char *p, size_t n, size_t *width);
/** tmpl_rune_before(p, n, width): the one that they end with. */
uint32_t tmpl_rune_before(const char *p, size_t n, size_t *width);

/** tmpl_rune_valid(c, width): false for bytes that are no character. */
static inline bool tmpl_rune_valid(uint32_t c, size_t width)
{
	return c != TMPL_RUNE_ERROR || width == 3;
}

bool tmpl_rune_letter(uint32_t c);
bool tmpl_rune_digit(uint32_t c); /* decimal */
bool tmpl_rune_mark(uint32_t c);
bool tmpl_rune_print(uint32_t c); /* letters, marks, numbers, punctuation, symbols, ' ' */
bool tmpl_rune_space(uint32_t c);
uint32_t tmpl_rune_upper(uint32_t c); /* one for one */
uint32_t tmpl_rune_lower(uint32_t c);
uint32_t tmpl_rune_title(uint32_t c);

/** tmpl_rune_long_title(c): what ${c} becomes at the begin of a word if that is more than
 * one character; NULL if it is not. */
const char *tmpl_rune_long_title(uint32_t c);

/** tmpl_rune_lone(c): is it a word of its own (ideographs, Hiragana, Thai)? */
bool tmpl_rune_lone(uint32_t c);
/** tmpl_rune_unseen(c): does it shape its neighbours and break no word? */
bool tmpl_rune_unseen(uint32_t c);

#endif
