/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "rng.h"
#include "text.h"

#define SECRET 16
#define PREFIX (2 * SECRET)
#define PLAIN  18 /* digits that 64 bits always hold */

static const char *prefix(void)
{
	static char hex[PREFIX + 1];
	unsigned char b[SECRET];

	if (hex[0] == '\0') {
		rng_bytes(b, sizeof(b));
		text_hex(b, sizeof(b), hex);
	}
	return hex;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && is_digit(p[n]))
		n++;
	return n;
}

/* The length of the number at ${p}, 0 if that is none; *plain: jansson may have it. */
static size_t number_at(const char *p, const char *end, bool *plain)
{
	const char *start = p;
	size_t n;

	p += p < end && *p == '-';
	n = digits(p, end);
	if (n == 0 || (n > 1 && *p == '0'))
		return 0;
	*plain = n <= PLAIN && !(n == 1 && *p == '0' && p > start);
	p += n;
	if (p < end && *p == '.') {
		*plain = false;
		if ((n = digits(p + 1, end)) == 0)
			return 0;
		p += 1 + n;
	}
	if (p < end && (*p | 0x20) == 'e') {
		*plain = false;
		p += p + 1 < end && (p[1] == '+' || p[1] == '-') ? 2 : 1;
		if ((n = digits(p, end)) == 0)
			return 0;
		p += n;
	}
	return (size_t)(p - start);
}

/* Behind the string at ${p}. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\' && p + 1 < end;
	return p < end ? p + 1 : end;
}

/* What ends a number; a longer word is for jansson to refuse. */
static bool ends_here(const char *p, const char *end)
{
	return p == end || strchr(" \t\r\n,]}", *p) != NULL;
}

/* Writes the marked text to ${out} (NULL: none yet); how long it is. */
static size_t mark(const char *text, size_t n, char *out)
{
	const char *end = text + n, *next;
	size_t len = 0;

	for (const char *p = text; p < end; p = next) {
		bool plain = true;
		size_t digits_len = 0;

		next = *p == '"' ? skip_string(p, end) : p + 1;
		if (*p == '-' || is_digit(*p))
			digits_len = number_at(p, end, &plain);
		if (digits_len > 0)
			next = p + digits_len;
		plain = plain || !ends_here(next, end);
		if (out != NULL && !plain) {
			out[len] = '"';
			memcpy(out + len + 1, prefix(), PREFIX);
		}
		len += plain ? 0 : 1 + PREFIX;
		if (out != NULL)
			memcpy(out + len, p, (size_t)(next - p));
		len += (size_t)(next - p);
		if (out != NULL && !plain)
			out[len] = '"';
		len += !plain;
	}
	return len;
}

json_t *numbers_load(const char *text, size_t n, size_t flags, json_error_t *why)
{
	json_error_t unheard;
	size_t len = mark(text, n, NULL);
	json_t *v;
	char *marked;

	if (why == NULL)
		why = &unheard;
	if (len == n)
		return json_loadb(text, n, flags, why);
	if ((marked = malloc(len + 1)) == NULL)
		return NULL;
	(void)mark(text, n, marked);
	marked[len] = '\0';
	v = json_loadb(marked, len, flags, why);
	explicit_bzero(marked, len);
	free(marked);
	return v;
}

const char *numbers_text(const json_t *v)
{
	const char *s = json_string_value(v);

	return s != NULL && strncmp(s, prefix(), PREFIX) == 0 ? s + PREFIX : NULL;
}

char *numbers_dump(const json_t *v, size_t flags)
{
	char *made = json_dumps(v, flags), *out = made != NULL ? strdup(made) : NULL;
	char *to = out;

	for (const char *p = made, *next; out != NULL && *p != '\0'; p = next) {
		next = *p == '"' ? skip_string(p, p + strlen(p)) : p + 1;
		if (*p == '"' && strncmp(p + 1, prefix(), PREFIX) == 0) {
			memcpy(to, p + 1 + PREFIX, (size_t)(next - p) - PREFIX - 2);
			to += (size_t)(next - p) - PREFIX - 2;
		} else {
			memcpy(to, p, (size_t)(next - p));
			to += next - p;
		}
	}
	if (out != NULL)
		*to = '\0';
	cli_json_free(made);
	return out;
}
