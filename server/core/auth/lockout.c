/* SPDX-License-Identifier: Apache-2.0 */
#include "lockout.h"

#include <string.h>

#include "arena.h"
#include "mounts.h"

#define SLICE 256

/* The row of a name; version 0 if there is none. */
static int open_row(struct core *c, struct arena *a, const unsigned char mount[16],
                    const char *name, struct store_object *o, struct err *e)
{
	unsigned char id[32];
	int rc;

	store_blind(c, id, "lockout", mount, 16, name, strlen(name));
	rc = store_get(c, a, KIND_LOCKOUT, id, sizeof(id), o, e);
	if (rc != ERR_NOENT)
		return rc;
	*o = (struct store_object){ .kind = KIND_LOCKOUT, .id_len = sizeof(id) };
	memcpy(o->id, id, sizeof(id));
	memcpy(o->parent, mount, 16);
	o->parent_len = 16;
	return ERR_OK;
}

int lockout_locked(struct core *c, struct arena *a, const unsigned char mount[16],
                   const char *name, bool *locked, struct err *e)
{
	struct store_object o;
	int rc = open_row(c, a, mount, name, &o, e);

	*locked = rc == ERR_OK && value_int_or(o.body, "locked", 0) > c->now_ms;
	return rc;
}

int lockout_count(struct core *c, struct arena *a, const unsigned char mount[16],
                  const char *name, const struct mount_lockout *rule, struct err *e)
{
	struct store_object o;
	int64_t failures = 1, locked = 0;
	int rc;

	if (rule->disabled)
		return ERR_OK;
	if ((rc = open_row(c, a, mount, name, &o, e)) != ERR_OK)
		return rc;
	/* What is due and not yet removed, or was locked for long enough, starts anew. */
	if (o.version > 0 && o.due > c->now_ms && value_int_or(o.body, "locked", 0) == 0)
		failures = value_int_or(o.body, "failures", 0) + 1;
	if (failures >= rule->attempts)
		locked = c->now_ms + rule->duration_ms;
	o.due = locked != 0 ? locked : c->now_ms + rule->reset_ms;
	o.body = value_object(a);
	value_set_str(a, o.body, "name", name);
	value_set_bytes(a, o.body, "mount", mount, 16);
	value_set_int(a, o.body, "failures", failures);
	value_set_int(a, o.body, "locked", locked);
	return store_put(c, &o, e);
}

int lockout_clear(struct core *c, struct arena *a, const unsigned char mount[16],
                  const char *name, struct err *e)
{
	struct store_object o;
	int rc = open_row(c, a, mount, name, &o, e);

	if (rc != ERR_OK || o.version == 0)
		return rc;
	return store_delete(c, &o, e);
}

struct due {
	struct arena *a;
	struct store_object *at;
	int n, limit;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct due *d = ctx;

	(void)e;
	d->at[d->n++] = *o;
	return d->n < d->limit ? ERR_OK : ERR_NOENT;
}

int lockout_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct due d = { .a = a, .limit = limit };
	int rc;

	d.at = arena_alloc(a, (size_t)limit * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_LOCKOUT, c->now_ms, limit, collect, &d, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	for (int i = 0; i < d.n; i++)
		if ((rc = store_delete(c, &d.at[i], e)) != ERR_OK)
			return rc;
	return ERR_OK;
}

struct slice {
	struct core *c;
	struct arena *a;
	struct lockout_walk *w;
	void (*fn)(void *ctx, const unsigned char mount[16], const char *name);
	void *ctx;
	int seen;
};

static int tell(void *ctx, struct store_object *o, struct err *e)
{
	struct slice *s = ctx;
	const char *name = value_cstr_or(s->a, o->body, "name", NULL);

	(void)e;
	memcpy(s->w->after, o->id, sizeof(s->w->after));
	s->seen++;
	if (name != NULL && value_int_or(o->body, "locked", 0) > s->c->now_ms)
		s->fn(s->ctx, o->parent, name);
	return ERR_OK;
}

int lockout_slice(struct core *c, struct arena *a, struct lockout_walk *w,
                  void (*fn)(void *ctx, const unsigned char mount[16], const char *name),
                  void *ctx, struct err *e)
{
	struct slice s = { .c = c, .a = a, .w = w, .fn = fn, .ctx = ctx };
	unsigned char after[32];
	int rc;

	memcpy(after, w->after, sizeof(after));
	rc = store_each(c, a, KIND_LOCKOUT, w->started ? after : NULL, sizeof(after),
	                SLICE, tell, &s, e);
	w->started = true;
	w->done = s.seen < SLICE;
	return rc;
}
