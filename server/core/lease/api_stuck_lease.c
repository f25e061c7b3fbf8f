/* SPDX-License-Identifier: Apache-2.0 */
/* api_stuck_lease - leases that could not be revoked: their targets have refused, or not
 * answered, too often. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "lease_kinds.h"
#include "mounts.h"
#include "rng.h"
#include "route.h"
#include "vault/limits.h"

#define SLICE       256
#define LIMIT_SHOWN 10000

struct stuck {
	const char *id, *mount, *error;
	int64_t expires_ms;
	struct stuck *next;
};

/* A search under way. */
struct search {
	struct req *r;
	struct arena *scratch;
	size_t at; /* which kind of lease */
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	bool started;
	int seen;
	struct stuck *found;
	size_t n;
};

static int note(void *ctx, struct store_object *o, struct err *e)
{
	struct search *s = ctx;
	const struct lease_kind *kind = lease_kinds[s->at];
	struct req *r = s->r;
	const unsigned char *mount_id = NULL;
	const struct mount *m;
	struct stuck *one;
	const char *error;

	(void)e;
	memcpy(s->after, o->id, o->id_len);
	s->after_len = o->id_len;
	s->seen++;
	if ((error = kind->stuck(s->scratch, o, &mount_id)) == NULL)
		return ERR_OK;
	if ((one = arena_alloc(r->a, sizeof(*one))) == NULL)
		return ERR_OK; /* arena_failed() says so */
	m = mounts_by_id(r->core, mount_id);
	one->mount = m != NULL ? arena_str(r->a, m->accessor) : "";
	one->id = arena_str(r->a, kind->id_of(r->core, s->scratch, o));
	one->error = arena_str(r->a, error);
	one->expires_ms = value_int_or(o->body, "expires", 0);
	one->next = s->found;
	s->found = one;
	s->n++;
	return ERR_OK;
}

/* The search, when it is over; NULL: return *rc. */
static struct search *searched(struct req *r, int *rc)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct search *s = r->park_state;
	unsigned char key[16];

	if (s == NULL)
		s = r->park_state = arena_alloc(r->a, sizeof(*s));
	if (s == NULL || scratch == NULL) {
		*rc = req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->r = r;
	s->scratch = scratch;
	s->seen = 0;
	while (s->at < lease_kinds_n && lease_kinds[s->at]->stuck == NULL)
		s->at++;
	if (s->at == lease_kinds_n)
		return s;
	*rc = store_each(r->core, scratch, lease_kinds[s->at]->kind,
	                 s->started ? s->after : NULL, s->after_len, SLICE, note, s,
	                 &r->e);
	if (*rc != ERR_OK)
		return NULL;
	s->started = s->seen == SLICE;
	if (!s->started)
		s->at++;
	rng_bytes(key, sizeof(key));
	*rc = req_park(r, WAIT_JOB, key, r->core->boot_ms);
	return NULL;
}

static int check_type(struct req *r)
{
	const char *type = "";
	bool present;
	int rc = req_str(r, "type", &type, &present);

	if (rc == ERR_OK && strcmp(type, "irrevocable") != 0)
		return req_fail(r, ERR_INVALID, "type must be \"irrevocable\"");
	return rc;
}

static int h_count(struct req *r)
{
	struct value *counts;
	struct search *s;
	int rc = check_type(r);

	if (rc != ERR_OK || (s = searched(r, &rc)) == NULL)
		return rc;
	value_set_int(r->a, reply_data(r), "lease_count", (int64_t)s->n);
	counts = value_object(r->a);
	for (const struct stuck *one = s->found; one != NULL; one = one->next) {
		int64_t n = 1;

		if (value_get(counts, one->mount) != NULL)
			continue;
		for (const struct stuck *o = one->next; o != NULL; o = o->next)
			n += strcmp(o->mount, one->mount) == 0;
		value_set_int(r->a, counts, one->mount, n);
	}
	value_set(reply_data(r), "counts", counts);
	return ERR_OK;
}

static int by_expiry(const void *x, const void *y)
{
	const struct stuck *a = *(struct stuck *const *)x, *b = *(struct stuck *const *)y;

	if (a->expires_ms != b->expires_ms)
		return a->expires_ms < b->expires_ms ? -1 : 1;
	return strcmp(a->id, b->id);
}

static int reply_leases(struct req *r, const struct search *s)
{
	struct stuck **at = arena_alloc(r->a, (s->n + 1) * sizeof(struct stuck *));
	struct value *list = value_array(r->a);
	size_t n = 0;

	if (at == NULL || arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (struct stuck *one = s->found; one != NULL; one = one->next)
		at[n++] = one;
	qsort(at, n, sizeof(struct stuck *), by_expiry);
	for (size_t i = 0; i < n && i < LIMIT_SHOWN; i++) {
		struct value *v = value_object(r->a);

		value_set_str(r->a, v, "lease_id", at[i]->id);
		value_set_str(r->a, v, "mount_id", at[i]->mount);
		value_set_str(r->a, v, "error", at[i]->error);
		value_add(list, v);
	}
	value_set_int(r->a, reply_data(r), "lease_count", (int64_t)n);
	value_set(reply_data(r), "leases", list);
	return ERR_OK;
}

static int h_list(struct req *r)
{
	struct search *s;
	int rc = check_type(r);

	if (rc != ERR_OK || (s = searched(r, &rc)) == NULL)
		return rc;
	return reply_leases(r, s);
}

/* clang-format off */
static const struct field count_fields[] = {
	{ "type", "string", "\"irrevocable\"" },
	{ "include_child_namespaces", "bool", "there are none" },
	{ NULL, NULL, NULL },
};
static const struct field list_fields[] = {
	{ "type", "string", "\"irrevocable\"" },
	{ "include_child_namespaces", "bool", "there are none" },
	{ "limit", "string", "all are shown" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_GET, "leases/count", 0, count_fields, h_count, NULL,
	  "count leases that could not be revoked" },
	{ "system", M_GET, "leases", R_SUDO, list_fields, h_list, NULL,
	  "leases that could not be revoked" },
};
/* clang-format on */

const struct route_table routes_stuck_lease = { rows, ARRAY_LEN(rows) };
