/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_move - job body: {mount (id), from, to, phase: "leases", "rules" or "done",
 * after: the last row looked at}.  The row of a job that is done answers for a day how it
 * went.
 */
#include "mount_move.h"

#include <string.h>

#include "arena.h"
#include "db_lease.h"
#include "entry.h"
#include "jobs.h"
#include "kv_folder.h"
#include "kv_impl.h"
#include "lease_impl.h"
#include "mount_impl.h"
#include "rotation.h"
#include "text.h"

#define JOB     "remount"
#define KEPT_MS (24ll * 3600 * 1000)
#define AT_ONCE 32

struct move {
	unsigned char mount[MOUNT_ID];
	const char *from, *to, *phase;
	unsigned char after[32];
	size_t after_len; /* 0: from the start */
	const char *now;  /* path of the mount: it may have moved on */
};

/* The body outlives what it is made from. */
static void set_copy(struct arena *a, struct value *b, const char *key, const void *p,
                     size_t n)
{
	void *copy = arena_dup(a, p, n);

	if (copy != NULL)
		value_set_bytes(a, b, key, copy, n);
}

static struct value *job_body(struct arena *a, const struct move *v)
{
	struct value *b = value_object(a);

	set_copy(a, b, "mount", v->mount, MOUNT_ID);
	value_set_str(a, b, "from", arena_str(a, v->from));
	value_set_str(a, b, "to", arena_str(a, v->to));
	value_set_str(a, b, "phase", v->phase);
	if (v->after_len > 0)
		set_copy(a, b, "after", v->after, v->after_len);
	return b;
}

static int read_body(struct arena *a, const struct value *b, struct move *v,
                     struct err *e)
{
	const struct value *id = value_get(b, "mount"), *after = value_get(b, "after");

	*v = (struct move){ .from = value_cstr_or(a, b, "from", NULL),
		            .to = value_cstr_or(a, b, "to", NULL),
		            .phase = value_cstr_or(a, b, "phase", "done") };
	if (id == NULL || id->type != V_BYTES || id->len != MOUNT_ID || v->from == NULL ||
	    v->to == NULL || (after != NULL && after->len > sizeof(v->after)))
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	memcpy(v->mount, id->text, MOUNT_ID);
	if (after != NULL) {
		v->after_len = after->len;
		memcpy(v->after, after->text, after->len);
	}
	return ERR_OK;
}

/* The new full path of a secret that was at ${path}; NULL if it is not one of this
 * mount's: another may have taken the old name since. */
static const char *new_path(struct core *c, struct arena *a, const struct move *v,
                            const char *path, const unsigned char secret_id[32])
{
	size_t n = strlen(v->from);
	struct mount m = { .path = v->from };
	unsigned char id[32];

	if (strncmp(path, v->from, n) != 0)
		return NULL;
	memcpy(m.id, v->mount, MOUNT_ID);
	if (kv_is_folder(path))
		kv_dir_id(c, m.id, path + n, strlen(path + n), id);
	else
		kv_secret_id(c, &m, path + n, id);
	if (memcmp(id, secret_id, sizeof(id)) != 0)
		entry_id(c, m.id, path + n, id);
	return memcmp(id, secret_id, sizeof(id)) == 0
	               ? arena_printf(a, "%s%s", v->now, path + n)
	               : NULL;
}

static int move_lease(struct core *c, struct arena *a, const struct move *v,
                      struct lease *l, int64_t rev, struct err *e)
{
	const char *path = new_path(c, a, v, l->path, l->o.tag);

	if (path == NULL)
		return ERR_OK;
	if (lease_alive(l) || l->end == END_DELETED)
		return lease_end_now(c, a, l, END_MOVED, rev, e);
	l->path = path;
	return l->end == END_OPERATOR ? lease_save(c, a, l, e) : ERR_OK;
}

static int leases_slice(struct core *c, struct arena *a, struct move *v, bool *all,
                        struct err *e)
{
	struct leases ls = { .a = a };
	int64_t rev = 0;
	int rc = store_each(c, a, KIND_LEASE, v->after_len > 0 ? v->after : NULL,
	                    v->after_len, AT_ONCE, lease_collect, &ls, e);

	*all = ls.n < AT_ONCE;
	if (rc != ERR_OK || ls.n == 0)
		return rc;
	v->after_len = LEASE_ID;
	memcpy(v->after, ls.at[ls.n - 1].o.id, LEASE_ID);
	if ((rc = lease_rev(c, a, true, &rev, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < ls.n; i++)
		rc = move_lease(c, a, v, &ls.at[i], rev, e);
	return rc;
}

struct some {
	struct store_object at[AT_ONCE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct some *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static int rules_slice(struct core *c, struct arena *a, struct move *v, bool *all,
                       struct err *e)
{
	struct some s = { .n = 0 };
	int rc = store_each(c, a, KIND_ROTATION, v->after_len > 0 ? v->after : NULL,
	                    v->after_len, AT_ONCE, collect, &s, e);

	*all = s.n < AT_ONCE;
	if (rc != ERR_OK || s.n == 0)
		return rc;
	v->after_len = 32;
	memcpy(v->after, s.at[s.n - 1].id, 32);
	for (size_t i = 0; rc == ERR_OK && i < s.n; i++) {
		const char *old = value_cstr_or(a, s.at[i].body, "path", "");
		const char *path = new_path(c, a, v, old, s.at[i].id);

		if (path != NULL)
			rc = rotation_moved(c, a, s.at[i].id, path, e);
	}
	return rc;
}

static void next_phase(struct core *c, struct move *v, struct store_object *job)
{
	v->after_len = 0;
	if (strcmp(v->phase, "leases") == 0) {
		v->phase = "rules";
	} else {
		v->phase = "done";
		job->due = c->now_ms + KEPT_MS;
	}
}

int mount_move_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e)
{
	const struct mount *m;
	struct move v;
	bool all = true;
	int rc = read_body(a, job->body, &v, e);

	if (rc != ERR_OK)
		return rc;
	m = mounts_by_id(c, v.mount);
	if (strcmp(v.phase, "done") == 0 || m == NULL) {
		*done = true;
		return ERR_OK;
	}
	v.now = m->path;
	rc = strcmp(v.phase, "leases") == 0 ? leases_slice(c, a, &v, &all, e)
	                                    : rules_slice(c, a, &v, &all, e);
	if (rc != ERR_OK)
		return rc;
	if (all)
		next_phase(c, &v, job);
	job->body = job_body(a, &v);
	value_set_str(a, job->body, "job", JOB);
	return ERR_OK;
}

static void id_text(const unsigned char id[16], char out[MOVE_ID_TEXT])
{
	char hex[33];
	char *p = out;

	text_hex(id, 16, hex);
	for (int i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*p++ = '-';
		*p++ = hex[i];
	}
	*p = '\0';
}

static int id_parse(const char *text, unsigned char id[16])
{
	char hex[33];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == '-')
			continue;
		if (n == 32)
			return -1;
		hex[n++] = *text;
	}
	return n == 32 && text_unhex(hex, n, id, 16) == 16 ? 0 : -1;
}

int mount_move(struct core *c, struct arena *a, const struct mount *m, const char *to,
               char id[MOVE_ID_TEXT], struct err *e)
{
	struct move v = { .from = m->path, .to = to, .phase = "leases" };
	struct mount moved = *m;
	unsigned char job[16];
	int rc;

	memcpy(v.mount, m->id, MOUNT_ID);
	moved.path = to;
	if ((rc = job_start(c, a, JOB, job_body(a, &v), job, e)) != ERR_OK ||
	    (rc = mounts_replace(c, a, m, &moved, e)) != ERR_OK ||
	    (rc = db_lease_mount_moved(c, a, m, e)) != ERR_OK)
		return rc;
	id_text(job, id);
	return ERR_OK;
}

int mount_move_state(struct core *c, struct arena *a, const char *id,
                     struct mount_move *out, struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char job[16];
	struct move v;
	int rc;

	if (id_parse(id, job) != 0)
		return err_set(e, ERR_NOENT, "no such move");
	if ((rc = store_get(c, a, KIND_JOB, job, sizeof(job), &o, e)) != ERR_OK)
		return rc;
	if (!value_is_str(value_get(o.body, "job"), JOB))
		return err_set(e, ERR_NOENT, "no such move");
	if ((rc = read_body(a, o.body, &v, e)) != ERR_OK)
		return rc;
	*out = (struct mount_move){ v.from, v.to, strcmp(v.phase, "done") == 0 };
	return ERR_OK;
}
