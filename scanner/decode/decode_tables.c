/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_tables - which three bytes something encoded can begin with.
 *
 * Each of the eight bits of a table is one way to begin; what can stand at one place of
 * it is independent of what stands at the others, so that three look-ups and two ANDs
 * decide for any number of bytes at once.  A way takes more than it is meant for: whoever
 * decodes looks again.
 */
#include <string.h>

#include "decode/decode_impl.h"

#define HEX   "0123456789ABCDEFabcdef"
#define SIGNS "+/-_"

/* What stands for 0 to 63, and for 62 and 63 in URLs. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			       "0123456789+/-_";

static unsigned value_of(unsigned i)
{
	return i < 64 ? i : i - 2;
}

/* Of base64: the way in which ASCII begins, and the first of those of others. */
#define PLAIN_WAY 0x01u
#define OTHER_WAY 0x04u

static void put(struct beginning *b, unsigned place, const char *bytes, unsigned way)
{
	for (; *bytes != '\0'; bytes++)
		b->of[place][(unsigned char)*bytes] |= (unsigned char)way;
}

static void put_all(struct beginning *b, unsigned place, unsigned way)
{
	for (unsigned c = 0; c < 128; c++)
		b->of[place][c] |= (unsigned char)way;
}

/*
 * ${v}: the six bits that ${c} stands for.  Of three bytes in four characters, the first
 * one's high bits are in the first character, and those of the others in the low bits of
 * the second and third.
 */
static void put_digit(struct beginning *b, unsigned char c, unsigned v)
{
	enum { PLAIN = PLAIN_WAY, UTF8 = 2, NULS = OTHER_WAY, MARK = 8 };
	unsigned char *const of[] = { &b->of[0][c], &b->of[1][c], &b->of[2][c] };

	/* Printable, or a tab, line feed, carriage return or escape. */
	if ((v >= 8 && v < 32) || v == 2 || v == 3 || v == 6)
		*of[0] |= PLAIN | UTF8;
	if ((v & 15) < 8)
		*of[1] |= PLAIN;
	if ((v & 3) != 2)
		*of[2] |= PLAIN;
	/* The second byte begins a character that the third goes on with. */
	if ((v & 15) >= 12)
		*of[1] |= UTF8;
	if ((v & 3) == 2)
		*of[2] |= UTF8;
	/* UTF-16 whose first character may be any, and whose second is of ASCII. */
	if (v < 16 || v >= 48)
		*of[1] |= NULS;
	if (v >= 32)
		*of[1] |= MARK;
	if ((v & 3) < 2)
		*of[2] |= NULS | MARK;
}

static void begin_text(struct beginning *b)
{
	for (unsigned v = 0; v < sizeof(alphabet) - 1; v++)
		put_digit(b, (unsigned char)alphabet[v], value_of(v));
	put(b, 0, "AHe", 4);
	put(b, 0, "/_", 8);
	/* Byte order marks: ff fe, 00 00 fe, fe ff. */
	put(b, 0, "/_A", 16);
	put(b, 1, "/_A", 16);
	put(b, 2, "4567D", 16);
	put(b, 0, "/_", 32);
	put(b, 1, "v", 32);
	put(b, 2, "89" SIGNS, 32);
	/* gzip and zlib: 1f 8b, 78 01, 78 9c, 78 da */
	put(b, 0, "He", 64);
	put(b, 1, "4AJN", 64);
	put_all(b, 2, 64);
}

/* --- more of the text -----------------------------------------------------------------
 */

/* What bytes of text are; controls are none of these. */
enum kind { ASCII, LEAD, CONTINUATION, KINDS };
#define SIX       6u
#define SEQUENCES 729u /* KINDS to the power of SIX */

/* The kind of one of three bytes of which a character that stands for ${v} has most of
 * what tells it. */
static enum kind kind_at(unsigned place, unsigned v)
{
	switch (place) {
	case 0:
		return v >= 48                                ? LEAD
		       : v >= 32                              ? CONTINUATION
		       : v >= 8 || v == 2 || v == 3 || v == 6 ? ASCII
		                                              : KINDS;
	case 1:
		return (v & 15) >= 12 ? LEAD : (v & 15) >= 8 ? CONTINUATION : ASCII;
	default:
		return (v & 3) == 3 ? LEAD : (v & 3) == 2 ? CONTINUATION : ASCII;
	}
}

/* Six kinds as a number of as many digits: is it how text goes that begins with ASCII? */
static bool is_text(unsigned kinds)
{
	enum kind before = ASCII;

	if (kinds % KINDS != ASCII)
		return false;
	for (unsigned i = 0; i < SIX; i++, kinds /= KINDS) {
		const enum kind k = (enum kind)(kinds % KINDS);

		if (before == LEAD ? k != CONTINUATION
		                   : before == ASCII && k == CONTINUATION)
			return false;
		before = k;
	}
	return true;
}

static void put_kinds(struct text_beginning *b, unsigned kinds, unsigned way)
{
	for (unsigned i = 0; i < SIX; i++, kinds /= KINDS)
		for (unsigned v = 0; v < sizeof(alphabet) - 1; v++)
			if (kind_at(i % 3, value_of(v)) == (enum kind)(kinds % KINDS))
				b->of[i][(unsigned char)alphabet[v]] |= UINT32_C(1)
				                                        << way;
}

/* UTF-16 whose first or second character is of ASCII, after what may be of text. */
static void put_wide(const struct beginning *three, struct text_beginning *b,
                     unsigned way)
{
	const uint32_t second = UINT32_C(2) << way, first = UINT32_C(1) << way;

	for (unsigned v = 0; v < sizeof(alphabet) - 1; v++) {
		const unsigned char c = (unsigned char)alphabet[v];

		for (unsigned i = 0; i < 3; i++)
			if ((three->of[i][c] & PLAIN_WAY) != 0)
				b->of[i][c] |= i == 1 && value_of(v) % 16 != 0
				                       ? second
				                       : first | second;
		b->of[3][c] |= c == 'A' ? first | second : first;
		b->of[4][c] |= first | second;
		b->of[5][c] |= first | second;
	}
}

/* 24 sequences of kinds, two of UTF-16, and five of which three bytes say enough. */
static void begin_long_text(const struct beginning *three, struct text_beginning *b)
{
	unsigned way = 0;

	for (unsigned kinds = 0; kinds < SEQUENCES; kinds++)
		if (is_text(kinds))
			put_kinds(b, kinds, way++);
	put_wide(three, b, way);
	way += 2;
	for (unsigned i = 0; i < SIX; i++)
		for (unsigned c = 0; c < 128; c++)
			b->of[i][c] |= (i < 3 ? three->of[i][c] / OTHER_WAY
			                      : UINT8_MAX / OTHER_WAY)
			               << way;
}

static void begin_line(struct beginning *b)
{
	static const char words[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_.-";

	put(b, 0, "%", 1);
	put(b, 1, "234567", 1);
	put(b, 2, HEX, 1);
	put(b, 0, "&", 2);
	put(b, 1, "#qalg", 2);
	put_all(b, 2, 2);
	put(b, 0, "\\", 4 | 8 | 16 | 32);
	put(b, 1, "nr", 4);
	put(b, 2, words, 4);
	put(b, 1, "ux01", 8);
	put(b, 2, HEX, 8);
	put(b, 1, "/\\", 16);
	put(b, 2, "\\n\"u", 16);
	put(b, 1, "\n", 32);
	put_all(b, 2, 32);
	/* Two quotes, or a piece of what may stand between two strings. */
	put(b, 0, "\"'", 64 | 128);
	put(b, 1, "\"'", 64);
	put_all(b, 2, 64);
	put(b, 1, " \t\r\n+.&~\\", 128);
	put(b, 2, " \t\r\n+.&~\\\"'", 128);
}

static void fill_planes(struct decode_tables *t)
{
	for (unsigned c = 0; c < 256; c++) {
		const unsigned place = decode_place((unsigned char)c), is = t->is[place];
		const bool digit = (is & CLASS_DIGIT) != 0;
		const bool mixed = digit || (is & CLASS_CAPITAL) != 0;

		t->planes[c] = (uint8_t)((is != 0) << DECODE_IS_RUN |
		                         digit << DECODE_IS_DIGIT |
		                         mixed << DECODE_IS_MIXED |
		                         ((is & CLASS_SMALL) != 0) << DECODE_IS_SMALL |
		                         ((is & CLASS_HEX) != 0) << DECODE_IS_HEX |
		                         (t->line.of[0][place] != 0) << DECODE_IS_LINE);
	}
}

void decode_tables_fill(struct decode_tables *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned k = '0'; k <= '9'; k++)
		t->is[k] = CLASS_DIGIT;
	for (unsigned k = 'A'; k <= 'Z'; k++)
		t->is[k] = CLASS_CAPITAL;
	for (unsigned k = 'a'; k <= 'z'; k++)
		t->is[k] = CLASS_SMALL;
	for (const char *s = SIGNS; *s != '\0'; s++)
		t->is[(unsigned char)*s] = CLASS_SIGN;
	for (const char *s = HEX; *s != '\0'; s++)
		t->is[(unsigned char)*s] |= CLASS_HEX;
	begin_text(&t->text);
	begin_long_text(&t->text, &t->long_text);
	begin_line(&t->line);
	fill_planes(t);
}
