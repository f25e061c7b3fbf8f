/* SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"

#include <sodium.h>
#include <string.h>

static const struct class
{
	const char *name;
	unsigned bit;
	const char *chars;
} classes[] = {
	{"lower",   CLASS_LOWER,  "abcdefghijklmnopqrstuvwxyz"        },
	{ "upper",  CLASS_UPPER,  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"        },
	{ "digit",  CLASS_DIGIT,  "0123456789"                        },
	{ "symbol", CLASS_SYMBOL, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
};

unsigned generate_class(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
			return classes[i].bit;
	return 0;
}

const char *generate_class_name(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (classes[i].bit == bit)
			return classes[i].name;
	return "";
}

static size_t count_classes(unsigned mask)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		n += (mask & classes[i].bit) != 0;
	return n;
}

static int check_alphabet(const char *s, struct err *e)
{
	size_t n = strlen(s);

	if (n < 2)
		return err_set(e, ERR_INVALID,
		               "alphabet: at least two characters are needed");
	for (size_t i = 0; i < n; i++) {
		if (s[i] < 0x21 || s[i] > 0x7e)
			return err_set(
				e, ERR_INVALID,
				"alphabet: only printable ASCII characters, no space");
		if (strchr(s + i + 1, s[i]) != NULL)
			return err_set(e, ERR_INVALID,
			               "alphabet: a character occurs twice");
	}
	return ERR_OK;
}

int generate_check(const struct generate_rule *r, struct err *e)
{
	if (r->length < 1 || r->length > (int64_t)GENERATE_LENGTH_MAX)
		return err_set(e, ERR_INVALID, "length: 1 to %u", GENERATE_LENGTH_MAX);
	if (r->classes == 0)
		return check_alphabet(r->alphabet, e);
	if ((r->classes & ~CLASS__ALL) != 0)
		return err_set(e, ERR_INVALID, "classes: lower, upper, digit, symbol");
	if ((size_t)r->length < count_classes(r->classes))
		return err_set(e, ERR_INVALID,
		               "length: too short to hold a character of every class");
	return ERR_OK;
}

static size_t widen(const char *s, uint32_t *out)
{
	size_t n = 0;

	for (; s[n] != '\0'; n++)
		out[n] = (unsigned char)s[n];
	return n;
}

/* The rule as sets: one for each class, or the alphabet, of which nothing must occur. */
static int mix_of(const struct generate_rule *r, struct generate_mix *m, struct err *e)
{
	uint32_t set[GENERATE_ALPHABET_MAX];
	int rc = ERR_OK;

	*m = (struct generate_mix){ .length = (size_t)r->length };
	if (r->classes == 0)
		return generate_mix_add(m, set, widen(r->alphabet, set), 0, e);
	for (size_t i = 0; i < ARRAY_LEN(classes) && rc == ERR_OK; i++)
		if (r->classes & classes[i].bit)
			rc = generate_mix_add(m, set, widen(classes[i].chars, set), 1, e);
	return rc;
}

int generate_text(const struct generate_rule *r, char out[GENERATE_LENGTH_MAX + 1],
                  struct err *e)
{
	uint32_t text[GENERATE_LENGTH_MAX];
	struct generate_mix m;
	int rc = generate_check(r, e);

	if (rc != ERR_OK || (rc = mix_of(r, &m, e)) != ERR_OK)
		return rc;
	if ((rc = generate_mix_text(&m, text, e)) == ERR_OK) {
		for (size_t i = 0; i < m.length; i++)
			out[i] = (char)text[i];
		out[m.length] = '\0';
	}
	sodium_memzero(text, sizeof(text));
	return rc;
}

int64_t generate_bits(const struct generate_rule *r)
{
	struct generate_mix m;
	struct err e;
	double texts = 1, share = 0; /* their number is texts * 2^bits */
	int64_t bits = 0;

	if (mix_of(r, &m, &e) != ERR_OK || generate_mix_share(&m, &share, &e) != ERR_OK)
		return 0;
	for (size_t i = 0; i < m.length; i++)
		for (texts *= (double)m.n; texts >= 2; bits++)
			texts /= 2;
	for (texts *= share; texts < 1 && bits > 0; bits--)
		texts *= 2;
	return bits;
}
