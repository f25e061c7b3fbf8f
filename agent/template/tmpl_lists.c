/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of lists and maps. */
#include "tmpl_run.h"

#include <string.h>

/* Is ${item} of a list ${v}?  Types count: 1 is not 1.0 is not "1". */
static bool same(const struct tv *item, const struct tv *v)
{
	if (tv_is_int(item))
		return tv_is_int(v) && item->i == v->i;
	if (item->kind == TV_FLOAT)
		return v->kind == TV_FLOAT && item->f == v->f;
	return tv_is_text(item) && item->kind == v->kind && tmpl_str_eq(item->s, v->s);
}

static int is_in(struct tmpl_run *r, const struct tv *l, const struct tv *v, bool *out)
{
	int rc = ERR_OK;

	*out = false;
	if (tv_is_text(l)) {
		*out = v->kind == l->kind &&
		       (v->s.n == 0 || memmem(l->s.p, l->s.n, v->s.p, v->s.n) != NULL);
		return tmpl_spend(r, l->s.n);
	}
	if (!tv_is_list(l))
		return ERR_OK;
	for (size_t i = 0; i < l->list->n && !*out && rc == ERR_OK; i++) {
		*out = same(&l->list->items[i], v);
		rc = tmpl_spend(r, tv_is_text(v) ? v->s.n : 0);
	}
	return rc;
}

int tmpl_fn_in(struct tmpl_run *r, const struct tv *args, size_t n UNUSED, struct tv *out)
{
	*out = tv_bool(false);
	return is_in(r, &args[0], &args[1], &out->b);
}

int tmpl_fn_contains(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	*out = tv_bool(false);
	return is_in(r, &args[1], &args[0], &out->b);
}

/* Until one of the first list is in the second, or is not: then not ${end}. */
static int search(struct tmpl_run *r, const struct tv *args, bool end, bool until,
                  struct tv *out)
{
	const struct tv_list *list = args[0].list;
	bool is;
	int rc;

	*out = tv_bool(end);
	for (size_t i = 0; i < list->n; i++) {
		if ((rc = is_in(r, &args[1], &list->items[i], &is)) != ERR_OK)
			return rc;
		if (is == until) {
			out->b = !end;
			break;
		}
	}
	return ERR_OK;
}

int tmpl_fn_contains_all(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                         struct tv *out)
{
	return search(r, args, true, false, out);
}

int tmpl_fn_contains_any(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                         struct tv *out)
{
	return search(r, args, false, true, out);
}

int tmpl_fn_contains_none(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                          struct tv *out)
{
	return search(r, args, true, true, out);
}

int tmpl_fn_contains_not_all(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                             struct tv *out)
{
	return search(r, args, false, false, out);
}

/* "a/b/c" below ${map}, its folders made as they are met. */
static int explode(struct tmpl_run *r, struct tv_map *map, struct tmpl_str key,
                   struct tv val)
{
	const char *slash;
	int rc = ERR_OK;

	while (key.n > 0 && (slash = memchr(key.p, '/', key.n)) != NULL) {
		size_t n = (size_t)(slash - key.p);
		struct tv *found = tv_map_get(map, (struct tmpl_str){ key.p, n }), made;

		if (found == NULL) {
			if ((rc = tv_new_map(r, TV_MAP, 0, &made)) != ERR_OK ||
			    (rc = tv_map_set(r, map, tv_str(key.p, n), made)) != ERR_OK)
				return rc;
			found = &made;
		}
		if (found->kind != TV_MAP)
			return tmpl_fail(
				r, ERR_INVALID,
				"explodeMap: a key is both a value and a folder");
		map = found->map;
		key.p += n + 1;
		key.n -= n + 1;
	}
	return key.n > 0 ? tv_map_set(r, map, tv_str(key.p, key.n), val) : rc;
}

int tmpl_fn_explode_map(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                        struct tv *out)
{
	const struct tv_map *map = args[0].map;
	int rc = tv_new_map(r, TV_MAP, 0, out);

	for (size_t i = 0; i < map->n && rc == ERR_OK; i++)
		rc = explode(r, out->map, map->pairs[i].key.s, map->pairs[i].val);
	return rc;
}

static int merge(struct tmpl_run *r, struct tv_map *dst, const struct tv_map *src,
                 bool override);

/* One member.  What is empty gives way; maps are merged, lists are not. */
static int merge_one(struct tmpl_run *r, struct tv_map *dst, const struct tv_pair *p,
                     bool override)
{
	struct tv *old = tv_map_find(dst, &p->key);
	int rc;

	if (p->val.kind == TV_NIL)
		return override ? tv_map_set(r, dst, p->key, p->val) : ERR_OK;
	if (tv_is_map(&p->val) && old != NULL && tv_is_map(old)) {
		if (p->val.kind != old->kind)
			return tmpl_fail(r, ERR_INVALID,
			                 "mergeMap: maps of different types");
		if ((rc = merge(r, old->map, p->val.map, override)) != ERR_OK ||
		    old->map->n > 0)
			return rc;
	}
	if (old != NULL && tv_true(old) && !override)
		return ERR_OK;
	return tv_map_set(r, dst, p->key, p->val);
}

static int merge(struct tmpl_run *r, struct tv_map *dst, const struct tv_map *src,
                 bool override)
{
	int rc = tmpl_enter(r);

	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; dst != src && i < src->n && rc == ERR_OK; i++) {
		struct tv_pair p = src->pairs[i];

		if ((rc = tmpl_spend(r, tv_is_text(&p.key) ? p.key.s.n : 0)) == ERR_OK)
			rc = merge_one(r, dst, &p, override);
	}
	tmpl_leave(r);
	return rc;
}

int tmpl_fn_merge_map(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                      struct tv *out)
{
	*out = args[0];
	return merge(r, args[0].map, args[1].map, false);
}

int tmpl_fn_merge_map_with_override(struct tmpl_run *r, const struct tv *args,
                                    size_t n UNUSED, struct tv *out)
{
	*out = args[0];
	return merge(r, args[0].map, args[1].map, true);
}

int tmpl_fn_scratch(struct tmpl_run *r, const struct tv *args UNUSED, size_t n UNUSED,
                    struct tv *out)
{
	struct tv map;
	int rc;

	if (r->scratch == NULL) {
		if ((rc = tv_new_map(r, TV_MAP, 0, &map)) != ERR_OK)
			return rc;
		r->scratch = map.map;
	}
	*out = (struct tv){ .kind = TV_SCRATCH };
	return ERR_OK;
}
