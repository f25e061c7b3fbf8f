/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_list - the names in a folder, or in all folders below it, in slices.
 *
 * Between two slices others may write: a name that comes or goes meanwhile may be in the
 * list or not, every other one is there once.
 */
#include <string.h>

#include "arena.h"
#include "folders.h"
#include "kv_impl.h"
#include "vault/limits.h"

/* What a query, and the metadata of a secret, cost in rows. */
#define QUERY_ROWS 8
#define INFO_ROWS  8
/* Names that are put in order in the time that one row takes to be read. */
#define MERGED_PER_ROW 4

/* A folder that is still to be looked at. */
struct kv_folder {
	struct kv_folder *next;
	const char *path; /* below the one that was asked for */
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM,
	               "the listing needs more memory than a request may have");
}

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

/* What is kept of the folder may go at any time: it is copied. */
static int take_kept(struct core *c, struct arena *a, struct kv_list *l)
{
	struct folder_names kept;
	const void *copy;

	if (l->of.deep || l->of.info || !folders_get(c, l->of.items, l->parent, &kept))
		return 0;
	copy = arena_dup(a, kept.at, kept.n);
	l->names = copy != NULL ? value_encoded(a, copy, kept.n) : NULL;
	l->done = true;
	return l->names != NULL ? 0 : -1;
}

struct kv_list *kv_list_start(struct core *c, struct arena *a,
                              const struct kv_list_of *of)
{
	struct kv_list *l = arena_alloc(a, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->of = *of;
	l->info_runs.members = true;
	l->ticket = folders_ticket(c);
	if (look_at(c, a, l, "") != 0)
		return NULL;
	return take_kept(c, a, l) == 0 ? l : NULL;
}

struct slice {
	struct kv_list *l;
	struct arena *keep;    /* as long as the listing */
	struct arena *found;   /* what the slice finds */
	struct arena *scratch; /* of a page */
	int rows;              /* how many this page had */
	int cost;              /* of all pages */
};

static int note_folder(struct slice *s, const char *name, size_t n, struct err *e)
{
	struct kv_folder *f = arena_alloc(s->keep, sizeof(*f));

	if (f == NULL || (f->path = arena_printf(s->keep, "%s%.*s", s->l->prefix, (int)n,
	                                         name)) == NULL)
		return no_memory(e);
	f->next = s->l->todo;
	s->l->todo = f;
	return ERR_OK;
}

static int note_info(struct slice *s, const struct store_object *o, const char *name,
                     struct err *e)
{
	struct kv_meta meta = { 0 };
	struct value *shown;
	int rc;

	if (o->kind == KIND_DIR) {
		shown = value_object(s->found);
	} else {
		if ((rc = kv_meta_read(s->scratch, o->body, &meta, e)) != ERR_OK)
			return rc;
		shown = kv_meta_shown(s->found, &meta);
		s->cost += INFO_ROWS + (int)meta.n;
	}
	if (shown == NULL)
		return no_memory(e);
	shown->key = name;
	shown->key_len = (uint32_t)strlen(name);
	runs_add(&s->l->info_runs, shown);
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
	name = arena_printf(s->found, "%s%.*s", s->l->prefix, (int)n, name);
	if (name == NULL)
		return no_memory(e);
	runs_add(&s->l->name_runs, value_str(s->found, name));
	return s->l->of.info ? note_info(s, o, name, e) : ERR_OK;
}

/* Nothing more comes: what there is goes into order.  The names of a plain list are kept
 * for the next one. */
static int merge(struct core *c, struct arena *a, struct kv_list *l, size_t limit,
                 struct err *e)
{
	bool names = false, info = true;
	int rc = runs_merge(&l->name_runs, a, limit, &names, e);

	if (rc == ERR_OK && l->of.info)
		rc = runs_merge(&l->info_runs, a, limit, &info, e);
	if (rc != ERR_OK || !names || !info)
		return rc;
	l->done = true;
	l->names = runs_value(&l->name_runs, a);
	l->info = l->of.info ? runs_value(&l->info_runs, a) : NULL;
	if (!l->of.deep && !l->of.info && l->name_runs.items > 0)
		folders_keep(c, l->ticket, l->of.items, l->parent,
		             &(struct folder_names){ l->name_runs.out,
		                                     l->name_runs.used });
	return ERR_OK;
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
	l->walked = next == NULL;
	if (l->walked)
		return ERR_OK;
	l->todo = next->next;
	if (look_at(c, a, l, next->path) != 0)
		return no_memory(e);
	return ERR_OK;
}

/* One page of the folder. */
static int read_page(struct core *c, struct slice *s, int rows, struct err *e)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct kv_list *l = s->l;
	int rc;

	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->scratch = scratch;
	s->rows = 0;
	s->cost += l->of.deep ? QUERY_ROWS : 0;
	rc = store_by_parent_page(c, scratch, l->kind, l->parent, sizeof(l->parent),
	                          l->started ? l->after : NULL, sizeof(l->after), rows,
	                          note_name, s, e);
	return rc == ERR_OK && s->rows < rows ? move_on(c, s->keep, l, e) : rc;
}

static int read_pages(struct core *c, struct arena *a, struct kv_list *l, int limit,
                      struct err *e)
{
	AUTO_ARENA found = arena_new(LIMIT_REQUEST_ARENA);
	struct slice s = { .l = l, .keep = a, .found = found };
	int rc;

	if (found == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (s.cost < limit && !l->walked) {
		rc = read_page(c, &s, limit / (l->of.info ? 2 * INFO_ROWS : 1), e);
		if (rc != ERR_OK)
			return rc;
	}
	if (arena_failed(found))
		return no_memory(e);
	if ((rc = runs_close(&l->name_runs, a, e)) != ERR_OK)
		return rc;
	return runs_close(&l->info_runs, a, e);
}

int kv_list_slice(struct core *c, struct arena *a, struct kv_list *l, int limit,
                  struct err *e)
{
	bool reading = !l->walked;
	int rc;

	if (l->done)
		return ERR_OK;
	if (reading && (rc = read_pages(c, a, l, limit, e)) != ERR_OK)
		return rc;
	if (!l->walked || (reading && l->name_runs.n > 1))
		return ERR_OK;
	return merge(c, a, l, (size_t)limit * MERGED_PER_ROW, e);
}
