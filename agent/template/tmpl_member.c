/* SPDX-License-Identifier: Apache-2.0 */
/* Members of maps and secrets, methods of numbers and of the scratch pad. */
#include "tmpl_run.h"

#include <string.h>

#include "tmpl_number.h"

#define NAME_SHOWN(s) (int)((s).n < 64 ? (s).n : 64), (s).p

static int no_args(struct tmpl_run *r, struct tmpl_str name, size_t n)
{
	if (n == 0)
		return ERR_OK;
	return tmpl_fail(r, ERR_INVALID, "%.*s is not a method but has arguments",
	                 NAME_SHOWN(name));
}

static int no_field(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name)
{
	return tmpl_fail(r, ERR_INVALID, "can't evaluate field %.*s in type %s",
	                 NAME_SHOWN(name), tv_type(recv));
}

static int of_map(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name,
                  struct tv *out)
{
	const struct tv *found;
	int rc = tmpl_spend(r, name.n);

	if (rc != ERR_OK)
		return rc;
	found = tv_map_get(recv->map, name);
	if (found != NULL)
		*out = *found;
	else if (recv->kind == TV_TEXT_MAP)
		*out = tv_str("", 0);
	else
		*out = tv_nil();
	return ERR_OK;
}

static int of_secret(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name,
                     struct tv *out)
{
	const struct tv_secret *s = recv->secret;
	const struct {
		const char *name;
		struct tv v;
	} members[] = {
		{"RequestID",      s->request_id             },
		{ "LeaseID",       s->lease_id               },
		{ "LeaseDuration", s->lease_duration         },
		{ "Renewable",     s->renewable              },
		{ "Data",          s->data                   },
		{ "Warnings",      s->warnings               },
		{ "Auth",          { .kind = TV_NIL_POINTER }},
		{ "WrapInfo",      { .kind = TV_NIL_POINTER }},
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (tmpl_str_is(name, members[i].name)) {
			*out = members[i].v;
			return ERR_OK;
		}
	return no_field(r, recv, name);
}

/* What a number of a secret can be made into. */
static int of_number(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name,
                     size_t n, struct tv *out)
{
	if (tmpl_str_is(name, "String")) {
		*out = tv_str(recv->s.p, recv->s.n);
	} else if (tmpl_str_is(name, "Int64")) {
		*out = (struct tv){ .kind = TV_INT64 };
		if (!tmpl_read_int(recv->s.p, recv->s.n, 10, &out->i))
			return tmpl_fail(r, ERR_INVALID, "Int64: not such a number");
	} else if (tmpl_str_is(name, "Float64")) {
		*out = (struct tv){ .kind = TV_FLOAT };
		if (!tmpl_read_float(recv->s.p, recv->s.n, &out->f))
			return tmpl_fail(r, ERR_INVALID, "Float64: not such a number");
	} else {
		return no_field(r, recv, name);
	}
	return no_args(r, name, n);
}

static int scratch_key(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	*out = tv_bool(tv_map_find(r->scratch, &args[0]) != NULL);
	return ERR_OK;
}

static int scratch_get(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	const struct tv *found = tv_map_find(r->scratch, &args[0]);

	*out = found != NULL ? *found : tv_nil();
	return ERR_OK;
}

static int scratch_set(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	*out = tv_str("", 0);
	return tv_map_set(r, r->scratch, args[0], args[1]);
}

static int scratch_set_x(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	*out = tv_str("", 0);
	if (tv_map_find(r->scratch, &args[0]) != NULL)
		return ERR_OK;
	return tv_map_set(r, r->scratch, args[0], args[1]);
}

/* The map of that name, made if there is none; NULL with a failure. */
static struct tv_map *scratch_map(struct tmpl_run *r, struct tv key)
{
	struct tv *found = tv_map_find(r->scratch, &key), made = tv_nil();

	if (found == NULL) {
		if (tv_new_map(r, TV_MAP, 0, &made) != ERR_OK ||
		    tv_map_set(r, r->scratch, key, made) != ERR_OK)
			return NULL;
		found = &made;
	}
	if (found->kind == TV_MAP && !found->map->nil)
		return found->map;
	(void)tmpl_fail(r, ERR_INVALID, "what is to be changed is not a map");
	return NULL;
}

static int scratch_map_set(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	struct tv_map *map = scratch_map(r, args[0]);

	*out = tv_str("", 0);
	return map != NULL ? tv_map_set(r, map, args[1], args[2]) : r->rc;
}

static int scratch_map_set_x(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	struct tv_map *map = scratch_map(r, args[0]);

	*out = tv_str("", 0);
	if (map == NULL || tv_map_find(map, &args[1]) != NULL)
		return r->rc;
	return tv_map_set(r, map, args[1], args[2]);
}

static int scratch_map_values(struct tmpl_run *r, const struct tv *args, struct tv *out)
{
	const struct tv *found = tv_map_find(r->scratch, &args[0]);
	const struct tv_map *map = found != NULL && found->kind == TV_MAP ? found->map
	                                                                  : NULL;
	size_t n = map != NULL ? map->n : 0;

	if (tv_new_list(r, TV_LIST, n, out) != ERR_OK)
		return r->rc;
	out->list->nil = map == NULL;
	for (size_t i = 0; i < n; i++)
		out->list->items[i] = map->pairs[i].val;
	return ERR_OK;
}

static const struct method {
	const char *name;
	const char *params; /* s: a string, a: anything */
	int (*call)(struct tmpl_run *r, const struct tv *args, struct tv *out);
} methods[] = {
	{"Key",        "s",   scratch_key       },
	{ "Get",       "s",   scratch_get       },
	{ "Set",       "sa",  scratch_set       },
	{ "SetX",      "sa",  scratch_set_x     },
	{ "MapSet",    "ssa", scratch_map_set   },
	{ "MapSetX",   "ssa", scratch_map_set_x },
	{ "MapValues", "s",   scratch_map_values},
};

static int of_scratch(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name,
                      const struct tv *args, size_t n, struct tv *out)
{
	const struct method *m = NULL;
	struct tv own[3];

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (tmpl_str_is(name, methods[i].name))
			m = &methods[i];
	if (m == NULL)
		return no_field(r, recv, name);
	if (n != strlen(m->params))
		return tmpl_fail(r, ERR_INVALID,
		                 "wrong number of arguments for %s: want %zu got %zu",
		                 m->name, strlen(m->params), n);
	for (size_t i = 0; i < n; i++) {
		own[i] = args[i].kind == TV_NONE ? tv_nil() : args[i];
		if (m->params[i] == 's' && args[i].kind != TV_STRING)
			return tmpl_fail(r, ERR_INVALID,
			                 "wrong type: expected string, got %s",
			                 tv_type(&args[i]));
	}
	return m->call(r, own, out);
}

int tmpl_field(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name,
               const struct tv *args, size_t n, struct tv *out)
{
	int rc;

	switch (recv->kind) {
	case TV_NONE:
		*out = *recv;
		return ERR_OK;
	case TV_NIL:
	case TV_NIL_POINTER:
		return tmpl_fail(r, ERR_INVALID, "can't take field %.*s of nil",
		                 NAME_SHOWN(name));
	case TV_MAP:
	case TV_TEXT_MAP:
	case TV_ANY_MAP:
		if ((rc = no_args(r, name, n)) != ERR_OK)
			return rc;
		return of_map(r, recv, name, out);
	case TV_SECRET:
		if ((rc = no_args(r, name, n)) != ERR_OK)
			return rc;
		return of_secret(r, recv, name, out);
	case TV_NUMBER:
		return of_number(r, recv, name, n, out);
	case TV_SCRATCH:
		return of_scratch(r, recv, name, args, n, out);
	default:
		return no_field(r, recv, name);
	}
}
