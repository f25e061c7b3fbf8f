/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASCII_H
#define ASCII_H
/* ascii - tests of bytes and searches that no locale changes, for texts without a NUL. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool ascii_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || ascii_upper(c);
}

static inline bool ascii_alnum(char c)
{
	return ascii_alpha(c) || ascii_digit(c);
}

static inline bool ascii_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char ascii_lower(char c)
{
	return ascii_upper(c) ? (char)(c + 32) : c;
}

/** ascii_any(set, c): is it one of these? */
static inline bool ascii_any(const char *set, char c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/** ascii_starts(s, n, prefix): in any case; ${prefix} is in lower case. */
static inline bool ascii_starts(const char *s, size_t n, const char *prefix)
{
	for (; *prefix != '\0'; s++, n--, prefix++)
		if (n == 0 || ascii_lower(*s) != *prefix)
			return false;
	return true;
}

/** ascii_equal(s, n, word): in any case; ${word} is in lower case. */
bool ascii_equal(const char *s, size_t n, const char *word);

/** ascii_find(s, n, word): where ${word}, in lower case, is in any case; NULL if nowhere.
 */
const char *ascii_find(const char *s, size_t n, const char *word);

/** ascii_glob(pattern, text): '*' stands for any bytes; any case. */
bool ascii_glob(const char *pattern, const char *text);
#endif
