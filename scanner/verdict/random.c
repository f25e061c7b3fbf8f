/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/random.h"

#include <math.h>
#include <string.h>

#include "verdict/ascii.h"

#define LETTERS    26u
#define DIGITS     10u
#define PAIR_OTHER 62u
#define PAIR_UNIT  16.0 /* of bigram_table, per bit */

/* Lower case from 0 on, then upper case, then digits; the rows of bigram_table. */
static unsigned pair_code(uint8_t c)
{
	const unsigned lower = c - 'a', upper = c - 'A', digit = c - '0';

	return lower < LETTERS   ? lower
	       : upper < LETTERS ? upper + LETTERS
	       : digit < DIGITS  ? digit + 2 * LETTERS
	                         : PAIR_OTHER;
}

/* The same of the letter in lower case. */
static unsigned fold(unsigned code)
{
	return code - LETTERS < LETTERS ? code - LETTERS : code;
}

static void count(struct shape *out, uint8_t c, unsigned code)
{
	const bool digit = code - 2 * LETTERS < DIGITS;

	out->lower += code < LETTERS;
	out->upper += code - LETTERS < LETTERS;
	out->digit += digit;
	out->hex += digit || fold(code) < 6;
	if (code != PAIR_OTHER)
		return;
	out->space += c == ' ' || c == '\t';
	out->high += c >= 0x80;
	out->sign += c < 0x80 && c != ' ' && c != '\t';
}

/* The entropy of ${n} bytes, of which those in ${is} occur, as often as ${seen} says. */
static void measure(const unsigned *seen, const uint64_t *is, size_t n, struct shape *out)
{
	/* Most occur once or twice. */
	double of_times[8] = { 0 };

	for (size_t i = 0; i < 4; i++)
		for (uint64_t left = is[i]; left != 0; left &= left - 1) {
			const unsigned times =
				seen[64 * i + (size_t)__builtin_ctzll(left)];
			double *known = times < 8 ? &of_times[times] : &of_times[0];
			const double p = (double)times / (double)n;

			if (known == of_times || *known == 0)
				*known = p * log2(p);
			out->entropy -= *known;
			out->distinct++;
		}
}

void shape_of(const char *s, size_t n, struct shape *out)
{
	unsigned seen[256] = { 0 }, code, before = 0;
	long pairs = 0, folded = 0;
	uint64_t is[4] = { 0 };

	memset(out, 0, sizeof(*out));
	out->n = n;
	for (size_t i = 0; i < n; i++, before = code) {
		const uint8_t c = (uint8_t)s[i];

		code = pair_code(c);
		count(out, c, code);
		seen[c]++;
		is[c / 64] |= UINT64_C(1) << c % 64;
		if (i == 0)
			continue;
		pairs += bigram_table[before][code];
		folded += bigram_table[fold(before)][fold(code)];
	}
	measure(seen, is, n, out);
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

bool shape_certain(const struct shape *s)
{
	/* Names have signs, too, but few digits. */
	const bool few = s->digit < 2;

	if (s->n < 12 || s->space > 0 || s->high > 0 || s->sign == 0 ||
	    s->lower + s->upper < 4 || s->hex + s->sign == s->n)
		return false;
	if (few &&
	    (s->upper == 0 || s->lower == 0 || s->sign < 3 || s->digit + s->sign < 4))
		return false;
	return shape_classes(s) >= 3 && s->words < (few ? -0.3 : 0.05) && shape_random(s);
}

bool shape_scrambled(const struct shape *s)
{
	return s->n >= 10 && s->lower > 1 && s->upper > 1 && s->digit == 0 &&
	       s->space == 0 && s->high == 0 && s->sign <= s->n / 4 && s->words < -0.15;
}

bool shape_passphrase(const char *s, size_t n)
{
	size_t words = 0, letters = 0, digits = 0, all = 0, names = 0;
	char sign = '\0';

	for (size_t i = 0; i < n; i++) {
		if (ascii_alpha(s[i])) {
			letters++;
			all++;
			words += letters == 3;
			names += letters == 4 && ascii_upper(s[i - 3]);
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
	return digits <= 4 &&
	       ((words >= 4 && digits >= 1) || (words >= 3 && digits >= 2 && all >= 12) ||
	        (words == 2 && names == 2 && digits >= 2 && sign != '\0' && all >= 9));
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
