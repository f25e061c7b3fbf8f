/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_line - lines that say something else once they are written out: escapes of JSON
 * and programming languages, percent-encoding, HTML entities, strings in pieces.
 *
 * Most backslashes and quotes are harmless.  A line is written out only where one of them
 * hides what a rule could look for.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "decode/decode_line_impl.h"
#include "text.h"

#define LINE_LONGEST 8192u          /* bytes of a line that are written out */
#define APART        "\n\n\n\n\n\n" /* between lines that do not follow each other */

/* --- writing out -----------------------------------------------------------------------
 */

static size_t put(unsigned char *out, uint32_t cp)
{
	char text[TEXT_UTF8_MAX];
	size_t n;

	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		cp = ' ';
	n = text_utf8_put(text, cp);
	memcpy(out, text, n);
	return n;
}

/* One escape; how many bytes of it.  All of them are at least as long as what they say.
 */
static size_t unescape_one(struct line_input in, size_t at, unsigned char *out,
                           size_t *used)
{
	static const char plain[] = "\"'/\\ntr";
	static const char means[] = "\"'/\\\n\t\n";
	unsigned char c = at + 1 < in.n ? in.p[at + 1] : 0;
	const char *known = c != 0 ? strchr(plain, c) : NULL;
	long v;

	if (known != NULL) {
		out[(*used)++] = (unsigned char)means[known - plain];
		return 2;
	}
	if (c == 'u' && (v = line_hex(in, at + 2, 4)) >= 0) {
		*used += put(out + *used, (uint32_t)v);
		return 6;
	}
	if (c == 'x' && (v = line_hex(in, at + 2, 2)) > 0) {
		out[(*used)++] = (unsigned char)v;
		return 4;
	}
	if (c >= '0' && c <= '1' && at + 3 < in.n && in.p[at + 2] >= '0' &&
	    in.p[at + 2] <= '7' && in.p[at + 3] >= '0' && in.p[at + 3] <= '7') {
		v = (c - '0') * 64 + (in.p[at + 2] - '0') * 8 + (in.p[at + 3] - '0');
		out[(*used)++] = v > 0 ? (unsigned char)v : ' ';
		return 4;
	}
	out[(*used)++] = in.p[at];
	return 1;
}

#ifdef __SSE2__
/* Which of 16 bytes are among ${stops}? */
static unsigned stops_of_16(__m128i v, const char stops[4])
{
	const __m128i a = _mm_cmpeq_epi8(v, _mm_set1_epi8(stops[0]));
	const __m128i b = _mm_cmpeq_epi8(v, _mm_set1_epi8(stops[1]));
	const __m128i c = _mm_cmpeq_epi8(v, _mm_set1_epi8(stops[2]));
	const __m128i d = _mm_cmpeq_epi8(v, _mm_set1_epi8(stops[3]));

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)));
}
#endif

/* Copies what is before the first byte from ${i} on that is among ${stops}; its place.
 * Up to 15 bytes more are written to ${out}, which has room for them. */
static size_t copy_plain(struct line_input in, size_t i, const char stops[4],
                         unsigned char *out)
{
	const size_t from = i;

#ifdef __SSE2__
	_Static_assert(DECODE_PIECE + 16 <= DECODE_ROOM, "where the last of them are");
	for (; i + 16 <= in.n; i += 16) {
		const __m128i v =
			_mm_loadu_si128((const __m128i *)(const void *)(in.p + i));
		const unsigned found = stops_of_16(v, stops);

		_mm_storeu_si128((__m128i *)(void *)(out + (i - from)), v);
		if (found != 0)
			return i + (unsigned)__builtin_ctz(found);
	}
#endif
	for (; i < in.n && memchr(stops, in.p[i], 4) == NULL; i++)
		out[i - from] = in.p[i];
	return i;
}

static size_t write_one(struct line_input in, size_t at, enum line_kind kind,
                        unsigned char *out, size_t *used)
{
	uint32_t cp = 0;
	size_t n;
	long v;

	if (kind == LINE_ESCAPES && in.p[at] == '\\')
		return unescape_one(in, at, out, used);
	if (kind == LINE_PERCENT && in.p[at] == '%' &&
	    (v = line_hex(in, at + 1, 2)) > 0) {
		out[(*used)++] = (unsigned char)v;
		return 3;
	}
	if (kind == LINE_HTML && in.p[at] == '&' && (n = line_entity(in, at, &cp)) > 0) {
		*used += put(out + *used, cp);
		return n;
	}
	out[(*used)++] = in.p[at];
	return 1;
}

/* To the end of the statement, which may be lines further on. */
static size_t write_joined(struct line_input in, bool list, unsigned char *out,
                           size_t *used)
{
	size_t i = 0, plain, next;

	for (;;) {
		plain = copy_plain(in, i, "\"'\\\n", out + *used);
		*used += plain - i;
		i = plain;
		if (i == in.n || in.p[i] == '\n')
			return i;
		if ((in.p[i] == '"' || in.p[i] == '\'') &&
		    (next = line_joint(in, i, list)) > 0) {
			i = next;
		} else if (in.p[i] == '\\' && i + 1 < in.n && in.p[i + 1] == '\n') {
			for (i += 2; i < in.n && line_blank(in.p[i]); i++)
				;
		} else {
			out[(*used)++] = in.p[i++];
		}
	}
}

/* To the line's end. */
static size_t write_escaped(struct line_input in, enum line_kind kind, unsigned char *out,
                            size_t *used)
{
	static const char stops[][4] = {
		[LINE_ESCAPES] = "\\\\\\\n",
		[LINE_PERCENT] = "%%%\n",
		[LINE_HTML] = "&&&\n",
	};
	size_t i = 0, plain;

	for (;;) {
		plain = copy_plain(in, i, stops[kind], out + *used);
		*used += plain - i;
		i = plain;
		if (i == in.n || in.p[i] == '\n')
			return i;
		i += write_one(in, i, kind, out, used);
	}
}

/* --- lines
 * ------------------------------------------------------------------------------
 */

/* The last blank or quote on the line before ${to}, or its begin, but nothing before
 * ${least}: where a token that ${to} may be in begins.  ${to}: none is near. */
static size_t token_begin(const unsigned char *p, size_t least, size_t to)
{
	const size_t low = to - least < LINE_BEFORE_MAX ? least : to - LINE_BEFORE_MAX;

	for (size_t i = to; i > low; i--) {
		if (p[i - 1] == '\n')
			return i;
		if ((line_blank(p[i - 1]) || p[i - 1] == '"' || p[i - 1] == '\'') &&
		    !(i > low + 1 && p[i - 2] == '\\'))
			return i - 1;
	}
	return to;
}

static size_t line_begin(const struct search *s, size_t at, enum line_kind kind)
{
	const size_t far = at > LINE_BEFORE_MAX ? at - LINE_BEFORE_MAX : 0;
	const size_t least = s->line_done[kind] > far ? s->line_done[kind] : far;
	const unsigned char *nl = at > least ? memrchr(s->p + least, '\n', at - least)
	                                     : NULL;

	if (nl != NULL)
		return (size_t)(nl - s->p) + 1;
	return least > s->line_done[kind] ? token_begin(s->p, s->line_done[kind], least)
	                                  : least;
}

/* What of the line from ${from} on is written out: of one that is too long, a part that
 * ends where a token does. */
static struct line_input line_part(const struct search *s, size_t from, size_t at,
                                   enum line_kind kind)
{
	struct line_input in = { s->p + from, s->n - from };

	if (in.n < LINE_LONGEST)
		return in;
	in.n = LINE_LONGEST;
	/* Pieces of strings are put together over blanks and quotes. */
	if (kind != LINE_JOINED && memchr(in.p, '\n', in.n) == NULL)
		in.n = token_begin(in.p, at - from + 1, in.n);
	return in;
}

/* What writing the line out takes at most: up to its end, if its end is the line's. */
static size_t line_cost(struct line_input in, enum line_kind kind)
{
	const unsigned char *nl = kind != LINE_JOINED ? memchr(in.p, '\n', in.n) : NULL;

	return nl != NULL ? (size_t)(nl - in.p) : in.n;
}

static void write_line(struct search *s, size_t from, struct line_input in,
                       enum line_kind kind, bool list)
{
	static const char *const how[] = { "escapes", "percent", "html", "joined" };
	struct made *m = &s->level->line[kind];
	const size_t cost = line_cost(in, kind);
	size_t i, used;

	if (m->n + in.n + sizeof(APART) > DECODE_PIECE || m->spans_n == DECODE_SPANS)
		decode_tell(s, m, how[kind]);
	if (!decode_afford(s, cost))
		return;
	if (m->n > 0) {
		memcpy(m->p + m->n, APART, sizeof(APART) - 1);
		m->n += sizeof(APART) - 1;
	}
	used = m->n;
	i = kind == LINE_JOINED ? write_joined(in, list, m->p, &used)
	                        : write_escaped(in, kind, m->p, &used);
	s->d->made -= i < cost ? cost - i : 0;
	/* Pieces may be empty, all of them: then there is nothing to be placed. */
	if (used > m->n)
		m->spans[m->spans_n++] = (struct decode_span){ m->n, from, i };
	m->n = used;
	s->line_done[kind] = from + i;
}

/* What the mark at ${at} is of.  A backslash before a line end joins two lines. */
static enum line_kind kind_of(const struct search *s, size_t at)
{
	switch (s->p[at]) {
	case '%':
		return LINE_PERCENT;
	case '&':
		return LINE_HTML;
	case '\\':
		return at + 1 < s->n && s->p[at + 1] == '\n' ? LINE_JOINED : LINE_ESCAPES;
	default:
		return LINE_JOINED;
	}
}

void decode_line(struct search *s, size_t at)
{
	const enum line_kind kind = kind_of(s, at);
	bool list = false;
	struct line_input in;
	size_t from;

	if (at < s->line_done[kind] || (kind == LINE_JOINED && s->joined) ||
	    !line_counts(s, at, kind, &list))
		return;
	from = line_begin(s, at, kind);
	in = line_part(s, from, at, kind);
	if (!s->last && s->n - from < LINE_LONGEST) {
		/* All of the line, or later. */
		const unsigned char *nl = memchr(s->p + at, '\n', s->n - at);

		if (nl == NULL || (kind == LINE_JOINED && s->n - at < LINE_BEFORE_MAX)) {
			decode_hold(s, from);
			return;
		}
	}
	write_line(s, from, in, kind, list);
}
