/* SPDX-License-Identifier: Apache-2.0 */
/* api_sys_lease - sys/leases: look up, list, renew and revoke leases in Vault's sense. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "lease_kinds.h"
#include "rng.h"
#include "route.h"
#include "vault/limits.h"

#define SLICE       256
#define LEASE_KINDS 4 /* at most */

/* From the path, or from the body. */
static int take_id(struct req *r, const char **out)
{
	bool present;
	int rc;

	*out = "";
	if (r->param[0].text != NULL && r->param[0].len > 0) {
		*out = r->param[0].text;
		return ERR_OK;
	}
	if ((rc = req_str(r, "lease_id", out, &present)) != ERR_OK)
		return rc;
	if ((*out)[0] == '\0')
		return req_fail(r, ERR_INVALID, "lease_id must be specified");
	return ERR_OK;
}

static struct value *time_text(struct arena *a, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	return value_strdup(a, text, strlen(text));
}

static int h_lookup(struct req *r)
{
	struct leased l = { .kind = NULL };
	struct value *out;
	const char *id;
	int rc = take_id(r, &id);

	if (rc != ERR_OK)
		return rc;
	rc = lease_find_id(r->core, r->a, id, &l, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "invalid lease");
	if (rc != ERR_OK)
		return rc;
	out = reply_data(r);
	value_set_str(r->a, out, "id", l.id);
	value_set(out, "issue_time", time_text(r->a, l.issued_ms));
	value_set(out, "expire_time", time_text(r->a, l.expires_ms));
	value_set(out, "last_renewal",
	          l.renewed_ms != 0 ? time_text(r->a, l.renewed_ms) : value_null(r->a));
	value_set_bool(r->a, out, "renewable", l.renewable);
	value_set_int(r->a, out, "ttl", (l.left_ms + 500) / 1000);
	return ERR_OK;
}

static int h_renew(struct req *r)
{
	struct leased l = { .kind = NULL };
	int64_t increment = 0;
	const char *id;
	bool present;
	int rc = take_id(r, &id);

	if (rc != ERR_OK ||
	    (rc = req_duration(r, "increment", &increment, &present)) != ERR_OK)
		return rc;
	rc = lease_find_id(r->core, r->a, id, &l, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "lease not found");
	if (rc != ERR_OK)
		return rc;
	if (l.kind->renew == NULL)
		return req_fail(r, ERR_INVALID,
		                "tokens cannot be renewed through this endpoint");
	if (!l.renewable)
		return req_fail(r, ERR_INVALID, "lease is not renewable");
	return l.kind->renew(r, &l, increment);
}

/* ---- revoking one ---- */

static int h_revoke(struct req *r)
{
	struct leased l = { .kind = NULL };
	const char *id;
	int rc;

	if (job_waiting(r, &rc) || (rc = take_id(r, &id)) != ERR_OK)
		return rc;
	rc = lease_find_id(r->core, r->a, id, &l, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK ? l.kind->revoke(r, &l) : rc;
}

/* ---- revoking many ---- */

static int revoke_prefix(struct req *r, bool force)
{
	unsigned char job[LEASE_KINDS][16];
	const char *prefix;
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	if (r->param[0].len == 0)
		return req_fail(r, ERR_NOENT,
		                "1 error occurred:\n\t* unsupported path\n\n");
	/* Whole segments: "auth/app" is not meant by "auth/ap". */
	if ((prefix = arena_printf(r->a, "%s/", r->param[0].text)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < lease_kinds_n; i++) {
		rc = lease_kinds[i]->revoke_prefix(r->core, r->a, prefix, force, job[i],
		                                   &r->e);
		if (rc != ERR_OK)
			return rc;
	}
	return job_wait(r, job, lease_kinds_n);
}

static int h_revoke_prefix(struct req *r)
{
	return revoke_prefix(r, false);
}

static int h_revoke_force(struct req *r)
{
	return revoke_prefix(r, true);
}

/* ---- listing ---- */

#define BUCKETS 1024u

struct seen {
	const char *name;
	struct seen *next;
};

/* A listing under way: one level below the prefix. */
struct listing {
	struct req *r;
	struct arena *scratch;
	const char *prefix; /* "" or with a slash at its end */
	struct value *keys;
	struct seen *bucket[BUCKETS];
	size_t at; /* which kind of lease */
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	bool started;
	int n;
};

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static void add_once(struct listing *l, const char *name)
{
	struct seen **b = &l->bucket[hash(name) % BUCKETS], *s;

	for (s = *b; s != NULL; s = s->next)
		if (strcmp(s->name, name) == 0)
			return;
	if ((s = arena_alloc(l->r->a, sizeof(*s))) == NULL ||
	    (s->name = arena_str(l->r->a, name)) == NULL)
		return;
	s->next = *b;
	*b = s;
	value_add(l->keys, value_str(l->r->a, s->name));
}

static int note(void *ctx, struct store_object *o, struct err *e)
{
	struct listing *l = ctx;
	const char *id = lease_kinds[l->at]->id_of(l->r->core, l->scratch, o);
	size_t n = strlen(l->prefix);
	char *name, *slash;

	(void)e;
	memcpy(l->after, o->id, o->id_len);
	l->after_len = o->id_len;
	l->n++;
	if (id == NULL || strncmp(id, l->prefix, n) != 0)
		return ERR_OK;
	if ((name = arena_str(l->scratch, id + n)) == NULL)
		return ERR_OK;
	if ((slash = strchr(name, '/')) != NULL)
		slash[1] = '\0';
	add_once(l, name);
	return ERR_OK;
}

static struct listing *listing_of(struct req *r)
{
	struct listing *l = r->park_state;

	if (l != NULL || (l = arena_alloc(r->a, sizeof(*l))) == NULL)
		return l;
	l->keys = value_array(r->a);
	l->prefix = r->param[0].len > 0 ? arena_printf(r->a, "%s/", r->param[0].text)
	                                : "";
	r->park_state = l;
	return l->prefix != NULL ? l : NULL;
}

static int by_text(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;

	return strcmp(a->text, b->text);
}

static int reply_sorted(struct req *r, const struct value *keys)
{
	struct value **at = arena_alloc(r->a, (keys->len + 1) * sizeof(struct value *));
	struct value *out = value_array(r->a);
	size_t n = 0;

	if (at == NULL || out == NULL || arena_failed(r->a))
		return req_fail(r, ERR_NOMEM,
		                "the listing needs more memory than a request may have");
	for (struct value *v = keys->first; v != NULL; v = v->next)
		at[n++] = v;
	qsort(at, n, sizeof(struct value *), by_text);
	for (size_t i = 0; i < n; i++)
		value_add(out, value_str(r->a, at[i]->text));
	value_set(reply_data(r), "keys", out);
	return ERR_OK;
}

static int h_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct listing *l = listing_of(r);
	unsigned char key[16];
	int rc;

	if (l == NULL || scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->r = r;
	l->scratch = scratch;
	l->n = 0;
	rc = store_each(r->core, scratch, lease_kinds[l->at]->kind,
	                l->started ? l->after : NULL, l->after_len, SLICE, note, l,
	                &r->e);
	if (rc != ERR_OK)
		return rc;
	l->started = l->n == SLICE;
	if (!l->started)
		l->at++;
	if (l->at < lease_kinds_n) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	return reply_sorted(r, l->keys);
}

/* What has expired is removed by the timers, and nothing else is ever left over. */
static int h_tidy(struct req *r)
{
	(void)r;
	return ERR_OK;
}

/* clang-format off */
static const struct field id_fields[] = {
	{ "lease_id", "string", "the lease" },
	{ "url_lease_id", "string", "ignored" },
	{ "sync", "bool", "the answer always comes when all is done" },
	{ NULL, NULL, NULL },
};
static const struct field renew_fields[] = {
	{ "lease_id", "string", "the lease" },
	{ "url_lease_id", "string", "ignored" },
	{ "increment", "duration", "lifetime from now on" },
	{ NULL, NULL, NULL },
};
static const struct field sync_fields[] = {
	{ "sync", "bool", "the answer always comes when all is done" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_LIST, "leases/lookup/*prefix", R_SUDO, NULL, h_list, NULL,
	  "list leases, one level" },
	{ "system", M_POST, "leases/lookup", 0, id_fields, h_lookup, NULL,
	  "look a lease up" },
	{ "system", M_POST, "leases/renew/*lease_id", 0, renew_fields, h_renew, NULL,
	  "renew a lease" },
	{ "system", M_POST, "renew/*lease_id", 0, renew_fields, h_renew, NULL,
	  "renew a lease (old name)" },
	{ "system", M_POST, "leases/revoke/*lease_id", 0, id_fields, h_revoke, NULL,
	  "revoke a lease" },
	{ "system", M_POST, "revoke/*lease_id", 0, id_fields, h_revoke, NULL,
	  "revoke a lease (old name)" },
	{ "system", M_POST, "leases/revoke-prefix/*prefix", R_SUDO, sync_fields,
	  h_revoke_prefix, NULL, "revoke all leases below a path" },
	{ "system", M_POST, "revoke-prefix/*prefix", R_SUDO, sync_fields,
	  h_revoke_prefix, NULL, "revoke all leases below a path (old name)" },
	{ "system", M_POST, "leases/revoke-force/*prefix", R_SUDO, sync_fields, h_revoke_force,
	  NULL, "the same, whether or not their targets answer" },
	{ "system", M_POST, "revoke-force/*prefix", R_SUDO, sync_fields, h_revoke_force, NULL,
	  "the same, whether or not their targets answer (old name)" },
	{ "system", M_POST, "leases/tidy", 0, NULL, h_tidy, NULL,
	  "remove what is left over" },
};
/* clang-format on */

const struct route_table routes_sys_lease = { rows, ARRAY_LEN(rows) };
