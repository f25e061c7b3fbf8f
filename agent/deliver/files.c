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

static bool is_named(const struct binding *b, const char *name)
{
	return b->name != NULL && strcmp(b->name, name) == 0;
}

static size_t binding_of(struct files *f, const struct settings_file *file)
{
	size_t i = 0;

	while (i < f->n_bindings && !is_named(&f->bindings[i], file->binding))
		i++;
	if (i == f->n_bindings)
		f->bindings[f->n_bindings++] = (struct binding){
			.name = file->binding, .dir_mode = file->dir_mode
		};
	return i;
}

int files_new(const struct files_options *o, struct files **out, struct err *e)
{
	const struct settings_file *files = settings_files(o->settings);
	size_t n = o->settings->files.n;
	struct files *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	f->o = *o;
	f->n_paths = o->settings->n_paths;
	f->bindings = calloc(n + 1, sizeof(*f->bindings));
	f->slots = calloc(n + 1, sizeof(*f->slots));
	f->held = calloc(f->n_paths + 1, sizeof(*f->held));
	if (f->bindings == NULL || f->slots == NULL || f->held == NULL) {
		files_free(f);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	for (f->n_slots = 0; f->n_slots < n; f->n_slots++)
		f->slots[f->n_slots] = (struct slot){
			.file = &files[f->n_slots],
			.binding = binding_of(f, &files[f->n_slots]),
		};
	read_boot_id(f->boot_id);
	*out = f;
	return ERR_OK;
}

void files_free(struct files *f)
{
	if (f == NULL)
		return;
	free(f->bindings);
	free(f->slots);
	free(f->held);
	free(f);
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
	unsigned char version[8];

	bytes_put_u64be(version, (uint64_t)s->version);
	crypto_generichash_init(&st, f->o.digest_key, 32, FILES_DIGEST);
	hash_text(&st, s->file->path);
	hash_text(&st, s->file->field);
	hash_text(&st, s->lease_id);
	crypto_generichash_update(&st, version, sizeof(version));
	crypto_generichash_update(&st, p, n);
	crypto_generichash_final(&st, out, FILES_DIGEST);
	sodium_memzero(&st, sizeof(st));
}

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
	return ERR_OK;
}

int files_read_slot(struct arena *a, const struct generation_dir *d, unsigned number,
                    const struct slot *s, const char **p, size_t *n)
{
	AUTO_CLOSE int fd = generation_open_file(d, number, s->file->name);
	struct stat st;
	char *at;
	ssize_t got = 0;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < 0 ||
	    st.st_size > FILES_CONTENT_MAX || (st.st_mode & 07777) != s->file->mode ||
	    st.st_uid != s->file->uid || st.st_gid != s->file->gid)
		return -1;
	at = arena_alloc(a, (size_t)st.st_size + 1);
	if (at == NULL)
		return -1;
	*n = 0;
	while ((got = read(fd, at + *n, (size_t)st.st_size + 1 - *n)) > 0)
		if ((*n += (size_t)got) > (size_t)st.st_size)
			return -1;
	*p = at;
	return got == 0 ? 0 : -1;
}

int files_stat_slot(struct slot *s, const struct generation_dir *d, unsigned number)
{
	AUTO_CLOSE int fd = generation_open_file(d, number, s->file->name);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return -1;
	s->inode = st.st_ino;
	s->changed = st.st_ctim;
	return 0;
}

bool files_drifted(struct files *f, size_t path)
{
	bool drifted = false;

	for (size_t i = 0; i < f->n_slots; i++) {
		struct slot now = f->slots[i];
		const struct binding *b = &f->bindings[now.binding];
		struct generation_dir d;

		if (now.file->path_index != path || !now.present)
			continue;
		if (files_open(f, b, &d, NULL) != ERR_OK)
			return true;
		if (generation_current(&d) != b->current ||
		    files_stat_slot(&now, &d, b->current) != 0 ||
		    now.inode != f->slots[i].inode ||
		    now.changed.tv_sec != f->slots[i].changed.tv_sec ||
		    now.changed.tv_nsec != f->slots[i].changed.tv_nsec) {
			f->slots[i].present = false;
			drifted = true;
		}
		close(d.fd);
	}
	files_settle(f);
	return drifted;
}

/* All files of a secret are there and of one version, or the secret is not in place. */
static void settle_one(struct files_held *held, const struct slot *s)
{
	if (held->version == 0 && held->present) {
		memcpy(held->lease_id, s->lease_id, sizeof(held->lease_id));
		held->version = s->version;
	}
	if (!s->present || s->version != held->version ||
	    strcmp(s->lease_id, held->lease_id) != 0)
		held->present = false;
	if (s->version > held->version && strcmp(s->lease_id, held->lease_id) == 0)
		held->version = s->version;
}

void files_settle(struct files *f)
{
	for (size_t i = 0; i < f->n_paths; i++) {
		f->held[i].present = true;
		f->held[i].version = 0;
		f->held[i].lease_id[0] = '\0';
	}
	for (size_t i = 0; i < f->n_slots; i++)
		settle_one(&f->held[f->slots[i].file->path_index], &f->slots[i]);
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
			if (b->old[j - 1].due <= now)
				reap_one(f, b, j - 1);
			else if (next < 0 || b->old[j - 1].due < next)
				next = b->old[j - 1].due;
		}
	}
	return next;
}

void files_set_expiry(struct files *f, size_t path, int64_t expires)
{
	AUTO_ARENA a = arena_new(4 * FILES_META_MAX);

	f->held[path].expires = expires;
	for (size_t i = 0; a != NULL && i < f->n_slots; i++) {
		const struct slot *s = &f->slots[i];
		const struct binding *b = &f->bindings[s->binding];
		struct generation_dir d;
		struct err e = { 0 };
		char *meta;

		if (s->file->path_index != path || b->current == 0 ||
		    (i > 0 && f->slots[i - 1].binding == s->binding &&
		     f->slots[i - 1].file->path_index == path))
			continue;
		meta = files_meta(f, s->binding, a);
		if (meta == NULL || files_open(f, b, &d, &e) != ERR_OK)
			continue;
		if (generation_write_meta(&d, b->current, meta, &e) != ERR_OK)
			log_warn("a renewal could not be noted",
			         LOG_S("binding", b->name), LOG_S("why", e.msg));
		close(d.fd);
	}
}
