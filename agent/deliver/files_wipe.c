/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "files_impl.h"

static bool binding_has_files(const struct files *f, size_t binding)
{
	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++)
		if (f->slots[i].present)
			return true;
	return false;
}

/* The file may be in the generation in place and in those that wait out their grace. */
int files_wipe_slot(struct files *f, struct slot *s, struct err *e)
{
	struct binding *b = files_binding(f, s);
	const char *name = s->plan->file->name;
	struct generation_dir d;
	int rc = files_open(f, b, &d, e), bad = 0;

	if (rc != ERR_OK)
		return rc;
	s->present = false;
	s->n_deps = 0;
	if (b->current != 0)
		bad |= generation_wipe_file(&d, b->current, name);
	for (size_t i = 0; i < b->n_old; i++)
		bad |= generation_wipe_file(&d, b->old[i].number, name);
	if (!binding_has_files(f, s->plan->binding)) {
		bad |= generation_wipe_all(&d);
		b->current = 0;
		b->n_old = 0;
	}
	close(d.fd);
	if (bad != 0)
		return err_set(e, ERR_IO, "'%s/%s' could not be wiped", b->name, name);
	return ERR_OK;
}

static void say_wiped(const struct files *f, size_t binding)
{
	if (f->judge.wiped != NULL)
		f->judge.wiped(f->judge.ctx, f->bindings[binding].name);
}

/* The files of a binding that are made of the secret; *had: there were any. */
static int wipe_from(struct files *f, size_t binding, size_t path, bool *had,
                     struct err *e)
{
	int rc = ERR_OK, one;

	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++) {
		struct slot *s = &f->slots[i];

		if (!plan_uses(s->plan, path))
			continue;
		*had |= s->present;
		if ((one = files_wipe_slot(f, s, e)) != ERR_OK)
			rc = one;
	}
	return rc;
}

int files_wipe(struct files *f, size_t path, struct err *e)
{
	int rc = ERR_OK, one;

	for (size_t i = 0; i < f->n_bindings; i++) {
		bool had = false;

		if ((one = wipe_from(f, i, path, &had, e)) != ERR_OK)
			rc = one;
		if (had)
			say_wiped(f, i);
	}
	f->held[path] = (struct files_held){ .gone = true };
	files_settle(f);
	return rc;
}

bool files_has(const struct files *f, size_t binding, size_t path)
{
	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++)
		if (f->slots[i].present && plan_uses(f->slots[i].plan, path))
			return true;
	return false;
}

int files_wipe_in(struct files *f, size_t binding, size_t path, struct err *e)
{
	int rc = ERR_OK, one;

	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++)
		if (plan_uses(f->slots[i].plan, path) &&
		    (one = files_wipe_slot(f, &f->slots[i], e)) != ERR_OK)
			rc = one;
	files_settle(f);
	return rc;
}

int files_wipe_binding(const struct files *f, struct binding *b, struct err *e)
{
	struct generation_dir d;
	int rc = files_open(f, b, &d, e);

	if (rc != ERR_OK)
		return rc;
	if (generation_wipe_all(&d) != 0)
		rc = err_set(e, ERR_IO, "'%s' could not be wiped", b->name);
	close(d.fd);
	b->current = 0;
	b->n_old = 0;
	return rc;
}

int files_wipe_all(struct files *f, struct err *e)
{
	int rc = ERR_OK, one;

	for (size_t i = 0; i < f->n_bindings; i++) {
		bool had = f->bindings[i].current != 0;

		if ((one = files_wipe_binding(f, &f->bindings[i], e)) != ERR_OK)
			rc = one;
		if (had)
			say_wiped(f, i);
	}
	for (size_t i = 0; i < f->n_slots; i++) {
		f->slots[i].present = false;
		f->slots[i].n_deps = 0;
	}
	memset(f->held, 0, f->n_paths * sizeof(*f->held));
	return rc;
}
