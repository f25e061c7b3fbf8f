/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "vault/limits.h"

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
		rc = dir_open(c, a, space, folder, &o, e);
		if (rc == ERR_OK)
			return dir_put(c, a, space, folder, &o,
			               value_int_or(o.body, "k", 0) + 1, e);
		memset(&o, 0, sizeof(o));
		if (rc != ERR_NOENT ||
		    (rc = dir_put(c, a, space, folder, &o, 1, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
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
		if ((rc = dir_open(c, a, space, folder, &o, e)) != ERR_OK)
			return rc == ERR_NOENT ? ERR_OK : rc;
		count = value_int_or(o.body, "k", 0) - 1;
		if (count > 0)
			return dir_put(c, a, space, folder, &o, count, e);
		if ((rc = store_delete(c, &o, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

struct kv_list *kv_list_start(struct core *c, struct arena *a,
                              const unsigned char space[KV_SPACE], enum store_kind items,
                              const char *folder)
{
	struct kv_list *l = arena_alloc(a, sizeof(*l));

	if (l == NULL)
		return NULL;
	kv_dir_id(c, space, folder, strlen(folder), l->parent);
	l->kind = KIND_DIR;
	l->items = items;
	l->names = value_array(a);
	return l;
}

struct slice {
	struct kv_list *l;
	struct arena *keep; /* of the names */
	int seen;
};

static int note_name(void *ctx, struct store_object *o, struct err *e)
{
	struct slice *s = ctx;
	bool dir = o->kind == KIND_DIR;
	const struct value *v = value_get(o->body, dir ? "n" : "p");
	const char *name, *slash;

	if (v == NULL || v->type != V_STRING)
		return err_set(e, ERR_INTEGRITY, "an entry of a folder has no name");
	slash = dir ? NULL : memrchr(v->text, '/', v->len);
	name = slash != NULL ? slash + 1 : v->text;
	value_add(s->l->names,
	          value_strdup(s->keep, name, (size_t)(v->text + v->len - name)));
	memcpy(s->l->after, o->id, sizeof(s->l->after));
	s->l->started = true;
	s->seen++;
	return ERR_OK;
}

static int by_name(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;
	int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int sort_names(struct arena *a, struct kv_list *l, struct err *e)
{
	size_t n = l->names->len, at = 0;
	struct value **list = arena_alloc(a, (n + 1) * sizeof(struct value *));

	if (list == NULL)
		return err_set(e, ERR_NOMEM,
		               "the listing needs more memory than a request may have");
	for (struct value *v = l->names->first; v != NULL; v = v->next)
		list[at++] = v;
	qsort(list, n, sizeof(struct value *), by_name);
	l->names = value_array(a);
	for (at = 0; at < n; at++) {
		list[at]->next = NULL;
		value_add(l->names, list[at]);
	}
	return ERR_OK;
}

int kv_list_slice(struct core *c, struct arena *a, struct kv_list *l, int limit,
                  struct err *e)
{
	struct slice s = { .l = l, .keep = a };

	while (s.seen < limit) {
		AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
		int want = limit - s.seen, before = s.seen, rc;

		if (scratch == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		rc = store_by_parent_page(c, scratch, l->kind, l->parent,
		                          sizeof(l->parent), l->started ? l->after : NULL,
		                          sizeof(l->after), want, note_name, &s, e);
		if (rc != ERR_OK)
			return rc;
		if (s.seen - before == want)
			return ERR_OK;
		if (l->kind == l->items) {
			l->done = true;
			return sort_names(a, l, e);
		}
		l->kind = l->items;
		l->started = false;
	}
	return ERR_OK;
}
