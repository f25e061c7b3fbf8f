/* SPDX-License-Identifier: Apache-2.0 */
/* token_sweep - the tokens of an auth method that is gone. */
#include <string.h>

#include "arena.h"
#include "auth_token.h"
#include "store.h"
#include "vault/limits.h"

#define LOOKED_AT 64

struct found {
	const unsigned char *mount_id;
	struct token_sweep *s;
	unsigned char ids[LOOKED_AT][32];
	size_t n, seen;
};

static int look(void *ctx, struct store_object *o, struct err *e)
{
	struct found *f = ctx;
	const struct value *mount = value_get(o->body, "mount");

	(void)e;
	memcpy(f->s->after, o->id, sizeof(f->s->after));
	f->s->started = true;
	f->seen++;
	if (mount != NULL && mount->type == V_BYTES && mount->len == 16 &&
	    memcmp(mount->text, f->mount_id, 16) == 0)
		memcpy(f->ids[f->n++], o->id, 32);
	return ERR_OK;
}

int token_revoke_mount(struct core *c, struct arena *a, const unsigned char mount_id[16],
                       struct token_sweep *s, struct err *e)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct found f = { .mount_id = mount_id, .s = s };
	unsigned char after[32];
	bool started = s->started;
	int rc;

	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(after, s->after, sizeof(after));
	rc = store_each(c, scratch, KIND_TOKEN, started ? after : NULL, sizeof(after),
	                LOOKED_AT, look, &f, e);
	for (size_t i = 0; rc == ERR_OK && i < f.n; i++)
		rc = token_revoke(c, a, f.ids[i], e);
	s->done = f.seen < LOOKED_AT;
	return rc;
}
