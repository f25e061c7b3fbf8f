/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_agent_ack - what a host says of itself: what it has put in place, what it gives up.
 *
 * Rotations end, and old values go, because of these words.  So the host says them under
 * the key of its session: the network process, which sees its token, cannot say them in
 * its place.
 */
#include <string.h>

#include "api_agent.h"
#include "arena.h"
#include "audit.h"
#include "text.h"
#include "vault/limits.h"

const struct field agent_heard_fields[] = {
	{"statement", "string", "what the host says or asks, base64"},
	{ NULL,       NULL,     NULL				},
};

static int take_one(struct req *r, const struct value *v, int64_t *version,
                    enum lease_state *state, const char **detail)
{
	const char *name = value_cstr_or(r->a, v, "state", "");

	if (v->type != V_OBJECT || lease_state_of(name, state) != 0 ||
	    (*state != LEASE_DELIVERED && *state != LEASE_APPLIED &&
	     *state != LEASE_REJECTED && *state != LEASE_WIPED))
		return req_fail(
			r, ERR_INVALID,
			"acks: state must be delivered, applied, rejected or wiped");
	*version = value_int_or(v, "version", 0);
	*detail = value_cstr_or(r->a, v, "detail", "");
	if (strlen(*detail) > LEASE_DETAIL_MAX ||
	    !text_printable(*detail, strlen(*detail)))
		return req_fail(r, ERR_INVALID,
		                "acks: detail is printable text of at most %u bytes",
		                LEASE_DETAIL_MAX);
	return ERR_OK;
}

/* Returns whether the lease changed. A late or repeated message never takes anything
 * back. */
bool agent_ack(struct lease *l, enum lease_state state, int64_t version, int64_t rev,
               const char *detail)
{
	if (state == LEASE_WIPED) {
		/* Something happened since: it may have come back. */
		if (l->state == LEASE_WIPED || rev < l->rev)
			return false;
		l->state = LEASE_WIPED;
		l->applied = l->said = 0;
		l->detail = detail;
		return true;
	}
	/* Nobody has what was not fetched. */
	if (!lease_alive(l) || version > l->version || version < l->applied)
		return false;
	/* What it has is news, what it says of the newer one stands. */
	if (version < l->said) {
		if (state != LEASE_APPLIED || version == l->applied)
			return false;
		l->applied = version;
		return true;
	}
	if (version == l->applied &&
	    (l->state == LEASE_APPLIED || state != LEASE_APPLIED))
		return false;
	if (state == LEASE_APPLIED)
		l->applied = version;
	l->said = version;
	l->state = state;
	l->detail = detail;
	return true;
}

static int ack_one(struct req *r, const struct host *h, const struct value *v)
{
	enum lease_state state = LEASE_ISSUED;
	const char *detail = "";
	struct lease l = { .rev = 0 };
	struct err why;
	int64_t version = 0;
	int rc;

	if ((rc = take_one(r, v, &version, &state, &detail)) != ERR_OK)
		return rc;
	rc = agent_own_lease(r, r->a, value_get(v, "lease_id"), h, &l, &why);
	if (rc == ERR_NOENT) /* it is gone: nothing to know */
		return ERR_OK;
	if (rc != ERR_OK) {
		r->e = why;
		return rc;
	}
	if (!agent_ack(&l, state, version, value_int_or(v, "rev", 0), detail))
		return ERR_OK;
	return lease_save(r->core, r->a, &l, &r->e);
}

/* NULL: there is none; r->e if it is no list. */
static const struct value *list_of(struct req *r, const struct value *data,
                                   const char *key)
{
	const struct value *list = value_get(data, key);

	if (list == NULL || (list->type == V_ARRAY && list->len <= LIMIT_AGENT_ITEMS))
		return list;
	req_fail(r, ERR_INVALID, "%s: an array of at most %u", key, LIMIT_AGENT_ITEMS);
	return NULL;
}

int agent_take_acks(struct req *r, struct host *h, const struct value *data)
{
	const struct value *acks = list_of(r, data, "acks");
	int64_t size;
	int rc;

	if (acks == NULL && value_get(data, "acks") != NULL)
		return (int)r->e.code;
	for (const struct value *v = acks != NULL ? acks->first : NULL; v != NULL;
	     v = v->next)
		if ((rc = ack_one(r, h, v)) != ERR_OK)
			return rc;
	req_note_int(r, "acks", acks != NULL ? acks->len : 0);
	size = value_int_or(data, "checkpoint_size", 0);
	if (size <= h->checkpoint_size || size > audit_size(r->core))
		return ERR_OK;
	h->checkpoint_size = size;
	return host_save(r->core, r->a, h, &r->e);
}

int agent_take_ack(struct req *r)
{
	const struct value *data;
	struct host h;
	bool stop;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_heard(r, &h, "ack", &data)) != ERR_OK)
		return rc;
	return agent_take_acks(r, &h, data);
}

/* A lease that is as the host knows it.  One that has changed since ${rev} is not given
 * up by a word that was late on its way: a rotation may wait for it. */
static int release_one(struct req *r, const struct host *h, const struct value *id,
                       int64_t rev, bool *done)
{
	struct lease l = { .rev = 0 };
	struct err why;
	int rc = agent_own_lease(r, r->a, id, h, &l, &why);

	*done = false;
	if (rc == ERR_NOENT || (rc == ERR_OK && (l.end == END_OPERATOR || rev < l.rev)))
		return ERR_OK;
	if (rc != ERR_OK) {
		r->e = why;
		return rc;
	}
	*done = true;
	return lease_drop(r->core, r->a, &l, &r->e);
}

int agent_take_release(struct req *r)
{
	const struct value *data, *list;
	struct host h;
	bool stop, done;
	int64_t n = 0;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_heard(r, &h, "release", &data)) != ERR_OK)
		return rc;
	if ((list = list_of(r, data, "leases")) == NULL)
		return req_fail(r, ERR_INVALID, "leases: 1 to %u are needed",
		                LIMIT_AGENT_ITEMS);
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		rc = release_one(r, &h, v, value_int_or(data, "rev", -1), &done);
		if (rc != ERR_OK)
			return rc;
		n += done;
	}
	req_note_int(r, "released", n);
	return ERR_OK;
}
