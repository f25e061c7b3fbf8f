/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, characters and numbers as Go's source has them. */
#include "tmpl_tree.h"

#include <string.h>

#include "text.h"
#include "tmpl_number.h"
#include "tmpl_rune.h"

/* The value of ${n} digits of ${base} at ${*p}, moved past; -1 if they are not all there.
 */
static long digits(const char **p, const char *end, unsigned n, unsigned base)
{
	uint64_t v;

	if ((size_t)(end - *p) < n || !tmpl_read_uint(*p, n, base, &v))
		return -1;
	*p += n;
	return (long)v;
}

/* What stands for itself behind a '\'. */
static int simple_escape(char c, char quote)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	const char *at = c != '\0' ? strchr(from, c) : NULL;

	if (at != NULL)
		return (unsigned char)to[at - from];
	return c == quote ? (unsigned char)c : -1;
}

/* One escape, ${*p} behind its '\': a character, or a byte; -1 if there is no such. */
static long escape(const char **p, const char *end, char quote, bool *is_byte)
{
	long v;
	char c;

	*is_byte = false;
	if (*p == end)
		return -1;
	c = *(*p)++;
	switch (c) {
	case 'x':
		*is_byte = true;
		return digits(p, end, 2, 16);
	case 'u':
	case 'U':
		v = digits(p, end, c == 'u' ? 4 : 8, 16);
		return v > 0x10FFFF || (v >= 0xD800 && v < 0xE000) ? -1 : v;
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
		*is_byte = true;
		(*p)--;
		v = digits(p, end, 3, 8);
		return v > 255 ? -1 : v;
	default:
		return simple_escape(c, quote);
	}
}

static bool unquote_raw(struct tmpl_parser *p, struct tmpl_str s, struct tmpl_str *out)
{
	char *to = tmpl_parse_alloc(p, s.n + 1);
	size_t n = 0;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r')
			to[n++] = s.p[i];
	*out = (struct tmpl_str){ to, n };
	return true;
}

bool tmpl_unquote(struct tmpl_parser *p, const struct tmpl_token *token,
                  struct tmpl_str *out)
{
	const char *from = token->s.p + 1, *end = from + token->s.n - 2;
	char *to;
	size_t n = 0;

	if (token->type == TOKEN_RAW)
		return unquote_raw(p, (struct tmpl_str){ from, token->s.n - 2 }, out);
	if ((to = tmpl_parse_alloc(p, token->s.n + TEXT_UTF8_MAX)) == NULL)
		return false;
	while (from < end) {
		bool is_byte;
		long c;

		if (*from != '\\') {
			to[n++] = *from++;
			continue;
		}
		from++;
		c = escape(&from, end, '"', &is_byte);
		if (c < 0)
			return tmpl_parse_fail(p, token->at,
			                       "bad escape in a quoted string") != NULL;
		if (is_byte)
			to[n++] = (char)c;
		else
			n += text_utf8_put(to + n, (uint32_t)c);
	}
	*out = (struct tmpl_str){ to, n };
	return true;
}

/* A character is a number of any kind. */
static struct tmpl_number *character(struct tmpl_parser *p, const struct tmpl_token *t,
                                     struct tmpl_number *number)
{
	const char *from = t->s.p + 1, *end = from + t->s.n - 2;
	size_t width;
	bool is_byte;
	long c = -1;

	if (from < end && *from == '\\') {
		from++;
		c = escape(&from, end, '\'', &is_byte);
	} else if (from < end) {
		c = (long)tmpl_rune(from, (size_t)(end - from), &width);
		from += width;
	}
	if (c < 0 || from != end)
		return tmpl_parse_fail(p, t->at, "malformed character constant");
	number->is_int = true;
	number->i = c;
	number->f = (double)c;
	return number;
}

static bool has_any(struct tmpl_str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(set, s.p[i]) != NULL)
			return true;
	return false;
}

static bool is_hex(struct tmpl_str s)
{
	return s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x' && !has_any(s, "pP");
}

/* A float that is a whole number can stand where one is wanted. */
static void whole(struct tmpl_number *number)
{
	if (number->f >= -0x1p63 && number->f < 0x1p63 &&
	    (double)(int64_t)number->f == number->f) {
		number->is_int = true;
		number->i = (int64_t)number->f;
	}
}

const struct tmpl_number *tmpl_number(struct tmpl_parser *p, const struct tmpl_token *t)
{
	struct tmpl_number *number = tmpl_parse_alloc(p, sizeof(*number));
	uint64_t u;

	if (number == NULL)
		return NULL;
	if (t->type == TOKEN_CHAR)
		return character(p, t, number);
	if (tmpl_read_int(t->s.p, t->s.n, 0, &number->i)) {
		number->is_int = true;
		number->f = (double)number->i;
	} else if (tmpl_read_uint(t->s.p, t->s.n, 0, &u)) {
		number->f =
			(double)u; /* too large for an int, which shows when it is used */
	} else if (!tmpl_read_float(t->s.p, t->s.n, &number->f)) {
		return tmpl_parse_fail(p, t->at, "illegal number syntax");
	} else if (!has_any(t->s, ".eEpP")) {
		return tmpl_parse_fail(p, t->at, "integer overflow");
	} else {
		whole(number);
	}
	number->looks_float = !is_hex(t->s) && has_any(t->s, ".eEpP");
	return number;
}
