/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes: declarations, commands, terms. */
#include "tmpl_tree.h"

#include <string.h>

#include "tmpl_func.h"

static bool in_scope(const struct tmpl_parser *p, struct tmpl_str name)
{
	if (tmpl_str_is(name, "$"))
		return true;
	for (size_t i = 0; i < p->n_vars; i++)
		if (tmpl_str_eq(p->vars[i], name))
			return true;
	return false;
}

static bool declare(struct tmpl_parser *p, struct tmpl_str name)
{
	if (p->n_vars == p->cap_vars) {
		size_t cap = 2 * p->cap_vars + 8;
		struct tmpl_str *grown = tmpl_parse_alloc(p, cap * sizeof(*grown));

		if (grown == NULL)
			return false;
		if (p->n_vars > 0)
			memcpy(grown, p->vars, p->n_vars * sizeof(*grown));
		p->vars = grown;
		p->cap_vars = cap;
	}
	p->vars[p->n_vars++] = name;
	return true;
}

static bool parse_word(struct tmpl_parser *p, const struct tmpl_token *t,
                       struct tmpl_term *term)
{
	static const char *const keywords[] = { "block", "define", "else",     "end",
		                                "if",    "range",  "template", "with" };
	const char *why = NULL;

	if (tmpl_str_is(t->s, "nil"))
		return term->type = TERM_NIL, true;
	if (tmpl_str_is(t->s, "true") || tmpl_str_is(t->s, "false")) {
		term->type = TERM_BOOL;
		term->b = t->s.p[0] == 't';
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (tmpl_str_is(t->s, keywords[i]))
			return tmpl_unexpected(p, t, "a pipe") != NULL;
	term->type = TERM_FUNC;
	term->func = tmpl_func_find(t->s, &why);
	if (term->func != NULL)
		return true;
	return tmpl_parse_fail(p, t->at, "function \"%.*s\" is not %s",
	                       (int)(t->s.n < 64 ? t->s.n : 64), t->s.p,
	                       why != NULL ? why : "defined") != NULL;
}

static bool parse_parens(struct tmpl_parser *p, const struct tmpl_token *t,
                         struct tmpl_term *term)
{
	if (p->nest == TEMPLATE_NEST_MAX)
		return tmpl_parse_fail(p, t->at, "nested more than %u deep",
		                       TEMPLATE_NEST_MAX) != NULL;
	p->nest++;
	term->type = TERM_PIPE;
	term->pipe = tmpl_parse_pipe(p, "parentheses", TOKEN_RIGHT);
	p->nest--;
	return term->pipe != NULL;
}

static bool parse_token(struct tmpl_parser *p, const struct tmpl_token *t,
                        struct tmpl_term *term)
{
	switch (t->type) {
	case TOKEN_WORD:
		return parse_word(p, t, term);
	case TOKEN_DOT:
	case TOKEN_FIELD:
		return term->type = TERM_DOT, true;
	case TOKEN_VARIABLE:
		term->type = TERM_VARIABLE;
		term->str = t->s;
		if (in_scope(p, t->s))
			return true;
		return tmpl_parse_fail(p, t->at, "undefined variable \"%.*s\"",
		                       (int)(t->s.n < 64 ? t->s.n : 64), t->s.p) != NULL;
	case TOKEN_STRING:
	case TOKEN_RAW:
		term->type = TERM_STRING;
		return tmpl_unquote(p, t, &term->str);
	case TOKEN_CHAR:
	case TOKEN_NUMBER:
		term->type = TERM_NUMBER;
		term->number = tmpl_number(p, t);
		return term->number != NULL;
	case TOKEN_LEFT:
		return parse_parens(p, t, term);
	default:
		return tmpl_unexpected(p, t, "a command") != NULL;
	}
}

static bool add_field(struct tmpl_parser *p, const struct tmpl_token *t,
                      struct tmpl_field ***end)
{
	struct tmpl_field *field = tmpl_parse_alloc(p, sizeof(*field));

	if (field == NULL)
		return false;
	field->name = (struct tmpl_str){ t->s.p + 1, t->s.n - 1 };
	**end = field;
	*end = &field->next;
	return true;
}

/* A term, and the fields that follow it without a space. */
static struct tmpl_term *parse_term(struct tmpl_parser *p)
{
	struct tmpl_token t = tmpl_next(p);
	struct tmpl_term *term = tmpl_parse_alloc(p, sizeof(*term));
	struct tmpl_field **end;

	if (term == NULL)
		return NULL;
	term->at = t.at;
	if (!parse_token(p, &t, term))
		return NULL;
	end = &term->fields;
	if (t.type == TOKEN_FIELD && !add_field(p, &t, &end))
		return NULL;
	while (tmpl_peek(p, 0)->type == TOKEN_FIELD && !tmpl_peek(p, 0)->spaced) {
		struct tmpl_token field = tmpl_next(p);

		if (term->type == TERM_BOOL || term->type == TERM_NIL ||
		    term->type == TERM_NUMBER || term->type == TERM_STRING ||
		    t.type == TOKEN_DOT)
			return tmpl_parse_fail(p, field.at, "unexpected . after a %s",
			                       t.type == TOKEN_DOT ? "." : "constant");
		if (!add_field(p, &field, &end))
			return NULL;
	}
	return term;
}

static bool is_start(enum tmpl_token_type type)
{
	switch (type) {
	case TOKEN_WORD:
	case TOKEN_DOT:
	case TOKEN_FIELD:
	case TOKEN_VARIABLE:
	case TOKEN_STRING:
	case TOKEN_RAW:
	case TOKEN_CHAR:
	case TOKEN_NUMBER:
	case TOKEN_LEFT:
		return true;
	default:
		return false;
	}
}

static struct tmpl_command *parse_command(struct tmpl_parser *p)
{
	struct tmpl_command *c = tmpl_parse_alloc(p, sizeof(*c));
	struct tmpl_term **end;

	if (c == NULL)
		return NULL;
	end = &c->first;
	for (;;) {
		const struct tmpl_token *t = tmpl_peek(p, 0);

		if (t->type == TOKEN_CLOSE || t->type == TOKEN_RIGHT ||
		    t->type == TOKEN_PIPE)
			return c;
		if (!is_start(t->type) || (c->first != NULL && !t->spaced))
			return tmpl_unexpected(p, t, "a command");
		if ((*end = parse_term(p)) == NULL)
			return NULL;
		end = &(*end)->next;
	}
}

static unsigned count(const struct tmpl_term *t)
{
	unsigned n = 0;

	for (; t != NULL; t = t->next)
		n++;
	return n;
}

/* Do ${n} arguments suit a function? */
static bool check_count(struct tmpl_parser *p, const struct tmpl_term *t, unsigned n)
{
	const struct tmpl_func *f = t->func;
	unsigned want = tmpl_func_fixed(f);

	if (n == want || (n > want && tmpl_func_variadic(f)))
		return true;
	return tmpl_parse_fail(p, t->at,
	                       "wrong number of arguments for %s: want %s%u got %u",
	                       f->name, tmpl_func_variadic(f) ? "at least " : "", want,
	                       n) != NULL;
}

/* What can be said of a command whatever the values are; ${piped}: it is given one more
 * argument. */
static bool check_command(struct tmpl_parser *p, const struct tmpl_command *c, bool piped)
{
	const struct tmpl_term *first = c->first;
	unsigned given = count(first->next) + (piped ? 1 : 0);

	for (const struct tmpl_term *t = first->next; t != NULL; t = t->next)
		if (t->type == TERM_FUNC && !check_count(p, t, 0))
			return false;
	if (first->type == TERM_FUNC)
		return check_count(p, first, first->fields == NULL ? given : 0);
	if (first->type == TERM_NIL)
		return tmpl_parse_fail(p, first->at, "nil is not a command") != NULL;
	if (given > 0 && first->fields == NULL)
		return tmpl_parse_fail(p, first->at,
		                       "arguments for what is no function") != NULL;
	return true;
}

/* "$x :=", "$x =", and "$i, $x" of a range. */
static bool parse_decl(struct tmpl_parser *p, struct tmpl_pipe *pipe, const char *where)
{
	while (tmpl_peek(p, 0)->type == TOKEN_VARIABLE) {
		const struct tmpl_token *mark = tmpl_peek(p, 1);
		bool comma = mark->type == TOKEN_OTHER && mark->s.p[0] == ',';

		if (!comma && mark->type != TOKEN_DECLARE && mark->type != TOKEN_ASSIGN)
			return true;
		if (comma && (pipe->n_decl > 0 || strcmp(where, "range") != 0))
			return tmpl_parse_fail(p, mark->at, "too many declarations in %s",
			                       where) != NULL;
		pipe->assigns = mark->type == TOKEN_ASSIGN;
		pipe->decl[pipe->n_decl++] = tmpl_peek(p, 0)->s;
		if (!declare(p, tmpl_next(p).s))
			return false;
		(void)tmpl_next(p);
		if (!comma)
			return true;
		if (tmpl_peek(p, 0)->type != TOKEN_VARIABLE)
			return tmpl_parse_fail(p, tmpl_peek(p, 0)->at,
			                       "range can only initialize variables") !=
			       NULL;
	}
	return p->rc == ERR_OK;
}

struct tmpl_pipe *tmpl_parse_pipe(struct tmpl_parser *p, const char *where,
                                  enum tmpl_token_type end)
{
	struct tmpl_pipe *pipe = tmpl_parse_alloc(p, sizeof(*pipe));
	struct tmpl_command **last;

	if (pipe == NULL)
		return NULL;
	last = &pipe->first;
	pipe->at = tmpl_peek(p, 0)->at;
	if (!parse_decl(p, pipe, where))
		return NULL;
	for (;;) {
		struct tmpl_token t = *tmpl_peek(p, 0);
		bool piped = pipe->first != NULL;

		if (t.type == TOKEN_ERROR)
			return NULL;
		if ((*last = parse_command(p)) == NULL)
			return NULL;
		if ((*last)->first == NULL) {
			*last = NULL;
			return tmpl_parse_fail(
				p, t.at, piped ? "empty command" : "missing value for %s",
				where);
		}
		if (!check_command(p, *last, piped))
			return NULL;
		last = &(*last)->next;
		t = tmpl_next(p);
		if (t.type == end)
			return pipe;
		if (t.type != TOKEN_PIPE)
			return tmpl_unexpected(p, &t, where);
		if (tmpl_peek(p, 0)->type == end) /* "x |" is "x", as it is there */
			return (void)tmpl_next(p), pipe;
	}
}
