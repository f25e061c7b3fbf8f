/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "value_impl.h"
#include "vault/limits.h"

#define DEPTH_MAX (LIMIT_JSON_DEPTH + 8)

/* Objects up to this size look for repeated keys through a bitmap of key hashes, larger
 * ones by sorting: both are bounded whatever the keys are. */
#define BITMAP_MEMBERS 64u

static uint32_t load32(const unsigned char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return __builtin_bswap32(n);
}

static unsigned char *store32(unsigned char *p, size_t n)
{
	uint32_t big = __builtin_bswap32((uint32_t)n);

	memcpy(p, &big, sizeof(big));
	return p + sizeof(big);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load32() and store32() swap");

size_t value_size(const struct value *v)
{
	size_t size;

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
	case V_ARRAY:
	case V_OBJECT:
		break;
	}
	size = 9;
	for (const struct value *m = v->first; m != NULL; m = m->next)
		size += value_size(m) +
		        (v->type == V_OBJECT ? 4 + (size_t)m->key_len : 0);
	return size;
}

static unsigned char *put_text(unsigned char *p, const char *text, size_t n)
{
	if (n == 0)
		return p;
	memcpy(p, text, n);
	return p + n;
}

static unsigned char *put(unsigned char *p, const struct value *v)
{
	unsigned char *body;

	if (v->type == V_ENCODED)
		return put_text(p, v->text, v->len);
	*p++ = (unsigned char)v->type;
	if (v->type <= V_TRUE)
		return p;
	if (v->type <= V_BYTES)
		return put_text(store32(p, v->len), v->text, v->len);
	body = p + 4;
	p = store32(body, v->len);
	for (const struct value *m = v->first; m != NULL; m = m->next) {
		if (v->type == V_OBJECT)
			p = put_text(store32(p, m->key_len), m->key, m->key_len);
		p = put(p, m);
	}
	store32(body - 4, (size_t)(p - body));
	return p;
}

size_t value_encode(const struct value *v, unsigned char *out)
{
	return (size_t)(put(out, v) - out);
}

unsigned char *value_pack(struct arena *a, const struct value *v, size_t *len)
{
	size_t size = v != NULL ? value_size(v) : 0;
	unsigned char *p = v != NULL && size <= UINT32_MAX ? arena_alloc(a, size) : NULL;

	if (p != NULL)
		*len = value_encode(v, p);
	return p;
}

struct decoder {
	struct arena *a;
	const unsigned char *p;
	const unsigned char *end;
	struct err *e;
};

static int bad(struct decoder *d, const char *what)
{
	return err_set(d->e, ERR_INVALID, "malformed value: %s", what);
}

static size_t left(const struct decoder *d)
{
	return (size_t)(d->end - d->p);
}

/* A length and that many bytes. */
static int take_text(struct decoder *d, const char **text, uint32_t *len)
{
	uint32_t n;

	if (left(d) < 4)
		return bad(d, "cut off");
	n = load32(d->p);
	d->p += 4;
	if (n > left(d))
		return bad(d, "length beyond the end");
	*text = (const char *)d->p;
	*len = n;
	d->p += n;
	return ERR_OK;
}

static unsigned key_bit(const struct value *m)
{
	uint64_t head = 0, tail = 0;
	size_t n = m->key_len;

	if (n >= 8) {
		memcpy(&head, m->key, 8);
		memcpy(&tail, m->key + n - 8, 8);
	} else if (n >= 4) {
		memcpy(&head, m->key, 4);
		memcpy(&tail, m->key + n - 4, 4);
	} else if (n > 0) {
		head = (unsigned char)m->key[0];
		tail = (uint64_t)(unsigned char)m->key[n / 2] << 8 |
		       (unsigned char)m->key[n - 1];
	}
	head = (head ^ (tail << 17 | tail >> 47) ^ n) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(head >> 54);
}

static bool repeated_in_small(const struct value *members, size_t n)
{
	uint64_t seen[16] = { 0 };

	for (size_t i = 0; i < n; i++) {
		unsigned bit = key_bit(&members[i]);
		uint64_t mask = UINT64_C(1) << (bit & 63);
		bool maybe = (seen[bit >> 6] & mask) != 0;

		seen[bit >> 6] |= mask;
		for (size_t j = 0; maybe && j < i; j++)
			if (value_key_compare(&members[i], &members[j]) == 0)
				return true;
	}
	return false;
}

static int check_keys(struct decoder *d, const struct value *object)
{
	AUTO_FREE const struct value **list = NULL;

	if (object->len <= BITMAP_MEMBERS)
		return repeated_in_small(object->first, object->len)
		               ? bad(d, "repeated key")
		               : ERR_OK;
	list = value_sorted(object);
	if (list == NULL)
		return err_set(d->e, ERR_NOMEM, "out of memory");
	for (size_t i = 1; i < object->len; i++)
		if (value_key_compare(list[i - 1], list[i]) == 0)
			return bad(d, "repeated key");
	return ERR_OK;
}

static int decode_item(struct decoder *d, struct value *v, unsigned depth);

/* The children of one container are one block of nodes: ${count} cannot exceed the bytes
 * that are there, so it is never the sender's word alone that is allocated. */
static int decode_children(struct decoder *d, struct value *v, uint32_t count,
                           unsigned depth)
{
	size_t least = v->type == V_OBJECT ? 5 : 1;
	struct value *nodes;
	int rc;

	if (count > left(d) / least)
		return bad(d, "count beyond the end");
	nodes = arena_alloc(d->a, count * sizeof(*nodes));
	if (nodes == NULL)
		return err_set(d->e, ERR_NOMEM,
		               "value does not fit the request's memory");
	for (uint32_t i = 0; i < count; i++) {
		struct value *m = &nodes[i];

		if (v->type == V_OBJECT &&
		    (rc = take_text(d, &m->key, &m->key_len)) != ERR_OK)
			return rc;
		if ((rc = decode_item(d, m, depth)) != ERR_OK)
			return rc;
		m->next = i + 1 < count ? m + 1 : NULL;
	}
	v->len = count;
	v->first = count != 0 ? nodes : NULL;
	v->last = count != 0 ? &nodes[count - 1] : NULL;
	return v->type == V_OBJECT ? check_keys(d, v) : ERR_OK;
}

static int decode_container(struct decoder *d, struct value *v, unsigned depth)
{
	const unsigned char *outer = d->end;
	uint32_t body, count;
	int rc;

	if (depth >= DEPTH_MAX)
		return bad(d, "nested too deeply");
	if (left(d) < 8)
		return bad(d, "cut off");
	body = load32(d->p);
	count = load32(d->p + 4);
	if (body < 4 || body - 4 > left(d) - 8)
		return bad(d, "length beyond the end");
	d->p += 8;
	d->end = d->p + (body - 4);
	rc = decode_children(d, v, count, depth + 1);
	if (rc == ERR_OK && d->p != d->end)
		rc = bad(d, "lengths do not add up");
	d->end = outer;
	return rc;
}

static int decode_item(struct decoder *d, struct value *v, unsigned depth)
{
	int rc;

	if (left(d) == 0)
		return bad(d, "cut off");
	v->type = (enum value_type) * d->p++;
	switch (v->type) {
	case V_NULL:
	case V_FALSE:
	case V_TRUE:
		return ERR_OK;
	case V_NUMBER:
		if ((rc = take_text(d, &v->text, &v->len)) != ERR_OK)
			return rc;
		return value_number_ok(v->text, v->len) ? ERR_OK : bad(d, "not a number");
	case V_STRING:
	case V_BYTES:
		return take_text(d, &v->text, &v->len);
	case V_ARRAY:
	case V_OBJECT:
		return decode_container(d, v, depth);
	case V_ENCODED:
		break;
	}
	return bad(d, "unknown type");
}

int value_decode(struct arena *a, const void *p, size_t n, struct value **out,
                 struct err *e)
{
	const unsigned char *from = p;
	struct decoder d = { a, from, n != 0 ? from + n : from, e };
	struct value *v = arena_alloc(a, sizeof(*v));
	int rc;

	if (v == NULL)
		return err_set(e, ERR_NOMEM, "value does not fit the request's memory");
	if ((rc = decode_item(&d, v, 0)) != ERR_OK)
		return rc;
	if (left(&d) != 0)
		return bad(&d, "trailing bytes");
	*out = v;
	return ERR_OK;
}
