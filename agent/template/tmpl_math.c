/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic, numbers out of strings, loop. */
#include "tmpl_run.h"

#include <string.h>

#include "tmpl_number.h"

enum op { OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_DIVIDE, OP_MODULO };

/* What two numbers are calculated as: a uint only if both are, a float if one is. */
enum domain { DOMAIN_INT, DOMAIN_UINT, DOMAIN_FLOAT };

static bool is_number(const struct tv *v)
{
	return tv_is_int(v) || tv_is_uint(v) || v->kind == TV_FLOAT;
}

static double as_float(const struct tv *v)
{
	if (v->kind == TV_FLOAT)
		return v->f;
	return tv_is_int(v) ? (double)v->i : (double)v->u;
}

static enum domain domain(const struct tv *x, const struct tv *y)
{
	if (x->kind == TV_FLOAT || y->kind == TV_FLOAT)
		return DOMAIN_FLOAT;
	return tv_is_uint(x) && tv_is_uint(y) ? DOMAIN_UINT : DOMAIN_INT;
}

static int float_op(struct tmpl_run *r, enum op op, double x, double y, struct tv *out)
{
	switch (op) {
	case OP_ADD:
		*out = tv_float(x + y);
		break;
	case OP_SUBTRACT:
		*out = tv_float(x - y);
		break;
	case OP_MULTIPLY:
		*out = tv_float(x * y);
		break;
	case OP_DIVIDE:
		*out = tv_float(x / y);
		break;
	case OP_MODULO:
		return tmpl_fail(r, ERR_INVALID,
		                 "modulo: can't calculate with a float64");
	}
	return ERR_OK;
}

/* Wraps around, as it does there. */
static int int_op(enum op op, int64_t x, int64_t y, struct tv *out)
{
	uint64_t ux = (uint64_t)x, uy = (uint64_t)y;

	switch (op) {
	case OP_ADD:
		*out = tv_int64((int64_t)(ux + uy));
		break;
	case OP_SUBTRACT:
		*out = tv_int64((int64_t)(ux - uy));
		break;
	case OP_MULTIPLY:
		*out = tv_int64((int64_t)(ux * uy));
		break;
	case OP_DIVIDE:
		*out = tv_int64(y == -1 ? (int64_t)(0 - ux) : x / y);
		break;
	case OP_MODULO:
		*out = tv_int64(y == -1 ? 0 : x % y);
		break;
	}
	return ERR_OK;
}

static int uint_op(enum op op, uint64_t x, uint64_t y, struct tv *out)
{
	switch (op) {
	case OP_ADD:
		*out = tv_uint64(x + y);
		break;
	case OP_SUBTRACT:
		*out = tv_uint64(x - y);
		break;
	case OP_MULTIPLY:
		*out = tv_uint64(x * y);
		break;
	case OP_DIVIDE:
		*out = tv_uint64(x / y);
		break;
	case OP_MODULO:
		*out = tv_uint64(x % y);
		break;
	}
	return ERR_OK;
}

static int check_numbers(struct tmpl_run *r, const char *name, const struct tv *args)
{
	const struct tv *bad = !is_number(&args[1]) ? &args[1] : &args[0];

	if (is_number(bad))
		return ERR_OK;
	return tmpl_fail(r, ERR_INVALID, "%s: can't calculate with a %s", name,
	                 tv_type(bad));
}

/* The arguments come the wrong way round, for pipes: 10 | subtract 3 is 7. */
static int calculate(struct tmpl_run *r, enum op op, const char *name,
                     const struct tv *args, struct tv *out)
{
	const struct tv *x = &args[1], *y = &args[0];
	int rc = check_numbers(r, name, args);

	if (rc != ERR_OK)
		return rc;
	if (domain(x, y) == DOMAIN_FLOAT)
		return float_op(r, op, as_float(x), as_float(y), out);
	if ((op == OP_DIVIDE || op == OP_MODULO) && y->u == 0)
		return tmpl_fail(r, ERR_INVALID, "%s: division by zero", name);
	if (domain(x, y) == DOMAIN_UINT)
		return uint_op(op, x->u, y->u, out);
	return int_op(op, x->i, y->i, out);
}

int tmpl_fn_add(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                struct tv *out)
{
	return calculate(r, OP_ADD, "add", args, out);
}

int tmpl_fn_subtract(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	return calculate(r, OP_SUBTRACT, "subtract", args, out);
}

int tmpl_fn_multiply(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	return calculate(r, OP_MULTIPLY, "multiply", args, out);
}

int tmpl_fn_divide(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                   struct tv *out)
{
	return calculate(r, OP_DIVIDE, "divide", args, out);
}

int tmpl_fn_modulo(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                   struct tv *out)
{
	return calculate(r, OP_MODULO, "modulo", args, out);
}

/* An int of whatever kind is an int64 afterwards, a byte a uint64. */
static struct tv widened(const struct tv *v)
{
	if (v->kind == TV_FLOAT)
		return *v;
	return tv_is_int(v) ? tv_int64(v->i) : tv_uint64(v->u);
}

/* Is x smaller, or greater, than y? */
static bool beats(const struct tv *x, const struct tv *y, bool smaller)
{
	switch (domain(x, y)) {
	case DOMAIN_FLOAT:
		return smaller ? as_float(x) < as_float(y) : as_float(x) > as_float(y);
	case DOMAIN_UINT:
		return smaller ? x->u < y->u : x->u > y->u;
	default:
		return smaller ? x->i < y->i : x->i > y->i;
	}
}

static int choose(struct tmpl_run *r, const char *name, const struct tv *args,
                  bool smaller, struct tv *out)
{
	int rc = check_numbers(r, name, args);

	if (rc == ERR_OK)
		*out = widened(beats(&args[1], &args[0], smaller) ? &args[1] : &args[0]);
	return rc;
}

int tmpl_fn_minimum(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                    struct tv *out)
{
	return choose(r, "minimum", args, true, out);
}

int tmpl_fn_maximum(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                    struct tv *out)
{
	return choose(r, "maximum", args, false, out);
}

int tmpl_fn_parse_int(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                      struct tv *out)
{
	*out = tv_int64(0);
	if (args[0].s.n > 0 && !tmpl_read_int(args[0].s.p, args[0].s.n, 10, &out->i))
		return tmpl_fail(r, ERR_INVALID, "parseInt: not such a number");
	return ERR_OK;
}

int tmpl_fn_parse_uint(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                       struct tv *out)
{
	*out = tv_uint64(0);
	if (args[0].s.n > 0 && !tmpl_read_uint(args[0].s.p, args[0].s.n, 10, &out->u))
		return tmpl_fail(r, ERR_INVALID, "parseUint: not such a number");
	return ERR_OK;
}

int tmpl_fn_parse_float(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                        struct tv *out)
{
	*out = tv_float(0);
	if (args[0].s.n > 0 && !tmpl_read_float(args[0].s.p, args[0].s.n, &out->f))
		return tmpl_fail(r, ERR_INVALID, "parseFloat: not such a number");
	return ERR_OK;
}

int tmpl_fn_parse_bool(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                       struct tv *out)
{
	static const char *const yes[] = { "1", "t", "T", "true", "True", "TRUE" };
	static const char *const no[] = { "", "0", "f", "F", "false", "False", "FALSE" };

	*out = tv_bool(true);
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (tmpl_str_is(args[0].s, yes[i]))
			return ERR_OK;
	*out = tv_bool(false);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (tmpl_str_is(args[0].s, no[i]))
			return ERR_OK;
	return tmpl_fail(r, ERR_INVALID, "parseBool: neither true nor false");
}

static int bound(struct tmpl_run *r, const struct tv *v, int64_t *out)
{
	struct tv parsed;
	int rc = ERR_OK;

	if (tv_is_int(v) || tv_is_uint(v)) {
		*out = v->i;
	} else if (tv_is_text(v)) {
		rc = tmpl_fn_parse_int(r, v, 1, &parsed);
		*out = parsed.i;
	} else {
		rc = tmpl_fail(r, ERR_INVALID, "loop: bad argument type %s", tv_type(v));
	}
	return rc;
}

int tmpl_fn_loop(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tv_loop *loop;
	int rc = ERR_OK;

	if (n != 1 && n != 2)
		return tmpl_fail(
			r, ERR_INVALID,
			"wrong number of arguments for loop: want 1 or 2 got %zu", n);
	if ((loop = tmpl_alloc(r, sizeof(*loop))) == NULL)
		return r->rc;
	if (n == 2)
		rc = bound(r, &args[0], &loop->next);
	if (rc == ERR_OK)
		rc = bound(r, &args[n - 1], &loop->stop);
	*out = (struct tv){ .kind = TV_LOOP, .loop = loop };
	return rc;
}
