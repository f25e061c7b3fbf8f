/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "policy_impl.h"
#include "text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void policy_lex_start(struct policy_lex *l, struct arena *a, const char *text, size_t n,
                      struct err *e)
{
	size_t at = 0;

	memset(l, 0, sizeof(*l));
	l->p = text;
	l->end = text + n;
	l->line = 1;
	l->what = "failed to parse policy";
	l->a = a;
	l->e = e;
	while (at < n && is_blank(text[at]))
		at++;
	l->json = at < n && text[at] == '{';
}

static int peek(const struct policy_lex *l, size_t ahead)
{
	return (size_t)(l->end - l->p) > ahead ? (unsigned char)l->p[ahead] : -1;
}

static void skip_line(struct policy_lex *l)
{
	while (l->p < l->end && *l->p != '\n')
		l->p++;
}

static int skip_block_comment(struct policy_lex *l)
{
	int line = l->line;

	for (l->p += 2; l->p < l->end; l->p++) {
		if (*l->p == '\n')
			l->line++;
		if (*l->p == '*' && peek(l, 1) == '/') {
			l->p += 2;
			return ERR_OK;
		}
	}
	return policy_lex_fail(l, line, "comment not terminated");
}

static int skip_space(struct policy_lex *l)
{
	int rc;

	while (l->p < l->end) {
		if (is_blank(*l->p)) {
			l->line += *l->p++ == '\n';
		} else if (!l->json &&
		           (*l->p == '#' || (*l->p == '/' && peek(l, 1) == '/'))) {
			skip_line(l);
		} else if (!l->json && *l->p == '/' && peek(l, 1) == '*') {
			if ((rc = skip_block_comment(l)) != ERR_OK)
				return rc;
		} else {
			break;
		}
	}
	return ERR_OK;
}

static int hex_digits(struct policy_lex *l, int n, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < n; i++) {
		int c = peek(l, 0);

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (uint32_t)((c | 32) - 'a') + 10;
		else
			return policy_lex_fail(l, l->line, "bad \\u escape in string");
		l->p++;
	}
	*out = v;
	return ERR_OK;
}

/* After "\u" or "\U"; a surrogate needs its other half right behind it. */
static int unicode_escape(struct policy_lex *l, int digits, char *out, size_t *n)
{
	uint32_t cp = 0, low = 0;
	int rc = hex_digits(l, digits, &cp);

	if (rc != ERR_OK)
		return rc;
	if (cp >= 0xd800 && cp < 0xdc00 && peek(l, 0) == '\\' && peek(l, 1) == 'u') {
		l->p += 2;
		if ((rc = hex_digits(l, 4, &low)) != ERR_OK)
			return rc;
		if (low < 0xdc00 || low > 0xdfff)
			return policy_lex_fail(l, l->line, "bad \\u escape in string");
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	}
	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return policy_lex_fail(l, l->line, "bad \\u escape in string");
	*n += text_utf8_put(out + *n, cp);
	return ERR_OK;
}

/* l->p is behind the backslash.  What an escape makes is never longer than the escape. */
static int escape(struct policy_lex *l, char *out, size_t *n)
{
	static const char from[] = "\"\\/bfnrtv", to[] = "\"\\/\b\f\n\r\t\v";
	int c = peek(l, 0);
	const char *at;

	if (c == 'u' || (c == 'U' && !l->json)) {
		l->p++;
		return unicode_escape(l, c == 'u' ? 4 : 8, out, n);
	}
	at = c > 0 ? strchr(from, c) : NULL;
	if (at == NULL || (l->json && c == 'v') || (!l->json && c == '/'))
		return policy_lex_fail(l, l->line, "unknown escape in string");
	out[(*n)++] = to[at - from];
	l->p++;
	return ERR_OK;
}

static int lex_string(struct policy_lex *l)
{
	const char *close = l->p + 1;
	size_t n = 0;
	char *out;
	int rc;

	while (close < l->end && *close != '"' && *close != '\n')
		close += *close == '\\' && close + 1 < l->end ? 2 : 1;
	if (close >= l->end || *close == '\n')
		return policy_lex_fail(l, l->line, "string not terminated");
	out = arena_alloc(l->a, (size_t)(close - l->p));
	if (out == NULL)
		return err_set(l->e, ERR_NOMEM, "out of memory");
	for (l->p++; l->p < close;) {
		if (*l->p != '\\') {
			out[n++] = *l->p++;
			continue;
		}
		l->p++;
		if ((rc = escape(l, out, &n)) != ERR_OK)
			return rc;
	}
	l->p = close + 1;
	l->tok = PT_STRING;
	l->text = out;
	l->len = n;
	return ERR_OK;
}

struct heredoc {
	const char *tag;
	size_t tag_len;
	bool indented; /* <<-: leading blanks that all lines share are cut */
	const char *body, *body_end;
};

static size_t line_indent(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && (p[n] == ' ' || p[n] == '\t'))
		n++;
	return n;
}

/* Find the line that is the tag alone; sets body and moves behind that line. */
static int heredoc_find(struct policy_lex *l, struct heredoc *h)
{
	int line = l->line;

	h->body = l->p;
	while (l->p < l->end) {
		const char *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
		const char *to = nl != NULL ? nl : l->end;
		const char *from = l->p + line_indent(l->p, to);
		size_t n = (size_t)(to - from);

		if (n > 0 && from[n - 1] == '\r')
			n--;
		if (n == h->tag_len && memcmp(from, h->tag, n) == 0) {
			h->body_end = l->p;
			l->p = to;
			return ERR_OK;
		}
		l->line++;
		l->p = nl != NULL ? nl + 1 : l->end;
	}
	return policy_lex_fail(l, line, "heredoc not terminated");
}

static int heredoc_text(struct policy_lex *l, const struct heredoc *h)
{
	size_t cut = SIZE_MAX, n = 0;
	char *out = arena_alloc(l->a, (size_t)(h->body_end - h->body) + 1);
	const char *p, *nl;

	if (out == NULL)
		return err_set(l->e, ERR_NOMEM, "out of memory");
	for (p = h->body; p < h->body_end; p = nl + 1) {
		size_t indent = line_indent(p, h->body_end);

		nl = memchr(p, '\n', (size_t)(h->body_end - p));
		if (indent < cut)
			cut = indent;
	}
	if (!h->indented)
		cut = 0;
	for (p = h->body; p < h->body_end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(h->body_end - p));
		memcpy(out + n, p + cut, (size_t)(nl + 1 - p) - cut);
		n += (size_t)(nl + 1 - p) - cut;
	}
	l->tok = PT_STRING;
	l->text = out;
	l->len = n;
	return ERR_OK;
}

static bool is_ident(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static int lex_heredoc(struct policy_lex *l)
{
	struct heredoc h = { 0 };
	int rc;

	l->p += 2;
	if (peek(l, 0) == '-') {
		h.indented = true;
		l->p++;
	}
	h.tag = l->p;
	while (is_ident(peek(l, 0)))
		l->p++;
	h.tag_len = (size_t)(l->p - h.tag);
	if (peek(l, 0) == '\r')
		l->p++;
	if (h.tag_len == 0 || peek(l, 0) != '\n')
		return policy_lex_fail(l, l->line, "bad heredoc");
	l->p++;
	l->line++;
	if ((rc = heredoc_find(l, &h)) != ERR_OK)
		return rc;
	return heredoc_text(l, &h);
}

static int lex_word(struct policy_lex *l)
{
	int c = peek(l, 0);

	if (!is_ident(c) || c == '.')
		return policy_lex_fail(l, l->line, "unexpected character");
	l->tok = c == '-' || (c >= '0' && c <= '9') ? PT_NUMBER : PT_IDENT;
	l->text = l->p;
	while (is_ident(peek(l, 0)) || (l->tok == PT_NUMBER && peek(l, 0) == '+'))
		l->p++;
	l->len = (size_t)(l->p - l->text);
	return ERR_OK;
}

int policy_lex_next(struct policy_lex *l)
{
	static const char punct[] = "{}[],";
	static const enum policy_tok toks[] = { PT_LBRACE, PT_RBRACE, PT_LBRACK,
		                                PT_RBRACK, PT_COMMA };
	const char *at;
	int rc, c;

	if ((rc = skip_space(l)) != ERR_OK)
		return rc;
	l->tok_line = l->line;
	c = peek(l, 0);
	if (c < 0) {
		l->tok = PT_EOF;
		return ERR_OK;
	}
	if (c == '"')
		return lex_string(l);
	if (!l->json && c == '<' && peek(l, 1) == '<')
		return lex_heredoc(l);
	if (c == (l->json ? ':' : '=')) {
		l->tok = PT_ASSIGN;
		l->p++;
		return ERR_OK;
	}
	at = c != 0 ? strchr(punct, c) : NULL;
	if (at == NULL)
		return lex_word(l);
	l->tok = toks[at - punct];
	l->p++;
	return ERR_OK;
}

int policy_lex_expect(struct policy_lex *l, enum policy_tok tok, const char *what)
{
	if (l->tok != tok)
		return policy_lex_fail(l, l->tok_line, "expected %s", what);
	return policy_lex_next(l);
}

int policy_lex_assign(struct policy_lex *l)
{
	return policy_lex_expect(l, PT_ASSIGN, l->json ? "':'" : "'='");
}

int policy_lex_separator(struct policy_lex *l, enum policy_tok close)
{
	bool comma = l->tok == PT_COMMA;
	int line = l->tok_line, rc;

	if (comma && (rc = policy_lex_next(l)) != ERR_OK)
		return rc;
	if (l->json && comma == (l->tok == close))
		return policy_lex_fail(l, line, "%s",
		                       comma ? "comma before the end" : "expected ','");
	return ERR_OK;
}

bool policy_lex_is(const struct policy_lex *l, const char *s)
{
	return l->len == strlen(s) && memcmp(l->text, s, l->len) == 0;
}

int policy_lex_shown(const struct policy_lex *l)
{
	if (l->len > 80 || !text_printable(l->text, l->len))
		return 0;
	return (int)l->len;
}
