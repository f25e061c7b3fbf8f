/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <string.h>

#include "arena.h"
#include "rng.h"
#include "runs.h"
#include "vault/limits.h"

#define SLICE 256         /* names that are read */
#define MERGE (8 * SLICE) /* names that are put in order */

/* A listing under way; lives in the request's arena across slices. */
struct listing {
	struct req *r;
	const struct listing_of *of;
	struct runs runs;
	struct arena *scratch; /* of a slice */
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	bool started, walked;
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
		runs_add(&l->runs, value_strn(l->scratch, v->text, v->len));
	return ERR_OK;
}

static int read_page(struct listing *l)
{
	const struct listing_of *of = l->of;
	const unsigned char *after = l->started ? l->after : NULL;
	struct req *r = l->r;

	l->seen = 0;
	if (of->parent != NULL)
		return store_by_parent_page(r->core, l->scratch, of->kind, of->parent,
		                            of->parent_len, after, l->after_len, SLICE,
		                            note, l, &r->e);
	return store_each(r->core, l->scratch, of->kind, after, l->after_len, SLICE, note,
	                  l, &r->e);
}

/* Read some more; behind the last page, put some more in order. */
static int next_slice(struct listing *l, bool *done)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct req *r = l->r;
	int rc;

	*done = false;
	if (scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->scratch = scratch;
	if (!l->walked) {
		if ((rc = read_page(l)) != ERR_OK ||
		    (rc = runs_close(&l->runs, r->a, &r->e)) != ERR_OK)
			return rc;
		l->started = true;
		l->walked = l->seen < SLICE;
		if (!l->walked)
			return ERR_OK;
	}
	return runs_merge(&l->runs, r->a, MERGE, done, &r->e);
}

int listing_reply(struct req *r, const struct listing_of *of)
{
	struct listing *l = r->park_state;
	unsigned char key[16];
	bool done;
	int rc;

	if (l == NULL)
		l = r->park_state = arena_alloc(r->a, sizeof(*l));
	if (l == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->r = r;
	l->of = of;
	if ((rc = next_slice(l, &done)) != ERR_OK)
		return rc;
	if (!done) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	value_set(reply_data(r), "keys", runs_value(&l->runs, r->a));
	return ERR_OK;
}
