/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "vault/limits.h"

#define SLICE 256

/* A listing under way; lives in the request's arena across slices. */
struct listing {
	struct req *r;
	const struct listing_of *of;
	struct value *keys;
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	bool started;
	int seen;
};

static int note(void *ctx, struct store_object *o, struct err *e)
{
	struct listing *l = ctx;
	const struct value *v = value_get(o->body, l->of->member);

	(void)e;
	memcpy(l->after, o->id, o->id_len);
	l->after_len = o->id_len;
	l->seen++;
	if (v != NULL && (l->of->shown == NULL || l->of->shown(l->r->core, o)))
		value_add(l->keys, value_strdup(l->r->a, v->text, v->len));
	return ERR_OK;
}

static int next_slice(struct listing *l, struct arena *scratch)
{
	const struct listing_of *of = l->of;
	const unsigned char *after = l->started ? l->after : NULL;
	struct req *r = l->r;

	l->seen = 0;
	if (of->parent != NULL)
		return store_by_parent_page(r->core, scratch, of->kind, of->parent,
		                            of->parent_len, after, l->after_len, SLICE,
		                            note, l, &r->e);
	return store_each(r->core, scratch, of->kind, after, l->after_len, SLICE, note, l,
	                  &r->e);
}

static int by_text(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;
	int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* In place: the items are linked anew. */
static int sort(struct req *r, struct value *list)
{
	size_t n = 0;
	struct value **at = arena_alloc(r->a, (list->len + 1) * sizeof(struct value *));

	if (at == NULL)
		return req_fail(r, ERR_NOMEM,
		                "the listing needs more memory than a request may have");
	for (struct value *v = list->first; v != NULL; v = v->next)
		at[n++] = v;
	qsort(at, n, sizeof(struct value *), by_text);
	for (size_t i = 0; i < n; i++)
		at[i]->next = i + 1 < n ? at[i + 1] : NULL;
	if (n > 0) {
		list->first = at[0];
		list->last = at[n - 1];
	}
	return ERR_OK;
}

int listing_reply(struct req *r, const struct listing_of *of)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct listing *l = r->park_state;
	unsigned char key[16];
	int rc;

	if (l == NULL && (l = r->park_state = arena_alloc(r->a, sizeof(*l))) != NULL)
		l->keys = value_array(r->a);
	if (l == NULL || scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->r = r;
	l->of = of;
	if ((rc = next_slice(l, scratch)) != ERR_OK)
		return rc;
	l->started = true;
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM,
		                "the listing needs more memory than a request may have");
	if (l->seen == SLICE) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	if ((rc = sort(r, l->keys)) != ERR_OK)
		return rc;
	value_set(reply_data(r), "keys", l->keys);
	return ERR_OK;
}
