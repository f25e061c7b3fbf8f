/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mounts.h"
#include "rng.h"
#include "vault/limits.h"

/* A listing under way: lives in the request's arena across slices. */
struct listing {
	struct arena *keep;
	struct value *names;
	unsigned char after[STORE_ID_MAX];
	size_t after_len; /* 0: nothing seen yet */
	int seen;         /* in this slice */
};

static int note_name(void *ctx, struct store_object *o, struct err *e)
{
	struct listing *l = ctx;
	const struct value *name = value_get(o->body, "name");

	(void)e;
	if (name != NULL && name->type == V_STRING)
		value_add(l->names, value_strdup(l->keep, name->text, name->len));
	memcpy(l->after, o->id, o->id_len);
	l->after_len = o->id_len;
	l->seen++;
	return ERR_OK;
}

static int by_text(const void *x, const void *y)
{
	const struct value *a = *(struct value *const *)x, *b = *(struct value *const *)y;
	size_t n = a->len < b->len ? a->len : b->len;
	int d = memcmp(a->text, b->text, n);

	return d != 0 ? d : (a->len > b->len) - (a->len < b->len);
}

static int reply_sorted(struct req *r, const struct value *names)
{
	struct value **at = arena_alloc(r->a, (names->len + 1) * sizeof(*at)), *keys;
	size_t n = 0;

	if (at == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (struct value *v = names->first; v != NULL; v = v->next)
		at[n++] = v;
	qsort(at, n, sizeof(*at), by_text);
	keys = value_array(r->a);
	for (size_t i = 0; i < n; i++) {
		at[i]->next = NULL;
		value_add(keys, at[i]);
	}
	value_set(reply_data(r), "keys", keys);
	return ERR_OK;
}

int names_reply(struct req *r, enum store_kind kind)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct listing *l = r->park_state;
	unsigned char key[16];
	int rc;

	if (l == NULL) {
		l = r->park_state = arena_alloc(r->a, sizeof(*l));
		if (l == NULL || (l->names = value_array(r->a)) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		l->keep = r->a;
	}
	if (scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->seen = 0;
	rc = store_by_parent_page(r->core, scratch, kind, r->mount->id, 16,
	                          l->after_len > 0 ? l->after : NULL, l->after_len,
	                          LIMIT_LIST_INLINE, note_name, l, &r->e);
	if (rc != ERR_OK)
		return rc;
	if (l->seen == (int)LIMIT_LIST_INLINE) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	return reply_sorted(r, l->names);
}
