/* SPDX-License-Identifier: Apache-2.0 */
#include "db_lease_kind.h"

#include <string.h>

#include "arena.h"
#include "db_lease.h"
#include "rng.h"
#include "token_impl.h"

#define REVOKE_WAIT_MS 30000

static int find(struct core *c, struct arena *a, const char *id, struct leased *l,
                struct err *e)
{
	unsigned char row[DB_LEASE_ID];
	struct db_lease d;
	int rc;

	db_lease_id_of(c, id, row);
	if ((rc = db_lease_load(c, a, row, &d, e)) != ERR_OK)
		return rc;
	if (strcmp(d.lease_id, id) != 0 || d.never)
		return err_set(e, ERR_NOENT, "no such lease");
	l->id = d.lease_id;
	l->issued_ms = d.issued_ms;
	l->expires_ms = d.expires_ms;
	l->renewed_ms = d.renewed_ms;
	l->left_ms = db_lease_left_ms(c, &d);
	l->renewable = d.state == DB_LEASE_LIVE;
	l->o = d.o;
	return ERR_OK;
}

static const char *id_of(const struct core *c, struct arena *a,
                         const struct store_object *o)
{
	(void)c;
	return value_bool_or(o->body, "never", false)
	               ? NULL
	               : value_cstr_or(a, o->body, "lease_id", NULL);
}

static const char *stuck(struct arena *a, const struct store_object *o,
                         const unsigned char **mount_id)
{
	*mount_id = o->tag;
	return value_int_or(o->body, "state", 0) == DB_LEASE_IRREVOCABLE
	               ? value_cstr_or(a, o->body, "error", "")
	               : NULL;
}

/* ---- revoking one ---- */

static int revoke_one(struct req *r, struct leased *l)
{
	struct db_lease d;
	int rc;

	if ((rc = db_lease_read(r->a, &l->o, &d, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "lease_id", d.lease_id);
	if (r->park_state == NULL) {
		if ((r->park_state = arena_alloc(r->a, 1)) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = db_lease_condemn(r->core, r->a, &d, false, &r->e)) != ERR_OK)
			return rc;
	} else if (d.tries > 0) {
		return req_fail(r, ERR_UNREACHABLE, "failed to revoke entry: %.180s",
		                d.error);
	}
	if (r->core->boot_ms - r->first_ms >= REVOKE_WAIT_MS)
		return req_fail(
			r, ERR_TIMEOUT,
			"the database has not answered; revocation goes on by itself");
	return req_park(r, WAIT_JOB, d.o.id, r->first_ms + REVOKE_WAIT_MS);
}

/* ---- renewing ---- */

struct renewing {
	unsigned char id[STEP_ID];
	int64_t ttl_ms;
	char warning[TOKEN_WARNING_MAX];
};

static int take_ttl(struct req *r, const struct db_lease *d, const struct db_role *role,
                    int64_t increment_ms, struct renewing *w)
{
	struct token_terms terms = { .asked_ms = increment_ms,
		                     .role_max_ms = role->max_ttl_ms,
		                     .issued_ms = d->issued_ms,
		                     .now_ms = r->core->now_ms };
	const struct mount *m = mounts_by_id(r->core, d->o.tag);
	int rc;

	if (m == NULL)
		return req_fail(r, ERR_INVALID, "lease not found");
	token_terms_of_mount(m, &terms);
	if (role->default_ttl_ms > 0)
		terms.default_ms = role->default_ttl_ms;
	if ((rc = token_ttl(&terms, &w->ttl_ms, w->warning, &r->e)) != ERR_OK)
		return rc;
	if (d->limit_ms != 0 && w->ttl_ms > d->limit_ms - r->core->now_ms)
		w->ttl_ms = d->limit_ms - r->core->now_ms;
	return ERR_OK;
}

static int ask(struct req *r, const struct db_lease *d, int64_t increment_ms)
{
	struct renewing *w = arena_alloc(r->a, sizeof(*w));
	struct db_role role;
	struct target t;
	struct db_call call = { .op = "user_renew",
		                .t = &t,
		                .lease_id = d->lease_id,
		                .username = d->username,
		                .owner = STEP_FOR_REQUEST };
	int rc;

	if (w == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = db_role_find(r->core, r->a, d->o.tag, d->role, &role, &r->e);
	if (rc == ERR_NOENT || (rc == ERR_OK && role.is_static))
		return req_fail(
			r, ERR_INVALID,
			"error during renew: could not find role with name \"%.128s\"",
			d->role);
	if (rc != ERR_OK || (rc = take_ttl(r, d, &role, increment_ms, w)) != ERR_OK ||
	    (rc = target_load(r->core, r->a, d->target, &t, &r->e)) != ERR_OK)
		return rc == ERR_NOENT
		               ? req_fail(r, ERR_INVALID,
		                          "failed to find entry for connection with "
		                          "name: \"%.128s\"",
		                          d->db_name)
		               : rc;
	rng_bytes(w->id, sizeof(w->id));
	memcpy(call.id, w->id, sizeof(call.id));
	call.statements = role.renew;
	call.expiration = db_expiration(r->a, r->core->now_ms + w->ttl_ms + DB_MARGIN_MS);
	if ((rc = db_call(r->core, r->a, &call, &r->e)) != ERR_OK)
		return rc;
	r->park_state = w;
	return req_park(r, WAIT_STEP, w->id, r->core->boot_ms + t.timeout_ms);
}

static int renew(struct req *r, struct leased *l, int64_t increment_ms)
{
	struct renewing *w = r->park_state;
	struct step_result res;
	struct value *envelope;
	struct db_lease d;
	int rc = db_lease_read(r->a, &l->o, &d, &r->e);

	if (rc != ERR_OK)
		return rc;
	req_note_str(r, "lease_id", d.lease_id);
	if (w == NULL)
		return ask(r, &d, increment_ms);
	if (step_take(r->core, r->a, w->id, &res) != ERR_OK)
		return req_fail(r, ERR_TIMEOUT, "the database has not answered in time");
	if (res.outcome == STEP_UNKNOWN || res.status == STEP_ERROR)
		return req_fail(r, ERR_UNREACHABLE, "failed to renew entry: %.180s",
		                res.outcome == STEP_UNKNOWN ? res.reason : res.message);
	d.renewed_ms = r->core->now_ms;
	if ((rc = db_lease_live(r->core, r->a, &d, w->ttl_ms, &r->e)) != ERR_OK)
		return rc;
	envelope = reply_envelope(r);
	value_set_str(r->a, envelope, "lease_id", d.lease_id);
	value_set_bool(r->a, envelope, "renewable", true);
	value_set_int(r->a, envelope, "lease_duration", w->ttl_ms / 1000);
	if (w->warning[0] != '\0')
		reply_warning(r, "%s", w->warning);
	return ERR_OK;
}

const struct lease_kind db_lease_kind = {
	.kind = KIND_DB_LEASE,
	.find = find,
	.id_of = id_of,
	.stuck = stuck,
	.renew = renew,
	.revoke = revoke_one,
	.revoke_prefix = db_revoke_prefix,
};
