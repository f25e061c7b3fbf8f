/* SPDX-License-Identifier: Apache-2.0 */
/* Another plan: what stays is moved over, what goes is wiped. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files_impl.h"
#include "log.h"

static void move_binding(const struct files *old, struct binding *from,
                         const struct files *f, struct binding *to)
{
	const char *name = to->name;
	mode_t mode = to->dir_mode;
	size_t left = 0;

	*to = *from;
	to->name = name;
	to->dir_mode = mode;
	from->rejected = NULL;
	for (size_t i = 0; i < to->n_rejected; i++) {
		struct dep *d = &to->rejected[i];
		size_t path = plan_path(f->o.plan, old->o.plan->paths[d->path].path);

		if (path == f->n_paths)
			continue;
		to->rejected[left] = *d;
		to->rejected[left++].path = path;
	}
	to->n_rejected = left;
}

static void move_bindings(const struct files *old, struct files *f)
{
	for (size_t i = 0; i < old->n_bindings; i++) {
		size_t at = plan_binding(f->o.plan, old->bindings[i].name);

		if (at < f->n_bindings)
			move_binding(old, &old->bindings[i], f, &f->bindings[at]);
	}
}

static void move_held(const struct files *old, struct files *f)
{
	for (size_t i = 0; i < old->n_paths; i++) {
		size_t at = plan_path(f->o.plan, old->o.plan->paths[i].path);

		if (at < f->n_paths)
			f->held[at] = old->held[i];
	}
}

/* A file is still what is wanted if it is made in the same way, of the same secrets. */
static bool move_slot(const struct files *old, struct slot *from, struct files *f,
                      struct slot *to)
{
	const struct settings_file *a = from->plan->file, *b = to->plan->file;

	if (strcmp(from->plan->recipe, to->plan->recipe) != 0 || a->uid != b->uid ||
	    a->gid != b->gid || a->mode != b->mode)
		return false;
	for (size_t i = 0; i < from->n_deps; i++) {
		size_t path = plan_path(f->o.plan,
		                        old->o.plan->paths[from->deps[i].path].path);

		if (path == f->n_paths)
			return false;
		from->deps[i].path = path;
	}
	to->present = from->present;
	to->deps = from->deps;
	to->n_deps = from->n_deps;
	from->deps = NULL;
	from->n_deps = 0;
	memcpy(to->digest, from->digest, sizeof(to->digest));
	to->written = from->written;
	to->inode = from->inode;
	return true;
}

static void wipe_gone(struct files *old, struct slot *s)
{
	struct err e = { 0 };

	if (files_wipe_slot(old, s, &e) != ERR_OK)
		log_error("a file that is no longer wanted could not be wiped",
		          LOG_S("binding", s->plan->file->binding),
		          LOG_S("file", s->plan->file->name), LOG_S("why", e.msg));
}

/* Files that go are wiped before the generations' numbers are moved over. */
static void wipe_slots(struct files *old, const struct plan *plan)
{
	for (size_t i = 0; i < old->n_slots; i++) {
		struct slot *s = &old->slots[i];
		const struct settings_file *file = s->plan->file;

		if (s->present &&
		    plan_file(plan, file->binding, file->name) == plan->n_files)
			wipe_gone(old, s);
	}
}

static void drop_binding(const struct files *old, struct binding *b)
{
	struct err e = { 0 };

	if (files_wipe_binding(old, b, &e) != ERR_OK) {
		log_error("a binding that is no longer wanted could not be wiped",
		          LOG_S("binding", b->name), LOG_S("why", e.msg));
		return;
	}
	(void)unlinkat(old->o.run_fd, b->name, AT_REMOVEDIR);
	log_info("wiped a binding that is no longer wanted", LOG_S("binding", b->name));
}

int files_replan(struct files *f, const struct plan *plan, struct err *e)
{
	struct files old = *f;
	int rc = files_shape(f, plan, e);

	if (rc != ERR_OK) {
		*f = old;
		return rc;
	}
	wipe_slots(&old, plan);
	for (size_t i = 0; i < old.n_bindings; i++)
		if (plan_binding(plan, old.bindings[i].name) == plan->n_bindings)
			drop_binding(&old, &old.bindings[i]);
	move_bindings(&old, f);
	move_held(&old, f);
	for (size_t i = 0; i < old.n_slots; i++) {
		const struct settings_file *file = old.slots[i].plan->file;
		size_t at = plan_file(plan, file->binding, file->name);

		if (at < f->n_slots)
			(void)move_slot(&old, &old.slots[i], f, &f->slots[at]);
	}
	files_drop_shape(&old);
	files_settle(f);
	return ERR_OK;
}
