/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "agent/bytes.h"
#include "files_impl.h"
#include "log.h"

static void read_boot_id(char out[FILES_BOOT_ID_MAX])
{
	AUTO_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, FILES_BOOT_ID_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

int files_shape(struct files *f, const struct plan *plan, struct err *e)
{
	f->o.plan = plan;
	f->n_bindings = plan->n_bindings;
	f->n_slots = plan->n_files;
	f->n_paths = plan->n_paths;
	f->bindings = calloc(f->n_bindings + 1, sizeof(*f->bindings));
	f->slots = calloc(f->n_slots + 1, sizeof(*f->slots));
	f->held = calloc(f->n_paths + 1, sizeof(*f->held));
	if (f->bindings == NULL || f->slots == NULL || f->held == NULL) {
		free(f->bindings);
		free(f->slots);
		free(f->held);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < f->n_bindings; i++) {
		f->bindings[i].name = plan->bindings[i].set.name;
		f->bindings[i].dir_mode = plan->bindings[i].dir_mode;
	}
	for (size_t i = 0; i < f->n_slots; i++)
		f->slots[i].plan = &plan->files[i];
	return ERR_OK;
}

void files_drop_shape(struct files *f)
{
	for (size_t i = 0; i < f->n_slots; i++)
		free(f->slots[i].deps);
	for (size_t i = 0; i < f->n_bindings; i++)
		free(f->bindings[i].rejected);
	free(f->bindings);
	free(f->slots);
	free(f->held);
}

int files_new(const struct files_options *o, struct files **out, struct err *e)
{
	struct files *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	f->o = *o;
	if ((rc = files_shape(f, o->plan, e)) != ERR_OK) {
		free(f);
		return rc;
	}
	read_boot_id(f->boot_id);
	*out = f;
	return ERR_OK;
}

void files_free(struct files *f)
{
	if (f == NULL)
		return;
	files_drop_shape(f);
	free(f);
}

int files_set_deps(struct slot *s, const struct dep *deps, size_t n)
{
	struct dep *copy = malloc((n + 1) * sizeof(*copy));

	if (copy == NULL)
		return -1;
	if (n > 0)
		memcpy(copy, deps, n * sizeof(*copy));
	free(s->deps);
	s->deps = copy;
	s->n_deps = n;
	return 0;
}

const struct dep *files_dep(const struct slot *s, size_t path)
{
	for (size_t i = 0; i < s->n_deps; i++)
		if (s->deps[i].path == path)
			return &s->deps[i];
	return NULL;
}

const char *files_boot_id(const struct files *f)
{
	return f->boot_id;
}

const struct files_held *files_held(const struct files *f, size_t path)
{
	return &f->held[path];
}

static void hash_text(crypto_generichash_state *st, const char *s)
{
	crypto_generichash_update(st, (const unsigned char *)s, strlen(s) + 1);
}

void files_digest(const struct files *f, const struct slot *s, const void *p, size_t n,
                  unsigned char out[FILES_DIGEST])
{
	crypto_generichash_state st;
	unsigned char number[8];

	crypto_generichash_init(&st, f->o.digest_key, 32, FILES_DIGEST);
	hash_text(&st, s->plan->recipe);
	bytes_put_u64be(number, s->n_deps);
	crypto_generichash_update(&st, number, sizeof(number));
	for (size_t i = 0; i < s->n_deps; i++) {
		hash_text(&st, f->o.plan->paths[s->deps[i].path].path);
		hash_text(&st, s->deps[i].lease_id);
		bytes_put_u64be(number, (uint64_t)s->deps[i].version);
		crypto_generichash_update(&st, number, sizeof(number));
	}
	crypto_generichash_update(&st, p, n);
	crypto_generichash_final(&st, out, FILES_DIGEST);
	sodium_memzero(&st, sizeof(st));
}

void (*files_step)(void *ctx);

int files_open(const struct files *f, const struct binding *b, struct generation_dir *d,
               struct err *e)
{
	int rc;

	if (!f->o.settings->allow_disk && !tmpfs_is_memory(f->o.run_fd))
		return err_set(e, ERR_DENIED, "'%s' is no longer in memory",
		               f->o.settings->run_dir);
	if ((rc = generation_open(f->o.run_fd, b->name, b->dir_mode, d, e)) != ERR_OK)
		return rc;
	if (!f->o.settings->allow_disk && !tmpfs_is_memory(d->fd)) {
		close(d->fd);
		return err_set(e, ERR_DENIED, "'%s/%s' is not in memory",
		               f->o.settings->run_dir, b->name);
	}
	d->step = files_step;
	return ERR_OK;
}

static bool is_as_planned(const struct slot *s, const struct stat *st)
{
	const struct settings_file *file = s->plan->file;

	return (st->st_mode & 07777) == file->mode && st->st_uid == file->uid &&
	       st->st_gid == file->gid;
}

int files_read_slot(struct arena *a, const struct generation_dir *d, unsigned number,
                    const struct slot *s, const char **p, size_t *n)
{
	AUTO_CLOSE int fd = generation_open_file(d, number, s->plan->file->name);
	struct stat st;
	char *at;
	ssize_t got = 0;

	if (fd < 0)
		return errno == EACCES ? ERR_DENIED : ERR_NOENT;
	if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > FILES_CONTENT_MAX ||
	    !is_as_planned(s, &st))
		return ERR_INTEGRITY;
	at = arena_alloc(a, (size_t)st.st_size + 1);
	if (at == NULL)
		return ERR_NOMEM;
	*n = 0;
	while ((got = read(fd, at + *n, (size_t)st.st_size + 1 - *n)) > 0)
		if ((*n += (size_t)got) > (size_t)st.st_size)
			return ERR_INTEGRITY;
	*p = at;
	return got == 0 ? ERR_OK : ERR_IO;
}

int files_stat_slot(struct slot *s, const struct generation_dir *d, unsigned number)
{
	struct stat st;

	if (generation_stat_file(d, number, s->plan->file->name, &st) != 0 ||
	    !is_as_planned(s, &st) || st.st_mtim.tv_sec != s->written.tv_sec ||
	    st.st_mtim.tv_nsec != s->written.tv_nsec)
		return -1;
	s->inode = st.st_ino;
	return 0;
}

bool files_there(const struct files *f, size_t file)
{
	return f->slots[file].present;
}

static bool uses_any(const struct slot *s, const bool *paths)
{
	for (size_t i = 0; i < s->plan->n; i++)
		if (paths[s->plan->paths[i]])
			return true;
	return false;
}

static bool slot_drifted(const struct slot *s, const struct generation_dir *d,
                         unsigned number)
{
	struct slot now = *s;

	return files_stat_slot(&now, d, number) != 0 || now.inode != s->inode;
}

/* What somebody else has changed is not present any more, and all secrets in it are
 * ${lost}. */
static bool binding_drifted(struct files *f, size_t binding, const bool *paths,
                            bool *lost)
{
	const struct binding *b = &f->bindings[binding];
	struct generation_dir d;
	bool open = files_open(f, b, &d, NULL) == ERR_OK;
	bool gone = !open || generation_current(&d) != b->current, drifted = false;

	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++) {
		struct slot *s = &f->slots[i];

		if (!s->present || !uses_any(s, paths) ||
		    (!gone && !slot_drifted(s, &d, b->current)))
			continue;
		s->present = false;
		drifted = true;
		for (size_t k = 0; k < s->plan->n; k++)
			lost[s->plan->paths[k]] = true;
	}
	if (open)
		close(d.fd);
	return drifted;
}

void files_drifted(struct files *f, bool *paths)
{
	bool *lost = calloc(f->n_paths + 1, sizeof(*lost)), drifted = false;

	for (size_t i = 0; lost != NULL && i < f->n_bindings; i++)
		if (f->bindings[i].current != 0 && binding_drifted(f, i, paths, lost))
			drifted = true;
	for (size_t i = 0; i < f->n_paths; i++)
		paths[i] = paths[i] && lost != NULL && lost[i];
	free(lost);
	if (drifted)
		files_settle(f);
}

/* All files of a secret are there and of one version, or the secret is not in place. */
static void settle_one(struct files_held *held, const struct slot *s, size_t path)
{
	static const struct dep none;
	const struct dep *d = files_dep(s, path);

	d = d != NULL ? d : &none;
	if (held->version == 0 && held->present) {
		memcpy(held->lease_id, d->lease_id, sizeof(held->lease_id));
		held->version = d->version;
	}
	if (!s->present || d->version != held->version ||
	    strcmp(d->lease_id, held->lease_id) != 0)
		held->present = false;
	if (d->version > held->version && strcmp(d->lease_id, held->lease_id) == 0)
		held->version = d->version;
}

/* A file that also needs a secret which was taken away is not expected to be there. */
bool files_idle(const struct files *f, const struct slot *s)
{
	for (size_t i = 0; i < s->plan->n; i++)
		if (f->held[s->plan->paths[i]].gone)
			return true;
	return false;
}

void files_settle(struct files *f)
{
	for (size_t i = 0; i < f->n_paths; i++) {
		f->held[i].present = true;
		f->held[i].version = 0;
		f->held[i].lease_id[0] = '\0';
	}
	for (size_t i = 0; i < f->n_slots; i++) {
		const struct plan_file *file = f->slots[i].plan;

		for (size_t j = 0; j < file->n && !files_idle(f, &f->slots[i]); j++)
			settle_one(&f->held[file->paths[j]], &f->slots[i],
			           file->paths[j]);
	}
	for (size_t i = 0; i < f->n_paths; i++)
		f->held[i].present = f->held[i].present && f->held[i].version > 0;
}

static void reap_one(struct files *f, struct binding *b, size_t i)
{
	struct generation_dir d;

	if (files_open(f, b, &d, NULL) != ERR_OK)
		return;
	generation_remove(&d, b->old[i].number);
	close(d.fd);
	b->old[i] = b->old[--b->n_old];
}

int64_t files_reap(struct files *f, int64_t now)
{
	int64_t next = -1;

	for (size_t i = 0; i < f->n_bindings; i++) {
		struct binding *b = &f->bindings[i];

		for (size_t j = b->n_old; j > 0; j--) {
			if (b->old[j - 1].number == files_kept(f, b))
				continue;
			if (b->old[j - 1].due <= now)
				reap_one(f, b, j - 1);
			else if (next < 0 || b->old[j - 1].due < next)
				next = b->old[j - 1].due;
		}
	}
	return next;
}

static bool binding_uses(const struct files *f, size_t binding, size_t path)
{
	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++)
		if (f->slots[i].present && files_dep(&f->slots[i], path) != NULL)
			return true;
	return false;
}

static void note_again(struct files *f, size_t binding)
{
	AUTO_ARENA a = arena_new(4 * FILES_META_MAX);
	const struct binding *b = &f->bindings[binding];
	struct generation_dir d;
	struct err e = { 0 };
	char *meta = a == NULL ? NULL
	                       : files_meta(f, binding,
	                                    &f->slots[files_first(f, binding)], a);

	if (meta == NULL || files_open(f, b, &d, &e) != ERR_OK)
		return;
	if (generation_write_meta(&d, b->current, meta, &e) != ERR_OK)
		log_warn("a renewal could not be noted", LOG_S("binding", b->name),
		         LOG_S("why", e.msg));
	close(d.fd);
}

void files_set_expiry(struct files *f, size_t path, int64_t expires)
{
	f->held[path].expires = expires;
	for (size_t i = 0; i < f->n_bindings; i++)
		if (f->bindings[i].current != 0 && binding_uses(f, i, path))
			note_again(f, i);
}
