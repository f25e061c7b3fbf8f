/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a run, and walking through texts, actions and blocks. */
#include "tmpl_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tmpl_print.h"

int tmpl_fail(struct tmpl_run *r, int code, const char *fmt, ...)
{
	char what[ERR_MSG_MAX];
	va_list ap;

	if (r->rc != ERR_OK)
		return r->rc;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	r->rc = err_set(r->e, (enum errcode)code, "%.120s:%u:%u: %s", r->t->name,
	                r->at.line, r->at.col, what);
	return r->rc;
}

int tmpl_nomem(struct tmpl_run *r)
{
	return tmpl_fail(r, ERR_NOMEM, "out of memory");
}

int tmpl_spend(struct tmpl_run *r, size_t bytes)
{
	size_t steps = 1 + bytes / 64;

	if (r->rc != ERR_OK)
		return r->rc;
	if (steps > r->budget) {
		r->budget = 0;
		return tmpl_fail(r, ERR_TOO_BIG, "the template takes too long");
	}
	r->budget -= steps;
	return ERR_OK;
}

void *tmpl_alloc(struct tmpl_run *r, size_t n)
{
	void *p;

	if (tmpl_spend(r, n) != ERR_OK)
		return NULL;
	if ((p = arena_alloc(r->a, n)) == NULL)
		(void)tmpl_nomem(r);
	return p;
}

int tmpl_enter(struct tmpl_run *r)
{
	int rc = tmpl_spend(r, 0);

	if (rc != ERR_OK)
		return rc;
	if (r->depth == TEMPLATE_DEPTH_MAX)
		return tmpl_fail(r, ERR_TOO_BIG, "nested more than %u deep",
		                 TEMPLATE_DEPTH_MAX);
	r->depth++;
	return ERR_OK;
}

void tmpl_leave(struct tmpl_run *r)
{
	r->depth--;
}

struct tmpl_buf tmpl_buf(struct tmpl_run *r)
{
	return (struct tmpl_buf){ .r = r, .max = TEMPLATE_STRING_MAX };
}

/* Room for ${n} more bytes and a NUL. */
static bool reserve(struct tmpl_buf *b, size_t n)
{
	size_t cap = b->cap;
	char *grown;

	if (b->r->rc != ERR_OK)
		return false;
	if (n > b->max - b->n) {
		(void)tmpl_fail(b->r, ERR_TOO_BIG, "more than %zu bytes are made",
		                b->max);
		return false;
	}
	if (b->n + n < cap)
		return tmpl_spend(b->r, n) == ERR_OK;
	while (cap <= b->n + n)
		cap = cap < 64 ? 64 : 2 * cap;
	if ((grown = tmpl_alloc(b->r, cap)) == NULL)
		return false;
	if (b->n > 0)
		memcpy(grown, b->p, b->n);
	b->p = grown;
	b->cap = cap;
	return true;
}

void tmpl_put(struct tmpl_buf *b, const char *p, size_t n)
{
	if (n == 0 || !reserve(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void tmpl_puts(struct tmpl_buf *b, const char *s)
{
	tmpl_put(b, s, strlen(s));
}

void tmpl_putc(struct tmpl_buf *b, char c)
{
	tmpl_put(b, &c, 1);
}

void tmpl_pad(struct tmpl_buf *b, size_t n, char c)
{
	if (n == 0 || !reserve(b, n))
		return;
	memset(b->p + b->n, c, n);
	b->n += n;
}

int tmpl_buf_str(struct tmpl_buf *b, struct tv *out)
{
	*out = tv_str(b->n > 0 ? b->p : "", b->n);
	return b->r->rc;
}

int tmpl_var_push(struct tmpl_run *r, struct tmpl_str name, struct tv v)
{
	if (r->n_vars == r->cap_vars) {
		size_t cap = 2 * r->cap_vars + 16;
		struct tmpl_var *grown = tmpl_alloc(r, cap * sizeof(*grown));

		if (grown == NULL)
			return r->rc;
		if (r->n_vars > 0)
			memcpy(grown, r->vars, r->n_vars * sizeof(*grown));
		r->vars = grown;
		r->cap_vars = cap;
	}
	r->vars[r->n_vars++] = (struct tmpl_var){ name, v };
	return ERR_OK;
}

int tmpl_var_set(struct tmpl_run *r, struct tmpl_str name, struct tv v)
{
	for (size_t i = r->n_vars; i > r->frame; i--)
		if (tmpl_str_eq(r->vars[i - 1].name, name)) {
			r->vars[i - 1].value = v;
			return tmpl_spend(r, 64 * (r->n_vars - i));
		}
	return tmpl_fail(r, ERR_INVALID, "undefined variable: %.*s",
	                 (int)(name.n < 64 ? name.n : 64), name.p);
}

static int walk(struct tmpl_run *r, const struct tv *dot, const struct tmpl_node *list);

/* if and with, and what else goes on with. */
static int walk_if(struct tmpl_run *r, const struct tv *dot, const struct tmpl_node *n)
{
	size_t mark = r->n_vars;
	struct tv v;
	int rc;

	while ((rc = tmpl_eval_pipe(r, dot, n->pipe, &v)) == ERR_OK && !tv_true(&v) &&
	       n->goes_on)
		n = n->other;
	if (rc == ERR_OK && tv_true(&v))
		rc = walk(r, n->type == NODE_WITH ? &v : dot, n->list);
	else if (rc == ERR_OK)
		rc = walk(r, dot, n->other);
	r->n_vars = mark;
	return rc;
}

/* What one turn of a range sees. */
struct turn {
	const struct tmpl_node *n;
	size_t mark; /* the variables of its pipe are below it */
	bool any;    /* there has been one */
};

static int set_turn(struct tmpl_run *r, const struct turn *t, const struct tv *index,
                    const struct tv *item)
{
	const struct tmpl_pipe *pipe = t->n->pipe;
	const struct tv *first = pipe->n_decl > 1 ? index : item;
	int rc = ERR_OK;

	if (pipe->n_decl > 0 && pipe->assigns)
		rc = tmpl_var_set(r, pipe->decl[0], *first);
	else if (pipe->n_decl > 0)
		r->vars[t->mark - pipe->n_decl].value = *first;
	if (rc == ERR_OK && pipe->n_decl > 1 && pipe->assigns)
		rc = tmpl_var_set(r, pipe->decl[1], *item);
	else if (pipe->n_decl > 1)
		r->vars[t->mark - 1].value = *item;
	return rc;
}

/* Run the list once; ${stop} after a break. */
static int turn(struct tmpl_run *r, struct turn *t, const struct tv *index,
                const struct tv *item, bool *stop)
{
	struct tv dot = *item;
	int rc = set_turn(r, t, index, item);

	t->any = true;
	if (rc == ERR_OK)
		rc = walk(r, &dot, t->n->list);
	r->n_vars = t->mark;
	*stop = rc != ERR_OK || r->flow == FLOW_BREAK;
	r->flow = FLOW_ON;
	return rc;
}

static int range_list(struct tmpl_run *r, struct turn *t, const struct tv_list *list)
{
	bool stop = false;
	size_t n = list->n;
	int rc = ERR_OK;

	for (size_t i = 0; i < n && !stop; i++) {
		struct tv index = tv_int((int64_t)i), item = list->items[i];

		rc = turn(r, t, &index, &item, &stop);
	}
	return rc;
}

/* A map that the list changes is gone through as it was. */
static int range_map(struct tmpl_run *r, struct turn *t, const struct tv_map *map)
{
	size_t n = map->n;
	struct tv_pair *pairs;
	bool stop = false;
	int rc = ERR_OK;

	if (n == 0)
		return ERR_OK;
	if ((pairs = tmpl_alloc(r, n * sizeof(*pairs))) == NULL)
		return r->rc;
	memcpy(pairs, map->pairs, n * sizeof(*pairs));
	for (size_t i = 0; i < n && !stop; i++)
		rc = turn(r, t, &pairs[i].key, &pairs[i].val, &stop);
	return rc;
}

static int range_loop(struct tmpl_run *r, struct turn *t, struct tv_loop *loop)
{
	bool stop = false;
	int rc = ERR_OK;

	for (int64_t i = 0; loop->next < loop->stop && !stop; i++) {
		struct tv index = tv_int(i), item = tv_int64(loop->next++);

		rc = turn(r, t, &index, &item, &stop);
	}
	return rc;
}

static int range_number(struct tmpl_run *r, struct turn *t, const struct tv *v)
{
	struct tv item = *v, none = { .kind = TV_NONE };
	uint64_t n = tv_is_int(v) && v->i < 0 ? 0 : v->u;
	bool stop = false;
	int rc = ERR_OK;

	if (t->n->pipe->n_decl > 1)
		return tmpl_fail(r, ERR_INVALID,
		                 "a number is no range of more than one variable");
	for (uint64_t i = 0; i < n && !stop; i++) {
		item.u = i;
		rc = turn(r, t, &none, &item, &stop);
	}
	return rc;
}

static int walk_range(struct tmpl_run *r, const struct tv *dot, const struct tmpl_node *n)
{
	size_t mark = r->n_vars;
	struct turn t = { .n = n };
	struct tv v;
	int rc = tmpl_eval_pipe(r, dot, n->pipe, &v);

	r->at = n->pipe->at;
	t.mark = r->n_vars;
	if (rc == ERR_OK && tv_is_list(&v))
		rc = range_list(r, &t, v.list);
	else if (rc == ERR_OK && tv_is_map(&v))
		rc = range_map(r, &t, v.map);
	else if (rc == ERR_OK && v.kind == TV_LOOP)
		rc = range_loop(r, &t, v.loop);
	else if (rc == ERR_OK && (tv_is_int(&v) || tv_is_uint(&v)))
		rc = range_number(r, &t, &v);
	else if (rc == ERR_OK && v.kind != TV_NONE)
		rc = tmpl_fail(r, ERR_INVALID, "range can't iterate over a %s",
		               tv_type(&v));
	if (rc == ERR_OK && !t.any)
		rc = walk(r, dot, n->other);
	r->n_vars = mark;
	return rc;
}

/* A template sees its argument as '.' and '$', and no other variable. */
static int walk_template(struct tmpl_run *r, const struct tv *dot,
                         const struct tmpl_node *n)
{
	static const struct tmpl_str dollar = { "$", 1 };
	struct tv v = { .kind = TV_NONE };
	size_t frame = r->frame, mark;
	int rc = ERR_OK;

	if (n->pipe != NULL)
		rc = tmpl_eval_pipe(r, dot, n->pipe, &v);
	mark = r->n_vars;
	r->frame = mark;
	if (rc == ERR_OK && (rc = tmpl_var_push(r, dollar, v)) == ERR_OK)
		rc = walk(r, &v, n->def->list);
	r->n_vars = mark;
	r->frame = frame;
	return rc;
}

static int walk_action(struct tmpl_run *r, const struct tv *dot,
                       const struct tmpl_node *n)
{
	struct tv v;
	int rc = tmpl_eval_pipe(r, dot, n->pipe, &v);

	r->at = n->at;
	if (rc == ERR_OK && n->pipe->n_decl == 0) {
		if (v.kind == TV_LOOP)
			return tmpl_fail(r, ERR_INVALID, "can't print a %s", tv_type(&v));
		tmpl_show(&r->out, &v);
		rc = r->rc;
	}
	return rc;
}

static int walk_node(struct tmpl_run *r, const struct tv *dot, const struct tmpl_node *n)
{
	r->at = n->at;
	switch (n->type) {
	case NODE_TEXT:
		tmpl_put(&r->out, n->text.p, n->text.n);
		return r->rc;
	case NODE_ACTION:
		return walk_action(r, dot, n);
	case NODE_IF:
	case NODE_WITH:
		return walk_if(r, dot, n);
	case NODE_RANGE:
		return walk_range(r, dot, n);
	case NODE_TEMPLATE:
		return walk_template(r, dot, n);
	case NODE_BREAK:
		r->flow = FLOW_BREAK;
		return ERR_OK;
	case NODE_CONTINUE:
		r->flow = FLOW_CONTINUE;
		return ERR_OK;
	}
	return ERR_OK;
}

static int walk(struct tmpl_run *r, const struct tv *dot, const struct tmpl_node *list)
{
	int rc = tmpl_enter(r);

	if (rc != ERR_OK)
		return rc;
	for (; list != NULL && rc == ERR_OK && r->flow == FLOW_ON; list = list->next)
		if ((rc = tmpl_spend(r, 0)) == ERR_OK)
			rc = walk_node(r, dot, list);
	tmpl_leave(r);
	return rc;
}

static size_t budget(const struct template_ops *ops)
{
	return ops->steps != NULL && *ops->steps < TEMPLATE_BUDGET ? *ops->steps
	                                                           : TEMPLATE_BUDGET;
}

int template_run(const struct template *t, const struct template_ops *ops,
                 struct arena *a, const char **out, size_t *n, struct err *e)
{
	static const struct tmpl_str dollar = { "$", 1 };
	struct tv dot = { .kind = TV_NONE };
	struct tmpl_run r = {
		.t = t, .ops = ops, .a = a, .e = e, .budget = budget(ops), .at = {1, 1}
	};
	int rc;

	r.out = (struct tmpl_buf){ .r = &r, .max = TEMPLATE_OUTPUT_MAX };
	if ((rc = tmpl_var_push(&r, dollar, dot)) == ERR_OK)
		rc = walk(&r, &dot, t->main->list);
	if (ops->steps != NULL)
		*ops->steps -= budget(ops) - r.budget;
	if (rc != ERR_NOMEM && r.pending)
		return err_set(e, ERR_BUSY, "%.120s: a secret is not there yet", t->name);
	if (rc != ERR_OK)
		return rc;
	*out = r.out.n > 0 ? r.out.p : "";
	*n = r.out.n;
	return ERR_OK;
}
