/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "rng.h"
#include "text.h"
#include "vault/limits.h"

/* Objects with more members than this look for duplicate keys in a hash table. */
#define KEYS_LINEAR 8u

struct reader {
	struct arena *a;
	const char *s;
	size_t n;
	size_t pos;
	unsigned depth;
	unsigned members; /* of all arrays and objects so far */
	struct err *e;
};

/* Open addressing over the members of one object; ${size} is a power of two. */
struct keyset {
	const struct value **slot;
	size_t size;
	size_t used;
};

static int read_value(struct reader *r, struct value *v);

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_INVALID, "failed to decode JSON input: %s at offset %zu",
	               what, r->pos);
}

static int no_memory(struct reader *r)
{
	return err_set(r->e, ERR_NOMEM, "request needs too much memory");
}

static void skip_space(struct reader *r)
{
	while (r->pos < r->n) {
		char c = r->s[r->pos];

		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return;
		r->pos++;
	}
}

static bool at(const struct reader *r, char c)
{
	return r->pos < r->n && r->s[r->pos] == c;
}

static bool take(struct reader *r, char c)
{
	if (!at(r, c))
		return false;
	r->pos++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of \uXXXX at ${s}, or -1. */
static long hex4(const char *s, const char *end)
{
	long x = 0;

	if (end - s < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(s[i]);

		if (d < 0)
			return -1;
		x = x * 16 + d;
	}
	return x;
}

static char *put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | (c >> 6));
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | (c >> 12));
		} else {
			*out++ = (char)(0xf0 | (c >> 18));
			*out++ = (char)(0x80 | ((c >> 12) & 0x3f));
		}
		*out++ = (char)(0x80 | ((c >> 6) & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* ${s} is behind "\u"; advances it over one code point (two escapes for a pair). */
static long read_code_point(const char **s, const char *end)
{
	long hi = hex4(*s, end);
	long lo;

	if (hi < 0 || (hi >= 0xdc00 && hi <= 0xdfff))
		return -1;
	*s += 4;
	if (hi < 0xd800 || hi > 0xdbff)
		return hi;
	if (end - *s < 6 || (*s)[0] != '\\' || (*s)[1] != 'u')
		return -1;
	lo = hex4(*s + 2, end);
	if (lo < 0xdc00 || lo > 0xdfff)
		return -1;
	*s += 6;
	return 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
}

static char simple_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return 0;
	}
}

/* What is between the quotes, with its escapes replaced; never longer than before. */
static int unescape(struct reader *r, const char *s, size_t n, const char **text,
                    uint32_t *len)
{
	const char *end = s + n;
	char *start = arena_alloc(r->a, n);
	char *out = start;

	if (start == NULL)
		return no_memory(r);
	while (s < end) {
		long c;

		if (*s != '\\') {
			*out++ = *s++;
			continue;
		}
		r->pos = (size_t)(s - r->s);
		s++;
		if (*s == 'u') {
			s++;
			c = read_code_point(&s, end);
			if (c < 0)
				return bad(r, "invalid Unicode escape");
			out = put_utf8(out, (unsigned long)c);
			continue;
		}
		if ((*out++ = simple_escape(*s++)) == 0)
			return bad(r, "invalid escape");
	}
	r->pos = (size_t)(end - r->s) + 1;
	*text = start;
	*len = (uint32_t)(out - start);
	return ERR_OK;
}

static int read_string(struct reader *r, const char **text, uint32_t *len)
{
	size_t start = ++r->pos;
	unsigned char all = 0;
	bool escaped = false;

	for (;; r->pos++) {
		unsigned char c;

		if (r->pos >= r->n)
			return bad(r, "unexpected end inside a string");
		c = (unsigned char)r->s[r->pos];
		if (c == '"')
			break;
		if (c < 0x20)
			return bad(r, "control character inside a string");
		if (c == '\\') {
			escaped = true;
			r->pos++; /* whatever follows does not end the string */
		}
		all |= c;
	}
	if (escaped || (all & 0x80) != 0) {
		if (!text_utf8_ok(r->s + start, r->pos - start)) {
			r->pos = start;
			return bad(r, "invalid UTF-8 in a string");
		}
		if (escaped)
			return unescape(r, r->s + start, r->pos - start, text, len);
	}
	*text = r->s + start;
	*len = (uint32_t)(r->pos++ - start);
	return ERR_OK;
}

static size_t digits(struct reader *r)
{
	size_t from = r->pos;

	while (r->pos < r->n && r->s[r->pos] >= '0' && r->s[r->pos] <= '9')
		r->pos++;
	return r->pos - from;
}

static int read_number(struct reader *r, struct value *v)
{
	size_t start = r->pos;

	take(r, '-');
	if (!take(r, '0') && digits(r) == 0)
		return bad(r, "invalid number");
	if (take(r, '.') && digits(r) == 0)
		return bad(r, "invalid number");
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '+'))
			take(r, '-');
		if (digits(r) == 0)
			return bad(r, "invalid number");
	}
	if (r->pos - start > LIMIT_NUMBER_TEXT)
		return bad(r, "number is too long");
	v->type = V_NUMBER;
	v->text = r->s + start;
	v->len = (uint32_t)(r->pos - start);
	return ERR_OK;
}

static int read_word(struct reader *r, struct value *v, const char *word, size_t n,
                     enum value_type type)
{
	if (r->n - r->pos < n || memcmp(r->s + r->pos, word, n) != 0)
		return bad(r, "invalid character");
	r->pos += n;
	v->type = type;
	return ERR_OK;
}

static struct value *new_child(struct reader *r)
{
	struct value *v = NULL;

	if (++r->members > LIMIT_JSON_MEMBERS)
		bad(r, "too many members");
	else if ((v = arena_alloc(r->a, sizeof(*v))) == NULL)
		no_memory(r);
	return v;
}

static void append(struct value *parent, struct value *child)
{
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->len++;
}

static uint64_t key_hash(const struct value *v)
{
	static unsigned char key[crypto_shorthash_KEYBYTES];
	static bool keyed;
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t h;

	if (!keyed) {
		rng_bytes(key, sizeof(key));
		keyed = true;
	}
	crypto_shorthash(out, (const unsigned char *)v->key, v->key_len, key);
	memcpy(&h, out, sizeof(h));
	return h;
}

static bool same_key(const struct value *x, const struct value *y)
{
	return x->key_len == y->key_len && memcmp(x->key, y->key, x->key_len) == 0;
}

/* Is the key of ${v} new?  Adds it if so; the table has room. */
static bool keyset_add(struct keyset *k, const struct value *v)
{
	size_t i = (size_t)key_hash(v) & (k->size - 1);

	while (k->slot[i] != NULL) {
		if (same_key(k->slot[i], v))
			return false;
		i = (i + 1) & (k->size - 1);
	}
	k->slot[i] = v;
	k->used++;
	return true;
}

static bool keyset_grow(struct reader *r, struct keyset *k, const struct value *object)
{
	k->size = k->size == 0 ? 64 : k->size * 4;
	k->used = 0;
	k->slot = arena_alloc(r->a, k->size * sizeof(*k->slot));
	if (k->slot == NULL)
		return false;
	for (const struct value *m = object->first; m != NULL; m = m->next)
		keyset_add(k, m);
	return true;
}

/* Called before ${v} is appended to ${object}. */
static int check_new_key(struct reader *r, struct keyset *k, const struct value *object,
                         const struct value *v)
{
	bool fresh = true;

	if (object->len < KEYS_LINEAR) {
		for (const struct value *m = object->first; m != NULL && fresh;
		     m = m->next)
			fresh = !same_key(m, v);
	} else {
		if (k->used * 2 >= k->size && !keyset_grow(r, k, object))
			return no_memory(r);
		fresh = keyset_add(k, v);
	}
	return fresh ? ERR_OK : bad(r, "duplicate key");
}

static int read_member(struct reader *r, struct keyset *k, struct value *object)
{
	struct value *v;
	const char *key;
	uint32_t len;
	int rc;

	if (!at(r, '"'))
		return bad(r, "expected a key");
	if ((rc = read_string(r, &key, &len)) != ERR_OK)
		return rc;
	if ((v = new_child(r)) == NULL)
		return r->e->code;
	v->key = key;
	v->key_len = len;
	if ((rc = check_new_key(r, k, object, v)) != ERR_OK)
		return rc;
	skip_space(r);
	if (!take(r, ':'))
		return bad(r, "expected ':'");
	if ((rc = read_value(r, v)) == ERR_OK)
		append(object, v);
	return rc;
}

static int read_item(struct reader *r, struct value *array)
{
	struct value *v = new_child(r);
	int rc;

	if (v == NULL)
		return r->e->code;
	if ((rc = read_value(r, v)) == ERR_OK)
		append(array, v);
	return rc;
}

static int read_children(struct reader *r, struct value *v, char close)
{
	struct keyset keys = { NULL, 0, 0 };
	int rc;

	skip_space(r);
	if (take(r, close))
		return ERR_OK;
	for (;;) {
		skip_space(r);
		rc = close == '}' ? read_member(r, &keys, v) : read_item(r, v);
		if (rc != ERR_OK)
			return rc;
		skip_space(r);
		if (take(r, close))
			return ERR_OK;
		if (!take(r, ','))
			return bad(r, "expected ',' or the end of the list");
	}
}

static int read_container(struct reader *r, struct value *v, char close)
{
	int rc;

	if (++r->depth > LIMIT_JSON_DEPTH)
		return bad(r, "nested too deeply");
	v->type = close == '}' ? V_OBJECT : V_ARRAY;
	r->pos++;
	rc = read_children(r, v, close);
	r->depth--;
	return rc;
}

static int read_value(struct reader *r, struct value *v)
{
	skip_space(r);
	if (r->pos >= r->n)
		return bad(r, "unexpected end");
	switch (r->s[r->pos]) {
	case '{':
		return read_container(r, v, '}');
	case '[':
		return read_container(r, v, ']');
	case '"':
		v->type = V_STRING;
		return read_string(r, &v->text, &v->len);
	case 't':
		return read_word(r, v, "true", 4, V_TRUE);
	case 'f':
		return read_word(r, v, "false", 5, V_FALSE);
	case 'n':
		return read_word(r, v, "null", 4, V_NULL);
	default:
		return read_number(r, v);
	}
}

int json_parse(struct arena *a, const char *text, size_t n, struct value **out,
               struct err *e)
{
	struct err local;
	struct reader r = { .a = a, .s = text, .n = n, .e = e != NULL ? e : &local };
	struct value *v = arena_alloc(a, sizeof(*v));
	int rc;

	if (v == NULL)
		return no_memory(&r);
	if (n > UINT32_MAX)
		return bad(&r, "document is too long");
	if ((rc = read_value(&r, v)) != ERR_OK)
		return rc;
	skip_space(&r);
	if (r.pos != n)
		return bad(&r, "trailing bytes");
	*out = v;
	return ERR_OK;
}
