/* SPDX-License-Identifier: Apache-2.0 */
/* What a delivery is made of, before anything is written: a secret is delivered whole or
 * not at all, and so are secrets that share a file. */
#include <string.h>

#include "files_impl.h"
#include "render.h"

struct making {
	struct files *f;
	struct arena *a;
	struct files_value *values;
	struct rendered *made;
	int64_t now;
	size_t binding, bytes; /* what was made for it */
};

/* All share the memory of a delivery: who writes a binding of the vault may not use it up
 * for the others. */
static int check_room(struct making *m, const struct plan_file *file, size_t more,
                      struct err *e)
{
	if (m->binding != file->binding)
		m->bytes = 0;
	m->binding = file->binding;
	m->bytes += more;
	if (m->f->o.plan->bindings[file->binding].granted && m->bytes > FILES_GRANTED_MAX)
		return err_set(e, ERR_TOO_BIG,
		               "the files of binding '%s' would have more than %u bytes",
		               file->file->binding, FILES_GRANTED_MAX);
	return ERR_OK;
}

static bool has_new(const struct making *m, const struct plan_file *file)
{
	for (size_t i = 0; i < file->n; i++)
		if (files_is_new(&m->values[file->paths[i]]))
			return true;
	return false;
}

static bool blame_one(struct files_value *v, int rc, const struct err *e)
{
	if (!files_is_new(v))
		return false;
	v->rc = rc;
	v->e = *e;
	return true;
}

static void blame(const struct making *m, const struct plan_file *file, int rc,
                  const struct err *e)
{
	for (size_t i = 0; i < file->n; i++)
		(void)blame_one(&m->values[file->paths[i]], rc, e);
}

static int add_dep(struct making *m, struct rendered *r, size_t path, struct err *e)
{
	const struct files_value *v = &m->values[path];
	struct dep *d = &r->deps[r->n_deps];
	size_t n = strlen(v->lease_id);

	for (size_t i = 0; i < r->n_deps; i++)
		if (r->deps[i].path == path)
			return ERR_OK;
	if (n >= sizeof(d->lease_id))
		return err_set(e, ERR_INVALID, "the id of a lease is too long");
	d->path = path;
	d->version = v->version;
	memcpy(d->lease_id, v->lease_id, n + 1);
	r->n_deps++;
	return ERR_OK;
}

static int make_fields(struct making *m, const struct plan_file *file, struct rendered *r,
                       struct err *e)
{
	r->deps = arena_alloc(m->a, sizeof(*r->deps));
	if (r->deps == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (add_dep(m, r, file->paths[0], e) != ERR_OK)
		return (int)e->code;
	return render_fields(m->a, file->file, m->values[file->paths[0]].data, &r->p,
	                     &r->n, e);
}

/* The value that a template asks for, if it is of this delivery. */
static const struct files_value *find_value(const struct making *m, const char *asked)
{
	const char *known = uses_path(m->f->o.uses, asked);
	size_t path = plan_path(m->f->o.plan, known != NULL ? known : asked);

	return path < m->f->n_paths && files_is_new(&m->values[path]) ? &m->values[path]
	                                                              : NULL;
}

static struct render_secret find_secret(void *ctx, const char *asked)
{
	const struct files_value *v = find_value(ctx, asked);

	return v != NULL ? (struct render_secret){ v->data, v->metadata }
	                 : (struct render_secret){ NULL, NULL };
}

/* Templates run in the agent's only loop: whoever writes a binding may not hold it up for
 * the others. */
static size_t steps_left(const struct binding *b, int64_t now)
{
	int64_t owed = b->steps_until > now ? b->steps_until - now : 0;

	return owed < FILES_STEPS_MS
	               ? (size_t)(FILES_STEPS_MS - owed) * FILES_STEPS_PER_MS
	               : 0;
}

static void steps_taken(struct binding *b, size_t n, int64_t now)
{
	b->steps_until = (b->steps_until > now ? b->steps_until : now) +
	                 (int64_t)(n / FILES_STEPS_PER_MS) + 1;
}

static int run_template(struct making *m, const struct plan_file *file, struct arena *a,
                        struct render_run *run, struct err *e)
{
	struct binding *b = &m->f->bindings[file->binding];
	size_t given = steps_left(b, m->now);
	int rc;

	run->steps = given;
	rc = render_template(a, run, e);
	steps_taken(b, given - run->steps, m->now);
	if (rc == ERR_TOO_BIG && run->steps == 0)
		return err_set(e, ERR_RATE,
		               "the templates of binding '%.64s' take too long, all "
		               "together: it waits for a minute",
		               b->name);
	return rc;
}

static int make_template(struct making *m, const struct plan_file *file,
                         struct rendered *r, struct err *e)
{
	struct render_run run = {
		.engine = m->f->o.engine,
		.template = file->template,
		.dirs = &m->f->o.settings->template_dirs,
		.granted = m->f->o.plan->bindings[file->binding].granted,
		.find = find_secret,
		.ctx = m,
	};
	const char *binding = file->file->binding, *name = file->file->name;
	const struct uses_key k = plan_key(file);
	AUTO_ARENA scratch = arena_new(RENDER_ARENA);
	int rc = scratch == NULL ? err_set(e, ERR_NOMEM, "out of memory")
	                         : run_template(m, file, scratch, &run, e);

	if ((rc == ERR_OK || rc == ERR_BUSY) &&
	    uses_set(m->f->o.uses, &k, run.asked, run.n_asked, e) != ERR_OK)
		return (int)e->code;
	if (rc != ERR_OK)
		return err_wrap(e, "file '%s/%s'", binding, name);
	uses_done(m->f->o.uses, &k);
	r->deps = arena_alloc(m->a, (run.n_asked + 1) * sizeof(*r->deps));
	r->p = arena_dup(m->a, run.text, run.len);
	r->n = run.len;
	if (r->deps == NULL || r->p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < run.n_asked; i++) {
		const struct files_value *v = find_value(m, run.asked[i]);

		if (add_dep(m, r, (size_t)(v - m->values), e) != ERR_OK)
			return (int)e->code;
	}
	return ERR_OK;
}

static int make_one(struct making *m, const struct plan_file *file, struct rendered *r,
                    struct err *e)
{
	int rc = check_room(m, file, 0, e);

	if (rc == ERR_OK)
		rc = file->template != NULL ? make_template(m, file, r, e)
		                            : make_fields(m, file, r, e);
	if (rc == ERR_OK)
		rc = check_room(m, file, r->n, e);
	if (rc == ERR_OK && r->n > FILES_CONTENT_MAX)
		rc = err_set(e, ERR_INVALID, "file '%s/%s' would be larger than %u bytes",
		             file->file->binding, file->file->name, FILES_CONTENT_MAX);
	r->made = rc == ERR_OK;
	return rc;
}

/* The other secrets of a file that will not be written go with the one that is to
 * blame. */
static bool spread(const struct making *m, const struct rendered *r)
{
	const struct files_value *bad = NULL;
	bool spread = false;

	for (size_t i = 0; i < r->n_deps && bad == NULL; i++)
		if (m->values[r->deps[i].path].rc != ERR_OK)
			bad = &m->values[r->deps[i].path];
	for (size_t i = 0; bad != NULL && i < r->n_deps; i++)
		spread |= blame_one(&m->values[r->deps[i].path], bad->rc, &bad->e);
	return spread;
}

static void spread_all(const struct making *m)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < m->f->n_slots; i++)
			if (m->made[i].made && m->made[i].n_deps > 1)
				again |= spread(m, &m->made[i]);
	}
}

/* Without a secret that was taken away a file is not expected to be there; but a template
 * may name others by now. */
static int make_if_new(struct making *m, size_t slot, struct err *e)
{
	const struct plan_file *file = m->f->slots[slot].plan;
	bool idle = files_idle(m->f, &m->f->slots[slot]);
	int rc;

	if (!has_new(m, file) || (idle && file->template == NULL))
		return ERR_OK;
	rc = make_one(m, file, &m->made[slot], e);
	return idle && rc == ERR_BUSY ? ERR_OK : rc;
}

struct rendered *files_render(struct files *f, struct arena *a,
                              struct files_value *values, int64_t now, const bool *only)
{
	struct making m = { .f = f, .a = a, .values = values, .now = now };
	const struct err none = { ERR_NOMEM, "out of memory" };

	m.made = arena_alloc(a, (f->n_slots + 1) * sizeof(*m.made));
	for (size_t i = 0; i < f->n_slots; i++) {
		const struct plan_file *file = f->slots[i].plan;
		struct err e = { 0 };
		int rc;

		if (only != NULL && !only[file->binding])
			continue;
		if (m.made == NULL)
			blame(&m, file, ERR_NOMEM, &none);
		else if ((rc = make_if_new(&m, i, &e)) != ERR_OK)
			blame(&m, file, rc, &e);
	}
	if (m.made != NULL)
		spread_all(&m);
	return m.made;
}
