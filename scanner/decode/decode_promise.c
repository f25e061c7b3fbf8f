/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_promise - what a mark of a line promises: is there anything behind it that a
 * rule could look for?
 *
 * Most have nothing: strings are parted where sentences are, macros of C go on for lines,
 * entities are brackets of tags.
 */
#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "decode/decode_line_impl.h"
#include "util.h"

#define JOINT_MAX  160u /* bytes between two pieces of a string */
#define TOKEN_LOOK 32u  /* bytes around an entity, each way */
#define WORD_LOOK  40u  /* bytes of a word before a blank */

/* After an escaped line end: does an assignment begin, or armour? */
static bool begins_setting(struct line_input in, size_t at)
{
	size_t i = at;

	if (at + 5 <= in.n && memcmp(in.p + at, "-----", 5) == 0)
		return true;
	while (i < in.n && i - at < 60 &&
	       (line_word(in.p[i]) || in.p[i] == '.' || in.p[i] == '-'))
		i++;
	if (i - at < 2)
		return false;
	while (i < in.n && (line_blank(in.p[i]) || in.p[i] == '"' || in.p[i] == '\\'))
		i++;
	return i < in.n && (in.p[i] == '=' || in.p[i] == ':');
}

bool decode_may_count(const struct decode_tables *t, const unsigned char *p, size_t n,
                      size_t at)
{
	const unsigned char before = at > 0 ? p[at - 1] : 0;

	p += at;
	if (n - at < 3)
		return true;
	if (!decode_begins(&t->line, p))
		return false;
	if (p[0] != '"' && p[0] != '\'')
		return true;
	/* Of two quotes, an empty string that joins a list. */
	if (p[1] == '"' || p[1] == '\'')
		return p[1] == p[0] && (p[2] == '.' || before == '(');
	return p[2] < 0x80;
}

static bool escape_counts(struct line_input in, size_t at)
{
	unsigned char c = at + 1 < in.n ? in.p[at + 1] : 0;

	switch (c) {
	case 'u':
		return line_graphic(line_hex(in, at + 2, 4));
	case 'x':
		return line_graphic(line_hex(in, at + 2, 2)) && at + 4 < in.n &&
		       in.p[at + 4] == '\\';
	case 'n':
	case 'r':
		return begins_setting(in, at + 2);
	case '/':
		return at > 0 && in.p[at - 1] == ':' && at + 2 < in.n &&
		       in.p[at + 2] == '\\';
	case '\\':
		return at + 2 < in.n && (in.p[at + 2] == 'n' || in.p[at + 2] == '"' ||
		                         in.p[at + 2] == 'u');
	default:
		/* octal, one after the other */
		return c >= '0' && c <= '1' && at + 4 < in.n && in.p[at + 2] >= '0' &&
		       in.p[at + 2] <= '7' && in.p[at + 4] == '\\';
	}
}

static bool percent_counts(struct line_input in, size_t at)
{
	return line_graphic(line_hex(in, at + 1, 2));
}

/* Bytes of an entity at ${at}, and the character; 0 if there is none. */
size_t line_entity(struct line_input in, size_t at, uint32_t *cp)
{
	static const struct {
		char name[8];
		char c;
	} names[] = {
		{"&quot;",  '"' },
		{ "&amp;",  '&' },
		{ "&lt;",   '<' },
		{ "&gt;",   '>' },
		{ "&apos;", '\''}
	};
	size_t i = at + 2, digits = 0;
	bool hex;

	if (at + 1 >= in.n || strchr("#qalg", in.p[at + 1]) == NULL ||
	    in.p[at + 1] == '\0')
		return 0;
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		size_t n;

		if (names[k].name[1] != (char)in.p[at + 1])
			continue;
		n = strlen(names[k].name);
		if (at + n <= in.n && memcmp(in.p + at, names[k].name, n) == 0) {
			*cp = (uint32_t)names[k].c;
			return n;
		}
	}
	if (at + 3 >= in.n || in.p[at + 1] != '#')
		return 0;
	hex = (in.p[i] | 0x20) == 'x';
	i += hex;
	for (*cp = 0; i < in.n && digits < 6 && line_hex_digit(in.p[i]) >= 0 &&
	              (hex || line_hex_digit(in.p[i]) < 10);
	     i++, digits++)
		*cp = *cp * (hex ? 16 : 10) + (uint32_t)line_hex_digit(in.p[i]);
	return digits > 0 && i < in.n && in.p[i] == ';' ? i + 1 - at : 0;
}

/* Where the blanks from ${i} on end: the lines of a program begin with many. */
static size_t after_blanks(struct line_input in, size_t i)
{
#ifdef __SSE2__
	for (; i + 16 <= in.n; i += 16) {
		const __m128i v =
			_mm_loadu_si128((const __m128i *)(const void *)(in.p + i));
		const __m128i blank =
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')),
		                     _mm_cmpeq_epi8(v, _mm_set1_epi8('\t')));
		const unsigned other = (unsigned)_mm_movemask_epi8(blank) ^ 0xffffu;

		if (other != 0)
			return i + (unsigned)__builtin_ctz(other);
	}
#endif
	while (i < in.n && line_blank(in.p[i]))
		i++;
	return i;
}

/* Between two pieces: blanks, one operator, line ends.  ${list}: a comma will do. */
struct joint {
	bool operator, comma, line, other;
};

static size_t read_joint(struct line_input in, size_t i, struct joint *j)
{
	const size_t most = in.n - i < JOINT_MAX ? in.n : i + JOINT_MAX;
	const struct line_input near = { in.p, most };

	for (*j = (struct joint){ 0 }; i < most; i++) {
		unsigned char c = in.p[i];

		if (line_blank(c)) {
			i = after_blanks(near, i + 1) - 1;
			continue;
		}
		if (c == '\r' || (c == '\\' && i + 1 < in.n && in.p[i + 1] == '\n'))
			continue;
		if (c == '\n')
			j->line = true;
		else if ((c == '+' || c == '.' || c == '&' || c == '~') &&
		         !j->operator&& !j->comma)
			j->operator= true;
		else if (c == ',' && !j->operator&& !j->comma)
			j->comma = true;
		else
			break;
	}
	return i;
}

/* Is there a joint after the closing quote at ${at}?  Where the next piece begins, or 0.
 */
size_t line_joint(struct line_input in, size_t at, bool list)
{
	struct joint j;
	size_t i = read_joint(in, at + 1, &j);
	bool far = i + 1 < in.n;

	if (far &&
	    (in.p[i] == 'f' || in.p[i] == 'r' || in.p[i] == 'b' || in.p[i] == 'u') &&
	    (in.p[i + 1] == '"' || in.p[i + 1] == '\''))
		i++;
	if (i == at + 1 || i >= in.n || (in.p[i] != '"' && in.p[i] != '\''))
		return 0;
	if (j.comma)
		return list ? i + 1 : 0;
	return j.operator||(j.line && in.p[i] == in.p[at]) ? i + 1 : 0;
}

/* Do the bytes before ${at} end with ${text}, in any case? */
static bool ends(struct line_input in, size_t at, const char *text)
{
	const size_t n = strlen(text);

	return at >= n && strncasecmp((const char *)in.p + at - n, text, n) == 0;
}

/* The same of those from ${at} on: do they begin so? */
static bool starts(struct line_input in, size_t at, const char *text)
{
	const size_t n = strlen(text);

	return at <= in.n && in.n - at >= n &&
	       strncasecmp((const char *)in.p + at, text, n) == 0;
}

/* May the word that ends at ${at} have its value in the next piece?  An option, what
 * tells of a secret, a word of a phrase that is one. */
static bool asks_for_value(struct line_input in, size_t at)
{
	static const char *const words[] = { ":",     "=",    "bearer", "basic",
		                             "sword", "swd",  "pass",   "token",
		                             "key",   "cret", " by" };
	const size_t least = at > WORD_LOOK ? at - WORD_LOOK : 0;
	size_t from = at;

	for (size_t i = 0; at > 0 && i < ARRAY_LEN(words); i++)
		if ((words[i][strlen(words[i]) - 1] | 0x20) == (in.p[at - 1] | 0x20) &&
		    ends(in, at, words[i]))
			return true;
	while (from > least && !line_blank(in.p[from - 1]) && in.p[from - 1] != '"' &&
	       in.p[from - 1] != '\'')
		from--;
	return from < at && in.p[from] == '-';
}

/* Is it the words of a wallet?  Their line begins with a name that says so. */
static bool of_wallet(struct line_input in, size_t at)
{
	static const char *const names[] = { "nemonic", "eed", "hrase" };
	const size_t least = at > LINE_BEFORE_MAX ? at - LINE_BEFORE_MAX : 0;
	const unsigned char *nl = memrchr(in.p + least, '\n', at - least);
	const size_t from = nl != NULL ? (size_t)(nl - in.p) : least;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (memmem(in.p + from, at - from, names[i], strlen(names[i])) != NULL)
			return true;
	return false;
}

/* Does a piece at ${at} begin with what is told of a value, or with one in quotes? */
static bool tells_value(struct line_input in, size_t at)
{
	static const char *const words[] = { "-", "'", "by ", "pass", "secret", "token" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (starts(in, at, words[i]))
			return true;
	return false;
}

/* Do the pieces that the quote at ${at} ends and that begins at ${next} belong together?
 * Most strings in pieces are sentences, which are parted at a blank or a line end. */
static bool belong(struct line_input in, size_t at, size_t next)
{
	if (next < in.n &&
	    (line_blank(in.p[next]) || (in.p[next] == '\\' && next + 1 < in.n &&
	                                strchr("nrt", in.p[next + 1]) != NULL)))
		return false;
	if (at > 0 && line_blank(in.p[at - 1]))
		return tells_value(in, next) || asks_for_value(in, at - 1) ||
		       of_wallet(in, at);
	return !(at > 1 && in.p[at - 2] == '\\' && in.p[at - 1] == 'n');
}

/* Is the empty string at ${at} what puts a list together?  As in ["a", "b"].join(""),
 * "".join(["a", "b"]) and implode("", ["a", "b"]). */
static bool joins_list(struct line_input in, size_t at)
{
	return starts(in, at + 2, ".join(") || ends(in, at, ".join(") ||
	       ends(in, at, "implode(");
}

/* Is the line that ends at the backslash at ${at} of a macro of C?  There are many, and
 * none is worth to be put together if its lines are parted at blanks. */
static bool in_macro(struct search *s, size_t at)
{
	const size_t least = at > LINE_BEFORE_MAX ? at - LINE_BEFORE_MAX : 0;
	const unsigned char *nl = memrchr(s->p + least, '\n', at - least);
	size_t from = nl != NULL ? (size_t)(nl - s->p) + 1 : least;

	if (at + 2 >= s->n ||
	    !((at > 0 && line_blank(s->p[at - 1])) || line_blank(s->p[at + 2])) ||
	    (nl == NULL && least > 0))
		return false;
	if (from == 0 || from != s->macro) {
		while (from < at && line_blank(s->p[from]))
			from++;
		if (s->p[from++] != '#')
			return false;
		while (from < at && line_blank(s->p[from]))
			from++;
		if (at - from < 6 || memcmp(s->p + from, "define", 6) != 0)
			return false;
	}
	s->macro = at + 2;
	return true;
}

/* Is there a digit in what stands around the entity at ${at}, up to blanks and quotes?
 * Brackets of tags and of types are escaped far more often than those of a password. */
static bool near_digit(struct line_input in, size_t at, size_t entity_n)
{
	const size_t least = at > TOKEN_LOOK ? at - TOKEN_LOOK : 0;
	const size_t from = at + entity_n;
	const size_t most = in.n - from < TOKEN_LOOK ? in.n : from + TOKEN_LOOK;

	for (size_t i = at; i > least && line_graphic(in.p[i - 1]) && in.p[i - 1] != '"';
	     i--)
		if (in.p[i - 1] >= '0' && in.p[i - 1] <= '9')
			return true;
	for (size_t i = from; i < most && line_graphic(in.p[i]) && in.p[i] != '"'; i++)
		if (in.p[i] >= '0' && in.p[i] <= '9')
			return true;
	return false;
}

/* Does a tag end at ${at} whose name is that of a secret? */
static bool ends_name(struct line_input in, size_t at)
{
	static const char *const names[] = { "sword", "swd",  "pass", "pwd",
		                             "token", "cret", "key" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (ends(in, at, names[i]))
			return true;
	return false;
}

/* One that a name, a value or what parts them may have, or armour. */
static bool entity_counts(struct line_input in, size_t at)
{
	uint32_t cp = 0;
	const size_t n = line_entity(in, at, &cp);

	if (n == 0 || (cp != '\n' && cp != ' ' && !line_graphic((long)cp)))
		return false;
	return (cp != '<' && cp != '>') || near_digit(in, at, n) ||
	       (cp == '>' && ends_name(in, at));
}

bool line_counts(struct search *s, size_t at, enum line_kind kind, bool *list)
{
	const struct line_input all = { s->p, s->n };
	size_t next;

	switch (kind) {
	case LINE_PERCENT:
		return percent_counts(all, at);
	case LINE_HTML:
		return entity_counts(all, at);
	case LINE_ESCAPES:
		return escape_counts(all, at);
	default:
		if (s->p[at] == '\\')
			return !in_macro(s, at);
		next = line_joint(all, at, false);
		if (next > 0 && belong(all, at, next))
			return true;
		*list = at + 1 < s->n && s->p[at + 1] == s->p[at] && joins_list(all, at);
		return *list;
	}
}
