/* SPDX-License-Identifier: Apache-2.0 */
#include "db_lease.h"

#include <string.h>

#include "arena.h"
#include "audit.h"
#include "jobs.h"
#include "rng.h"
#include "rotation.h"

#define ERROR_MAX    256
#define HANDOVER_MS  10000 /* a request that waits takes what was made in this time */
#define SLACK_MS     5000  /* then a call is taken for lost */
#define AGAIN_MS     250   /* while a call is under way */
#define RETRY_MS     10000
#define RETRY_MAX_MS (10ll * 60 * 1000)

/* ---- the row ---- */

void db_lease_id_of(struct core *c, const char *lease_id, unsigned char out[DB_LEASE_ID])
{
	const char *last = strrchr(lease_id, '/');
	unsigned char tag[32];

	last = last != NULL ? last + 1 : lease_id;
	store_blind(c, tag, "db-lease", last, strlen(last), NULL, 0);
	memcpy(out, tag, DB_LEASE_ID);
}

int db_lease_read(struct arena *a, const struct store_object *o, struct db_lease *out,
                  struct err *e)
{
	const struct value *b = o->body, *target = value_get(b, "target");
	int64_t state = value_int_or(b, "state", DB_LEASE__MAX);

	memset(out, 0, sizeof(*out));
	out->o = *o;
	if (target == NULL || target->type != V_BYTES ||
	    target->len != sizeof(out->target) || state < 0 || state >= DB_LEASE__MAX)
		return err_set(e, ERR_INTEGRITY, "a database lease is malformed");
	memcpy(out->target, target->text, sizeof(out->target));
	out->state = (enum db_lease_state)state;
	out->lease_id = value_cstr_or(a, b, "lease_id", "");
	out->role = value_cstr_or(a, b, "role", "");
	out->db_name = value_cstr_or(a, b, "db_name", "");
	out->username = value_cstr_or(a, b, "username", "");
	out->request_id = value_cstr_or(a, b, "request", "");
	out->error = value_cstr_or(a, b, "error", "");
	out->revocation = value_get(b, "revocation");
	if (out->revocation == NULL)
		out->revocation = value_array(a);
	out->rollback = value_get(b, "rollback");
	if (out->rollback == NULL)
		out->rollback = value_array(a);
	out->issued_ms = value_int_or(b, "issued", 0);
	out->renewed_ms = value_int_or(b, "renewed", 0);
	out->expires_ms = value_int_or(b, "expires", 0);
	out->boot_due_ms = value_int_or(b, "boot_due", 0);
	out->limit_ms = value_int_or(b, "limit", 0);
	out->until_ms = value_int_or(b, "until", 0);
	out->tries = value_int_or(b, "tries", 0);
	out->making = value_bool_or(b, "making", false);
	out->uncertain = value_bool_or(b, "uncertain", false);
	out->half = value_bool_or(b, "half", false);
	out->never = value_bool_or(b, "never", false);
	out->force = value_bool_or(b, "force", false);
	return ERR_OK;
}

int db_lease_load(struct core *c, struct arena *a, const unsigned char id[DB_LEASE_ID],
                  struct db_lease *out, struct err *e)
{
	struct store_object o = { .version = 0 };
	int rc = store_get(c, a, KIND_DB_LEASE, id, DB_LEASE_ID, &o, e);

	return rc == ERR_OK ? db_lease_read(a, &o, out, e) : rc;
}

static void set_numbers(struct arena *a, const struct db_lease *l, struct value *b)
{
	value_set_int(a, b, "state", l->state);
	value_set_int(a, b, "issued", l->issued_ms);
	value_set_int(a, b, "renewed", l->renewed_ms);
	value_set_int(a, b, "expires", l->expires_ms);
	value_set_int(a, b, "boot_due", l->boot_due_ms);
	value_set_int(a, b, "limit", l->limit_ms);
	value_set_int(a, b, "until", l->until_ms);
	value_set_int(a, b, "tries", l->tries);
	value_set_bool(a, b, "making", l->making);
	value_set_bool(a, b, "uncertain", l->uncertain);
	value_set_bool(a, b, "half", l->half);
	value_set_bool(a, b, "never", l->never);
	value_set_bool(a, b, "force", l->force);
}

int db_lease_save(struct core *c, struct arena *a, struct db_lease *l, struct err *e)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "lease_id", l->lease_id);
	value_set_str(a, b, "role", l->role);
	value_set_str(a, b, "db_name", l->db_name);
	value_set_str(a, b, "username", l->username);
	value_set_str(a, b, "request", l->request_id);
	value_set_str(a, b, "error", l->error);
	value_set_bytes(a, b, "target", l->target, sizeof(l->target));
	value_set(b, "revocation", value_copy(a, l->revocation));
	if (l->rollback->len > 0)
		value_set(b, "rollback", value_copy(a, l->rollback));
	set_numbers(a, l, b);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	l->o.body = b;
	jobs_dirty(c); /* also where the request itself was a read */
	return store_put(c, &l->o, e);
}

int64_t db_lease_left_ms(const struct core *c, const struct db_lease *l)
{
	int64_t left = l->expires_ms - c->now_ms;

	if (l->state != DB_LEASE_LIVE)
		return 0;
	if (l->boot_due_ms - c->boot_ms < left)
		left = l->boot_due_ms - c->boot_ms;
	return left > 0 ? left : 0;
}

int db_lease_record(struct core *c, struct arena *a, const struct db_lease *l,
                    const char *operation, const char *outcome, struct err *e)
{
	char request_id[37];
	struct value *note = value_object(a);
	const struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = "",
		.remote = "",
		.operation = operation,
		.path = l->lease_id,
		.outcome = outcome,
		.error = "",
		.note = note,
	};

	rng_uuid4(request_id);
	value_set_str(a, note, "username", l->username);
	value_set_str(a, note, "role", l->role);
	value_set_str(a, note, "request", l->request_id);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return audit_append(c, &rec, e);
}

/* ---- transitions ---- */

int db_lease_live(struct core *c, struct arena *a, struct db_lease *l, int64_t ttl_ms,
                  struct err *e)
{
	/* A token that is not stored is not there to revoke it. */
	if (l->limit_ms != 0 && ttl_ms > l->limit_ms - c->now_ms)
		ttl_ms = l->limit_ms > c->now_ms ? l->limit_ms - c->now_ms : 0;
	l->state = DB_LEASE_LIVE;
	l->expires_ms = l->o.due = c->now_ms + ttl_ms;
	l->boot_due_ms = c->boot_ms + ttl_ms;
	return db_lease_save(c, a, l, e);
}

int db_lease_condemn(struct core *c, struct arena *a, struct db_lease *l, bool force,
                     struct err *e)
{
	l->force = l->force || force;
	/* Whoever has not learnt of the account yet is not going to. */
	l->state = DB_LEASE_REVOKING;
	l->o.parent_len = 0;
	l->tries = 0;
	l->o.due = c->now_ms;
	return db_lease_save(c, a, l, e);
}

/* The account is gone, or nobody is to care any more. */
static int drop(struct core *c, struct arena *a, const struct db_lease *l,
                const char *outcome, struct err *e)
{
	int rc = store_delete(c, &l->o, e);

	core_wake(c, WAIT_JOB, l->o.id);
	return rc == ERR_OK ? db_lease_record(c, a, l, "revoke", outcome, e) : rc;
}

static const char *kept(struct arena *a, const char *text)
{
	char *s = arena_dup(a, text, strnlen(text, ERROR_MAX));

	return s != NULL ? s : "";
}

static int64_t backoff(int64_t tries)
{
	int64_t span = RETRY_MS;
	uint32_t r;

	for (int64_t i = 1; i < tries && span < RETRY_MAX_MS; i++)
		span *= 2;
	rng_bytes(&r, sizeof(r));
	return span / 2 + (int64_t)(r % (uint32_t)(span / 2 + 1));
}

static int revoke_failed(struct core *c, struct arena *a, struct db_lease *l,
                         const char *why, struct err *e)
{
	l->error = kept(a, why);
	l->tries++;
	core_wake(c, WAIT_JOB, l->o.id);
	if (l->force)
		return drop(c, a, l, "error", e);
	if (l->tries < DB_REVOKE_TRIES) {
		l->o.due = c->now_ms + backoff(l->tries);
		return db_lease_save(c, a, l, e);
	}
	l->state = DB_LEASE_IRREVOCABLE;
	l->o.due = 0;
	if (db_lease_save(c, a, l, e) != ERR_OK)
		return (int)e->code;
	return db_lease_record(c, a, l, "revoke", "error", e);
}

/* After failed logins of its administrator nobody asks, nor while its password is being
 * changed; that is no try.  *ms: how long; 0: now. */
static int how_long(struct core *c, struct arena *a, const struct target *t, int64_t *ms,
                    struct err *e)
{
	struct rotation_of_admin admin;
	int rc = rotation_of_admin(c, a, t, &admin, e);

	*ms = target_wait_ms(c, t);
	if (rc == ERR_OK && admin.now && *ms < 4 * AGAIN_MS)
		*ms = 4 * AGAIN_MS;
	return rc;
}

static int left_alone(struct core *c, struct arena *a, struct db_lease *l, int64_t wait,
                      struct err *e)
{
	if (l->force && wait > 4 * AGAIN_MS)
		return revoke_failed(c, a, l, l->error, e);
	l->o.due = c->now_ms + wait;
	return db_lease_save(c, a, l, e);
}

static int ask_revoke(struct core *c, struct arena *a, struct db_lease *l, struct err *e)
{
	struct target t;
	struct db_call call = { .op = "user_revoke",
		                .t = &t,
		                .lease_id = l->lease_id,
		                .username = l->username,
		                .statements = l->half && l->rollback->len > 0
		                                      ? l->rollback
		                                      : l->revocation,
		                .owner = STEP_FOR_DATABASE };
	int64_t wait = 0;
	int rc = target_load(c, a, l->target, &t, e);

	memcpy(call.id, l->o.id, sizeof(call.id));
	if (rc == ERR_NOENT)
		return revoke_failed(c, a, l,
		                     arena_printf(a,
		                                  "failed to find entry for connection "
		                                  "with name: \"%.128s\"",
		                                  l->db_name),
		                     e);
	if (rc == ERR_OK && (rc = how_long(c, a, &t, &wait, e)) == ERR_OK && wait > 0)
		return left_alone(c, a, l, wait, e);
	if (rc == ERR_OK)
		rc = db_call(c, a, &call, e);
	if (rc == ERR_NOENT || rc == ERR_INVALID || rc == ERR_TOO_BIG)
		return revoke_failed(c, a, l, kept(a, e->msg), e);
	if (rc == ERR_BUSY) {
		l->o.due = c->now_ms + 4 * AGAIN_MS;
		return db_lease_save(c, a, l, e);
	}
	if (rc != ERR_OK)
		return rc;
	l->o.due = c->now_ms + t.timeout_ms + SLACK_MS;
	return db_lease_save(c, a, l, e);
}

/* ---- what the clock brings ---- */

static int one_due(struct core *c, struct arena *a, struct db_lease *l, struct err *e)
{
	int rc = ERR_OK;

	/* One call about an account at a time: it is not dropped while it is made. */
	if (step_under_way(c, l->o.id)) {
		l->o.due = c->now_ms + AGAIN_MS;
		return db_lease_save(c, a, l, e);
	}
	if (l->never)
		return drop(c, a, l, "ok", e);
	l->uncertain = l->uncertain || l->making;
	l->half = l->half || l->making;
	l->making = false;
	if (l->state == DB_LEASE_LIVE)
		rc = db_lease_record(c, a, l, "expire", "ok", e);
	if (l->state != DB_LEASE_REVOKING && rc == ERR_OK)
		rc = db_lease_condemn(c, a, l, false, e);
	return rc == ERR_OK ? ask_revoke(c, a, l, e) : rc;
}

struct due {
	struct store_object *at;
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct due *d = ctx;

	(void)e;
	d->at[d->n++] = *o;
	return ERR_OK;
}

int db_lease_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct due d = { .n = 0 };
	struct db_lease l;
	int rc;

	d.at = arena_alloc(a, (size_t)limit * sizeof(*d.at));
	if (d.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, a, KIND_DB_LEASE, c->now_ms, limit, collect, &d, e);
	for (size_t i = 0; rc == ERR_OK && i < d.n; i++)
		if ((rc = db_lease_read(a, &d.at[i], &l, e)) == ERR_OK)
			rc = one_due(c, a, &l, e);
	return rc;
}

/* ---- what a database has said ---- */

static const char *why(const struct step_result *r)
{
	const char *text = r->outcome == STEP_UNKNOWN ? r->reason : r->message;

	return text != NULL && text[0] != '\0' ? text : "the database has refused";
}

static bool done(const struct step_result *r)
{
	return r->outcome == STEP_REPLY && r->status != STEP_ERROR;
}

/* It was to be made. */
static int was_made(struct core *c, struct arena *a, struct db_lease *l,
                    const struct step_result *r, struct err *e)
{
	l->making = false;
	core_wake(c, WAIT_JOB, l->o.id);
	if (done(r) && l->state == DB_LEASE_PENDING) {
		l->state = DB_LEASE_MADE;
		l->o.due = c->now_ms + HANDOVER_MS;
		return db_lease_save(c, a, l, e);
	}
	l->never = r->outcome == STEP_UNKNOWN && !r->started;
	l->uncertain = r->outcome == STEP_UNKNOWN && r->started;
	l->half = !done(r);
	if (!done(r))
		l->error = kept(a, why(r));
	/* The row of what never began stays a moment, for who waits to read the error. */
	if (l->never) {
		l->state = DB_LEASE_REVOKING;
		l->o.due = c->now_ms + HANDOVER_MS;
		return db_lease_save(c, a, l, e);
	}
	return db_lease_condemn(c, a, l, l->force, e);
}

static int was_revoked(struct core *c, struct arena *a, struct db_lease *l,
                       const struct step_result *r, struct err *e)
{
	if (!done(r))
		return revoke_failed(c, a, l, why(r), e);
	if (!l->uncertain || c->now_ms >= l->until_ms)
		return drop(c, a, l, "ok", e);
	l->o.due = l->until_ms;
	return db_lease_save(c, a, l, e);
}

/* Whoever was not let in is not locked out by being sent again and again. */
static int count_login(struct core *c, struct arena *a, const struct db_lease *l,
                       const struct step_result *r, struct err *e)
{
	struct rotation_of_admin admin;
	struct target t;
	int rc;

	if (r->outcome != STEP_REPLY || r->status != STEP_ERROR || r->class != STEP_AUTH)
		return ERR_OK;
	rc = target_load(c, a, l->target, &t, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	rc = rotation_of_admin(c, a, &t, &admin, e);
	if (rc != ERR_OK || admin.lately)
		return rc;
	target_failed(c, &t);
	return target_save(c, a, &t, e);
}

int db_lease_step_done(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                       const struct step_result *r, struct err *e)
{
	struct db_lease l;
	int rc = db_lease_load(c, a, id, &l, e);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = count_login(c, a, &l, r, e)) != ERR_OK)
		return rc;
	/* Condemned while it was being made: that answer comes first. */
	if (l.making)
		return was_made(c, a, &l, r, e);
	return l.state == DB_LEASE_REVOKING ? was_revoked(c, a, &l, r, e) : ERR_OK;
}
