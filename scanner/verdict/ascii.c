/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/ascii.h"

#include <string.h>

bool ascii_starts(const char *s, size_t n, const char *prefix)
{
	for (; *prefix != '\0'; s++, n--, prefix++)
		if (n == 0 || ascii_lower(*s) != *prefix)
			return false;
	return true;
}

bool ascii_equal(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && ascii_starts(s, n, word);
}

const char *ascii_find(const char *s, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (; n >= len; s++, n--)
		if (ascii_starts(s, n, word))
			return s;
	return NULL;
}

bool ascii_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern != '\0' &&
		           ascii_lower(*pattern) == ascii_lower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
