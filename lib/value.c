/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <string.h>

#include "value_impl.h"
#include "vault/limits.h"

static struct value *node(struct arena *a, enum value_type type, const char *text,
                          size_t n)
{
	struct value *v = n > UINT32_MAX ? NULL : arena_alloc(a, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->type = type;
	v->text = text;
	v->len = (uint32_t)n;
	return v;
}

struct value *value_null(struct arena *a)
{
	return node(a, V_NULL, NULL, 0);
}

struct value *value_bool(struct arena *a, bool b)
{
	return node(a, b ? V_TRUE : V_FALSE, NULL, 0);
}

struct value *value_int(struct arena *a, int64_t n)
{
	uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	char text[24], *copy;
	size_t at = sizeof(text), len;

	do {
		text[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (n < 0)
		text[--at] = '-';
	len = sizeof(text) - at;
	copy = arena_dup(a, text + at, len);
	return copy == NULL ? NULL : node(a, V_NUMBER, copy, len);
}

static size_t digits(const char *s, size_t n, size_t i)
{
	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

bool value_number_ok(const char *s, size_t n)
{
	size_t i = n > 0 && s[0] == '-' ? 1 : 0;
	size_t from = i;

	if (n > LIMIT_NUMBER_TEXT)
		return false;
	i = digits(s, n, i);
	if (i == from || (s[from] == '0' && i > from + 1))
		return false;
	if (i < n && s[i] == '.') {
		from = i + 1;
		if ((i = digits(s, n, from)) == from)
			return false;
	}
	if (i < n && (s[i] | 0x20) == 'e') {
		from = i + 1;
		if (from < n && (s[from] == '+' || s[from] == '-'))
			from++;
		if ((i = digits(s, n, from)) == from)
			return false;
	}
	return i == n;
}

struct value *value_number(struct arena *a, const char *text, size_t n)
{
	return value_number_ok(text, n) ? node(a, V_NUMBER, text, n) : NULL;
}

struct value *value_str(struct arena *a, const char *s)
{
	return s == NULL ? value_null(a) : node(a, V_STRING, s, strlen(s));
}

struct value *value_strn(struct arena *a, const char *s, size_t n)
{
	return node(a, V_STRING, s, n);
}

struct value *value_strdup(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_dup(a, s, n);

	return copy == NULL ? NULL : node(a, V_STRING, copy, n);
}

struct value *value_bytes(struct arena *a, const void *p, size_t n)
{
	return node(a, V_BYTES, p, n);
}

struct value *value_encoded(struct arena *a, const void *p, size_t n)
{
	return node(a, V_ENCODED, p, n);
}

struct value *value_array(struct arena *a)
{
	return node(a, V_ARRAY, NULL, 0);
}

struct value *value_object(struct arena *a)
{
	return node(a, V_OBJECT, NULL, 0);
}

void value_add(struct value *array, struct value *v)
{
	if (array == NULL || v == NULL)
		return;
	v->next = NULL;
	if (array->last != NULL)
		array->last->next = v;
	else
		array->first = v;
	array->last = v;
	array->len++;
}

void value_setn(struct value *object, const char *key, size_t key_len, struct value *v)
{
	if (v == NULL || key_len > UINT32_MAX)
		return;
	v->key = key;
	v->key_len = (uint32_t)key_len;
	value_add(object, v);
}

void value_set(struct value *object, const char *key, struct value *v)
{
	value_setn(object, key, strlen(key), v);
}

void value_set_str(struct arena *a, struct value *object, const char *key, const char *s)
{
	value_set(object, key, value_str(a, s));
}

void value_set_int(struct arena *a, struct value *object, const char *key, int64_t n)
{
	value_set(object, key, value_int(a, n));
}

void value_set_bool(struct arena *a, struct value *object, const char *key, bool b)
{
	value_set(object, key, value_bool(a, b));
}

void value_set_bytes(struct arena *a, struct value *object, const char *key,
                     const void *p, size_t n)
{
	value_set(object, key, value_bytes(a, p, n));
}

struct value *value_getn(const struct value *object, const char *key, size_t key_len)
{
	if (object == NULL || object->type != V_OBJECT)
		return NULL;
	for (struct value *m = object->first; m != NULL; m = m->next)
		if (m->key_len == key_len &&
		    (key_len == 0 || memcmp(m->key, key, key_len) == 0))
			return m;
	return NULL;
}

struct value *value_get(const struct value *object, const char *key)
{
	return value_getn(object, key, strlen(key));
}

struct value *value_at(const struct value *array, size_t i)
{
	struct value *v;

	if (array == NULL || (array->type != V_ARRAY && array->type != V_OBJECT))
		return NULL;
	for (v = array->first; v != NULL && i > 0; i--)
		v = v->next;
	return v;
}

static bool text_is(const struct value *v, const char *s, size_t n)
{
	return v->len == n && (n == 0 || memcmp(v->text, s, n) == 0);
}

bool value_is_str(const struct value *v, const char *s)
{
	return v != NULL && v->type == V_STRING && text_is(v, s, strlen(s));
}

bool value_has_str(const struct value *array, const char *s)
{
	if (array == NULL || array->type != V_ARRAY)
		return false;
	for (const struct value *v = array->first; v != NULL; v = v->next)
		if (value_is_str(v, s))
			return true;
	return false;
}

int value_to_int(const struct value *v, int64_t *out)
{
	size_t i = 0;
	int64_t n = 0;
	bool negative;

	if (v == NULL || (v->type != V_NUMBER && v->type != V_STRING) || v->len == 0)
		return -1;
	negative = v->text[0] == '-';
	i = negative ? 1 : 0;
	if (i == v->len)
		return -1;
	for (; i < v->len; i++) {
		int digit = v->text[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, negative ? -digit : digit, &n))
			return -1;
	}
	*out = n;
	return 0;
}

int value_to_bool(const struct value *v, bool *out)
{
	bool text = v != NULL && (v->type == V_STRING || v->type == V_NUMBER);
	bool word = v != NULL && v->type == V_STRING;

	if (v == NULL)
		return -1;
	if (v->type == V_TRUE || (text && text_is(v, "1", 1)) ||
	    (word && text_is(v, "true", 4)))
		*out = true;
	else if (v->type == V_FALSE || (text && text_is(v, "0", 1)) ||
	         (word && text_is(v, "false", 5)))
		*out = false;
	else
		return -1;
	return 0;
}

char *value_to_cstr(const struct value *v, struct arena *a)
{
	if (v == NULL || v->type != V_STRING ||
	    (v->len != 0 && memchr(v->text, '\0', v->len) != NULL))
		return NULL;
	return arena_dup(a, v->text, v->len);
}

int64_t value_int_or(const struct value *object, const char *key, int64_t dflt)
{
	int64_t n;

	return value_to_int(value_get(object, key), &n) == 0 ? n : dflt;
}

bool value_bool_or(const struct value *object, const char *key, bool dflt)
{
	bool b;

	return value_to_bool(value_get(object, key), &b) == 0 ? b : dflt;
}

const char *value_cstr_or(struct arena *a, const struct value *object, const char *key,
                          const char *dflt)
{
	const char *s = value_to_cstr(value_get(object, key), a);

	return s != NULL ? s : dflt;
}

static bool has_text(const struct value *v)
{
	return v->type == V_NUMBER || v->type == V_STRING || v->type == V_BYTES ||
	       v->type == V_ENCODED;
}

struct value *value_copy(struct arena *a, const struct value *v)
{
	struct value *copy;
	const char *text = NULL;

	if (v == NULL)
		return NULL;
	if (has_text(v) && (text = arena_dup(a, v->text, v->len)) == NULL)
		return NULL;
	copy = node(a, v->type, text, text != NULL ? v->len : 0);
	if (copy == NULL)
		return NULL;
	for (const struct value *m = v->first; m != NULL; m = m->next) {
		struct value *child = value_copy(a, m);
		char *key = NULL;

		if (child == NULL)
			return NULL;
		if (v->type == V_OBJECT &&
		    (key = arena_dup(a, m->key, m->key_len)) == NULL)
			return NULL;
		child->key = key;
		child->key_len = key != NULL ? m->key_len : 0;
		value_add(copy, child);
	}
	return copy;
}

int value_key_compare(const struct value *x, const struct value *y)
{
	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	return x->key_len == 0 ? 0 : memcmp(x->key, y->key, x->key_len);
}

static int compare_members(const void *p, const void *q)
{
	return value_key_compare(*(const struct value *const *)p,
	                         *(const struct value *const *)q);
}

const struct value **value_sorted(const struct value *object)
{
	const struct value **list =
		malloc(object->len * sizeof(const struct value *) + 1);
	size_t i = 0;

	if (list == NULL)
		return NULL;
	for (const struct value *m = object->first; m != NULL; m = m->next)
		list[i++] = m;
	qsort(list, i, sizeof(const struct value *), compare_members);
	return list;
}

static bool members_equal(const struct value *x, const struct value *y)
{
	AUTO_FREE const struct value **xs = value_sorted(x);
	AUTO_FREE const struct value **ys = value_sorted(y);

	if (xs == NULL || ys == NULL)
		return false;
	for (size_t i = 0; i < x->len; i++)
		if (value_key_compare(xs[i], ys[i]) != 0 || !value_equal(xs[i], ys[i]))
			return false;
	return true;
}

bool value_equal(const struct value *x, const struct value *y)
{
	const struct value *i, *j;

	if (x == NULL || y == NULL || x->type != y->type || x->len != y->len)
		return x == y;
	if (has_text(x))
		return text_is(x, y->text, y->len);
	if (x->type == V_OBJECT)
		return members_equal(x, y);
	for (i = x->first, j = y->first; i != NULL; i = i->next, j = j->next)
		if (!value_equal(i, j))
			return false;
	return true;
}
