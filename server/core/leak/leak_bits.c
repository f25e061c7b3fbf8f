/* SPDX-License-Identifier: Apache-2.0 */
#include "leak_bits.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "leaktag.h"
#include "text.h"
#include "util.h"

#define WORD    5u    /* letters in a row that may be a word */
#define SHORT   3u    /* between other characters these are enough */
#define PHRASE  3u    /* so many words make a phrase */
#define RUN     3u    /* bytes that make a run */
#define PART    5u    /* bytes that make a repetition */
#define UUID    36u   /* bytes of one */
#define LONGEST 4096u /* what comes after adds nothing */
#define DEEPEST 3u    /* encodings in encodings */
#define EVEN    0.88  /* of what is possible: what random bytes reach */

/* Pairs of letters that make up 88 of 100 pairs in English words and identifiers: bit b
 * of row a.  Of random pairs a third is here. */
static const uint32_t usual[26] = {
	0x11eb94e, 0x0104b11, 0x01e4d95, 0x0164919, 0x1afb97f, 0x0124931, 0x0062910,
	0x0004111, 0x22ef87f, 0x0000000, 0x0000110, 0x11c4919, 0x004d913, 0x01c617d,
	0x07ef92e, 0x01ec911, 0x0100000, 0x11e795d, 0x11cc995, 0x11ed9b5, 0x00eb916,
	0x0000111, 0x0000101, 0x0088000, 0x0048000, 0x0000010,
};

static bool lower(unsigned char c)
{
	return c >= 'a' && c <= 'z';
}

static bool upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!digit(p[i]) && !(p[i] >= 'a' && p[i] <= 'f') &&
		    !(p[i] >= 'A' && p[i] <= 'F'))
			return false;
	return true;
}

/* Digits and signs that people write for letters. */
static unsigned char as_letter(unsigned char c)
{
	static const char signs[] = "01345789@$!", letters[] = "oleastbgasi";
	const char *at = c != '\0' ? strchr(signs, c) : NULL;

	return at != NULL ? (unsigned char)letters[at - signs] : c;
}

/* Row and bit of a letter. */
static unsigned letter(unsigned char c)
{
	return (unsigned)((as_letter(c) | 0x20) - 'a') % ARRAY_LEN(usual);
}

/* Are three of five pairs usual ones? */
static bool reads_like_one(const unsigned char *p, size_t n)
{
	size_t good = 0;

	for (size_t i = 0; i + 1 < n; i++)
		good += usual[letter(p[i])] >> letter(p[i + 1]) & 1;
	return good * 5 >= (n - 1) * 3;
}

static bool stands_alone(const unsigned char *p, size_t from, size_t to, size_t n)
{
	return (from == 0 ||
	        !(lower(p[from - 1]) || upper(p[from - 1]) || digit(p[from - 1]))) &&
	       (to == n || !(lower(p[to]) || upper(p[to]) || digit(p[to])));
}

/* Letters at p[at] that may be a word: all small, all capital, or a capital and small
 * ones; not digits alone. */
static size_t word_at(const unsigned char *p, size_t at, size_t n)
{
	size_t i = at, letters = 0;

	if (at + 1 < n && upper(p[at]) && lower(as_letter(p[at + 1])))
		i++;
	if (i < n && lower(as_letter(p[i])))
		for (; i < n && lower(as_letter(p[i])); i++)
			letters += lower(p[i]);
	else
		for (; i < n && upper(p[i]); i++)
			letters++;
	if (letters < SHORT || i - at < (stands_alone(p, at, i, n) ? SHORT : WORD))
		return 0;
	return reads_like_one(p + at, i - at) ? i - at : 0;
}

static bool repeats(const unsigned char *p, size_t at)
{
	for (size_t i = 0; i + PART <= at; i++)
		if (memcmp(p + i, p + at, PART) == 0)
			return true;
	return false;
}

/* Is ${b} right of ${a} on a keyboard? */
static bool beside(unsigned char a, unsigned char b)
{
	static const char keys[] = "qwertyuiop asdfghjkl zxcvbnm";
	const char *at = lower(a) ? strchr(keys, a) : NULL;

	return at != NULL && at[1] == (char)b;
}

/* Does p[i] continue aaa, abc, cba or asd? */
static bool runs_on(const unsigned char *p, size_t i)
{
	int step;

	if (i + 1 < RUN)
		return false;
	step = p[i] - p[i - 1];
	return (step >= -1 && step <= 1 && p[i - 1] - p[i - 2] == step) ||
	       (beside(p[i - 2], p[i - 1]) && beside(p[i - 1], p[i]));
}

/* A UUID has 122 random bits at most, and names something more often than it is secret.
 */
static bool is_uuid(const unsigned char *p, size_t n)
{
	static const char form[UUID + 1] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; n >= UUID && i < UUID; i++)
		if (form[i] == '-' ? p[i] != '-' : !is_hex(p + i, 1))
			return false;
	return n >= UUID;
}

/* What counts in full, not at all, or little. */
enum mark { GOOD, NOTHING, LETTER };

struct weighed {
	uint8_t mark[LONGEST];
	size_t good, letters, words;
};

static void weigh(const unsigned char *p, size_t n, struct weighed *w)
{
	bool hex = is_hex(p, n);

	memset(w, 0, sizeof(*w));
	for (size_t i = 0, word; !hex && i<n; i += word> 0 ? word : 1) {
		if ((word = word_at(p, i, n)) == 0)
			continue;
		memset(w->mark + i, LETTER, word);
		w->words++;
	}
	for (size_t i = 0; i < n; i++) {
		if (runs_on(p, i))
			w->mark[i] = NOTHING;
		if (i + PART <= n && repeats(p, i))
			memset(w->mark + i, NOTHING, PART);
		if (is_uuid(p + i, n - i))
			memset(w->mark + i, NOTHING, UUID);
	}
	for (size_t i = 0; i < n; i++) {
		w->good += w->mark[i] == GOOD;
		w->letters += w->mark[i] == LETTER;
	}
}

/* How many characters there are of the sorts that occur. */
static double alphabet(const unsigned char *p, size_t n)
{
	bool small = false, capital = false, number = false, other = false;

	if (is_hex(p, n))
		return 16;
	for (size_t i = 0; i < n; i++) {
		small |= lower(p[i]);
		capital |= upper(p[i]);
		number |= digit(p[i]);
		other |= !lower(p[i]) && !upper(p[i]) && !digit(p[i]);
	}
	return (small ? 26 : 0) + (capital ? 26 : 0) + (number ? 10 : 0) +
	       (other ? 2 : 0);
}

/* Bits of each byte that counts in full. */
static double bits_each(const unsigned char *p, size_t n, const struct weighed *w)
{
	unsigned count[256] = { 0 }, kinds = 0;
	double h = 0, total = (double)w->good, most = log2(alphabet(p, n)), reach;

	for (size_t i = 0; i < n; i++)
		if (w->mark[i] == GOOD)
			count[p[i]]++;
	for (unsigned c = 0; c < 256; c++)
		if (count[c] > 0) {
			h -= count[c] / total * log2(count[c] / total);
			kinds++;
		}
	h += (kinds - 1) / (2 * total * log(2));
	/* So many bytes cannot be spread wider. */
	reach = log2(total) < most ? log2(total) : most;
	return h >= EVEN * reach || h > most ? most : h;
}

/* Of a text as it stands. */
static unsigned plain_bits(const unsigned char *p, size_t n)
{
	struct weighed w;

	weigh(p, n, &w);
	if (w.good == 0 || w.letters * 2 > n || (w.words >= PHRASE && w.letters * 3 > n))
		return 0;
	return (unsigned)((double)w.good * bits_each(p, n, &w) + (double)w.letters);
}

/* The longest run of what base64 and hexadecimal digits are written with. */
static size_t longest_run(const unsigned char *p, size_t n, size_t *at)
{
	size_t best = 0, from = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && (lower(p[i]) || upper(p[i]) || digit(p[i]) || p[i] == '+' ||
		              p[i] == '/' || p[i] == '-' || p[i] == '_'))
			continue;
		if (i - from > best) {
			best = i - from;
			*at = from;
		}
		from = i + 1;
	}
	return best;
}

/* Are these bytes a text, in any character set that has ASCII in it?  Of UTF-16 the zeros
 * are taken out.  The length, or 0. */
static size_t as_text(unsigned char *p, size_t n)
{
	size_t kept = 0, ascii = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\0')
			continue;
		ascii += text_lines((const char *)&p[i], 1);
		p[kept++] = p[i];
	}
	return ascii * 8 >= kept * 7 || text_lines((const char *)p, kept) ? kept : 0;
}

/* The text that is written in base64 or hexadecimal digits, or 0. */
static size_t decode(const unsigned char *p, size_t n, unsigned char *out, size_t cap)
{
	size_t skip = n > 2 && p[0] == '0' && (p[1] | 0x20) == 'x' ? 2 : 0;
	long len = is_hex(p + skip, n - skip)
	                   ? text_unhex((const char *)p + skip, n - skip, out, cap)
	                   : text_unbase64((const char *)p, n, out, cap);

	return len > 0 ? as_text(out, (size_t)len) : 0;
}

static unsigned text_bits(const unsigned char *p, size_t n, unsigned depth);

/* A text that is only written in another form is no harder to guess for that. */
static unsigned part_bits(const unsigned char *p, size_t n, unsigned depth)
{
	unsigned char text[LONGEST];
	size_t at = 0, run = longest_run(p, n, &at), len;
	unsigned bits = plain_bits(p, n), inner;

	if (bits == 0 || depth == DEEPEST ||
	    (len = decode(p + at, run, text, sizeof(text))) == 0)
		return bits;
	inner = plain_bits(p, at) + text_bits(text, len, depth + 1) +
	        plain_bits(p + at + run, n - at - run);
	return inner < bits ? inner : bits;
}

static bool parts(unsigned char c)
{
	return c == ':' || c == '@' || !leak_solid(c);
}

/* Of name and password, or of an address with both, one part has to be enough: the others
 * may be known. */
static unsigned text_bits(const unsigned char *p, size_t n, unsigned depth)
{
	unsigned best = 0, bits;
	size_t from = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && !parts(p[i]))
			continue;
		bits = part_bits(p + from, i - from, depth);
		best = bits > best ? bits : best;
		from = i + 1;
	}
	return best;
}

unsigned leak_bits(const void *value, size_t len)
{
	return text_bits(value, len < LONGEST ? len : LONGEST, 0);
}
