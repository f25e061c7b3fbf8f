/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/random.h"

#include <math.h>
#include <string.h>

#include "verdict/ascii.h"

#define PAIR_OTHER 62
#define PAIR_UNIT  16.0 /* of bigram_table, per bit */

static int pair_code(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return PAIR_OTHER;
}

static uint8_t fold(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void count(struct shape *out, uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		out->lower++;
	else if (c >= 'A' && c <= 'Z')
		out->upper++;
	else if (c >= '0' && c <= '9')
		out->digit++;
	else if (c == ' ' || c == '\t')
		out->space++;
	else if (c >= 0x80)
		out->high++;
	else
		out->sign++;
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		out->hex++;
}

void shape_of(const char *s, size_t n, struct shape *out)
{
	unsigned seen[256] = { 0 };
	long pairs = 0, folded = 0;

	memset(out, 0, sizeof(*out));
	out->n = n;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		count(out, c);
		seen[c]++;
		if (i > 0)
			pairs += bigram_table[pair_code((uint8_t)s[i - 1])][pair_code(c)];
		if (i > 0)
			folded += bigram_table[pair_code(fold(s[i - 1]))]
					      [pair_code(fold(s[i]))];
	}
	for (size_t c = 0; c < 256; c++) {
		double p = n == 0 ? 0 : (double)seen[c] / (double)n;

		if (seen[c] == 0)
			continue;
		out->distinct++;
		out->entropy -= p * log2(p);
	}
	/* Words in capitals are words. */
	if (out->lower == 0)
		pairs = folded;
	if (n > 1)
		out->words = (double)pairs / PAIR_UNIT / (double)(n - 1);
}

unsigned shape_classes(const struct shape *s)
{
	return (s->lower > 0 ? 1u : 0u) + (s->upper > 0 ? 1u : 0u) +
	       (s->digit > 0 ? 1u : 0u) + (s->sign + s->high > 0 ? 1u : 0u);
}

bool shape_hex(const struct shape *s)
{
	return s->hex == s->n && s->digit > 0 && (s->lower == 0 || s->upper == 0);
}

/* The least entropy of random text of such a length and such classes: about the first
 * percentile. */
static double entropy_floor(const struct shape *s)
{
	double longest = log2((double)s->n) - 0.55, most;

	/* Three classes and no words in it: chance repeats characters, too. */
	if (s->upper > 0 && s->lower > 0 && s->digit >= 2 && s->words < 0.3) {
		longest -= 0.2;
		most = s->n >= 32 ? 4.1 : 3.55;
	} else if (shape_hex(s))
		most = 3.0;
	else if (s->upper > 0 && s->lower > 0)
		most = s->n >= 32 ? 4.2 : 3.8;
	else if (s->digit > 0)
		most = 3.5;
	else
		most = 3.4;
	return longest < most ? longest : most;
}

bool shape_spoken(const char *s, size_t n)
{
	size_t vowels = 0, run = 0, longest = 0, upper = 0;

	for (size_t i = 0; i < n; i++) {
		bool vowel = ascii_any("aeiouyAEIOUY", s[i]);

		upper += ascii_upper(s[i]);
		vowels += vowel;
		run = vowel ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	/* Words begin with capitals, or are all of them. */
	if (upper > n / 3 && upper < n)
		return false;
	return n < (upper <= 1 ? 32u : 24u) && longest <= 3 && vowels * 10 >= n * 3 &&
	       vowels * 10 <= n * 6;
}

bool shape_wordy(const struct shape *s)
{
	/* Short texts vary more. */
	return s->words > (s->n < 12 ? 0.55 : 0.35);
}

bool shape_random(const struct shape *s)
{
	if (s->n < 8 || s->space > 0 || s->entropy < entropy_floor(s))
		return false;
	if (s->digit == s->n)
		return false;
	if (s->digit == 0)
		return s->n >= 12 && !shape_wordy(s);
	if (shape_hex(s))
		return s->n >= 16;
	/* Digits and both cases, well mixed: a few words in it prove nothing. */
	return s->words < (shape_classes(s) >= 3 && s->digit >= 2 ? 0.8 : 0.45);
}

bool shape_passphrase(const char *s, size_t n)
{
	size_t words = 0, letters = 0, digits = 0;
	char sign = '\0';

	for (size_t i = 0; i < n; i++) {
		if (ascii_alpha(s[i])) {
			letters++;
			words += letters == 3;
			continue;
		}
		letters = 0;
		digits += ascii_digit(s[i]);
		if (ascii_digit(s[i]))
			continue;
		if (!ascii_any("-. ", s[i]) || (sign != '\0' && s[i] != sign))
			return false;
		sign = s[i];
	}
	return words >= 4 && digits >= 1 && digits <= 4;
}

bool shape_weak(const struct shape *s)
{
	return (shape_classes(s) < 3 || s->n < 8) && !shape_random(s);
}

size_t shape_inner_digits(const char *s, size_t n)
{
	size_t found = 0;

	for (size_t i = 1; i + 1 < n; i++)
		found += ascii_digit(s[i]) && ascii_alpha(s[i - 1]) &&
		         ascii_alpha(s[i + 1]);
	return found;
}
