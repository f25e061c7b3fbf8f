/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons. */
#include "tmpl_run.h"

#include <string.h>

enum basic { BASIC_NONE, BASIC_BOOL, BASIC_INT, BASIC_UINT, BASIC_FLOAT, BASIC_TEXT };

static enum basic basic(const struct tv *v)
{
	if (v->kind == TV_BOOL)
		return BASIC_BOOL;
	if (tv_is_int(v))
		return BASIC_INT;
	if (tv_is_uint(v))
		return BASIC_UINT;
	if (v->kind == TV_FLOAT)
		return BASIC_FLOAT;
	return tv_is_text(v) ? BASIC_TEXT : BASIC_NONE;
}

static int compare_text(struct tmpl_run *r, const struct tv *x, const struct tv *y,
                        int *order)
{
	size_t n = x->s.n < y->s.n ? x->s.n : y->s.n;
	int c = n > 0 ? memcmp(x->s.p, y->s.p, n) : 0;

	*order = c != 0 ? c : (x->s.n > y->s.n) - (x->s.n < y->s.n);
	return tmpl_spend(r, n);
}

static bool is_nil(const struct tv *v)
{
	return v->kind == TV_NONE || v->kind == TV_NIL_POINTER ||
	       (tv_is_map(v) && v->map->nil) || (tv_is_list(v) && v->list->nil);
}

/* What has parts is equal to nothing but nothing; a secret to itself. */
static int equal_parts(struct tmpl_run *r, const struct tv *x, const struct tv *y,
                       bool *equal)
{
	if (x->kind != y->kind && x->kind != TV_NONE && y->kind != TV_NONE &&
	    !(tv_is_list(x) && tv_is_list(y)) && !(tv_is_map(x) && tv_is_map(y)))
		return tmpl_fail(r, ERR_INVALID, "non-comparable types %s and %s",
		                 tv_type(x), tv_type(y));
	if (is_nil(x) || is_nil(y))
		*equal = is_nil(x) == is_nil(y);
	else if (x->kind == TV_SECRET || x->kind == TV_SCRATCH || x->kind == TV_LOOP)
		*equal = x->secret == y->secret;
	else
		return tmpl_fail(r, ERR_INVALID, "non-comparable type %s", tv_type(y));
	return ERR_OK;
}

static int equal(struct tmpl_run *r, const struct tv *x, const struct tv *y, bool *out)
{
	enum basic kx = basic(x), ky = basic(y);
	int order, rc = ERR_OK;

	*out = false;
	if (kx != ky) {
		bool ints = (kx == BASIC_INT && ky == BASIC_UINT) ||
		            (kx == BASIC_UINT && ky == BASIC_INT);

		if (ints)
			*out = x->i >= 0 && y->i >= 0 && x->u == y->u;
		else if (x->kind != TV_NONE && y->kind != TV_NONE)
			rc = tmpl_fail(r, ERR_INVALID,
			               "incompatible types for comparison: %s and %s",
			               tv_type(x), tv_type(y));
		return rc;
	}
	switch (kx) {
	case BASIC_BOOL:
		*out = x->b == y->b;
		break;
	case BASIC_INT:
	case BASIC_UINT:
		*out = x->u == y->u;
		break;
	case BASIC_FLOAT:
		*out = x->f == y->f;
		break;
	case BASIC_TEXT:
		rc = compare_text(r, x, y, &order);
		*out = order == 0;
		break;
	case BASIC_NONE:
		rc = equal_parts(r, x, y, out);
		break;
	}
	return rc;
}

int tmpl_fn_eq(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tv x = tv_strip(args[0]);
	bool is = false;
	int rc = ERR_OK;

	if (n < 2)
		return tmpl_fail(r, ERR_INVALID, "missing argument for comparison");
	for (size_t i = 1; i < n && rc == ERR_OK && !is; i++) {
		struct tv y = tv_strip(args[i]);

		rc = equal(r, &x, &y, &is);
	}
	*out = tv_bool(is);
	return rc;
}

int tmpl_fn_ne(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	int rc = tmpl_fn_eq(r, args, n, out);

	out->b = !out->b;
	return rc;
}

/* An int and a uint, whichever is first. */
static bool less_mixed(const struct tv *x, const struct tv *y)
{
	if (tv_is_int(x))
		return x->i < 0 || x->u < y->u;
	return y->i >= 0 && x->u < y->u;
}

static int less(struct tmpl_run *r, const struct tv *x, const struct tv *y, bool *out)
{
	enum basic kx = basic(x), ky = basic(y);
	int order, rc = ERR_OK;

	*out = false;
	if (kx == BASIC_NONE || ky == BASIC_NONE || (kx == ky && kx == BASIC_BOOL))
		return tmpl_fail(r, ERR_INVALID, "invalid type for comparison");
	if (kx != ky) {
		if ((kx == BASIC_INT && ky == BASIC_UINT) ||
		    (kx == BASIC_UINT && ky == BASIC_INT)) {
			*out = less_mixed(x, y);
			return ERR_OK;
		}
		return tmpl_fail(r, ERR_INVALID,
		                 "incompatible types for comparison: %s and %s",
		                 tv_type(x), tv_type(y));
	}
	switch (kx) {
	case BASIC_INT:
		*out = x->i < y->i;
		break;
	case BASIC_UINT:
		*out = x->u < y->u;
		break;
	case BASIC_FLOAT:
		*out = x->f < y->f;
		break;
	default:
		rc = compare_text(r, x, y, &order);
		*out = order < 0;
	}
	return rc;
}

int tmpl_fn_lt(struct tmpl_run *r, const struct tv *args, size_t n UNUSED, struct tv *out)
{
	struct tv x = tv_strip(args[0]), y = tv_strip(args[1]);
	bool is;
	int rc = less(r, &x, &y, &is);

	*out = tv_bool(is);
	return rc;
}

int tmpl_fn_le(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	int rc = tmpl_fn_lt(r, args, n, out);

	return rc != ERR_OK || out->b ? rc : tmpl_fn_eq(r, args, n, out);
}

int tmpl_fn_gt(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	int rc = tmpl_fn_le(r, args, n, out);

	out->b = !out->b;
	return rc;
}

int tmpl_fn_ge(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	int rc = tmpl_fn_lt(r, args, n, out);

	out->b = !out->b;
	return rc;
}
