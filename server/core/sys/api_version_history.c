/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history is one setting: {list: [{version, build_date, installed (ms)}, …]}, oldest
 * first.
 */
#include "version_history.h"

#include <string.h>

#include "arena.h"
#include "clock.h"
#include "route.h"
#include "store.h"

/* ERR_NOENT: ${o} is ready to be stored for the first time, with an empty list. */
static int open_history(struct core *c, struct arena *a, struct store_object *o,
                        struct err *e)
{
	static const char name[] = "version-history";
	unsigned char id[32];
	int rc;

	store_blind(c, id, "setting", name, sizeof(name) - 1, NULL, 0);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), o, e);
	if (rc != ERR_NOENT)
		return rc;
	*o = (struct store_object){ .kind = KIND_SETTING, .id_len = sizeof(id) };
	memcpy(o->id, id, sizeof(id));
	o->body = value_object(a);
	value_set(o->body, "list", value_array(a));
	return rc;
}

static bool is_known(const struct value *list, const char *version)
{
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (value_is_str(value_get(v, "version"), version))
			return true;
	return false;
}

int version_history_note(struct core *c, const char *version, const char *build_date,
                         struct err *e)
{
	AUTO_ARENA a = arena_new((size_t)1024 * 1024);
	struct store_object o = { 0 };
	struct value *list, *entry;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = open_history(c, a, &o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	list = value_get(o.body, "list");
	if (list == NULL || list->type != V_ARRAY)
		return err_set(e, ERR_INTEGRITY, "the history of versions has no list");
	if (is_known(list, version))
		return ERR_OK;
	entry = value_object(a);
	value_set_str(a, entry, "version", version);
	value_set_str(a, entry, "build_date", build_date);
	value_set_int(a, entry, "installed", c->now_ms);
	value_add(list, entry);
	return store_put(c, &o, e);
}

static void show(struct req *r, const struct value *v, const struct value *before,
                 struct value *info)
{
	struct value *out = value_object(r->a);
	char time[CLOCK_RFC3339_MAX];
	const char *name = value_cstr_or(r->a, v, "version", "");
	int64_t at = value_int_or(v, "installed", 0);

	clock_rfc3339(at - at % 1000, time); /* whole seconds, as Vault has them */
	value_set_str(r->a, out, "build_date", value_cstr_or(r->a, v, "build_date", ""));
	value_set(out, "previous_version",
	          before != NULL ? value_copy(r->a, value_get(before, "version"))
	                         : value_null(r->a));
	value_set_str(r->a, out, "timestamp_installed", arena_str(r->a, time));
	value_set(info, name, out);
}

static int h_list(struct req *r)
{
	struct value *keys = value_array(r->a), *info = value_object(r->a), *data;
	const struct value *list, *before = NULL;
	struct store_object o = { 0 };
	int rc = open_history(r->core, r->a, &o, &r->e);

	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	list = value_get(o.body, "list");
	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     before = v, v = v->next) {
		value_add(keys, value_copy(r->a, value_get(v, "version")));
		show(r, v, before, info);
	}
	data = reply_data(r);
	value_set(data, "keys", keys);
	value_set(data, "key_info", info);
	return ERR_OK;
}

/* clang-format off */
static const struct route rows[] = {
	{ "system", M_LIST, "version-history", 0, NULL, h_list, NULL,
	  "releases that have opened this vault" },
};
/* clang-format on */

const struct route_table routes_version_history = { rows, ARRAY_LEN(rows) };
