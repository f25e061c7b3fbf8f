/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "files_impl.h"
#include "log.h"

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

void files_recover(struct files *f)
{
	drop_strays(f);
	for (size_t i = 0; i < f->n_bindings; i++)
		files_load(f, i);
	files_settle(f);
}
