/* SPDX-License-Identifier: Apache-2.0 */
/* api_lockout - sys/locked-users: who is locked out, and letting them in again. */
#include <string.h>

#include "arena.h"
#include "lockout.h"
#include "mounts.h"
#include "path.h"
#include "rng.h"
#include "route.h"
#include "vault/limits.h"

/* A listing under way; lives in the request's arena across slices. */
struct listing {
	struct req *r;
	struct lockout_walk walk;
	struct value *methods; /* array of {mount_accessor, counts, alias_identifiers} */
	int64_t total;
};

static struct value *entry_of(struct listing *l, const char *accessor)
{
	struct arena *a = l->r->a;
	struct value *o;

	for (struct value *v = l->methods->first; v != NULL; v = v->next)
		if (value_is_str(value_get(v, "mount_accessor"), accessor))
			return v;
	o = value_object(a);
	value_set_str(a, o, "mount_accessor", arena_str(a, accessor));
	value_set(o, "alias_identifiers", value_array(a));
	value_add(l->methods, o);
	return o;
}

static void note(void *ctx, const unsigned char mount[16], const char *name)
{
	struct listing *l = ctx;
	const struct mount *m = mounts_by_id(l->r->core, mount);
	struct value *o;

	if (m == NULL || (o = entry_of(l, m->accessor)) == NULL)
		return;
	value_add(value_get(o, "alias_identifiers"),
	          value_strdup(l->r->a, name, strlen(name)));
	l->total++;
}

static int reply_listing(struct req *r, struct listing *l)
{
	struct value *out, *spaces = value_array(r->a), *root = value_object(r->a);

	for (struct value *v = value_at(l->methods, 0); v != NULL; v = v->next)
		value_set_int(r->a, v, "counts",
		              (int64_t)value_get(v, "alias_identifiers")->len);
	value_set_int(r->a, root, "counts", l->total);
	value_set(root, "mount_accessors", l->methods);
	value_set_str(r->a, root, "namespace_id", "root");
	value_set_str(r->a, root, "namespace_path", "");
	value_add(spaces, root);
	out = reply_data(r);
	value_set(out, "by_namespace", spaces);
	value_set_int(r->a, out, "total", l->total);
	return ERR_OK;
}

/* Who tries names makes as many rows as passwords can be hashed for: they are not looked
 * through at one go. */
static int h_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct listing *l = r->park_state;
	unsigned char key[16];
	int rc;

	if (l == NULL && (l = r->park_state = arena_alloc(r->a, sizeof(*l))) != NULL)
		l->methods = value_array(r->a);
	if (l == NULL || scratch == NULL || arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->r = r;
	rc = lockout_slice(r->core, scratch, &l->walk, note, l, &r->e);
	if (rc != ERR_OK)
		return rc;
	if (l->walk.done)
		return reply_listing(r, l);
	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

struct by_accessor {
	const char *accessor;
	const struct mount *found;
};

static void find(void *ctx, const struct mount *m)
{
	struct by_accessor *b = ctx;

	if (mount_is_auth(m) && strcmp(m->accessor, b->accessor) == 0)
		b->found = m;
}

static int h_unlock(struct req *r)
{
	struct by_accessor b = { .accessor = r->param[0].text };
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[1].text, r->param[1].len, name, "user name", &r->e);

	if (rc != ERR_OK)
		return rc;
	mounts_each(r->core, find, &b);
	if (b.found == NULL)
		return req_fail(r, ERR_INVALID, "no auth method has this accessor");
	req_note_str(r, "user", arena_str(r->a, name));
	return lockout_clear(r->core, r->a, b.found->id, name, &r->e);
}

/* clang-format off */
static const struct route rows[] = {
	{ "system", M_GET,  "locked-users", 0, NULL, h_list, NULL,
	  "list the login names that are locked" },
	{ "system", M_POST, "locked-users/:accessor/unlock/:name", 0, NULL, h_unlock, NULL,
	  "let a login name in again" },
};
/* clang-format on */

const struct route_table routes_lockout = { rows, ARRAY_LEN(rows) };
