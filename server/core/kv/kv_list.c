/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_list - the names in a folder, or in all folders below it, in slices.
 *
 * Between two slices others may write: a name that comes or goes meanwhile may be in the
 * list or not, every other one is there once.
 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "vault/limits.h"

/* What a query, and the metadata of a secret, cost in rows. */
#define QUERY_ROWS 8
#define INFO_ROWS  8

/* A folder that is still to be looked at. */
struct kv_folder {
	struct kv_folder *next;
	const char *path; /* below the one that was asked for */
};

static int look_at(struct core *c, struct arena *a, struct kv_list *l, const char *path)
{
	const char *whole = arena_printf(a, "%s%s", l->of.folder, path);

	if (whole == NULL)
		return -1;
	kv_dir_id(c, l->of.space, whole, strlen(whole), l->parent);
	l->prefix = path;
	l->kind = KIND_DIR;
	l->started = false;
	return 0;
}

struct kv_list *kv_list_start(struct core *c, struct arena *a,
                              const struct kv_list_of *of)
{
	struct kv_list *l = arena_alloc(a, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->of = *of;
	l->names = value_array(a);
	l->info = of->info ? value_object(a) : NULL;
	return look_at(c, a, l, "") == 0 ? l : NULL;
}

struct slice {
	struct kv_list *l;
	struct arena *keep; /* of the names */
	struct arena *scratch;
	int rows; /* how many this page had */
	int cost; /* of all pages */
};

static int note_folder(struct slice *s, const char *name, size_t n, struct err *e)
{
	struct kv_folder *f = arena_alloc(s->keep, sizeof(*f));

	if (f == NULL || (f->path = arena_printf(s->keep, "%s%.*s", s->l->prefix, (int)n,
	                                         name)) == NULL)
		return err_set(e, ERR_NOMEM,
		               "the listing needs more memory than a request may have");
	f->next = s->l->todo;
	s->l->todo = f;
	return ERR_OK;
}

static int note_info(struct slice *s, const struct store_object *o, const char *name,
                     struct err *e)
{
	struct kv_meta meta = { 0 };
	int rc;

	if (o->kind == KIND_DIR) {
		value_set(s->l->info, name, value_object(s->keep));
		return ERR_OK;
	}
	if ((rc = kv_meta_read(s->scratch, o->body, &meta, e)) != ERR_OK)
		return rc;
	value_set(s->l->info, name, kv_meta_shown(s->keep, &meta));
	s->cost += INFO_ROWS + (int)meta.n;
	return ERR_OK;
}

static int note_name(void *ctx, struct store_object *o, struct err *e)
{
	struct slice *s = ctx;
	bool dir = o->kind == KIND_DIR;
	const struct value *v = value_get(o->body, dir ? "n" : "p");
	const char *name, *slash;
	size_t n;

	if (v == NULL || v->type != V_STRING)
		return err_set(e, ERR_INTEGRITY, "an entry of a folder has no name");
	slash = dir ? NULL : memrchr(v->text, '/', v->len);
	name = slash != NULL ? slash + 1 : v->text;
	n = (size_t)(v->text + v->len - name);
	memcpy(s->l->after, o->id, sizeof(s->l->after));
	s->l->started = true;
	s->rows++;
	s->cost++;
	if (dir && s->l->of.deep)
		return note_folder(s, name, n, e);
	name = arena_printf(s->keep, "%s%.*s", s->l->prefix, (int)n, name);
	if (name == NULL)
		return err_set(e, ERR_NOMEM,
		               "the listing needs more memory than a request may have");
	value_add(s->l->names, value_str(s->keep, name));
	return s->l->info != NULL ? note_info(s, o, name, e) : ERR_OK;
}

static int by_bytes(const char *x, size_t n, const char *y, size_t m)
{
	int order = memcmp(x, y, n < m ? n : m);

	return order != 0 ? order : (n > m) - (n < m);
}

static int by_text(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;

	return by_bytes(a->text, a->len, b->text, b->len);
}

static int by_key(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;

	return by_bytes(a->key, a->key_len, b->key, b->key_len);
}

/* In place: the items are linked anew. */
static int sort(struct arena *a, struct value *list,
                int (*order)(const void *x, const void *y), struct err *e)
{
	struct value **at = arena_alloc(a, (list->len + 1) * sizeof(struct value *));
	size_t n = 0;

	if (at == NULL)
		return err_set(e, ERR_NOMEM,
		               "the listing needs more memory than a request may have");
	for (struct value *v = list->first; v != NULL; v = v->next)
		at[n++] = v;
	qsort(at, n, sizeof(struct value *), order);
	for (size_t i = 0; i < n; i++)
		at[i]->next = i + 1 < n ? at[i + 1] : NULL;
	if (n > 0) {
		list->first = at[0];
		list->last = at[n - 1];
	}
	return ERR_OK;
}

static int finish(struct arena *a, struct kv_list *l, struct err *e)
{
	int rc = sort(a, l->names, by_text, e);

	if (rc == ERR_OK && l->info != NULL)
		rc = sort(a, l->info, by_key, e);
	l->done = rc == ERR_OK;
	return rc;
}

/* Behind the last page of folders or items: to the items, to another folder, or done. */
static int move_on(struct core *c, struct arena *a, struct kv_list *l, struct err *e)
{
	struct kv_folder *next = l->todo;

	if (l->kind != l->of.items) {
		l->kind = l->of.items;
		l->started = false;
		return ERR_OK;
	}
	if (next == NULL)
		return finish(a, l, e);
	l->todo = next->next;
	if (look_at(c, a, l, next->path) != 0)
		return err_set(e, ERR_NOMEM,
		               "the listing needs more memory than a request may have");
	return ERR_OK;
}

int kv_list_slice(struct core *c, struct arena *a, struct kv_list *l, int limit,
                  struct err *e)
{
	struct slice s = { .l = l, .keep = a };
	int rc;

	while (s.cost < limit && !l->done) {
		AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
		int page = limit / (l->info != NULL ? 2 * INFO_ROWS : 1);

		if (scratch == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		s.scratch = scratch;
		s.rows = 0;
		s.cost += l->of.deep ? QUERY_ROWS : 0;
		rc = store_by_parent_page(c, scratch, l->kind, l->parent,
		                          sizeof(l->parent), l->started ? l->after : NULL,
		                          sizeof(l->after), page, note_name, &s, e);
		if (rc != ERR_OK ||
		    (s.rows < page && (rc = move_on(c, a, l, e)) != ERR_OK))
			return rc;
	}
	return ERR_OK;
}
