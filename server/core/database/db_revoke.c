/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_revoke - revoking many accounts: of a token, of a mount, below a prefix.
 *
 * Job body: {prefix, mount (id; absent: any), force, after (16 bytes), waiting, found,
 * until}.  First every lease is condemned; then the job lasts until each of
 * them has been tried at least once, so that who waits for it finds them gone, or knows
 * that the database does not answer.
 */
#include <string.h>

#include "arena.h"
#include "db_lease.h"
#include "jobs.h"
#include "lease_kinds.h"

#define JOB     "database-revoke"
#define SLICE   32
#define LOOK_MS 100
#define WAIT_MS 30000 /* then the rest goes on by itself */

struct some {
	struct store_object at[SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct some *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static bool is_condemned(const struct db_lease *l)
{
	return l->state == DB_LEASE_REVOKING || l->state == DB_LEASE_IRREVOCABLE;
}

int db_lease_token_gone(struct core *c, struct arena *a, const unsigned char token[32],
                        int limit, int *n, struct err *e)
{
	struct some s = { .n = 0 };
	struct db_lease l;
	int rc = store_by_parent_page(c, a, KIND_DB_LEASE, token, 32, NULL, 0,
	                              limit < SLICE ? limit : SLICE, collect, &s, e);

	*n = (int)s.n;
	for (size_t i = 0; rc == ERR_OK && i < s.n; i++)
		if ((rc = db_lease_read(a, &s.at[i], &l, e)) == ERR_OK)
			rc = db_lease_condemn(c, a, &l, false, e);
	return rc;
}

int db_lease_mount_gone(struct core *c, struct arena *a,
                        const unsigned char mount_id[MOUNT_ID], int limit, bool *left,
                        struct err *e)
{
	unsigned char after[DB_LEASE_ID];
	const unsigned char *from = NULL;
	struct some s;
	struct db_lease l;
	int rc;

	*left = false;
	do {
		s.n = 0;
		rc = store_by_tag_page(c, a, KIND_DB_LEASE, mount_id, MOUNT_ID, from,
		                       sizeof(after), SLICE, collect, &s, e);
		for (size_t i = 0; rc == ERR_OK && i < s.n && limit > 0; i++) {
			*left = true;
			from = memcpy(after, s.at[i].id, sizeof(after));
			rc = db_lease_read(a, &s.at[i], &l, e);
			if (rc != ERR_OK || is_condemned(&l))
				continue;
			rc = db_lease_condemn(c, a, &l, false, e);
			limit--;
		}
	} while (rc == ERR_OK && s.n == SLICE && limit > 0);
	return rc;
}

/* ---- the job ---- */

struct plan {
	const char *prefix;
	unsigned char mount[MOUNT_ID];
	bool of_mount, force, waiting;
	bool found; /* something was condemned */
	unsigned char after[DB_LEASE_ID];
	bool started;
	int64_t until_ms;
};

/* The body outlives what it is made from. */
static void set_copy(struct arena *a, struct value *b, const char *key, const void *p,
                     size_t n)
{
	void *copy = arena_dup(a, p, n);

	if (copy != NULL)
		value_set_bytes(a, b, key, copy, n);
}

static struct value *plan_body(struct arena *a, const struct plan *p)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "prefix", p->prefix);
	if (p->of_mount)
		set_copy(a, b, "mount", p->mount, sizeof(p->mount));
	if (p->started)
		set_copy(a, b, "after", p->after, sizeof(p->after));
	value_set_bool(a, b, "force", p->force);
	value_set_bool(a, b, "waiting", p->waiting);
	value_set_bool(a, b, "found", p->found);
	value_set_int(a, b, "until", p->until_ms);
	return b;
}

static int read_id(const struct value *b, const char *key, unsigned char out[16],
                   bool *has)
{
	const struct value *v = value_get(b, key);

	*has = v != NULL;
	if (v == NULL)
		return 0;
	if (v->type != V_BYTES || v->len != 16)
		return -1;
	memcpy(out, v->text, 16);
	return 0;
}

static int plan_read(struct arena *a, const struct value *b, struct plan *p,
                     struct err *e)
{
	*p = (struct plan){ .prefix = value_cstr_or(a, b, "prefix", ""),
		            .force = value_bool_or(b, "force", false),
		            .waiting = value_bool_or(b, "waiting", false),
		            .found = value_bool_or(b, "found", false),
		            .until_ms = value_int_or(b, "until", 0) };
	if (read_id(b, "mount", p->mount, &p->of_mount) != 0 ||
	    read_id(b, "after", p->after, &p->started) != 0)
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	return ERR_OK;
}

static bool concerns(const struct plan *p, const struct db_lease *l)
{
	if (p->of_mount && memcmp(l->o.tag, p->mount, sizeof(p->mount)) != 0)
		return false;
	return strncmp(l->lease_id, p->prefix, strlen(p->prefix)) == 0;
}

/* *stay: this one has still to be waited for. */
static int one(struct core *c, struct arena *a, struct plan *p, struct db_lease *l,
               bool *stay, struct err *e)
{
	*stay = false;
	if (!concerns(p, l))
		return ERR_OK;
	p->found = true;
	if (!p->waiting)
		return db_lease_condemn(c, a, l, p->force, e);
	*stay = l->state == DB_LEASE_REVOKING && l->tries == 0 && !l->never &&
	        c->now_ms < p->until_ms;
	return ERR_OK;
}

/* *end: the last one has been looked at; *stay: not yet, for one is waited for. */
static int look(struct core *c, struct arena *a, struct plan *p, bool *end, bool *stay,
                struct err *e)
{
	struct some s = { .n = 0 };
	struct db_lease l;
	int rc = store_each(c, a, KIND_DB_LEASE, p->started ? p->after : NULL,
	                    sizeof(p->after), SLICE, collect, &s, e);

	*stay = false;
	for (size_t i = 0; rc == ERR_OK && i < s.n; i++) {
		if ((rc = db_lease_read(a, &s.at[i], &l, e)) != ERR_OK ||
		    (rc = one(c, a, p, &l, stay, e)) != ERR_OK || *stay)
			return rc;
		memcpy(p->after, s.at[i].id, sizeof(p->after));
		p->started = true;
	}
	*end = s.n < SLICE;
	return rc;
}

int db_revoke_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e)
{
	bool end = false, stay;
	struct plan p;
	int rc = plan_read(a, job->body, &p, e);

	if (rc != ERR_OK || (rc = look(c, a, &p, &end, &stay, e)) != ERR_OK)
		return rc;
	*done = end && (p.waiting || !p.found);
	if (stay)
		job->due = c->now_ms + LOOK_MS;
	if (end && !p.waiting) {
		p.waiting = true;
		p.started = false;
		p.until_ms = c->now_ms + WAIT_MS;
	}
	job->body = plan_body(a, &p);
	value_set_str(a, job->body, "job", JOB);
	return ERR_OK;
}

int db_revoke_prefix(struct core *c, struct arena *a, const char *prefix, bool force,
                     unsigned char job[16], struct err *e)
{
	const struct plan p = { .prefix = prefix, .force = force };

	return job_start(c, a, JOB, plan_body(a, &p), job, e);
}

int db_lease_mount_moved(struct core *c, struct arena *a, const struct mount *m,
                         struct err *e)
{
	struct plan p = { .prefix = m->path, .of_mount = true };
	unsigned char job[16];

	if (strcmp(m->type, "database") != 0)
		return ERR_OK;
	memcpy(p.mount, m->id, MOUNT_ID);
	return job_start(c, a, JOB, plan_body(a, &p), job, e);
}
