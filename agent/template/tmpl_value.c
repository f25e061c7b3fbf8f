/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_run.h"

#include <string.h>

struct tv tv_cstr(const char *s)
{
	return tv_str(s, strlen(s));
}

bool tv_true(const struct tv *v)
{
	switch (v->kind) {
	case TV_NONE:
	case TV_NIL:
	case TV_NIL_POINTER:
		return false;
	case TV_BOOL:
		return v->b;
	case TV_INT:
	case TV_INT64:
		return v->i != 0;
	case TV_UINT64:
	case TV_BYTE:
		return v->u != 0;
	case TV_FLOAT:
		return v->f != 0;
	case TV_STRING:
	case TV_NUMBER:
		return v->s.n > 0;
	case TV_LIST:
	case TV_STRINGS:
		return v->list->n > 0;
	case TV_MAP:
	case TV_TEXT_MAP:
	case TV_ANY_MAP:
		return v->map->n > 0;
	case TV_SECRET:
	case TV_SCRATCH:
	case TV_LOOP:
		return true;
	}
	return false;
}

const char *tv_type(const struct tv *v)
{
	static const char *const names[] = {
		[TV_NONE] = "nil",
		[TV_NIL] = "interface {}",
		[TV_NIL_POINTER] = "pointer",
		[TV_BOOL] = "bool",
		[TV_INT] = "int",
		[TV_INT64] = "int64",
		[TV_UINT64] = "uint64",
		[TV_BYTE] = "uint8",
		[TV_FLOAT] = "float64",
		[TV_STRING] = "string",
		[TV_NUMBER] = "json.Number",
		[TV_LIST] = "[]interface {}",
		[TV_STRINGS] = "[]string",
		[TV_MAP] = "map[string]interface {}",
		[TV_TEXT_MAP] = "map[string]string",
		[TV_ANY_MAP] = "map[interface {}]interface {}",
		[TV_SECRET] = "*dependency.Secret",
		[TV_SCRATCH] = "*template.Scratch",
		[TV_LOOP] = "<-chan int64",
	};

	return names[v->kind];
}

int tv_new_list(struct tmpl_run *r, enum tv_kind kind, size_t n, struct tv *out)
{
	struct tv_list *list = tmpl_alloc(r, sizeof(*list));

	if (list == NULL ||
	    (n > 0 && (list->items = tmpl_alloc(r, n * sizeof(*list->items))) == NULL))
		return r->rc;
	list->n = list->cap = n;
	*out = (struct tv){ .kind = kind, .list = list };
	return ERR_OK;
}

int tv_append(struct tmpl_run *r, struct tv_list *list, struct tv item)
{
	if (list->n == list->cap) {
		size_t cap = 2 * list->cap + 4;
		struct tv *grown = tmpl_alloc(r, cap * sizeof(*grown));

		if (grown == NULL)
			return r->rc;
		if (list->n > 0)
			memcpy(grown, list->items, list->n * sizeof(*grown));
		list->items = grown;
		list->cap = cap;
	}
	list->items[list->n++] = item;
	return ERR_OK;
}

int tv_new_map(struct tmpl_run *r, enum tv_kind kind, size_t n, struct tv *out)
{
	struct tv_map *map = tmpl_alloc(r, sizeof(*map));

	if (map == NULL ||
	    (n > 0 && (map->pairs = tmpl_alloc(r, n * sizeof(*map->pairs))) == NULL))
		return r->rc;
	map->cap = n;
	*out = (struct tv){ .kind = kind, .map = map };
	return ERR_OK;
}

static int cmp_text(struct tmpl_str x, struct tmpl_str y)
{
	size_t n = x.n < y.n ? x.n : y.n;
	int c = n > 0 ? memcmp(x.p, y.p, n) : 0;

	return c != 0 ? c : (x.n > y.n) - (x.n < y.n);
}

static int cmp_float(double x, double y)
{
	if (x < y || (x != x && y == y))
		return -1;
	return x > y || (x == x && y != y) ? 1 : 0;
}

/* Keys of different types come in the order that they have in the original. */
static unsigned rank(enum tv_kind kind)
{
	static const enum tv_kind order[] = { TV_NIL, TV_STRING, TV_UINT64,
		                              TV_INT, TV_FLOAT,  TV_BOOL };

	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		if (order[i] == kind)
			return i;
	return ARRAY_LEN(order) + (unsigned)kind;
}

int tv_compare(const struct tv *x, const struct tv *y)
{
	if (x->kind != y->kind)
		return rank(x->kind) < rank(y->kind) ? -1 : 1;
	switch (x->kind) {
	case TV_BOOL:
		return (int)x->b - (int)y->b;
	case TV_INT:
	case TV_INT64:
		return (x->i > y->i) - (x->i < y->i);
	case TV_UINT64:
	case TV_BYTE:
		return (x->u > y->u) - (x->u < y->u);
	case TV_FLOAT:
		return cmp_float(x->f, y->f);
	case TV_STRING:
	case TV_NUMBER:
		return cmp_text(x->s, y->s);
	default:
		return 0;
	}
}

/* Where ${key} is, or belongs. */
static size_t place(const struct tv_map *map, const struct tv *key, bool *found)
{
	size_t low = 0, high = map->n;

	*found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = tv_compare(&map->pairs[mid].key, key);

		if (c == 0)
			*found = true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct tv *tv_map_find(const struct tv_map *map, const struct tv *key)
{
	bool found;
	size_t at = place(map, key, &found);

	return found ? &map->pairs[at].val : NULL;
}

struct tv *tv_map_get(const struct tv_map *map, struct tmpl_str name)
{
	struct tv key = { .kind = TV_STRING, .s = name };

	return tv_map_find(map, &key);
}

static int grow(struct tmpl_run *r, struct tv_map *map)
{
	size_t cap = 2 * map->cap + 4;
	struct tv_pair *grown;

	if (map->n < map->cap)
		return ERR_OK;
	if ((grown = tmpl_alloc(r, cap * sizeof(*grown))) == NULL)
		return r->rc;
	if (map->n > 0)
		memcpy(grown, map->pairs, map->n * sizeof(*grown));
	map->pairs = grown;
	map->cap = cap;
	return ERR_OK;
}

int tv_map_set(struct tmpl_run *r, struct tv_map *map, struct tv key, struct tv val)
{
	bool found;
	size_t at = place(map, &key, &found), after = map->n - at;
	int rc;

	if (found) {
		map->pairs[at].val = val;
		return ERR_OK;
	}
	if ((rc = tmpl_spend(r, after * sizeof(*map->pairs))) != ERR_OK ||
	    (rc = grow(r, map)) != ERR_OK)
		return rc;
	memmove(map->pairs + at + 1, map->pairs + at, after * sizeof(*map->pairs));
	map->pairs[at] = (struct tv_pair){ key, val };
	map->n++;
	map->nil = false;
	return ERR_OK;
}

int tv_map_push(struct tmpl_run *r, struct tv_map *map, struct tv key, struct tv val)
{
	int rc = grow(r, map);

	if (rc == ERR_OK)
		map->pairs[map->n++] = (struct tv_pair){ key, val };
	return rc;
}

/* Merge the sorted runs [from, mid) and [mid, to). */
static void merge(struct tv_pair *out, const struct tv_pair *in, size_t from, size_t mid,
                  size_t to)
{
	size_t x = from, y = mid;

	for (size_t i = from; i < to; i++)
		if (x < mid && (y >= to || tv_compare(&in[x].key, &in[y].key) <= 0))
			out[i] = in[x++];
		else
			out[i] = in[y++];
}

int tv_map_sort(struct tmpl_run *r, struct tv_map *map)
{
	size_t n = map->n, kept = 0;
	struct tv_pair *from = map->pairs, *to;
	int rc;

	if (n < 2)
		return ERR_OK;
	if ((to = tmpl_alloc(r, n * sizeof(*to))) == NULL)
		return r->rc;
	for (size_t width = 1; width < n; width *= 2) {
		struct tv_pair *turned = from;

		if ((rc = tmpl_spend(r, n * sizeof(*to))) != ERR_OK)
			return rc;
		for (size_t i = 0; i < n; i += 2 * width) {
			size_t mid = i + width < n ? i + width : n;

			merge(to, from, i, mid, mid + width < n ? mid + width : n);
		}
		from = to;
		to = turned;
	}
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && tv_compare(&from[kept - 1].key, &from[i].key) == 0)
			kept--;
		from[kept++] = from[i];
	}
	map->pairs = from;
	map->cap = n;
	map->n = kept;
	return ERR_OK;
}

static int import_text(struct tmpl_run *r, const struct value *v, struct tv *out)
{
	char *p = tmpl_alloc(r, (size_t)v->len + 1);

	if (p == NULL)
		return r->rc;
	if (v->len > 0)
		memcpy(p, v->text, v->len);
	*out = tv_str(p, v->len);
	if (v->type == V_NUMBER)
		out->kind = TV_NUMBER;
	return ERR_OK;
}

static int import_array(struct tmpl_run *r, const struct value *v, struct tv *out)
{
	size_t i = 0;
	int rc = tv_new_list(r, TV_LIST, v->len, out);

	for (const struct value *m = v->first; rc == ERR_OK && m != NULL; m = m->next)
		rc = tv_import(r, m, &out->list->items[i++]);
	return rc;
}

static int import_object(struct tmpl_run *r, const struct value *v, struct tv *out)
{
	int rc = tv_new_map(r, TV_MAP, v->len, out);

	for (const struct value *m = v->first; rc == ERR_OK && m != NULL; m = m->next) {
		char *key = tmpl_alloc(r, (size_t)m->key_len + 1);
		struct tv item;

		if (key == NULL)
			return r->rc;
		if (m->key_len > 0)
			memcpy(key, m->key, m->key_len);
		if ((rc = tv_import(r, m, &item)) == ERR_OK)
			rc = tv_map_push(r, out->map, tv_str(key, m->key_len), item);
	}
	return rc == ERR_OK ? tv_map_sort(r, out->map) : rc;
}

int tv_import(struct tmpl_run *r, const struct value *v, struct tv *out)
{
	int rc;

	if ((rc = tmpl_enter(r)) != ERR_OK)
		return rc;
	switch (v->type) {
	case V_NULL:
		*out = tv_nil();
		break;
	case V_FALSE:
	case V_TRUE:
		*out = tv_bool(v->type == V_TRUE);
		break;
	case V_NUMBER:
	case V_STRING:
		rc = import_text(r, v, out);
		break;
	case V_ARRAY:
		rc = import_array(r, v, out);
		break;
	case V_OBJECT:
		rc = import_object(r, v, out);
		break;
	default:
		rc = tmpl_fail(r, ERR_INVALID, "a secret holds what is no JSON");
	}
	tmpl_leave(r);
	return rc;
}
