/* SPDX-License-Identifier: Apache-2.0 */
/* api_database_creds - creds/NAME: an account for a while. */
#include <string.h>

#include "arena.h"
#include "db_lease.h"
#include "target_ask.h"
#include "text.h"
#include "token_impl.h"

#define ID_LEN   24
#define SLACK_MS 5000

/* What the reply will say; the password is nowhere else. */
struct making {
	unsigned char id[DB_LEASE_ID];
	const char *password;
	int64_t ttl_ms;
	int64_t until_ms; /* boot clock */
	bool asked;       /* else for the administrator is waited */
	int64_t wait_ms;  /* … so long, boot clock */
};

static int take_ttl(struct req *r, const struct db_role *role, int64_t *ttl_ms)
{
	struct token_terms terms = { .role_max_ms = role->max_ttl_ms,
		                     .issued_ms = r->core->now_ms,
		                     .now_ms = r->core->now_ms };
	char warning[TOKEN_WARNING_MAX];

	token_terms_of_mount(r->mount, &terms);
	if (role->default_ttl_ms > 0)
		terms.default_ms = role->default_ttl_ms;
	return token_ttl(&terms, ttl_ms, warning, &r->e);
}

/* What the lease hangs on: the token; of one that is not stored, its parent, and its
 * time. */
static int bind(struct req *r, struct db_lease *l, int64_t *ttl_ms)
{
	struct store_object o = { 0 };
	int64_t left;
	int rc;

	l->o.parent_len = 32;
	memcpy(l->o.parent, r->id.token_id, 32);
	if (!r->id.batch)
		return ERR_OK;
	if ((rc = token_find(r->core, r->a, r->token, &o, &r->e)) != ERR_OK)
		return rc == ERR_NOENT ? req_fail(r, ERR_DENIED, "permission denied")
		                       : rc;
	l->o.parent_len = o.parent_len;
	memcpy(l->o.parent, o.parent, o.parent_len);
	left = token_left_ms(r->core, &o);
	l->limit_ms = r->core->now_ms + left;
	if (*ttl_ms > left)
		*ttl_ms = left;
	return ERR_OK;
}

static int new_row(struct req *r, const struct db_role *role, const struct target *t,
                   struct db_lease *l)
{
	char tail[ID_LEN + 1];
	int rc;

	text_base62_random(tail, ID_LEN);
	*l = (struct db_lease){ .state = DB_LEASE_PENDING,
		                .making = true,
		                .role = role->name,
		                .db_name = role->db_name,
		                .request_id = r->request_id,
		                .revocation = role->revocation,
		                .rollback = role->rollback,
		                .error = "",
		                .issued_ms = r->core->now_ms };
	l->lease_id = arena_printf(r->a, "%screds/%s/%s", r->mount->path, role->name,
	                           tail);
	if (l->lease_id == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = db_username(r, role->name, t, &l->username)) != ERR_OK)
		return rc;
	l->o = (struct store_object){ .kind = KIND_DB_LEASE,
		                      .id_len = DB_LEASE_ID,
		                      .tag_len = MOUNT_ID };
	db_lease_id_of(r->core, l->lease_id, l->o.id);
	memcpy(l->o.tag, r->mount->id, MOUNT_ID);
	memcpy(l->target, t->o.id, sizeof(l->target));
	l->until_ms = r->core->now_ms + t->timeout_ms + SLACK_MS;
	l->o.due = l->until_ms;
	return ERR_OK;
}

static int take_password(struct req *r, const struct db_role *role,
                         const struct target *t, const char **out)
{
	const char *policy = value_cstr_or(r->a, role->config, "password_policy", "");
	const char *forbid = value_cstr_or(r->a, value_get(t->describe, "value"),
	                                   "forbid", "");
	int rc;

	if (policy[0] == '\0')
		policy = value_cstr_or(r->a, t->extra, "password_policy", "");
	rc = db_password(r->core, r->a, policy, forbid, out, &r->e);
	return rc == ERR_NOENT ? req_fail(r, ERR_INVALID,
	                                  "failed to generate password: policy "
	                                  "\"%.64s\" does not exist",
	                                  policy)
	                       : rc;
}

static int make(struct req *r, const struct db_role *role, const struct target *t,
                struct making *w)
{
	struct db_lease l;
	struct db_call call = { .op = "user_create",
		                .t = t,
		                .statements = role->creation,
		                .owner = STEP_FOR_DATABASE };
	int rc;

	if ((rc = take_ttl(r, role, &w->ttl_ms)) != ERR_OK ||
	    (rc = take_password(r, role, t, &w->password)) != ERR_OK ||
	    (rc = new_row(r, role, t, &l)) != ERR_OK ||
	    (rc = bind(r, &l, &w->ttl_ms)) != ERR_OK ||
	    (rc = db_lease_save(r->core, r->a, &l, &r->e)) != ERR_OK)
		return rc;
	memcpy(w->id, l.o.id, sizeof(w->id));
	memcpy(call.id, l.o.id, sizeof(call.id));
	call.lease_id = l.lease_id;
	call.username = l.username;
	call.password = w->password;
	call.expiration = db_expiration(r->a, r->core->now_ms + w->ttl_ms + DB_MARGIN_MS);
	w->until_ms = r->core->boot_ms + t->timeout_ms + SLACK_MS;
	req_note_str(r, "username", l.username);
	return db_call(r->core, r->a, &call, &r->e);
}

static int begin(struct req *r)
{
	struct making *w = r->park_state;
	struct db_role role;
	struct target t;
	bool ok;
	int rc;

	if (w == NULL && (w = arena_alloc(r->a, sizeof(*w))) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	r->park_state = w;
	rc = db_role_named(r, false, &role);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "unknown role: %.128s", r->param[0].text);
	if (rc != ERR_OK)
		return rc;
	rc = db_config_for_role(r, role.db_name, role.name, &t, &ok);
	if (rc != ERR_OK || !ok || (rc = target_left_alone(r, &t)) != ERR_OK ||
	    (rc = target_settled(r, &t, &w->wait_ms)) != ERR_OK ||
	    (rc = make(r, &role, &t, w)) != ERR_OK)
		return rc;
	w->asked = true;
	return req_park(r, WAIT_JOB, w->id, w->until_ms);
}

static int hand_out(struct req *r, const struct making *w, struct db_lease *l)
{
	struct value *envelope, *data;
	int rc = db_lease_live(r->core, r->a, l, w->ttl_ms, &r->e);

	if (rc != ERR_OK)
		return rc;
	data = reply_data(r);
	envelope = reply_envelope(r);
	value_set_str(r->a, envelope, "lease_id", l->lease_id);
	value_set_bool(r->a, envelope, "renewable", true);
	value_set_int(r->a, envelope, "lease_duration",
	              (l->expires_ms - r->core->now_ms) / 1000);
	value_set_str(r->a, data, "username", l->username);
	value_set_str(r->a, data, "password", w->password);
	req_note_str(r, "lease_id", l->lease_id);
	req_note_str(r, "username", l->username);
	return ERR_OK;
}

int db_h_creds(struct req *r)
{
	struct making *w = r->park_state;
	struct db_lease l;
	int rc;

	if (w == NULL || !w->asked)
		return begin(r);
	rc = db_lease_load(r->core, r->a, w->id, &l, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_UNREACHABLE, "the lease was revoked meanwhile");
	if (rc != ERR_OK)
		return rc;
	if (l.state == DB_LEASE_MADE)
		return hand_out(r, w, &l);
	if (l.state != DB_LEASE_PENDING)
		return req_fail(r, ERR_UNREACHABLE, "%.250s",
		                l.error[0] != '\0' ? l.error
		                                   : "the lease was revoked meanwhile");
	if (r->core->boot_ms < w->until_ms)
		return req_park(r, WAIT_JOB, w->id, w->until_ms);
	return req_fail(r, ERR_TIMEOUT, "the database has not answered in time");
}
