/* SPDX-License-Identifier: Apache-2.0 */
/* Which containers have which version of a secret, for reports and operators. */
#include <string.h>

#include "session_docker_impl.h"

#define REPORT_CONTAINERS 2048u /* what the vault takes */
#define REPORT_SECRETS    1000u

struct told {
	const struct session *s;
	json_t *applied; /* session_apply_status() */
	size_t containers;
};

static json_t *find_row(const json_t *list, const char *key, const char *want)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *is = reply_str(item, key);

		if (is != NULL && strcmp(is, want) == 0)
			return item;
	}
	return NULL;
}

/* What is told of changes knows the version that it was told of; whatever else reads the
 * files sees those that are in place. */
static json_t *describe(const struct told *t, const struct container *c, size_t binding,
                        size_t path)
{
	const struct session *s = t->s;
	const struct settings_binding *b = &s->plan->bindings[binding].set;
	const struct files_held *held = files_held(s->o.files, path);
	const json_t *of = find_row(t->applied, "name", b->name);
	const json_t *row = find_row(json_object_get(of, "containers"), "id", c->id);
	int64_t version = held->present ? held->version : 0;
	const char *state = c->running ? "running" : "stopped";

	if (b->reload != RELOAD_NONE && c->running && row != NULL) {
		state = reply_str(row, "state");
		if (reply_int(row, "generation", 0) !=
		    (int64_t)files_generation(s->o.files, b->name))
			version = 0; /* an older one */
	}
	return json_pack("{s:s, s:s, s:I, s:s}", "id", c->id, "name", c->name, "version",
	                 (json_int_t)version, "state", state != NULL ? state : "");
}

static bool is_made_of(const struct plan *p, size_t binding, size_t path)
{
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].binding == binding && plan_uses(&p->files[i], path))
			return true;
	return false;
}

/* A container that uses it by several bindings is there once. */
static json_t *containers_of(struct told *t, size_t path)
{
	const struct containers *table = session_docker_table(t->s);
	const struct plan *p = t->s->plan;
	json_t *list = json_array();

	for (size_t b = 0; b < p->n_bindings; b++) {
		if (!is_made_of(p, b, path))
			continue;
		for (size_t i = 0; i < containers_count(table); i++) {
			const struct container *c = containers_at(table, i);

			if (t->containers < REPORT_CONTAINERS &&
			    session_container_uses(t->s, c, p->bindings[b].set.name) &&
			    find_row(list, "id", c->id) == NULL &&
			    json_array_append_new(list, describe(t, c, b, path)) == 0)
				t->containers++;
		}
	}
	return list;
}

json_t *session_report_secrets(const struct session *s)
{
	struct told t = { .s = s };
	json_t *out = json_array();

	if (s->docker == NULL)
		return out;
	t.applied = session_apply_status(s);
	for (size_t i = 0; i < s->n_holdings && json_array_size(out) < REPORT_SECRETS;
	     i++) {
		json_t *list = containers_of(&t, i);

		if (json_array_size(list) > 0)
			json_array_append_new(out, json_pack("{s:s, s:O}", "path",
			                                     s->plan->paths[i].path,
			                                     "containers", list));
		json_decref(list);
	}
	json_decref(t.applied);
	return out;
}
