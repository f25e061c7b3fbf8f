/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_TREE_H
#define AGENT_TEMPLATE_TMPL_TREE_H
/*
 * tmpl_tree - a parsed template, and what parses it.
 *
 *     text {{ $x := .a.b | f "s" (g 1) }} …      a list of nodes: text, action
 *              │     └──────┬─────────┘          a pipe of commands
 *              │            └ commands are terms: what is called or taken, its arguments
 *              └ what the pipe declares or assigns
 *
 * Everything is in the arena of the parse and never changes afterwards.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "template.h"

/* Where something begins, counted from 1; columns are bytes. */
struct tmpl_at {
	uint32_t line;
	uint32_t col;
};

struct tmpl_str {
	const char *p;
	size_t n;
};

/* A number means what its place asks for; on its own, a float if it is written as one. */
struct tmpl_number {
	bool is_int;
	bool looks_float;
	int64_t i;
	double f;
};

struct tmpl_field {
	struct tmpl_str name;
	struct tmpl_field *next;
};

enum tmpl_term_type {
	TERM_DOT, /* with fields: .a.b */
	TERM_NIL,
	TERM_BOOL,
	TERM_NUMBER,
	TERM_STRING,
	TERM_VARIABLE,
	TERM_FUNC,
	TERM_PIPE, /* in parentheses */
};

struct tmpl_func;
struct tmpl_pipe;

struct tmpl_term {
	enum tmpl_term_type type;
	struct tmpl_at at;
	union {
		bool b;
		const struct tmpl_number *number;
		struct tmpl_str str; /* string; name of a variable, with its '$' */
		const struct tmpl_func *func;
		const struct tmpl_pipe *pipe;
	};
	struct tmpl_field *fields;
	struct tmpl_term *next;
};

struct tmpl_command {
	struct tmpl_term *first;
	struct tmpl_command *next;
};

struct tmpl_pipe {
	struct tmpl_at at;
	struct tmpl_str decl[2];
	unsigned n_decl;
	bool assigns; /* '=' and not ':=' */
	struct tmpl_command *first;
};

enum tmpl_node_type {
	NODE_TEXT,
	NODE_ACTION,
	NODE_IF,
	NODE_WITH,
	NODE_RANGE,
	NODE_TEMPLATE,
	NODE_BREAK,
	NODE_CONTINUE,
};

struct tmpl_def;

struct tmpl_node {
	enum tmpl_node_type type;
	struct tmpl_at at;
	struct tmpl_str text;         /* text; name of a template */
	const struct tmpl_pipe *pipe; /* may be NULL in a template */
	struct tmpl_node *list;
	struct tmpl_node *other; /* of else; alone in it is what else if begins */
	const struct tmpl_def *def;
	bool has_else;
	bool goes_on; /* ${other} is one node of the same type, closed by the same end */
	struct tmpl_node *next;
};

/* A named list: {{define}}, {{block}}, and the text itself by the name "". */
struct tmpl_def {
	struct tmpl_str name;
	struct tmpl_node *list;
	struct tmpl_def *next;
};

struct template
{
	const char *name;
	struct tmpl_def *defs;
	const struct tmpl_def *main;
};

enum tmpl_token_type {
	TOKEN_END, /* of the text */
	TOKEN_TEXT,
	TOKEN_OPEN,  /* {{ */
	TOKEN_CLOSE, /* }} */
	TOKEN_WORD,  /* function, keyword, true, false */
	TOKEN_DOT,
	TOKEN_FIELD,    /* .name */
	TOKEN_VARIABLE, /* $name */
	TOKEN_STRING,   /* with its quotes */
	TOKEN_RAW,
	TOKEN_CHAR,
	TOKEN_NUMBER,
	TOKEN_PIPE,
	TOKEN_LEFT,
	TOKEN_RIGHT,
	TOKEN_DECLARE, /* := */
	TOKEN_ASSIGN,
	TOKEN_OTHER, /* a character that means nothing to us, but ',' */
	TOKEN_ERROR, /* has been reported */
};

struct tmpl_token {
	enum tmpl_token_type type;
	bool spaced; /* there is space before it */
	struct tmpl_at at;
	struct tmpl_str s;
};

struct tmpl_lexer {
	const char *p; /* of the text */
	size_t n;
	size_t pos;
	size_t line_start;
	uint32_t line;
	unsigned parens;
	bool in_action;
};

#define TMPL_AHEAD 2

struct tmpl_parser {
	struct arena *a;
	const char *name;
	struct err *e;
	int rc; /* the first failure */
	struct tmpl_lexer lex;
	struct tmpl_token ahead[TMPL_AHEAD];
	unsigned n_ahead;
	struct template *t;
	struct tmpl_str *vars; /* in scope, innermost last */
	size_t n_vars, cap_vars;
	size_t n_nodes;
	unsigned nest;
	unsigned in_range;
	struct tmpl_at ended;    /* the else that ended the last list */
	struct tmpl_node *calls; /* of templates, linked by ${other} until resolved */
};

/** tmpl_parse_fail(p, at, fmt, ...): record the first failure, at ${at}; NULL, so that
 * callers can return it. */
void *tmpl_parse_fail(struct tmpl_parser *p, struct tmpl_at at, const char *fmt, ...)
	PRINTF(3, 4);

/** tmpl_parse_alloc(p, n): zeroed memory, or NULL with a failure recorded. */
void *tmpl_parse_alloc(struct tmpl_parser *p, size_t n) MUST_CHECK;

/** tmpl_lex(p): the next token of the text; TOKEN_ERROR with a failure recorded. */
struct tmpl_token tmpl_lex(struct tmpl_parser *p);

/** tmpl_peek(p, k), tmpl_next(p): the ${k}-th token ahead; take one. */
const struct tmpl_token *tmpl_peek(struct tmpl_parser *p, unsigned k);
struct tmpl_token tmpl_next(struct tmpl_parser *p);

/** tmpl_unexpected(p, token, where): fail with what was found instead. */
void *tmpl_unexpected(struct tmpl_parser *p, const struct tmpl_token *token,
                      const char *where);

/** tmpl_unquote(p, token, out): what a quoted string or character stands for. */
bool tmpl_unquote(struct tmpl_parser *p, const struct tmpl_token *token,
                  struct tmpl_str *out);

/** tmpl_number(p, token): a number or a character. */
const struct tmpl_number *tmpl_number(struct tmpl_parser *p,
                                      const struct tmpl_token *token);

/** tmpl_parse_pipe(p, where, end): up to ${end} (TOKEN_CLOSE or TOKEN_RIGHT), which is
 * taken; what it declares is in scope afterwards. */
struct tmpl_pipe *tmpl_parse_pipe(struct tmpl_parser *p, const char *where,
                                  enum tmpl_token_type end);

/** tmpl_str_is(s, text): is ${s} that word? */
bool tmpl_str_is(struct tmpl_str s, const char *text);
/** tmpl_str_eq(x, y) */
bool tmpl_str_eq(struct tmpl_str x, struct tmpl_str y);

#endif
