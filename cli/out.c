/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numbers.h"

#define CELL 512

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool out_masked(const struct cli *c)
{
	return c->out_tty && !c->reveal;
}

void out_mask(json_t *data)
{
	const char *key;
	void *tmp;
	json_t *v;

	json_object_foreach_safe(data, tmp, key, v)
		json_object_set_new(data, key, json_string("********"));
}

/* Line separators and what turns the direction of text: U+200E, U+200F, U+2028–U+202E,
 * U+2066–U+2069.  0 if it is none of them. */
static unsigned turning(const unsigned char *p)
{
	unsigned u;

	if (p[0] != 0xe2 || (p[1] & 0xfe) != 0x80 || (p[2] & 0xc0) != 0x80)
		return 0;
	u = 0x2000u | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	if (u == 0x200e || u == 0x200f || (u >= 0x2028 && u <= 0x202e) ||
	    (u >= 0x2066 && u <= 0x2069))
		return u;
	return 0;
}

/* C0, DEL and the bytes of C1 controls (U+0080–U+009F) never reach a terminal as they
 * are. */
static size_t escape(const char *s, char *out, size_t cap)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)s; *p != '\0' && n + 7 < cap;
	     p++) {
		if (*p < 0x20 || *p == 0x7f) {
			n += (size_t)snprintf(out + n, cap - n, "\\x%02x", *p);
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
			n += (size_t)snprintf(out + n, cap - n, "\\u%04x", p[1]);
			p++;
		} else if (turning(p) != 0) {
			n += (size_t)snprintf(out + n, cap - n, "\\u%04x", turning(p));
			p += 2;
		} else {
			out[n++] = (char)*p;
		}
	}
	out[n] = '\0';
	return n;
}

void out_text(const char *s)
{
	char line[4 * CELL];

	escape(s, line, sizeof(line));
	puts(line);
}

void out_raw(const char *s, size_t n)
{
	fwrite(s, 1, n, stdout);
}

void out_json(struct cli *c, const json_t *v)
{
	/* Not escaping slashes, but every control character: JSON itself demands that. */
	char *text = numbers_dump(v,
	                          JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	(void)c;
	if (text != NULL)
		puts(text);
	cli_wipe(text);
}

static void join_list(const json_t *list, char *buf, size_t cap)
{
	char cell[CELL];
	size_t i, n = 0;
	json_t *v;

	buf[0] = '\0';
	json_array_foreach(list, i, v)
	{
		out_scalar(v, cell, sizeof(cell));
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", i > 0 ? ", " : "", cell);
		if (n >= cap)
			return;
	}
}

static void compact(const json_t *v, char *buf, size_t cap)
{
	char *text = numbers_dump(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	snprintf(buf, cap, "%s", text != NULL ? text : "");
	cli_wipe(text);
}

int out_line(FILE *f, const json_t *v)
{
	char *text = numbers_dump(v,
	                          JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	bool ok = text != NULL && fputs(text, f) >= 0 && fputc('\n', f) != EOF;

	cli_wipe(text);
	return ok ? 0 : -1;
}

void out_field(const json_t *v)
{
	const char *number = numbers_text(v);
	char cell[4096], *text;

	if (number != NULL) {
		fputs(number, stdout);
	} else if (json_is_string(v)) {
		out_raw(json_string_value(v), json_string_length(v));
	} else if (json_is_object(v)) {
		text = numbers_dump(v, JSON_COMPACT | JSON_ENSURE_ASCII);
		fputs(text != NULL ? text : "", stdout);
		cli_wipe(text);
	} else {
		fputs(out_scalar(v, cell, sizeof(cell)), stdout);
	}
	if (isatty(STDOUT_FILENO))
		putchar('\n');
}

const char *out_scalar(const json_t *v, char *buf, size_t cap)
{
	switch (v != NULL ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		escape(numbers_text(v) != NULL ? numbers_text(v) : json_string_value(v),
		       buf, cap);
		if (buf[0] == '\0')
			snprintf(buf, cap, "-");
		break;
	case JSON_INTEGER:
		snprintf(buf, cap, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(buf, cap, "%s", json_is_true(v) ? "true" : "false");
		break;
	case JSON_ARRAY:
		join_list(v, buf, cap);
		if (buf[0] == '\0')
			snprintf(buf, cap, "-");
		break;
	case JSON_NULL:
		snprintf(buf, cap, "-");
		break;
	default:
		compact(v, buf, cap);
	}
	return buf;
}

static void pair(const char *key, const json_t *v, int width)
{
	char name[CELL], cell[CELL];

	escape(key, name, sizeof(name));
	printf("%-*s  %s\n", width, name, out_scalar(v, cell, sizeof(cell)));
}

void out_pairs(const json_t *object, const char *const *keys)
{
	const char *key;
	json_t *v;
	int width = 0;

	json_object_foreach((json_t *)object, key, v) if ((int)strlen(key) > width)
		width = (int)strlen(key);
	if (keys == NULL) {
		json_object_foreach((json_t *)object, key, v) pair(key, v, width);
		return;
	}
	for (; *keys != NULL; keys++)
		if ((v = json_object_get(object, *keys)) != NULL)
			pair(*keys, v, width);
}

/* Columns that people see: bytes that continue a UTF-8 character take no room. */
static int visible(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void cell_out(const char *s, int width, bool last)
{
	fputs(s, stdout);
	if (!last)
		printf("%*s", width - visible(s) + 2, "");
}

void out_table(const json_t *rows, const struct column *columns, size_t n)
{
	int width[16] = { 0 };
	char cell[CELL];
	size_t i;
	json_t *row;

	for (size_t k = 0; k < n; k++) {
		width[k] = visible(columns[k].title);
		json_array_foreach(rows, i, row)
		{
			int w = visible(
				out_scalar(json_object_get(row, columns[k].member), cell,
			                   sizeof(cell)));

			width[k] = w > width[k] ? w : width[k];
		}
	}
	for (size_t k = 0; k < n; k++)
		cell_out(columns[k].title, width[k], k + 1 == n);
	putchar('\n');
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < n; k++)
			cell_out(out_scalar(json_object_get(row, columns[k].member), cell,
			                    sizeof(cell)),
			         width[k], k + 1 == n);
		putchar('\n');
	}
}

json_t *out_rows(const json_t *doc, const char *key)
{
	const json_t *data = json_object_get(doc, "data"),
		     *info = json_object_get(data, "key_info");
	json_t *rows = json_array(), *name;
	size_t i;

	json_array_foreach(json_object_get(data, "keys"), i, name)
	{
		json_t *row =
			json_deep_copy(json_object_get(info, json_string_value(name)));

		if (row == NULL)
			row = json_object();
		json_object_set(row, key, name);
		json_array_append_new(rows, row);
	}
	return rows;
}
