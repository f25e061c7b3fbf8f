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

struct floor_entry {
	char *path;
	struct floor_lease lease;
};

static struct floor_entry *find(const struct floor *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->at[i].path, path) == 0)
			return &f->at[i];
	return NULL;
}

static struct floor_entry *add(struct floor *f, const char *path)
{
	struct floor_entry *entry = find(f, path);

	if (entry != NULL)
		return entry;
	if (f->n == f->cap) {
		size_t cap = 2 * f->cap + 8;
		struct floor_entry *grown = realloc(f->at, cap * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		f->at = grown;
		f->cap = cap;
	}
	entry = &f->at[f->n];
	*entry = (struct floor_entry){ .path = strdup(path) };
	if (entry->path == NULL)
		return NULL;
	f->n++;
	return entry;
}

static int take_lease(struct floor *f, struct arena *a, const struct value *v)
{
	const struct value *id = value_get(v, "lease_id");
	const char *path = value_cstr_or(a, v, "path", NULL);
	struct floor_lease l = { .gone = value_bool_or(v, "gone", false),
		                 .good = value_int_or(v, "good", 0) };
	struct floor_entry *entry;

	if (path == NULL || id == NULL || id->type != V_STRING ||
	    id->len >= sizeof(l.lease_id))
		return -1;
	if (value_to_int(value_get(v, "rev"), &l.rev) != 0 ||
	    value_to_int(value_get(v, "version"), &l.version) != 0)
		return -1;
	memcpy(l.lease_id, id->text, id->len);
	l.lease_id[id->len] = '\0';
	if ((entry = add(f, path)) == NULL)
		return -1;
	entry->lease = l;
	return 0;
}

static int take(struct floor *f, struct arena *a, const struct value *v)
{
	const struct value *list = value_get(v, "leases");

	if (value_to_int(value_get(v, "rev"), &f->rev) != 0 || list == NULL ||
	    list->type != V_ARRAY)
		return -1;
	for (const struct value *l = list->first; l != NULL; l = l->next)
		if (take_lease(f, a, l) != 0)
			return -1;
	return 0;
}

int floor_open(struct floor *f, const char *dir, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	char path[PATH_MAX], *text = NULL;
	struct value *v = NULL;
	size_t n = 0;
	int rc;

	*f = (struct floor){ .dir = dir };
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	path_of(dir, path);
	if (access(path, F_OK) != 0)
		return ERR_OK;
	if ((rc = file_read(a, path, FILE_MAX, &text, &n, e)) != ERR_OK)
		return rc;
	if (n < MAGIC_LEN || memcmp(text, MAGIC, MAGIC_LEN) != 0 ||
	    value_decode(a, text + MAGIC_LEN, n - MAGIC_LEN, &v, e) != ERR_OK ||
	    take(f, a, v) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "'%s' is damaged: the host has to join again", path);
	return ERR_OK;
}

void floor_close(struct floor *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->at[i].path);
	free(f->at);
	f->at = NULL;
	f->n = f->cap = 0;
}

void floor_keep(struct floor *f, bool (*wanted)(void *ctx, const char *path), void *ctx)
{
	for (size_t i = f->n; i > 0; i--) {
		if (wanted(ctx, f->at[i - 1].path))
			continue;
		free(f->at[i - 1].path);
		f->at[i - 1] = f->at[--f->n];
		f->changed = true;
	}
}

struct floor_lease floor_of(const struct floor *f, const char *path, const char *lease_id)
{
	const struct floor_entry *entry = find(f, path);

	if (entry != NULL && strcmp(entry->lease.lease_id, lease_id) == 0)
		return entry->lease;
	return (struct floor_lease){ .rev = 0 };
}

int floor_deliver(struct floor *f, const char *path, const char *lease_id, int64_t rev,
                  int64_t version, struct err *e)
{
	struct floor_entry *entry = add(f, path);

	if (entry == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	snprintf(entry->lease.lease_id, sizeof(entry->lease.lease_id), "%s", lease_id);
	entry->lease.rev = rev;
	entry->lease.version = version;
	entry->lease.gone = false;
	entry->lease.good = 0;
	f->changed = true;
	floor_see(f, rev);
	return ERR_OK;
}

const struct floor_lease *floor_find(const struct floor *f, const char *path)
{
	const struct floor_entry *entry = find(f, path);

	return entry != NULL ? &entry->lease : NULL;
}

void floor_back(struct floor *f, const char *path, int64_t version)
{
	struct floor_entry *entry = find(f, path);

	if (entry == NULL || entry->lease.good == version)
		return;
	entry->lease.good = version;
	f->changed = true;
}

void floor_end(struct floor *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++) {
		struct floor_lease *l = &f->at[i].lease;

		if (l->gone || (path != NULL && strcmp(f->at[i].path, path) != 0))
			continue;
		l->gone = true;
		f->changed = true;
	}
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

	for (size_t i = 0; i < f->n; i++) {
		const struct floor_lease *l = &f->at[i].lease;

		one = value_object(a);
		value_set_str(a, one, "path", f->at[i].path);
		value_set_str(a, one, "lease_id", l->lease_id);
		value_set_int(a, one, "rev", l->rev);
		value_set_int(a, one, "version", l->version);
		if (l->gone)
			value_set(one, "gone", value_bool(a, true));
		if (l->good != 0)
			value_set_int(a, one, "good", l->good);
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
	path_of(f->dir, path);
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
