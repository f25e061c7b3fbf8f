/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "vault/limits.h"

#define PLAN_ARENA (64u * 1024 * 1024)

size_t plan_path(const struct plan *p, const char *path)
{
	size_t i = 0;

	while (i < p->n_paths && strcmp(p->paths[i].path, path) != 0)
		i++;
	return i;
}

size_t plan_binding(const struct plan *p, const char *name)
{
	size_t i = 0;

	while (i < p->n_bindings && strcmp(p->bindings[i].set.name, name) != 0)
		i++;
	return i;
}

size_t plan_file(const struct plan *p, const char *binding, const char *name)
{
	size_t b = plan_binding(p, binding);

	if (b == p->n_bindings)
		return p->n_files;
	for (size_t i = 0; i < p->bindings[b].n; i++)
		if (strcmp(p->files[p->bindings[b].first + i].file->name, name) == 0)
			return p->bindings[b].first + i;
	return p->n_files;
}

bool plan_uses(const struct plan_file *f, size_t path)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->paths[i] == path)
			return true;
	return false;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

/* Space for what can be there at most; arenas do not give back. */
static int make_room(struct plan *p, size_t n_files, struct err *e)
{
	p->bindings = arena_alloc(p->a, (n_files + 1) * sizeof(*p->bindings));
	p->files = arena_alloc(p->a, (n_files + 1) * sizeof(*p->files));
	p->paths = arena_alloc(p->a, (LIMIT_AGENT_ITEMS + 1) * sizeof(*p->paths));
	return p->bindings == NULL || p->files == NULL || p->paths == NULL ? no_memory(e)
	                                                                   : ERR_OK;
}

/* The path's index, after adding it if it is new. */
static int add_path(struct plan *p, const char *path, size_t *index, struct err *e)
{
	char *copy;

	*index = plan_path(p, path);
	if (*index < p->n_paths)
		return ERR_OK;
	if (p->n_paths == LIMIT_AGENT_ITEMS)
		return err_set(e, ERR_USAGE, "more than %u secrets", LIMIT_AGENT_ITEMS);
	if ((copy = arena_str(p->a, path)) == NULL)
		return no_memory(e);
	p->paths[p->n_paths] = (struct plan_path){ copy, p->n_paths };
	p->n_paths++;
	return ERR_OK;
}

/* "raw password", "env shell a b", "json": no name can hold a line feed. */
static const char *recipe_of(struct arena *a, const struct settings_file *f)
{
	const char *const *fields = f->fields.items;
	const char *text;

	if (f->format == FORMAT_RAW)
		return arena_printf(a, "raw\n%s", f->field);
	text = f->format == FORMAT_JSON ? "json"
	       : f->quote == QUOTE_NONE ? "env none"
	                                : "env shell";
	for (size_t i = 0; text != NULL && i < f->fields.n; i++)
		text = arena_printf(a, "%s\n%s", text, fields[i]);
	return text;
}

static int add_file(struct plan *p, const struct settings_file *f, struct err *e)
{
	struct plan_file *out = &p->files[p->n_files];
	size_t *paths = arena_alloc(p->a, sizeof(*paths));
	int rc;

	*out = (struct plan_file){ .file = f,
		                   .recipe = recipe_of(p->a, f),
		                   .binding = p->n_bindings - 1,
		                   .n = 1,
		                   .paths = paths };
	if (paths == NULL || out->recipe == NULL)
		return no_memory(e);
	if ((rc = add_path(p, f->path, paths, e)) != ERR_OK)
		return rc;
	p->n_files++;
	p->bindings[out->binding].n++;
	return ERR_OK;
}

/* A binding and all of its files. */
static int add_binding(struct plan *p, const struct settings_binding *set,
                       const struct settings_file *files, size_t n, struct err *e)
{
	struct plan_binding *b = &p->bindings[p->n_bindings++];
	int rc;

	*b = (struct plan_binding){ .set = *set, .first = p->n_files };
	for (size_t i = 0; i < n; i++) {
		if (strcmp(files[i].binding, set->name) != 0)
			continue;
		b->dir_mode = files[i].dir_mode;
		if ((rc = add_file(p, &files[i], e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static int add_own(struct plan *p, const struct settings *s, struct err *e)
{
	const struct settings_file *files = settings_files(s);
	int rc;

	for (size_t i = 0; i < s->files.n; i++) {
		struct settings_binding set;

		if (plan_binding(p, files[i].binding) < p->n_bindings)
			continue;
		settings_binding_of(s, files[i].binding, &set);
		if ((rc = add_binding(p, &set, files, s->files.n, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* All with group ${from} get ${to}. */
static void merge(struct plan *p, size_t from, size_t to)
{
	for (size_t i = 0; from != to && i < p->n_paths; i++)
		if (p->paths[i].group == from)
			p->paths[i].group = to;
}

static void find_groups(struct plan *p)
{
	for (size_t i = 0; i < p->n_files; i++)
		for (size_t j = 1; j < p->files[i].n; j++)
			merge(p, p->paths[p->files[i].paths[j]].group,
			      p->paths[p->files[i].paths[0]].group);
}

int plan_build(const struct plan_input *in, struct plan **out, struct err *e)
{
	struct plan *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL || (p->a = arena_new(PLAN_ARENA)) == NULL) {
		free(p);
		return no_memory(e);
	}
	if ((rc = make_room(p, in->settings->files.n, e)) != ERR_OK ||
	    (rc = add_own(p, in->settings, e)) != ERR_OK) {
		plan_free(p);
		return rc;
	}
	find_groups(p);
	*out = p;
	return ERR_OK;
}

void plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	arena_free(p->a);
	free(p);
}
