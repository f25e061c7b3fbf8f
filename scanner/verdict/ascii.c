/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/ascii.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

bool ascii_equal(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && ascii_starts(s, n, word);
}

#ifdef __SSE2__
/* Places of the first sixteen where ${word} may be: its first and its last byte are. */
static unsigned candidates(const char *s, size_t len, __m128i first, __m128i last,
                           __m128i fold_first, __m128i fold_last)
{
	const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)s);
	const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(s + len - 1));

	return (unsigned)_mm_movemask_epi8(
		_mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(a, fold_first), first),
	                      _mm_cmpeq_epi8(_mm_or_si128(b, fold_last), last)));
}

static __m128i fold_of(char c)
{
	return _mm_set1_epi8(ascii_alpha(c) ? 0x20 : 0);
}

const char *ascii_find(const char *s, size_t n, const char *word)
{
	const size_t len = strlen(word);
	const char *end = s + n;

	if (len > 0 && n >= len + 15) {
		const __m128i first = _mm_set1_epi8(word[0]);
		const __m128i last = _mm_set1_epi8(word[len - 1]);
		const __m128i fold_first = fold_of(word[0]);
		const __m128i fold_last = fold_of(word[len - 1]);

		for (; (size_t)(end - s) >= len + 15; s += 16) {
			unsigned some = candidates(s, len, first, last, fold_first,
			                           fold_last);

			for (; some != 0; some &= some - 1) {
				const char *at = s + __builtin_ctz(some);

				if (ascii_starts(at, len, word))
					return at;
			}
		}
	}
	for (; (size_t)(end - s) >= len; s++)
		if (ascii_starts(s, len, word))
			return s;
	return NULL;
}
#else
const char *ascii_find(const char *s, size_t n, const char *word)
{
	const size_t len = strlen(word);

	for (; n >= len; s++, n--)
		if (ascii_starts(s, len, word))
			return s;
	return NULL;
}
#endif

size_t ascii_count(const char *s, size_t n, const char *set)
{
	uint64_t of[4] = { 0 };
	size_t found = 0;

	for (; *set != '\0'; set++)
		of[(uint8_t)*set / 64] |= UINT64_C(1) << (uint8_t)*set % 64;
	for (size_t i = 0; i < n; i++)
		found += of[(uint8_t)s[i] / 64] >> (uint8_t)s[i] % 64 & 1;
	return found;
}

bool ascii_starts_any(const char *s, size_t n, const char *const *const *t)
{
	const char *const *text = n > 0 ? ascii_texts_of(t, s[0]) : NULL;

	for (; text != NULL && *text != NULL; text++)
		if (ascii_starts(s, n, *text))
			return true;
	return false;
}

bool ascii_find_any(const char *s, size_t n, const char *const *const *t)
{
	for (; n > 0; s++, n--)
		if (ascii_starts_any(s, n, t))
			return true;
	return false;
}

bool ascii_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;
	size_t n = strlen(pattern), text_n = strlen(text);

	/* Most patterns are of how a path ends. */
	if (n > 0 && pattern[n - 1] != '*' &&
	    (text_n == 0 || ascii_lower(pattern[n - 1]) != ascii_lower(text[text_n - 1])))
		return false;
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
