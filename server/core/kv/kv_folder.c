/* SPDX-License-Identifier: Apache-2.0 */
#include "kv_folder.h"

#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "path.h"
#include "vault/limits.h"

bool kv_is_folder(const char *path)
{
	size_t n = strlen(path);

	return n > 0 && path[n - 1] == '/';
}

static int split(struct core *c, const char *path, const struct mount **m,
                 const char **folder, struct err *e)
{
	int rc = path_check(path, strlen(path), e);

	if (rc != ERR_OK)
		return rc;
	*m = mounts_match(c, path, folder);
	if (*m == NULL || !kv_is_folder(path) ||
	    (strcmp((*m)->engine, "kv") != 0 && strcmp((*m)->engine, "kv1") != 0))
		return err_set(e, ERR_INVALID, "\"%.150s\" is no folder of a KV mount",
		               path);
	return ERR_OK;
}

int kv_folder_find(struct core *c, const char *path, unsigned char id[32], struct err *e)
{
	const struct mount *m;
	const char *folder;
	int rc = split(c, path, &m, &folder, e);

	if (rc == ERR_OK)
		kv_dir_id(c, m->id, folder, strlen(folder), id);
	return rc;
}

bool kv_folder_is(struct core *c, const char *path, const unsigned char id[32])
{
	const char *folder;
	const struct mount *m = mounts_match(c, path, &folder);
	unsigned char there[32];

	if (m == NULL)
		return false;
	kv_dir_id(c, m->id, folder, strlen(folder), there);
	return memcmp(there, id, sizeof(there)) == 0;
}

/* Of an array, encoded or not (value.h): its count follows a type and a length. */
static size_t count_of(const struct value *names)
{
	const unsigned char *p = (const unsigned char *)names->text + 5;

	if (names->type != V_ENCODED)
		return names->len;
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

int kv_folder_names(struct core *c, struct arena *a, const char *path,
                    struct value **names, struct err *e)
{
	const struct mount *m;
	const char *folder;
	struct kv_list_of of = { .items = KIND_SECRET };
	struct kv_list *l;
	int rc = split(c, path, &m, &folder, e);

	if (rc != ERR_OK)
		return rc;
	of.space = arena_dup(a, m->id, MOUNT_ID);
	of.folder = arena_str(a, folder);
	if (strcmp(m->engine, "kv1") == 0)
		of.items = KIND_ENTRY;
	if (of.space == NULL || of.folder == NULL ||
	    (l = kv_list_start(c, a, &of)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	/* Folders, then items, then their order: a step each if they are few. */
	for (int i = 0; rc == ERR_OK && !l->done && i < 3; i++)
		rc = kv_list_slice(c, a, l, LIMIT_LIST_INLINE, e);
	if (rc != ERR_OK)
		return rc;
	if (!l->done || count_of(l->names) > LIMIT_LIST_INLINE)
		return err_set(e, ERR_INVALID, "the folder has more than %u names",
		               LIMIT_LIST_INLINE);
	*names = l->names;
	return ERR_OK;
}
