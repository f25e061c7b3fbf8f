/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include <string.h>

#include "text.h"

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A "%XX" at the start of ${s} with ${n} bytes left: the byte, or -1. */
static int escape(const char *s, size_t n)
{
	int hi = n >= 3 ? nibble(s[1]) : -1;
	int lo = n >= 3 ? nibble(s[2]) : -1;

	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

/* Decode ${n} bytes at ${s} into the arena. */
static int decode(struct arena *a, const char *s, size_t n, const char **out, size_t *len,
                  struct err *e)
{
	char *p = arena_alloc(a, n + 1);
	size_t k = 0;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "request needs too much memory");
	for (size_t i = 0; i < n; i++) {
		int c = s[i] == '+' ? ' ' : (unsigned char)s[i];

		if (s[i] == '%') {
			if ((c = escape(s + i, n - i)) < 0)
				return err_set(e, ERR_INVALID,
				               "invalid URL escape in the query");
			i += 2;
		}
		p[k++] = (char)c;
	}
	if (memchr(p, 0, k) != NULL || !text_utf8_ok(p, k))
		return err_set(e, ERR_INVALID, "invalid UTF-8 in the query");
	*out = p;
	*len = k;
	return ERR_OK;
}

/* Turn the member ${old} into an array that starts with what it was, and add to it. */
static void add_to_array(struct arena *a, struct value *old, struct value *v)
{
	if (old->type != V_ARRAY) {
		struct value *first = value_strn(a, old->text, old->len);

		old->type = V_ARRAY;
		old->text = NULL;
		old->len = 0;
		value_add(old, first);
	}
	value_add(old, v);
}

static int add_pair(struct arena *a, struct value *object, const char *s, size_t n,
                    struct err *e)
{
	const char *eq = memchr(s, '=', n);
	size_t key_raw = eq != NULL ? (size_t)(eq - s) : n;
	const char *key = NULL, *text = NULL;
	size_t key_len = 0, len = 0;
	struct value *v, *old;
	int rc;

	if (memchr(s, ';', n) != NULL)
		return err_set(e, ERR_INVALID, "invalid semicolon separator in query");
	if ((rc = decode(a, s, key_raw, &key, &key_len, e)) != ERR_OK)
		return rc;
	if (eq != NULL &&
	    (rc = decode(a, eq + 1, n - key_raw - 1, &text, &len, e)) != ERR_OK)
		return rc;
	v = value_strn(a, text != NULL ? text : "", len);
	if ((old = value_getn(object, key, key_len)) != NULL)
		add_to_array(a, old, v);
	else
		value_setn(object, key, key_len, v);
	return ERR_OK;
}

int query_parse(struct arena *a, const char *s, size_t n, struct value **out,
                struct err *e)
{
	struct value *object = value_object(a);
	const char *end = s + n;
	unsigned pairs = 0;

	while (s < end) {
		const char *amp = memchr(s, '&', (size_t)(end - s));
		size_t len = (size_t)((amp != NULL ? amp : end) - s);
		int rc;

		if (len > 0 && ++pairs > QUERY_PAIRS_MAX)
			return err_set(e, ERR_INVALID, "too many query parameters");
		if (len > 0 && (rc = add_pair(a, object, s, len, e)) != ERR_OK)
			return rc;
		s += len + 1;
	}
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "request needs too much memory");
	*out = object;
	return ERR_OK;
}

struct value *query_remove(struct value *object, const char *key)
{
	struct value *prev = NULL;

	for (struct value *m = object->first; m != NULL; prev = m, m = m->next) {
		if (m->key_len != strlen(key) || memcmp(m->key, key, m->key_len) != 0)
			continue;
		if (prev != NULL)
			prev->next = m->next;
		else
			object->first = m->next;
		if (object->last == m)
			object->last = prev;
		object->len--;
		m->next = NULL;
		return m;
	}
	return NULL;
}

int query_go_bool(const struct value *v, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "", "0", "f", "F", "false", "FALSE", "False" };

	*out = false;
	if (v != NULL && v->type == V_ARRAY)
		v = v->first;
	if (v == NULL)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (value_is_str(v, yes[i])) {
			*out = true;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (value_is_str(v, no[i]))
			return 0;
	return -1;
}
