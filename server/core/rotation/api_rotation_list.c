/* SPDX-License-Identifier: Apache-2.0 */
#include "api_rotation.h"

#include <string.h>

#include "arena.h"
#include "database.h"
#include "rng.h"

static bool is_root(struct req *r, const struct mount **m, const char **rest)
{
	*m = mounts_match(r->core, r->param[0].text, rest);
	return *m != NULL && strcmp((*m)->engine, "database") == 0 &&
	       strncmp(*rest, DB_ROOT, strlen(DB_ROOT)) == 0;
}

int rotation_open_secret(struct req *r, struct kv_secret *s)
{
	const struct mount *m;
	const char *rest;
	int rc = kv_split(r->core, r->param[0].text, &m, &rest, &r->e);

	/* That of a database's administrator is rotated, and served to nobody. */
	if (rc == ERR_INVALID && is_root(r, &m, &rest))
		rc = ERR_OK;
	if (rc != ERR_OK)
		return rc;
	rc = kv_open(r->core, r->a, m, rest, s, &r->e);
	return rc == ERR_NOENT
	               ? req_fail(r, ERR_INVALID, "there is no secret at \"%.180s\"",
	                          r->param[0].text)
	               : rc;
}

int rotation_park_again(struct req *r)
{
	unsigned char key[16];

	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct rotation_listing *l = ctx;

	(void)e;
	l->at[l->n++] = *o;
	return ERR_OK;
}

/* The next slice of a kind.  NULL and r->e on failure. */
struct rotation_listing *rotation_list_slice(struct req *r, struct arena *scratch,
                                             enum store_kind kind)
{
	struct rotation_listing *l = r->park_state;

	if (l == NULL && (l = arena_alloc(r->a, sizeof(*l))) != NULL) {
		l->keys = value_array(r->a);
		l->info = value_object(r->a);
		r->park_state = l;
	}
	if (l == NULL || scratch == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->n = 0;
	if (store_each(r->core, scratch, kind, l->after_len > 0 ? l->after : NULL,
	               l->after_len, ROTATION_LIST_SLICE, collect, l, &r->e) != ERR_OK)
		return NULL;
	if (l->n > 0) {
		l->after_len = l->at[l->n - 1].id_len;
		memcpy(l->after, l->at[l->n - 1].id, l->after_len);
	}
	return l;
}

int rotation_list_end(struct req *r, struct rotation_listing *l)
{
	if (l->n == ROTATION_LIST_SLICE)
		return rotation_park_again(r);
	value_set(reply_data(r), "keys", l->keys);
	value_set(reply_data(r), "key_info", l->info);
	return ERR_OK;
}
