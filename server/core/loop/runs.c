/* SPDX-License-Identifier: Apache-2.0 */
#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"

struct run {
	struct run *older;
	struct runs_at rest;
	struct runs_item next; /* the first that is not merged yet */
};

static int by_bytes(const char *x, size_t n, const char *y, size_t m)
{
	int order = memcmp(x, y, n < m ? n : m);

	return order != 0 ? order : (n > m) - (n < m);
}

static int by_text(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;

	return by_bytes(a->text, a->len, b->text, b->len);
}

static int by_key(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;

	return by_bytes(a->key, a->key_len, b->key, b->key_len);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM,
	               "the listing needs more memory than a request may have");
}

static void put32(unsigned char *p, size_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(n >> (24 - 8 * i));
}

static size_t get32(const unsigned char *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Bytes of one encoded value. */
static size_t size_at(const unsigned char *p)
{
	return *p <= V_TRUE ? 1 : 5 + get32(p + 1);
}

bool runs_next(struct runs_at *at, bool members, struct runs_item *item)
{
	const unsigned char *p = at->p;

	if (p == at->end)
		return false;
	item->p = p;
	if (members) {
		item->len = get32(p);
		item->text = (const char *)p + 4;
		item->size = 4 + item->len;
		item->size += size_at(p + item->size);
	} else {
		item->len = get32(p + 1);
		item->text = (const char *)p + 5;
		item->size = 5 + item->len;
	}
	at->p += item->size;
	return true;
}

void runs_head(unsigned char out[RUNS_HEAD], bool members, size_t items, size_t size)
{
	out[0] = members ? V_OBJECT : V_ARRAY;
	put32(out + 1, 4 + size);
	put32(out + 5, items);
}

void runs_add(struct runs *s, struct value *v)
{
	if (v == NULL)
		return;
	v->next = s->open;
	s->open = v;
	s->n_open++;
}

static size_t size_of_open(const struct runs *s)
{
	size_t size = 0;

	for (const struct value *v = s->open; v != NULL; v = v->next)
		size += value_size(v) + (s->members ? 4 + (size_t)v->key_len : 0);
	return size;
}

static unsigned char *encode(unsigned char *p, bool members, const struct value *v)
{
	if (members) {
		put32(p, v->key_len);
		memcpy(p + 4, v->key, v->key_len);
		p += 4 + v->key_len;
	}
	return p + value_encode(v, p);
}

static void sort_open(const struct runs *s, struct value **at)
{
	size_t n = 0;

	for (struct value *v = s->open; v != NULL; v = v->next)
		at[n++] = v;
	qsort(at, n, sizeof(struct value *), s->members ? by_key : by_text);
}

int runs_close(struct runs *s, struct arena *a, struct err *e)
{
	AUTO_ARENA scratch = NULL;
	size_t size = size_of_open(s);
	struct value **at;
	unsigned char *p;
	struct run *run;

	if (s->n_open == 0)
		return ERR_OK;
	scratch = arena_new(s->n_open * sizeof(struct value *) + 16);
	at = scratch != NULL ? arena_alloc(scratch, s->n_open * sizeof(struct value *))
	                     : NULL;
	run = arena_alloc(a, sizeof(*run));
	p = arena_alloc(a, size);
	if (at == NULL || run == NULL || p == NULL)
		return no_memory(e);
	sort_open(s, at);
	*run = (struct run){
		.older = s->closed, .rest = {p, p + size}
	};
	for (size_t i = 0; i < s->n_open; i++)
		p = encode(p, s->members, at[i]);
	s->closed = run;
	s->n++;
	s->items += s->n_open;
	s->size += size;
	s->open = NULL;
	s->n_open = 0;
	return ERR_OK;
}

static bool before(const struct run *x, const struct run *y)
{
	return by_bytes(x->next.text, x->next.len, y->next.text, y->next.len) < 0;
}

static void sift_down(struct runs *s, size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;
		struct run *run = s->at[i];

		if (child < s->n && before(s->at[child], s->at[least]))
			least = child;
		if (child + 1 < s->n && before(s->at[child + 1], s->at[least]))
			least = child + 1;
		if (least == i)
			return;
		s->at[i] = s->at[least];
		s->at[least] = run;
		i = least;
	}
}

static int start_merge(struct runs *s, struct arena *a, struct err *e)
{
	size_t n = 0;

	s->at = arena_alloc(a, (s->n + 1) * sizeof(struct run *));
	s->out = arena_alloc(a, RUNS_HEAD + s->size);
	if (s->at == NULL || s->out == NULL || s->size > UINT32_MAX - RUNS_HEAD)
		return no_memory(e);
	for (struct run *run = s->closed; run != NULL; run = run->older) {
		(void)runs_next(&run->rest, s->members, &run->next);
		s->at[n++] = run;
	}
	for (size_t i = n / 2; i-- > 0;)
		sift_down(s, i);
	runs_head(s->out, s->members, s->items, s->size);
	s->used = RUNS_HEAD;
	return ERR_OK;
}

/* The least of all that is left; its successor takes its place. */
static void take(struct runs *s)
{
	struct run *run = s->at[0];

	memcpy(s->out + s->used, run->next.p, run->next.size);
	s->used += run->next.size;
	if (!runs_next(&run->rest, s->members, &run->next))
		s->at[0] = s->at[--s->n];
	if (s->n > 1)
		sift_down(s, 0);
}

int runs_merge(struct runs *s, struct arena *a, size_t limit, bool *done, struct err *e)
{
	int rc;

	if (s->at == NULL && (rc = start_merge(s, a, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < limit && s->n > 0; i++)
		take(s);
	*done = s->n == 0;
	return ERR_OK;
}

struct value *runs_value(const struct runs *s, struct arena *a)
{
	if (s->items == 0)
		return s->members ? value_object(a) : value_array(a);
	return value_encoded(a, s->out, s->used);
}
