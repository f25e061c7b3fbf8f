/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/generation.h"
#include "template/template.h"
#include "text.h"
#include "vault/limits.h"

#define PLAN_ARENA   (64u * 1024 * 1024)
#define GRANT_ARENA  (8u * 1024 * 1024) /* of each */
#define GRANTS_ARENA (64u * 1024 * 1024)

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

struct uses_key plan_key(const struct plan_file *f)
{
	return (struct uses_key){ f->file->binding, f->file->name, f->recipe };
}

bool plan_uses(const struct plan_file *f, size_t path)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->paths[i] == path)
			return true;
	return false;
}

bool plan_unresolved(const struct plan *p)
{
	for (size_t i = 0; i < p->n_paths; i++)
		if (p->paths[i].path[0] == '/')
			return true;
	return false;
}

/* What one run of a template may take is for all of a binding together. */
struct share {
	size_t binding, steps;
};

struct building {
	const struct plan_input *in;
	struct plan *p;
	struct arena *a; /* of the plan, or of the grant */
	struct share *share;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

/* The path's index, after adding it if it is new. */
static int add_path(const struct building *b, const char *path, size_t *index,
                    struct err *e)
{
	struct plan *p = b->p;
	char *copy;

	*index = plan_path(p, path);
	if (*index < p->n_paths)
		return ERR_OK;
	if (p->n_paths == LIMIT_AGENT_ITEMS)
		return err_set(e, ERR_USAGE, "more than %u secrets", LIMIT_AGENT_ITEMS);
	if ((copy = arena_str(b->a, path)) == NULL)
		return no_memory(e);
	p->paths[p->n_paths] = (struct plan_path){ copy, p->n_paths };
	p->n_paths++;
	return ERR_OK;
}

/* "raw", "env shell", "json", and what else decides on the content; no name can hold a
 * line feed. */
static const char *recipe_of(struct arena *a, const struct settings_file *f)
{
	const char *const *fields = f->fields.items;
	const char *text;
	unsigned char hash[16];
	char hex[2 * sizeof(hash) + 1];

	if (f->format == FORMAT_RAW)
		return arena_printf(a, "raw\n%s", f->field);
	if (f->format == FORMAT_TEMPLATE) {
		crypto_generichash(hash, sizeof(hash),
		                   (const unsigned char *)f->template_text,
		                   strlen(f->template_text), NULL, 0);
		text_hex(hash, sizeof(hash), hex);
		return arena_printf(a, "template\n%s", hex);
	}
	text = f->format == FORMAT_JSON ? "json"
	       : f->quote == QUOTE_NONE ? "env none"
	                                : "env shell";
	for (size_t i = 0; text != NULL && i < f->fields.n; i++)
		text = arena_printf(a, "%s\n%s", text, fields[i]);
	return text;
}

static struct render_secret find_nothing(void *ctx UNUSED, const char *asked UNUSED)
{
	return (struct render_secret){ NULL, NULL };
}

static size_t *steps_for(const struct building *b, size_t binding)
{
	struct share *s = b->share;

	if (s->binding != binding)
		*s = (struct share){ binding, TEMPLATE_BUDGET };
	return &s->steps;
}

/* A run without values names what can be known before there are any. */
static int discover(const struct building *b, const struct plan_file *f, struct err *e)
{
	size_t *steps = steps_for(b, f->binding);
	AUTO_ARENA a = arena_new(RENDER_ARENA);
	struct render_run run = {
		.engine = b->in->engine,
		.template = f->template,
		.dirs = &b->in->settings->template_dirs,
		.granted = b->p->bindings[f->binding].granted,
		.find = find_nothing,
		.steps = *steps,
	};
	const struct uses_key k = plan_key(f);
	int rc;

	if (a == NULL)
		return no_memory(e);
	rc = render_template(a, &run, e);
	*steps = run.steps;
	if (rc != ERR_OK && rc != ERR_BUSY)
		return rc;
	return uses_set(b->in->uses, &k, run.asked, run.n_asked, e);
}

static int add_asked(const struct building *b, struct plan_file *f, struct err *e)
{
	size_t n, *paths;
	const struct uses_key k = plan_key(f);
	const char *const *asked = uses_of(b->in->uses, &k, &n);
	int rc = asked == NULL ? discover(b, f, e) : ERR_OK;

	if (rc != ERR_OK)
		return rc;
	asked = uses_of(b->in->uses, &k, &n);
	f->paths = paths = arena_alloc(b->a, (n + 1) * sizeof(*paths));
	if (paths == NULL)
		return no_memory(e);
	for (size_t i = 0; i < n; i++) {
		const char *known = uses_path(b->in->uses, asked[i]);

		rc = add_path(b, known != NULL ? known : asked[i], &paths[f->n], e);
		if (rc != ERR_OK)
			return rc;
		/* Written in two ways, it is still one secret. */
		f->n += plan_uses(f, paths[f->n]) ? 0 : 1;
	}
	return ERR_OK;
}

static int add_template(const struct building *b, struct plan_file *f, struct err *e)
{
	const struct settings_file *file = f->file;
	const char *name = file->template != NULL
	                           ? file->template
	                           : arena_printf(b->a, "%s/%s", file->binding,
	                                          file->name);
	struct template *t = NULL;
	int rc;

	if (b->in->engine == NULL)
		return err_set(e, ERR_USAGE, "templates are not supported yet");
	if (name == NULL)
		return no_memory(e);
	rc = b->in->engine->parse(b->a, name, file->template_text,
	                          strlen(file->template_text), &t, e);
	f->template = t;
	return rc == ERR_OK ? add_asked(b, f, e) : rc;
}

static int add_file(const struct building *b, const struct settings_file *f,
                    struct err *e)
{
	struct plan *p = b->p;
	struct plan_file *out = &p->files[p->n_files];
	size_t *paths = arena_alloc(b->a, sizeof(*paths));
	int rc;

	*out = (struct plan_file){ .file = f,
		                   .recipe = recipe_of(b->a, f),
		                   .binding = p->n_bindings - 1,
		                   .paths = paths };
	if (paths == NULL || out->recipe == NULL)
		return no_memory(e);
	if (f->format == FORMAT_TEMPLATE) {
		rc = add_template(b, out, e);
	} else {
		rc = add_path(b, f->path, paths, e);
		out->n = 1;
	}
	if (rc != ERR_OK)
		return rc;
	p->n_files++;
	p->bindings[out->binding].n++;
	return ERR_OK;
}

/* A binding and all of its files; nothing of it if that fails. */
static int add_binding(const struct building *b, const struct plan_binding *like,
                       const struct settings_file *files, size_t n, struct err *e)
{
	struct plan *p = b->p;
	struct plan_binding *out = &p->bindings[p->n_bindings];
	const struct plan before = *p;
	int rc = ERR_OK;

	p->n_bindings++;
	*out = *like;
	out->first = p->n_files;
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		if (strcmp(files[i].binding, like->set.name) != 0)
			continue;
		out->dir_mode = files[i].dir_mode;
		rc = add_file(b, &files[i], e);
	}
	if (rc != ERR_OK) {
		p->n_bindings = before.n_bindings;
		p->n_files = before.n_files;
		p->n_paths = before.n_paths;
	}
	return rc;
}

static int add_own(const struct building *b, struct err *e)
{
	const struct settings *s = b->in->settings;
	const struct settings_file *files = settings_files(s);
	int rc;

	for (size_t i = 0; i < s->files.n; i++) {
		struct plan_binding like = { .granted = false };

		if (plan_binding(b->p, files[i].binding) < b->p->n_bindings)
			continue;
		settings_binding_of(s, files[i].binding, &like.set);
		if ((rc = add_binding(b, &like, files, s->files.n, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static int add_grant(const struct building *b, const struct grant *grant,
                     const struct settings_grant *g, struct err *e)
{
	const struct plan_binding like = { .set = g->binding, .granted = true };

	if (plan_binding(b->p, grant->name) < b->p->n_bindings)
		return err_set(e, ERR_CONFLICT,
		               "the host's own settings have a binding of this name");
	return add_binding(b, &like, g->files.items, g->files.n, e);
}

/* A grant that is no good here is left out, and said.  One that needs more memory than it
 * may have takes none from the others. */
static int refuse(struct plan *p, size_t grant, const char *name, const struct err *why,
                  struct err *e)
{
	struct plan_refusal *r = &p->refused[p->n_refused];
	const char *text = why->code == ERR_NOMEM ? "it needs too much memory" : why->msg;

	arena_free(p->arenas[grant]);
	p->arenas[grant] = NULL;
	*r = (struct plan_refusal){ arena_str(p->a, name), arena_str(p->a, text) };
	if (r->name == NULL || r->why == NULL)
		return no_memory(e);
	p->n_refused++;
	return ERR_OK;
}

static int parse_grant(const struct building *b, size_t i, size_t room,
                       struct settings_grant *out, struct err *e)
{
	const struct grant *g = &b->in->grants[i];
	struct arena *a = arena_new(room < GRANT_ARENA ? room : GRANT_ARENA);
	char *name = a != NULL ? arena_str(a, g->name) : NULL;
	int rc = name == NULL ? no_memory(e) : generation_name_check(name, "its name", e);

	b->p->arenas[i] = a;
	return rc != ERR_OK ? rc
	                    : settings_grant_parse(a, b->in->settings, name, g->spec,
	                                           strlen(g->spec), out, e);
}

/* The grants are parsed first: how many files there are decides on the room. */
static int parse_grants(const struct building *b, struct settings_grant *out,
                        size_t *n_files, struct err *e)
{
	size_t room = GRANTS_ARENA;

	for (size_t i = 0; i < b->in->n_grants; i++) {
		struct err why = { 0 };

		if (parse_grant(b, i, room, &out[i], &why) == ERR_OK) {
			*n_files += out[i].files.n;
			room -= arena_used(b->p->arenas[i]);
			continue;
		}
		out[i].binding.name = NULL;
		if (refuse(b->p, i, b->in->grants[i].name, &why, e) != ERR_OK)
			return (int)e->code;
	}
	return ERR_OK;
}

static int add_grants(const struct building *b, const struct settings_grant *grants,
                      struct err *e)
{
	size_t used = 0;

	for (size_t i = 0; i < b->in->n_grants; i++) {
		const struct grant *grant = &b->in->grants[i];
		const struct building of = { b->in, b->p, b->p->arenas[i], b->share };
		struct err why = { 0 };
		int rc;

		if (grants[i].binding.name == NULL)
			continue;
		rc = used > GRANTS_ARENA ? no_memory(&why)
		                         : add_grant(&of, grant, &grants[i], &why);
		if (rc == ERR_OK)
			used += arena_used(of.a);
		else if (refuse(b->p, i, grant->name, &why, e) != ERR_OK)
			return (int)e->code;
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

static int build(const struct building *b, struct err *e)
{
	struct plan *p = b->p;
	size_t n_grants = b->in->n_grants, n_files = b->in->settings->files.n;
	struct settings_grant *grants = arena_alloc(p->a,
	                                            (n_grants + 1) * sizeof(*grants));
	int rc;

	p->arenas = calloc(n_grants + 1, sizeof(struct arena *));
	p->n_arenas = n_grants;
	p->refused = arena_alloc(p->a, (n_grants + 1) * sizeof(*p->refused));
	p->paths = arena_alloc(p->a, (LIMIT_AGENT_ITEMS + 1) * sizeof(*p->paths));
	if (grants == NULL || p->arenas == NULL || p->refused == NULL || p->paths == NULL)
		return no_memory(e);
	if ((rc = parse_grants(b, grants, &n_files, e)) != ERR_OK)
		return rc;
	p->bindings = arena_alloc(p->a, (n_files + n_grants + 1) * sizeof(*p->bindings));
	p->files = arena_alloc(p->a, (n_files + 1) * sizeof(*p->files));
	if (p->bindings == NULL || p->files == NULL)
		return no_memory(e);
	if ((rc = add_own(b, e)) != ERR_OK || (rc = add_grants(b, grants, e)) != ERR_OK)
		return rc;
	find_groups(p);
	return ERR_OK;
}

int plan_build(const struct plan_input *in, struct plan **out, struct err *e)
{
	struct plan *p = calloc(1, sizeof(*p));
	struct share share = { SIZE_MAX, 0 };
	struct building b = { in, p, NULL, &share };
	int rc;

	if (p == NULL || (b.a = p->a = arena_new(PLAN_ARENA)) == NULL) {
		free(p);
		return no_memory(e);
	}
	if ((rc = build(&b, e)) != ERR_OK) {
		plan_free(p);
		return rc;
	}
	*out = p;
	return ERR_OK;
}

void plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; p->arenas != NULL && i < p->n_arenas; i++)
		arena_free(p->arenas[i]);
	free(p->arenas);
	arena_free(p->a);
	free(p);
}
