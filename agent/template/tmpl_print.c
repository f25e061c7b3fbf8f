/* SPDX-License-Identifier: Apache-2.0 */
/* Values by verbs, and print. */
#include "tmpl_print.h"

#include <stdio.h>
#include <string.h>

#include "text.h"
#include "tmpl_rune.h"

static const struct tmpl_spec plain = { .verb = 'v', .width = -1, .prec = -1 };

void tmpl_put_rune(struct tmpl_buf *b, uint32_t c)
{
	char utf8[TEXT_UTF8_MAX];

	if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		c = TMPL_RUNE_ERROR;
	tmpl_put(b, utf8, text_utf8_put(utf8, c));
}

static void quote_rune(struct tmpl_buf *b, uint32_t c, char quote, bool ascii)
{
	static const char from[] = "\a\b\f\n\r\t\v", to[] = "abfnrtv";
	const char *special = c != 0 && c < 0x20 ? strchr(from, (int)c) : NULL;
	char text[16];

	if (c == (unsigned char)quote || c == '\\') {
		tmpl_putc(b, '\\');
		tmpl_putc(b, (char)c);
	} else if (c < 0x7F ? c >= 0x20 : !ascii && tmpl_rune_print(c)) {
		tmpl_put_rune(b, c);
	} else if (special != NULL) {
		tmpl_putc(b, '\\');
		tmpl_putc(b, to[special - from]);
	} else {
		snprintf(text, sizeof(text),
		         c < ' ' || c == 0x7F ? "\\x%02x"
		         : c < 0x10000        ? "\\u%04x"
		                              : "\\U%08x",
		         (unsigned)c);
		tmpl_puts(b, text);
	}
}

void tmpl_quote(struct tmpl_buf *b, struct tmpl_str s, char quote, bool ascii)
{
	size_t width;

	tmpl_putc(b, quote);
	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);
		char text[8];

		if (tmpl_rune_valid(c, width)) {
			quote_rune(b, c, quote, ascii);
			continue;
		}
		snprintf(text, sizeof(text), "\\x%02x", (unsigned char)s.p[i]);
		tmpl_puts(b, text);
	}
	tmpl_putc(b, quote);
}

static size_t runes(const char *p, size_t n)
{
	size_t count = 0, width;

	for (size_t i = 0; i < n; i += width, count++)
		(void)tmpl_rune(p + i, n - i, &width);
	return count;
}

void tmpl_pad_put(struct tmpl_buf *b, const struct tmpl_spec *spec, const char *p,
                  size_t n)
{
	size_t width = spec->width > 0 ? runes(p, n) : 0, pad;

	pad = spec->width > 0 && (size_t)spec->width > width ? (size_t)spec->width - width
	                                                     : 0;
	if (!spec->minus)
		tmpl_pad(b, pad, spec->zero ? '0' : ' ');
	tmpl_put(b, p, n);
	if (spec->minus)
		tmpl_pad(b, pad, ' ');
}

/* As many characters as the precision has. */
static struct tmpl_str cut(const struct tmpl_spec *spec, struct tmpl_str s)
{
	size_t width, i = 0;

	if (spec->prec < 0)
		return s;
	for (int k = 0; k < spec->prec && i < s.n; k++, i += width)
		(void)tmpl_rune(s.p + i, s.n - i, &width);
	s.n = i;
	return s;
}

static void put_hex(struct tmpl_buf *b, const struct tmpl_spec *spec, struct tmpl_str s)
{
	const char *digits = spec->verb == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
	struct tmpl_buf hex = tmpl_buf(b->r);

	if (spec->prec >= 0 && (size_t)spec->prec < s.n)
		s.n = (size_t)spec->prec;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (spec->space && i > 0)
			tmpl_putc(&hex, ' ');
		if (spec->sharp && (i == 0 || spec->space)) {
			tmpl_putc(&hex, '0');
			tmpl_putc(&hex, (char)spec->verb);
		}
		tmpl_putc(&hex, digits[c >> 4]);
		tmpl_putc(&hex, digits[c & 15]);
	}
	tmpl_pad_put(b, spec, hex.p, hex.n);
}

static bool can_backquote(struct tmpl_str s)
{
	size_t width;

	for (size_t i = 0; i < s.n; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);

		if (!tmpl_rune_valid(c, width) || c == 0xFEFF || (c < ' ' && c != '\t') ||
		    c == '`' || c == 0x7F)
			return false;
	}
	return true;
}

static void put_quoted(struct tmpl_buf *b, const struct tmpl_spec *spec,
                       struct tmpl_str s)
{
	struct tmpl_buf q = tmpl_buf(b->r);

	s = cut(spec, s);
	if (spec->sharp && can_backquote(s)) {
		tmpl_putc(&q, '`');
		tmpl_put(&q, s.p, s.n);
		tmpl_putc(&q, '`');
	} else {
		tmpl_quote(&q, s, '"', spec->plus);
	}
	tmpl_pad_put(b, spec, q.p, q.n);
}

static bool format_text(struct tmpl_buf *b, const struct tmpl_spec *spec,
                        struct tmpl_str s)
{
	switch (spec->verb) {
	case 'v':
	case 's':
		s = cut(spec, s);
		tmpl_pad_put(b, spec, s.p, s.n);
		return true;
	case 'x':
	case 'X':
		put_hex(b, spec, s);
		return true;
	case 'q':
		put_quoted(b, spec, s);
		return true;
	default:
		return false;
	}
}

/* What a list or map holds; nothing is "<nil>" by any verb. */
static void format_item(struct tmpl_buf *b, const struct tmpl_spec *spec,
                        const struct tv *v)
{
	if (v->kind == TV_NIL)
		tmpl_puts(b, "<nil>");
	else
		tmpl_format(b, spec, v);
}

static void format_list(struct tmpl_buf *b, const struct tmpl_spec *spec,
                        const struct tv_list *list)
{
	tmpl_putc(b, '[');
	for (size_t i = 0; i < list->n && b->r->rc == ERR_OK; i++) {
		if (i > 0)
			tmpl_putc(b, ' ');
		format_item(b, spec, &list->items[i]);
	}
	tmpl_putc(b, ']');
}

static void format_map(struct tmpl_buf *b, const struct tmpl_spec *spec,
                       const struct tv_map *map)
{
	tmpl_puts(b, "map[");
	for (size_t i = 0; i < map->n && b->r->rc == ERR_OK; i++) {
		if (i > 0)
			tmpl_putc(b, ' ');
		format_item(b, spec, &map->pairs[i].key);
		tmpl_putc(b, ':');
		format_item(b, spec, &map->pairs[i].val);
	}
	tmpl_putc(b, ']');
}

static void format_secret(struct tmpl_buf *b, const struct tmpl_spec *spec,
                          const struct tv_secret *s)
{
	const struct tv *const members[] = { &s->request_id,     &s->lease_id,
		                             &s->lease_duration, &s->renewable,
		                             &s->data,           &s->warnings };

	tmpl_putc(b, '{');
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		tmpl_format(b, spec, members[i]);
		tmpl_putc(b, ' ');
	}
	tmpl_puts(b, "<nil> <nil>}");
}

/* What Go writes for a verb that is none of the type's; flags hold for the value. */
static void bad_verb(struct tmpl_buf *b, const struct tmpl_spec *spec, const struct tv *v)
{
	struct tmpl_spec value = *spec;

	value.verb = 'v';
	value.sharp = false;
	tmpl_puts(b, "%!");
	tmpl_put_rune(b, spec->verb);
	tmpl_putc(b, '(');
	if (v->kind == TV_NIL || v->kind == TV_NONE) {
		tmpl_puts(b, "<nil>");
	} else {
		tmpl_puts(b, tv_type(v));
		tmpl_putc(b, '=');
		tmpl_format(b, &value, v);
	}
	tmpl_putc(b, ')');
}

static void format_word(struct tmpl_buf *b, const struct tmpl_spec *spec, const char *s)
{
	tmpl_pad_put(b, spec, s, strlen(s));
}

static void format_type(struct tmpl_buf *b, const struct tmpl_spec *spec,
                        const struct tv *v)
{
	struct tmpl_str name = cut(spec, tv_cstr(tv_type(v)).s);

	if (v->kind == TV_NIL || v->kind == TV_NONE)
		format_word(b, spec, "<nil>");
	else
		tmpl_pad_put(b, spec, name.p, name.n);
}

/* What has neither parts nor is text; false: the verb is none of the type's. */
static bool format_simple(struct tmpl_buf *b, const struct tmpl_spec *spec,
                          const struct tv *v)
{
	if (v->kind == TV_BOOL) {
		if (spec->verb != 'v' && spec->verb != 't')
			return false;
		format_word(b, spec, v->b ? "true" : "false");
		return true;
	}
	if (v->kind == TV_NIL || v->kind == TV_NONE || v->kind == TV_NIL_POINTER) {
		if (spec->verb != 'v')
			return false;
		format_word(b, spec, "<nil>");
		return true;
	}
	if (v->kind == TV_SCRATCH || v->kind == TV_LOOP) {
		(void)tmpl_fail(b->r, ERR_INVALID, "can't print a %s", tv_type(v));
		return true;
	}
	return tmpl_format_number(b, spec, v);
}

void tmpl_format(struct tmpl_buf *b, const struct tmpl_spec *spec, const struct tv *v)
{
	bool ok = true;

	if (tmpl_enter(b->r) != ERR_OK)
		return;
	if (spec->verb == 'T')
		format_type(b, spec, v);
	else if (tv_is_text(v))
		ok = format_text(b, spec, v->s);
	else if (tv_is_list(v))
		format_list(b, spec, v->list);
	else if (tv_is_map(v))
		format_map(b, spec, v->map);
	else if (v->kind == TV_SECRET)
		format_secret(b, spec, v->secret);
	else
		ok = format_simple(b, spec, v);
	if (!ok)
		bad_verb(b, spec, v);
	tmpl_leave(b->r);
}

void tmpl_show(struct tmpl_buf *b, const struct tv *v)
{
	if (v->kind == TV_NONE)
		tmpl_puts(b, "<no value>");
	else if (v->kind == TV_STRING)
		tmpl_put(b, v->s.p, v->s.n);
	else
		tmpl_format(b, &plain, v);
}

void tmpl_print(struct tmpl_buf *b, const struct tv *args, size_t n, bool shown)
{
	bool text_before = true;

	for (size_t i = 0; i < n && b->r->rc == ERR_OK; i++) {
		bool nothing = args[i].kind == TV_NIL || args[i].kind == TV_NONE;
		bool text = tv_is_text(&args[i]) || (nothing && shown);

		if (i > 0 && !text && !text_before)
			tmpl_putc(b, ' ');
		text_before = text;
		if (nothing && shown)
			tmpl_puts(b, "<no value>");
		else if (args[i].kind == TV_SECRET && !shown)
			tmpl_putc(b, '&'), tmpl_format(b, &plain, &args[i]);
		else
			tmpl_format(b, &plain, &args[i]);
	}
}
