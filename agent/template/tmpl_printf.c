/* SPDX-License-Identifier: Apache-2.0 */
/* printf: its format, and numbers by verbs. */
#include "tmpl_print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tmpl_number.h"
#include "tmpl_rune.h"

#define WIDTH_MAX 1000000 /* as Go's */

/* Digits of ${u} from the end of ${text}; where they begin. */
static char *digits_of(uint64_t u, unsigned base, bool upper, char *end)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do
		*--end = digits[u % base];
	while ((u /= base) > 0);
	return end;
}

/* Sign, prefix, zeros that fill, digits: in the width. */
static void put_integer(struct tmpl_buf *b, const struct tmpl_spec *spec, bool negative,
                        uint64_t u, unsigned base)
{
	char text[72], *end = text + sizeof(text);
	char *p = digits_of(u, base, spec->verb == 'X', end);
	char sign = negative ? '-' : spec->plus ? '+' : spec->space ? ' ' : '\0';
	const char *prefix = "";
	struct tmpl_spec padding = *spec;
	struct tmpl_buf out = tmpl_buf(b->r);
	int least = spec->prec, n = (int)(end - p);

	padding.zero = false;
	if (spec->prec == 0 && u == 0) {
		tmpl_pad_put(b, &padding, "", 0);
		return;
	}
	if (spec->prec < 0 && spec->zero && !spec->minus && spec->width > 0)
		least = spec->width - (sign != '\0' ? 1 : 0);
	if (spec->sharp && base == 16)
		prefix = spec->verb == 'X' ? "0X" : "0x";
	else if (spec->sharp && base == 2)
		prefix = "0b";
	else if (spec->verb == 'O')
		prefix = "0o";
	else if (spec->sharp && base == 8 && (*p != '0' && least <= n))
		prefix = "0";
	if (sign != '\0')
		tmpl_putc(&out, sign);
	tmpl_puts(&out, prefix);
	if (least > n)
		tmpl_pad(&out, (size_t)(least - n), '0');
	tmpl_put(&out, p, (size_t)n);
	tmpl_pad_put(b, &padding, out.p, out.n);
}

/* "U+0041", with '#' also the character. */
static void put_unicode(struct tmpl_buf *b, const struct tmpl_spec *spec, uint64_t u)
{
	struct tmpl_spec padding = *spec;
	struct tmpl_buf out = tmpl_buf(b->r);
	char text[32];

	padding.zero = false;
	snprintf(text, sizeof(text), "U+%0*llX",
	         spec->prec > 4 && spec->prec < 16 ? spec->prec : 4,
	         (unsigned long long)u);
	tmpl_puts(&out, text);
	if (spec->sharp && u <= 0x10FFFF && tmpl_rune_print((uint32_t)u)) {
		tmpl_puts(&out, " '");
		tmpl_put_rune(&out, (uint32_t)u);
		tmpl_putc(&out, '\'');
	}
	tmpl_pad_put(b, &padding, out.p, out.n);
}

static void put_char(struct tmpl_buf *b, const struct tmpl_spec *spec, uint64_t u)
{
	struct tmpl_buf c = tmpl_buf(b->r), out = tmpl_buf(b->r);

	tmpl_put_rune(&c, u > 0x10FFFF ? TMPL_RUNE_ERROR : (uint32_t)u);
	if (spec->verb == 'c')
		out = c;
	else
		tmpl_quote(&out, (struct tmpl_str){ c.p, c.n }, '\'', spec->plus);
	tmpl_pad_put(b, spec, out.p, out.n);
}

static bool format_integer(struct tmpl_buf *b, const struct tmpl_spec *spec,
                           const struct tv *v)
{
	bool negative = tv_is_int(v) && v->i < 0;
	uint64_t u = negative ? ~(uint64_t)v->i + 1 : v->u;

	switch (spec->verb) {
	case 'v':
	case 'd':
		put_integer(b, spec, negative, u, 10);
		return true;
	case 'b':
		put_integer(b, spec, negative, u, 2);
		return true;
	case 'o':
	case 'O':
		put_integer(b, spec, negative, u, 8);
		return true;
	case 'x':
	case 'X':
		put_integer(b, spec, negative, u, 16);
		return true;
	case 'c':
	case 'q':
		put_char(b, spec, v->u);
		return true;
	case 'U':
		put_unicode(b, spec, v->u);
		return true;
	default:
		return false;
	}
}

/* The digits of a float without its sign, into ${out} of ${cap}. */
static size_t write_float(const struct tmpl_spec *spec, double f, char *out, size_t cap)
{
	char shortest[TMPL_FLOAT_MAX];
	int prec = spec->prec < 0 ? 6 : spec->prec;
	size_t n;

	switch (spec->verb) {
	case 'e':
		return (size_t)snprintf(out, cap, "%.*e", prec, f);
	case 'E':
		return (size_t)snprintf(out, cap, "%.*E", prec, f);
	case 'f':
	case 'F':
		return (size_t)snprintf(out, cap, "%.*f", prec, f);
	default:
		break;
	}
	if (spec->prec >= 0)
		return (size_t)snprintf(out, cap, spec->verb == 'G' ? "%.*G" : "%.*g",
		                        spec->prec, f);
	n = tmpl_write_g(f, shortest);
	for (size_t i = 0; i < n; i++)
		out[i] = shortest[i] == 'e' && spec->verb == 'G' ? 'E' : shortest[i];
	return n;
}

static void put_float(struct tmpl_buf *b, const struct tmpl_spec *spec, double f)
{
	char text[1500];
	struct tmpl_spec padding = *spec;
	struct tmpl_buf out = tmpl_buf(b->r);
	bool finite = isfinite(f);
	char sign = signbit(f) && !isnan(f) ? '-'
	            : spec->plus            ? '+'
	            : spec->space           ? ' '
	                                    : '\0';
	size_t n, width = spec->width > 0 ? (size_t)spec->width : 0, used;

	if (!finite && sign == '\0' && isinf(f))
		sign = '+';
	if (finite)
		n = write_float(spec, fabs(f), text, sizeof(text));
	else
		n = (size_t)snprintf(text, sizeof(text), "%s", isnan(f) ? "NaN" : "Inf");
	used = n + (sign != '\0' ? 1 : 0);
	padding.zero = false;
	if (sign != '\0')
		tmpl_putc(&out, sign);
	if (spec->zero && !spec->minus && finite && width > used)
		tmpl_pad(&out, width - used, '0');
	tmpl_put(&out, text, n);
	tmpl_pad_put(b, &padding, out.p, out.n);
}

static bool format_float(struct tmpl_buf *b, const struct tmpl_spec *spec,
                         const struct tv *v)
{
	if (spec->verb > 0x7F || strchr("vbgGxXfFeE", (int)spec->verb) == NULL)
		return false;
	if (strchr("bxX", (int)spec->verb) != NULL || spec->sharp || spec->prec > 1000)
		(void)tmpl_fail(b->r, ERR_INVALID,
		                "printf: a float in a form that is not supported");
	else
		put_float(b, spec, v->f);
	return true;
}

bool tmpl_format_number(struct tmpl_buf *b, const struct tmpl_spec *spec,
                        const struct tv *v)
{
	return v->kind == TV_FLOAT ? format_float(b, spec, v)
	                           : format_integer(b, spec, v);
}

/* Where a format and its arguments stand. */
struct format {
	struct tmpl_buf *b;
	struct tmpl_str s;
	size_t at;
	const struct tv *args;
	size_t n;
	size_t next;
};

static void flags(struct format *f, struct tmpl_spec *spec)
{
	for (; f->at < f->s.n; f->at++)
		switch (f->s.p[f->at]) {
		case '+':
			spec->plus = true;
			break;
		case '-':
			spec->minus = true;
			break;
		case '#':
			spec->sharp = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '0':
			spec->zero = true;
			break;
		default:
			return;
		}
}

/* Digits, or '*' for an argument; -1 if neither is here. */
static int number(struct format *f, const char *bad)
{
	int v = -1;

	if (f->at < f->s.n && f->s.p[f->at] == '*') {
		const struct tv *arg = f->next < f->n ? &f->args[f->next] : NULL;

		f->at++;
		f->next++;
		if (arg != NULL && (tv_is_int(arg) || tv_is_uint(arg)) &&
		    arg->i >= -WIDTH_MAX && arg->i <= WIDTH_MAX)
			return (int)arg->i;
		tmpl_puts(f->b, bad);
		return -1;
	}
	for (; f->at < f->s.n && f->s.p[f->at] >= '0' && f->s.p[f->at] <= '9'; f->at++) {
		v = (v < 0 ? 0 : v) * 10 + (f->s.p[f->at] - '0');
		if (v > WIDTH_MAX) {
			(void)tmpl_fail(f->b->r, ERR_INVALID, "printf: too wide");
			return -1;
		}
	}
	return v;
}

static void put_verb(struct format *f, const struct tmpl_spec *spec)
{
	struct tmpl_buf *b = f->b;

	if (spec->verb == '%') {
		tmpl_putc(b, '%');
	} else if (spec->verb == 'p' || (spec->verb == 'v' && spec->sharp)) {
		(void)tmpl_fail(b->r, ERR_INVALID, "printf: %%%s is not supported",
		                spec->verb == 'p' ? "p" : "#v");
	} else if (f->next >= f->n) {
		tmpl_puts(b, "%!");
		tmpl_put_rune(b, spec->verb);
		tmpl_puts(b, "(MISSING)");
		f->next++;
	} else {
		struct tmpl_spec own = *spec;

		if (own.verb == 'v')
			own.plus = false; /* it asks for names of members */
		tmpl_format(b, &own, &f->args[f->next++]);
	}
}

/* Behind a '%'. */
static void put_directive(struct format *f)
{
	struct tmpl_spec spec = { .width = -1, .prec = -1 };
	size_t width;

	flags(f, &spec);
	if (f->at < f->s.n && f->s.p[f->at] == '[') {
		(void)tmpl_fail(f->b->r, ERR_INVALID, "printf: %%[n] is not supported");
		return;
	}
	spec.width = number(f, "%!(BADWIDTH)");
	if (spec.width < -1) {
		spec.width = -spec.width;
		spec.minus = true;
	}
	if (f->at < f->s.n && f->s.p[f->at] == '.') {
		f->at++;
		spec.prec = number(f, "%!(BADPREC)");
		if (spec.prec < 0)
			spec.prec = 0;
	}
	if (f->at == f->s.n) {
		tmpl_puts(f->b, "%!(NOVERB)");
		return;
	}
	spec.verb = tmpl_rune(f->s.p + f->at, f->s.n - f->at, &width);
	f->at += width;
	put_verb(f, &spec);
}

static void put_extra(struct format *f)
{
	static const struct tmpl_spec plain = { .verb = 'v', .width = -1, .prec = -1 };

	tmpl_puts(f->b, "%!(EXTRA ");
	for (size_t i = f->next; i < f->n; i++) {
		if (i > f->next)
			tmpl_puts(f->b, ", ");
		if (f->args[i].kind == TV_NIL) {
			tmpl_puts(f->b, "<nil>");
			continue;
		}
		tmpl_puts(f->b, tv_type(&f->args[i]));
		tmpl_putc(f->b, '=');
		tmpl_format(f->b, &plain, &f->args[i]);
	}
	tmpl_putc(f->b, ')');
}

void tmpl_sprintf(struct tmpl_buf *b, struct tmpl_str format, const struct tv *args,
                  size_t n)
{
	struct format f = { .b = b, .s = format, .args = args, .n = n };

	while (f.at < f.s.n && b->r->rc == ERR_OK) {
		const char *from = f.s.p + f.at, *to = memchr(from, '%', f.s.n - f.at);
		size_t text = to != NULL ? (size_t)(to - from) : f.s.n - f.at;

		tmpl_put(b, from, text);
		f.at += text;
		if (f.at == f.s.n)
			break;
		f.at++;
		put_directive(&f);
	}
	if (f.next < f.n && b->r->rc == ERR_OK)
		put_extra(&f);
}
