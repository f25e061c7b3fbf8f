/* SPDX-License-Identifier: Apache-2.0 */
#include "util.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/judge.h"
#include "verdict/random.h"

/* A line of NetworkManager or wpa_supplicant: what people take for their WLAN is words.
 */
static bool of_network(const struct place *p)
{
	const char *s = p->text + p->from;

	while (s < p->text + p->at && (*s == ' ' || *s == '\t'))
		s++;
	return ascii_starts(s, (size_t)(p->text + p->at - s), "psk");
}

enum drop judge_phrase(const struct place *p, const char *s, size_t n)
{
	static const char *const talk[] = {
		"your",       "the",   "must",       "enter",  "please", "password",
		"passphrase", "new",   "for",        "is",     "are",    "and",
		"with",       "this",  "that",       "should", "will",   "not",
		"can",        "least", "use",        "used",   "from",   "of",
		"to",         "a",     "an",         "or",     "in",     "be",
		"if",         "none",  "secret",     "token",  "key",    "user",
		"has",        "was",   "at",         "on",     "as",     "by",
		"it",         "no",    "characters", "=",      "==",     "!=",
		"&&",         "||",    "+",          "?",      "->",     "else",
	};
	enum drop drop = judge_common(p, s, n);
	size_t words = 0, letters = 0, digits = 0, signs = 0;

	if (drop != DROP_NONE)
		return drop;
	if (ascii_any(",;:.)]", s[0]) || ascii_count(s, n, "$()[]{}<>=\\") > 0)
		return DROP_PLACEHOLDER;
	for (size_t i = 0, end; i < n; i = end + 1) {
		for (end = i; end < n && s[end] != ' ' && s[end] != '\t'; end++) {
			letters += ascii_alpha(s[end]);
			digits += ascii_digit(s[end]);
			signs += ascii_any("!@#$%^&*+?", s[end]);
		}
		words += end > i;
		for (size_t k = 0; k < ARRAY_LEN(talk); k++)
			if (ascii_equal(s + i, end - i, talk[k]))
				return DROP_PLACEHOLDER;
	}
	if (words < 2 || words > 8 || letters < 4 || context_prose(p))
		return DROP_ENTROPY;
	if (digits > 0 && digits + letters >= 8 && s[n - 1] != '.' && s[n - 1] != ':')
		return DROP_NONE;
	return words >= 4 && words <= 7 && signs == 0 && context_config(p) &&
	                       (context_env(p) || of_network(p))
	               ? DROP_NONE
	               : DROP_ENTROPY;
}

enum drop judge_strong(const struct place *p, const char *s, size_t n)
{
	enum drop drop = judge_strict(p, s, n);
	struct shape shape;

	if (drop != DROP_NONE)
		return drop;
	shape_of(s, n, &shape);
	/* Of words, if nobody would write them so otherwise. */
	return shape_classes(&shape) >= 3 && shape.digit > 0 && n <= 80 &&
	                       (shape.words < 1.0 ||
	                        (shape_classes(&shape) == 4 && shape.digit >= 3 &&
	                         ascii_count(s, n, "!#$%^&*") > 0))
	               ? DROP_NONE
	               : DROP_ENTROPY;
}
