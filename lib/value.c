/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <stdio.h>
#include <string.h>

#include "vault/limits.h"

#define TAG_NULL 0u
#define TAG_FALSE 1u
#define TAG_TRUE 2u
#define TAG_NUMBER 3u
#define TAG_STRING 4u
#define TAG_BYTES 5u
#define TAG_ARRAY 6u
#define TAG_OBJECT 7u

#define DEPTH_MAX (LIMIT_JSON_DEPTH + 8u)
#define DUP_SCAN 24u /* objects up to this size are checked for duplicate keys pair by pair */

static struct value *new_value(struct arena *a, enum value_type type)
{
	struct value *v = arena_alloc(a, sizeof(*v));

	if (v != NULL)
		v->type = type;
	return v;
}

static struct value *new_text(struct arena *a, enum value_type type, const char *s, size_t n)
{
	struct value *v = n <= UINT32_MAX ? new_value(a, type) : NULL;

	if (v != NULL) {
		v->text = s;
		v->len = (uint32_t)n;
	}
	return v;
}

struct value *value_null(struct arena *a)
{
	return new_value(a, V_NULL);
}

struct value *value_bool(struct arena *a, bool b)
{
	return new_value(a, b ? V_TRUE : V_FALSE);
}

struct value *value_int(struct arena *a, int64_t n)
{
	char buf[24];
	int len = snprintf(buf, sizeof(buf), "%lld", (long long)n);
	char *text = arena_dup(a, buf, (size_t)len);

	return text != NULL ? new_text(a, V_NUMBER, text, (size_t)len) : NULL;
}

static size_t digits(const char *s, size_t n, size_t at)
{
	while (at < n && s[at] >= '0' && s[at] <= '9')
		at++;
	return at;
}

/* RFC 8259 §6, and no longer than LIMIT_NUMBER_TEXT. */
static bool number_ok(const char *s, size_t n)
{
	size_t at = 0, from;

	if (n == 0 || n > LIMIT_NUMBER_TEXT)
		return false;
	at += s[0] == '-';
	from = at;
	at = digits(s, n, at);
	if (at == from || (s[from] == '0' && at > from + 1))
		return false;
	if (at < n && s[at] == '.') {
		from = ++at;
		at = digits(s, n, at);
		if (at == from)
			return false;
	}
	if (at < n && (s[at] == 'e' || s[at] == 'E')) {
		at++;
		at += at < n && (s[at] == '+' || s[at] == '-');
		from = at;
		at = digits(s, n, at);
		if (at == from)
			return false;
	}
	return at == n;
}

struct value *value_number(struct arena *a, const char *text, size_t n)
{
	return number_ok(text, n) ? new_text(a, V_NUMBER, text, n) : NULL;
}

struct value *value_str(struct arena *a, const char *s)
{
	return s != NULL ? new_text(a, V_STRING, s, strlen(s)) : value_null(a);
}

struct value *value_strn(struct arena *a, const char *s, size_t n)
{
	return new_text(a, V_STRING, s, n);
}

struct value *value_strdup(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_dup(a, s, n);

	return copy != NULL ? new_text(a, V_STRING, copy, n) : NULL;
}

struct value *value_bytes(struct arena *a, const void *p, size_t n)
{
	return new_text(a, V_BYTES, p, n);
}

struct value *value_encoded(struct arena *a, const void *p, size_t n)
{
	return new_text(a, V_ENCODED, p, n);
}

struct value *value_array(struct arena *a)
{
	return new_value(a, V_ARRAY);
}

struct value *value_object(struct arena *a)
{
	return new_value(a, V_OBJECT);
}

void value_add(struct value *array, struct value *v)
{
	if (array == NULL || v == NULL)
		return;
	if (array->last != NULL)
		array->last->next = v;
	else
		array->first = v;
	array->last = v;
	array->len++;
}

void value_setn(struct value *object, const char *key, size_t key_len, struct value *v)
{
	if (object == NULL || v == NULL)
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

void value_set_bytes(struct arena *a, struct value *object, const char *key, const void *p,
                     size_t n)
{
	value_set(object, key, value_bytes(a, p, n));
}

struct value *value_getn(const struct value *object, const char *key, size_t key_len)
{
	if (object == NULL || object->type != V_OBJECT)
		return NULL;
	for (struct value *v = object->first; v != NULL; v = v->next)
		if (v->key_len == key_len && memcmp(v->key, key, key_len) == 0)
			return v;
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

bool value_is_str(const struct value *v, const char *s)
{
	return v != NULL && v->type == V_STRING && strlen(s) == v->len &&
	       memcmp(v->text, s, v->len) == 0;
}

int value_to_int(const struct value *v, int64_t *out)
{
	uint64_t n = 0, max = INT64_MAX;
	size_t at = 0;
	bool neg;

	if (v == NULL || (v->type != V_NUMBER && v->type != V_STRING) || v->len == 0)
		return -1;
	neg = v->text[0] == '-';
	max += neg;
	at += neg;
	if (at == v->len)
		return -1;
	for (; at < v->len; at++) {
		unsigned d = (unsigned)(unsigned char)v->text[at] - '0';

		if (d > 9 || n > (max - d) / 10)
			return -1;
		n = n * 10 + d;
	}
	*out = neg ? (int64_t)(0 - n) : (int64_t)n;
	return 0;
}

int value_to_bool(const struct value *v, bool *out)
{
	bool is_true = v != NULL && (v->type == V_TRUE || value_is_str(v, "true"));
	bool is_false = v != NULL && (v->type == V_FALSE || value_is_str(v, "false"));
	int64_t n;

	if (!is_true && !is_false) {
		if (value_to_int(v, &n) != 0 || (n != 0 && n != 1))
			return -1;
		is_true = n == 1;
	}
	*out = is_true;
	return 0;
}

char *value_to_cstr(const struct value *v, struct arena *a)
{
	if (v == NULL || v->type != V_STRING || memchr(v->text, '\0', v->len) != NULL)
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

struct value *value_copy(struct arena *a, const struct value *v)
{
	struct value *copy;

	if (v == NULL || (copy = new_value(a, v->type)) == NULL)
		return NULL;
	if (v->text != NULL) {
		copy->text = arena_dup(a, v->text, v->len);
		copy->len = v->len;
	}
	for (const struct value *kid = v->first; kid != NULL; kid = kid->next) {
		struct value *k = value_copy(a, kid);

		if (kid->key == NULL)
			value_add(copy, k);
		else
			value_setn(copy, arena_dup(a, kid->key, kid->key_len), kid->key_len, k);
	}
	return copy;
}

static bool children_equal(const struct value *x, const struct value *y)
{
	const struct value *b = y->first;

	for (const struct value *k = x->first; k != NULL; k = k->next) {
		const struct value *other =
			x->type == V_OBJECT ? value_getn(y, k->key, k->key_len) : b;

		if (other == NULL || !value_equal(k, other))
			return false;
		b = b != NULL ? b->next : NULL;
	}
	return true;
}

bool value_equal(const struct value *x, const struct value *y)
{
	if (x == NULL || y == NULL || x->type != y->type || x->len != y->len)
		return x == y;
	if (x->type == V_ARRAY || x->type == V_OBJECT)
		return children_equal(x, y);
	return x->len == 0 || memcmp(x->text, y->text, x->len) == 0;
}

size_t value_size(const struct value *v)
{
	size_t n;

	switch (v->type) {
	case V_NULL:
	case V_FALSE:
	case V_TRUE:
		return 1;
	case V_NUMBER:
	case V_STRING:
	case V_BYTES:
		return 5 + (size_t)v->len;
	case V_ENCODED:
		return v->len;
	default:
		n = 9;
		for (const struct value *k = v->first; k != NULL; k = k->next)
			n += value_size(k) + (v->type == V_OBJECT ? 4 + (size_t)k->key_len : 0);
		return n;
	}
}

static unsigned char *put_u32(unsigned char *p, size_t n)
{
	p[0] = (unsigned char)(n >> 24);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
	return p + 4;
}

static unsigned char *put_text(unsigned char *p, const char *s, size_t n)
{
	p = put_u32(p, n);
	if (n > 0)
		memcpy(p, s, n);
	return p + n;
}

static unsigned char *encode(const struct value *v, unsigned char *p)
{
	static const unsigned char tags[] = {
		[V_NULL] = TAG_NULL,     [V_FALSE] = TAG_FALSE,   [V_TRUE] = TAG_TRUE,
		[V_NUMBER] = TAG_NUMBER, [V_STRING] = TAG_STRING, [V_BYTES] = TAG_BYTES,
		[V_ARRAY] = TAG_ARRAY,   [V_OBJECT] = TAG_OBJECT,
	};
	unsigned char *body;

	if (v->type == V_ENCODED) {
		memcpy(p, v->text, v->len);
		return p + v->len;
	}
	*p++ = tags[v->type];
	switch (v->type) {
	case V_NUMBER:
	case V_STRING:
	case V_BYTES:
		return put_text(p, v->text, v->len);
	case V_ARRAY:
	case V_OBJECT:
		body = p + 8;
		p = body;
		for (const struct value *k = v->first; k != NULL; k = k->next) {
			if (v->type == V_OBJECT)
				p = put_text(p, k->key, k->key_len);
			p = encode(k, p);
		}
		put_u32(body - 8, (size_t)(p - body));
		put_u32(body - 4, v->len);
		return p;
	default:
		return p;
	}
}

size_t value_encode(const struct value *v, unsigned char *out)
{
	return (size_t)(encode(v, out) - out);
}

unsigned char *value_pack(struct arena *a, const struct value *v, size_t *len)
{
	unsigned char *out;

	if (v == NULL)
		return NULL;
	*len = value_size(v);
	out = arena_alloc(a, *len);
	if (out != NULL)
		value_encode(v, out);
	return out;
}

struct reader {
	struct arena *a;
	const unsigned char *p, *end;
	struct err *e;
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_INVALID, "value encoding: %s", what);
}

static int get_u32(struct reader *r, uint32_t *n)
{
	if (r->end - r->p < 4)
		return bad(r, "cut short");
	*n = (uint32_t)r->p[0] << 24 | (uint32_t)r->p[1] << 16 | (uint32_t)r->p[2] << 8 | r->p[3];
	r->p += 4;
	return ERR_OK;
}

static int get_text(struct reader *r, const char **s, uint32_t *n)
{
	int rc = get_u32(r, n);

	if (rc != ERR_OK)
		return rc;
	if ((size_t)(r->end - r->p) < *n)
		return bad(r, "cut short");
	*s = (const char *)r->p;
	r->p += *n;
	return ERR_OK;
}

static int key_order(const void *x, const void *y)
{
	const struct value *a = *(struct value *const *)x, *b = *(struct value *const *)y;
	uint32_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int d = n > 0 ? memcmp(a->key, b->key, n) : 0;

	return d != 0 ? d : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static bool same_key(const struct value *a, const struct value *b)
{
	return a->key_len == b->key_len &&
	       (a->key_len == 0 || memcmp(a->key, b->key, a->key_len) == 0);
}

static int check_keys_sorted(struct reader *r, const struct value *object)
{
	struct value **all = arena_alloc(r->a, object->len * sizeof(struct value *));
	size_t n = 0;

	if (all == NULL)
		return err_set(r->e, ERR_NOMEM, "out of memory");
	for (struct value *k = object->first; k != NULL; k = k->next)
		all[n++] = k;
	qsort(all, n, sizeof(struct value *), key_order);
	for (size_t i = 1; i < n; i++)
		if (same_key(all[i - 1], all[i]))
			return bad(r, "duplicate key");
	return ERR_OK;
}

static int check_keys(struct reader *r, const struct value *object)
{
	if (object->len > DUP_SCAN)
		return check_keys_sorted(r, object);
	for (const struct value *k = object->first; k != NULL; k = k->next)
		for (const struct value *o = k->next; o != NULL; o = o->next)
			if (same_key(k, o))
				return bad(r, "duplicate key");
	return ERR_OK;
}

static int decode(struct reader *r, unsigned depth, struct value **out);

static int decode_children(struct reader *r, unsigned depth, struct value *v)
{
	const unsigned char *outer = r->end;
	uint32_t body, count, key_len;
	const char *key = NULL;
	struct value *kid;
	int rc;

	if (depth >= DEPTH_MAX)
		return bad(r, "nested too deep");
	if ((rc = get_u32(r, &body)) != ERR_OK || (rc = get_u32(r, &count)) != ERR_OK)
		return rc;
	if ((size_t)(r->end - r->p) < body || count > body)
		return bad(r, "lengths do not add up");
	r->end = r->p + body;
	for (uint32_t i = 0; i < count; i++) {
		if (v->type == V_OBJECT && (rc = get_text(r, &key, &key_len)) != ERR_OK)
			return rc;
		if ((rc = decode(r, depth + 1, &kid)) != ERR_OK)
			return rc;
		if (v->type == V_OBJECT)
			value_setn(v, key, key_len, kid);
		else
			value_add(v, kid);
	}
	if (r->p != r->end)
		return bad(r, "lengths do not add up");
	r->end = outer;
	return v->type == V_OBJECT ? check_keys(r, v) : ERR_OK;
}

static int decode(struct reader *r, unsigned depth, struct value **out)
{
	static const enum value_type types[] = {
		[TAG_NULL] = V_NULL,     [TAG_FALSE] = V_FALSE,   [TAG_TRUE] = V_TRUE,
		[TAG_NUMBER] = V_NUMBER, [TAG_STRING] = V_STRING, [TAG_BYTES] = V_BYTES,
		[TAG_ARRAY] = V_ARRAY,   [TAG_OBJECT] = V_OBJECT,
	};
	struct value *v;
	unsigned tag;
	int rc;

	if (r->p == r->end)
		return bad(r, "cut short");
	tag = *r->p++;
	if (tag >= ARRAY_LEN(types))
		return bad(r, "unknown tag");
	if ((v = new_value(r->a, types[tag])) == NULL)
		return err_set(r->e, ERR_NOMEM, "out of memory");
	*out = v;
	if (tag == TAG_ARRAY || tag == TAG_OBJECT)
		return decode_children(r, depth, v);
	if (tag < TAG_NUMBER)
		return ERR_OK;
	if ((rc = get_text(r, &v->text, &v->len)) != ERR_OK)
		return rc;
	return tag == TAG_NUMBER && !number_ok(v->text, v->len) ? bad(r, "not a number") : ERR_OK;
}

int value_decode(struct arena *a, const void *p, size_t n, struct value **out, struct err *e)
{
	struct reader r = { .a = a, .p = p, .end = (const unsigned char *)p + n, .e = e };
	struct value *v;
	int rc;

	if ((rc = decode(&r, 0, &v)) != ERR_OK)
		return rc;
	if (r.p != r.end)
		return bad(&r, "trailing bytes");
	*out = v;
	return ERR_OK;
}
