/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/syntax.h"

#include <ctype.h>
#include <string.h>

/* What an escape stands for that is not one character. */
enum { SEVERAL = -1, UNKNOWN = -2 };

static void set_byte(struct bytes *b, unsigned c)
{
	b->w[c / 64] |= UINT64_C(1) << c % 64;
}

static int meaning(unsigned char c)
{
	static const char plain[] = "nrtfv", means[] = "\n\r\t\f\v";
	const char *known = c != '\0' ? strchr(plain, c) : NULL;

	if (known != NULL)
		return means[known - plain];
	if (!isalnum(c))
		return c;
	return strchr("sSdDwW", c) != NULL ? SEVERAL : UNKNOWN;
}

static bool stands_for(unsigned char c, unsigned i)
{
	const bool blank = i < 0x80 && isspace((int)i) != 0;
	const bool word = i < 0x80 && (isalnum((int)i) || i == '_');
	const bool number = i >= '0' && i <= '9';

	switch (c) {
	case 's':
		return blank;
	case 'S':
		return !blank;
	case 'd':
		return number;
	case 'D':
		return !number;
	case 'w':
		return word;
	case 'W':
		return !word;
	default:
		return true;
	}
}

void syntax_escaped(unsigned char c, struct bytes *set)
{
	const int one = meaning(c);

	if (one >= 0) {
		set_byte(set, (unsigned)one);
		return;
	}
	for (unsigned i = 0; i < 256; i++)
		if (stands_for(c, i))
			set_byte(set, i);
}

/* The character at ${p} of a class, or what an escape is. */
static const char *one_of(const char *p, int *c)
{
	if (p[0] == '\\' && p[1] != '\0') {
		*c = meaning((unsigned char)p[1]);
		return p + 2;
	}
	*c = (unsigned char)*p;
	return p + 1;
}

/* Behind a class as [:digit:], or NULL: it is none. */
static const char *named(const char *p)
{
	if (p[0] != '[' || p[1] != ':')
		return NULL;
	p += 2;
	p += *p == '^';
	while (islower((unsigned char)*p))
		p++;
	return p[0] == ':' && p[1] == ']' ? p + 2 : NULL;
}

/* A character, a range, an escape or a name. */
static const char *member(const char *p, struct bytes *set, bool *known)
{
	const char *end = named(p);
	int low, high;

	if (end != NULL) {
		*known = false;
		return end;
	}
	p = one_of(p, &low);
	if (low < 0) {
		*known &= low != UNKNOWN;
		syntax_escaped((unsigned char)p[-1], set);
		return p;
	}
	if (p[0] == '-' && p[1] != ']' && p[1] != '\0') {
		end = one_of(p + 1, &high);
		for (int c = low; c <= high; c++)
			set_byte(set, (unsigned)c);
		if (high >= 0)
			return end;
	}
	set_byte(set, (unsigned)low);
	return p;
}

const char *syntax_class(const char *p, struct bytes *set)
{
	const bool inverse = p[1] == '^';
	const char *first = p + (inverse ? 2 : 1);
	bool known = true;

	*set = (struct bytes){ { 0 } };
	for (p = first; *p != '\0' && (*p != ']' || p == first);)
		p = member(p, set, &known);
	for (unsigned i = 0; i < 4; i++)
		set->w[i] = !known ? UINT64_MAX : inverse ? ~set->w[i] : set->w[i];
	return p + (*p == ']');
}

bool syntax_is_count(const char *p)
{
	static const char digits[] = "0123456789";
	size_t n = 1 + strspn(p + (*p == '{'), digits);

	if (*p != '{' || n == 1)
		return false;
	if (p[n] == ',') {
		n++;
		n += strspn(p + n, digits);
	}
	return p[n] == '}';
}
