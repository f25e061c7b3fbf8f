/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_destroy - the end of a whole space: of a mount that is gone, of a token's cubbyhole.
 *
 * Depth first, and every folder is emptied before it goes: however often it is cut off,
 * what is left can be found from the root.  Who holds a lease on a secret is told.
 */
#include <string.h>

#include "arena.h"
#include "kv_walk.h"
#include "lease.h"
#include "rotation.h"

#define AT_ONCE 8

struct some {
	struct store_object at[AT_ONCE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct some *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static int some_of(struct core *c, struct arena *a, enum store_kind kind,
                   const unsigned char dir[32], int limit, struct some *out,
                   struct err *e)
{
	out->n = 0;
	/* At least one: 0 would be all. */
	limit = limit > AT_ONCE ? AT_ONCE : limit < 1 ? 1 : limit;
	return store_by_parent_page(c, a, kind, dir, 32, NULL, 0, limit, collect, out, e);
}

/* Take the oldest versions out of the record; their payloads are gone already. */
static int drop_versions(struct core *c, struct arena *a, struct kv_secret *s,
                         struct kv_meta *meta, size_t n, struct err *e)
{
	const struct value *space = value_get(s->o.body, "m");
	struct mount gone = { .path = "" };

	s->path = value_cstr_or(a, s->o.body, "p", NULL);
	if (s->path == NULL || space == NULL || space->len != MOUNT_ID)
		return err_set(e, ERR_INTEGRITY, "metadata of a secret is malformed");
	memcpy(gone.id, space->text, MOUNT_ID);
	s->mount = &gone;
	meta->versions += n;
	meta->n -= n;
	s->o.body = kv_meta_body(a, s, meta);
	return s->o.body != NULL ? store_put(c, &s->o, e)
	                         : err_set(e, ERR_NOMEM, "out of memory");
}

/* A secret with many versions loses the oldest first, in several slices. */
static int destroy_secret(struct core *c, struct arena *a, struct store_object *o,
                          int *rows, struct err *e)
{
	struct kv_secret s = { .o = *o };
	struct kv_meta meta;
	size_t n;
	int rc = kv_meta_read(a, o->body, &meta, e);

	if (rc != ERR_OK)
		return rc;
	n = meta.n < KV_SLICE_ROWS ? meta.n : KV_SLICE_ROWS;
	for (size_t i = 0; i < n; i++)
		if ((rc = payload_destroy(c, o->id, meta.versions[i].number, e)) !=
		    ERR_OK)
			return rc;
	*rows -= (int)n + 1;
	if (n < meta.n)
		return drop_versions(c, a, &s, &meta, n, e);
	if ((rc = store_delete(c, o, e)) != ERR_OK ||
	    (rc = lease_secret_changed(c, a, o->id, meta.current, "revoke", e)) != ERR_OK)
		return rc;
	return rotation_forget(c, a, o->id, e);
}

static int destroy_entry(struct core *c, struct arena *a, struct store_object *o,
                         int *rows, struct err *e)
{
	struct entry en;
	int rc = entry_read(a, o, &en, e);

	*rows -= 2;
	if (rc != ERR_OK || (rc = entry_erase(c, &en, e)) != ERR_OK)
		return rc;
	return lease_secret_changed(c, a, o->id, en.writes, "revoke", e);
}

static int destroy_items(struct core *c, struct arena *a, const unsigned char dir[32],
                         int *rows, bool *found, struct err *e)
{
	struct some s;
	int rc = some_of(c, a, KIND_SECRET, dir, *rows, &s, e);

	*found = s.n > 0;
	for (size_t i = 0; rc == ERR_OK && i<s.n && * rows> 0; i++)
		rc = destroy_secret(c, a, &s.at[i], rows, e);
	if (rc != ERR_OK || *found)
		return rc;
	rc = some_of(c, a, KIND_ENTRY, dir, *rows, &s, e);
	*found = s.n > 0;
	for (size_t i = 0; rc == ERR_OK && i<s.n && * rows> 0; i++)
		rc = destroy_entry(c, a, &s.at[i], rows, e);
	return rc;
}

/* One folder deeper, if there is one. */
static int descend(struct core *c, struct arena *a, const unsigned char dir[32],
                   const char **folder, bool *found, struct err *e)
{
	struct some s;
	const char *name;
	int rc = some_of(c, a, KIND_DIR, dir, 1, &s, e);

	*found = rc == ERR_OK && s.n > 0;
	if (!*found)
		return rc;
	name = value_cstr_or(a, s.at[0].body, "n", NULL);
	if (name == NULL)
		return err_set(e, ERR_INTEGRITY, "a folder has no name");
	*folder = arena_printf(a, "%s%s", *folder, name);
	return *folder != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

/* The folder is empty: it goes, and its parent is next. */
static int ascend(struct core *c, struct arena *a, const unsigned char dir[32],
                  const char **folder, struct err *e)
{
	struct store_object o = { .version = 0 };
	int rc = lease_secret_changed(c, a, dir, 0, "revoke", e);

	if (rc != ERR_OK)
		return rc;
	if (**folder == '\0') {
		*folder = NULL;
		return ERR_OK;
	}
	rc = store_get(c, a, KIND_DIR, dir, 32, &o, e);
	if (rc == ERR_OK)
		rc = store_delete(c, &o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	*folder = arena_dup(a, *folder, kv_dir_len(*folder));
	return *folder != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

int kv_destroy_slice(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                     const char **folder, int *rows, struct err *e)
{
	unsigned char dir[32];
	bool found;
	int rc;

	while (*folder != NULL && *rows > 0) {
		(*rows)--;
		kv_dir_id(c, space, *folder, strlen(*folder), dir);
		if ((rc = destroy_items(c, a, dir, rows, &found, e)) != ERR_OK)
			return rc;
		if (found)
			continue;
		if ((rc = descend(c, a, dir, folder, &found, e)) != ERR_OK)
			return rc;
		if (!found && (rc = ascend(c, a, dir, folder, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

int kv_space_empty(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                   bool *empty, struct err *e)
{
	static const enum store_kind kinds[] = { KIND_DIR, KIND_ENTRY, KIND_SECRET };
	unsigned char root[32];
	struct some s = { .n = 0 };
	int rc = ERR_OK;

	kv_dir_id(c, space, "", 0, root);
	for (size_t i = 0; rc == ERR_OK && s.n == 0 && i < ARRAY_LEN(kinds); i++)
		rc = some_of(c, a, kinds[i], root, 1, &s, e);
	*empty = s.n == 0;
	return rc;
}
