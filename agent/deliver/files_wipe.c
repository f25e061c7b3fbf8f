/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "files_impl.h"

static bool binding_has_files(const struct files *f, size_t binding)
{
	for (size_t i = 0; i < f->n_slots; i++)
		if (f->slots[i].binding == binding && f->slots[i].present)
			return true;
	return false;
}

/* The file may be in the generation in place and in those that wait out their grace. */
static int wipe_slot(struct files *f, struct slot *s, struct err *e)
{
	struct binding *b = &f->bindings[s->binding];
	struct generation_dir d;
	int rc = files_open(f, b, &d, e), bad = 0;

	if (rc != ERR_OK)
		return rc;
	s->present = false;
	if (b->current != 0)
		bad |= generation_wipe_file(&d, b->current, s->file->name);
	for (size_t i = 0; i < b->n_old; i++)
		bad |= generation_wipe_file(&d, b->old[i].number, s->file->name);
	if (!binding_has_files(f, s->binding)) {
		bad |= generation_wipe_all(&d);
		b->current = 0;
		b->n_old = 0;
	}
	close(d.fd);
	if (bad != 0)
		return err_set(e, ERR_IO, "'%s/%s' could not be wiped", b->name,
		               s->file->name);
	return ERR_OK;
}

int files_wipe(struct files *f, size_t path, struct err *e)
{
	int rc = ERR_OK, one;

	for (size_t i = 0; i < f->n_slots; i++)
		if (f->slots[i].file->path_index == path &&
		    (one = wipe_slot(f, &f->slots[i], e)) != ERR_OK)
			rc = one;
	memset(&f->held[path], 0, sizeof(f->held[path]));
	return rc;
}

int files_wipe_all(struct files *f, struct err *e)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < f->n_bindings; i++) {
		struct binding *b = &f->bindings[i];
		struct generation_dir d;
		int one = files_open(f, b, &d, e);

		if (one != ERR_OK) {
			rc = one;
			continue;
		}
		if (generation_wipe_all(&d) != 0)
			rc = err_set(e, ERR_IO, "'%s' could not be wiped", b->name);
		close(d.fd);
		b->current = 0;
		b->n_old = 0;
	}
	for (size_t i = 0; i < f->n_slots; i++)
		f->slots[i].present = false;
	memset(f->held, 0, f->n_paths * sizeof(*f->held));
	return rc;
}
