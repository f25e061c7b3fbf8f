/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_limits - may this request pass, with these parameters, wrapped like this?
 *
 * What is allowed is judged as Vault judges it.  What is denied is judged more widely,
 * since the handler behind is more generous than an equality: where it reads a field,
 * "5" is 5, a name in upper case is the one in lower case, and a list may come as one
 * string with commas; a denial holds for all of these.  So ours never lets pass what
 * Vault would not.
 *
 * Text is searched up to a length: beyond, it is taken for what is denied, and for
 * nothing that is allowed, so that no value takes the time of everyone.
 */
#include <stdlib.h>
#include <string.h>

#include "policy_impl.h"
#include "route.h"

#define SEARCHED_MAX (16u * 1024) /* bytes of a text that something is looked for in */

/* --- values --- */

/* A number as digits without zeros around them, times ten to the power of exp. */
struct decimal {
	char digits[LIMIT_NUMBER_TEXT + 1];
	size_t n;
	int64_t exp;
	bool negative;
};

#define EXPONENT_DIGITS 15

static bool decimal_exponent(const char *s, size_t n, int64_t *exp)
{
	bool negative = n > 0 && s[0] == '-';

	if (n > 0 && (s[0] == '-' || s[0] == '+')) {
		s++;
		n--;
	}
	while (n > 0 && *s == '0') {
		s++;
		n--;
	}
	*exp = 0;
	if (n > EXPONENT_DIGITS)
		return false;
	for (size_t i = 0; i < n; i++)
		*exp = *exp * 10 + (s[i] - '0');
	*exp = negative ? -*exp : *exp;
	return true;
}

/* False: no number that can be told from others but by its text. */
static bool decimal_of(const struct value *v, struct decimal *d)
{
	const char *s = v->text, *end = s + v->len;
	bool fraction = false;
	int64_t exp;

	d->n = 0;
	d->exp = 0;
	d->negative = s < end && *s == '-';
	if (v->len > LIMIT_NUMBER_TEXT)
		return false;
	for (s += d->negative; s < end && *s != 'e' && *s != 'E'; s++) {
		if (*s == '.') {
			fraction = true;
			continue;
		}
		if (d->n > 0 || *s != '0')
			d->digits[d->n++] = *s;
		d->exp -= fraction;
	}
	if (s < end) {
		if (!decimal_exponent(s + 1, (size_t)(end - s - 1), &exp))
			return false;
		d->exp += exp;
	}
	for (; d->n > 0 && d->digits[d->n - 1] == '0'; d->n--)
		d->exp++;
	if (d->n == 0) {
		d->exp = 0;
		d->negative = false;
	}
	return true;
}

static bool same_text(const struct value *x, const struct value *y)
{
	return x->len == y->len && (x->len == 0 || memcmp(x->text, y->text, x->len) == 0);
}

static bool same_number(const struct value *x, const struct value *y)
{
	struct decimal a, b;

	if (same_text(x, y))
		return true;
	return decimal_of(x, &a) && decimal_of(y, &b) && a.negative == b.negative &&
	       a.exp == b.exp && a.n == b.n && memcmp(a.digits, b.digits, a.n) == 0;
}

static bool same_value(const struct value *x, const struct value *y)
{
	const struct value *i = x->first, *k = y->first;

	if (x->type != y->type)
		return false;
	switch (x->type) {
	case V_NUMBER:
		return same_number(x, y);
	case V_STRING:
	case V_BYTES:
		return same_text(x, y);
	case V_ARRAY:
		for (; i != NULL && k != NULL && same_value(i, k); i = i->next)
			k = k->next;
		return i == NULL && k == NULL;
	case V_OBJECT:
		if (x->len != y->len)
			return false;
		for (; i != NULL; i = i->next) {
			k = value_getn(y, i->key, i->key_len);
			if (k == NULL || !same_value(i, k))
				return false;
		}
		return true;
	default:
		return true;
	}
}

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool text_eq(const char *x, const char *y, size_t n, bool fold)
{
	if (!fold)
		return n == 0 || memcmp(x, y, n) == 0;
	for (size_t i = 0; i < n; i++)
		if (folded(x[i]) != folded(y[i]))
			return false;
	return true;
}

static bool contains(const char *s, size_t n, const char *p, size_t pn, bool fold)
{
	if (!fold)
		return memmem(s, n, p, pn) != NULL;
	for (size_t at = 0; at + pn <= n; at++)
		if (pn == 0 ||
		    (folded(s[at]) == folded(p[0]) && text_eq(p, s + at, pn, true)))
			return true;
	return false;
}

/* A pattern may start or end in '*', or both. */
static bool glob(const struct value *pattern, const char *s, size_t n, bool fold)
{
	const char *p = pattern->text;
	size_t pn = pattern->len;
	bool end = pn > 0 && p[pn - 1] == '*', start = pn > 1 && p[0] == '*';

	pn -= (size_t)start + end;
	p += start;
	if (pn > n || (!start && !end && pn != n))
		return false;
	if (!start)
		return text_eq(p, s, pn, fold);
	if (!end)
		return text_eq(p, s + (n - pn), pn, fold);
	return contains(s, n, p, pn, fold);
}

static bool value_matches(const struct value *pattern, const struct value *v)
{
	if (pattern->type == V_STRING && v->type == V_STRING)
		return glob(pattern, v->text, v->len, false);
	return same_value(pattern, v);
}

/* --- what a handler would read from a value --- */

static const char *scalar_text(const struct value *v, size_t *n)
{
	*n = v->len;
	switch (v->type) {
	case V_STRING:
	case V_NUMBER:
		return v->text;
	case V_TRUE:
		*n = 4;
		return "true";
	case V_FALSE:
		*n = 5;
		return "false";
	default:
		return NULL;
	}
}

static bool reads_as(const struct value *pattern, const struct value *v)
{
	size_t n;
	const char *text = scalar_text(v, &n);
	int64_t i, k;
	bool x, y;

	if (value_matches(pattern, v))
		return true;
	if (text != NULL && pattern->type == V_STRING && glob(pattern, text, n, true))
		return true;
	if (value_to_int(pattern, &i) == 0 && value_to_int(v, &k) == 0 && i == k)
		return true;
	return (pattern->type == V_TRUE || pattern->type == V_FALSE) &&
	       value_to_bool(pattern, &x) == 0 && value_to_bool(v, &y) == 0 && x == y;
}

/* The next item of a list with commas, trimmed as req_strings() does it. */
static bool next_item(const char **s, const char *end, struct value *item)
{
	const char *comma, *from = *s, *to;

	if (from >= end)
		return false;
	comma = memchr(from, ',', (size_t)(end - from));
	to = comma != NULL ? comma : end;
	*s = to + 1;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	*item = (struct value){ .type = V_STRING,
		                .text = from,
		                .len = (uint32_t)(to - from) };
	return true;
}

static bool item_reads_as(const struct value *pattern, const struct value *list)
{
	const char *s = list->text, *end = s + list->len;
	struct value item;

	while (next_item(&s, end, &item))
		if (reads_as(pattern, &item))
			return true;
	return false;
}

/* Is it a search, which takes as long as the value is? */
static bool searches(const struct value *values)
{
	const struct value *p = values->first;

	while (p != NULL && !(p->type == V_STRING && p->len > 1 && p->text[0] == '*' &&
	                      p->text[p->len - 1] == '*'))
		p = p->next;
	return p != NULL;
}

static size_t text_size(const struct value *v)
{
	size_t n = 0;

	if (v->type == V_STRING)
		return v->len;
	for (const struct value *i = v->type == V_ARRAY ? v->first : NULL; i != NULL;
	     i = i->next)
		n += i->type == V_STRING ? i->len : 0;
	return n;
}

/* Is there too much text for what would have to be done with it? */
static bool too_long(const struct value *v, const struct value *values, const char *type)
{
	bool is_list = v->type == V_STRING && type != NULL &&
	               strcmp(type, "strings") == 0;

	return text_size(v) > SEARCHED_MAX && (is_list || searches(values));
}

/* ${type} of the field that the handler reads; NULL: it takes the value as it is. */
static bool denied_value(const struct value *pattern, const struct value *v,
                         const char *type)
{
	if (type == NULL)
		return value_matches(pattern, v);
	if (reads_as(pattern, v))
		return true;
	if (v->type == V_ARRAY) {
		for (const struct value *i = v->first; i != NULL; i = i->next)
			if (reads_as(pattern, i))
				return true;
		return false;
	}
	return v->type == V_STRING && strcmp(type, "strings") == 0 &&
	       item_reads_as(pattern, v);
}

static bool any_matches(const struct value *values, const struct value *v)
{
	for (const struct value *p = values->first; p != NULL; p = p->next)
		if (value_matches(p, v))
			return true;
	return false;
}

/* --- parameters --- */

static bool same_name(const struct value *member, const char *name, size_t n)
{
	return member->key_len == n && text_eq(member->key, name, n, true);
}

/* The member of a map, or of the parameters, with this name in whatever case. */
static const struct value *member_of(const struct value *map, const char *name, size_t n)
{
	for (const struct value *m = map != NULL ? map->first : NULL; m != NULL;
	     m = m->next)
		if (same_name(m, name, n))
			return m;
	return NULL;
}

/* Is the member's name that of ${name}, in lower case? */
static bool same_name_folded(const struct value *member, const struct value *name)
{
	if (member->key_len != name->len)
		return false;
	for (size_t i = 0; i < name->len; i++)
		if (member->key[i] != folded(name->text[i]))
			return false;
	return true;
}

/* In lower case, as handlers read it: another spelling is a field that they ignore. */
static bool has_field(const struct value *params, const struct value *name)
{
	const struct value *m = params->first;

	while (m != NULL && !same_name_folded(m, name))
		m = m->next;
	return m != NULL;
}

static bool has_required(const struct policy_limits *l, const struct value *params)
{
	const struct value *name = l->required != NULL ? l->required->first : NULL;

	for (; name != NULL; name = name->next)
		if (!has_field(params, name))
			return false;
	return true;
}

static const char *type_of(const struct field *f, const struct value *param)
{
	for (; f != NULL && f->name != NULL; f++)
		if (same_name(param, f->name, strlen(f->name)))
			return f->type;
	return NULL;
}

static bool is_denied(const struct policy_limits *l, const struct value *param,
                      const char *type)
{
	const struct value *values;

	if (l->denied == NULL)
		return false;
	if (value_get(l->denied, "*") != NULL)
		return true;
	values = member_of(l->denied, param->key, param->key_len);
	if (values == NULL)
		return false;
	if (values->len == 0 || too_long(param, values, type))
		return true;
	for (const struct value *p = values->first; p != NULL; p = p->next)
		if (denied_value(p, param, type))
			return true;
	return false;
}

/* What all maps of the policies say of one parameter. */
struct allowance {
	bool restricted; /* someone has such a map */
	bool star;       /* "*" is in one */
	bool listed, fits;
};

static void allowance_add(struct allowance *w, const struct policy_limits *l,
                          const struct value *param, const struct value *v)
{
	const struct value *values;

	if (l->allowed == NULL || l->allowed->len == 0)
		return;
	w->restricted = true;
	w->star = w->star || value_get(l->allowed, "*") != NULL;
	values = member_of(l->allowed, param->key, param->key_len);
	if (values == NULL)
		return;
	w->listed = true;
	w->fits = w->fits || values->len == 0 ||
	          (!too_long(v, values, NULL) && any_matches(values, v));
}

static bool allows(const struct policy_limits *const *at, size_t n,
                   const struct value *param, const struct value *v)
{
	struct allowance w = { 0 };

	for (size_t i = 0; i < n; i++)
		for (const struct policy_limits *l = at[i]; l != NULL; l = l->next)
			allowance_add(&w, l, param, v);
	return !w.restricted || (w.listed ? w.fits : w.star);
}

/* "dev,root" may begin like "dev*", but is two names for one who reads a list. */
static bool is_allowed(const struct policy_limits *const *at, size_t n,
                       const struct value *param, const char *type)
{
	const char *s = param->text, *end;
	struct value item;

	if (!allows(at, n, param, param))
		return false;
	if (param->type != V_STRING || type == NULL || strcmp(type, "strings") != 0 ||
	    memchr(s, ',', param->len) == NULL)
		return true;
	if (param->len > SEARCHED_MAX)
		return false;
	end = s + param->len;
	while (next_item(&s, end, &item))
		if (item.len > 0 && !allows(at, n, param, &item))
			return false;
	return true;
}

static bool params_pass(const struct policy_limits *const *at, size_t n,
                        const struct policy_ask *ask)
{
	const struct policy_limits *l;

	for (size_t i = 0; i < n; i++)
		for (l = at[i]; l != NULL; l = l->next)
			if (!has_required(l, ask->params))
				return false;
	for (const struct value *m = ask->params->first; m != NULL; m = m->next) {
		const char *type = type_of(ask->fields, m);

		for (size_t i = 0; i < n; i++)
			for (l = at[i]; l != NULL; l = l->next)
				if (is_denied(l, m, type))
					return false;
		if (!is_allowed(at, n, m, type))
			return false;
	}
	return true;
}

/* --- wrapping --- */

static void take_smaller(int64_t *least, int64_t ms)
{
	if (ms != 0 && (*least == 0 || ms < *least))
		*least = ms;
}

static bool wrap_passes(const struct policy_limits *const *at, size_t n, int64_t wrap_ms)
{
	int64_t min = 0, max = 0;

	for (size_t i = 0; i < n; i++) {
		for (const struct policy_limits *l = at[i]; l != NULL; l = l->next) {
			take_smaller(&min, l->min_wrap_ms);
			take_smaller(&max, l->max_wrap_ms);
		}
	}
	if (min == 0 && max == 0)
		return true;
	return wrap_ms > 0 && wrap_ms >= min && (max == 0 || wrap_ms <= max);
}

/* Parameters are judged where something is stored, as Vault does. */
static bool takes_params(const struct policy_ask *ask)
{
	return ask->params != NULL &&
	       (ask->op == OP_CREATE || ask->op == OP_UPDATE || ask->op == OP_PATCH);
}

bool policy_limits_allow(const struct policy_limits *const *at, size_t n,
                         const struct policy_ask *ask)
{
	return wrap_passes(at, n, ask->wrap_ms) &&
	       (!takes_params(ask) || params_pass(at, n, ask));
}
