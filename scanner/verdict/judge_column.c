/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of a table: separated values (RFC 4180), Markdown, MediaWiki. */
#include <string.h>

#include "util.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/judge.h"
#include "verdict/random.h"
#include "verdict/structure.h"

#define NAME_MAX_LEN 40u

/* How the rows of a table are cut; ${head}: the one with the names. */
struct cut {
	const char *row, *head;
	bool quotes;
};

struct line {
	const char *s;
	size_t n;
};

/* Where the cell ends that begins at ${from}; a sign in quotes is part of it. */
static size_t cell_end(struct line l, const char *by, bool quotes, size_t from)
{
	const size_t len = strlen(by);

	for (const char *at = l.s + from, *end = l.s + l.n, *quote; at < end;) {
		const char *next = memmem(at, (size_t)(end - at), by, len);

		if (next == NULL)
			return l.n;
		quote = quotes ? memchr(at, '"', (size_t)(next - at)) : NULL;
		if (quote == NULL)
			return (size_t)(next - l.s);
		quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
		at = quote == NULL ? end : quote + 1;
	}
	return l.n;
}

static size_t cells(struct line l, const char *by, bool quotes)
{
	size_t n = 1;

	for (size_t end = cell_end(l, by, quotes, 0); end < l.n;
	     end = cell_end(l, by, quotes, end + strlen(by)))
		n++;
	return n;
}

/* The number of the cell that byte ${at} is in. */
static size_t cell_of(struct line l, const struct cut *cut, size_t at)
{
	size_t k = 0;

	for (size_t end = cell_end(l, cut->row, cut->quotes, 0); end < at;
	     end = cell_end(l, cut->row, cut->quotes, end + strlen(cut->row)))
		k++;
	return k;
}

static struct line cell(struct line l, const struct cut *cut, size_t k)
{
	size_t from = 0, end = cell_end(l, cut->head, cut->quotes, 0);

	for (; k > 0; k--) {
		from = end + strlen(cut->head);
		end = cell_end(l, cut->head, cut->quotes, from);
	}
	while (from < end && ascii_any(" \t\r\"*`!|", l.s[from]))
		from++;
	while (from < end && ascii_any(" \t\r\"*`", l.s[end - 1]))
		end--;
	return (struct line){ l.s + from, end - from };
}

/* What a column is of. */
enum column { COLUMN_OTHER, COLUMN_PASSWORD, COLUMN_TOKEN };

static bool ends_with(struct line name, const char *word, bool alone)
{
	size_t n = strlen(word);

	return name.n >= n && ascii_equal(name.s + name.n - n, n, word) &&
	       !(alone && name.n > n && ascii_alnum(name.s[name.n - n - 1]));
}

/* "Admin password": it ends with what is in the column. */
static enum column column_of(struct line name)
{
	static const char *const passwords[] = { "password", "passwd", "passphrase",
		                                 "passwort", "kennwort" };
	static const char *const words[] = { "pwd", "psk" };
	static const char *const tokens[] = { "secret", "token", "api key", "api_key",
		                              "apikey" };

	if (name.n > NAME_MAX_LEN)
		return COLUMN_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++)
		if (ends_with(name, passwords[i], false))
			return COLUMN_PASSWORD;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (ends_with(name, words[i], true))
			return COLUMN_PASSWORD;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		if (ends_with(name, tokens[i], true))
			return COLUMN_TOKEN;
	return COLUMN_OTHER;
}

/* By what is before the value, or behind it in the first column. */
static const struct cut *cut_of(struct line l, size_t at, size_t n)
{
	static const struct cut cuts[] = {
		{"||", "!!", false},
		{ "|", "|",  false},
		{ ",", ",",  true },
		{ ";", ";",  true },
	};
	const char *before = l.s + at, *after = before + n, *by;

	if (l.n > 0 && l.s[0] == '|' && memmem(l.s, l.n, "||", 2) != NULL)
		return &cuts[0];
	while (before > l.s && ascii_any(" \t\"*`", before[-1]))
		before--;
	while (after < l.s + l.n && ascii_any(" \t\"*`", *after))
		after++;
	by = before > l.s ? before - 1 : after;
	for (size_t i = 1; by < l.s + l.n && i < ARRAY_LEN(cuts); i++)
		if (*by == cuts[i].row[0])
			return &cuts[i];
	return NULL;
}

/* "|---|:-:|": between the names and the rows of a table in Markdown. */
static bool is_rule(struct line l)
{
	size_t dashes = ascii_count(l.s, l.n, "-");

	return dashes >= 3 && dashes + ascii_count(l.s, l.n, "|: \t\r") == l.n;
}

static struct line line_before(const struct place *p, const char *to)
{
	const char *end = to - 1;
	const char *from = memrchr(p->text, '\n', (size_t)(end - p->text));

	from = from == NULL ? p->text : from + 1;
	return (struct line){ from, (size_t)(end - from) };
}

/* The names: of separated values the first line of as many cells, in Markdown the one
 * before the rule, in MediaWiki one that begins with '!'. */
static enum column column_above(const struct place *p, struct line row,
                                const struct cut *cut, size_t k)
{
	const size_t n = cells(row, cut->row, cut->quotes);
	const char *to = p->text + p->from;
	struct line names = { NULL, 0 }, l;
	bool ruled = false;

	for (; to > p->text; to = l.s) {
		l = line_before(p, to);
		if (cut->head[0] == '!' ? l.n > 0 && l.s[0] == '!' : ruled) {
			names = cells(l, cut->head, false) == n ? l : names;
			break;
		}
		if (cut->head[0] == '!' && (l.n == 0 || l.s[0] != '|'))
			break;
		ruled = cut->head[0] == '|' && is_rule(l);
		if (cut->quotes && cells(l, cut->head, true) != n)
			break;
		if (cut->quotes)
			names = l;
	}
	return names.s == NULL ? COLUMN_OTHER : column_of(cell(names, cut, k));
}

/* A table of users has digests of what they know, one of coins their contracts. */
static bool is_public(const char *s, size_t n)
{
	return ((n == 32 || n == 40 || n == 64 || n == 128) &&
	        ascii_count(s, n, "0123456789abcdefABCDEF") == n) ||
	       (s[0] == '$' && memchr(s + 1, '$', n - 1) != NULL) ||
	       structure_chain_address(s, n);
}

/* "Bramble_7731x" looks like the name of a variable, but tables have none; "User_2023" is
 * a name there, too. */
static bool like_variable(const char *s, size_t n)
{
	struct shape shape;

	shape_of(s, n, &shape);
	return shape_classes(&shape) == 4 && shape.digit >= 3 && shape.space == 0 &&
	       n <= 24 && !ascii_digit(s[n - 1]);
}

enum drop judge_column(const struct place *p, const char *s, size_t n)
{
	const struct line row = { p->text + p->from, p->to - p->from };
	const struct cut *cut = cut_of(row, p->at - p->from, n);
	enum drop drop;

	if (cut == NULL || (cut->quotes && ascii_count(row.s, row.n, "(){}=") >
	                                           ascii_count(s, n, "(){}=")))
		return DROP_CONTEXT;
	if (is_public(s, n))
		return DROP_STRUCTURE;
	/* Most cells are seen to be none before their column is. */
	drop = judge_strict(p, s, n);
	if (drop == DROP_PLACEHOLDER && like_variable(s, n))
		drop = judge_password(p, s, n);
	if (drop != DROP_NONE)
		return drop;
	switch (column_above(p, row, cut, cell_of(row, cut, p->at - p->from))) {
	case COLUMN_PASSWORD:
		return DROP_NONE;
	case COLUMN_TOKEN:
		return judge_opaque(p, s, n);
	default:
		return DROP_NAME;
	}
}
