/* SPDX-License-Identifier: Apache-2.0 */
/* Values as JSON, as Go writes it. */
#include "tmpl_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tmpl_number.h"
#include "tmpl_rune.h"

struct writer {
	struct tmpl_buf b;
	const char *name; /* of the function, for messages */
	bool pretty;
	bool html; /* escape what HTML would take for its own */
	unsigned depth;
};

static void put_value(struct writer *w, const struct tv *v);

static void put_char(struct writer *w, uint32_t c, const char *bytes, size_t width)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *special = c != 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
	char text[8];

	if (special != NULL) {
		tmpl_putc(&w->b, '\\');
		tmpl_putc(&w->b, to[special - from]);
	} else if (c < ' ' || c == 0x2028 || c == 0x2029 ||
	           (w->html && (c == '<' || c == '>' || c == '&')) ||
	           !tmpl_rune_valid(c, width)) {
		snprintf(text, sizeof(text), "\\u%04x", (unsigned)c);
		tmpl_puts(&w->b, text);
	} else {
		tmpl_put(&w->b, bytes, width);
	}
}

static void put_string(struct writer *w, struct tmpl_str s)
{
	size_t width;

	tmpl_putc(&w->b, '"');
	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);

		put_char(w, c, s.p + i, width);
	}
	tmpl_putc(&w->b, '"');
}

static void put_float(struct writer *w, double f)
{
	char text[TMPL_FLOAT_MAX];
	double size = fabs(f);
	size_t n;

	if (!isfinite(f)) {
		(void)tmpl_fail(w->b.r, ERR_INVALID, "%s: a float that is no number",
		                w->name);
		return;
	}
	n = tmpl_write_float(f, size != 0 && (size < 1e-6 || size >= 1e21) ? 'e' : 'f', 0,
	                     0, text);
	/* e-09 is e-9 */
	if (n >= 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0') {
		text[n - 2] = text[n - 1];
		n--;
	}
	tmpl_put(&w->b, text, n);
}

static void new_line(struct writer *w)
{
	if (!w->pretty)
		return;
	tmpl_putc(&w->b, '\n');
	tmpl_pad(&w->b, (size_t)2 * w->depth, ' ');
}

static void put_list(struct writer *w, const struct tv_list *list)
{
	if (list->nil || list->n == 0) {
		tmpl_puts(&w->b, list->nil ? "null" : "[]");
		return;
	}
	tmpl_putc(&w->b, '[');
	w->depth++;
	for (size_t i = 0; i < list->n && w->b.r->rc == ERR_OK; i++) {
		if (i > 0)
			tmpl_putc(&w->b, ',');
		new_line(w);
		put_value(w, &list->items[i]);
	}
	w->depth--;
	new_line(w);
	tmpl_putc(&w->b, ']');
}

static void put_key(struct writer *w, bool first, struct tmpl_str key)
{
	if (!first)
		tmpl_putc(&w->b, ',');
	new_line(w);
	put_string(w, key);
	tmpl_puts(&w->b, w->pretty ? ": " : ":");
}

static void put_map(struct writer *w, const struct tv_map *map)
{
	if (map->nil || map->n == 0) {
		tmpl_puts(&w->b, map->nil ? "null" : "{}");
		return;
	}
	tmpl_putc(&w->b, '{');
	w->depth++;
	for (size_t i = 0; i < map->n && w->b.r->rc == ERR_OK; i++) {
		put_key(w, i == 0, map->pairs[i].key.s);
		put_value(w, &map->pairs[i].val);
	}
	w->depth--;
	new_line(w);
	tmpl_putc(&w->b, '}');
}

static void put_secret(struct writer *w, const struct tv_secret *s)
{
	static const struct tv nil = { .kind = TV_NIL };
	const struct {
		const char *name;
		const struct tv *v;
	} members[] = {
		{"RequestID",      &s->request_id    },
		{ "LeaseID",       &s->lease_id      },
		{ "LeaseDuration", &s->lease_duration},
		{ "Renewable",     &s->renewable     },
		{ "Data",          &s->data          },
		{ "Warnings",      &s->warnings      },
		{ "Auth",          &nil              },
		{ "WrapInfo",      &nil              },
	};

	tmpl_putc(&w->b, '{');
	w->depth++;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		put_key(w, i == 0, tv_cstr(members[i].name).s);
		put_value(w, members[i].v);
	}
	w->depth--;
	new_line(w);
	tmpl_putc(&w->b, '}');
}

static void put_simple(struct writer *w, const struct tv *v)
{
	char text[32];

	switch (v->kind) {
	case TV_NONE:
	case TV_NIL:
	case TV_NIL_POINTER:
		tmpl_puts(&w->b, "null");
		break;
	case TV_BOOL:
		tmpl_puts(&w->b, v->b ? "true" : "false");
		break;
	case TV_INT:
	case TV_INT64:
		snprintf(text, sizeof(text), "%lld", (long long)v->i);
		tmpl_puts(&w->b, text);
		break;
	case TV_UINT64:
	case TV_BYTE:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v->u);
		tmpl_puts(&w->b, text);
		break;
	case TV_FLOAT:
		put_float(w, v->f);
		break;
	case TV_NUMBER:
		tmpl_put(&w->b, v->s.p, v->s.n);
		break;
	default:
		(void)tmpl_fail(w->b.r, ERR_INVALID, "%s: unsupported type: %s", w->name,
		                tv_type(v));
	}
}

static void put_value(struct writer *w, const struct tv *v)
{
	if (tmpl_enter(w->b.r) != ERR_OK)
		return;
	if (v->kind == TV_STRING)
		put_string(w, v->s);
	else if (tv_is_list(v))
		put_list(w, v->list);
	else if (v->kind == TV_MAP || v->kind == TV_TEXT_MAP)
		put_map(w, v->map);
	else if (v->kind == TV_SECRET)
		put_secret(w, v->secret);
	else
		put_simple(w, v);
	tmpl_leave(w->b.r);
}

static int to_json(struct writer w, struct tmpl_run *r, const struct tv *args,
                   struct tv *out)
{
	w.b = tmpl_buf(r);
	put_value(&w, &args[0]);
	return tmpl_buf_str(&w.b, out);
}

int tmpl_fn_to_json(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                    struct tv *out)
{
	return to_json((struct writer){ .name = "toJSON", .html = true }, r, args, out);
}

int tmpl_fn_to_json_pretty(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                           struct tv *out)
{
	return to_json(
		(struct writer){ .name = "toJSONPretty", .html = true, .pretty = true },
		r, args, out);
}

int tmpl_fn_to_unescaped_json(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                              struct tv *out)
{
	return to_json((struct writer){ .name = "toUnescapedJSON" }, r, args, out);
}

int tmpl_fn_to_unescaped_json_pretty(struct tmpl_run *r, const struct tv *args,
                                     size_t n UNUSED, struct tv *out)
{
	return to_json((struct writer){ .name = "toUnescapedJSONPretty", .pretty = true },
	               r, args, out);
}
