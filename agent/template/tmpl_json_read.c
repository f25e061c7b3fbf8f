/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as values, as Go reads it: numbers are floats, of equal keys the last counts, what
 * is no UTF-8 becomes U+FFFD. */
#include "tmpl_run.h"

#include <string.h>

#include "tmpl_number.h"
#include "tmpl_print.h"
#include "tmpl_rune.h"

struct reader {
	struct tmpl_run *r;
	const char *p;
	const char *end;
};

static int read_value(struct reader *j, struct tv *out);

static int bad(struct reader *j)
{
	return tmpl_fail(j->r, ERR_INVALID, "parseJSON: this is no JSON");
}

static char peek(struct reader *j)
{
	while (j->p < j->end &&
	       (*j->p == ' ' || *j->p == '\t' || *j->p == '\r' || *j->p == '\n'))
		j->p++;
	return j->p < j->end ? *j->p : '\0';
}

static bool take(struct reader *j, char c)
{
	if (peek(j) != c || j->p == j->end)
		return false;
	j->p++;
	return true;
}

/* Four digits behind "\u"; -1 if they are not there. */
static long unit(struct reader *j)
{
	uint64_t v;

	if (j->end - j->p < 4 || !tmpl_read_uint(j->p, 4, 16, &v))
		return -1;
	j->p += 4;
	return (long)v;
}

/* Behind "\u": one unit or a pair; a half of a pair is U+FFFD. */
static int read_unicode(struct reader *j, struct tmpl_buf *b)
{
	long high = unit(j), low;
	const char *before = j->p;

	if (high < 0)
		return bad(j);
	if (high >= 0xD800 && high < 0xE000) {
		if (high < 0xDC00 && j->end - j->p >= 6 && j->p[0] == '\\' &&
		    j->p[1] == 'u') {
			j->p += 2;
			low = unit(j);
			if (low >= 0xDC00 && low < 0xE000) {
				tmpl_put_rune(b, (uint32_t)(0x10000 +
				                            ((high - 0xD800) << 10) +
				                            (low - 0xDC00)));
				return j->r->rc;
			}
			j->p = before;
		}
		high = TMPL_RUNE_ERROR;
	}
	tmpl_put_rune(b, (uint32_t)high);
	return j->r->rc;
}

static int read_escape(struct reader *j, struct tmpl_buf *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	char c;

	if (j->p == j->end)
		return bad(j);
	c = *j->p++;
	if (c == 'u')
		return read_unicode(j, b);
	at = c != '\0' ? strchr(from, c) : NULL;
	if (at == NULL)
		return bad(j);
	tmpl_putc(b, to[at - from]);
	return j->r->rc;
}

/* The opening quote is taken. */
static int read_string(struct reader *j, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(j->r);
	size_t width;
	int rc = ERR_OK;

	while (rc == ERR_OK) {
		if (j->p == j->end || (unsigned char)*j->p < ' ')
			return bad(j);
		if (*j->p == '"')
			break;
		if (*j->p == '\\') {
			j->p++;
			rc = read_escape(j, &b);
			continue;
		}
		tmpl_put_rune(&b, tmpl_rune(j->p, (size_t)(j->end - j->p), &width));
		j->p += width;
		rc = j->r->rc;
	}
	j->p++;
	return tmpl_buf_str(&b, out);
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static int read_number(struct reader *j, struct tv *out)
{
	const char *from = j->p, *p = from, *digits;

	if (p < j->end && *p == '-')
		p++;
	digits = p;
	p = skip_digits(p, j->end);
	if (p == digits || (*digits == '0' && p > digits + 1))
		return bad(j);
	if (p < j->end && *p == '.') {
		digits = ++p;
		if ((p = skip_digits(p, j->end)) == digits)
			return bad(j);
	}
	if (p < j->end && (*p | 0x20) == 'e') {
		p++;
		if (p < j->end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		if ((p = skip_digits(p, j->end)) == digits)
			return bad(j);
	}
	*out = (struct tv){ .kind = TV_FLOAT };
	if (!tmpl_read_float(from, (size_t)(p - from), &out->f))
		return tmpl_fail(j->r, ERR_INVALID, "parseJSON: a number is too large");
	j->p = p;
	return ERR_OK;
}

static int read_list(struct reader *j, struct tv *out)
{
	int rc = tv_new_list(j->r, TV_LIST, 0, out);

	if (rc != ERR_OK || take(j, ']'))
		return rc;
	do {
		struct tv item = tv_nil();

		if ((rc = read_value(j, &item)) != ERR_OK ||
		    (rc = tv_append(j->r, out->list, item)) != ERR_OK)
			return rc;
	} while (take(j, ','));
	out->list->cap = out->list->n;
	return take(j, ']') ? ERR_OK : bad(j);
}

static int read_map(struct reader *j, struct tv *out)
{
	int rc = tv_new_map(j->r, TV_MAP, 0, out);

	if (rc != ERR_OK || take(j, '}'))
		return rc;
	do {
		struct tv key = tv_nil(), val = tv_nil();

		if (!take(j, '"'))
			return bad(j);
		if ((rc = read_string(j, &key)) != ERR_OK)
			return rc;
		if (!take(j, ':'))
			return bad(j);
		if ((rc = read_value(j, &val)) != ERR_OK ||
		    (rc = tv_map_push(j->r, out->map, key, val)) != ERR_OK)
			return rc;
	} while (take(j, ','));
	return take(j, '}') ? tv_map_sort(j->r, out->map) : bad(j);
}

static int read_word(struct reader *j, struct tv *out)
{
	static const struct {
		const char *word;
		struct tv v;
	} words[] = {
		{"null",   { .kind = TV_NIL }             },
		{ "true",  { .kind = TV_BOOL, .b = true } },
		{ "false", { .kind = TV_BOOL, .b = false }},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(j->end - j->p) >= n && memcmp(j->p, words[i].word, n) == 0) {
			j->p += n;
			*out = words[i].v;
			return ERR_OK;
		}
	}
	return bad(j);
}

static int read_value(struct reader *j, struct tv *out)
{
	int rc = tmpl_enter(j->r);

	if (rc != ERR_OK)
		return rc;
	switch (peek(j)) {
	case '{':
		j->p++, rc = read_map(j, out);
		break;
	case '[':
		j->p++, rc = read_list(j, out);
		break;
	case '"':
		j->p++, rc = read_string(j, out);
		break;
	case 'n':
	case 't':
	case 'f':
		rc = read_word(j, out);
		break;
	default:
		rc = read_number(j, out);
	}
	tmpl_leave(j->r);
	return rc;
}

int tmpl_fn_parse_json(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                       struct tv *out)
{
	struct reader j = { r, args[0].s.p, args[0].s.p + args[0].s.n };
	int rc;

	if (args[0].s.n == 0)
		return tv_new_map(r, TV_MAP, 0, out);
	if ((rc = tmpl_spend(r, args[0].s.n)) != ERR_OK ||
	    (rc = read_value(&j, out)) != ERR_OK)
		return rc;
	(void)peek(&j);
	return j.p == j.end ? ERR_OK : bad(&j);
}
