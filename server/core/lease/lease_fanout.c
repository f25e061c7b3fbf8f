/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_fanout - a change of one secret reaches every lease on it.
 *
 * The first leases are marked in the transaction of the change; with many holders a job
 * goes through the others in slices.  A lease knows which change reached it last, so that
 * slices of an older change do not undo a newer one.
 */
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "lease_impl.h"
#include "rng.h"
#include "rotation.h"

#define SLICE 128

struct change {
	unsigned char secret[32];
	int64_t version;
	int64_t seq; /* revision when it was made */
	bool gone;
	bool moved;   /* it is another secret now, ${to} */
	bool counted; /* by an attempt that publishes it */
	unsigned char to[32];
	unsigned char attempt[16];
};

static void apply(struct lease *l, const struct change *ch, int64_t rev)
{
	if (ch->version > l->target)
		l->target = ch->version;
	l->seq = ch->seq;
	l->rev = rev;
	if (ch->gone) {
		l->end = END_DELETED;
		l->state = LEASE_REVOKED;
	} else if (l->end == END_DELETED) {
		l->end = END_NONE;
		l->state = LEASE_ISSUED;
	}
}

/* Versions begin anew where another secret took the place of one that was deleted.  The
 * holder takes no older version of the same lease. */
static bool begins_anew(const struct lease *l, const struct change *ch)
{
	return ch->moved ||
	       (l->end == END_DELETED && !ch->gone && ch->version < l->target);
}

/* Another lease in its place. */
static int replace(struct core *c, struct arena *a, struct lease *l,
                   const struct change *ch, int64_t rev, struct err *e)
{
	struct lease old = *l;

	l->rev = rev;
	lease_new_id(l);
	l->o.version = 0;
	if (ch->moved)
		memcpy(l->o.tag, ch->to, sizeof(ch->to));
	l->detail = "";
	l->state = LEASE_ISSUED;
	l->end = END_NONE;
	l->target = ch->version;
	l->version = l->applied = l->said = 0;
	l->born = l->seq = ch->seq;
	l->wants = l->settled_ms = l->since_ms = 0;
	l->waits = l->stored.rejects = false;
	return lease_drop(c, a, &old, e);
}

/* Leases that are younger than the publication got the new version from the start. */
static void count(struct lease *l, const struct change *ch, struct rotation_marked *m)
{
	if (!ch->counted || !lease_alive(l) || l->born > ch->seq || l->seq > ch->seq)
		return;
	memcpy(l->attempt, ch->attempt, sizeof(l->attempt));
	l->wants = ch->version;
	l->settled_ms = 0;
	l->stored.rejects = false; /* that was another version */
	l->waits = l->applied < ch->version && l->state != LEASE_WIPED;
	m->holders++;
	m->waiting += l->waits;
}

static int mark(struct core *c, struct arena *a, struct lease *l, const struct change *ch,
                int64_t rev, struct rotation_marked *m, struct err *e)
{
	bool newer = l->seq < ch->seq;
	int rc;

	if (!lease_alive(l) && (l->end != END_DELETED || ch->moved))
		return ERR_OK;
	if (newer && begins_anew(l, ch)) {
		if ((rc = replace(c, a, l, ch, rev, e)) != ERR_OK)
			return rc;
	} else if (newer) {
		apply(l, ch, rev);
	}
	count(l, ch, m);
	if (newer && (rc = lease_wake(c, a, l, e)) != ERR_OK)
		return rc;
	return lease_save(c, a, l, e);
}

static int mark_all(struct core *c, struct arena *a, struct leases *ls,
                    const struct change *ch, int64_t rev, struct err *e)
{
	struct rotation_marked m = { .version = ch->version, .more = ls->n == SLICE };
	int rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < ls->n; i++)
		rc = mark(c, a, &ls->at[i], ch, rev, &m, e);
	if (rc == ERR_OK && ch->counted)
		rc = rotation_holders(c, a, ch->attempt, &m, e);
	return rc;
}

/* The body outlives what it is made from. */
static void set_copy(struct arena *a, struct value *b, const char *key, const void *p,
                     size_t n)
{
	void *copy = arena_dup(a, p, n);

	if (copy != NULL)
		value_set_bytes(a, b, key, copy, n);
}

static struct value *job_body(struct arena *a, const struct change *ch,
                              const unsigned char last[LEASE_ID])
{
	struct value *b = value_object(a);

	value_set_str(a, b, "job", "lease-fanout");
	value_set_str(a, b, "what", "secret");
	set_copy(a, b, "secret", ch->secret, sizeof(ch->secret));
	value_set_int(a, b, "version", ch->version);
	value_set_int(a, b, "seq", ch->seq);
	value_set_bool(a, b, "gone", ch->gone);
	value_set_bool(a, b, "counted", ch->counted);
	set_copy(a, b, "attempt", ch->attempt, sizeof(ch->attempt));
	if (ch->moved)
		set_copy(a, b, "to", ch->to, sizeof(ch->to));
	set_copy(a, b, "after", last, LEASE_ID);
	return b;
}

/* Like job_start(), for a body that says whose job it is already. */
int lease_job_start(struct core *c, struct value *body, int64_t due, struct err *e)
{
	struct store_object o = {
		.kind = KIND_JOB, .id_len = 16, .due = due, .body = body
	};

	rng_bytes(o.id, o.id_len);
	jobs_dirty(c);
	return store_put(c, &o, e);
}

#define BY_REVISION (-1) /* the change itself is the version */

static int changed(struct core *c, struct arena *a, struct change *ch, struct err *e)
{
	struct leases ls = { .a = a };
	unsigned char last[LEASE_ID];
	int rc;

	rc = store_by_tag_page(c, a, KIND_LEASE, ch->secret, 32, NULL, 0, SLICE,
	                       lease_collect, &ls, e);
	if (rc != ERR_OK || ls.n == 0)
		return rc;
	memcpy(last, ls.at[ls.n - 1].o.id, LEASE_ID);
	if ((rc = lease_rev(c, a, true, &ch->seq, e)) != ERR_OK)
		return rc;
	if (ch->version == BY_REVISION)
		ch->version = ch->seq;
	if ((rc = rotation_publishing(c, a, ch->secret, ch->attempt, &ch->counted, e)) !=
	            ERR_OK ||
	    (rc = mark_all(c, a, &ls, ch, ch->seq, e)) != ERR_OK || ls.n < SLICE)
		return rc;
	return lease_job_start(c, job_body(a, ch, last), c->now_ms, e);
}

int lease_secret_changed(struct core *c, struct arena *a,
                         const unsigned char secret_id[32], int64_t version,
                         const char *op, struct err *e)
{
	struct change ch = { .version = version, .gone = strcmp(op, "revoke") == 0 };

	memcpy(ch.secret, secret_id, sizeof(ch.secret));
	return changed(c, a, &ch, e);
}

int lease_secret_moved(struct core *c, struct arena *a, const unsigned char from[32],
                       const unsigned char to[32], int64_t version, struct err *e)
{
	struct change ch = { .version = version, .moved = true };

	memcpy(ch.secret, from, sizeof(ch.secret));
	memcpy(ch.to, to, sizeof(ch.to));
	return changed(c, a, &ch, e);
}

int lease_names_changed(struct core *c, struct arena *a,
                        const unsigned char folder_id[32], struct err *e)
{
	struct change ch = { .version = BY_REVISION };

	memcpy(ch.secret, folder_id, sizeof(ch.secret));
	return changed(c, a, &ch, e);
}

static int read_bytes(const struct value *b, const char *key, unsigned char *out,
                      size_t n)
{
	const struct value *v = value_get(b, key);

	if (v == NULL || v->type != V_BYTES || v->len != n)
		return -1;
	memcpy(out, v->text, n);
	return 0;
}

static int secret_slice(struct core *c, struct arena *a, struct store_object *job,
                        bool *done, struct err *e)
{
	struct change ch = {
		.version = value_int_or(job->body, "version", 0),
		.seq = value_int_or(job->body, "seq", 0),
		.gone = value_bool_or(job->body, "gone", false),
		.counted = value_bool_or(job->body, "counted", false),
	};
	struct leases ls = { .a = a };
	unsigned char after[LEASE_ID], last[LEASE_ID];
	int64_t rev;
	int rc;

	if (read_bytes(job->body, "secret", ch.secret, sizeof(ch.secret)) != 0 ||
	    read_bytes(job->body, "attempt", ch.attempt, sizeof(ch.attempt)) != 0 ||
	    read_bytes(job->body, "after", after, sizeof(after)) != 0)
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	ch.moved = read_bytes(job->body, "to", ch.to, sizeof(ch.to)) == 0;
	rc = store_by_tag_page(c, a, KIND_LEASE, ch.secret, sizeof(ch.secret), after,
	                       sizeof(after), SLICE, lease_collect, &ls, e);
	if (rc == ERR_OK && ls.n > 0)
		memcpy(last, ls.at[ls.n - 1].o.id, LEASE_ID);
	if (rc != ERR_OK || (rc = lease_rev(c, a, true, &rev, e)) != ERR_OK ||
	    (rc = mark_all(c, a, &ls, &ch, rev, e)) != ERR_OK)
		return rc;
	*done = ls.n < SLICE;
	if (!*done)
		job->body = job_body(a, &ch, last);
	return ERR_OK;
}

int lease_fanout_slice(struct core *c, struct arena *a, struct store_object *job,
                       bool *done, struct err *e)
{
	const struct value *what = value_get(job->body, "what");

	if (value_is_str(what, "host"))
		return lease_cut_slice(c, a, job, done, e);
	if (value_is_str(what, "role"))
		return lease_role_slice(c, a, job, done, e);
	return secret_slice(c, a, job, done, e);
}
