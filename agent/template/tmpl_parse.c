/* SPDX-License-Identifier: Apache-2.0 */
/* Texts, actions and blocks. */
#include "tmpl_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *tmpl_parse_fail(struct tmpl_parser *p, struct tmpl_at at, const char *fmt, ...)
{
	char what[ERR_MSG_MAX];
	va_list ap;

	if (p->rc != ERR_OK)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	p->rc = err_set(p->e, ERR_INVALID, "%.120s:%u:%u: %s", p->name, at.line, at.col,
	                what);
	return NULL;
}

void *tmpl_parse_alloc(struct tmpl_parser *p, size_t n)
{
	void *m;

	if (p->rc != ERR_OK)
		return NULL;
	if (++p->n_nodes > TEMPLATE_NODES_MAX) {
		p->rc = err_set(p->e, ERR_TOO_BIG,
		                "%.120s: a template of more than %u parts", p->name,
		                TEMPLATE_NODES_MAX);
		return NULL;
	}
	m = arena_alloc(p->a, n);
	if (m == NULL)
		p->rc = err_set(p->e, ERR_NOMEM, "out of memory");
	return m;
}

const struct tmpl_token *tmpl_peek(struct tmpl_parser *p, unsigned k)
{
	while (p->n_ahead <= k)
		p->ahead[p->n_ahead++] = tmpl_lex(p);
	return &p->ahead[k];
}

struct tmpl_token tmpl_next(struct tmpl_parser *p)
{
	struct tmpl_token t = *tmpl_peek(p, 0);

	p->n_ahead--;
	memmove(p->ahead, p->ahead + 1, p->n_ahead * sizeof(p->ahead[0]));
	return t;
}

void *tmpl_unexpected(struct tmpl_parser *p, const struct tmpl_token *t,
                      const char *where)
{
	switch (t->type) {
	case TOKEN_END:
		return tmpl_parse_fail(p, t->at, "unexpected end of the text");
	case TOKEN_CLOSE:
		return tmpl_parse_fail(p, t->at, "unexpected }} in %s", where);
	case TOKEN_STRING:
	case TOKEN_RAW:
	case TOKEN_CHAR:
		return tmpl_parse_fail(p, t->at, "unexpected string in %s", where);
	default:
		return tmpl_parse_fail(p, t->at, "unexpected \"%.*s\" in %s",
		                       (int)(t->s.n < 32 ? t->s.n : 32), t->s.p, where);
	}
}

static bool take_close(struct tmpl_parser *p, const char *where)
{
	struct tmpl_token t = tmpl_next(p);

	return t.type == TOKEN_CLOSE || tmpl_unexpected(p, &t, where) != NULL;
}

/* How a list ended. */
enum ending { END_FAILED, END_TEXT, END_END, END_ELSE };

static enum ending parse_list(struct tmpl_parser *p, struct tmpl_node **list, bool top);

static struct tmpl_node *new_node(struct tmpl_parser *p, enum tmpl_node_type type,
                                  struct tmpl_at at)
{
	struct tmpl_node *n = tmpl_parse_alloc(p, sizeof(*n));

	if (n != NULL) {
		n->type = type;
		n->at = at;
	}
	return n;
}

static bool next_is(struct tmpl_parser *p, const char *word)
{
	const struct tmpl_token *t = tmpl_peek(p, 0);

	return t->type == TOKEN_WORD && tmpl_str_is(t->s, word);
}

static const char *word_of(enum tmpl_node_type type)
{
	return type == NODE_IF ? "if" : type == NODE_WITH ? "with" : "range";
}

/* Behind {{else: the rest of a block, or "if" and "with" again, which go on with it in a
 * new node; NULL at the end. */
static struct tmpl_node *parse_else(struct tmpl_parser *p, struct tmpl_node *n)
{
	struct tmpl_at at = tmpl_peek(p, 0)->at;
	enum ending end;

	n->has_else = true;
	if (n->type != NODE_RANGE && next_is(p, word_of(n->type))) {
		(void)tmpl_next(p);
		n->goes_on = true;
		return n->other = new_node(p, n->type, at);
	}
	if (!take_close(p, "else"))
		return NULL;
	end = parse_list(p, &n->other, false);
	if (end == END_ELSE)
		return tmpl_parse_fail(p, p->ended, "expected end; found else");
	return NULL;
}

/* Behind the keyword of if, with or range, up to its end. */
static bool parse_block_of(struct tmpl_parser *p, struct tmpl_node *n)
{
	size_t scope = p->n_vars;
	unsigned ranges = n->type == NODE_RANGE ? 1 : 0;

	while (n != NULL) {
		enum ending end;

		n->pipe = tmpl_parse_pipe(p, word_of(n->type), TOKEN_CLOSE);
		if (n->pipe == NULL)
			return false;
		p->in_range += ranges;
		end = parse_list(p, &n->list, false);
		p->in_range -= ranges;
		n = end == END_ELSE ? parse_else(p, n) : NULL;
	}
	p->n_vars = scope;
	return p->rc == ERR_OK;
}

static struct tmpl_node *parse_control(struct tmpl_parser *p, enum tmpl_node_type type,
                                       struct tmpl_at at)
{
	struct tmpl_node *n = new_node(p, type, at);
	bool ok;

	if (n == NULL)
		return NULL;
	if (p->nest == TEMPLATE_NEST_MAX)
		return tmpl_parse_fail(p, at, "nested more than %u deep",
		                       TEMPLATE_NEST_MAX);
	p->nest++;
	ok = parse_block_of(p, n);
	p->nest--;
	return ok ? n : NULL;
}

static bool parse_name(struct tmpl_parser *p, struct tmpl_str *name, const char *where)
{
	struct tmpl_token t = tmpl_next(p);

	if (t.type != TOKEN_STRING && t.type != TOKEN_RAW)
		return tmpl_unexpected(p, &t, where) != NULL;
	return tmpl_unquote(p, &t, name);
}

static bool is_blank(const struct tmpl_node *list)
{
	for (; list != NULL; list = list->next) {
		if (list->type != NODE_TEXT)
			return false;
		for (size_t i = 0; i < list->text.n; i++)
			if (strchr(" \t\r\n\v\f", list->text.p[i]) == NULL ||
			    list->text.p[i] == '\0')
				return false;
	}
	return true;
}

/* One definition of a name counts, but for those that hold nothing but space. */
static bool define(struct tmpl_parser *p, struct tmpl_str name, struct tmpl_node *list,
                   struct tmpl_at at)
{
	struct tmpl_def **d = &p->t->defs;

	while (*d != NULL && !tmpl_str_eq((*d)->name, name))
		d = &(*d)->next;
	if (*d == NULL) {
		if ((*d = tmpl_parse_alloc(p, sizeof(**d))) == NULL)
			return false;
		(*d)->name = name;
		(*d)->list = list;
	} else if (is_blank((*d)->list)) {
		(*d)->list = list;
	} else if (!is_blank(list)) {
		return tmpl_parse_fail(p, at, "multiple definition of template \"%.*s\"",
		                       (int)(name.n < 64 ? name.n : 64), name.p) != NULL;
	}
	return true;
}

/* The list of a definition sees no variables and no range of what is around it. */
static bool parse_definition(struct tmpl_parser *p, struct tmpl_str name,
                             struct tmpl_at at, const char *where)
{
	struct tmpl_str *vars = p->vars;
	size_t n_vars = p->n_vars, cap_vars = p->cap_vars;
	unsigned in_range = p->in_range;
	struct tmpl_node *list = NULL;
	enum ending end;

	if (p->nest == TEMPLATE_NEST_MAX)
		return tmpl_parse_fail(p, at, "nested more than %u deep",
		                       TEMPLATE_NEST_MAX) != NULL;
	p->nest++;
	p->vars = NULL;
	p->n_vars = p->cap_vars = 0;
	p->in_range = 0;
	end = parse_list(p, &list, false);
	p->in_range = in_range;
	p->vars = vars;
	p->n_vars = n_vars;
	p->cap_vars = cap_vars;
	p->nest--;
	if (end == END_ELSE)
		return tmpl_parse_fail(p, p->ended, "unexpected else in %s", where) !=
		       NULL;
	return end == END_END && define(p, name, list, at);
}

static bool parse_define(struct tmpl_parser *p, struct tmpl_at at)
{
	struct tmpl_str name;

	return parse_name(p, &name, "define") && take_close(p, "define") &&
	       parse_definition(p, name, at, "define");
}

/* {{template "name" pipe}} and {{block "name" pipe}}…{{end}} */
static struct tmpl_node *parse_template(struct tmpl_parser *p, struct tmpl_at at,
                                        bool block)
{
	const char *where = block ? "block" : "template";
	struct tmpl_node *n = new_node(p, NODE_TEMPLATE, at);

	if (n == NULL || !parse_name(p, &n->text, where))
		return NULL;
	if (!block && tmpl_peek(p, 0)->type == TOKEN_CLOSE)
		(void)tmpl_next(p);
	else if ((n->pipe = tmpl_parse_pipe(p, where, TOKEN_CLOSE)) == NULL)
		return NULL;
	if (block && !parse_definition(p, n->text, at, where))
		return NULL;
	n->other = p->calls;
	p->calls = n;
	return n;
}

static struct tmpl_node *parse_jump(struct tmpl_parser *p, enum tmpl_node_type type,
                                    struct tmpl_at at)
{
	const char *word = type == NODE_BREAK ? "break" : "continue";

	if (!take_close(p, word))
		return NULL;
	if (p->in_range == 0)
		return tmpl_parse_fail(p, at, "{{%s}} outside {{range}}", word);
	return new_node(p, type, at);
}

static struct tmpl_node *parse_action(struct tmpl_parser *p)
{
	static const struct {
		const char *word;
		enum tmpl_node_type type;
	} controls[] = {
		{"if",     NODE_IF   },
                { "with",  NODE_WITH },
                { "range", NODE_RANGE}
	};
	struct tmpl_at at = tmpl_peek(p, 0)->at;
	struct tmpl_node *n;

	for (size_t i = 0; i < ARRAY_LEN(controls); i++)
		if (next_is(p, controls[i].word)) {
			(void)tmpl_next(p);
			return parse_control(p, controls[i].type, at);
		}
	if (next_is(p, "template") || next_is(p, "block"))
		return parse_template(p, at, tmpl_next(p).s.p[0] == 'b');
	if (next_is(p, "break") || next_is(p, "continue"))
		return parse_jump(
			p, tmpl_next(p).s.p[0] == 'b' ? NODE_BREAK : NODE_CONTINUE, at);
	if ((n = new_node(p, NODE_ACTION, at)) == NULL ||
	    (n->pipe = tmpl_parse_pipe(p, "command", TOKEN_CLOSE)) == NULL)
		return NULL;
	return n;
}

/* Behind {{: does the list end here?  ${t} is where. */
static enum ending ends(struct tmpl_parser *p, bool top)
{
	struct tmpl_at at = tmpl_peek(p, 0)->at;

	if (!next_is(p, "end") && !next_is(p, "else"))
		return END_FAILED;
	if (top)
		return tmpl_parse_fail(p, at, "unexpected {{%s}}",
		                       next_is(p, "end") ? "end" : "else"),
		       END_TEXT;
	p->ended = at;
	if (tmpl_next(p).s.p[1] == 'l')
		return END_ELSE;
	return take_close(p, "end") ? END_END : END_TEXT;
}

static enum ending parse_list(struct tmpl_parser *p, struct tmpl_node **list, bool top)
{
	while (p->rc == ERR_OK) {
		struct tmpl_token t = tmpl_next(p);

		if (t.type == TOKEN_END) {
			if (!top)
				(void)tmpl_unexpected(p, &t, "");
			return END_TEXT;
		}
		if (t.type == TOKEN_OPEN) {
			enum ending end = ends(p, top);

			if (end != END_FAILED)
				return end;
		}
		if (t.type == TOKEN_OPEN && top && next_is(p, "define")) {
			(void)tmpl_next(p);
			(void)parse_define(p, t.at);
			continue;
		}
		if (t.type == TOKEN_TEXT) {
			if ((*list = new_node(p, NODE_TEXT, t.at)) != NULL)
				(*list)->text = t.s;
		} else if (t.type == TOKEN_OPEN) {
			*list = parse_action(p);
		}
		if (*list == NULL)
			break;
		list = &(*list)->next;
	}
	*list = NULL;
	return END_FAILED;
}

/* Each call of a template is bound to its definition. */
static void resolve(struct tmpl_parser *p)
{
	struct tmpl_node *next;

	for (struct tmpl_node *n = p->calls; n != NULL && p->rc == ERR_OK; n = next) {
		const struct tmpl_def *d = p->t->defs;

		next = n->other;
		n->other = NULL;
		while (d != NULL && !tmpl_str_eq(d->name, n->text))
			d = d->next;
		n->def = d;
		if (d == NULL)
			(void)tmpl_parse_fail(p, n->at,
			                      "template \"%.*s\" is not defined",
			                      (int)(n->text.n < 64 ? n->text.n : 64),
			                      n->text.p);
	}
}

int template_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct template **out, struct err *e)
{
	static const struct tmpl_str main_name = { "", 0 };
	struct tmpl_at start = { 1, 1 };
	struct tmpl_parser p = { .a = a, .name = name, .e = e };
	struct tmpl_node *list = NULL;

	if (n > TEMPLATE_TEXT_MAX)
		return err_set(e, ERR_TOO_BIG, "%.120s: a template of more than %u bytes",
		               name, TEMPLATE_TEXT_MAX);
	p.t = arena_alloc(a, sizeof(*p.t));
	p.lex.p = arena_dup(a, n > 0 ? text : "", n);
	if (p.t == NULL || p.lex.p == NULL || (p.t->name = arena_str(a, name)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p.lex.n = n;
	p.lex.line = 1;
	(void)parse_list(&p, &list, true);
	if (p.rc == ERR_OK && define(&p, main_name, list, start))
		resolve(&p);
	if (p.rc != ERR_OK)
		return p.rc;
	for (p.t->main = p.t->defs; p.t->main->name.n > 0;)
		p.t->main = p.t->main->next;
	*out = p.t;
	return ERR_OK;
}
