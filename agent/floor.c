/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "bytes.h"
#include "file.h"

#define MAGIC     "vault-agent floor 1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define FILE_MAX  (4u * 1024 * 1024)

static void path_of(const char *dir, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/" FLOOR_FILE, dir);
}

static struct floor_lease *find(struct floor *f, const struct value *path)
{
	for (size_t i = 0; i < f->settings->n_paths; i++)
		if (value_is_str(path, f->settings->paths[i]))
			return &f->at[i];
	return NULL;
}

static int take_lease(struct floor *f, const struct value *v)
{
	const struct value *path = value_get(v, "path"), *id = value_get(v, "lease_id");
	struct floor_lease *l = find(f, path), ignored;

	if (path == NULL || id == NULL || id->type != V_STRING ||
	    id->len >= sizeof(l->lease_id))
		return -1;
	if (l == NULL) /* no longer in the settings */
		l = &ignored;
	if (value_to_int(value_get(v, "rev"), &l->rev) != 0 ||
	    value_to_int(value_get(v, "version"), &l->version) != 0)
		return -1;
	memcpy(l->lease_id, id->text, id->len);
	l->lease_id[id->len] = '\0';
	return 0;
}

static int take(struct floor *f, const struct value *v)
{
	const struct value *list = value_get(v, "leases");

	if (value_to_int(value_get(v, "rev"), &f->rev) != 0 || list == NULL ||
	    list->type != V_ARRAY)
		return -1;
	for (const struct value *l = list->first; l != NULL; l = l->next)
		if (take_lease(f, l) != 0)
			return -1;
	return 0;
}

int floor_open(struct floor *f, const struct settings *settings, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	char path[PATH_MAX], *text = NULL;
	struct value *v = NULL;
	size_t n = 0;
	int rc;

	*f = (struct floor){ .settings = settings };
	f->at = calloc(settings->n_paths + 1, sizeof(*f->at));
	if (a == NULL || f->at == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	path_of(settings->state_dir, path);
	if (access(path, F_OK) != 0)
		return ERR_OK;
	if ((rc = file_read(a, path, FILE_MAX, &text, &n, e)) != ERR_OK)
		return rc;
	if (n < MAGIC_LEN || memcmp(text, MAGIC, MAGIC_LEN) != 0 ||
	    value_decode(a, text + MAGIC_LEN, n - MAGIC_LEN, &v, e) != ERR_OK ||
	    take(f, v) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "'%s' is damaged: the host has to join again", path);
	return ERR_OK;
}

void floor_close(struct floor *f)
{
	free(f->at);
	f->at = NULL;
}

struct floor_lease floor_of(const struct floor *f, size_t path, const char *lease_id)
{
	if (strcmp(f->at[path].lease_id, lease_id) == 0)
		return f->at[path];
	return (struct floor_lease){ .rev = 0 };
}

void floor_deliver(struct floor *f, size_t path, const char *lease_id, int64_t rev,
                   int64_t version)
{
	struct floor_lease *l = &f->at[path];

	snprintf(l->lease_id, sizeof(l->lease_id), "%s", lease_id);
	l->rev = rev;
	l->version = version;
	f->changed = true;
	floor_see(f, rev);
}

void floor_see(struct floor *f, int64_t rev)
{
	if (rev <= f->rev)
		return;
	f->rev = rev;
	f->changed = true;
}

static struct value *as_value(struct arena *a, const struct floor *f)
{
	struct value *v = value_object(a), *list = value_array(a), *one;

	for (size_t i = 0; i < f->settings->n_paths; i++) {
		if (f->at[i].lease_id[0] == '\0')
			continue;
		one = value_object(a);
		value_set_str(a, one, "path", f->settings->paths[i]);
		value_set_str(a, one, "lease_id", f->at[i].lease_id);
		value_set_int(a, one, "rev", f->at[i].rev);
		value_set_int(a, one, "version", f->at[i].version);
		value_add(list, one);
	}
	value_set_int(a, v, "rev", f->rev);
	value_set(v, "leases", list);
	return v;
}

int floor_save(struct floor *f, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	char path[PATH_MAX];
	struct value *v;
	unsigned char *out;
	size_t n;
	int rc;

	if (!f->changed)
		return ERR_OK;
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	v = as_value(a, f);
	out = arena_failed(a) ? NULL : arena_alloc(a, MAGIC_LEN + value_size(v));
	if (out == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = MAGIC_LEN + value_encode(v, bytes_put(out, MAGIC, MAGIC_LEN));
	path_of(f->settings->state_dir, path);
	rc = file_write_path(path, out, n, 0600, e);
	f->changed = rc != ERR_OK;
	return rc;
}

void floor_forget(const char *dir)
{
	char path[PATH_MAX];

	path_of(dir, path);
	(void)unlink(path);
}
