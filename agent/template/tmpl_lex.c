/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_tree.h"

#include <string.h>

#include "tmpl_rune.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool tmpl_str_is(struct tmpl_str s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

bool tmpl_str_eq(struct tmpl_str x, struct tmpl_str y)
{
	return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

static bool starts(const struct tmpl_lexer *l, size_t at, const char *with)
{
	size_t n = strlen(with);

	return at <= l->n && l->n - at >= n && memcmp(l->p + at, with, n) == 0;
}

static struct tmpl_at here(const struct tmpl_lexer *l)
{
	return (struct tmpl_at){ l->line, (uint32_t)(l->pos - l->line_start) + 1 };
}

static void advance(struct tmpl_lexer *l, size_t n)
{
	for (size_t end = l->pos + n; l->pos < end; l->pos++)
		if (l->p[l->pos] == '\n') {
			l->line++;
			l->line_start = l->pos + 1;
		}
}

static uint32_t rune_at(const struct tmpl_lexer *l, size_t at, size_t *width)
{
	*width = 0;
	return at < l->n ? tmpl_rune(l->p + at, l->n - at, width) : 0;
}

/* Where the run of letters, digits and '_' from ${at} on ends. */
static size_t word_end(const struct tmpl_lexer *l, size_t at)
{
	size_t width;
	uint32_t c;

	while (at < l->n) {
		c = rune_at(l, at, &width);
		if (c != '_' && !tmpl_rune_letter(c) && !tmpl_rune_digit(c))
			break;
		at += width;
	}
	return at;
}

/* May a name end at ${at}? */
static bool is_terminator(const struct tmpl_lexer *l, size_t at)
{
	return at >= l->n || is_space(l->p[at]) ||
	       (l->p[at] != '\0' && strchr(".,|:()", l->p[at]) != NULL) ||
	       starts(l, at, "}}");
}

/* A '-' beside the delimiter with space on its other side trims the text there. */
static bool trims_before(const struct tmpl_lexer *l, size_t open)
{
	return starts(l, open + 2, "-") && open + 3 < l->n && is_space(l->p[open + 3]);
}

static bool trims_after(const struct tmpl_lexer *l, size_t at)
{
	return at < l->n && is_space(l->p[at]) && starts(l, at + 1, "-}}");
}

static void skip_space(struct tmpl_lexer *l)
{
	while (l->pos < l->n && is_space(l->p[l->pos]))
		advance(l, 1);
}

/* Past "}}" or " -}}" and what the latter trims; false if neither is here. */
static bool close_action(struct tmpl_lexer *l)
{
	bool trims = trims_after(l, l->pos);

	if (!trims && !starts(l, l->pos, "}}"))
		return false;
	advance(l, trims ? 4 : 2);
	if (trims)
		skip_space(l);
	return true;
}

static struct tmpl_token fail(struct tmpl_parser *p, struct tmpl_at at, const char *what)
{
	(void)tmpl_parse_fail(p, at, "%s", what);
	return (struct tmpl_token){ .type = TOKEN_ERROR, .at = at };
}

/* At "{{" and perhaps "- ", with a comment behind: past it. */
static bool skip_comment(struct tmpl_parser *p)
{
	struct tmpl_lexer *l = &p->lex;
	struct tmpl_at at = here(l);
	const char *end;

	advance(l, trims_before(l, l->pos) ? 6 : 4);
	end = memmem(l->p + l->pos, l->n - l->pos, "*/", 2);
	if (end == NULL) {
		(void)fail(p, at, "unclosed comment");
		return false;
	}
	advance(l, (size_t)(end - (l->p + l->pos)) + 2);
	if (close_action(l))
		return true;
	(void)fail(p, here(l), "comment ends before closing delimiter");
	return false;
}

/* Outside of actions: text up to the next, or the "{{" that opens it. */
static struct tmpl_token lex_text(struct tmpl_parser *p)
{
	struct tmpl_lexer *l = &p->lex;

	for (;;) {
		const char *open = memmem(l->p + l->pos, l->n - l->pos, "{{", 2);
		size_t end = open != NULL ? (size_t)(open - l->p) : l->n, last = end;
		struct tmpl_token t = { .type = TOKEN_TEXT, .at = here(l) };
		bool trims = open != NULL && trims_before(l, end);

		while (trims && last > l->pos && is_space(l->p[last - 1]))
			last--;
		t.s = (struct tmpl_str){ l->p + l->pos, last - l->pos };
		advance(l, end - l->pos);
		if (t.s.n > 0)
			return t;
		t.at = here(l);
		if (open == NULL)
			return t.type = TOKEN_END, t;
		if (!starts(l, end + (trims ? 4 : 2), "/*")) {
			advance(l, trims ? 4 : 2);
			l->in_action = true;
			l->parens = 0;
			return t.type = TOKEN_OPEN, t;
		}
		if (!skip_comment(p))
			return t.type = TOKEN_ERROR, t;
	}
}

/* From a quote to the same quote; where that is not escaped by '\'. */
static size_t quoted_end(const struct tmpl_lexer *l, char quote)
{
	for (size_t i = l->pos + 1; i < l->n; i++) {
		char c = l->p[i];

		if (c == quote)
			return i + 1;
		if (quote != '`' && c == '\\' && ++i < l->n)
			c = l->p[i];
		if (quote != '`' && c == '\n')
			break;
	}
	return 0;
}

static struct tmpl_token lex_quoted(struct tmpl_parser *p, struct tmpl_token t)
{
	struct tmpl_lexer *l = &p->lex;
	char quote = l->p[l->pos];
	size_t end = quoted_end(l, quote);

	if (end == 0)
		return fail(p, t.at,
		            quote == '"'   ? "unterminated quoted string"
		            : quote == '`' ? "unterminated raw quoted string"
		                           : "unterminated character constant");
	t.type = quote == '"' ? TOKEN_STRING : quote == '`' ? TOKEN_RAW : TOKEN_CHAR;
	t.s = (struct tmpl_str){ l->p + l->pos, end - l->pos };
	advance(l, t.s.n);
	return t;
}

static size_t run_of(const struct tmpl_lexer *l, size_t at, const char *set)
{
	while (at < l->n && l->p[at] != '\0' && strchr(set, l->p[at]) != NULL)
		at++;
	return at;
}

static size_t one_of(const struct tmpl_lexer *l, size_t at, const char *set)
{
	return at < l->n && l->p[at] != '\0' && strchr(set, l->p[at]) != NULL ? at + 1
	                                                                      : at;
}

/* What may be a number; whether it is one is seen when it is read. */
static size_t number_end(const struct tmpl_lexer *l, size_t at)
{
	const char *digits = "0123456789_", *exponent = "eE";
	size_t after;

	at = one_of(l, at, "+-");
	if (at < l->n && l->p[at] == '0') {
		at++;
		if ((after = one_of(l, at, "xX")) > at) {
			digits = "0123456789abcdefABCDEF_";
			exponent = "pP";
		} else if ((after = one_of(l, at, "oObB")) > at) {
			exponent = "";
		}
		at = after;
	}
	at = run_of(l, at, digits);
	if ((after = one_of(l, at, ".")) > at)
		at = run_of(l, after, digits);
	if ((after = one_of(l, at, exponent)) > at)
		at = run_of(l, one_of(l, after, "+-"), "0123456789_");
	return at;
}

static struct tmpl_token lex_number(struct tmpl_parser *p, struct tmpl_token t)
{
	struct tmpl_lexer *l = &p->lex;
	size_t end = number_end(l, l->pos);

	if (word_end(l, end) > end || one_of(l, end, "+-") > end)
		return fail(p, t.at, "bad number syntax");
	t.type = TOKEN_NUMBER;
	t.s = (struct tmpl_str){ l->p + l->pos, end - l->pos };
	advance(l, t.s.n);
	return t;
}

/* A word, .field or $variable; ${from} is where its letters begin. */
static struct tmpl_token lex_name(struct tmpl_parser *p, struct tmpl_token t, size_t from)
{
	struct tmpl_lexer *l = &p->lex;
	size_t end = word_end(l, from);

	if (!is_terminator(l, end)) {
		size_t width;
		uint32_t c = rune_at(l, end, &width);

		advance(l, end - l->pos);
		(void)tmpl_parse_fail(p, here(l), "bad character U+%04X in a name",
		                      (unsigned)c);
		return t.type = TOKEN_ERROR, t;
	}
	t.s = (struct tmpl_str){ l->p + l->pos, end - l->pos };
	advance(l, t.s.n);
	return t;
}

static struct tmpl_token lex_mark(struct tmpl_parser *p, struct tmpl_token t)
{
	struct tmpl_lexer *l = &p->lex;
	char c = l->p[l->pos];
	size_t n = 1;

	if (c == ':' && !starts(l, l->pos, ":="))
		return fail(p, t.at, "expected :=");
	if (c == ')' && l->parens == 0)
		return fail(p, t.at, "unexpected right paren");
	if (c < ' ' || c > '~') {
		size_t width;
		uint32_t rune = rune_at(l, l->pos, &width);

		(void)tmpl_parse_fail(p, t.at, "unrecognized character U+%04X in action",
		                      (unsigned)rune);
		return t.type = TOKEN_ERROR, t;
	}
	switch (c) {
	case ':':
		t.type = TOKEN_DECLARE;
		n = 2;
		break;
	case '=':
		t.type = TOKEN_ASSIGN;
		break;
	case '|':
		t.type = TOKEN_PIPE;
		break;
	case '(':
		t.type = TOKEN_LEFT;
		l->parens++;
		break;
	case ')':
		t.type = TOKEN_RIGHT;
		l->parens--;
		break;
	default:
		t.type = TOKEN_OTHER;
	}
	t.s = (struct tmpl_str){ l->p + l->pos, n };
	advance(l, n);
	return t;
}

static struct tmpl_token lex_dot(struct tmpl_parser *p, struct tmpl_token t)
{
	struct tmpl_lexer *l = &p->lex;

	if (l->pos + 1 < l->n && l->p[l->pos + 1] >= '0' && l->p[l->pos + 1] <= '9')
		return lex_number(p, t);
	t.type = is_terminator(l, l->pos + 1) ? TOKEN_DOT : TOKEN_FIELD;
	return lex_name(p, t, l->pos + 1);
}

static struct tmpl_token lex_action(struct tmpl_parser *p)
{
	struct tmpl_lexer *l = &p->lex;
	size_t before = l->pos;
	struct tmpl_token t;
	char c;

	while (l->pos < l->n && is_space(l->p[l->pos]) && !trims_after(l, l->pos))
		advance(l, 1);
	t = (struct tmpl_token){ .spaced = l->pos > before, .at = here(l) };
	if (l->pos == l->n)
		return fail(p, t.at, "unclosed action");
	if (trims_after(l, l->pos) || starts(l, l->pos, "}}")) {
		if (l->parens > 0)
			return fail(p, t.at, "unclosed left paren");
		(void)close_action(l);
		l->in_action = false;
		t.type = TOKEN_CLOSE;
		return t;
	}
	c = l->p[l->pos];
	if (c == '"' || c == '`' || c == '\'')
		return lex_quoted(p, t);
	if (c == '.')
		return lex_dot(p, t);
	if (c == '$')
		return t.type = TOKEN_VARIABLE, lex_name(p, t, l->pos + 1);
	if (c == '+' || c == '-' || (c >= '0' && c <= '9'))
		return lex_number(p, t);
	if (word_end(l, l->pos) > l->pos)
		return t.type = TOKEN_WORD, lex_name(p, t, l->pos);
	return lex_mark(p, t);
}

struct tmpl_token tmpl_lex(struct tmpl_parser *p)
{
	if (p->rc != ERR_OK)
		return (struct tmpl_token){ .type = TOKEN_ERROR };
	return p->lex.in_action ? lex_action(p) : lex_text(p);
}
