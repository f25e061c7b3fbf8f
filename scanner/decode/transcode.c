/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/transcode.h"

#include <string.h>

#include "text.h"

#define REPLACEMENT 0xfffdu
#define MARK        0xfeffu
#define ASCII_LEAST 32u

static bool is16(enum transcode_form f)
{
	return f == TRANSCODE_UTF16LE || f == TRANSCODE_UTF16BE;
}

static bool printable(unsigned char c)
{
	return (c >= ' ' && c < 0x7f) || (c >= '\t' && c <= '\r');
}

/* Are, of each pair, one byte NUL and the other of ASCII text nearly always? */
static enum transcode_form by_statistics(const unsigned char *p, size_t n)
{
	size_t pairs = n / 2, le = 0, be = 0;

	/* Text has none, and a search for one is fast. */
	if (n < 16 || memchr(p, '\0', n) == NULL)
		return TRANSCODE_NONE;
	for (size_t i = 0; i + 1 < n; i += 2) {
		le += p[i + 1] == 0 && printable(p[i]);
		be += p[i] == 0 && printable(p[i + 1]);
	}
	if (le >= pairs - pairs / 8)
		return TRANSCODE_UTF16LE;
	return be >= pairs - pairs / 8 ? TRANSCODE_UTF16BE : TRANSCODE_NONE;
}

/* A mark before ASCII is no promise: of UTF-16 not so many bytes are all printable. */
static bool is_ascii(const unsigned char *p, size_t n)
{
	if (n < ASCII_LEAST)
		return false;
	for (size_t i = 0; i < ASCII_LEAST; i++)
		if (p[i] >= 0x7f || (p[i] < 0x20 && (p[i] < '\t' || p[i] > '\r')))
			return false;
	return true;
}

enum transcode_form transcode_detect(const unsigned char *p, size_t n)
{
	if (n >= 8 && memcmp(p, "\xff\xfe\0\0", 4) == 0 && p[6] == 0 && p[7] == 0)
		return TRANSCODE_UTF32LE;
	if (n >= 8 && memcmp(p, "\0\0\xfe\xff", 4) == 0)
		return TRANSCODE_UTF32BE;
	if (n >= 2 && memcmp(p, "\xff\xfe", 2) == 0)
		return is_ascii(p + 2, n - 2) ? TRANSCODE_NONE : TRANSCODE_UTF16LE;
	if (n >= 2 && memcmp(p, "\xfe\xff", 2) == 0)
		return is_ascii(p + 2, n - 2) ? TRANSCODE_NONE : TRANSCODE_UTF16BE;
	return by_statistics(p, n < TRANSCODE_LOOK ? n : TRANSCODE_LOOK);
}

const char *transcode_name(enum transcode_form form)
{
	static const char *const names[] = { "", "utf16le", "utf16be", "utf32le",
		                             "utf32be" };

	return names[form];
}

static uint32_t unit(enum transcode_form f, const unsigned char *p)
{
	switch (f) {
	case TRANSCODE_UTF16LE:
		return (uint32_t)p[1] << 8 | p[0];
	case TRANSCODE_UTF16BE:
		return (uint32_t)p[0] << 8 | p[1];
	case TRANSCODE_UTF32LE:
		return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 |
		       p[0];
	default:
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
		       p[3];
	}
}

static size_t put(unsigned char *out, uint32_t cp)
{
	char text[TEXT_UTF8_MAX];
	size_t n;

	if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		cp = REPLACEMENT;
	n = text_utf8_put(text, cp);
	memcpy(out, text, n);
	return n;
}

/* A unit of UTF-16 after the first half of a pair, or not. */
static size_t one(struct transcode *t, uint32_t u, unsigned char *out)
{
	uint32_t high = t->high;
	size_t n = 0;

	t->high = 0;
	if (high != 0 && u >= 0xdc00 && u < 0xe000)
		return put(out, 0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00));
	if (high != 0)
		n = put(out, REPLACEMENT);
	if (is16(t->form) && u >= 0xd800 && u < 0xdc00) {
		t->high = u;
		return n;
	}
	return n + put(out + n, u);
}

size_t transcode_run(struct transcode *t, const unsigned char *p, size_t n,
                     unsigned char *out)
{
	const unsigned width = is16(t->form) ? 2 : 4;
	size_t used = 0;
	uint32_t u;

	for (size_t i = 0; i < n; i++) {
		t->left[t->left_n++] = p[i];
		if (t->left_n < width)
			continue;
		t->left_n = 0;
		u = unit(t->form, t->left);
		if (!t->begun && u == MARK) {
			t->begun = true;
			continue;
		}
		t->begun = true;
		if (u < 0x80 && t->high == 0)
			out[used++] = (unsigned char)u;
		else
			used += one(t, u, out + used);
	}
	return used;
}
