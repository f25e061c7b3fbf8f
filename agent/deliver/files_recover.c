/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "agent/reply.h"
#include "files_impl.h"
#include "log.h"

#define LEARN_ARENA (4u * 1024 * 1024)

static bool is_known(const struct files *f, const char *name)
{
	for (size_t i = 0; i < f->n_bindings; i++)
		if (strcmp(f->bindings[i].name, name) == 0)
			return true;
	return false;
}

/* A directory that looks like ours but that no binding owns any more: its values go. */
static void drop_stray(const struct files *f, const char *name)
{
	AUTO_CLOSE int fd = openat(f->o.run_fd, name,
	                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct generation_dir d = { .fd = fd, .label = name };

	if (fd < 0 || !generation_is_ours(fd))
		return;
	if (generation_wipe_all(&d) != 0) {
		log_warn("a binding that is no longer configured could not be wiped",
		         LOG_S("binding", name));
		return;
	}
	(void)unlinkat(f->o.run_fd, name, AT_REMOVEDIR);
	log_info("wiped a binding that is no longer configured", LOG_S("binding", name));
}

static void drop_strays(const struct files *f)
{
	int copy = openat(f->o.run_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && !is_known(f, entry->d_name))
			drop_stray(f, entry->d_name);
	closedir(dir);
}

static int learn_asked(const struct files *f, const struct plan_file *plan,
                       const json_t *asked, struct err *e)
{
	AUTO_ARENA a = arena_new(LEARN_ARENA);
	const struct uses_key k = plan_key(plan);
	const char **list =
		a == NULL ? NULL
			  : arena_alloc(a, (json_object_size(asked) + 1) * sizeof(*list));
	const char *name;
	json_t *path;
	size_t n = 0;

	if (list == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	json_object_foreach((json_t *)(uintptr_t)asked, name, path)
	{
		list[n++] = name;
		if (json_is_string(path) &&
		    uses_name(f->o.uses, name, json_string_value(path), e) != ERR_OK)
			return (int)e->code;
	}
	return uses_set(f->o.uses, &k, list, n, e);
}

static void learn_slot(const struct files *f, const struct slot *s, const json_t *doc)
{
	const struct settings_file *file = s->plan->file;
	const json_t *note = json_object_get(json_object_get(doc, "files"), file->name);
	const char *recipe = reply_str(note, "recipe");
	const json_t *asked = json_object_get(note, "asked");
	struct err e = { 0 };

	if (s->plan->template == NULL || recipe == NULL || !json_is_object(asked) ||
	    strcmp(recipe, s->plan->recipe) != 0)
		return;
	if (learn_asked(f, s->plan, asked, &e) != ERR_OK)
		log_warn("what a template named before is not known",
		         LOG_S("binding", file->binding), LOG_S("file", file->name),
		         LOG_S("why", e.msg));
}

void files_learn(struct files *f)
{
	for (size_t i = 0; f->o.uses != NULL && i < f->n_bindings; i++) {
		struct generation_dir d;
		AUTO_JSON doc = NULL;

		if (files_open(f, &f->bindings[i], &d, NULL) != ERR_OK)
			continue;
		doc = files_notes(&d, generation_current(&d));
		close(d.fd);
		for (size_t j = files_first(f, i); doc != NULL && j < files_end(f, i);
		     j++)
			learn_slot(f, &f->slots[j], doc);
	}
}

void files_recover(struct files *f)
{
	drop_strays(f);
	for (size_t i = 0; i < f->n_bindings; i++)
		files_load(f, i);
	files_settle(f);
}
