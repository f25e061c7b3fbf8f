/* SPDX-License-Identifier: Apache-2.0 */
/* lease_change - issuing, renewing, ending and expiring leases. */
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "kv_folder.h"
#include "kv_leased.h"
#include "lease_impl.h"
#include "rng.h"
#include "swarm.h"
#include "vault/limits.h"

/* A dead lease is remembered this long, for a holder that was away. */
#define REMEMBER_MS (24ll * 3600 * 1000)

void lease_renew(const struct core *c, struct lease *l, int64_t ttl_ms)
{
	l->expires_ms = c->now_ms + ttl_ms;
	l->boot_due_ms = c->boot_ms + ttl_ms;
	l->o.due = l->expires_ms;
}

int lease_wake(struct core *c, struct arena *a, const struct lease *l, struct err *e)
{
	if (l->cluster[0] != '\0')
		return swarm_lease_changed(c, a, l, e);
	core_wake(c, WAIT_HOST, l->o.parent);
	return ERR_OK;
}

int lease_end_now(struct core *c, struct arena *a, struct lease *l, enum lease_end why,
                  int64_t rev, struct err *e)
{
	int rc;

	l->end = why;
	l->state = why == END_EXPIRED ? LEASE_EXPIRED : LEASE_REVOKED;
	l->rev = rev;
	if (why == END_OPERATOR)
		l->o.due = 0;
	else if (why != END_DELETED)
		l->o.due = c->now_ms + REMEMBER_MS;
	rc = lease_wake(c, a, l, e);
	return rc == ERR_OK ? lease_save(c, a, l, e) : rc;
}

static const struct lease *find_held(const struct leases *held,
                                     const unsigned char secret_id[32])
{
	for (size_t i = 0; i < held->n; i++)
		if (memcmp(held->at[i].o.tag, secret_id, 32) == 0)
			return &held->at[i];
	return NULL;
}

static size_t count_alive(const struct leases *held)
{
	size_t n = 0;

	for (size_t i = 0; i < held->n; i++)
		n += lease_alive(&held->at[i]);
	return n;
}

/* What a lease is on. */
struct subject {
	unsigned char id[32];
	const char *path;
	int64_t version; /* 0: the revision of the lease */
};

static int find_secret(struct core *c, struct arena *a, const char *path,
                       struct subject *out, struct err *e)
{
	struct kv_leased s;
	int rc = kv_leased_find(c, a, path, &s, e);

	if (rc != ERR_OK)
		return rc;
	memcpy(out->id, s.id, sizeof(out->id));
	out->path = s.path;
	out->version = s.version;
	return ERR_OK;
}

/* The secret, or the names of the folder, behind a path that the role allows. */
static int find_subject(struct core *c, struct arena *a, const struct lease_ask *ask,
                        const char *path, struct subject *out, struct err *e)
{
	if (!host_role_allows(ask->role->paths, path))
		return err_set(e, ERR_DENIED, "the host's role does not allow this path");
	*out = (struct subject){ .path = path };
	return kv_is_folder(path) ? kv_folder_find(c, path, out->id, e)
	                          : find_secret(c, a, path, out, e);
}

static int make(struct core *c, struct arena *a, const struct lease_ask *ask,
                const struct subject *s, struct lease *out, struct err *e)
{
	struct lease l = { .o.kind = KIND_LEASE };
	int rc = lease_rev(c, a, true, &l.rev, e);

	if (rc != ERR_OK)
		return rc;
	lease_new_id(&l);
	l.o.parent_len = HOST_ID;
	memcpy(l.o.parent, ask->h->o.id, HOST_ID);
	l.o.tag_len = 32;
	memcpy(l.o.tag, s->id, 32);
	l.path = s->path;
	l.holder = ask->h->name;
	l.cluster = ask->cluster != NULL ? ask->cluster : "";
	l.detail = "";
	l.target = s->version != 0 ? s->version : l.rev;
	l.born = l.seq = l.rev;
	l.issued_ms = c->now_ms;
	lease_renew(c, &l, ask->role->ttl_ms);
	if ((rc = lease_save(c, a, &l, e)) == ERR_OK)
		*out = l;
	return rc;
}

int lease_issue(struct core *c, struct arena *a, const struct lease_ask *ask,
                const char *path, struct lease *out, struct err *e)
{
	struct subject s = { .path = path };
	const struct lease *held;
	int rc = find_subject(c, a, ask, path, &s, e);

	if (rc != ERR_OK)
		return rc;
	held = find_held(ask->held, s.id);
	if (held != NULL && held->end == END_OPERATOR)
		return err_set(e, ERR_DENIED, "an operator has revoked this lease");
	if (held != NULL && lease_alive(held) && lease_left_ms(c, held) > 0) {
		*out = *held;
		return ERR_OK;
	}
	if (held != NULL) {
		struct lease old = *held;

		if ((rc = lease_drop(c, a, &old, e)) != ERR_OK)
			return rc;
	} else if (count_alive(ask->held) >= LIMIT_AGENT_ITEMS) {
		return err_set(e, ERR_INVALID, "a host may hold %u leases",
		               LIMIT_AGENT_ITEMS);
	}
	rc = make(c, a, ask, &s, out, e);
	return rc == ERR_OK ? leases_add(ask->held, out, e) : rc;
}

static int audit_end(struct core *c, const struct lease *l, struct arena *a,
                     struct err *e)
{
	char request_id[37];
	struct value *note = value_object(a);
	const struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = "",
		.remote = "",
		.operation = "expire",
		.path = "sys/vault-leases",
		.outcome = "ok",
		.error = "",
		.note = note,
	};

	rng_uuid4(request_id);
	value_set_str(a, note, "lease_id", lease_id_text(a, l));
	value_set_str(a, note, "secret", l->path);
	value_set_str(a, note, "host", l->holder);
	return audit_append(c, &rec, e);
}

static int expire_one(struct core *c, struct arena *a, struct lease *l, struct err *e)
{
	int64_t rev = 0;
	int rc;

	if (!lease_alive(l))
		return lease_drop(c, a, l, e);
	if ((rc = lease_rev(c, a, true, &rev, e)) != ERR_OK ||
	    (rc = lease_end_now(c, a, l, END_EXPIRED, rev, e)) != ERR_OK)
		return rc;
	return audit_end(c, l, a, e);
}

int lease_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct leases due = { .a = a };
	int rc = store_due(c, a, KIND_LEASE, c->now_ms, limit, lease_collect, &due, e);

	for (size_t i = 0; rc == ERR_OK && i < due.n; i++)
		rc = expire_one(c, a, &due.at[i], e);
	return rc;
}
