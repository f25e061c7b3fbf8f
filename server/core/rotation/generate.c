/* SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "rng.h"

/* Far beyond what a rule that passed generate_check() can need (4 classes in 4
 * characters: one text in 16 fits). */
#define TRIES 10000

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

static size_t alphabet_of(const struct generate_rule *r,
                          char out[GENERATE_ALPHABET_MAX + 1])
{
	size_t n = 0;

	if (r->classes == 0) {
		n = strlen(r->alphabet);
		memcpy(out, r->alphabet, n + 1);
		return n;
	}
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (r->classes & classes[i].bit) {
			memcpy(out + n, classes[i].chars, strlen(classes[i].chars));
			n += strlen(classes[i].chars);
		}
	}
	out[n] = '\0';
	return n;
}

static char draw(const char *alphabet, size_t n)
{
	const unsigned limit = 256u - 256u % (unsigned)n;
	unsigned char b;

	do
		rng_bytes(&b, 1);
	while (b >= limit);
	return alphabet[b % n];
}

static bool has_every_class(const char *text, unsigned mask)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if ((mask & classes[i].bit) && strpbrk(text, classes[i].chars) == NULL)
			return false;
	return true;
}

int generate_text(const struct generate_rule *r, char out[GENERATE_LENGTH_MAX + 1],
                  struct err *e)
{
	char alphabet[GENERATE_ALPHABET_MAX + 1];
	int rc = generate_check(r, e);
	size_t n;

	if (rc != ERR_OK)
		return rc;
	n = alphabet_of(r, alphabet);
	for (int try = 0; try < TRIES; try++) {
		for (int64_t i = 0; i < r->length; i++)
			out[i] = draw(alphabet, n);
		out[r->length] = '\0';
		if (has_every_class(out, r->classes))
			return ERR_OK;
	}
	sodium_memzero(out, GENERATE_LENGTH_MAX + 1);
	return err_set(e, ERR_INTERNAL, "the source of randomness gives no usable text");
}

static double power(double base, int64_t n)
{
	double out = 1;

	while (n-- > 0)
		out *= base;
	return out;
}

/* The share of texts over the whole alphabet that have every class, by inclusion and
 * exclusion over the classes that are left out. */
static double share_with_all(const struct generate_rule *r, size_t total)
{
	double share = 0;

	for (unsigned out = 0; out <= CLASS__ALL; out++) {
		size_t left = total;

		if ((out & ~r->classes) != 0)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(classes); i++)
			if (out & classes[i].bit)
				left -= strlen(classes[i].chars);
		share += (count_classes(out) % 2 == 0 ? 1 : -1) *
		         power((double)left / (double)total, r->length);
	}
	return share;
}

int64_t generate_bits(const struct generate_rule *r)
{
	char alphabet[GENERATE_ALPHABET_MAX + 1];
	size_t n = alphabet_of(r, alphabet);
	double texts = 1; /* their number is texts * 2^bits */
	int64_t bits = 0;

	for (int64_t i = 0; i < r->length; i++)
		for (texts *= (double)n; texts >= 2; bits++)
			texts /= 2;
	if (r->classes != 0)
		texts *= share_with_all(r, n);
	for (; texts < 1 && bits > 0; bits--)
		texts *= 2;
	return bits;
}
