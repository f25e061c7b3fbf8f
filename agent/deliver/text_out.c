/* SPDX-License-Identifier: Apache-2.0 */
#include "text_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256u

void text_out_add(struct text_out *t, const char *p, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		size_t cap = 2 * (t->n + n) + FIRST_ROOM;
		char *grown = arena_alloc(t->a, cap);

		if (grown == NULL)
			return;
		if (t->n > 0)
			memcpy(grown, t->p, t->n);
		t->p = grown;
		t->cap = cap;
	}
	if (n > 0)
		memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void text_out_str(struct text_out *t, const char *s)
{
	text_out_add(t, s, strlen(s));
}

static void add_escaped(struct text_out *t, unsigned char c)
{
	static const char short_for[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	char text[8];

	for (size_t i = 0; i + 1 < sizeof(short_for); i += 2)
		if ((unsigned char)short_for[i + 1] == c) {
			snprintf(text, sizeof(text), "\\%c", short_for[i]);
			text_out_str(t, text);
			return;
		}
	snprintf(text, sizeof(text), "\\u%04x", c);
	text_out_str(t, text);
}

static void add_string(struct text_out *t, const char *s, size_t n)
{
	size_t from = 0;

	text_out_str(t, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		text_out_add(t, s + from, i - from);
		add_escaped(t, c);
		from = i + 1;
	}
	text_out_add(t, s + from, n - from);
	text_out_str(t, "\"");
}

static int by_key(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;
	size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, n);

	return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

const struct value **text_out_sorted(struct arena *a, const struct value *object)
{
	const struct value **list = arena_alloc(a, (object->len + 1) * sizeof(*list));
	size_t n = 0;

	if (list == NULL)
		return NULL;
	for (const struct value *v = object->first; v != NULL; v = v->next)
		list[n++] = v;
	qsort(list, n, sizeof(*list), by_key);
	return list;
}

static int add_object(struct text_out *t, const struct value *v)
{
	const struct value **list = text_out_sorted(t->a, v);

	text_out_str(t, "{");
	for (size_t i = 0; list != NULL && i < v->len; i++) {
		text_out_str(t, i > 0 ? "," : "");
		add_string(t, list[i]->key, list[i]->key_len);
		text_out_str(t, ":");
		if (text_out_json(t, list[i]) != 0)
			return -1;
	}
	text_out_str(t, "}");
	return 0;
}

static int add_array(struct text_out *t, const struct value *v)
{
	text_out_str(t, "[");
	for (const struct value *item = v->first; item != NULL; item = item->next) {
		text_out_str(t, item != v->first ? "," : "");
		if (text_out_json(t, item) != 0)
			return -1;
	}
	text_out_str(t, "]");
	return 0;
}

/* The depth is bounded where values are decoded. */
int text_out_json(struct text_out *t, const struct value *v)
{
	switch (v->type) {
	case V_NULL:
		text_out_str(t, "null");
		return 0;
	case V_FALSE:
		text_out_str(t, "false");
		return 0;
	case V_TRUE:
		text_out_str(t, "true");
		return 0;
	case V_NUMBER:
		text_out_add(t, v->text, v->len);
		return 0;
	case V_STRING:
		add_string(t, v->text, v->len);
		return 0;
	case V_ARRAY:
		return add_array(t, v);
	case V_OBJECT:
		return add_object(t, v);
	case V_BYTES:
	case V_ENCODED:
		break;
	}
	return -1;
}
