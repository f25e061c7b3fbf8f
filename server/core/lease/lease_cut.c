/* SPDX-License-Identifier: Apache-2.0 */
/* lease_cut - ending many leases: those of a revoked host, those that a role gave up. */
#include <string.h>

#include "arena.h"
#include "auth_token.h"
#include "lease_impl.h"

#define SLICE_LEASES 64
#define SLICE_HOSTS  8
/* A revoked host's token can do nothing but learn of the revocation; for this long. */
#define LAST_WORD_MS 2000

static int end_some(struct core *c, struct arena *a, struct leases *ls,
                    enum lease_end why, size_t limit, bool *more, struct err *e)
{
	int64_t rev = 0;
	size_t n = 0;
	int rc = ERR_OK;

	*more = false;
	for (size_t i = 0; rc == ERR_OK && i < ls->n; i++) {
		if (!lease_alive(&ls->at[i]) && ls->at[i].end != END_DELETED)
			continue;
		if (n == limit) {
			*more = true;
			break;
		}
		if (n++ == 0)
			rc = lease_rev(c, a, true, &rev, e);
		if (rc == ERR_OK)
			rc = lease_end_now(c, a, &ls->at[i], why, rev, e);
	}
	return rc;
}

int lease_revoke_host(struct core *c, struct arena *a, const unsigned char host_id[16],
                      struct err *e)
{
	struct value *body = value_object(a);
	struct leases ls;
	bool more;
	int rc = leases_of_host(c, a, host_id, &ls, e);

	if (rc != ERR_OK ||
	    (rc = end_some(c, a, &ls, END_HOST, SLICE_LEASES, &more, e)) != ERR_OK)
		return rc;
	value_set_str(a, body, "job", "lease-fanout");
	value_set_str(a, body, "what", "host");
	value_set_bytes(a, body, "host", host_id, HOST_ID);
	core_wake(c, WAIT_HOST, host_id);
	return lease_job_start(c, body, c->now_ms + LAST_WORD_MS, e);
}

int lease_cut_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e)
{
	const struct value *id = value_get(job->body, "host");
	unsigned char host_id[HOST_ID];
	struct leases ls;
	bool more;
	int rc;

	if (id == NULL || id->type != V_BYTES || id->len != HOST_ID)
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	memcpy(host_id, id->text, HOST_ID);
	if ((rc = token_revoke_host(c, a, host_id, e)) != ERR_OK ||
	    (rc = leases_of_host(c, a, host_id, &ls, e)) != ERR_OK ||
	    (rc = end_some(c, a, &ls, END_HOST, SLICE_LEASES, &more, e)) != ERR_OK)
		return rc;
	*done = !more;
	return ERR_OK;
}

static struct value *role_body(struct arena *a, const char *name,
                               const unsigned char *after)
{
	struct value *body = value_object(a);

	value_set_str(a, body, "job", "lease-fanout");
	value_set_str(a, body, "what", "role");
	value_set_str(a, body, "role", name);
	if (after != NULL && (after = arena_dup(a, after, HOST_ID)) != NULL)
		value_set_bytes(a, body, "after", after, HOST_ID);
	return body;
}

int lease_role_changed(struct core *c, struct arena *a, const char *name, struct err *e)
{
	return lease_job_start(c, role_body(a, name, NULL), c->now_ms, e);
}

struct hosts {
	struct store_object at[SLICE_HOSTS];
	size_t n;
};

static int collect_host(void *ctx, struct store_object *o, struct err *e)
{
	struct hosts *hs = ctx;

	(void)e;
	hs->at[hs->n++] = *o;
	return ERR_OK;
}

/* End what the host holds and its role no longer allows. */
static int recheck_host(struct core *c, struct arena *a, const struct host *h,
                        const struct host_role *role, struct err *e)
{
	struct leases ls, bad = { .a = a };
	bool more;
	int rc = leases_of_host(c, a, h->o.id, &ls, e);

	if (rc != ERR_OK)
		return rc;
	bad.at = arena_alloc(a, (ls.n + 1) * sizeof(*bad.at));
	if (bad.at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < ls.n; i++)
		if (!host_role_allows(role->paths, ls.at[i].path))
			bad.at[bad.n++] = ls.at[i];
	return end_some(c, a, &bad, END_ROLE, bad.n, &more, e);
}

int lease_role_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e)
{
	const char *name = value_cstr_or(a, job->body, "role", "");
	const struct value *after = value_get(job->body, "after");
	struct hosts hs = { .n = 0 };
	struct host_role role;
	struct host h;
	int rc = store_each(c, a, KIND_HOST, after != NULL ? after->text : NULL,
	                    after != NULL ? after->len : 0, SLICE_HOSTS, collect_host,
	                    &hs, e);

	for (size_t i = 0; rc == ERR_OK && i < hs.n; i++) {
		rc = host_read(a, &hs.at[i], &h, e);
		if (rc == ERR_OK && h.state == HOST_ACTIVE && strcmp(h.role, name) == 0 &&
		    (rc = host_role_of(c, a, &h, &role, e)) == ERR_OK)
			rc = recheck_host(c, a, &h, &role, e);
	}
	if (rc != ERR_OK)
		return rc;
	*done = hs.n < SLICE_HOSTS;
	if (!*done)
		job->body = role_body(a, name, hs.at[hs.n - 1].id);
	return ERR_OK;
}
