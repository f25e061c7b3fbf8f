/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of a table: separated values (RFC 4180), Markdown, MediaWiki. */
#include <string.h>

#include "util.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/judge.h"

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

/* Where the cell ends that begins at ${from}. */
static size_t cell_end(struct line l, const char *by, bool quotes, size_t from)
{
	size_t len = strlen(by);
	bool quoted = false;

	for (size_t i = from; i < l.n; i++) {
		quoted = quoted != (quotes && l.s[i] == '"');
		if (!quoted && l.n - i >= len && memcmp(l.s + i, by, len) == 0)
			return i;
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

/* "Admin password": it ends with what is in the column. */
static bool promises(struct line name)
{
	static const char *const words[] = { "password", "passwd",   "passphrase",
		                             "passwort", "kennwort", "pwd",
		                             "secret",   "token",    "api key",
		                             "api_key",  "apikey",   "psk" };

	for (size_t i = 0; name.n <= NAME_MAX_LEN && i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if (name.n >= n && ascii_equal(name.s + name.n - n, n, words[i]))
			return true;
	}
	return false;
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
	while (before > l.s && ascii_any(" \"*`", before[-1]))
		before--;
	while (after < l.s + l.n && ascii_any(" \"*`", *after))
		after++;
	by = before > l.s ? before - 1 : after;
	for (size_t i = 1; by < l.s + l.n && i < ARRAY_LEN(cuts); i++)
		if (*by == cuts[i].row[0])
			return &cuts[i];
	return NULL;
}

/* Up to the names.  A line with another number of cells is of something else, but for
 * those that MediaWiki has between its rows. */
static bool under_promise(const struct place *p, struct line row, const struct cut *cut,
                          size_t k)
{
	const size_t n = cells(row, cut->row, cut->quotes);
	const char *to = p->text + p->from;

	while (to > p->text) {
		const char *end = to - 1,
			   *from = memrchr(p->text, '\n', (size_t)(end - p->text));
		struct line l = { from == NULL ? p->text : from + 1, 0 };

		l.n = (size_t)(end - l.s);
		to = l.s;
		if (cut->quotes && cells(l, cut->head, true) != n)
			return false;
		if (cells(l, cut->head, cut->quotes) == n && promises(cell(l, cut, k)))
			return true;
		if (!cut->quotes && l.n > 0 && l.s[0] != '|' && cut->head[0] == '!')
			return false;
	}
	return false;
}

/* A table of users has digests of what they know. */
static bool is_digest(const char *s, size_t n)
{
	return (n == 32 || n == 40 || n == 64 || n == 128) &&
	       ascii_count(s, n, "0123456789abcdefABCDEF") == n;
}

enum drop judge_column(const struct place *p, const char *s, size_t n)
{
	const struct line row = { p->text + p->from, p->to - p->from };
	const struct cut *cut = cut_of(row, p->at - p->from, n);
	enum drop drop;

	if (cut == NULL || (cut->quotes && ascii_count(row.s, row.n, "(){}=") >
	                                           ascii_count(s, n, "(){}=")))
		return DROP_CONTEXT;
	if (is_digest(s, n))
		return DROP_STRUCTURE;
	/* Most cells are seen to be none before their column is. */
	drop = judge_strict(p, s, n);
	if (drop != DROP_NONE)
		return drop;
	return under_promise(p, row, cut, cell_of(row, cut, p->at - p->from)) ? DROP_NONE
	                                                                      : DROP_NAME;
}
