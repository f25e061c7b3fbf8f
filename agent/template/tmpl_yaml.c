/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as YAML, laid out as the original's library does it: block style, lists in maps
 * not indented, keys in natural order.
 */
#include "tmpl_yaml_write.h"

#include <stdio.h>
#include <string.h>

#include "text.h"
#include "tmpl_rune.h"

#define SIMPLE_KEY 128

static void put_value(struct yaml_writer *w, struct yaml_place at, const struct tv *v);

static void put_list(struct yaml_writer *w, struct yaml_place at,
                     const struct tv_list *list)
{
	struct yaml_place item = { .indent = at.indent };

	if (list->n == 0) {
		yaml_indicator(w, "[", true, true, false);
		yaml_indicator(w, "]", false, false, false);
		return;
	}
	if (at.indent < 0)
		item.indent = 0;
	else if (!at.in_map || w->indention)
		item.indent += YAML_INDENT;
	for (size_t i = 0; i < list->n && w->b.r->rc == ERR_OK; i++) {
		yaml_indent(w, item.indent);
		yaml_indicator(w, "-", true, false, true);
		put_value(w, item, &list->items[i]);
	}
}

/* Can it stand before a ':' on one line? */
static bool is_simple(const struct tv *key)
{
	if (tv_is_text(key) && text_utf8_ok(key->s.p, key->s.n))
		return !yaml_is_multiline(key->s) && key->s.n <= SIMPLE_KEY;
	return !tv_is_text(key) || TEXT_BASE64_LEN(key->s.n) + 8 <= 70;
}

static void put_pair(struct yaml_writer *w, int to, const struct tv *key,
                     const struct tv *val)
{
	struct yaml_place at = { .indent = to, .in_map = true };
	struct yaml_place before = { .indent = to, .in_map = true, .is_key = true };

	yaml_indent(w, to);
	if (is_simple(key)) {
		put_value(w, before, key);
		yaml_indicator(w, ":", false, false, false);
	} else {
		yaml_indicator(w, "?", true, false, true);
		put_value(w, at, key);
		yaml_indent(w, to);
		yaml_indicator(w, ":", true, false, true);
	}
	put_value(w, at, val);
}

/* A number that a string has from ${*i} on, which is moved behind it. */
static int64_t digits_at(struct tmpl_str s, size_t *i, int64_t v)
{
	for (; *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9'; (*i)++)
		v = (int64_t)((uint64_t)v * 10 + (uint64_t)(s.p[*i] - '0'));
	return v;
}

/* Is there a digit other than 0 in the run of digits before ${i}? */
static bool follows_digits(struct tmpl_str s, size_t i)
{
	while (i > 0 && s.p[i - 1] >= '0' && s.p[i - 1] <= '9')
		if (s.p[--i] != '0')
			return true;
	return false;
}

/* Letters after all else, runs of digits by what they are worth. */
static int natural(struct tmpl_str x, struct tmpl_str y)
{
	size_t i = 0, xi, yi, wx = 0, wy = 0;
	uint32_t cx = 0, cy = 0;
	int64_t nx, ny;
	bool lx, ly;

	for (; i < x.n && i < y.n; i += wx) {
		cx = tmpl_rune(x.p + i, x.n - i, &wx);
		cy = tmpl_rune(y.p + i, y.n - i, &wy);
		if (cx != cy)
			break;
	}
	if (i >= x.n || i >= y.n)
		return (x.n > y.n) - (x.n < y.n);
	lx = tmpl_rune_letter(cx);
	ly = tmpl_rune_letter(cy);
	if (lx != ly)
		return lx ? 1 : -1;
	xi = yi = i;
	nx = ny = !lx && (cx == '0' || cy == '0') && follows_digits(x, i) ? 1 : 0;
	if (!lx) {
		nx = digits_at(x, &xi, nx);
		ny = digits_at(y, &yi, ny);
	}
	if (nx != ny)
		return nx < ny ? -1 : 1;
	if (xi != yi)
		return xi < yi ? -1 : 1;
	return cx < cy ? -1 : 1;
}

/* Numbers and truths by what they are worth, false being 0. */
static bool worth(const struct tv *v, double *out)
{
	switch (v->kind) {
	case TV_BOOL:
		*out = v->b ? 1 : 0;
		return true;
	case TV_INT:
	case TV_INT64:
		*out = (double)v->i;
		return true;
	case TV_UINT64:
	case TV_BYTE:
		*out = (double)v->u;
		return true;
	case TV_FLOAT:
		*out = v->f;
		return true;
	default:
		return false;
	}
}

/* Nothing is between numbers and strings. */
static int rank(enum tv_kind kind)
{
	return kind == TV_NIL ? 2 * TV_FLOAT + 1 : 2 * (int)kind;
}

static int key_order(const struct tv *x, const struct tv *y)
{
	double wx, wy;
	bool nx = worth(x, &wx), ny = worth(y, &wy);

	if (tv_is_text(x) && tv_is_text(y))
		return natural(x->s, y->s);
	if (nx && ny && wx != wy)
		return wx < wy ? -1 : 1;
	if (x->kind == y->kind)
		return tv_compare(x, y);
	return rank(x->kind) < rank(y->kind) ? -1 : 1;
}

/* Keys in their order: heaps, since the comparison is no order that a merge could trust.
 */
static void sift(const struct tv_pair **heap, size_t at, size_t n)
{
	for (;;) {
		size_t child = 2 * at + 1;
		const struct tv_pair *moved;

		if (child >= n)
			return;
		if (child + 1 < n &&
		    key_order(&heap[child]->key, &heap[child + 1]->key) < 0)
			child++;
		if (key_order(&heap[at]->key, &heap[child]->key) >= 0)
			return;
		moved = heap[at];
		heap[at] = heap[child];
		heap[child] = moved;
		at = child;
	}
}

static void put_map(struct yaml_writer *w, struct yaml_place at, const struct tv_map *map)
{
	const struct tv_pair **heap;
	int to = at.indent < 0 ? 0 : at.indent + YAML_INDENT;
	size_t n = map->n;

	if (n == 0) {
		yaml_indicator(w, "{", true, true, false);
		yaml_indicator(w, "}", false, false, false);
		return;
	}
	if ((heap = tmpl_alloc(w->b.r, n * sizeof(*heap))) == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		heap[i] = &map->pairs[i];
	for (size_t i = n / 2; i > 0; i--)
		sift(heap, i - 1, n);
	for (size_t i = n; i > 1; i--) {
		const struct tv_pair *last = heap[i - 1];

		heap[i - 1] = heap[0];
		heap[0] = last;
		sift(heap, 0, i - 1);
	}
	for (size_t i = 0; i < n && w->b.r->rc == ERR_OK; i++)
		put_pair(w, to, &heap[i]->key, &heap[i]->val);
}

static void put_secret(struct yaml_writer *w, struct yaml_place at,
                       const struct tv_secret *s)
{
	static const struct tv nil = { .kind = TV_NIL };
	const struct {
		const char *name;
		const struct tv *v;
	} members[] = {
		{"requestid",      &s->request_id    },
		{ "leaseid",       &s->lease_id      },
		{ "leaseduration", &s->lease_duration},
		{ "renewable",     &s->renewable     },
		{ "data",          &s->data          },
		{ "warnings",      &s->warnings      },
		{ "auth",          &nil              },
		{ "wrapinfo",      &nil              },
	};
	int to = at.indent < 0 ? 0 : at.indent + YAML_INDENT;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		struct tv key = tv_cstr(members[i].name);

		put_pair(w, to, &key, members[i].v);
	}
}

static void put_simple(struct yaml_writer *w, struct yaml_place at, const struct tv *v)
{
	char text[32];

	switch (v->kind) {
	case TV_NONE:
	case TV_NIL:
	case TV_NIL_POINTER:
		yaml_put_word(w, at, "null");
		break;
	case TV_BOOL:
		yaml_put_word(w, at, v->b ? "true" : "false");
		break;
	case TV_INT:
	case TV_INT64:
		snprintf(text, sizeof(text), "%lld", (long long)v->i);
		yaml_put_word(w, at, text);
		break;
	case TV_UINT64:
	case TV_BYTE:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v->u);
		yaml_put_word(w, at, text);
		break;
	case TV_FLOAT:
		yaml_put_float(w, at, v->f);
		break;
	case TV_NUMBER:
		yaml_put_number(w, at, v->s);
		break;
	default:
		(void)tmpl_fail(w->b.r, ERR_INVALID, "toYAML: unsupported type: %s",
		                tv_type(v));
	}
}

static void put_value(struct yaml_writer *w, struct yaml_place at, const struct tv *v)
{
	if (tmpl_enter(w->b.r) != ERR_OK)
		return;
	if (v->kind == TV_STRING)
		yaml_put_string(w, at, v->s);
	else if (tv_is_list(v))
		put_list(w, at, v->list);
	else if (tv_is_map(v))
		put_map(w, at, v->map);
	else if (v->kind == TV_SECRET)
		put_secret(w, at, v->secret);
	else
		put_simple(w, at, v);
	tmpl_leave(w->b.r);
}

int tmpl_fn_to_yaml(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                    struct tv *out)
{
	struct yaml_writer w = { .b = tmpl_buf(r),
		                 .whitespace = true,
		                 .indention = true };
	struct tv text;

	put_value(&w, (struct yaml_place){ .indent = -1 }, &args[0]);
	if (tmpl_buf_str(&w.b, &text) != ERR_OK)
		return r->rc;
	return tmpl_fn_trim_space(r, &text, 1, out);
}
