/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of the language itself, but for comparisons. */
#include "tmpl_run.h"

#include <stdio.h>
#include <string.h>

#include "tmpl_print.h"
#include "tmpl_rune.h"

int tmpl_fn_not(struct tmpl_run *r UNUSED, const struct tv *args, size_t n UNUSED,
                struct tv *out)
{
	*out = tv_bool(!tv_true(&args[0]));
	return ERR_OK;
}

/* An index from 0 to ${max}. */
static int as_index(struct tmpl_run *r, const struct tv *v, size_t max, size_t *out)
{
	if (!tv_is_int(v) && !tv_is_uint(v))
		return tmpl_fail(r, ERR_INVALID, "a %s is no index of a list",
		                 tv_type(v));
	if (v->u > max) /* negative ones too */
		return tmpl_fail(r, ERR_INVALID, "index out of range");
	*out = (size_t)v->u;
	return ERR_OK;
}

static int index_map(struct tmpl_run *r, const struct tv *map, const struct tv *key,
                     struct tv *out)
{
	const struct tv *found;
	bool any = map->kind == TV_ANY_MAP;
	int rc;

	if (!any && key->kind != TV_STRING)
		return tmpl_fail(r, ERR_INVALID,
		                 "the index has type %s; should be string", tv_type(key));
	if ((rc = tmpl_spend(r, tv_is_text(key) ? key->s.n : 0)) != ERR_OK)
		return rc;
	found = tv_map_find(map->map, key);
	if (found != NULL)
		*out = *found;
	else
		*out = map->kind == TV_TEXT_MAP ? tv_str("", 0) : tv_nil();
	return ERR_OK;
}

static int index_one(struct tmpl_run *r, const struct tv *item, const struct tv *key,
                     struct tv *out)
{
	size_t i = 0;
	int rc;

	if (tv_is_map(item))
		return index_map(r, item, key, out);
	if (tv_is_list(item)) {
		if ((rc = as_index(r, key, item->list->n, &i)) != ERR_OK)
			return rc;
		if (i == item->list->n)
			return tmpl_fail(r, ERR_INVALID, "index out of range");
		*out = item->list->items[i];
		return ERR_OK;
	}
	if (tv_is_text(item)) {
		if ((rc = as_index(r, key, item->s.n, &i)) != ERR_OK)
			return rc;
		if (i == item->s.n)
			return tmpl_fail(r, ERR_INVALID, "index out of range");
		*out = (struct tv){ .kind = TV_BYTE, .u = (unsigned char)item->s.p[i] };
		return ERR_OK;
	}
	return tmpl_fail(r, ERR_INVALID, "can't index item of type %s", tv_type(item));
}

int tmpl_fn_index(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tv item = args[0];

	if (item.kind == TV_NONE || item.kind == TV_NIL)
		return tmpl_fail(r, ERR_INVALID, "index of untyped nil");
	for (size_t i = 1; i < n; i++) {
		struct tv key = tv_strip(args[i]);
		int rc = index_one(r, &item, &key, out);

		if (rc != ERR_OK)
			return rc;
		item = *out;
	}
	*out = item;
	return ERR_OK;
}

static int sliced(struct tmpl_run *r, const struct tv *v, const size_t *at, size_t cap,
                  struct tv *out)
{
	struct tv_list *list;

	*out = *v;
	if (tv_is_text(v)) {
		out->s.p += at[0];
		out->s.n = at[1] - at[0];
		return ERR_OK;
	}
	if ((list = tmpl_alloc(r, sizeof(*list))) == NULL)
		return r->rc;
	list->items = v->list->items != NULL ? v->list->items + at[0] : NULL;
	list->n = at[1] - at[0];
	list->cap = cap - at[0];
	list->nil = v->list->nil;
	out->list = list;
	return ERR_OK;
}

int tmpl_fn_slice(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tv v = tv_strip(args[0]);
	size_t at[3] = { 0, 0, 0 }, cap;
	int rc;

	if (!tv_is_text(&v) && !tv_is_list(&v))
		return tmpl_fail(r, ERR_INVALID, "can't slice item of type %s",
		                 tv_type(&v));
	if (n - 1 > (tv_is_text(&v) ? 2 : 3))
		return tmpl_fail(r, ERR_INVALID, "too many slice indexes: %zu", n - 1);
	cap = tv_is_text(&v) ? v.s.n : v.list->cap;
	at[1] = tv_is_text(&v) ? v.s.n : v.list->n;
	for (size_t i = 1; i < n; i++) {
		struct tv index = tv_strip(args[i]);

		if ((rc = as_index(r, &index, cap, &at[i - 1])) != ERR_OK)
			return rc;
	}
	if (n == 4)
		cap = at[2];
	if (at[0] > at[1] || at[1] > cap)
		return tmpl_fail(r, ERR_INVALID, "invalid slice index");
	return sliced(r, &v, at, cap, out);
}

int tmpl_fn_len(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                struct tv *out)
{
	const struct tv *v = &args[0];

	if (tv_is_text(v))
		*out = tv_int((int64_t)v->s.n);
	else if (tv_is_list(v))
		*out = tv_int((int64_t)v->list->n);
	else if (tv_is_map(v))
		*out = tv_int((int64_t)v->map->n);
	else if (v->kind == TV_LOOP)
		*out = tv_int(0); /* a channel that holds nothing back */
	else
		return tmpl_fail(r, ERR_INVALID, "len of type %s", tv_type(v));
	return ERR_OK;
}

int tmpl_fn_print(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);

	tmpl_print(&b, args, n, false);
	return tmpl_buf_str(&b, out);
}

int tmpl_fn_println(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			tmpl_putc(&b, ' ');
		tmpl_print(&b, &args[i], 1, false);
	}
	tmpl_putc(&b, '\n');
	return tmpl_buf_str(&b, out);
}

int tmpl_fn_printf(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);

	tmpl_sprintf(&b, args[0].s, args + 1, n - 1);
	return tmpl_buf_str(&b, out);
}

/* What html, js and urlquery escape. */
static struct tmpl_str shown(struct tmpl_run *r, const struct tv *args, size_t n)
{
	struct tmpl_buf b = tmpl_buf(r);

	if (n == 1 && args[0].kind == TV_STRING)
		return args[0].s;
	tmpl_print(&b, args, n, true);
	return (struct tmpl_str){ b.n > 0 ? b.p : "", b.n };
}

int tmpl_fn_html(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	struct tmpl_str s = shown(r, args, n);

	for (size_t i = 0; i < s.n; i++)
		switch (s.p[i]) {
		case '\0':
			tmpl_puts(&b, "\xEF\xBF\xBD");
			break;
		case '"':
			tmpl_puts(&b, "&#34;");
			break;
		case '\'':
			tmpl_puts(&b, "&#39;");
			break;
		case '&':
			tmpl_puts(&b, "&amp;");
			break;
		case '<':
			tmpl_puts(&b, "&lt;");
			break;
		case '>':
			tmpl_puts(&b, "&gt;");
			break;
		default:
			tmpl_putc(&b, s.p[i]);
		}
	return tmpl_buf_str(&b, out);
}

static void put_js(struct tmpl_buf *b, uint32_t c, const char *bytes, size_t width)
{
	char text[16];

	if (c == '\\' || c == '\'' || c == '"') {
		tmpl_putc(b, '\\');
		tmpl_putc(b, (char)c);
	} else if (c < 0x80 ? c < ' ' || strchr("<>&=", (int)c) != NULL
	                    : !tmpl_rune_print(c)) {
		snprintf(text, sizeof(text), "\\u%04X", (unsigned)c);
		tmpl_puts(b, text);
	} else {
		tmpl_put(b, bytes, width);
	}
}

int tmpl_fn_js(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	struct tmpl_str s = shown(r, args, n);
	size_t width;

	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);

		put_js(&b, c, s.p + i, width);
	}
	return tmpl_buf_str(&b, out);
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

int tmpl_fn_urlquery(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	struct tmpl_str s = shown(r, args, n);
	char text[8];

	for (size_t i = 0; i < s.n; i++) {
		if (is_unreserved(s.p[i]) || s.p[i] == ' ') {
			tmpl_putc(&b, s.p[i] == ' ' ? '+' : s.p[i]);
			continue;
		}
		snprintf(text, sizeof(text), "%%%02X", (unsigned char)s.p[i]);
		tmpl_puts(&b, text);
	}
	return tmpl_buf_str(&b, out);
}
