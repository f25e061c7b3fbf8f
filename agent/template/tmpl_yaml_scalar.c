/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars of YAML in the style that suits them. */
#include "tmpl_yaml_write.h"

#include <stdio.h>
#include <string.h>

#include "text.h"
#include "tmpl_number.h"
#include "tmpl_rune.h"
#include "tmpl_yaml.h"

#define WIDTH 80 /* behind it, a line is broken at the next space */

enum style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL };

/* What can be said of a string. */
struct traits {
	bool multiline;
	bool plain, single, block; /* may be written so */
};

static void put(struct yaml_writer *w, const char *p, size_t n, size_t columns)
{
	tmpl_put(&w->b, p, n);
	w->column += columns;
}

static void put_break(struct yaml_writer *w)
{
	tmpl_putc(&w->b, '\n');
	w->column = 0;
}

void yaml_indent(struct yaml_writer *w, int to)
{
	size_t column = to > 0 ? (size_t)to : 0;

	if (!w->indention || w->column > column ||
	    (w->column == column && !w->whitespace))
		put_break(w);
	if (w->column < column) {
		tmpl_pad(&w->b, column - w->column, ' ');
		w->column = column;
	}
	w->whitespace = true;
	w->indention = true;
}

void yaml_indicator(struct yaml_writer *w, const char *s, bool spaced, bool is_space,
                    bool is_indention)
{
	if (spaced && !w->whitespace)
		put(w, " ", 1, 1);
	put(w, s, strlen(s), strlen(s));
	w->whitespace = is_space;
	w->indention = w->indention && is_indention;
}

static bool is_break(uint32_t c)
{
	return c == '\r' || c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* Characters beyond 16 bits are escaped, as that library does. */
static bool is_printable(uint32_t c)
{
	return c == '\n' || (c >= 0x20 && c < 0x7F) ||
	       (c >= 0xA0 && c < 0xFFFE && c != 0xFEFF);
}

static bool is_blank(struct tmpl_str s, size_t i)
{
	return i >= s.n || s.p[i] == ' ' || s.p[i] == '\t';
}

/* Does ${c} at ${i} of a string mean something else than itself in block style? */
static bool is_indicator(struct tmpl_str s, size_t i, uint32_t c, bool after_blank)
{
	bool before_blank = is_blank(s, i + 1);

	if (c >= 0x80 || c == 0)
		return false;
	if (i == 0 && strchr("#,[]{}&*!|>'\"%@`", (int)c) != NULL)
		return true;
	if (c == ':' || (i == 0 && (c == '?' || c == '-')))
		return before_blank;
	return c == '#' && after_blank;
}

static struct traits analyze(struct tmpl_str s)
{
	struct traits t = { .plain = true, .single = true, .block = true };
	bool space_before = false, break_before = false, after_blank = true;
	size_t width;

	t.block = s.n > 0;
	if (s.n >= 3 && (memcmp(s.p, "---", 3) == 0 || memcmp(s.p, "...", 3) == 0))
		t.plain = false;
	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);
		bool at_edge = i == 0 || i + width == s.n;

		if (is_indicator(s, i, c, after_blank))
			t.plain = false;
		if (!is_printable(c))
			t.plain = t.single = t.block = false;
		if (c == ' ') {
			if (at_edge || break_before)
				t.plain = false;
			if (i + width == s.n)
				t.block = false;
			if (break_before)
				t.single = false;
		} else if (is_break(c)) {
			t.multiline = true;
			t.plain = false;
			if (space_before)
				t.single = t.block = false;
		}
		space_before = c == ' ';
		break_before = is_break(c);
		after_blank = c == ' ' || c == '\t' || is_break(c) || c == 0;
	}
	return t;
}

bool yaml_is_multiline(struct tmpl_str s)
{
	return analyze(s).multiline;
}

static enum style choose(enum style wanted, const struct traits *t, struct tmpl_str s,
                         bool is_key)
{
	enum style style = wanted;

	if (is_key && t->multiline)
		style = STYLE_DOUBLE;
	if (style == STYLE_PLAIN && (!t->plain || (s.n == 0 && is_key)))
		style = STYLE_SINGLE;
	if (style == STYLE_SINGLE && !t->single)
		style = STYLE_DOUBLE;
	if (style == STYLE_LITERAL && (!t->block || is_key))
		style = STYLE_DOUBLE;
	return style;
}

/* Is the line so long that it is broken at this space? */
static bool folds(const struct yaml_writer *w, struct tmpl_str s, size_t i,
                  bool after_space)
{
	return !after_space && w->column > WIDTH && i + 1 < s.n && s.p[i + 1] != ' ';
}

/* Plain and in single quotes, which differ in the quotes alone. */
static void put_flowing(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s,
                        bool quoted)
{
	bool spaces = false, breaks = false;
	size_t width;

	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);

		if (c == ' ') {
			if (!at.is_key && (i > 0 || !quoted) && folds(w, s, i, spaces))
				yaml_indent(w, at.indent);
			else
				put(w, " ", 1, 1);
			spaces = true;
			continue;
		}
		if (is_break(c)) {
			put(w, s.p + i, width, 0);
			w->column = 0;
			w->indention = breaks = true;
			continue;
		}
		if (breaks)
			yaml_indent(w, at.indent);
		if (quoted && c == '\'')
			put(w, "'", 1, 1);
		put(w, s.p + i, width, 1);
		w->indention = spaces = breaks = false;
	}
}

static void put_escape(struct yaml_writer *w, uint32_t c)
{
	static const struct {
		uint32_t c;
		const char *text;
	} short_forms[] = {
		{0x00,    "\\0" },
                { 0x07,   "\\a" },
                { 0x08,   "\\b" },
                { 0x09,   "\\t" },
		{ 0x0A,   "\\n" },
                { 0x0B,   "\\v" },
                { 0x0C,   "\\f" },
                { 0x0D,   "\\r" },
		{ 0x1B,   "\\e" },
                { '"',    "\\\""},
                { '\\',   "\\\\"},
                { 0x85,   "\\N" },
		{ 0xA0,   "\\_" },
                { 0x2028, "\\L" },
                { 0x2029, "\\P" },
	};
	char text[16];

	for (size_t i = 0; i < ARRAY_LEN(short_forms); i++)
		if (short_forms[i].c == c) {
			put(w, short_forms[i].text, 2, 2);
			return;
		}
	snprintf(text, sizeof(text),
	         c <= 0xFF     ? "\\x%02X"
	         : c <= 0xFFFF ? "\\u%04X"
	                       : "\\U%08X",
	         (unsigned)c);
	put(w, text, strlen(text), strlen(text));
}

static void put_double(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s)
{
	bool spaces = false, all = s.n >= 3 && memcmp(s.p, "\xEF\xBB\xBF", 3) == 0;
	size_t width;

	/* Behind a byte order mark that library escapes each and every character. */
	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);
		bool space = c == ' ';

		if (all || !is_printable(c) || is_break(c) || c == '"' || c == '\\') {
			put_escape(w, c);
		} else if (space && !at.is_key && !spaces && w->column > WIDTH && i > 0 &&
		           i + 1 < s.n) {
			yaml_indent(w, at.indent);
			if (s.p[i + 1] == ' ')
				put(w, "\\", 1, 1);
		} else {
			put(w, s.p + i, width, 1);
		}
		spaces = space;
	}
}

/* What says how a literal begins and ends. */
static void put_hints(struct yaml_writer *w, struct tmpl_str s)
{
	size_t width, last;
	uint32_t c = tmpl_rune(s.p, s.n, &width);

	if (c == ' ' || is_break(c))
		yaml_indicator(w, "2", false, false, false);
	c = tmpl_rune_before(s.p, s.n, &last);
	if (!is_break(c))
		yaml_indicator(w, "-", false, false, false);
	else if (s.n == last || is_break(tmpl_rune_before(s.p, s.n - last, &width)))
		yaml_indicator(w, "+", false, false, false);
}

static void put_literal(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s)
{
	bool breaks = true;
	size_t width;

	yaml_indicator(w, "|", true, false, false);
	put_hints(w, s);
	put_break(w);
	w->indention = w->whitespace = true;
	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);

		if (is_break(c)) {
			put(w, s.p + i, width, 0);
			w->column = 0;
			w->indention = breaks = true;
			continue;
		}
		if (breaks)
			yaml_indent(w, at.indent);
		put(w, s.p + i, width, 1);
		w->indention = breaks = false;
	}
}

static void put_scalar(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s,
                       enum style wanted)
{
	struct traits t = analyze(s);
	enum style style = choose(wanted, &t, s, at.is_key);
	const char *quote = style == STYLE_SINGLE ? "'" : "\"";

	at.indent = at.indent < 0 ? YAML_INDENT : at.indent + YAML_INDENT;
	if (style == STYLE_LITERAL) {
		put_literal(w, at, s);
		return;
	}
	if (style == STYLE_PLAIN) {
		if (!w->whitespace)
			put(w, " ", 1, 1);
		put_flowing(w, at, s, false);
	} else {
		yaml_indicator(w, quote, true, false, false);
		if (style == STYLE_SINGLE)
			put_flowing(w, at, s, true);
		else
			put_double(w, at, s);
		yaml_indicator(w, quote, false, false, false);
	}
	w->whitespace = w->indention = false;
}

/* Base64 in lines of 70. */
static void put_binary(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s)
{
	size_t n = TEXT_BASE64_LEN(s.n);
	char *p = tmpl_alloc(w->b.r, n + 1);
	struct tmpl_buf lines = tmpl_buf(w->b.r);

	if (p == NULL)
		return;
	text_base64(s.p, s.n, p);
	yaml_indicator(w, "!!binary", true, false, false);
	for (size_t i = 0; i < n; i += 70) {
		tmpl_put(&lines, p + i, n - i < 70 ? n - i : 70);
		if (n >= 70)
			tmpl_putc(&lines, '\n');
	}
	put_scalar(w, at, (struct tmpl_str){ lines.p, lines.n },
	           n >= 70 ? STYLE_LITERAL : STYLE_PLAIN);
}

static enum style wanted_style(struct tmpl_str s)
{
	bool is_time;
	struct tv v;

	if (s.n > 0 && memchr(s.p, '\n', s.n) != NULL)
		return STYLE_LITERAL;
	v = tmpl_yaml_resolve(s, &is_time);
	if (v.kind != TV_STRING || is_time || tmpl_yaml_base60(s))
		return STYLE_DOUBLE;
	return STYLE_PLAIN;
}

void yaml_put_string(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s)
{
	if (text_utf8_ok(s.p, s.n))
		put_scalar(w, at, s, wanted_style(s));
	else
		put_binary(w, at, s);
}

void yaml_put_word(struct yaml_writer *w, struct yaml_place at, const char *s)
{
	put_scalar(w, at, tv_cstr(s).s, STYLE_PLAIN);
}

void yaml_put_float(struct yaml_writer *w, struct yaml_place at, double f)
{
	char text[TMPL_FLOAT_MAX];
	size_t n = tmpl_write_g(f, text);

	text[n] = '\0';
	if (strcmp(text, "NaN") == 0)
		yaml_put_word(w, at, ".nan");
	else if (strcmp(text + 1, "Inf") == 0)
		yaml_put_word(w, at, text[0] == '-' ? "-.inf" : ".inf");
	else
		yaml_put_word(w, at, text);
}

/* A number of a secret is an int if it can be one, else a float, else its text. */
void yaml_put_number(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s)
{
	char text[32];
	int64_t i;
	double f;

	if (tmpl_read_int(s.p, s.n, 10, &i)) {
		snprintf(text, sizeof(text), "%lld", (long long)i);
		yaml_put_word(w, at, text);
	} else if (tmpl_read_float(s.p, s.n, &f)) {
		yaml_put_float(w, at, f);
	} else {
		yaml_put_string(w, at, s);
	}
}
