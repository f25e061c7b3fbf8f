/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_DECODE_LINE_IMPL_H
#define SCANNER_DECODE_LINE_IMPL_H
/*
 * decode_line_impl - what looks at the marks of a line and what writes it out share.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/decode_impl.h"

#define LINE_BEFORE_MAX 512u /* bytes of a long line before the mark */

/* A part of the text that is being written out. */
struct line_input {
	const unsigned char *p;
	size_t n;
};

static inline int line_hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of ${digits} of base 16 at ${at}; -1: there is none. */
static inline long line_hex(struct line_input in, size_t at, unsigned digits)
{
	long v = 0;

	if (at + digits > in.n)
		return -1;
	for (unsigned i = 0; i < digits; i++) {
		int d = line_hex_digit(in.p[at + i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static inline bool line_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static inline bool line_word(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_';
}

static inline bool line_graphic(long c)
{
	return c > ' ' && c < 0x7f;
}

/* --- decode_promise.c */

/** line_counts(s, at, kind, list): does the mark at ${at}, of that kind, hide what a rule
 * could look for?  ${*list} is set where pieces of a list are put together. */
bool line_counts(struct search *s, size_t at, enum line_kind kind, bool *list);
/** line_entity(in, at, cp): bytes of an HTML entity at ${at}, and the character; 0 if
 * there is none. */
size_t line_entity(struct line_input in, size_t at, uint32_t *cp);
/** line_joint(in, at, list): where the next piece of a string begins, if there is a joint
 * after the closing quote at ${at}, or 0; in a list a comma is one. */
size_t line_joint(struct line_input in, size_t at, bool list);

#endif
