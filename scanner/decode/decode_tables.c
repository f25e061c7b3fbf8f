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
	enum { ASCII = 1, UTF8 = 2, NULS = 4, MARK = 8 };
	unsigned char *const of[] = { &b->of[0][c], &b->of[1][c], &b->of[2][c] };

	/* Printable, or a tab, line feed, carriage return or escape. */
	if ((v >= 8 && v < 32) || v == 2 || v == 3 || v == 6)
		*of[0] |= ASCII | UTF8;
	if ((v & 15) < 8)
		*of[1] |= ASCII;
	if ((v & 3) != 2)
		*of[2] |= ASCII;
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
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";

	for (unsigned v = 0; v < 64; v++)
		put_digit(b, (unsigned char)alphabet[v], v);
	put_digit(b, '-', 62);
	put_digit(b, '_', 63);
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
	begin_line(&t->line);
}
