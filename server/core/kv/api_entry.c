/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_entry - KV version 1 and cubbyhole: the same verbs on values without versions, and
 * the answer of a mount that is changing from one version to the other.
 */
#include <string.h>

#include "arena.h"
#include "cubbyhole.h"
#include "entry.h"
#include "kv_api.h"
#include "route.h"

/* The space that the request is about, and the path in it. */
typedef int (*space_fn)(struct req *r, unsigned char space[KV_SPACE]);

static int mount_space(struct req *r, unsigned char space[KV_SPACE])
{
	memcpy(space, r->mount->id, KV_SPACE);
	return ERR_OK;
}

static int own_space(struct req *r, unsigned char space[KV_SPACE])
{
	if (r->id.batch)
		return req_fail(
			r, ERR_INVALID,
			"cubbyhole operations are only supported by 'service' type "
			"tokens");
	cubbyhole_space(r->core, r->id.token_id, r->id.accessor, space);
	return ERR_OK;
}

static int open_entry(struct req *r, space_fn where, struct entry *en, bool *found)
{
	unsigned char *space = arena_alloc(r->a, KV_SPACE);
	const char *path;
	int rc;

	*found = false;
	if (space == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = where(r, space)) != ERR_OK || (rc = kv_api_path(r, &path)) != ERR_OK)
		return rc;
	rc = entry_open(r->core, r->a, space, path, en, &r->e);
	*found = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int exists(struct req *r, space_fn where, bool *found)
{
	struct entry en;

	return open_entry(r, where, &en, found);
}

static int read_entry(struct req *r, space_fn where, struct entry *en, bool *found)
{
	unsigned char *p;
	size_t n;
	int rc = open_entry(r, where, en, found);

	if (rc != ERR_OK || !*found)
		return rc;
	if ((rc = entry_value(r->core, r->a, en, &p, &n, &r->e)) != ERR_OK)
		return rc;
	value_set(reply_envelope(r), "data", value_encoded(r->a, p, n));
	kv_api_note(r, en->o.id, 0);
	return ERR_OK;
}

static int write_entry(struct req *r, space_fn where)
{
	unsigned char space[KV_SPACE];
	const char *path;
	int rc;

	if ((rc = where(r, space)) != ERR_OK || (rc = kv_api_path(r, &path)) != ERR_OK)
		return rc;
	if (r->body->len == 0)
		return req_fail(r, ERR_INVALID, "missing data fields");
	return entry_write(r->core, r->a, space, path, r->body, &r->e);
}

static int delete_entry(struct req *r, space_fn where)
{
	struct entry en;
	bool found;
	int rc = open_entry(r, where, &en, &found);

	if (rc != ERR_OK || !found)
		return rc;
	kv_api_note(r, en.o.id, 0);
	return entry_delete(r->core, r->a, &en, &r->e);
}

/* ---- KV version 1 ---- */

static int kv1_exists(struct req *r, bool *found)
{
	return exists(r, mount_space, found);
}

/* Clients look again after lease_duration. */
static int kv1_read(struct req *r)
{
	struct entry en;
	int64_t ttl, max = mount_max_ttl(r->mount);
	bool found;
	int rc = read_entry(r, mount_space, &en, &found);

	if (rc != ERR_OK || !found)
		return rc;
	ttl = en.ttl_ms > 0 ? en.ttl_ms : mount_default_ttl(r->mount);
	value_set_int(r->a, reply_envelope(r), "lease_duration",
	              (ttl < max ? ttl : max) / 1000);
	return ERR_OK;
}

static int kv1_list(struct req *r)
{
	return kv_api_list(r, r->mount->id, KIND_ENTRY, false);
}

static int kv1_write(struct req *r)
{
	return write_entry(r, mount_space);
}

static int kv1_delete(struct req *r)
{
	return delete_entry(r, mount_space);
}

/* ---- cubbyhole ---- */

static int cubbyhole_exists(struct req *r, bool *found)
{
	return exists(r, own_space, found);
}

static int cubbyhole_read(struct req *r)
{
	struct entry en;
	bool found;

	return read_entry(r, own_space, &en, &found);
}

static int cubbyhole_list(struct req *r)
{
	unsigned char space[KV_SPACE];
	int rc = own_space(r, space);

	return rc == ERR_OK ? kv_api_list(r, space, KIND_ENTRY, false) : rc;
}

static int cubbyhole_write(struct req *r)
{
	return write_entry(r, own_space);
}

static int cubbyhole_delete(struct req *r)
{
	return delete_entry(r, own_space);
}

static int upgrading(struct req *r)
{
	return req_fail(
		r, ERR_INVALID,
		"Upgrading from non-versioned to versioned data. This backend will "
		"be unavailable for a brief period and will resume service "
		"shortly.");
}

/* clang-format off */
static const struct route rows[] = {
	{ "kv1", M_GET, "*path", 0, NULL, kv1_read, NULL, "read a secret" },
	{ "kv1", M_LIST | M_SCAN, "*path", 0, kv_list_fields, kv1_list, NULL, "list a folder" },
	{ "kv1", M_POST, "*path", R_OPEN_BODY, NULL, kv1_write, kv1_exists,
	  "write a secret: the body as it is" },
	{ "kv1", M_DELETE, "*path", 0, NULL, kv1_delete, NULL, "delete a secret" },
	{ "cubbyhole", M_GET, "*path", 0, NULL, cubbyhole_read, NULL,
	  "read what the token keeps for itself" },
	{ "cubbyhole", M_LIST | M_SCAN, "*path", 0, kv_list_fields, cubbyhole_list, NULL,
	  "list a folder of the token's own" },
	{ "cubbyhole", M_POST, "*path", R_OPEN_BODY, NULL, cubbyhole_write, cubbyhole_exists,
	  "keep a value for the token alone: the body as it is" },
	{ "cubbyhole", M_DELETE, "*path", 0, NULL, cubbyhole_delete, NULL,
	  "delete what the token keeps" },
	{ "kv_upgrade", M_GET | M_LIST | M_SCAN | M_POST | M_PATCH | M_DELETE, "*path",
	  R_OPEN_BODY, NULL, upgrading, NULL, "a mount whose secrets become versioned right now" },
};
/* clang-format on */

const struct route_table routes_entry = { rows, ARRAY_LEN(rows) };
