/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_upgrade - KV version 1 to version 2: each entry becomes version 1 of a secret.
 *
 * Folders stay as they are: both versions have the same.  Job body: {mount, after: the
 * last entry looked at}.
 */
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "kv_walk.h"
#include "lease.h"
#include "mount_impl.h"

#define JOB       "kv-upgrade"
#define LOOKED_AT 64
#define CONVERTED 12                   /* entries in one slice … */
#define BYTES_MAX ((size_t)768 * 1024) /* … and bytes of their values */

static void name_version(struct mount *m)
{
	m->kv_version = 2;
	m->engine = mount_engine(m->type, m->kv_version, m->upgrading);
}

static struct value *job_body(struct arena *a, const unsigned char mount[MOUNT_ID],
                              const unsigned char *after)
{
	struct value *b = value_object(a);
	void *copy = arena_dup(a, mount, MOUNT_ID);

	if (copy != NULL)
		value_set_bytes(a, b, "mount", copy, MOUNT_ID);
	if (after != NULL && (copy = arena_dup(a, after, 32)) != NULL)
		value_set_bytes(a, b, "after", copy, 32);
	return b;
}

int kv_upgrade_start(struct core *c, struct arena *a, struct mount *m, struct err *e)
{
	unsigned char job[16];
	bool empty;
	int rc = kv_space_empty(c, a, m->id, &empty, e);

	if (rc != ERR_OK)
		return rc;
	m->upgrading = !empty;
	name_version(m);
	return empty ? ERR_OK : job_start(c, a, JOB, job_body(a, m->id, NULL), job, e);
}

/* The entries of this mount among those that come next. */
struct found {
	const unsigned char *mount;
	unsigned char last[32]; /* looked at */
	unsigned char ids[CONVERTED][32];
	size_t n, seen;
};

static int look(void *ctx, struct store_object *o, struct err *e)
{
	struct found *f = ctx;
	const struct value *space = value_get(o->body, "m");

	if (f->n == CONVERTED)
		return err_set(e, ERR_NOENT, "enough");
	memcpy(f->last, o->id, sizeof(f->last));
	f->seen++;
	if (space != NULL && space->len == MOUNT_ID &&
	    memcmp(space->text, f->mount, MOUNT_ID) == 0)
		memcpy(f->ids[f->n++], o->id, 32);
	return ERR_OK;
}

static int convert(struct core *c, struct arena *a, const struct mount *m,
                   const struct entry *en, size_t *bytes, struct err *e)
{
	struct kv_version v = { .number = 1, .created_ms = en->updated_ms };
	struct kv_secret s = { .mount = m, .path = en->path };
	const struct kv_meta meta = { .created_ms = en->updated_ms,
		                      .updated_ms = en->updated_ms,
		                      .current = 1,
		                      .versions = &v,
		                      .n = 1 };
	unsigned char *p;
	size_t n;
	int rc = entry_value(c, a, en, &p, &n, e);

	if (rc != ERR_OK)
		return rc;
	*bytes += n;
	s.o.kind = KIND_SECRET;
	s.o.id_len = s.o.parent_len = 32;
	kv_secret_id(c, m, en->path, s.o.id);
	memcpy(s.o.parent, en->o.parent, sizeof(s.o.parent));
	if ((s.o.body = kv_meta_body(a, &s, &meta)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = payload_put(c, s.o.id, v.number, v.created_ms, p, n, e)) != ERR_OK ||
	    (rc = store_put(c, &s.o, e)) != ERR_OK)
		return rc;
	if ((rc = entry_erase(c, en, e)) != ERR_OK)
		return rc;
	return lease_secret_moved(c, a, en->o.id, s.o.id, v.number, e);
}

/* *all: every one that was found; else f->last is the last one converted. */
static int convert_found(struct core *c, struct arena *a, const struct mount *m,
                         struct found *f, bool *all, struct err *e)
{
	size_t bytes = 0;
	int rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < f->n; i++) {
		struct store_object o = { .version = 0 };
		struct entry en;

		if (bytes > BYTES_MAX) {
			memcpy(f->last, f->ids[i - 1], sizeof(f->last));
			*all = false;
			return ERR_OK;
		}
		if ((rc = store_get(c, a, KIND_ENTRY, f->ids[i], 32, &o, e)) == ERR_OK &&
		    (rc = entry_read(a, &o, &en, e)) == ERR_OK)
			rc = convert(c, a, m, &en, &bytes, e);
	}
	*all = true;
	return rc;
}

static int finish(struct core *c, struct arena *a, const struct mount *old, struct err *e)
{
	struct mount m = *old;

	m.upgrading = false;
	name_version(&m);
	return mounts_replace(c, a, old, &m, e);
}

int kv_upgrade_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e)
{
	const struct value *id = value_get(job->body, "mount");
	const struct value *after = value_get(job->body, "after");
	struct found f = { .n = 0 };
	const struct mount *m;
	bool all;
	int rc;

	if (id == NULL || id->len != MOUNT_ID || (after != NULL && after->len != 32))
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	f.mount = (const unsigned char *)id->text;
	m = mounts_by_id(c, f.mount);
	if (m == NULL) { /* unmounted meanwhile: another job destroys what is there */
		*done = true;
		return ERR_OK;
	}
	rc = store_each(c, a, KIND_ENTRY, after != NULL ? after->text : NULL, 32,
	                LOOKED_AT, look, &f, e);
	if ((rc != ERR_OK && rc != ERR_NOENT) ||
	    (rc = convert_found(c, a, m, &f, &all, e)) != ERR_OK)
		return rc;
	if (all && f.n < CONVERTED && f.seen < LOOKED_AT) {
		*done = true;
		return finish(c, a, m, e);
	}
	job->body = job_body(a, m->id, f.last);
	value_set_str(a, job->body, "job", JOB);
	return ERR_OK;
}
