/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, commands and terms. */
#include "tmpl_run.h"

#include <string.h>

#include "tmpl_func.h"

#define NAME_SHOWN(s) (int)((s).n < 64 ? (s).n : 64), (s).p

/* What the command before in the pipe gave, if there is one. */
struct piped {
	bool is;
	struct tv v;
};

static int eval_arg(struct tmpl_run *r, const struct tv *dot, const struct tmpl_term *t,
                    char param, struct tv *out);

static int get_var(struct tmpl_run *r, struct tmpl_str name, struct tv *out)
{
	for (size_t i = r->n_vars; i > r->frame; i--)
		if (tmpl_str_eq(r->vars[i - 1].name, name)) {
			*out = r->vars[i - 1].value;
			return tmpl_spend(r, 64 * (r->n_vars - i));
		}
	return tmpl_fail(r, ERR_INVALID, "undefined variable: %.*s", NAME_SHOWN(name));
}

static const char *param_type(char param)
{
	switch (param) {
	case 's':
		return "string";
	case 'i':
		return "int";
	case 'l':
		return "[]string";
	case 'L':
		return "[]interface {}";
	case 'm':
		return "map[string]interface {}";
	default:
		return "interface {}";
	}
}

/* Nothing as what a parameter takes for it. */
static int nothing_as(struct tmpl_run *r, char param, struct tv *v)
{
	switch (param) {
	case 'v':
		return ERR_OK;
	case 'a':
		*v = tv_nil();
		return ERR_OK;
	case 'l':
	case 'L':
		if (tv_new_list(r, param == 'l' ? TV_STRINGS : TV_LIST, 0, v) == ERR_OK)
			v->list->nil = true;
		return r->rc;
	case 'm':
		if (tv_new_map(r, TV_MAP, 0, v) == ERR_OK)
			v->map->nil = true;
		return r->rc;
	default:
		return tmpl_fail(r, ERR_INVALID, "no value where a %s is expected",
		                 param_type(param));
	}
}

/* Check that ${v} is what a parameter takes. */
static int fit(struct tmpl_run *r, char param, struct tv *v)
{
	bool ok = false;

	if (v->kind == TV_NONE)
		return nothing_as(r, param, v);
	switch (param) {
	case 's':
		ok = v->kind == TV_STRING;
		break;
	case 'i':
		ok = v->kind == TV_INT;
		break;
	case 'l':
		ok = v->kind == TV_STRINGS;
		break;
	case 'L':
		ok = v->kind == TV_LIST;
		break;
	case 'm':
		ok = v->kind == TV_MAP;
		break;
	default:
		ok = true;
	}
	if (ok)
		return ERR_OK;
	return tmpl_fail(r, ERR_INVALID, "wrong type: expected %s, got %s",
	                 param_type(param), tv_type(v));
}

/* A number on its own. */
static int ideal(struct tmpl_run *r, const struct tmpl_number *number, struct tv *out)
{
	if (number->looks_float)
		*out = tv_float(number->f);
	else if (number->is_int)
		*out = tv_int(number->i);
	else
		return tmpl_fail(r, ERR_INVALID, "the number overflows int");
	return ERR_OK;
}

static int constant(struct tmpl_run *r, const struct tmpl_term *t, struct tv *out)
{
	switch (t->type) {
	case TERM_BOOL:
		*out = tv_bool(t->b);
		return ERR_OK;
	case TERM_NUMBER:
		return ideal(r, t->number, out);
	default:
		*out = tv_str(t->str.p, t->str.n);
		return ERR_OK;
	}
}

/* A constant becomes what its place asks for. */
static int constant_as(struct tmpl_run *r, const struct tmpl_term *t, char param,
                       struct tv *out)
{
	if (param == 'a' || param == 'v')
		return constant(r, t, out);
	if (param == 's' && t->type == TERM_STRING)
		return constant(r, t, out);
	if (param == 'i' && t->type == TERM_NUMBER && t->number->is_int) {
		*out = tv_int(t->number->i);
		return ERR_OK;
	}
	return tmpl_fail(r, ERR_INVALID, "expected %s; found a constant of another type",
	                 param_type(param));
}

static unsigned count(const struct tmpl_term *t)
{
	unsigned n = 0;

	for (; t != NULL; t = t->next)
		n++;
	return n;
}

/* The first that decides, or the last. */
static int call_lazy(struct tmpl_run *r, const struct tv *dot, const struct tmpl_term *t,
                     const struct piped *final, struct tv *out)
{
	bool until = strcmp(t->func->name, "or") == 0;
	int rc;

	for (const struct tmpl_term *arg = t->next; arg != NULL; arg = arg->next)
		if ((rc = eval_arg(r, dot, arg, 'v', out)) != ERR_OK ||
		    tv_true(out) == until)
			return rc;
	if (final->is)
		*out = final->v;
	return ERR_OK;
}

/* A function with its arguments, which are the terms behind it if ${with_args}. */
static int call(struct tmpl_run *r, const struct tv *dot, const struct tmpl_term *t,
                bool with_args, const struct piped *final, struct tv *out)
{
	const struct tmpl_func *f = t->func;
	const struct tmpl_term *arg = with_args ? t->next : NULL;
	struct tv few[4], *args = few;
	size_t n = count(arg) + (final->is ? 1 : 0), i = 0;
	int rc;

	r->at = t->at;
	if (f->call == NULL)
		return call_lazy(r, dot, t, final, out);
	if (n > ARRAY_LEN(few) && (args = tmpl_alloc(r, n * sizeof(*args))) == NULL)
		return r->rc;
	for (; arg != NULL; arg = arg->next, i++)
		if ((rc = eval_arg(r, dot, arg, tmpl_func_param(f, i), &args[i])) !=
		    ERR_OK)
			return rc;
	r->at = t->at;
	if (final->is) {
		args[i] = final->v;
		if ((rc = fit(r, tmpl_func_param(f, i), &args[i])) != ERR_OK)
			return rc;
	}
	if ((rc = tmpl_spend(r, 0)) != ERR_OK)
		return rc;
	return f->call(r, args, n, out);
}

/* The arguments of a method, as they are. */
static int method_args(struct tmpl_run *r, const struct tv *dot,
                       const struct tmpl_term *arg, const struct piped *final,
                       struct tv **args, size_t *n)
{
	size_t i = 0;
	int rc;

	*n = count(arg) + (final->is ? 1 : 0);
	*args = NULL;
	if (*n > 0 && (*args = tmpl_alloc(r, *n * sizeof(**args))) == NULL)
		return r->rc;
	for (; arg != NULL; arg = arg->next, i++)
		if ((rc = eval_arg(r, dot, arg, 'a', &(*args)[i])) != ERR_OK)
			return rc;
	if (final->is)
		(*args)[i] = final->v;
	return ERR_OK;
}

/* Along .a.b.c from ${v}; the last may be a method, and has the arguments. */
static int chain(struct tmpl_run *r, const struct tv *dot, const struct tmpl_term *t,
                 bool with_args, const struct piped *final, struct tv *v)
{
	struct tv *args = NULL;
	size_t n = 0;
	int rc;

	for (const struct tmpl_field *f = t->fields; f != NULL; f = f->next) {
		struct tv recv = *v;

		if (f->next == NULL &&
		    (rc = method_args(r, dot, with_args ? t->next : NULL, final, &args,
		                      &n)) != ERR_OK)
			return rc;
		r->at = t->at;
		if ((rc = tmpl_field(r, &recv, f->name, args, n, v)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* What a term is before its fields. */
static int base(struct tmpl_run *r, const struct tv *dot, const struct tmpl_term *t,
                struct tv *out)
{
	const struct piped none = { .is = false };

	switch (t->type) {
	case TERM_DOT:
		*out = *dot;
		return ERR_OK;
	case TERM_VARIABLE:
		return get_var(r, t->str, out);
	case TERM_FUNC:
		return call(r, dot, t, false, &none, out);
	case TERM_PIPE:
		return tmpl_eval_pipe(r, dot, t->pipe, out);
	case TERM_NIL:
		return tmpl_fail(r, ERR_INVALID, "nil is not a command");
	default:
		return constant(r, t, out);
	}
}

static int eval_arg(struct tmpl_run *r, const struct tv *dot, const struct tmpl_term *t,
                    char param, struct tv *out)
{
	const struct piped none = { .is = false };
	int rc = tmpl_spend(r, 0);

	r->at = t->at;
	if (rc != ERR_OK)
		return rc;
	if (t->type == TERM_NIL) {
		*out = (struct tv){ .kind = TV_NONE };
		return nothing_as(r, param, out);
	}
	if (t->type == TERM_BOOL || t->type == TERM_NUMBER || t->type == TERM_STRING)
		return constant_as(r, t, param, out);
	if ((rc = base(r, dot, t, out)) != ERR_OK ||
	    (rc = chain(r, dot, t, false, &none, out)) != ERR_OK)
		return rc;
	r->at = t->at;
	return fit(r, param, out);
}

static int eval_command(struct tmpl_run *r, const struct tv *dot,
                        const struct tmpl_command *c, const struct piped *final,
                        struct tv *out)
{
	const struct tmpl_term *t = c->first;
	int rc;

	r->at = t->at;
	if (t->type == TERM_FUNC && t->fields == NULL)
		return call(r, dot, t, true, final, out);
	if ((rc = base(r, dot, t, out)) != ERR_OK)
		return rc;
	return chain(r, dot, t, true, final, out);
}

int tmpl_eval_pipe(struct tmpl_run *r, const struct tv *dot, const struct tmpl_pipe *pipe,
                   struct tv *out)
{
	struct piped final = { .is = false };
	int rc = tmpl_enter(r);

	if (rc != ERR_OK)
		return rc;
	*out = (struct tv){ .kind = TV_NONE };
	for (const struct tmpl_command *c = pipe->first; rc == ERR_OK && c != NULL;
	     c = c->next) {
		rc = eval_command(r, dot, c, &final, out);
		*out = tv_strip(*out);
		final = (struct piped){ .is = true, .v = *out };
	}
	r->at = pipe->at;
	for (unsigned i = 0; rc == ERR_OK && i < pipe->n_decl; i++)
		rc = pipe->assigns ? tmpl_var_set(r, pipe->decl[i], *out)
		                   : tmpl_var_push(r, pipe->decl[i], *out);
	tmpl_leave(r);
	return rc;
}
