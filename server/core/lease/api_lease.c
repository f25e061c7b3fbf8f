/* SPDX-License-Identifier: Apache-2.0 */
/* api_lease - leases as operators see them: who holds which version of what, and taking
 * it. */
#include <string.h>

#include "arena.h"
#include "kv_folder.h"
#include "kv_leased.h"
#include "lease_impl.h"
#include "rng.h"
#include "route.h"
#include "vault/limits.h"

#define SLICE   128
#define SCRATCH ((size_t)8 * 1024 * 1024)

/* A listing under way. */
struct listing {
	struct value *keys, *info;
	unsigned char index[32]; /* of the secret or the host that was asked for */
	bool by_secret, by_host;
	unsigned char host_id[HOST_ID];
	unsigned char after[LEASE_ID];
	bool started, nothing;
};

static int take_path(struct req *r, struct listing *l)
{
	const char *path = NULL;
	int rc = req_str(r, "path", &path, &l->by_secret);

	if (rc != ERR_OK || !l->by_secret)
		return rc;
	if (kv_is_folder(path))
		return kv_folder_find(r->core, path, l->index, &r->e);
	return kv_leased_id(r->core, path, l->index, &r->e);
}

static int take_host(struct req *r, struct listing *l)
{
	const char *name = NULL;
	struct host h;
	int rc = req_str(r, "host", &name, &l->by_host);

	if (rc != ERR_OK || !l->by_host)
		return rc;
	rc = host_find(r->core, r->a, name, &h, &r->e);
	if (rc == ERR_NOENT) {
		l->nothing = true;
		return ERR_OK;
	}
	if (rc == ERR_OK)
		memcpy(l->host_id, h.o.id, HOST_ID);
	return rc;
}

/* NULL and r->e on failure. */
static struct listing *start(struct req *r)
{
	struct listing *l = r->park_state;

	if (l != NULL)
		return l;
	l = arena_alloc(r->a, sizeof(*l));
	if (l == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (take_path(r, l) != ERR_OK || take_host(r, l) != ERR_OK)
		return NULL;
	l->keys = value_array(r->a);
	l->info = value_object(r->a);
	r->park_state = l;
	return l;
}

static int next_leases(struct req *r, struct arena *a, struct listing *l,
                       struct leases *ls)
{
	const unsigned char *after = l->started ? l->after : NULL;

	l->started = true;
	if (l->by_secret)
		return store_by_tag_page(r->core, a, KIND_LEASE, l->index,
		                         sizeof(l->index), after, LEASE_ID, SLICE,
		                         lease_collect, ls, &r->e);
	if (l->by_host)
		return store_by_parent_page(r->core, a, KIND_LEASE, l->host_id, HOST_ID,
		                            after, LEASE_ID, SLICE, lease_collect, ls,
		                            &r->e);
	return store_each(r->core, a, KIND_LEASE, after, LEASE_ID, SLICE, lease_collect,
	                  ls, &r->e);
}

static void add(struct req *r, struct arena *a, struct listing *l, const struct lease *x)
{
	char *id = arena_str(r->a, lease_id_text(a, x));

	if (l->by_host && memcmp(x->o.parent, l->host_id, HOST_ID) != 0)
		return;
	if (id == NULL)
		return;
	value_add(l->keys, value_str(r->a, id));
	value_set(l->info, id, value_copy(r->a, lease_info(a, x)));
}

static int h_list(struct req *r)
{
	AUTO_ARENA a = arena_new(SCRATCH);
	struct leases ls = { .a = a };
	struct listing *l = start(r);
	unsigned char key[16];
	int rc;

	if (l == NULL)
		return (int)r->e.code;
	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (!l->nothing && (rc = next_leases(r, a, l, &ls)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < ls.n; i++)
		add(r, a, l, &ls.at[i]);
	if (ls.n == SLICE) {
		memcpy(l->after, ls.at[ls.n - 1].o.id, LEASE_ID);
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	value_set(reply_data(r), "keys", l->keys);
	value_set(reply_data(r), "key_info", l->info);
	return ERR_OK;
}

static int named_lease(struct req *r, struct lease *l)
{
	unsigned char id[LEASE_ID];

	if (lease_id_parse(value_get(r->body, "lease_id"), id) != 0)
		return req_fail(r, ERR_INVALID, "lease_id: 32 hex digits are needed");
	return lease_load(r->core, r->a, id, l, &r->e);
}

static void note_lease(struct req *r, const struct lease *l)
{
	req_note_bytes(r, "lease", l->o.id, LEASE_ID);
	req_note_str(r, "secret", l->path);
	req_note_str(r, "host", l->holder);
}

static int h_revoke(struct req *r)
{
	struct lease l = { .rev = 0 };
	int64_t rev = 0;
	int rc = named_lease(r, &l);

	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "no such lease");
	if (rc != ERR_OK)
		return rc;
	note_lease(r, &l);
	if (l.end == END_OPERATOR)
		return ERR_OK;
	if ((rc = lease_rev(r->core, r->a, true, &rev, &r->e)) != ERR_OK)
		return rc;
	return lease_end_now(r->core, r->a, &l, END_OPERATOR, rev, &r->e);
}

/* The host may ask for the path again. */
static int h_restore(struct req *r)
{
	struct lease l = { .rev = 0 };
	int rc = named_lease(r, &l);

	if (rc == ERR_NOENT || (rc == ERR_OK && l.end != END_OPERATOR))
		return req_fail(r, ERR_INVALID, "no lease that an operator revoked");
	if (rc != ERR_OK)
		return rc;
	note_lease(r, &l);
	return lease_drop(r->core, r->a, &l, &r->e);
}

static const struct field list_fields[] = {
	{"path",  "string", "only leases of this secret"},
	{ "host", "string", "only leases of this host"  },
	{ NULL,   NULL,     NULL                        },
};
static const struct field id_fields[] = {
	{"lease_id", "string", "the lease, hex"},
	{ NULL,      NULL,     NULL            },
};

static const struct route rows[] = {
	{"system",  M_LIST, "vault-leases",         0, list_fields, h_list,    NULL,
         "who holds which version of what"            },
	{ "system", M_POST, "vault-leases/revoke",  0, id_fields,   h_revoke,  NULL,
         "take a secret from its holder"              },
	{ "system", M_POST, "vault-leases/restore", 0, id_fields,   h_restore, NULL,
         "let the holder of a revoked lease ask again"},
};

const struct route_table routes_lease = { rows, ARRAY_LEN(rows) };
