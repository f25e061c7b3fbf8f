/* SPDX-License-Identifier: Apache-2.0 */
/* What a delivery is made of, before anything is written: a secret is delivered whole or
 * not at all. */
#include <string.h>

#include "files_impl.h"
#include "render.h"

struct making {
	struct files *f;
	struct arena *a;
	struct files_value *values;
	struct rendered *made;
};

static bool has_new(const struct making *m, const struct plan_file *file)
{
	for (size_t i = 0; i < file->n; i++)
		if (files_is_new(&m->values[file->paths[i]]))
			return true;
	return false;
}

static void blame(const struct making *m, const struct plan_file *file, int rc,
                  const struct err *e)
{
	for (size_t i = 0; i < file->n; i++) {
		struct files_value *v = &m->values[file->paths[i]];

		if (files_is_new(v)) {
			v->rc = rc;
			v->e = *e;
		}
	}
}

static int add_dep(struct making *m, struct rendered *r, size_t path)
{
	const struct files_value *v = &m->values[path];
	struct dep *d = &r->deps[r->n_deps++];
	size_t n = strlen(v->lease_id);

	if (n >= sizeof(d->lease_id))
		return -1;
	d->path = path;
	d->version = v->version;
	memcpy(d->lease_id, v->lease_id, n + 1);
	return 0;
}

static int make_one(struct making *m, const struct plan_file *file, struct rendered *r,
                    struct err *e)
{
	int rc;

	r->deps = arena_alloc(m->a, (file->n + 1) * sizeof(*r->deps));
	if (r->deps == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (add_dep(m, r, file->paths[0]) != 0)
		return err_set(e, ERR_INVALID, "the id of a lease is too long");
	rc = render_fields(m->a, file->file, m->values[file->paths[0]].data, &r->p, &r->n,
	                   e);
	if (rc == ERR_OK && r->n > FILES_CONTENT_MAX)
		rc = err_set(e, ERR_INVALID, "file '%s/%s' would be larger than %u bytes",
		             file->file->binding, file->file->name, FILES_CONTENT_MAX);
	r->made = rc == ERR_OK;
	return rc;
}

struct rendered *files_render(struct files *f, struct arena *a,
                              struct files_value *values)
{
	struct making m = { .f = f, .a = a, .values = values };
	struct err none = { ERR_NOMEM, "out of memory" };

	m.made = arena_alloc(a, (f->n_slots + 1) * sizeof(*m.made));
	for (size_t i = 0; i < f->n_slots; i++) {
		const struct plan_file *file = f->slots[i].plan;
		struct err e = { 0 };
		int rc;

		if (m.made == NULL)
			blame(&m, file, ERR_NOMEM, &none);
		else if (has_new(&m, file) &&
		         (rc = make_one(&m, file, &m.made[i], &e)) != ERR_OK)
			blame(&m, file, rc, &e);
	}
	return m.made;
}
