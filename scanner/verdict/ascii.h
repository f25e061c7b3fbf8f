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

/** ascii_count(s, n, set): how many bytes are one of these? */
size_t ascii_count(const char *s, size_t n, const char *set);

/* Texts in lower case, by their first bytes, so that where none begins is seen at once:
 * const char *const *const t[ASCII_FIRSTS] = { [ASCII_FIRST('a')] = ASCII_TEXTS("auth")
 * };
 */
#define ASCII_FIRSTS     128u
#define ASCII_FIRST(c)   (((unsigned char)(c) | 0x20u) % ASCII_FIRSTS) /* in any case */
#define ASCII_TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/** ascii_texts_of(t, c): those that may begin with ${c}; NULL behind the last. */
static inline const char *const *ascii_texts_of(const char *const *const *t, char c)
{
	static const char *const none[] = { NULL };
	const char *const *texts = t[ASCII_FIRST(c)];

	return texts != NULL ? texts : none;
}

/** ascii_starts_any(s, n, t): with one of the texts, in any case. */
bool ascii_starts_any(const char *s, size_t n, const char *const *const *t);

/** ascii_find_any(s, n, t): is one of the texts anywhere, in any case? */
bool ascii_find_any(const char *s, size_t n, const char *const *const *t);

/** ascii_glob(pattern, text): '*' stands for any bytes; any case. */
bool ascii_glob(const char *pattern, const char *text);
#endif
