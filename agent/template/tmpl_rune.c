/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_rune.h"

#include "text.h"
#include "tmpl_unicode.h"
#include "util.h"

/* How many bytes a character that begins with ${c} has, 1 if none does. */
static size_t length(unsigned char c)
{
	if (c >= 0xF0)
		return 4;
	if (c >= 0xE0)
		return 3;
	return c >= 0xC0 ? 2 : 1;
}

uint32_t tmpl_rune(const char *p, size_t n, size_t *width)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len = length(u[0]);
	uint32_t c;

	*width = 1;
	if (u[0] < 0x80)
		return u[0];
	if (len == 1 || len > n || !text_utf8_ok(p, len))
		return TMPL_RUNE_ERROR;
	c = u[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (u[i] & 0x3Fu);
	*width = len;
	return c;
}

uint32_t tmpl_rune_before(const char *p, size_t n, size_t *width)
{
	for (size_t back = 1; back <= TEXT_UTF8_MAX && back <= n; back++) {
		uint32_t c = tmpl_rune(p + n - back, back, width);

		if (*width == back && tmpl_rune_valid(c, *width))
			return c;
	}
	*width = 1;
	return TMPL_RUNE_ERROR;
}

static bool within(const struct rune_range *table, size_t n, uint32_t c)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c > table[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && c >= table[low].first;
}

static uint32_t mapped(const struct rune_map *table, size_t n, uint32_t c)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c > table[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	/* Runs of every second character may lie within each other. */
	for (; low < n && c >= table[low].first; low++)
		if (c <= table[low].last && (c - table[low].first) % table[low].step == 0)
			return (uint32_t)((int64_t)c + table[low].diff);
	return c;
}

bool tmpl_rune_letter(uint32_t c)
{
	if (c < 0x80)
		return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
	return within(letters, ARRAY_LEN(letters), c);
}

bool tmpl_rune_digit(uint32_t c)
{
	return c < 0x80 ? c >= '0' && c <= '9' : within(digits, ARRAY_LEN(digits), c);
}

bool tmpl_rune_mark(uint32_t c)
{
	return c >= 0x80 && within(marks, ARRAY_LEN(marks), c);
}

bool tmpl_rune_print(uint32_t c)
{
	return c < 0x80 ? c >= ' ' && c < 0x7F
	                : within(printable, ARRAY_LEN(printable), c);
}

bool tmpl_rune_space(uint32_t c)
{
	return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xA0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

uint32_t tmpl_rune_upper(uint32_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z' ? c - 0x20 : c;
	return mapped(to_upper, ARRAY_LEN(to_upper), c);
}

uint32_t tmpl_rune_lower(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
	return mapped(to_lower, ARRAY_LEN(to_lower), c);
}

uint32_t tmpl_rune_title(uint32_t c)
{
	if (c < 0x80)
		return tmpl_rune_upper(c);
	return mapped(to_title, ARRAY_LEN(to_title), c);
}

const char *tmpl_rune_long_title(uint32_t c)
{
	for (size_t i = 0; c >= 0x80 && i < ARRAY_LEN(long_titles); i++)
		if (long_titles[i].c == c)
			return long_titles[i].text;
	return NULL;
}

bool tmpl_rune_lone(uint32_t c)
{
	return (c >= 0xE00 && c < 0xF00) || (c >= 0x3040 && c < 0x30A0) ||
	       (c >= 0x3400 && c < 0xA000) || (c >= 0xF900 && c < 0xFB00) ||
	       (c >= 0x20000 && c < 0x40000);
}

bool tmpl_rune_unseen(uint32_t c)
{
	return c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
	       (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2064) ||
	       c == 0xFEFF;
}
