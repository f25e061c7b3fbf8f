/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "lease.h"

void kv_dir_id(struct core *c, const unsigned char space[KV_SPACE], const char *folder,
               size_t n, unsigned char out[32])
{
	store_blind(c, out, "dir", space, KV_SPACE, folder, n);
}

size_t kv_dir_len(const char *path)
{
	size_t n = strlen(path);

	if (n > 0 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n;
}

static int dir_open(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                    const char *folder, struct store_object *o, struct err *e)
{
	unsigned char id[32];

	memset(o, 0, sizeof(*o));
	kv_dir_id(c, space, folder, strlen(folder), id);
	return store_get(c, a, KIND_DIR, id, sizeof(id), o, e);
}

static int dir_put(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                   const char *folder, struct store_object *o, int64_t count,
                   struct err *e)
{
	size_t above = kv_dir_len(folder);

	o->kind = KIND_DIR;
	kv_dir_id(c, space, folder, strlen(folder), o->id);
	kv_dir_id(c, space, folder, above, o->parent);
	o->id_len = o->parent_len = 32;
	o->body = value_object(a);
	value_set_bytes(a, o->body, "m", space, KV_SPACE);
	value_set_str(a, o->body, "n", folder + above);
	value_set_int(a, o->body, "k", count);
	return store_put(c, o, e);
}

/* A name came into the folder, or left it: whoever has leased its names hears of it.
 * Cubbyholes are no mounts. */
static int names_changed(struct core *c, struct arena *a,
                         const unsigned char space[KV_SPACE], const char *folder,
                         struct err *e)
{
	unsigned char id[32];

	if (mounts_by_id(c, space) == NULL)
		return ERR_OK;
	kv_dir_id(c, space, folder, strlen(folder), id);
	return lease_names_changed(c, a, id, e);
}

int kv_dir_enter(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                 const char *path, struct err *e)
{
	char *folder = arena_str(a, path);
	struct store_object o;
	size_t n;
	int rc;

	if (folder == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while ((n = kv_dir_len(folder)) > 0) {
		folder[n] = '\0';
		if ((rc = names_changed(c, a, space, folder, e)) != ERR_OK)
			return rc;
		rc = dir_open(c, a, space, folder, &o, e);
		if (rc == ERR_OK)
			return dir_put(c, a, space, folder, &o,
			               value_int_or(o.body, "k", 0) + 1, e);
		memset(&o, 0, sizeof(o));
		if (rc != ERR_NOENT ||
		    (rc = dir_put(c, a, space, folder, &o, 1, e)) != ERR_OK)
			return rc;
	}
	return names_changed(c, a, space, "", e);
}

int kv_dir_leave(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                 const char *path, struct err *e)
{
	char *folder = arena_str(a, path);
	struct store_object o;
	size_t n;
	int rc;

	if (folder == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while ((n = kv_dir_len(folder)) > 0) {
		int64_t count;

		folder[n] = '\0';
		if ((rc = names_changed(c, a, space, folder, e)) != ERR_OK)
			return rc;
		if ((rc = dir_open(c, a, space, folder, &o, e)) != ERR_OK)
			return rc == ERR_NOENT ? ERR_OK : rc;
		count = value_int_or(o.body, "k", 0) - 1;
		if (count > 0)
			return dir_put(c, a, space, folder, &o, count, e);
		if ((rc = store_delete(c, &o, e)) != ERR_OK)
			return rc;
	}
	return names_changed(c, a, space, "", e);
}
