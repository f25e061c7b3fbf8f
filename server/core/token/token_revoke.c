/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_revoke - the end of tokens, with all that come from them, in bounded slices.
 *
 * A token is condemned first: from then on it is dead for everyone, and nothing new can
 * come from it.  Its children are condemned in turn, a page at a time, and one that has
 * no children left is deleted.  What is condemned by one revocation has one parent, its
 * grave (a random id): where a revocation stands is in the store and survives a restart.
 * What has expired needs no grave: a condemned child is due itself, and the timer finds
 * it.
 */
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "cubbyhole.h"
#include "db_lease.h"
#include "jobs.h"
#include "mutant.h"
#include "policy.h"
#include "rng.h"
#include "token_impl.h"
#include "token_lease.h"
#include "vault/limits.h"
#include "wrap.h"

#define SLICE       64 /* writes: about 3 ms */
#define SCRATCH_MAX LIMIT_REQUEST_ARENA

/* One go at it. */
struct sweep {
	struct core *c;
	const unsigned char *grave; /* 32 bytes; NULL: they have expired */
	bool orphan;                /* children are set free instead */
	int left;                   /* writes that may be done */
};

/* Objects of one page of a query; they live in its arena. */
struct page {
	struct store_object o[SLICE];
	int n;
};

static int take(void *ctx, struct store_object *o, struct err *e)
{
	struct page *p = ctx;

	(void)e;
	p->o[p->n++] = *o;
	return ERR_OK;
}

static int condemn(struct sweep *s, struct arena *a, struct store_object *o,
                   struct err *e)
{
	s->left--;
	token_set_true(a, o->body, "dead");
	o->parent_len = s->grave != NULL ? 32 : 0;
	if (s->grave != NULL)
		memcpy(o->parent, s->grave, 32);
	o->due = s->grave != NULL ? 0 : s->c->now_ms;
	return store_put(s->c, o, e);
}

static int set_free(struct sweep *s, struct arena *a, struct store_object *o,
                    struct err *e)
{
	s->left--;
	token_set_true(a, o->body, "orphan");
	o->parent_len = 0;
	return store_put(s->c, o, e);
}

static int audit_expired(struct core *c, struct arena *a, const struct store_object *o,
                         struct err *e)
{
	char request_id[37];
	struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.remote = "",
		.operation = "expire",
		.outcome = "ok",
		.error = "",
	};

	rng_uuid4(request_id);
	rec.accessor = value_cstr_or(a, o->body, "accessor", "");
	rec.path = value_cstr_or(a, o->body, "path", "");
	return audit_append(c, &rec, e);
}

/* Only a wrapping token has that policy. */
static bool wraps_something(const struct store_object *o)
{
	const struct value *policies = value_get(o->body, "policies");

	return policies != NULL && value_is_str(policies->first, POLICY_WRAPPING);
}

static int remove_token(struct sweep *s, struct arena *a, const struct store_object *o,
                        struct err *e)
{
	int rc = s->grave == NULL ? audit_expired(s->c, a, o, e) : ERR_OK;

	s->left--;
	if (rc == ERR_OK && wraps_something(o))
		rc = wrap_forget(s->c, o->id, e);
	if (rc == ERR_OK)
		rc = cubbyhole_token_gone(s->c, a, o, e);
	return rc == ERR_OK ? store_delete(s->c, o, e) : rc;
}

/* A token that is dead already: a page of its children, then of the accounts that were
 * made for it; when none is left, itself. */
static int bury(struct sweep *s, struct arena *a, const struct store_object *o,
                struct err *e)
{
	struct page children = { .n = 0 };
	int limit = s->left < SLICE ? s->left : SLICE, leases = 0;
	int rc = store_by_parent_page(s->c, a, KIND_TOKEN, o->id, 32, NULL, 0, limit,
	                              take, &children, e);

	for (int i = 0; rc == ERR_OK && i < children.n; i++)
		rc = s->orphan ? set_free(s, a, &children.o[i], e)
		               : condemn(s, a, &children.o[i], e);
	if (rc != ERR_OK || children.n == limit)
		return rc;
	limit = s->left < SLICE ? s->left : SLICE;
	if (limit <= 0)
		return ERR_OK;
	rc = db_lease_token_gone(s->c, a, o->id, limit, &leases, e);
	s->left -= leases;
	if (rc != ERR_OK || leases > 0) /* there may be more */
		return rc;
	return remove_token(s, a, o, e);
}

/* Until nothing is condemned any more, or enough has been done. */
static int sweep(struct sweep *s, bool *done, struct err *e)
{
	AUTO_ARENA a = arena_new(SCRATCH_MAX);
	int rc = ERR_OK;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*done = false;
	while (rc == ERR_OK && s->left > 0) {
		struct page p = { .n = 0 };

		rc = store_by_parent_page(s->c, a, KIND_TOKEN, s->grave, 32, NULL, 0,
		                          s->left < SLICE ? s->left : SLICE, take, &p, e);
		if (rc == ERR_OK && p.n == 0) {
			*done = true;
			return ERR_OK;
		}
		for (int i = 0; rc == ERR_OK && i < p.n && s->left > 0; i++)
			rc = bury(s, a, &p.o[i], e);
		arena_reset(a);
	}
	return rc;
}

/* ---- as a job ---- */

#define JOB "token-revoke"

/* What a job knows; see the top for the rest. */
struct plan {
	unsigned char grave[32];
	bool orphan;
	const char *prefix;      /* of lease ids that are still looked for, or "" */
	unsigned char after[32]; /* the last token that was looked at */
	bool started;            /* after[] is one */
	const char *accessor;    /* for the record: of whom */
	const char *path;
};

static void set_id(struct arena *a, struct value *b, const char *key,
                   const unsigned char id[32])
{
	void *copy = arena_dup(a, id, 32);

	if (copy != NULL)
		value_set_bytes(a, b, key, copy, 32);
}

static struct value *plan_body(struct arena *a, const struct plan *p)
{
	struct value *b = value_object(a);

	set_id(a, b, "grave", p->grave);
	value_set_bool(a, b, "orphan", p->orphan);
	value_set_str(a, b, "prefix", p->prefix);
	if (p->started)
		set_id(a, b, "after", p->after);
	value_set_str(a, b, "accessor", p->accessor);
	value_set_str(a, b, "path", p->path);
	return b;
}

static int plan_read(struct arena *a, const struct value *b, struct plan *p,
                     struct err *e)
{
	const struct value *grave = value_get(b, "grave"), *after = value_get(b, "after");

	*p = (struct plan){ .prefix = "", .accessor = "", .path = "" };
	if (grave == NULL || grave->type != V_BYTES || grave->len != sizeof(p->grave))
		return err_set(e, ERR_INTEGRITY, "a revocation is malformed");
	memcpy(p->grave, grave->text, sizeof(p->grave));
	p->orphan = value_bool_or(b, "orphan", false);
	p->prefix = value_cstr_or(a, b, "prefix", "");
	p->accessor = value_cstr_or(a, b, "accessor", "");
	p->path = value_cstr_or(a, b, "path", "");
	if (after != NULL && after->type == V_BYTES && after->len == sizeof(p->after)) {
		memcpy(p->after, after->text, sizeof(p->after));
		p->started = true;
	}
	return ERR_OK;
}

/* Nobody may wait for it any more when it ends: it has a record of its own. */
static int audit_revoked(struct core *c, const struct plan *p, struct err *e)
{
	char request_id[37];
	const struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = p->accessor,
		.remote = "",
		.operation = "revoke",
		.path = p->path,
		.outcome = "ok",
		.error = "",
	};

	rng_uuid4(request_id);
	return audit_append(c, &rec, e);
}

/* The next tokens in order of id: those of the prefix are condemned. */
static int look_further(struct sweep *s, struct plan *p, struct err *e)
{
	AUTO_ARENA a = arena_new(SCRATCH_MAX);
	struct page page = { .n = 0 };
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_each(s->c, a, KIND_TOKEN, p->started ? p->after : NULL,
	                sizeof(p->after), SLICE, take, &page, e);
	for (int i = 0; rc == ERR_OK && i < page.n; i++) {
		struct store_object *o = &page.o[i];

		memcpy(p->after, o->id, sizeof(p->after));
		p->started = true;
		if (!value_bool_or(o->body, "dead", false) &&
		    token_lease_begins(a, o, p->prefix))
			rc = condemn(s, a, o, e);
	}
	s->left -= page.n / 4; /* opening costs too */
	if (rc == ERR_OK && page.n < SLICE)
		p->prefix = "";
	return rc;
}

int token_revoke_slice(struct core *c, struct arena *a, struct store_object *job,
                       bool *done, struct err *e)
{
	struct plan p;
	struct sweep s = { .c = c, .left = SLICE };
	int rc = plan_read(a, job->body, &p, e);

	if (rc != ERR_OK)
		return rc;
	s.grave = p.grave;
	s.orphan = p.orphan;
	while (rc == ERR_OK && p.prefix[0] != '\0' && s.left > 0)
		rc = look_further(&s, &p, e);
	if (rc == ERR_OK && p.prefix[0] == '\0' && s.left > 0)
		rc = sweep(&s, done, e);
	if (rc == ERR_OK && *done)
		rc = audit_revoked(c, &p, e);
	job->body = plan_body(a, &p);
	value_set_str(a, job->body, "job", JOB);
	return rc;
}

/* ---- starting ---- */

/* Small families are gone when this returns; *done false: ${job} does the rest. */
static int start(struct core *c, struct arena *a, struct store_object *o, bool orphan,
                 unsigned char job[16], bool *done, struct err *e)
{
	struct plan p = {
		.orphan = orphan,
		.prefix = "",
		.accessor = value_cstr_or(a, o->body, "accessor", ""),
		.path = value_cstr_or(a, o->body, "path", ""),
	};
	struct sweep s = { c, p.grave, orphan, SLICE };
	int rc;

	*done = true;
	if (MUTANT(MUTANT_REVOKED_IN_BATCH)) {
		o->due = c->now_ms + 1;
		return store_put(c, o, e);
	}
	rng_bytes(p.grave, sizeof(p.grave));
	if ((rc = condemn(&s, a, o, e)) != ERR_OK ||
	    (rc = sweep(&s, done, e)) != ERR_OK || *done)
		return rc;
	return job_start(c, a, JOB, plan_body(a, &p), job, e);
}

int token_revoke(struct core *c, struct arena *a, const unsigned char id[32],
                 struct err *e)
{
	struct store_object o;
	unsigned char job[16];
	bool done;
	int rc = token_load(c, a, id, &o, e);

	if (rc == ERR_NOENT || (rc == ERR_OK && value_bool_or(o.body, "dead", false)))
		return ERR_OK;
	return rc == ERR_OK ? start(c, a, &o, false, job, &done, e) : rc;
}

int token_revoke_host(struct core *c, struct arena *a, const unsigned char host_id[16],
                      struct err *e)
{
	AUTO_ARENA scratch = arena_new(SCRATCH_MAX);
	unsigned char parent[32];
	struct page p;
	int rc;

	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	token_host_parent(c, host_id, parent);
	do {
		p.n = 0;
		rc = store_by_parent_page(c, scratch, KIND_TOKEN, parent, 32, NULL, 0,
		                          SLICE, take, &p, e);
		for (int i = 0; rc == ERR_OK && i < p.n; i++) {
			unsigned char job[16];
			bool done;

			rc = start(c, a, &p.o[i], false, job, &done, e);
		}
	} while (rc == ERR_OK && p.n == SLICE && !MUTANT(MUTANT_REVOKED_IN_BATCH));
	return rc;
}

int token_revoke_prefix(struct core *c, struct arena *a, const char *prefix,
                        unsigned char job[16], struct err *e)
{
	struct plan p = { .prefix = prefix, .accessor = "", .path = prefix };

	rng_bytes(p.grave, sizeof(p.grave));
	return job_start(c, a, JOB, plan_body(a, &p), job, e);
}

/* Each due token and its children, who are due from then on; earliest first. */
int token_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	AUTO_ARENA scratch = arena_new(SCRATCH_MAX);
	struct sweep s = { .c = c, .left = limit };
	struct page p;
	int rc;

	(void)a;
	if (MUTANT(MUTANT_EXPIRED_LIVES))
		return ERR_OK;
	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	do {
		p.n = 0;
		rc = store_due(c, scratch, KIND_TOKEN, c->now_ms,
		               s.left < SLICE ? s.left : SLICE, take, &p, e);
		for (int i = 0; rc == ERR_OK && i < p.n && s.left > 0; i++)
			rc = bury(&s, scratch, &p.o[i], e);
		arena_reset(scratch);
	} while (rc == ERR_OK && p.n > 0 && s.left > 0);
	return rc;
}

int token_revoke_request(struct req *r, const struct store_object *o, bool orphan)
{
	struct store_object mine = *o;
	unsigned char job[1][16];
	bool done;
	int rc;

	if (token_is_batch(o))
		return req_fail(r, ERR_INVALID, "batch tokens cannot be revoked");
	rc = start(r->core, r->a, &mine, orphan, job[0], &done, &r->e);
	return rc != ERR_OK || done ? rc : job_wait(r, job, 1);
}
